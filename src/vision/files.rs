//! Files that must be exactly what their entry says: how one is examined, and how one is put in its place.

use std::io::{ErrorKind, Read};
use std::path::Path;

use fs_err as fs;
use sha2::{Digest, Sha256};

use crate::base::hex;
use crate::vision::error::VisionError;

/// Bytes hashed at a time.
const BLOCK_BYTES: usize = 1 << 16;

/// What a file must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pin<'a> {
    /// Its size.
    pub(super) bytes: u64,
    /// Its sha256 in lower-case hexadecimal digits.
    pub(super) sha256: &'a str,
}

/// Whether the file is there and what it must be.
///
/// # Errors
/// [`VisionError::ModelMissing`], [`VisionError::Damaged`], or [`VisionError::Io`] when it can't be read.
pub(super) fn examine(path: &Path, pin: Pin<'_>) -> Result<(), VisionError> {
    open_checked(path, pin)?;
    examine_hash(path, pin.sha256)
}

/// Whether a file has this hash, whatever its size.
///
/// # Errors
/// As [`examine`].
pub(super) fn examine_hash(path: &Path, sha256: &str) -> Result<(), VisionError> {
    let mut file = fs::File::open(path)?;
    let mut hasher = Sha256::new();
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        let count = file.read(&mut block)?;
        if count == 0 {
            break;
        }
        hasher.update(block.get(..count).unwrap_or_default());
    }
    compare(path, sha256, &hex::encode(&hasher.finalize()))
}

/// As [`examine`], and gives the bytes: what was checked is what is used.
///
/// # Errors
/// As [`examine`].
pub(super) fn read_checked(path: &Path, pin: Pin<'_>) -> Result<Vec<u8>, VisionError> {
    let file = open_checked(path, pin)?;
    let mut bytes = Vec::with_capacity(usize::try_from(pin.bytes).unwrap_or_default());
    // A file that grows while it is read must not fill the memory; its hash will be wrong.
    file.take(pin.bytes).read_to_end(&mut bytes)?;
    compare(path, pin.sha256, &hex::encode(&Sha256::digest(&bytes)))?;
    Ok(bytes)
}

/// Moves a finished file to its place in the same file system: whoever looks sees nothing, the old file or the whole new
/// one, also after a power cut.
///
/// # Errors
/// [`VisionError::Io`].
pub(super) fn place(finished: &Path, target: &Path) -> Result<(), VisionError> {
    fs::File::open(finished)?.sync_all()?;
    fs::rename(finished, target)?;
    if let Some(folder) = target.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn open_checked(path: &Path, pin: Pin<'_>) -> Result<fs::File, VisionError> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(VisionError::ModelMissing { path: path.to_owned() });
        }
        Err(error) => return Err(error.into()),
    };
    let found = file.metadata()?.len();
    if found == pin.bytes {
        return Ok(file);
    }
    Err(VisionError::Damaged {
        path: path.to_owned(),
        wanted: format!("{} bytes", pin.bytes),
        found: format!("{found} bytes"),
    })
}

fn compare(path: &Path, wanted: &str, found: &str) -> Result<(), VisionError> {
    if found == wanted {
        return Ok(());
    }
    Err(VisionError::Damaged {
        path: path.to_owned(),
        wanted: format!("sha256 {wanted}"),
        found: format!("sha256 {found}"),
    })
}
