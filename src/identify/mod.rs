//! One probe, one answer: who might this be? Scores a gallery snapshot, joins templates into people, applies threshold and
//! list length, and says how long each stage took.

pub mod filter;
pub mod mode;
pub mod people;
pub mod rank;
pub mod search;

pub use filter::Filter;
pub use mode::{Approach, Approximation, Mode};
pub use people::Candidate;
pub use search::{Identification, ListRule, Question, identify};

use crate::base::ids::ModelId;
use crate::gallery::GalleryError;
use crate::graph::GraphError;
use crate::scoring::batcher::BatchError;
use crate::vector::scorer::ScoreError;

/// Why a search has no answer.
#[derive(Debug, thiserror::Error)]
pub enum IdentifyError {
    /// Templates of different models have nothing to say to each other.
    #[error(
        "the gallery {gallery:?} holds templates of the model {theirs}, the probe was made by {probe}: different models are never compared. Search with the gallery's model, or enrol into another gallery"
    )]
    OtherModel {
        /// The gallery's name.
        gallery: String,
        /// Its model.
        theirs: ModelId,
        /// The probe's model.
        probe: ModelId,
    },
    /// A list of no length, or too long.
    #[error("can't list {asked} people: ask for 1 to {most}")]
    ListLength {
        /// People asked for.
        asked: usize,
        /// People allowed.
        most: usize,
    },
    /// A threshold that no cosine reaches or misses.
    #[error("a threshold of {0} is no comparison score: give a number from -1 to 1")]
    Threshold(f32),
    /// So many references of so few people that the list can't be proven complete.
    #[error(
        "{found} different people among the best {looked_at} references, {wanted} are wanted: a few people have very many references; ask for a shorter list"
    )]
    TooManyReferences {
        /// People found.
        found: usize,
        /// References looked at.
        looked_at: usize,
        /// People wanted.
        wanted: usize,
    },
    /// The scorer refused or failed.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// No approximate answer that would keep the policy.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The gallery or its records could not be read.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    /// Too much waits, or the scoring thread died.
    #[error(transparent)]
    Batch(BatchError),
}

impl From<BatchError> for IdentifyError {
    fn from(error: BatchError) -> Self {
        match error {
            BatchError::Score(error) => Self::Score(error),
            BatchError::Full { .. } | BatchError::Stopped => Self::Batch(error),
        }
    }
}
