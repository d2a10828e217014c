//! Measuring and imitating a model: statistics of real templates, and synthetic crowds drawn from them.
//!
//! What this room makes is synthetic and says so; nothing in it is a person.

pub mod crowd;
pub mod latency;
pub mod report;
pub mod results;
pub mod statistics;

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
    /// Results of another version of the format.
    #[error("these results are of version {found} of their format, this program reads version {wanted}")]
    ResultsVersion {
        /// Version that the results carry.
        found: u32,
        /// Version that is read.
        wanted: u32,
    },
    /// Results whose parts do not fit together, or of which there are more than a report can show.
    #[error("the results can not be shown: {0}")]
    Results(String),
    /// A plot that the library could not draw.
    #[error("a plot could not be drawn: {0}")]
    Drawing(String),
}
