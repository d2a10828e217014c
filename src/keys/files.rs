//! Key files of galleries and of users' secrets, and the lock that keeps others from making some while the master key is changed.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::base::limits::KEY_FILES_MAX;
use crate::crypto::key_file::{self, KEY_FILE_BYTES};
use crate::crypto::{KeyId, NamedKey, SecretKey};
use crate::keys::{KEYS, KeyError};
use crate::store::{disk, private};

const LOCK: &str = "LOCK";
/// The key of what users have that is secret.
const PEOPLE: &str = "people.key";

/// How a lock is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lock {
    /// Beside others who take it so.
    Shared,
    /// Alone.
    Alone,
}

/// Waits for the lock on the key files; held until it is dropped.
pub(super) fn lock(data: &Path, how: Lock) -> Result<fs::File, KeyError> {
    let path = data.join(KEYS).join(LOCK);
    let taken = || {
        let folder = disk::DiskFolder::create(&data.join(KEYS)).and_then(|_| disk::keep_private(&data.join(KEYS)));
        folder.map_err(std::io::Error::other)?;
        let file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        match how {
            Lock::Shared => file.lock_shared()?,
            Lock::Alone => file.lock()?,
        }
        Ok(file)
    };
    taken().map_err(|error: std::io::Error| wrong(&path, error))
}

pub(super) fn make(data: &Path, master: &SecretKey) -> Result<NamedKey, KeyError> {
    let key = NamedKey { id: KeyId::random()?, key: SecretKey::random()? };
    write_once(&path_of(data, key.id), &key, master)?;
    Ok(key)
}

/// Makes the key of what users have that is secret, unless there is one.
pub(super) fn make_of_people(data: &Path, master: &SecretKey) -> Result<(), KeyError> {
    let key = NamedKey { id: KeyId::random()?, key: SecretKey::random()? };
    write_once(&path_of_people(data), &key, master)
}

fn write_once(path: &Path, key: &NamedKey, master: &SecretKey) -> Result<(), KeyError> {
    let bytes = key_file::write(key, master)?;
    private::make_once(path, &bytes).map(drop).map_err(|error| wrong(path, error))
}

pub(super) fn read_of_people(data: &Path, master: &SecretKey) -> Result<NamedKey, KeyError> {
    let path = path_of_people(data);
    if !path.exists() {
        let lost = "it is missing: put it back from a copy of the data folder, or take the second factors away \
                    (`bertillon user totp NAME --remove`) and enrol them again";
        return Err(wrong(&path, lost));
    }
    key_file::read(&bytes_of(&path)?, master).map_err(|error| wrong(&path, error))
}

pub(super) fn path_of_people(data: &Path) -> PathBuf {
    data.join(KEYS).join(PEOPLE)
}

pub(super) fn read(data: &Path, id: KeyId, master: &SecretKey) -> Result<NamedKey, KeyError> {
    let path = path_of(data, id);
    let key = key_file::read(&bytes_of(&path)?, master).map_err(|error| wrong(&path, error))?;
    if key.id == id { Ok(key) } else { Err(wrong(&path, "it is the file of another key, renamed")) }
}

pub(super) fn destroy(data: &Path, id: KeyId) -> Result<(), KeyError> {
    let path = path_of(data, id);
    if !path.exists() || bytes_of(&path)?.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    private::overwrite(&path).map_err(|error| wrong(&path, error))
}

/// All key files there are, sorted.
pub(super) fn all(data: &Path) -> Result<Vec<PathBuf>, KeyError> {
    let folder = data.join(KEYS);
    let mut found = Vec::new();
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        entries => entries.map_err(|error| wrong(&folder, error))?,
    };
    for entry in entries {
        let path = entry.map_err(|error| wrong(&folder, error))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let id = name.strip_prefix("gallery-").and_then(|name| name.strip_suffix(".key"));
        if name == PEOPLE || id.and_then(KeyId::parse).is_some() {
            if found.len() == KEY_FILES_MAX {
                return Err(wrong(&folder, format!("there are more than {KEY_FILES_MAX} key files")));
            }
            found.push(path);
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The bytes of a small file: one that is too long is read no further than shows it.
pub(super) fn bytes_of(path: &Path) -> Result<Vec<u8>, KeyError> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|error| wrong(path, error))?;
    file.take(KEY_FILE_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| wrong(path, error))?;
    Ok(bytes)
}

pub(super) fn wrong(path: &Path, reason: impl std::fmt::Display) -> KeyError {
    KeyError::File { path: path.to_owned(), reason: reason.to_string() }
}

pub(super) fn path_of(data: &Path, id: KeyId) -> PathBuf {
    data.join(KEYS).join(format!("gallery-{id}.key"))
}
