//! How much a disk still holds.

use std::path::Path;

use crate::store::StoreError;

/// Bytes that an ordinary user may still write where `path` lies, which must be there.
///
/// # Errors
/// [`StoreError`] when the system can't say.
pub fn free_bytes(path: &Path) -> Result<u64, StoreError> {
    let about = rustix::fs::statvfs(path).map_err(|errno| {
        let reason = std::io::Error::from(errno);
        StoreError::from(std::io::Error::new(
            reason.kind(),
            format!("can't ask for the free space of {}: {reason}", path.display()),
        ))
    })?;
    Ok(about.f_bavail.saturating_mul(about.f_frsize))
}

/// Refuses to begin what would write `wanted` bytes where `path` lies and not leave `reserve` free.
///
/// # Errors
/// [`StoreError::NoRoom`]; [`StoreError::Io`] when the system can't say.
pub fn check_room(path: &Path, wanted: u64, reserve: u64) -> Result<(), StoreError> {
    let (wanted, free) = (wanted.saturating_add(reserve), free_bytes(path)?);
    if free >= wanted { Ok(()) } else { Err(StoreError::NoRoom { path: path.to_owned(), wanted, free }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_not_begun_and_the_figures_are_told() {
        let folder = tempfile::tempdir().unwrap();
        check_room(folder.path(), 1, 0).unwrap();
        for (wanted, reserve) in [(u64::MAX, 0), (1, u64::MAX), (1 << 62, 1 << 62)] {
            let error = check_room(folder.path(), wanted, reserve).unwrap_err();
            let StoreError::NoRoom { wanted: all, free, .. } = &error else { panic!("{error}") };
            assert!(*all >= wanted.max(reserve) && error.to_string().contains(&free.to_string()), "{error}");
        }
    }

    #[test]
    fn a_folder_has_a_disk_and_what_is_not_there_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).unwrap() > 0);
        let error = free_bytes(&folder.path().join("nowhere")).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
