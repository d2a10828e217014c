//! Pictures that are kept, as sealed blobs: written whole or not at all, read chunk by chunk, erased by overwriting. Knows no
//! records: which blob is whose is theirs to say. A blob of a gallery is named by its picture's hash under a key of that
//! gallery, so that one picture is one blob there, and in two galleries two that nobody can connect.

mod cabinet;

use std::fmt;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use crate::base::hex;
use crate::base::limits::IMAGE_BYTES_MAX;
use crate::crypto::aead::{derive, keyed_hash};
use crate::crypto::sealed::{BlobOpener, BlobSealer, CHUNK_BYTES, HEADER_BYTES};
use crate::crypto::{BlobKind, CryptoError, NamedKey, SealedError, random};
use crate::store::{Blob, DRAFT_SUFFIX, Folder, Mode, StoreError, overwrite_and_remove};

pub use cabinet::Cabinet;

/// What the key is for by which blobs are named.
const LOOKUP: &str = "bertillon lookup 1";

/// What can go wrong with a kept picture.
#[derive(Debug, thiserror::Error)]
pub enum PictureError {
    /// A file could not be reached.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A blob that is not what was written.
    #[error("the kept picture {}: {what}. Take it from a copy of the data folder", .path.display())]
    Sealed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        what: SealedError,
    },
    /// Randomness, or the cipher.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A picture that is longer than any that is kept.
    #[error("a picture of {bytes} bytes: at most {IMAGE_BYTES_MAX} are kept")]
    TooLong {
        /// Its length.
        bytes: u64,
    },
    /// A picture that could not be read again, or is another one now.
    #[error("a picture can't be kept, as it could not be read again, or was changed meanwhile: {0}")]
    Changed(String),
}

/// The name of a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlobName([u8; 32]);

/// Where a picture's bytes are.
#[derive(Debug, Clone)]
pub enum Source {
    /// In a file, read when its turn comes.
    File(PathBuf),
    /// Here.
    Memory(Arc<[u8]>),
}

/// An open blob, read chunk by chunk.
#[derive(Debug)]
pub struct PictureReader {
    blob: Box<dyn Blob>,
    opener: BlobOpener,
    path: PathBuf,
}

impl BlobName {
    /// That of the picture with this sha256 in the gallery of `key`.
    ///
    /// # Errors
    /// [`CryptoError`].
    pub fn of_picture(key: &NamedKey, sha256: &[u8; 32]) -> Result<Self, CryptoError> {
        Ok(Self(keyed_hash(&derive(&key.key, LOOKUP)?, sha256)))
    }

    /// One that says nothing of what is in it.
    ///
    /// # Errors
    /// [`CryptoError::NoRandom`].
    pub fn random() -> Result<Self, CryptoError> {
        random::bytes().map(Self)
    }

    /// From 64 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::decode_32(text).map(Self)
    }
}

impl fmt::Display for BlobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl Source {
    /// The bytes; of a file no more than shows that it is too long.
    ///
    /// # Errors
    /// In words.
    pub fn read(&self) -> Result<Arc<[u8]>, String> {
        let path = match self {
            Self::Memory(bytes) => return Ok(Arc::clone(bytes)),
            Self::File(path) => path,
        };
        let mut read = Vec::new();
        let file = fs_err::File::open(path).map_err(|error| error.to_string())?;
        // One byte more than allowed, so that a picture that is too large is seen to be.
        file.take(IMAGE_BYTES_MAX as u64 + 1).read_to_end(&mut read).map_err(|error| error.to_string())?;
        Ok(read.into())
    }
}

/// Seals `plain` as the blob `name`, replacing what had that name. When this returns it survives a power cut.
///
/// # Errors
/// [`PictureError`]; there is then no such blob, or the one from before.
pub fn write(
    folder: &dyn Folder,
    name: &str,
    kind: BlobKind,
    key: &NamedKey,
    plain: &[u8],
) -> Result<(), PictureError> {
    if plain.len() > IMAGE_BYTES_MAX {
        return Err(PictureError::TooLong { bytes: plain.len() as u64 });
    }
    let wrong = |what| PictureError::Sealed { path: folder.path(name), what };
    let sealer = BlobSealer::new(kind, key, plain.len() as u64).map_err(wrong)?;
    let draft = folder.draft(name)?;
    draft.write_at(0, sealer.header())?;
    for (index, chunk) in plain.chunks(CHUNK_BYTES).enumerate() {
        let (at, sealed) = sealer.chunk(index as u64, chunk).map_err(wrong)?;
        draft.write_at(at, &sealed)?;
    }
    Ok(folder.publish(name, draft)?)
}

/// Overwrites a blob, and what may be left of an attempt to write it, and removes both; whether there was one. First its header
/// goes, and with it the key that opens it; all of it is overwritten on the medium when this returns.
///
/// # Errors
/// [`PictureError::Store`]; to be called again then.
pub fn erase(folder: &dyn Folder, name: &str) -> Result<bool, PictureError> {
    let mut found = false;
    for name in [name.to_owned(), format!("{name}{DRAFT_SUFFIX}")] {
        found |= overwrite_and_remove(folder, &name, HEADER_BYTES as u64)?;
    }
    Ok(found)
}

impl PictureReader {
    /// Opens a blob.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn open(folder: &dyn Folder, name: &str, kind: BlobKind, key: &NamedKey) -> Result<Self, PictureError> {
        let path = folder.path(name);
        let blob = folder.open(name, Mode::Read)?;
        let mut header = [0; HEADER_BYTES];
        blob.read_at(0, &mut header)?;
        let wrong = |what| PictureError::Sealed { path: path.clone(), what };
        let opener = BlobOpener::new(&header, blob.size_bytes()?, kind, key).map_err(wrong)?;
        if opener.plain_bytes() > IMAGE_BYTES_MAX as u64 {
            return Err(PictureError::TooLong { bytes: opener.plain_bytes() });
        }
        Ok(Self { blob, opener, path })
    }

    /// Bytes of the picture.
    #[must_use]
    pub fn plain_bytes(&self) -> u64 {
        self.opener.plain_bytes()
    }

    /// The whole picture.
    ///
    /// # Errors
    /// [`PictureError`].
    pub fn whole(&self) -> Result<Arc<[u8]>, PictureError> {
        let mut bytes = Vec::with_capacity(self.plain_bytes() as usize);
        self.read(|chunk| {
            bytes.extend_from_slice(chunk);
            Ok(())
        })?;
        Ok(bytes.into())
    }

    /// Gives the picture to `to`, chunk by chunk in order: no more than a chunk is held. What was given before an error is true.
    ///
    /// # Errors
    /// [`PictureError`], the first that `to` gives included.
    pub fn read(&self, mut to: impl FnMut(&[u8]) -> Result<(), PictureError>) -> Result<(), PictureError> {
        for index in 0.. {
            let Some((at, bytes)) = self.opener.place(index) else { break };
            let mut sealed = vec![0; bytes];
            self.blob.read_at(at, &mut sealed)?;
            let wrong = |what| PictureError::Sealed { path: self.path.clone(), what };
            to(self.opener.chunk(index, &mut sealed).map_err(wrong)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
