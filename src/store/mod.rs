//! Blob files behind two small traits: a [`Folder`] of named [`Blob`]s. Knows no formats.
//!
//! What the layers above rely on: a blob appears under its name complete and synced, or not at all ([`Folder::publish`]);
//! bytes changed in place are on the medium once [`Blob::sync`] has returned; nothing else survives a power cut for sure.
//! [`disk`] is the real thing, [`memory`] its twin for tests, which can cut the power at any operation.

pub mod disk;
pub mod memory;
pub mod mmap;
pub mod pages;
pub mod private;
pub mod space;

use std::io;
use std::path::PathBuf;

use crate::store::mmap::Map;

/// Ending of the name of a blob that is not published yet. Whatever bears it after a start is an orphan.
pub const DRAFT_SUFFIX: &str = ".tmp";

/// What can go wrong with a blob.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no such blob.
    #[error("{0} is missing")]
    Missing(PathBuf),
    /// The blob ends before the bytes asked for.
    #[error("{path} was cut off: {wanted} bytes wanted at {at}, but it has only {bytes} in all")]
    CutOff {
        /// Which file.
        path: PathBuf,
        /// Where reading began.
        at: u64,
        /// Bytes asked for.
        wanted: u64,
        /// Bytes it has.
        bytes: u64,
    },
    /// A small file that is not small.
    #[error("{path} has {bytes} bytes, more than the {limit} that such a file may have")]
    TooLong {
        /// Which file.
        path: PathBuf,
        /// Bytes it has.
        bytes: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The disk is too full for what was to be written; nothing was.
    #[error("{path} lies on a disk with {free} bytes free where {wanted} are wanted: make room, or use another disk")]
    NoRoom {
        /// Where it was to be written.
        path: PathBuf,
        /// Bytes that must be free, those included that are to stay so.
        wanted: u64,
        /// Bytes that are.
        free: u64,
    },
    /// The operating system refused; its text names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What a blob is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Reading only.
    Read,
    /// Reading and changing bytes in place.
    Change,
}

/// An open blob. Positions and lengths are in bytes.
pub trait Blob: Send + Sync + std::fmt::Debug {
    /// Its present length.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn size_bytes(&self) -> Result<u64, StoreError>;

    /// Fills `into` from position `at`.
    ///
    /// # Errors
    /// [`StoreError::CutOff`] when there is less, [`StoreError::Io`].
    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), StoreError>;

    /// Writes `bytes` at position `at`, extending the blob where needed; a gap reads as zeros.
    ///
    /// # Errors
    /// [`StoreError::Io`]; part of the bytes may be written then.
    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError>;

    /// Cuts or extends the blob (with zeros).
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn set_size(&self, bytes: u64) -> Result<(), StoreError>;

    /// Returns when everything written so far survives a power cut.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn sync(&self) -> Result<(), StoreError>;
}

/// A flat folder of blobs.
pub trait Folder: Send + Sync + std::fmt::Debug {
    /// Where `name` lies, for messages.
    fn path(&self, name: &str) -> PathBuf;

    /// A new empty blob under a draft name, replacing an older draft.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn draft(&self, name: &str) -> Result<Box<dyn Blob>, StoreError>;

    /// Syncs the draft of `name` and gives it its name, replacing what had it, in one step that survives a power cut.
    ///
    /// # Errors
    /// [`StoreError::Io`]; the name then has its old blob or the new one, never part of one.
    fn publish(&self, name: &str, draft: Box<dyn Blob>) -> Result<(), StoreError>;

    /// Opens a published blob.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Io`].
    fn open(&self, name: &str, mode: Mode) -> Result<Box<dyn Blob>, StoreError>;

    /// Maps a published blob for reading.
    ///
    /// # Errors
    /// [`StoreError::Missing`], [`StoreError::Io`].
    fn map(&self, name: &str) -> Result<Map, StoreError>;

    /// Names of all blobs, drafts included, sorted.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn list(&self) -> Result<Vec<String>, StoreError>;

    /// Removes a blob; one that is not there is no error.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn remove(&self, name: &str) -> Result<(), StoreError>;
}

/// The whole of a small blob.
///
/// # Errors
/// [`StoreError::TooLong`] past `limit_bytes`, [`StoreError::Missing`], [`StoreError::Io`].
pub fn read_small(folder: &dyn Folder, name: &str, limit_bytes: usize) -> Result<Vec<u8>, StoreError> {
    let blob = folder.open(name, Mode::Read)?;
    let bytes = blob.size_bytes()?;
    let limit = limit_bytes as u64;
    if bytes > limit {
        return Err(StoreError::TooLong { path: folder.path(name), bytes, limit });
    }
    let mut content = vec![0; bytes as usize];
    blob.read_at(0, &mut content)?;
    Ok(content)
}

/// Replaces the whole of a small blob in one step that survives a power cut.
///
/// # Errors
/// [`StoreError::Io`].
pub fn replace_small(folder: &dyn Folder, name: &str, content: &[u8]) -> Result<(), StoreError> {
    let draft = folder.draft(name)?;
    draft.write_at(0, content)?;
    folder.publish(name, draft)
}
