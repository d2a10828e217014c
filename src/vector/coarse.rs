//! The coarse pass: one look at every row's 8-bit codes, to find those that can still matter.
//!
//! The coarse score of a row for a probe is `dot as f32 * row scale`, the dot product of the codes being an exact integer.
//! Up to 1040 components that integer is below 2^24 and the coarse score the same to the bit on every back end; above, its
//! conversion rounds, within the margin. Times the probe's scale it approximates the comparison score within
//! [`crate::vector::bound::coarse_error_max`].

use crate::base::limits::PROBES_PER_SWEEP_MAX;
use crate::vector::codec::Code;
use crate::vector::dimension::Dimension;
use crate::vector::rows::GalleryRows;

/// A row that passed, by run and row number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Survivor {
    /// Which run of the gallery.
    pub run: u32,
    /// Which row of the run.
    pub row: u32,
    /// Its coarse score.
    pub coarse: f32,
}

/// Which rows a probe wants back. Figures are in coarse scores.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cut {
    /// All rows at most `slack` below the k-th best coarse score.
    Within {
        /// Which rank sets the level; at least 1.
        k: usize,
        /// How far below it, at least 0.
        slack: f32,
    },
    /// All rows with at least this coarse score.
    AtLeast(f32),
}

/// What the pass found for one probe.
#[derive(Debug, Clone, PartialEq)]
pub enum Sweep {
    /// Every live row whose coarse score is at least `cut` is among the survivors, and perhaps some more rows.
    Complete {
        /// In no particular order.
        survivors: Vec<Survivor>,
        /// Level above which nothing is missing; minus infinity when the gallery has fewer than k live rows.
        cut: f32,
    },
    /// More rows passed than the back end keeps (mass duplicates, a hostile order): nothing is known.
    Overflowed,
}

/// Why a coarse pass could not be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CoarseError {
    /// A probe and a run of different dimension.
    #[error("a probe of {probe} numbers can't be compared with templates of {gallery}")]
    Dimension {
        /// The probe's.
        probe: usize,
        /// The gallery's.
        gallery: Dimension,
    },
    /// The device is gone or refused the work; another back end must answer.
    #[error("{back_end} failed: {reason}")]
    Device {
        /// Which back end.
        back_end: String,
        /// What it said.
        reason: String,
    },
}

/// Whether a load may go on. It is asked between pieces of some MiB; once it says no, the load lets go of the gallery at
/// once, and leaves on the device only runs that were complete. Whoever says no calls again when the reason has passed.
pub type GoesOn<'a> = dyn Fn() -> bool + Sync + 'a;

/// One way of scanning codes: CPU kernels, a GPU.
pub trait CoarsePass: Send + Sync {
    /// What is running, for status and benchmarks, such as `cpu avx2 x 2 threads`.
    fn name(&self) -> String;

    /// Scans every run for every probe; one cut and one result a probe, in order.
    ///
    /// # Errors
    /// [`CoarseError::Dimension`] for a probe that doesn't fit the gallery, [`CoarseError::Device`] when the back end
    /// can't work at all.
    fn sweep(&self, gallery: &GalleryRows, probes: &[Code], cuts: &[Cut]) -> Result<Vec<Sweep>, CoarseError>;

    /// Probes that are best handed to one [`Self::sweep`] of `gallery` for lists of `k`: how often its rows are read for a
    /// long batch, against how long others wait. A sweep of more works, and keeps its memory bounded by giving up earlier.
    fn probes_at_once(&self, _gallery: &GalleryRows, _k: usize) -> usize {
        PROBES_PER_SWEEP_MAX
    }

    /// Brings copies of `gallery` onto the device ahead of the first search that needs them, as [`GoesOn`] allows. A back end
    /// that keeps none has nothing to do.
    ///
    /// # Errors
    /// [`CoarseError::Device`] when the device refuses.
    fn load(&self, _gallery: &GalleryRows, _goes_on: &GoesOn<'_>) -> Result<(), CoarseError> {
        Ok(())
    }

    /// Brings copies that this back end keeps up to date with `gallery`: forgets runs that are gone, overwrites erased
    /// rows. Called before an erasure is acknowledged.
    ///
    /// # Errors
    /// [`CoarseError::Device`] when a copy can't be changed; the back end has then dropped it.
    fn refresh(&self, gallery: &GalleryRows) -> Result<(), CoarseError>;
}
