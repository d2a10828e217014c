//! JSON shapes of submissions. What a submitter is shown has no place for candidates, scores or what came of it.

use serde::Serialize;
use utoipa::ToSchema;

use crate::casework::certificate::Sealed;
use crate::casework::submissions::{HandedIn, Shown};
use crate::records::submissions::{SubmittedPicture, Work};

/// A submission.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubmissionShape {
    /// Its number.
    pub submission: i64,
    /// Who handed it in.
    pub submitter: String,
    /// received, taken or closed.
    #[schema(example = "received")]
    pub state: String,
    /// When it was received, UTC.
    pub received_at: String,
    /// When its pictures and what was written are erased, UTC.
    pub expires_at: String,
    /// Whether they are.
    pub erased: bool,
    /// The submitter's own reference; null once erased.
    pub reference: Option<String>,
    /// Where it was, as they wrote.
    pub place: Option<String>,
    /// When it was, as they wrote.
    pub time: Option<String>,
    /// The pictures, in their order.
    pub pictures: Vec<SubmittedPictureShape>,
    /// What was done with it; null to who only hands in.
    pub work: Option<SubmissionWorkShape>,
    /// The receipt; null in lists, and once erased.
    pub receipt: Option<ReceiptShape>,
}

/// A picture that was handed in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubmittedPictureShape {
    /// From 1.
    pub number: i64,
    /// sha256 of the file.
    pub sha256: String,
    /// Bytes of the file.
    pub bytes: u64,
}

/// What was done with a submission.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubmissionWorkShape {
    /// Who took it.
    pub taken_by: Option<String>,
    /// When, UTC.
    pub taken_at: Option<String>,
    /// Who closed it.
    pub closed_by: Option<String>,
    /// When, UTC.
    pub closed_at: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Searches with its pictures, the first of them.
    pub searches: Vec<i64>,
}

/// A receipt: a text, and the signature of the data folder's key over `"bertillon receipt 1\n"` and the text.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReceiptShape {
    /// JSON with its names in ascending order.
    pub body: String,
    /// 128 hexadecimal digits.
    pub signature: String,
}

/// What became of a hand-in.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HandedInShape {
    /// Whether the same was handed in before: then it is that submission, with its receipt.
    pub again: bool,
    /// The submission.
    #[serde(flatten)]
    pub submission: SubmissionShape,
}

/// Submissions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubmissionsShape {
    /// Newest first, without receipts.
    pub submissions: Vec<SubmissionShape>,
}

impl From<&Shown> for SubmissionShape {
    fn from(shown: &Shown) -> Self {
        let (record, told) = (&shown.record, shown.record.told.as_ref());
        let picture = |picture: &SubmittedPicture| {
            let SubmittedPicture { number, sha256, bytes } = picture.clone();
            SubmittedPictureShape { number, sha256, bytes }
        };
        Self {
            submission: record.id,
            submitter: record.submitter.clone(),
            state: record.state.clone(),
            received_at: record.received_at.clone(),
            expires_at: record.expires_at.clone(),
            erased: told.is_none(),
            reference: told.map(|told| told.reference.clone()),
            place: told.and_then(|told| told.place.clone()),
            time: told.and_then(|told| told.time.clone()),
            pictures: record.pictures.iter().map(picture).collect(),
            work: shown.work.as_ref().map(SubmissionWorkShape::from),
            receipt: shown.receipt.clone().map(|Sealed { body, signature }| ReceiptShape { body, signature }),
        }
    }
}

impl From<&Work> for SubmissionWorkShape {
    fn from(work: &Work) -> Self {
        let Work { taken, closed, reason, searches } = work.clone();
        let ((taken_by, taken_at), (closed_by, closed_at)) = (taken.unzip(), closed.unzip());
        Self { taken_by, taken_at, closed_by, closed_at, reason, searches }
    }
}

impl From<&HandedIn> for HandedInShape {
    fn from(done: &HandedIn) -> Self {
        Self { again: done.again, submission: SubmissionShape::from(&done.shown) }
    }
}
