//! Another master key: the few key files are written anew under it, and what is sealed stays as it is. Cut short at any moment,
//! some files lie under the old key and some under the new one; doing it again finishes it.

use std::path::Path;

use fs_err as fs;

use crate::crypto::key_file::{self, KeyFileError};
use crate::crypto::{NamedKey, SecretKey};
use crate::keys::files::{self, wrong};
use crate::keys::{KeyError, KeyRing, MASTER_FILE, master};
use crate::settings::master_key::MasterKey;
use crate::store::private;

/// The next master key of the data folder, while key files are written anew.
const NEXT_FILE: &str = "keys/master.next";

/// What a change of the master key did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotated {
    /// Key files that lie under the new one, those of an earlier attempt included.
    pub keys: u64,
}

impl KeyRing {
    /// Puts all keys under another master key: that of `to`, which the settings must name from then on, or where the master key
    /// lies in the data folder, a new one there. The old one is overwritten where it lay in the data folder.
    ///
    /// # Errors
    /// [`KeyError`]; calling again finishes what was begun.
    pub fn rotate_master(&self, to: Option<&MasterKey>) -> Result<Rotated, KeyError> {
        let _alone = files::lock(&self.data, files::Lock::Alone)?;
        let old = master::read(&self.data, self.master.as_ref())?;
        let (here, next) = (self.data.join(MASTER_FILE), self.data.join(NEXT_FILE));
        match (&self.master, to) {
            (Some(place), None) => {
                let reason = "say with --to where the new one is, which must be there already".to_owned();
                Err(KeyError::Master { place: place.to_string(), reason })
            }
            (None, None) => {
                let new = next_master(&next, &old)?;
                let rotated = rewrap(&self.data, &old, &new)?;
                private::replace(&here, master::text_of(&new).as_bytes()).map_err(|error| wrong(&here, error))?;
                gone(&next)?;
                Ok(rotated)
            }
            (from, Some(place)) => {
                let new = master::read(&self.data, Some(place))?;
                if new.reveal() == old.reveal() {
                    let reason = "it is the present one: nothing was changed".to_owned();
                    return Err(KeyError::Master { place: place.to_string(), reason });
                }
                let rotated = rewrap(&self.data, &old, &new)?;
                if from.is_none() {
                    gone(&here)?;
                }
                Ok(rotated)
            }
        }
    }
}

/// The key that was drawn when this was last cut short, or a new one.
fn next_master(path: &Path, old: &SecretKey) -> Result<SecretKey, KeyError> {
    let read = || master::read(path, Some(&MasterKey::File(path.to_owned())));
    if path.exists() {
        match read() {
            Ok(key) if key.reveal() != old.reveal() => return Ok(key),
            // It is in use already.
            Ok(_) => gone(path)?,
            Err(error) => return Err(error),
        }
    }
    master::make(path)?;
    read()
}

fn rewrap(data: &Path, old: &SecretKey, new: &SecretKey) -> Result<Rotated, KeyError> {
    let mut keys = 0;
    let mut left = Vec::new();
    // All are read before one is written: where one can't be, nothing is changed.
    for path in files::all(data)? {
        let bytes = files::bytes_of(&path)?;
        match key_file::read(&bytes, old) {
            Ok(key) => left.push((path, key)),
            Err(KeyFileError::Destroyed) => {}
            Err(KeyFileError::OtherMaster) if key_file::read(&bytes, new).is_ok() => keys += 1,
            Err(error @ (KeyFileError::OtherMaster | KeyFileError::Damaged | KeyFileError::Version(_))) => {
                return Err(wrong(&path, error));
            }
        }
    }
    for (path, key) in &left {
        write(path, key, new)?;
        keys += 1;
    }
    Ok(Rotated { keys })
}

fn write(path: &Path, key: &NamedKey, master: &SecretKey) -> Result<(), KeyError> {
    let bytes = key_file::write(key, master)?;
    private::replace(path, &bytes).map_err(|error| wrong(path, error))
}

/// Overwrites a master key's file and removes it.
fn gone(path: &Path) -> Result<(), KeyError> {
    private::overwrite(path).map_err(|error| wrong(path, error))?;
    fs::remove_file(path).map_err(|error| wrong(path, error))
}
