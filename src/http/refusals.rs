//! The one place where errors of the use cases become HTTP statuses. What names a path of this machine's disk goes to the
//! log; the client is told what it can do about it.

use actix_web::http::StatusCode;

use crate::base::ids::IdError;
use crate::casework::CaseworkError;
use crate::casework::review::{Refusal, ReviewError};
use crate::casework::submissions::SubmissionError;
use crate::gallery::GalleryError;
use crate::graph::GraphError;
use crate::http::problem::Problem;
use crate::identify::IdentifyError;
use crate::records::RecordsError;
use crate::scoring::batcher::BatchError;
use crate::store::StoreError;
use crate::vector::scorer::ScoreError;
use crate::vision::VisionError;

impl From<CaseworkError> for Problem {
    fn from(error: CaseworkError) -> Self {
        match error {
            CaseworkError::Id(error) => error.into(),
            CaseworkError::Gallery(error) => error.into(),
            CaseworkError::Vision(error) => error.into(),
            CaseworkError::Identify(error) => error.into(),
            CaseworkError::ModelUnknown { .. } => other_model(error.to_string()),
            CaseworkError::TooMany { .. } => Self::too_large(error.to_string()),
            CaseworkError::NoProbe(_) => Self::unusable("no-probe", "No face to search with", error.to_string()),
            CaseworkError::OperatingPoint(said) => Self::conflict("operating-point", "No such operating point", said),
            CaseworkError::PointIsExact => {
                Self::unusable("operating-point-exact", "Operating points are for exact searches", error.to_string())
            }
            CaseworkError::NoJob(id) => {
                let detail = format!("There is no job {id}. GET /api/v1/jobs lists those there are.");
                Self::not_found("no-job", "No such job", detail)
            }
            CaseworkError::Review(error) => error.into(),
            CaseworkError::Submission(error) => error.into(),
            CaseworkError::Governing(error) => {
                Self::conflict("governing", "What is in force can't be used", error.to_string())
            }
            CaseworkError::NotAdmitted(error) if error.is_forbidden() => {
                Self::forbidden(error.kind(), "The policy does not allow this", error.to_string())
            }
            CaseworkError::NotAdmitted(error) => {
                Self::unusable(error.kind(), "Not stated as the policy wants it", error.to_string())
            }
            CaseworkError::NoSuchFace { .. } => Self::unusable("no-such-face", "No such face", error.to_string()),
            CaseworkError::Sso(error) if error.is_ours() => {
                let detail =
                    "The provider can't be asked now, or does not answer as one does; the log of the server says more.";
                Self::own_fault(StatusCode::SERVICE_UNAVAILABLE, "No sign-in now", detail, error.to_string())
            }
            CaseworkError::Sso(error) => {
                let detail = format!("{error}. Begin again at /api/v1/sso/begin.");
                Self::not_signed_in("sso-refused", detail)
            }
            CaseworkError::NotAllowed { .. } | CaseworkError::NotEverywhere { .. } => {
                Self::not_allowed(error.to_string())
            }
            CaseworkError::Crowded => Self::busy("Too many sign in at once. Try again soon."),
            CaseworkError::Subject(error) => Self::conflict("subject", "Not as things stand", error.to_string()),
            // Of users, keys, and folders on this machine, which no request names.
            CaseworkError::People(_)
            | CaseworkError::Access(_)
            | CaseworkError::Sample(_)
            | CaseworkError::Unsolved(_)
            | CaseworkError::Disclosure(_)
            | CaseworkError::Erasure(_)
            | CaseworkError::NoPictures(_)
            | CaseworkError::Unreadable { .. }
            | CaseworkError::OtherRun { .. }
            | CaseworkError::RunInUse(_)
            | CaseworkError::Key { .. }
            | CaseworkError::Manifest(_)
            | CaseworkError::Protocol(_)
            | CaseworkError::Subjects { .. }
            | CaseworkError::Evaluation(_)
            | CaseworkError::Synthetic(_)
            | CaseworkError::Stopped(_) => failed(error.to_string()),
        }
    }
}

impl From<ReviewError> for Problem {
    fn from(error: ReviewError) -> Self {
        let said = error.to_string();
        match error {
            ReviewError::Refused(Refusal::NotAllowed) => Self::forbidden("not-allowed", "Not allowed", said),
            ReviewError::Refused(refusal) => Self::conflict(refusal.kind(), "Not in this state", said),
            ReviewError::NoReview(_) => Self::not_found("no-review", "No such review", said),
            ReviewError::NoLead(_) => Self::not_found("no-lead", "No such lead", said),
            ReviewError::NoSearch(_) => Self::not_found("no-search", "No such search", said),
            ReviewError::NoCandidates(_) => Self::unusable("no-candidates", "Nothing to review", said),
            ReviewError::Reviewed { .. } => Self::conflict("reviewed", "Under review already", said),
            ReviewError::Nobody | ReviewError::NoUser(_) => Self::forbidden("nobody", "Not known by name", said),
            ReviewError::Reason { .. } => Self::malformed(said),
            ReviewError::Overtaken => Self::conflict("overtaken", "Others were quicker", said),
        }
    }
}

impl From<SubmissionError> for Problem {
    fn from(error: SubmissionError) -> Self {
        let (said, kind) = (error.to_string(), error.kind());
        match error {
            SubmissionError::NoSubmission(_) => Self::not_found(kind, "No such submission", said),
            SubmissionError::Refused(..) => Self::conflict(kind, "Not in this state", said),
            SubmissionError::Nobody | SubmissionError::NoUser(_) => Self::forbidden(kind, "Not known by name", said),
            SubmissionError::NotKept => Self::conflict(kind, "No submissions are kept", said),
            SubmissionError::Pictures(_) | SubmissionError::Bytes(_) => Self::too_large(said),
            SubmissionError::Picture { .. } => Self::unusable(kind, "The picture can't be used", said),
            SubmissionError::Text(_) | SubmissionError::OtherPictures => Self::malformed(said),
            SubmissionError::HandedIn { .. } => Self::conflict(kind, "Handed in before", said),
            SubmissionError::Overtaken => Self::conflict(kind, "Others were quicker", said),
        }
    }
}

impl From<IdError> for Problem {
    fn from(error: IdError) -> Self {
        Self::malformed(error.to_string())
    }
}

impl From<GalleryError> for Problem {
    fn from(error: GalleryError) -> Self {
        match error {
            GalleryError::NoGallery(name) => no_gallery(&name.to_string()),
            GalleryError::AlreadyExists(name) => gallery_exists(name.as_str()),
            GalleryError::OtherModel { .. } | GalleryError::OtherDimension { .. } => other_model(error.to_string()),
            GalleryError::TooMany { .. } | GalleryError::Records(RecordsError::TooMany { .. }) => {
                Self::conflict("full", "A limit is reached", error.to_string())
            }
            GalleryError::Text { .. } | GalleryError::Attribute(_) => Self::malformed(error.to_string()),
            GalleryError::BeingErased(_) => Self::conflict("being-erased", "Still being erased", error.to_string()),
            GalleryError::Moved(_) => Self::conflict("overtaken", "Others were quicker", error.to_string()),
            GalleryError::Held { .. } => Self::conflict("held", "Under legal hold", error.to_string()),
            GalleryError::NoSubmission(_) => Self::not_found("no-submission", "No such submission", error.to_string()),
            GalleryError::Records(RecordsError::SubmissionOver(_) | RecordsError::UnsolvedOver(_)) => {
                Self::conflict("closed", "Closed meanwhile", error.to_string())
            }
            GalleryError::Records(RecordsError::ErasedMeanwhile | RecordsError::ErasedSince) => {
                Self::conflict("overtaken", "Others were quicker", error.to_string())
            }
            GalleryError::Records(RecordsError::ListEmptied(_)) => {
                Self::conflict("emptied", "Its period was over", error.to_string())
            }
            GalleryError::NoMasterKey(_) => Self::conflict("no-master-key", "No master key", error.to_string()),
            GalleryError::NoPicture { .. } | GalleryError::NoProbe(_) | GalleryError::NoKey(_) => {
                Self::not_found("no-picture", "No such picture", error.to_string())
            }
            GalleryError::NothingToErase { .. } => nothing_to_erase(error.to_string()),
            GalleryError::StillRead { .. } | GalleryError::ErasureWaits { .. } => Self::busy(error.to_string()),
            GalleryError::Records(error) if error.is_busy() => {
                Self::busy("Others are writing to the records, a restored gallery say: try again.")
            }
            GalleryError::Importing(_) => {
                Self::conflict("importing", "The gallery is being imported into", error.to_string())
            }
            GalleryError::InUse { .. } | GalleryError::ReadOnly(_) => {
                unavailable("It has its data for reading only.", &error)
            }
            GalleryError::Unsettled(_) => {
                unavailable("It must be started again before galleries can be changed.", &error)
            }
            GalleryError::Interrupted => unavailable("It is stopping.", &error),
            GalleryError::Graph(error) => error.into(),
            GalleryError::Store(error @ StoreError::NoRoom { .. }) => {
                let detail = "There is no room on the server's disk for this.";
                Self::own_fault(StatusCode::INSUFFICIENT_STORAGE, "The disk is full", detail, error.to_string())
            }
            GalleryError::Store(_)
            | GalleryError::Segment(_)
            | GalleryError::Keys(_)
            | GalleryError::Sealed { .. }
            | GalleryError::KeyGone(_)
            | GalleryError::Picture(_)
            | GalleryError::Records(_)
            | GalleryError::NoData(_)
            | GalleryError::FolderInTheWay(_)
            | GalleryError::Damaged { .. }
            | GalleryError::OutOfUse { .. }
            | GalleryError::Disagree { .. }
            | GalleryError::ProbesLeft { .. }
            | GalleryError::BackupInTheWay(_)
            | GalleryError::NoBackup { .. }
            | GalleryError::RecordsOlder { .. }
            | GalleryError::ImportRow { .. } => failed(error.to_string()),
        }
    }
}

impl From<GraphError> for Problem {
    fn from(error: GraphError) -> Self {
        match error {
            GraphError::NoGraph => Self::conflict("no-graph", "No graph to search with", error.to_string()),
            GraphError::Refused { .. } => {
                Self::conflict("recall-policy", "The recall misses the policy", error.to_string())
            }
            GraphError::Plan { .. } => Self::malformed(error.to_string()),
            GraphError::Store(_)
            | GraphError::Foreign(_)
            | GraphError::Version { .. }
            | GraphError::Damaged { .. }
            | GraphError::Stale(_)
            | GraphError::Empty
            | GraphError::Cancelled
            | GraphError::Edges(_)
            | GraphError::Memory { .. }
            | GraphError::Score(_) => failed(error.to_string()),
        }
    }
}

impl From<VisionError> for Problem {
    fn from(error: VisionError) -> Self {
        if error.is_of_picture() {
            return Self::unusable("picture", "The picture can't be used", error.to_string());
        }
        let detail = "A model can't be used. On the server, `bertillon models verify` says which file is at fault.";
        Self::own_fault(StatusCode::SERVICE_UNAVAILABLE, "No usable model", detail, error.to_string())
    }
}

impl From<IdentifyError> for Problem {
    fn from(error: IdentifyError) -> Self {
        match error {
            IdentifyError::OtherModel { .. } => other_model(error.to_string()),
            IdentifyError::ListLength { .. }
            | IdentifyError::Threshold(_)
            | IdentifyError::Score(ScoreError::ListLength(_)) => Self::malformed(error.to_string()),
            IdentifyError::TooManyReferences { .. } => {
                Self::unusable("many-references", "The list can't be completed", error.to_string())
            }
            IdentifyError::Score(ScoreError::Probes(_)) => Self::too_large(error.to_string()),
            IdentifyError::Gallery(error) => error.into(),
            IdentifyError::Graph(error) => error.into(),
            IdentifyError::Batch(error @ BatchError::Full { .. }) => Self::busy(error.to_string()),
            IdentifyError::Score(ScoreError::Coarse(_)) | IdentifyError::Batch(_) => failed(error.to_string()),
        }
    }
}

/// A gallery that is not there.
#[must_use]
pub fn no_gallery(name: &str) -> Problem {
    let detail = format!("There is no gallery {name:?}. GET /api/v1/galleries lists those there are.");
    Problem::not_found("no-gallery", "No such gallery", detail)
}

/// A gallery that is there already.
#[must_use]
pub fn gallery_exists(name: &str) -> Problem {
    Problem::conflict("gallery-exists", "The gallery exists", format!("There is a gallery {name:?} already."))
}

fn nothing_to_erase(detail: String) -> Problem {
    Problem::not_found("nothing-to-erase", "Nothing to erase", detail)
}

fn other_model(detail: String) -> Problem {
    Problem::conflict("other-model", "Made by another model", detail)
}

fn unavailable(detail: &str, error: &GalleryError) -> Problem {
    let detail = format!("The server can't do this now. {detail}");
    Problem::own_fault(StatusCode::SERVICE_UNAVAILABLE, "Not possible now", detail, error.to_string())
}

fn failed(cause: String) -> Problem {
    let detail = "The server could not do this; its log says why.";
    Problem::own_fault(StatusCode::INTERNAL_SERVER_ERROR, "The server failed", detail, cause)
}
