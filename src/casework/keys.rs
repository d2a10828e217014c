//! The keys of a data folder: one that signs what leaves the audit log, made when it is first needed.

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::audit::{Caller, Detail, Happening, Kind};
use crate::base::hex;
use crate::casework::enrol::blocking;
use crate::casework::{CaseworkError, Desk};
use crate::crypto::{PublicKey, SecretKey, SigningKey, random};
use crate::gallery::GalleryError;
use crate::keys::Rotated;
use crate::settings::master_key::MasterKey;
use crate::store::private;

/// Where the key lies, in the data folder. Whoever has it can sign as this data folder.
pub const SIGNING_KEY: &str = "keys/signing.key";
/// Where its public half lies, for whoever checks.
pub const PUBLIC_KEY: &str = "audit/signing.pub";

/// The key that signs, made where there is none.
///
/// # Errors
/// [`CaseworkError::Key`].
pub fn signing_key(data: &Path) -> Result<SigningKey, CaseworkError> {
    let path = data.join(SIGNING_KEY);
    // In this order: whoever publishes made the key before, so that a key that another process makes meanwhile isn't
    // taken for a lost one.
    let published = public_key(data)?.is_some();
    if !path.exists() {
        if published {
            let lost = "it is missing, and things were signed by it: put it back from a copy of the data folder";
            return Err(wrong(&path, lost));
        }
        make(&path)?;
    }
    let text = fs::read_to_string(&path).map_err(|error| wrong(&path, error))?;
    let no_key = "64 hexadecimal digits stand in it, or it is damaged: take it from a copy of the data folder. What was \
                  signed by another key can't be signed by a new one";
    let seed = hex::decode_32(text.trim()).ok_or_else(|| wrong(&path, no_key))?;
    let key = SigningKey::from_seed(&seed).map_err(|error| wrong(&path, error))?;
    publish(data, &key)?;
    Ok(key)
}

/// Puts the keys of galleries under another master key ([`KeyRing::rotate_master`](crate::keys::KeyRing::rotate_master)), and tells of it.
///
/// # Errors
/// [`CaseworkError::Keys`]; what the records say.
pub async fn rotate_master(desk: &Desk, caller: &Caller, to: Option<MasterKey>) -> Result<Rotated, CaseworkError> {
    let keys = desk.vault.keys();
    let rotated = blocking(move || keys.rotate_master(to.as_ref())).await?.map_err(GalleryError::from)?;
    let happening = Happening::new(Kind::MasterKeyRotated).with("keys", Detail::Number(rotated.keys));
    desk.vault.acting_for(caller).tell(&happening).await?;
    Ok(rotated)
}

/// The public half of the key that signs, without a look at the secret one; `None` before anything was signed.
///
/// # Errors
/// [`CaseworkError::Key`].
pub fn public_key(data: &Path) -> Result<Option<PublicKey>, CaseworkError> {
    let path = data.join(PUBLIC_KEY);
    if !path.exists() {
        return Ok(None);
    }
    let text = fs::read_to_string(&path).map_err(|error| wrong(&path, error))?;
    PublicKey::parse(&text).map(Some).map_err(|error| wrong(&path, error))
}

/// Of several processes that make one at once, one succeeds, and all of them use that one.
fn make(path: &Path) -> Result<(), CaseworkError> {
    let seed = SecretKey::random().map_err(|error| wrong(path, error))?;
    let text = format!("{}\n", hex::encode(seed.reveal()));
    private::make_once(path, text.as_bytes()).map(drop).map_err(|error| wrong(path, error))
}

/// A name that no other process drafts under, beside the one that the draft is to get.
fn draft_beside(path: &Path) -> Result<PathBuf, CaseworkError> {
    let name = random::bytes::<8>().map_err(|error| wrong(path, error))?;
    Ok(path.with_extension(format!("{}.draft", hex::encode(&name))))
}

fn publish(data: &Path, key: &SigningKey) -> Result<(), CaseworkError> {
    let path = data.join(PUBLIC_KEY);
    let text = format!("{}\n", key.public());
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(&path);
    // Whoever reads it sees all of it.
    let draft = draft_beside(&path)?;
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&draft, text));
    written.and_then(|()| fs::rename(&draft, &path)).map_err(|error| wrong(&path, error))
}

fn wrong(path: &Path, reason: impl std::fmt::Display) -> CaseworkError {
    CaseworkError::Key { path: PathBuf::from(path), reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// CI failed on it once: four drafts of the public half had one name, and a key just made was taken for a lost one.
    #[test]
    fn several_who_need_the_key_first_get_the_same_one() {
        for _ in 0..200 {
            let data = tempfile::tempdir().unwrap();
            let start = std::sync::Barrier::new(4);
            let make = || {
                start.wait();
                signing_key(data.path()).map(|key| key.public())
            };
            let keys: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..4).map(|_| scope.spawn(make)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            let first = keys[0].as_ref().unwrap();
            assert!(keys.iter().all(|key| key.as_ref().unwrap() == first));
            assert_eq!(public_key(data.path()).unwrap().as_ref(), Some(first));
            for folder in ["keys", "audit"] {
                assert_eq!(fs::read_dir(data.path().join(folder)).unwrap().count(), 1, "no draft is left in {folder}");
            }
        }
    }

    #[test]
    fn the_key_is_made_once_and_nobody_else_may_read_it() {
        let data = tempfile::tempdir().unwrap();
        assert!(public_key(data.path()).unwrap().is_none());
        let key = signing_key(data.path()).unwrap().public();
        assert_eq!(signing_key(data.path()).unwrap().public(), key);
        assert_eq!(public_key(data.path()).unwrap(), Some(key));
        let path = data.path().join(SIGNING_KEY);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        fs::remove_file(&path).unwrap();
        let error = signing_key(data.path()).unwrap_err().to_string();
        assert!(error.contains("missing") && !path.exists(), "no other key takes its place: {error}");
        fs::write(&path, "short").unwrap();
        let error = signing_key(data.path()).unwrap_err().to_string();
        assert!(error.contains("signing.key") && !error.contains("short"), "{error}");
    }
}
