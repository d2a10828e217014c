//! Why something could not be done with a submission.

use crate::base::limits::{RECORD_TEXT_BYTES_MAX, SUBMISSION_BYTES_MAX, SUBMISSION_IMAGES_MAX};
use crate::casework::submissions::state::Refusal;

/// Why something could not be done with a submission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmissionError {
    /// There is none of that number, or none that whoever asks may know of.
    #[error("there is no submission {0}: `bertillon submission list` shows those there are")]
    NoSubmission(i64),
    /// Its state says no.
    #[error("submission {0}: {1}")]
    Refused(i64, Refusal),
    /// Somebody without a name of their own.
    #[error("whoever hands in or works on a submission must be known by name: there is no name here")]
    Nobody,
    /// Somebody whom the operating system knows, and the records do not.
    #[error(
        "there are users here, and {0:?} is none of them who may come in: `bertillon user add` makes one of that name, or set \
         BERTILLON_KEY to a key of yours"
    )]
    NoUser(String),
    /// The policy has no time for submissions.
    #[error("the policy keeps no submissions (`retention.search.submission`), so none is taken in")]
    NotKept,
    /// No picture, or too many.
    #[error("{0} pictures: a submission has 1 to {most}", most = SUBMISSION_IMAGES_MAX)]
    Pictures(usize),
    /// Too much in all.
    #[error("{0} bytes of pictures: a submission has at most {most}", most = SUBMISSION_BYTES_MAX)]
    Bytes(usize),
    /// Something that is no picture.
    #[error("picture {number} can't be taken in: {why}. Nothing was taken in")]
    Picture {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        why: String,
    },
    /// A text that is none, or too long.
    #[error("the {0} has 1 to {most} bytes", most = RECORD_TEXT_BYTES_MAX)]
    Text(&'static str),
    /// One of the pictures is in another submission of theirs.
    #[error(
        "the picture with the sha256 {sha256} was handed in before, with submission {submission}: hand in the others, or tell the \
         police with that number what has changed"
    )]
    HandedIn {
        /// Number of that submission.
        submission: i64,
        /// Which picture.
        sha256: String,
    },
    /// Two kinds of pictures for one search.
    #[error("a search is with the pictures of a submission or with others: leave one of the two out")]
    OtherPictures,
    /// Others were quicker.
    #[error("others changed it at the same moment: look at it again")]
    Overtaken,
}

impl SubmissionError {
    /// A name for programs and for the audit log.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::NoSubmission(_) => "no-submission",
            Self::Refused(_, refusal) => refusal.kind(),
            Self::Nobody | Self::NoUser(_) => "nobody",
            Self::NotKept => "not-kept",
            Self::Pictures(_) | Self::Bytes(_) => "too-large",
            Self::Picture { .. } => "picture",
            Self::Text(_) | Self::OtherPictures => "malformed",
            Self::HandedIn { .. } => "handed-in",
            Self::Overtaken => "overtaken",
        }
    }
}
