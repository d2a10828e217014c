//! What people do with the system, without a word of HTTP or of terminals: enrol a folder, search for a face, erase, and the
//! demonstration. Each use case takes plain requests and gives plain answers; `http` and `cli` only translate.

pub mod access;
pub mod audit;
pub mod bulk;
pub mod certificate;
pub mod contact_sheet;
pub mod daily;
pub mod demo;
pub mod demo_people;
pub mod desk;
pub mod disclosure;
pub mod enrol;
pub mod evaluate;
pub mod eyes;
pub mod faces;
pub mod folder;
pub mod governing;
pub mod jobs;
pub mod keys;
mod not_reached;
pub mod npy;
pub mod npz;
pub mod operating_points;
pub mod probes;
pub mod retention;
pub mod review;
pub mod sampling;
pub mod search;
pub mod statistics;
pub mod subjects;
pub mod submissions;
pub mod transparency;
pub mod unsolved;
pub mod worker;

pub use desk::Desk;

use std::path::PathBuf;

use crate::base::ids::{GalleryName, IdError, ModelId};
use crate::base::limits::RECORD_TEXT_BYTES_MAX;
use crate::base::text::is_plain_lines;
use crate::evaluation::EvaluationError;
use crate::evaluation::manifest::ManifestError;
use crate::evaluation::protocol::ProtocolError;
use crate::evaluation::synthetic::SyntheticError;
use crate::gallery::GalleryError;
use crate::graph::GraphError;
use crate::identify::IdentifyError;
use crate::records::{PeopleError, RecordsError};
use crate::rights::Permission;
use crate::vision::VisionError;

/// Why a use case could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum CaseworkError {
    /// A name or reference of the wrong form.
    #[error(transparent)]
    Id(#[from] IdError),
    /// Galleries, records, or the data folder.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    /// Models or pictures.
    #[error(transparent)]
    Vision(#[from] VisionError),
    /// The search.
    #[error(transparent)]
    Identify(#[from] IdentifyError),
    /// Synthetic crowds.
    #[error(transparent)]
    Evaluation(#[from] EvaluationError),
    /// A gallery made by a model that is not in the catalogue, or whose files changed since.
    #[error(
        "the gallery {gallery:?} was made with the model {theirs}, which is not in the catalogue: {here}. Add that model set to a catalogue (`models.catalogue`), or enrol into a new gallery"
    )]
    ModelUnknown {
        /// The gallery.
        gallery: GalleryName,
        /// Its model.
        theirs: ModelId,
        /// What the catalogue has under that name.
        here: String,
    },
    /// Nothing that could be enrolled.
    #[error("{}: no pictures in this folder (JPEG, PNG, WebP, BMP or TIFF)", .0.display())]
    NoPictures(PathBuf),
    /// A file or folder that can't be read.
    #[error("{}: can't be read: {reason}", .path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// A list of subjects that can't be understood.
    #[error("{}, line {line}: {reason}", .path.display())]
    Subjects {
        /// The CSV file.
        path: PathBuf,
        /// Its line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// Too many pictures for one folder or request.
    #[error("{found} pictures: at most {most} in one {what}")]
    TooMany {
        /// How many there are.
        found: usize,
        /// How many are allowed.
        most: usize,
        /// In what.
        what: &'static str,
    },
    /// No probe could be taken from any of the pictures.
    #[error("no search was made: {0}")]
    NoProbe(String),
    /// A face number that the picture does not have.
    #[error("face {asked} was asked for, the picture shows {found}: faces are numbered from 1, largest first")]
    NoSuchFace {
        /// Number asked for.
        asked: usize,
        /// Faces found.
        found: usize,
    },
    /// An operating point that isn't there, doesn't fit or can't be read.
    #[error("{0}")]
    OperatingPoint(String),
    /// An operating point for a search that is not exact.
    #[error(
        "operating points were measured on exact searches, and an approximate one loses mates beside those that they count: search in the mode exact, or give a comparison score as the threshold"
    )]
    PointIsExact,
    /// A list of pictures that can't be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// Rules of an evaluation that leave nothing to measure.
    #[error(transparent)]
    Protocol(#[from] ProtocolError),
    /// A synthetic population that can't be made.
    #[error(transparent)]
    Synthetic(#[from] SyntheticError),
    /// A folder that holds something else than the evaluation that is asked for.
    #[error("{}: {what}. Give another folder with --out, or remove this one", .path.display())]
    OtherRun {
        /// Which.
        path: PathBuf,
        /// What it holds.
        what: String,
    },
    /// A folder in which an evaluation is at work.
    #[error("{}: another evaluation is at work in this folder. Wait for its end, or give another folder with --out", .0.display())]
    RunInUse(PathBuf),
    /// No such job.
    #[error("there is no job {0}: `bertillon jobs list` shows those there are")]
    NoJob(i64),
    /// A search that the policy does not allow.
    #[error(transparent)]
    NotAdmitted(#[from] crate::policy::NotAdmitted),
    /// A review, or a lead.
    #[error(transparent)]
    Review(#[from] review::ReviewError),
    /// A submission.
    #[error(transparent)]
    Submission(#[from] submissions::SubmissionError),
    /// An unsolved probe.
    #[error(transparent)]
    Unsolved(#[from] unsolved::UnsolvedError),
    /// A proposal, or what is in force.
    #[error(transparent)]
    Governing(#[from] governing::GoverningError),
    /// A subject, an image, a hold.
    #[error(transparent)]
    Subject(#[from] crate::records::subjects::SubjectError),
    /// A disclosure.
    #[error(transparent)]
    Disclosure(#[from] disclosure::DisclosureError),
    /// A sample.
    #[error(transparent)]
    Sample(#[from] sampling::SampleError),
    /// An erasure that isn't there, or isn't done.
    #[error("{0}")]
    Erasure(String),
    /// A key that is missing, damaged or can't be read.
    #[error("the key {}: {reason}", .path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Users, roles and keys.
    #[error(transparent)]
    People(#[from] PeopleError),
    /// A sign-in at a provider.
    #[error(transparent)]
    Sso(#[from] crate::sso::SsoError),
    /// A field of a user or key that can't be so.
    #[error("{0}")]
    Access(String),
    /// Whoever asked may not.
    #[error("{} needs the permission {permission}{}: ask an administrator for a role or a key that has it", .actor, in_gallery(.gallery.as_ref()))]
    NotAllowed {
        /// Who.
        actor: String,
        /// What it would take.
        permission: Permission,
        /// In which gallery.
        gallery: Option<GalleryName>,
    },
    /// Whoever asked may in some galleries, and this is of all.
    #[error(
        "{actor} has the permission {permission} in some galleries only, and this takes it in all: ask an administrator for a role or a key that has it there"
    )]
    NotEverywhere {
        /// Who.
        actor: String,
        /// What it would take.
        permission: Permission,
    },
    /// All places of those who sign in are taken.
    #[error("too many sign in at once: try again in some seconds")]
    Crowded,
    /// A worker died: a defect, reported instead of hidden.
    #[error("the work stopped unexpectedly: {0}")]
    Stopped(String),
}

fn in_gallery(gallery: Option<&GalleryName>) -> String {
    gallery.map(|name| format!(" in the gallery {:?}", name.as_str())).unwrap_or_default()
}

impl From<RecordsError> for CaseworkError {
    fn from(error: RecordsError) -> Self {
        Self::Gallery(error.into())
    }
}

/// A reason as it is kept; `None` for one that is blank, longer than any reason is, or has control characters that are no
/// line's end.
fn reason_of(said: &str) -> Option<String> {
    let said = said.trim();
    let fits = (1..=RECORD_TEXT_BYTES_MAX).contains(&said.len()) && is_plain_lines(said);
    fits.then(|| said.to_owned())
}

impl CaseworkError {
    /// Whether nothing went wrong: the work was told to end, and did.
    #[must_use]
    pub fn is_stop(&self) -> bool {
        matches!(
            self,
            Self::Gallery(GalleryError::Interrupted | GalleryError::Graph(GraphError::Cancelled))
                | Self::Evaluation(EvaluationError::Interrupted)
        )
    }
}
