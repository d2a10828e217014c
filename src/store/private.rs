//! Small files that the owner of the data folder alone may read, such as keys.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::base::hex;
use crate::crypto::random;
use crate::store::{StoreError, disk};

/// Makes the file `path` with `content`, in a folder that is made too where there is none; nobody but its owner may read
/// either. Of several processes that make it at once one succeeds, and all of them find that one's: whether it was this one.
///
/// # Errors
/// [`StoreError::Io`]; the file is then there whole, or not at all.
pub fn make_once(path: &Path, content: &[u8]) -> Result<bool, StoreError> {
    let (folder, draft) = draft(path, content)?;
    let named = match fs::hard_link(&draft, path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error),
    };
    let made = fs::remove_file(&draft).and(named)?;
    fs::File::open(folder)?.sync_all()?;
    Ok(made)
}

/// Gives the file `path` other `content`, in one step that survives a power cut. What was in it before is overwritten then.
///
/// # Errors
/// [`StoreError::Io`]; the file then has the old content or the new one.
pub fn replace(path: &Path, content: &[u8]) -> Result<(), StoreError> {
    let (folder, draft) = draft(path, content)?;
    let old = fs::OpenOptions::new().write(true).open(path)?;
    fs::rename(&draft, path)?;
    fs::File::open(folder)?.sync_all()?;
    zero(old)
}

/// Overwrites all of the file `path` with zeros, which are on the medium when this returns. The file stays.
///
/// # Errors
/// [`StoreError::Io`].
pub fn overwrite(path: &Path) -> Result<(), StoreError> {
    zero(fs::OpenOptions::new().write(true).open(path)?)
}

fn zero(mut file: fs::File) -> Result<(), StoreError> {
    let bytes = file.metadata()?.len();
    io::copy(&mut io::Read::take(io::repeat(0), bytes), &mut file)?;
    Ok(file.sync_all()?)
}

/// A synced file with `content` beside `path`, under a name that no other process drafts under; and the folder of both.
fn draft(path: &Path, content: &[u8]) -> Result<(PathBuf, PathBuf), StoreError> {
    let folder = path.parent().unwrap_or(path).to_owned();
    disk::DiskFolder::create(&folder)?;
    disk::keep_private(&folder)?;
    let name = random::bytes::<8>().map_err(io::Error::other)?;
    let draft = path.with_extension(format!("{}.draft", hex::encode(&name)));
    disk::touch_private(&draft)?;
    let mut file = fs::OpenOptions::new().write(true).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    Ok((folder, draft))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    use super::*;

    #[test]
    fn the_first_content_stays_until_it_is_replaced_and_then_it_is_nowhere() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("keys/a.key");
        assert!(make_once(&path, b"first").unwrap());
        assert!(!make_once(&path, b"second").unwrap());
        assert_eq!(fs::read(&path).unwrap(), b"first");
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        // A second name shows what becomes of the old file.
        let old = home.path().join("old");
        fs::hard_link(&path, &old).unwrap();
        replace(&path, b"third").unwrap();
        assert_eq!((fs::read(&path).unwrap(), fs::read(&old).unwrap()), (b"third".to_vec(), vec![0; 5]));
        assert_eq!((mode(&path), path.metadata().unwrap().nlink()), (0o600, 1));
        overwrite(&path).unwrap();
        assert_eq!(fs::read(&path).unwrap(), [0; 5]);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "no draft is left");
        assert!(replace(&home.path().join("keys/none.key"), b"x").is_err());
    }
}
