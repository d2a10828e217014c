//! How long does an exact search take? A synthetic gallery in real files, probes that nobody asked before, and the clock.
//!
//! The gallery is made by a [`recipe`] that gives the same bits on every machine, written through the vault like any other
//! ([`scratch`]), and scored by whatever engine the caller hands over ([`measure`]). Nothing here is a person, and every
//! report says so. Beside each figure stands what bounds it: the machine's own reading speed over the same mapped bytes
//! ([`bandwidth`]), how many samples a percentile rests on ([`percentiles`]), the memory it took ([`memory`]).

pub mod bandwidth;
pub mod measure;
pub mod memory;
pub mod percentiles;
pub mod recipe;
pub mod scratch;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::evaluation::synthetic::SyntheticError;
use crate::gallery::GalleryError;
use crate::store::StoreError;
use crate::vector::VectorError;
use crate::vector::scorer::ScoreError;

/// Set by whoever wants a measurement to end early; it then leaves nothing behind.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// Asks for the end.
    pub fn ask(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the end was asked for.
    #[must_use]
    pub fn asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a measurement did not come about.
#[derive(Debug, thiserror::Error)]
pub enum LatencyError {
    /// A figure outside what can be measured.
    #[error("{what}: {found} given, {least} to {most} can be measured")]
    Figure {
        /// What the figure says.
        what: &'static str,
        /// What was given.
        found: u64,
        /// Least that works.
        least: u64,
        /// Most that works.
        most: u64,
    },
    /// The gallery would fill the disk.
    #[error(
        "the synthetic gallery takes {:.1} GB and the disk of {folder} has {:.1} GB left: give a folder on another disk with --scratch, or a smaller --gallery-size",
        *.need as f64 / 1e9, *.free as f64 / 1e9
    )]
    Space {
        /// Bytes that the gallery takes.
        need: u64,
        /// Bytes that are free.
        free: u64,
        /// Where it was to lie.
        folder: PathBuf,
    },
    /// Another run has the folder.
    #[error("another benchmark uses {0}: wait for it, or give another folder with --scratch")]
    InUse(PathBuf),
    /// A folder of that name that no benchmark made.
    #[error("{0} is in the way: it does not look like a benchmark's gallery, so it is not replaced")]
    InTheWay(PathBuf),
    /// A gallery that is not what its recipe says.
    #[error("{folder} is not the gallery of its recipe ({what}): remove it, and it is made again")]
    NotTheRecipe {
        /// Where it lies.
        folder: PathBuf,
        /// What differs.
        what: String,
    },
    /// Ended early by whoever started it.
    #[error("stopped; nothing was left behind")]
    Stopped,
    /// A measuring thread ended in a bug.
    #[error("the measurement was interrupted")]
    Interrupted,
    /// What files and records say.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    /// What the engine says.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// What the recipe's vectors say.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// Synthetic people that can't be made in so few numbers.
    #[error(transparent)]
    Synthetic(#[from] SyntheticError),
    /// What the operating system says.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<std::io::Error> for LatencyError {
    fn from(error: std::io::Error) -> Self {
        Self::Store(StoreError::from(error))
    }
}
