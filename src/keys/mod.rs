//! The keys under which kept pictures lie: a master key from outside the data folder (or, for want of one, in it), and under it
//! a key for each gallery, in a small file of its own. Overwriting that file makes everything of the gallery unreadable.
//!
//! Order: a gallery's key file is on the medium before anything is sealed under it, and before the records name it.

mod files;
mod master;
mod rotation;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::crypto::{CryptoError, KeyId, NamedKey};
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
}

impl KeyRing {
    /// The keys of the data folder `data`, under the master key that `master` names, or else under one that lies there too.
    #[must_use]
    pub fn new(data: &Path, master: Option<MasterKey>) -> Self {
        Self { data: data.to_owned(), master, open: Mutex::default() }
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
