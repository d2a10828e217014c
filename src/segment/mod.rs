//! Segments: write-once files of gallery rows, mapped for scoring. `docs/SEGMENT_FORMAT.md` describes them to the byte.
//!
//! A segment knows templates, ids and the model that made them; it knows no people and no gallery. Its one change after
//! writing is an erasure, which overwrites a row in place ([`erase_rows`]).

mod erase;
mod format;
mod reader;
mod writer;

use std::path::PathBuf;

use crate::base::limits::SEGMENT_ROWS_MAX;
use crate::store::StoreError;

pub use erase::{Before, erase_rows};
pub(crate) use format::check_model_name;
pub use format::{Precision, SegmentSpec};
pub use reader::Segment;
pub use writer::SegmentWriter;

/// What can be wrong with a segment.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// The file could not be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Some other kind of file.
    #[error("{0} is not a segment of this program")]
    Foreign(PathBuf),
    /// From a later release, or from before the first.
    #[error("{path} has segment format {found}; this release reads format 1: use the release that wrote it")]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
    },
    /// The head or the length of the file is not what was written.
    #[error("{path} is damaged: {what}. Restore it from a backup")]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// Rows that are not what was written.
    #[error("{path} is damaged: {what} in block {block} (rows {} to {}). Restore it from a backup", .block * 16, .block * 16 + 15)]
    Block {
        /// Which file.
        path: PathBuf,
        /// Number of the first bad block of 16 rows.
        block: u64,
        /// What does not fit.
        what: &'static str,
    },
    /// A row that is not there.
    #[error("{path} has no row {row}")]
    Row {
        /// Which file.
        path: PathBuf,
        /// The row asked for.
        row: u32,
    },
    /// Other rows were given to the writer than were announced.
    #[error("{path}: {what}")]
    Rows {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        what: String,
    },
    /// Too many rows, or none.
    #[error("a segment holds 1 to {SEGMENT_ROWS_MAX} rows, not {0}")]
    Count(u64),
    /// The model's name can't be written into a segment.
    #[error("a model's name has 1 to 128 bytes without control characters; {0:?} does not")]
    ModelName(String),
}
