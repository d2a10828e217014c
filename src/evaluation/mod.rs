//! Measuring and imitating a model: how accurate identification is and how far that is known, statistics of real templates,
//! synthetic crowds drawn from them, and how long searches take.
//!
//! What this room makes is synthetic and says so; nothing in it is a person. [`accuracy`] knows searches and what came of
//! them, [`arithmetic`] knows only numbers.

pub mod accuracy;
pub mod ahead;
pub mod arithmetic;
pub mod assemble;
pub mod crowd;
pub mod error;
pub mod journal;
pub mod latency;
pub mod manifest;
pub mod operating_point;
pub mod protocol;
pub mod report;
pub mod results;
pub mod statistics;
pub mod synthetic;
mod turn;
pub mod verification;

pub use crate::base::random;
pub use error::EvaluationError;
