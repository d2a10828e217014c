//! The keys under which kept pictures lie: a master key from outside the data folder (or, for want of one, in it), and under it
//! a key for each gallery, in a small file of its own. Overwriting that file makes everything of the gallery unreadable. One
//! more such file has the key under which users' second factors lie.
//!
//! Order: a gallery's key file is on the medium before anything is sealed under it, and before the records name it.

mod files;
mod master;
mod rotation;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::crypto::{CryptoError, KeyId, NamedKey, key_file};
use crate::settings::master_key::MasterKey;

pub use rotation::Rotated;

/// Folder of the keys, in the data folder.
const KEYS: &str = "keys";
/// The master key, where the settings name none.
pub const MASTER_FILE: &str = "keys/master.key";

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The master key can't be had.
    #[error("the master key ({place}): {reason}")]
    Master {
        /// Where it should be.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// A key file.
    #[error("the key file {}: {reason}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Randomness, or the cipher.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// The keys of a data folder. Those that were used are held in memory; the master key is not.
#[derive(Debug)]
pub struct KeyRing {
    data: PathBuf,
    master: Option<MasterKey>,
    open: Mutex<HashMap<KeyId, Arc<NamedKey>>>,
    people: Mutex<Option<Arc<NamedKey>>>,
}

impl KeyRing {
    /// The keys of the data folder `data`, under the master key that `master` names, or else under one that lies there too.
    #[must_use]
    pub fn new(data: &Path, master: Option<MasterKey>) -> Self {
        Self { data: data.to_owned(), master, open: Mutex::default(), people: Mutex::default() }
    }

    /// Makes a key for a gallery; its name. Whoever does not use it after all discards it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn make(&self) -> Result<KeyId, KeyError> {
        let _no_rotation = files::lock(&self.data, files::Lock::Shared)?;
        let master = master::read(&self.data, self.master.as_ref())?;
        let key = files::make(&self.data, &master)?;
        let id = key.id;
        self.held().insert(id, Arc::new(key));
        Ok(id)
    }

    /// The key of that name.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn get(&self, id: KeyId) -> Result<Arc<NamedKey>, KeyError> {
        if let Some(key) = self.held().get(&id) {
            return Ok(Arc::clone(key));
        }
        let master = master::read(&self.data, self.master.as_ref())?;
        let key = Arc::new(files::read(&self.data, id, &master)?);
        self.held().insert(id, Arc::clone(&key));
        Ok(key)
    }

    /// The key under which lies what users have that is secret.
    ///
    /// # Errors
    /// [`KeyError`], also where there is none.
    pub fn of_people(&self) -> Result<Arc<NamedKey>, KeyError> {
        let mut held = self.people.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = &*held {
            return Ok(Arc::clone(key));
        }
        let master = master::read(&self.data, self.master.as_ref())?;
        let key = Arc::new(files::read_of_people(&self.data, &master)?);
        *held = Some(Arc::clone(&key));
        Ok(key)
    }

    /// The same, made where there is none.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn of_people_or_new(&self) -> Result<Arc<NamedKey>, KeyError> {
        if !files::path_of_people(&self.data).exists() {
            let _no_rotation = files::lock(&self.data, files::Lock::Shared)?;
            let master = master::read(&self.data, self.master.as_ref())?;
            files::make_of_people(&self.data, &master)?;
        }
        self.of_people()
    }

    /// The file of a key, to be kept elsewhere: whoever has the master key opens it.
    ///
    /// # Errors
    /// [`KeyError::File`].
    pub fn file_of(&self, id: KeyId) -> Result<Vec<u8>, KeyError> {
        files::bytes_of(&files::path_of(&self.data, id))
    }

    /// The key in a file that was kept elsewhere.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn open_file(&self, path: &Path) -> Result<NamedKey, KeyError> {
        let master = master::read(&self.data, self.master.as_ref())?;
        key_file::read(&files::bytes_of(path)?, &master).map_err(|error| files::wrong(path, error))
    }

    /// Destroys a key: its file is overwritten, and what is sealed under it can't be read any more by anybody who has no copy
    /// of that file. A key that is destroyed already, or was never made, is no error.
    ///
    /// # Errors
    /// [`KeyError::File`].
    pub fn destroy(&self, id: KeyId) -> Result<(), KeyError> {
        self.held().remove(&id);
        files::destroy(&self.data, id)
    }

    /// Whether the master key lies in the data folder, beside what it protects.
    #[must_use]
    pub fn lock_and_key_lie_together(&self) -> bool {
        self.master.is_none() && self.data.join(MASTER_FILE).exists()
    }

    fn held(&self) -> MutexGuard<'_, HashMap<KeyId, Arc<NamedKey>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
