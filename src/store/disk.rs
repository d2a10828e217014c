//! A folder on disk.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use fs_err as fs;
use fs_err::os::unix::fs::FileExt;

use crate::store::mmap::Map;
use crate::store::{Blob, DRAFT_SUFFIX, Folder, Mode, StoreError};

/// A folder of the file system. Blobs are its plain files.
#[derive(Debug, Clone)]
pub struct DiskFolder {
    path: PathBuf,
}

impl DiskFolder {
    /// The folder at `path`, made with its parents if there is none; the new names are synced.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn create(path: &Path) -> Result<Self, StoreError> {
        fs::create_dir_all(path)?;
        // The entry of a new folder lies in its parent: without this a power cut could take the folder away again.
        let mut above = path.parent();
        for _level in 0..2 {
            let Some(parent) = above.filter(|parent| !parent.as_os_str().is_empty()) else { break };
            sync_folder(parent)?;
            above = parent.parent();
        }
        Ok(Self { path: path.to_owned() })
    }

    /// The folder at `path`, which must be there.
    ///
    /// # Errors
    /// [`StoreError::Missing`].
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        if path.is_dir() { Ok(Self { path: path.to_owned() }) } else { Err(StoreError::Missing(path.to_owned())) }
    }

    fn draft_path(&self, name: &str) -> PathBuf {
        self.path.join(format!("{name}{DRAFT_SUFFIX}"))
    }

    fn open_file(&self, name: &str, mode: Mode) -> Result<fs::File, StoreError> {
        let path = self.path.join(name);
        let change = match mode {
            Mode::Read => false,
            Mode::Change => true,
        };
        fs::OpenOptions::new().read(true).write(change).open(&path).map_err(|error| missing_or(error, path))
    }
}

impl Folder for DiskFolder {
    fn path(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    fn draft(&self, name: &str) -> Result<Box<dyn Blob>, StoreError> {
        let path = self.draft_path(name);
        let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
        Ok(Box::new(DiskBlob { file }))
    }

    fn publish(&self, name: &str, draft: Box<dyn Blob>) -> Result<(), StoreError> {
        draft.sync()?;
        fs::rename(self.draft_path(name), self.path.join(name))?;
        sync_folder(&self.path)
    }

    fn open(&self, name: &str, mode: Mode) -> Result<Box<dyn Blob>, StoreError> {
        Ok(Box::new(DiskBlob { file: self.open_file(name, mode)? }))
    }

    fn map(&self, name: &str) -> Result<Map, StoreError> {
        Ok(Map::of_file(self.open_file(name, Mode::Read)?.file())?)
    }

    fn list(&self) -> Result<Vec<String>, StoreError> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            // A name that is not Unicode is none of ours.
            if let (true, Ok(name)) = (entry.file_type()?.is_file(), entry.file_name().into_string()) {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    fn remove(&self, name: &str) -> Result<(), StoreError> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[derive(Debug)]
struct DiskBlob {
    file: fs::File,
}

impl Blob for DiskBlob {
    fn size_bytes(&self) -> Result<u64, StoreError> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<(), StoreError> {
        match self.file.read_exact_at(into, at) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Err(StoreError::CutOff {
                path: self.file.path().to_owned(),
                at,
                wanted: into.len() as u64,
                bytes: self.size_bytes()?,
            }),
            other => Ok(other?),
        }
    }

    fn write_at(&self, at: u64, bytes: &[u8]) -> Result<(), StoreError> {
        Ok(self.file.write_all_at(bytes, at)?)
    }

    fn set_size(&self, bytes: u64) -> Result<(), StoreError> {
        Ok(self.file.set_len(bytes)?)
    }

    fn sync(&self) -> Result<(), StoreError> {
        Ok(self.file.sync_all()?)
    }
}

fn missing_or(error: io::Error, path: PathBuf) -> StoreError {
    if error.kind() == io::ErrorKind::NotFound { StoreError::Missing(path) } else { error.into() }
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    Ok(fs::File::open(path)?.sync_all()?)
}

/// Takes a folder's rights away from everybody but its owner: templates are biometric data.
///
/// # Errors
/// [`StoreError::Io`].
pub fn keep_private(folder: &Path) -> Result<(), StoreError> {
    set_rights(folder, 0o700)
}

/// Makes an empty file that its owner alone can read, unless there is one; its rights are set either way.
///
/// # Errors
/// [`StoreError::Io`].
pub fn touch_private(file: &Path) -> Result<(), StoreError> {
    fs::OpenOptions::new().create(true).append(true).open(file)?;
    set_rights(file, 0o600)
}

fn set_rights(path: &Path, mode: u32) -> Result<(), StoreError> {
    let mut rights = fs::metadata(path)?.permissions();
    if rights.mode() & 0o777 != mode {
        rights.set_mode(mode);
        fs::set_permissions(path, rights)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{read_small, replace_small};

    #[test]
    fn a_blob_appears_whole_or_not_at_all() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(&home.path().join("a/b")).unwrap();
        let draft = folder.draft("x").unwrap();
        draft.write_at(4, b"late").unwrap();
        assert!(matches!(folder.open("x", Mode::Read), Err(StoreError::Missing(_))));
        assert_eq!(folder.list().unwrap(), ["x.tmp"]);
        folder.publish("x", draft).unwrap();
        assert_eq!(folder.list().unwrap(), ["x"]);
        assert_eq!(read_small(&folder, "x", 8).unwrap(), b"\0\0\0\0late");
        assert!(matches!(read_small(&folder, "x", 7), Err(StoreError::TooLong { .. })));
        assert_eq!(folder.map("x").unwrap().bytes(), b"\0\0\0\0late");
        folder.remove("x").unwrap();
        folder.remove("x").unwrap();
        assert!(folder.list().unwrap().is_empty());
    }

    #[test]
    fn a_map_sees_bytes_changed_in_place() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        replace_small(&folder, "x", b"before").unwrap();
        let map = folder.map("x").unwrap();
        folder.open("x", Mode::Change).unwrap().write_at(0, b"after!").unwrap();
        assert_eq!(map.bytes(), b"after!");
    }

    #[test]
    fn reading_past_the_end_names_file_and_length() {
        let home = tempfile::tempdir().unwrap();
        let folder = DiskFolder::create(home.path()).unwrap();
        replace_small(&folder, "x", b"abc").unwrap();
        let error = folder.open("x", Mode::Read).unwrap().read_at(1, &mut [0; 5]).unwrap_err().to_string();
        assert!(error.contains("/x was cut off") && error.contains("only 3"), "{error}");
    }
}
