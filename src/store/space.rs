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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_a_disk_and_what_is_not_there_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert!(free_bytes(folder.path()).unwrap() > 0);
        let error = free_bytes(&folder.path().join("nowhere")).unwrap_err();
        assert!(error.to_string().contains("nowhere"), "{error}");
    }
}
