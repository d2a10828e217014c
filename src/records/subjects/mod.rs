//! Subjects: who is behind references, with a record for each image, what holds them, and how images went from one subject to
//! another. Each change is one transaction with the event that tells of it.
//!
//! An image belongs to one subject at a time, and a candidate list joins references by it. What a subject is called and what was
//! written about it is overwritten when its last image is erased.

mod change;
mod forget;
mod join;
mod moves;
mod read;
mod retention;
mod since;

use serde::Serialize;

use crate::audit::Caller;
use crate::base::day::Day;
use crate::base::ids::{GalleryName, SubjectRef, TemplateId};
use crate::policy::{Clock, ImageFacts};
use crate::records::{Records, RecordsError};

pub use change::Described;
pub use retention::{Decided, DueImage, Keep, ToErase};

pub(in crate::records) use join::{images_subjects, named_subjects};
pub(in crate::records) use since::{Since, restrict_and_hold_as_now};

/// The subjects of a data folder, for one caller. Clones share them.
#[derive(Debug, Clone)]
pub struct SubjectBook {
    records: Records,
    caller: Caller,
}

impl Records {
    /// Subjects, for `caller`: the audit log names them for what is done.
    #[must_use]
    pub fn subject_book(&self, caller: &Caller) -> SubjectBook {
        SubjectBook { records: self.clone(), caller: caller.clone() }
    }
}

/// Why something can't be done with a subject or an image. No error says what a subject is called.
#[derive(Debug, thiserror::Error)]
pub enum SubjectError {
    /// The records refused.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Nobody of that reference.
    #[error("gallery {0} has no such subject: `bertillon subject list` shows those there are")]
    NoSubject(GalleryName),
    /// No such image.
    #[error(
        "gallery {gallery} has no image {image}, or it was erased: `bertillon subject show` lists those of a subject"
    )]
    NoImage {
        /// Which gallery.
        gallery: GalleryName,
        /// Its number.
        image: i64,
    },
    /// One that was merged, emptied or erased.
    #[error(
        "subject {id} is {state}: only subjects with images of their own can be changed. See `bertillon subject history`"
    )]
    NotLive {
        /// Its number.
        id: i64,
        /// What it is.
        state: &'static str,
    },
    /// Both are one.
    #[error("both are subject {0} already")]
    Same(i64),
    /// Somebody of that reference is there.
    #[error(
        "subject {0} has that reference already: give the images to it with `bertillon subject reassign`, or choose another one"
    )]
    Taken(i64),
    /// All images of a subject.
    #[error("subject {0} would be left without an image: merge it instead, or leave some of its images")]
    NothingLeft(i64),
    /// Images under a hold stay where they are.
    #[error(
        "subject {subject} is under legal hold {hold}: nothing leaves it before that is lifted (`bertillon hold list`)"
    )]
    Held {
        /// Which subject.
        subject: i64,
        /// The hold.
        hold: i64,
    },
    /// What is kept out of searches does not come into them by another way.
    #[error("subject {0} is restricted: nothing leaves it before that is lifted (`bertillon subject lift`)")]
    Restricted(i64),
    /// Restricted already, or not at all.
    #[error("subject {id} is {state} already")]
    Already {
        /// Which subject.
        id: i64,
        /// What it is.
        state: &'static str,
    },
    /// Whose images there are is not settled.
    #[error("templates are being imported into gallery {0}: change its subjects when that is done")]
    Importing(GalleryName),
    /// No such move.
    #[error("there is no move {0}: `bertillon subject history` lists those of a subject")]
    NoMove(i64),
    /// A move that was undone.
    #[error("move {0} is undone already")]
    Undone(i64),
    /// A move whose images went on.
    #[error("move {of} can't be undone: image {image} {since}")]
    MovedOn {
        /// The move.
        of: i64,
        /// The image.
        image: i64,
        /// What became of it.
        since: &'static str,
    },
    /// No such hold, or none that stands.
    #[error("there is no hold {0} that stands: `bertillon hold list` shows them")]
    NoHold(i64),
    /// A limit.
    #[error("too many {what}: at most {limit}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// Somebody who decided it already.
    #[error("somebody else has to agree: you decided this yourself")]
    SamePerson,
    /// Whoever sets fields alone doesn't get around what takes a decision.
    #[error(
        "image {0} is presumed to be deleted, and with this it would stay longer: first have it kept at least as long by `bertillon \
         retention review {0} --keep-until`, by as many people as the policy wants, and set this then"
    )]
    PresumedToGo(i64),
    /// A decision that can't be made.
    #[error("{0}")]
    Decision(String),
}

/// What a subject is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectState {
    /// It has images.
    Live,
    /// Its images were given to another: they are one person.
    Merged,
    /// Its images were given to others.
    Empty,
    /// It is gone.
    Erased,
}

impl SubjectState {
    /// As records name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Merged => "merged",
            Self::Empty => "empty",
            Self::Erased => "erased",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Live, Self::Merged, Self::Empty, Self::Erased].into_iter().find(|state| state.as_str() == text)
    }
}

/// A subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRecord {
    /// Its number.
    pub id: i64,
    /// What it is called; `None` when that is erased.
    pub reference: Option<SubjectRef>,
    /// What it is.
    pub state: SubjectState,
    /// The subject that it is one with.
    pub merged_into: Option<i64>,
    /// Since when it is kept and not searched, RFC 3339.
    pub restricted_at: Option<String>,
    /// Its images, counted up to a limit.
    pub images: usize,
    /// When it came, RFC 3339.
    pub created_at: String,
}

/// An image's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageRecord {
    /// Its number.
    pub id: i64,
    /// Whom it shows.
    pub subject: i64,
    /// Its template.
    pub template: TemplateId,
    /// Where it came from.
    pub source: String,
    /// What is known of it.
    pub facts: ImageFacts,
    /// Its dates, once they are reckoned.
    pub clock: Option<Clock>,
    /// Until when somebody decided to keep it.
    pub kept_until: Option<Day>,
    /// When it came.
    pub created_on: Day,
}

/// How images went from one subject to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MoveRecord {
    /// Its number.
    pub id: i64,
    /// merge, split or reassign.
    pub kind: String,
    /// From whom.
    pub from: i64,
    /// To whom.
    pub to: i64,
    /// How many images.
    pub images: u64,
    /// Who did it.
    pub person: String,
    /// When, RFC 3339.
    pub at: String,
    /// Why; nothing where whom it was about is erased.
    pub reason: String,
    /// Who took it back, and when.
    pub undone: Option<(String, String)>,
}

/// A legal hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HoldRecord {
    /// Its number.
    pub id: i64,
    /// On whom.
    pub subject: i64,
    /// What they are called.
    pub reference: Option<SubjectRef>,
    /// Who placed it.
    pub placed_by: String,
    /// When, RFC 3339.
    pub placed_at: String,
    /// Why.
    pub reason: String,
    /// Who lifted it, and when.
    pub lifted: Option<(String, String)>,
}
