//! Measuring and imitating a model: statistics of real templates, and synthetic crowds drawn from them.
//!
//! What this room makes is synthetic and says so; nothing in it is a person.

pub mod crowd;
pub mod journal;
pub mod latency;
pub mod manifest;
pub mod operating_point;
pub mod protocol;
pub mod results;
pub mod statistics;
pub mod synthetic;
mod turn;

pub use crate::base::random;

/// What can be wrong with statistics or a crowd.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvaluationError {
    /// Too few people to say anything about the spread of a model.
    #[error("{found} people are too few to measure a model's statistics: at least {wanted} are wanted")]
    TooFewPeople {
        /// People found.
        found: usize,
        /// People wanted.
        wanted: usize,
    },
    /// Templates of differing dimension, or statistics whose parts do not fit together.
    #[error("the statistics do not fit together: {0}")]
    Shape(String),
    /// A model whose statistics nobody has measured.
    #[error(
        "no statistics of the model {0} are known, so no crowd can be drawn for it: measure them with `bertillon gallery statistics`"
    )]
    NoStatistics(String),
    /// A covariance that no set of templates has.
    #[error("the statistics' covariance is not positive definite (row {0}): the file is damaged or was edited")]
    NotPositive(usize),
    /// Statistics of one model used for another.
    #[error(
        "these statistics were measured on the model {measured}, the gallery's is {gallery}: different models are never mixed"
    )]
    OtherModel {
        /// Hash that the statistics carry.
        measured: String,
        /// Hash of the gallery's model.
        gallery: String,
    },
}
