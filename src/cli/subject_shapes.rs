//! What `bertillon subject --json` and `bertillon hold --json` print.

use serde::Serialize;
use serde_json::json;

use crate::base::day::Day;
use crate::base::ids::SubjectRef;
use crate::base::limits::SUBJECT_IMAGES_COUNTED_MAX;
use crate::casework::subjects::SubjectView;
use crate::policy::Clock;
use crate::records::subjects::{HoldRecord, ImageRecord, MoveRecord, SubjectRecord};

/// A subject as `--json` shows it.
#[derive(Debug, Serialize)]
pub(super) struct SubjectShape<'a> {
    id: i64,
    subject: Option<&'a SubjectRef>,
    state: &'static str,
    merged_into: Option<i64>,
    restricted_at: Option<&'a str>,
    images: usize,
    images_counted_up_to: usize,
    created_at: &'a str,
}

impl<'a> From<&'a SubjectRecord> for SubjectShape<'a> {
    fn from(subject: &'a SubjectRecord) -> Self {
        let most = SUBJECT_IMAGES_COUNTED_MAX;
        Self {
            id: subject.id,
            subject: subject.reference.as_ref(),
            state: subject.state.as_str(),
            merged_into: subject.merged_into,
            restricted_at: subject.restricted_at.as_deref(),
            images: subject.images.min(most),
            images_counted_up_to: most,
            created_at: &subject.created_at,
        }
    }
}

/// Dates as `--json` shows them.
#[derive(Debug, Serialize)]
pub(super) struct DatesShape {
    review_due: Option<Day>,
    expires: Option<Day>,
}

impl DatesShape {
    pub(super) fn of(clock: Option<Clock>) -> Self {
        Self { review_due: clock.map(|clock| clock.review), expires: clock.map(|clock| clock.expires) }
    }
}

/// A subject with its images as `--json` shows it.
#[derive(Debug, Serialize)]
pub(super) struct ViewShape<'a> {
    #[serde(flatten)]
    subject: SubjectShape<'a>,
    image_records: Vec<serde_json::Value>,
}

impl<'a> From<&'a SubjectView> for ViewShape<'a> {
    fn from(view: &'a SubjectView) -> Self {
        let image = |image: &ImageRecord| {
            json!({
                "id": image.id, "template": image.template, "source": image.source, "facts": image.facts,
                "dates": DatesShape::of(image.clock), "kept_until": image.kept_until, "created_on": image.created_on,
            })
        };
        Self { subject: SubjectShape::from(&view.subject), image_records: view.images.iter().map(image).collect() }
    }
}

/// A move as `--json` shows it.
#[derive(Debug, Serialize)]
pub(super) struct MoveShape<'a> {
    id: i64,
    kind: &'a str,
    from: i64,
    to: i64,
    images: u64,
    person: &'a str,
    at: &'a str,
    reason: &'a str,
    undone_by: Option<&'a str>,
    undone_at: Option<&'a str>,
}

impl<'a> From<&'a MoveRecord> for MoveShape<'a> {
    fn from(one: &'a MoveRecord) -> Self {
        let (undone_by, undone_at) = one.undone.as_ref().map(|(by, at)| (by.as_str(), at.as_str())).unzip();
        let MoveRecord { id, kind, from, to, images, person, at, reason, .. } = one;
        Self { id: *id, kind, from: *from, to: *to, images: *images, person, at, reason, undone_by, undone_at }
    }
}

/// A hold as `--json` shows it.
#[derive(Debug, Serialize)]
pub(super) struct HoldShape<'a> {
    id: i64,
    subject: i64,
    called: Option<&'a SubjectRef>,
    placed_by: &'a str,
    placed_at: &'a str,
    reason: &'a str,
    lifted_by: Option<&'a str>,
    lifted_at: Option<&'a str>,
}

impl<'a> From<&'a HoldRecord> for HoldShape<'a> {
    fn from(hold: &'a HoldRecord) -> Self {
        let (lifted_by, lifted_at) = hold.lifted.as_ref().map(|(by, at)| (by.as_str(), at.as_str())).unzip();
        let HoldRecord { id, subject, reference, placed_by, placed_at, reason, .. } = hold;
        Self {
            id: *id,
            subject: *subject,
            called: reference.as_ref(),
            placed_by,
            placed_at,
            reason,
            lifted_by,
            lifted_at,
        }
    }
}
