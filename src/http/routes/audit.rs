//! The audit log, for auditors. Reading it is an event of it too.

use std::sync::Arc;

use actix_web::web::{Data, Json, Query};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::audit::{Hash, Kind, StoredEvent};
use crate::base::limits::{AUDIT_OBJECT_BYTES_MAX, AUDIT_SHOWN_MAX};
use crate::casework::audit::reading;
use crate::http::identity::Sender;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;
use crate::http::routes::length;
use crate::records::EventFilter;

/// An event of the log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventShape {
    /// Its place in the log, from 1.
    #[schema(example = 17)]
    pub seq: u64,
    /// What it says, as docs/AUDIT_FORMAT.md has it; null where that can't be read any more.
    #[schema(value_type = Option<Object>)]
    pub event: Option<Value>,
    /// The hash that is kept with it.
    pub hash: String,
    /// Whether it has that hash. `bertillon audit verify` checks the whole chain.
    pub as_written: bool,
}

impl From<StoredEvent> for EventShape {
    fn from(stored: StoredEvent) -> Self {
        let StoredEvent { seq, body, hash, .. } = stored;
        let as_written = Hash::of_event(&body).to_string() == hash;
        Self { seq, event: serde_json::from_str(&body).ok(), hash, as_written }
    }
}

/// Events.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EventsShape {
    /// Newest first.
    pub events: Vec<EventShape>,
    /// To be asked for as `before`, for those before them; null at the end.
    pub before: Option<u64>,
}

/// The last checkpoint: how far the log is signed.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CheckpointShape {
    /// The last event that it seals; 0 where nothing is sealed yet.
    pub sealed_through: u64,
    /// Its text as it was signed.
    pub body: Option<String>,
    /// Its Ed25519 signature, in hexadecimal digits.
    pub signature: Option<String>,
}

/// Which events.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsAsked {
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only about this.
    pub object: Option<String>,
    /// Numbers below this one.
    pub before: Option<u64>,
    /// At most so many, 1 to 200; 50 unless said.
    pub last: Option<u32>,
}

/// Events of the audit log, newest first. That they were shown is an event of its own, which is not among them.
///
/// For auditors in all galleries: the log is one chain of all.
#[utoipa::path(get, path = "/api/v1/audit/events", operation_id = "list_events", tag = "audit",
    params(
        ("kind" = Option<String>, Query, description = "Only of this kind, such as search.run"),
        ("object" = Option<String>, Query, description = "Only about this, such as search:17, template:5 or job:3"),
        ("before" = Option<u64>, Query, description = "Numbers below this one: `before` of the page before"),
        ("last" = Option<u32>, Query, description = "At most so many, 1 to 200; 50 unless said"),
    ),
    responses(
        (status = 200, description = "The newest", body = EventsShape),
        (status = 403, description = "To whom no auditor's role is given", body = ProblemShape, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
    ))]
pub async fn events(
    reception: Data<Reception>,
    Sender(caller): Sender,
    asked: Query<EventsAsked>,
) -> Result<Json<EventsShape>, Problem> {
    let EventsAsked { kind, object, before, last } = asked.into_inner();
    let last = length(last, AUDIT_SHOWN_MAX)?;
    let filter =
        EventFilter { kind: kind.as_deref().map(kind_of).transpose()?, object: object.map(named).transpose()? };
    let desk = Arc::clone(&reception.desk);
    let found = reception.run(async move { reading::read(&desk, &caller, &filter, before, last).await }).await?;
    let before = found.last().map(|event| event.seq).filter(|seq| found.len() == last && *seq > 1);
    Ok(Json(EventsShape { events: found.into_iter().map(EventShape::from).collect(), before }))
}

/// The last checkpoint of the audit log, to be kept elsewhere.
#[utoipa::path(get, path = "/api/v1/audit/checkpoint", operation_id = "show_checkpoint", tag = "audit", responses(
    (status = 200, description = "The last one", body = CheckpointShape),
    (status = 403, description = "To whom no auditor's role is given", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn checkpoint(reception: Data<Reception>, Sender(caller): Sender) -> Result<Json<CheckpointShape>, Problem> {
    let desk = Arc::clone(&reception.desk);
    let last = reception.run(async move { reading::last_checkpoint(&desk, &caller).await }).await?;
    Ok(Json(match last {
        Some((checkpoint, stored)) => CheckpointShape {
            sealed_through: checkpoint.seq,
            body: Some(stored.body),
            signature: Some(stored.signature),
        },
        None => CheckpointShape { sealed_through: 0, body: None, signature: None },
    }))
}

fn kind_of(word: &str) -> Result<Kind, Problem> {
    let wrong = "No event is of that \"kind\": docs/AUDIT_FORMAT.md says what there is, `bertillon audit show --kind` lists all.";
    Kind::parse(word).ok_or_else(|| Problem::malformed(wrong))
}

fn named(object: String) -> Result<String, Problem> {
    let fits =
        (1..=AUDIT_OBJECT_BYTES_MAX).contains(&object.len()) && object.bytes().all(|byte| byte.is_ascii_graphic());
    let wrong = "\"object\" is a word and a number, such as search:17, template:5 or job:3.";
    if fits { Ok(object) } else { Err(Problem::malformed(wrong)) }
}
