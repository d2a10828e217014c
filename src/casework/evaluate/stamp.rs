//! Which bytes a picture had when its template was taken. They belong to what makes two runs the same: a picture that was replaced is
//! not answered for by the template of the one before.
//!
//! The sha256 costs nothing where the picture is read anyway. When a run goes on, reading all pictures again could take as long as the
//! rest: size and time of change are looked at first, and a picture is read again only where they are others.

use std::path::Path;
use std::time::UNIX_EPOCH;

use fs_err as fs;

use crate::base::limits::IMAGE_BYTES_MAX;
use crate::casework::enrol::hash;

/// Bytes of a stamp in the journal.
pub(super) const STAMP_BYTES: usize = 48;
/// Bytes of what is seen of a picture without reading it.
pub(super) const LOOKS_BYTES: usize = 16;
/// Size of what can't be looked at.
const NOTHING: u64 = u64::MAX;

/// A picture's bytes, as far as they were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    /// Of its bytes; zeros where they can't be read, or are too many.
    pub(super) sha256: [u8; 32],
    size: u64,
    /// Nanoseconds from 1970 on.
    changed: u64,
}

impl Stamp {
    /// Looks at a picture, without reading it.
    pub(super) fn seen(path: &Path) -> Self {
        let Ok(found) = fs::metadata(path) else { return Self { sha256: [0; 32], size: NOTHING, changed: 0 } };
        let changed = found.modified().ok().and_then(|changed| changed.duration_since(UNIX_EPOCH).ok());
        Self { sha256: [0; 32], size: found.len(), changed: changed.map_or(0, |since| since.as_nanos() as u64) }
    }

    /// Reads a picture. Its stamp is of before: one that is replaced meanwhile is looked at again by whoever goes on.
    pub(super) fn read(path: &Path) -> (Self, Result<Vec<u8>, String>) {
        let mut stamp = Self::seen(path);
        // The system's words name the path; what is kept here goes into reports.
        let bytes = match stamp.size {
            NOTHING => Err("can't be read".to_owned()),
            size if size > IMAGE_BYTES_MAX as u64 => Err(format!("{size} bytes: at most {IMAGE_BYTES_MAX}")),
            _readable => fs::read(path).map_err(|error| format!("can't be read: {}", error.kind())),
        };
        if let Ok(bytes) = &bytes {
            stamp.sha256 = hash(bytes);
        }
        (stamp, bytes)
    }

    /// Whether the picture is still the one that was read.
    pub(super) fn holds(&self, path: &Path) -> bool {
        let now = Self::seen(path);
        if (now.size, now.changed) == (self.size, self.changed) {
            return true;
        }
        // Copied, or written again: the same bytes are the same picture.
        now.size == self.size
            && now.size != NOTHING
            && self.sha256 != [0; 32]
            && Self::read(path).0.sha256 == self.sha256
    }

    /// What is seen without reading it.
    pub(super) fn looks(&self) -> [u8; LOOKS_BYTES] {
        let mut bytes = [0; LOOKS_BYTES];
        let parts = [self.size.to_le_bytes(), self.changed.to_le_bytes()];
        bytes.iter_mut().zip(parts.as_flattened()).for_each(|(byte, part)| *byte = *part);
        bytes
    }

    pub(super) fn bytes(&self) -> [u8; STAMP_BYTES] {
        let mut bytes = [0; STAMP_BYTES];
        let parts = [&self.sha256[..], &self.size.to_le_bytes(), &self.changed.to_le_bytes()];
        bytes.iter_mut().zip(parts.into_iter().flatten()).for_each(|(byte, part)| *byte = *part);
        bytes
    }

    /// The stamp before a record of the journal, and the rest.
    pub(super) fn before(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (sha256, rest) = bytes.split_first_chunk::<32>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let (changed, rest) = rest.split_first_chunk::<8>()?;
        let (size, changed) = (u64::from_le_bytes(*size), u64::from_le_bytes(*changed));
        Some((Self { sha256: *sha256, size, changed }, rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_was_replaced_is_another_and_a_copy_is_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.jpg");
        let missing = Stamp::read(&path);
        assert!(missing.1.is_err() && missing.0.holds(&path));
        fs::write(&path, b"one face").unwrap();
        assert!(!missing.0.holds(&path), "it is there now");
        let (stamp, bytes) = Stamp::read(&path);
        assert_eq!(bytes.unwrap(), b"one face");
        assert_eq!(Stamp::before(&[&stamp.bytes()[..], b"rest"].concat()), Some((stamp, &b"rest"[..])));
        assert!(stamp.holds(&path) && Stamp::before(&[0; 47]).is_none());
        let later = |seconds| {
            let file = fs::OpenOptions::new().write(true).open(&path).unwrap();
            file.file().set_modified(UNIX_EPOCH + std::time::Duration::from_secs(seconds)).unwrap();
        };
        later(1_000_000_000);
        assert!(stamp.holds(&path), "the same bytes at another time");
        fs::write(&path, b"two face").unwrap();
        later(1_000_000_001);
        assert!(!stamp.holds(&path), "as many bytes, but others");
        fs::remove_file(&path).unwrap();
        assert!(!stamp.holds(&path));
    }
}
