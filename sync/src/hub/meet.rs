//! `GET` and `POST /presence`.

use axum::extract::{Query, State};
use axum::response::Response;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::auth::Access;
use super::body::Json;
use super::errors::{Refusal, Result};
use super::limits::AtWork;
use super::presence::{Event, State as Here};
use super::{answer, topics, Shared};

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
pub async fn update(State(hub): State<Shared>, access: Access, body: Json) -> Result<Response> {
    let Update { node_id, topic, data } = serde_json::from_str(&body.text)
        .map_err(|e| Refusal::bad(format!("not a presence update {{\"node_id\",\"topic\",\"data\"}}: {e}")))?;
    for (name, value) in [("node_id", &node_id), ("topic", &topic)] {
        if value.is_empty() {
            return Err(Refusal::bad(format!("'{name}' is missing")));
        }
    }
    topics::check(&hub, &access.scope, &topic).await?;
    let data = data.filter(|data| data.get() != "null");
    let event: Event = hub.presence.set(access.token().copied(), &topic, &node_id, data)?;
    answer::short(&event)
}

/// Who is at a topic.
pub async fn snapshot(
    State(hub): State<Shared>,
    access: Access,
    _at_work: AtWork,
    Query(Asked { topic }): Query<Asked>,
) -> Result<Response> {
    if topic.is_empty() {
        return Err(Refusal::bad("'topic' is missing"));
    }
    topics::check(&hub, &access.scope, &topic).await?;
    let states = hub.presence.states(&topic);
    answer::long(&Snapshot { topic, states }, &hub, &access)
}
