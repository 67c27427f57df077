//! `GET /stream`: changes and presence as server-sent events.

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{header, HeaderMap, StatusCode};
use axum::response::IntoResponse;
use futures_util::stream;

use super::auth::Access;
use super::dialect::Counters;
use super::errors::{Refusal, Result};
use super::place::Place;
use super::subscriber::Subscriber;
use super::Shared;

/// Bytes of a stream's query, which is kept as long as it is open.
const LONGEST: usize = 16 << 10;

/// What a stream is asked for.
pub struct Asked {
    /// Tables, with commas between as they came; None for all that may be read.
    pub tables: Option<Box<str>>,
    /// Topics of presence, the same way; None for all.
    pub topics: Option<Box<str>>,
    /// Who asks.
    pub node: Option<String>,
    /// Where to go on from; None for the beginning.
    pub since: Option<Place>,
    /// What the client means by `counter_delta`.
    pub counters: Counters,
    /// A client that reads no lines beyond 64 KiB.
    pub strict: bool,
    /// Only that there are changes is to be told, not which.
    pub news: bool,
}

impl Asked {
    /// Reads the query, leniently: Grove's clients do not escape what they put into it, and numbers that are none are 0.
    fn read(query: &str, headers: &HeaderMap, counters: Counters) -> Asked {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let mut asked = Asked {
            tables: None,
            topics: None,
            node: None,
            since: None,
            counters,
            strict: text(header::USER_AGENT).is_some_and(|agent| agent.starts_with("Go-http-client")),
            news: false,
        };
        let mut since = Place::default();
        // A plus that nobody escaped is a plus: a blank comes as %20 from all that escape at all.
        for (key, value) in form_urlencoded::parse(query.replace('+', "%2B").as_bytes()) {
            let list = || Some(Box::from(&*value)).filter(|_| !value.is_empty());
            match &*key {
                "tables" => asked.tables = list(),
                "topics" => asked.topics = list(),
                "node_id" => asked.node = Some(value.to_string()).filter(|node| !node.is_empty()),
                "since_ts" => since.ts = value.parse().unwrap_or(0).max(0),
                "since_count" | "since_c" => since.c = value.parse().unwrap_or(0),
                "since_node" => since.node = value.into_owned(),
                "news" => asked.news = value == "1",
                _ => {}
            }
        }
        let last = text(header::HeaderName::from_static("last-event-id")).and_then(Place::from_id);
        asked.since = last.or(Some(since).filter(|since| *since != Place::default()));
        asked
    }

    /// The names of the tables.
    pub fn tables(&self) -> Option<Vec<String>> {
        self.tables.as_ref().map(|tables| tables.split(',').map(str::to_owned).collect())
    }

    /// Whether a table was asked for.
    pub fn wants_table(&self, table: &str) -> bool {
        self.tables.as_ref().is_none_or(|tables| tables.split(',').any(|name| name.eq_ignore_ascii_case(table)))
    }

    /// Whether a topic of presence was.
    pub fn wants_topic(&self, topic: &str) -> bool {
        self.topics.as_ref().is_none_or(|topics| topics.split(',').any(|name| name == topic))
    }
}

/// Opens a stream. What it begins with is exported before the answer begins, so that errors have a status.
pub async fn stream(
    State(hub): State<Shared>,
    access: Access,
    counters: Counters,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<impl IntoResponse> {
    let query = query.unwrap_or_default();
    if query.len() > LONGEST {
        return Err(Refusal::new(
            StatusCode::URI_TOO_LONG,
            format!("a stream is asked for by {LONGEST} bytes at most; leave tables or topics out to get all of them"),
        ));
    }
    let place = hub.limits.streams.take(&access, 1)?;
    let asked = Asked::read(&query, &headers, counters);
    let subscriber = Subscriber::open(hub, access, asked, place).await?;
    let body = stream::unfold(subscriber, |mut subscriber| async move {
        let event = subscriber.next().await?;
        Some((Ok::<_, std::convert::Infallible>(event), subscriber))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-cache"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str, headers: &[(&'static str, &str)]) -> Asked {
        let headers =
            headers.iter().map(|(name, value)| (header::HeaderName::from_static(name), value.parse().unwrap()));
        Asked::read(query, &headers.collect(), Counters::Totals)
    }

    #[test]
    fn groves_names_and_ours() {
        for query in ["since_ts=5&since_count=2&since_node=hub~1.a+b", "since_node=hub~1.a%2Bb&since_c=2&since_ts=5"] {
            let since = Place { ts: 5, c: 2, node: "hub~1.a+b".to_owned() };
            assert_eq!(read(query, &[]).since, Some(since), "{query}");
        }
        assert_eq!(read("since_ts=0&since_count=0&since_node=", &[]).since, None);
        assert_eq!(read("since_ts=x&since_node=n%zz", &[]).since.unwrap().node, "n%zz");
        let asked = read("tables=a,b&topics=t:1&node_id=phone", &[("user-agent", "Go-http-client/1.1")]);
        assert_eq!(asked.tables(), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert!(
            asked.wants_table("B") && !asked.wants_table("a,b") && asked.wants_topic("t:1") && !asked.wants_topic("t")
        );
        assert!(asked.strict && asked.node.as_deref() == Some("phone") && asked.topics.is_some());
        assert!(read("tables=", &[]).tables.is_none() && read("topics=", &[]).wants_topic("t"));
    }

    #[test]
    fn the_last_event_wins() {
        let place = Place { ts: 7, c: 0, node: "hub~9.x".to_owned() };
        let asked = read("since_ts=5", &[("last-event-id", &place.id())]);
        assert_eq!(asked.since, Some(place));
        assert_eq!(read("since_ts=5", &[("last-event-id", "rubbish")]).since.unwrap().ts, 5);
    }
}
