//! Server-sent events as text: lines under 64 KiB, LF only. Pure.

use std::sync::Arc;

use bytes::Bytes;

use super::pages::Page;

/// Longest `data:` line, bytes. Grove's Go client reads lines of up to 64 KiB.
const LINE: usize = 65_000;

/// A comment, which keeps the connection alive.
pub const KEEP_ALIVE: Bytes = Bytes::from_static(b": keep-alive\n");

/// What a page gives next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// An event.
    Event(Bytes),
    /// A single change that no line can carry.
    TooLong,
    /// Nothing more.
    End,
}

/// A page on its way to one client.
pub struct Sending {
    page: Arc<Page>,
    at: usize,
    /// Tells only that there are changes.
    news: bool,
}

impl Sending {
    /// The page from its beginning.
    pub fn new(page: Arc<Page>) -> Sending {
        Sending { page, at: 0, news: false }
    }

    /// One event that tells how many changes there are, for clients that pull them.
    pub fn news(page: Arc<Page>) -> Sending {
        Sending { page, at: 0, news: true }
    }

    /// The next event: as many changes as a line takes. The last one of the page has the cursor as its id. `strict` clients
    /// get no longer lines, also where a single change needs one.
    pub fn next(&mut self, strict: bool) -> Next {
        if self.news && self.at < self.page.len() {
            self.at = self.page.len();
            let (id, changes) = (self.page.latest.id(), self.page.len());
            return Next::Event(Bytes::from(format!("event: news\nid: {id}\ndata: {{\"changes\":{changes}}}\n\n")));
        }
        let mut data = String::from("data: [");
        let from = self.at;
        while let Some(change) = self.page.change(self.at) {
            if data.len() + change.len() + 2 > LINE {
                if self.at > from {
                    break;
                }
                if strict {
                    return Next::TooLong;
                }
            }
            if self.at > from {
                data.push(',');
            }
            data.push_str(change);
            self.at += 1;
        }
        if self.at == from {
            return Next::End;
        }
        let id = if self.at == self.page.len() { format!("id: {}\n", self.page.latest.id()) } else { String::new() };
        Next::Event(Bytes::from(format!("event: changes\n{id}{data}]\n\n")))
    }
}

/// JSON on one line: line ends, which its strings only have escaped, become blanks.
pub fn one_line(json: String) -> String {
    if json.contains('\n') || json.contains('\r') {
        json.replace(['\n', '\r'], " ")
    } else {
        json
    }
}

/// An event of one line of JSON, or of text.
pub fn event(name: &str, json: String) -> Bytes {
    Bytes::from(format!("event: {name}\ndata: {}\n\n", one_line(json)))
}

/// The end of a stream for a reason.
pub fn error(message: String) -> Bytes {
    event("error", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(changes: &[String]) -> Sending {
        let json = format!(
            r#"{{"changes":[{}],"latest_hlc":{{"ts":1,"c":2,"node":"hub~3"}},"has_more":false}}"#,
            changes.join(",")
        );
        Sending::new(Arc::new(Page::read(json).unwrap()))
    }

    #[test]
    fn a_page_is_split_between_changes() {
        let changes: Vec<String> = (0..1000).map(|i| format!(r#"{{"pk":"{i:0200}"}}"#)).collect();
        let mut sending = page(&changes);
        let (mut got, mut ids) = (Vec::new(), Vec::new());
        while let Next::Event(event) = sending.next(true) {
            let text = std::str::from_utf8(&event).unwrap().to_owned();
            assert!(text.lines().all(|line| line.len() < 64 * 1024));
            assert!(!text.contains('\r') && text.ends_with("\n\n"));
            let data = text.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
            got.extend(serde_json::from_str::<Vec<serde_json::Value>>(data).unwrap());
            ids.push(text.lines().any(|line| line == "id: 1-2-hub~3"));
        }
        assert_eq!(got.len(), 1000);
        assert!(ids.len() > 3 && ids.pop() == Some(true) && !ids.contains(&true), "the id is the last event's");
    }

    #[test]
    fn a_change_that_no_line_carries() {
        let long = format!(r#"{{"value":"{}"}}"#, "x".repeat(70_000));
        let changes = ["{}".to_owned(), long.clone(), "{}".to_owned()];
        let mut sending = page(&changes);
        assert_eq!(sending.next(true), Next::Event(Bytes::from_static(b"event: changes\ndata: [{}]\n\n")));
        assert_eq!(sending.next(true), Next::TooLong);
        assert_eq!(sending.next(false), Next::Event(Bytes::from(format!("event: changes\ndata: [{long}]\n\n"))));
        assert!(matches!(sending.next(false), Next::Event(_)));
        assert_eq!(sending.next(false), Next::End);
    }

    #[test]
    fn an_empty_page_gives_nothing() {
        assert_eq!(page(&[]).next(true), Next::End);
        assert_eq!(Sending::news(page(&[]).page).next(true), Next::End);
    }

    #[test]
    fn news_is_one_short_event() {
        let mut sending = Sending::news(page(&["{}".to_owned(), "{}".to_owned()]).page);
        let event = Bytes::from_static(b"event: news\nid: 1-2-hub~3\ndata: {\"changes\":2}\n\n");
        assert_eq!(sending.next(true), Next::Event(event));
        assert_eq!(sending.next(true), Next::End);
    }
}
