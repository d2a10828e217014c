//! Why something could not be done with a sample.

use crate::audit::Fault;
use crate::casework::sampling::draw::CanNotDraw;

/// Why something could not be done with a sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SampleError {
    /// There is no such sample.
    #[error("there is no sample {0}: `bertillon sample list` shows those there are")]
    NoSample(i64),
    /// There is no such item.
    #[error("sample {sample} has no item {item}: `bertillon sample show {sample}` shows those there are")]
    NoItem {
        /// Which sample.
        sample: i64,
        /// Which item.
        item: u64,
    },
    /// A time that is none.
    #[error("{0:?} is no moment: write a date (2026-11-01, its first second in UTC) or a time (2026-11-01T00:00:00Z)")]
    Moment(String),
    /// A period that has no moment.
    #[error("the period ends before it begins: from {from} on and before {to}")]
    Period {
        /// Its beginning.
        from: String,
        /// Its end.
        to: String,
    },
    /// Template ids are of a gallery.
    #[error("enrolments are drawn from one gallery: name it with --gallery")]
    NoGallery,
    /// Nothing is drawn twice.
    #[error(
        "sample {0} is of the same things, of a time that has a part of this one's. What was sampled is not sampled again, \
         so that nobody draws until they like what they get: choose another time"
    )]
    Overlaps(i64),
    /// The period is not over.
    #[error("the period ends at {0}: draw after that")]
    NotOver(String),
    /// There is no checkpoint that nobody could know.
    #[error(
        "no checkpoint was signed since the sample was opened and its period ended: a server signs one within a minute of an \
         event, `bertillon audit checkpoint` does it now"
    )]
    NoCheckpoint,
    /// The draw was made.
    #[error("sample {0} was drawn already: `bertillon sample show {0}`")]
    Drawn(i64),
    /// The draw was not made.
    #[error("sample {0} is not drawn yet: `bertillon sample draw {0}`")]
    NotDrawn(i64),
    /// Somebody was found already.
    #[error("item {item} has its outcome already, by {by}: outcomes stay")]
    Recorded {
        /// Which item.
        item: u64,
        /// Who said so.
        by: String,
    },
    /// Who looks had a part in it.
    #[error("{person} had a part in item {item}: somebody else must look at it")]
    Party {
        /// Who.
        person: String,
        /// Which item.
        item: u64,
    },
    /// A reason that is none.
    #[error("give a reason of 1 to {most} bytes")]
    Reason {
        /// How long it may be.
        most: usize,
    },
    /// A number of things that nobody draws.
    #[error("{0} things can't be drawn: from 1 to {most}", most = crate::base::limits::SAMPLE_ITEMS_MAX)]
    Wanted(u64),
    /// The log has more than anybody draws from, or is not ours.
    #[error(transparent)]
    CanNotDraw(#[from] CanNotDraw),
    /// The log is not as it was written.
    #[error("nothing is drawn from a log that is not as it was written. {0}")]
    Log(Fault),
    /// The log does not tell of the sample what the records do.
    #[error("sample {0} is not what the audit log says of it: `bertillon audit verify`")]
    NotAsOpened(i64),
}

impl SampleError {
    /// The word for it, where somebody was told no by a rule.
    #[must_use]
    pub const fn refusal(&self) -> Option<&'static str> {
        match self {
            Self::Overlaps(_) => Some("sampled-before"),
            Self::NotOver(_) => Some("not-over"),
            Self::NoCheckpoint => Some("no-checkpoint"),
            Self::Drawn(_) => Some("drawn"),
            Self::NotDrawn(_) => Some("not-drawn"),
            Self::Recorded { .. } => Some("already-recorded"),
            Self::Party { .. } => Some("not-independent"),
            Self::NoSample(_)
            | Self::NoItem { .. }
            | Self::Moment(_)
            | Self::Period { .. }
            | Self::NoGallery
            | Self::Reason { .. }
            | Self::Wanted(_)
            | Self::CanNotDraw(_)
            | Self::Log(_)
            | Self::NotAsOpened(_) => None,
        }
    }
}
