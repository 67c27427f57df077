//! `GET` and `POST /presence`.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::auth::Access;
use super::body::Json;
use super::errors::{Refusal, Result};
use super::presence::{Event, State as Here};
use super::{topics, Shared};

#[derive(Deserialize)]
struct Update {
    #[serde(default)]
    node_id: String,
    #[serde(default)]
    topic: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// What a snapshot is asked for.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    topic: String,
}

#[derive(Serialize)]
struct Snapshot {
    topic: String,
    states: Vec<Here>,
}

/// A node tells what it does at a topic, or leaves it.
pub async fn update(State(hub): State<Shared>, access: Access, Json(body): Json) -> Result<impl IntoResponse> {
    let Update { node_id, topic, data } = serde_json::from_str(&body)
        .map_err(|e| Refusal::bad(format!("not a presence update {{\"node_id\",\"topic\",\"data\"}}: {e}")))?;
    for (name, value) in [("node_id", &node_id), ("topic", &topic)] {
        if value.is_empty() {
            return Err(Refusal::bad(format!("'{name}' is missing")));
        }
    }
    topics::check(&hub, &access.scope, &topic).await?;
    let data = data.filter(|data| data.get() != "null");
    let event: Event = hub.presence.set(&topic, &node_id, data)?;
    json(&event)
}

/// Who is at a topic.
pub async fn snapshot(
    State(hub): State<Shared>,
    access: Access,
    Query(Asked { topic }): Query<Asked>,
) -> Result<impl IntoResponse> {
    if topic.is_empty() {
        return Err(Refusal::bad("'topic' is missing"));
    }
    topics::check(&hub, &access.scope, &topic).await?;
    let states = hub.presence.states(&topic);
    json(&Snapshot { topic, states })
}

/// An answer.
pub fn json(value: &impl Serialize) -> Result<impl IntoResponse> {
    let mut body = serde_json::to_string(value).map_err(|e| Refusal::internal(e.to_string()))?;
    body.push('\n');
    Ok(([(header::CONTENT_TYPE, "application/json")], body))
}
