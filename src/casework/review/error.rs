//! Why something could not be done with a review.

use crate::casework::review::Refusal;

/// Why something could not be done with a review.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReviewError {
    /// The machine says no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// There is no such review.
    #[error("there is no review {0}: `bertillon review list` shows those there are")]
    NoReview(i64),
    /// There is no such lead.
    #[error("there is no lead {0}: `bertillon lead list` shows those there are")]
    NoLead(i64),
    /// There is no such search.
    #[error("there is no search {0}: its number stands under the answer of `bertillon search`")]
    NoSearch(i64),
    /// Nothing was shown that could be reviewed.
    #[error("search {0} showed no candidates: there is nothing to review")]
    NoCandidates(i64),
    /// A search has one review.
    #[error("search {search} is under review already: review {review}")]
    Reviewed {
        /// Which search.
        search: i64,
        /// Its review.
        review: i64,
    },
    /// Somebody without a name of their own.
    #[error("whoever reviews must be known by name, so that two are told from one: there is no name here")]
    Nobody,
    /// Somebody whom the operating system knows, and the records do not.
    #[error(
        "there are users here, and {0:?} is none of them who may come in: `bertillon user add` makes one of that name, or set \
         BERTILLON_KEY to a key of yours"
    )]
    NoUser(String),
    /// A reason that is none.
    #[error("give a reason of 1 to {most} bytes, without control characters but for ends of lines")]
    Reason {
        /// How long it may be.
        most: usize,
    },
    /// Others were quicker every time.
    #[error("others changed it at the same moment: look at it again")]
    Overtaken,
}
