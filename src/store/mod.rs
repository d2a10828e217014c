//! Blob files behind two small traits: a [`Folder`] of named [`Blob`]s. Knows no formats.
//!
//! What the layers above rely on: a blob appears under its name complete and synced, or not at all ([`Folder::publish`]);
//! bytes changed in place are on the medium once [`Blob::sync`] has returned; nothing else survives a power cut for sure.
//! [`disk`] is the real thing, [`memory`] its twin for tests, which can cut the power at any operation.

pub mod disk;
pub mod locked;
pub mod memory;
pub mod mmap;
pub mod pages;
pub mod private;
pub mod sealed;
pub mod space;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::crypto::{NamedKey, SealedError};
use crate::store::mmap::Map;

/// Ending of the name of a blob that is not published yet. Whatever bears it after a start is an orphan.
pub const DRAFT_SUFFIX: &str = ".tmp";

/// Bytes overwritten at once.
const OVERWRITE_BYTES: usize = 1 << 16;

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
    /// A sealed blob that is not what was written, or is sealed under another key.
    #[error("{path} is damaged: {what}. Restore it from a backup")]
    Sealed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: SealedError,
    },
    /// The system does not lock as much memory as a sealed blob takes.
    #[error(
        "{path} is sealed, and {wanted} bytes for what is in it can't be locked in memory ({reason}; the limit is {limit}): raise the limit (LimitMEMLOCK=infinity in the unit of a service, `ulimit -l unlimited` in a shell), or set encryption.accept_unlocked_memory, which lets the system write them to its swap"
    )]
    NotLocked {
        /// Which file.
        path: PathBuf,
        /// Bytes that were to be locked.
        wanted: u64,
        /// Bytes that this process may lock.
        limit: String,
        /// What the system said.
        reason: io::Error,
    },
    /// The operating system refused; its text names the path.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What of a folder's blobs is open in memory because they are sealed on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InMemory {
    /// Bytes.
    pub bytes: u64,
    /// Those of them that the system keeps out of its swap.
    pub locked_bytes: u64,
    /// How long reading and opening them took, all together.
    pub opened_in: Duration,
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

    /// Writes what is wanted of a draft that is complete, before it is published: whoever publishes calls it.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    fn finish(&self) -> Result<(), StoreError> {
        Ok(())
    }
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

    /// The key under which templates in it lie sealed, where they do: for who seals records of a file himself.
    fn key(&self) -> Option<&Arc<NamedKey>> {
        None
    }

    /// What of it is open in memory, where its blobs are sealed on disk.
    fn held(&self) -> Option<InMemory> {
        None
    }

    /// Checks that a sealed blob lies on disk as it is open in memory; there is nothing to check of others.
    ///
    /// # Errors
    /// [`StoreError::Sealed`], [`StoreError::Missing`], [`StoreError::Io`].
    fn check(&self, _name: &str) -> Result<(), StoreError> {
        Ok(())
    }
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

/// Overwrites a blob with zeros and removes it; whether there was one. Its first `first` bytes go first, and are gone from the medium
/// before any other.
///
/// # Errors
/// [`StoreError::Io`]; to be called again then.
pub fn overwrite_and_remove(folder: &dyn Folder, name: &str, first: u64) -> Result<bool, StoreError> {
    let blob = match folder.open(name, Mode::Change) {
        Err(StoreError::Missing(_)) => return Ok(false),
        opened => opened?,
    };
    let (bytes, zeros) = (blob.size_bytes()?, vec![0; OVERWRITE_BYTES]);
    let mut at = 0;
    for most in [first, u64::MAX] {
        let end = bytes.min(most);
        while at < end {
            let length = (end - at).min(OVERWRITE_BYTES as u64);
            blob.write_at(at, zeros.get(..length as usize).unwrap_or_default())?;
            at += length;
        }
        blob.sync()?;
    }
    drop(blob);
    folder.remove(name)?;
    Ok(true)
}
