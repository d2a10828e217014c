//! Why something could not be done with a proposal.

use crate::base::ids::GalleryName;
use crate::casework::governing::Refusal;

/// Why something could not be done with a proposal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GoverningError {
    /// The rules say no.
    #[error("refused: {0}")]
    Refused(Refusal),
    /// There is no such proposal.
    #[error("there is no proposal {0}: `bertillon policy proposals` shows those there are")]
    NoProposal(i64),
    /// Somebody who is no user. Two accounts may be one person, two users are two.
    #[error(
        "this takes two users: {0:?} is none who may come in. `bertillon user add` makes one of that name, or set BERTILLON_KEY to a key of yours"
    )]
    NoUser(String),
    /// What is proposed is in force.
    #[error("{0} says the same as what is in force: there is nothing to decide")]
    NothingNew(String),
    /// A file that can't be proposed.
    #[error("{0}")]
    Unfit(String),
    /// A reason that is none.
    #[error("give a reason of 1 to {most} bytes, without control characters but for ends of lines")]
    Reason {
        /// How long it may be.
        most: usize,
    },
    /// An act that the policy in force leaves to two people.
    #[error(
        "under the policy in force this takes two people: `bertillon policy propose --key-destroy {0} --reason TEXT`, and another \
         approves it"
    )]
    TakesTwo(GalleryName),
    /// What is kept as approved is not what was approved.
    #[error(
        "{0}: it was changed after it was approved, and does not count. Take the data folder's copy, or propose it anew"
    )]
    Changed(String),
    /// Others were quicker every time.
    #[error("others changed it at the same moment: look at it again")]
    Overtaken,
}
