//! JSON shapes of jobs.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::records::{JobRecord, JobState};

/// Long work that the server does in the background.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobShape {
    /// Its number.
    pub id: i64,
    /// What it does.
    #[schema(example = "index")]
    pub kind: String,
    /// The gallery that it changes.
    pub gallery: String,
    /// waiting, running, done, failed or cancelled.
    #[schema(example = "running")]
    pub state: String,
    /// Who asked for it.
    pub actor: String,
    /// Where from.
    pub origin: String,
    /// When it was asked for, UTC.
    pub asked: String,
    /// When it was begun, the last time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Whether somebody wants it to end.
    pub cancel_wanted: bool,
    /// What it is at.
    pub step: String,
    /// How much of this step is done.
    pub done: u64,
    /// Of how much; 0 where nobody knows.
    pub total: u64,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl From<&JobRecord> for JobShape {
    fn from(job: &JobRecord) -> Self {
        let JobRecord { id, asked, state, asked_at, started_at, ended_at, cancel_wanted, step, done, total, .. } = job;
        let outcome = job.outcome.as_deref().filter(|_| *state == JobState::Done);
        Self {
            id: *id,
            kind: asked.kind.clone(),
            gallery: asked.gallery.to_string(),
            state: state.as_str().to_owned(),
            actor: asked.actor.clone(),
            origin: asked.origin.clone(),
            asked: asked_at.clone(),
            started: started_at.clone(),
            ended: ended_at.clone(),
            cancel_wanted: *cancel_wanted,
            step: step.clone(),
            done: *done,
            total: *total,
            outcome: outcome.and_then(|text| serde_json::from_str(text).ok()),
            error: job.outcome.clone().filter(|_| *state == JobState::Failed),
        }
    }
}

impl JobShape {
    /// For a client that need not know this machine's disk: errors of long work name files on it.
    #[must_use]
    pub fn for_clients(job: &JobRecord) -> Self {
        let shape = Self::from(job);
        let said = format!("It failed; `bertillon jobs show {}` on the server says why.", job.id);
        let error = shape.error.is_some().then_some(said);
        Self { error, ..shape }
    }

    /// For a list.
    #[must_use]
    pub fn in_short(job: &JobRecord) -> Self {
        Self { outcome: None, error: None, ..Self::from(job) }
    }
}
