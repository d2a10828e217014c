//! Checkpoints: a signed word of how far the log was and what its hash was then. Whoever writes the whole chain anew from
//! some event on, hashes included, can't write these anew without the key; and a copy of the last one, kept elsewhere, shows
//! when the end was cut off.

use serde::{Deserialize, Serialize};

use crate::audit::chain::{Fault, Hash, Wrong};
use crate::audit::event::VERSION;
use crate::crypto::{PublicKey, Signature, SigningKey};

/// What a checkpoint is signed as.
const WHAT: &str = "bertillon checkpoint 1";

/// How far a log was. Fields are in the order of their names, as with events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// When, UTC, RFC 3339 to the second.
    pub at: String,
    /// Id of the data folder.
    pub folder: String,
    /// Hash of that event.
    pub hash: Hash,
    /// The public half of the key, in hexadecimal digits.
    pub key: String,
    /// The last event.
    pub seq: u64,
    /// Version of the format.
    pub v: u32,
}

/// A checkpoint as it is kept, in the records and as a line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredCheckpoint {
    /// Its text.
    pub body: String,
    /// Hexadecimal digits of the signature.
    pub signature: String,
}

impl Checkpoint {
    /// Of a log that ends with event `seq`, whose hash is `hash`.
    #[must_use]
    pub fn new(at: String, folder: &str, seq: u64, hash: Hash, key: &SigningKey) -> Self {
        Self { at, folder: folder.to_owned(), hash, key: key.public().to_string(), seq, v: VERSION }
    }

    /// Signs it.
    ///
    /// # Errors
    /// In words; only for a defect of this program.
    pub fn sealed(&self, key: &SigningKey) -> Result<StoredCheckpoint, String> {
        let body = serde_json::to_string(self).map_err(|error| error.to_string())?;
        let signature = key.sign(WHAT, &body).to_string();
        Ok(StoredCheckpoint { body, signature })
    }
}

impl StoredCheckpoint {
    /// What it says, if `key` signed it for the data folder with that id. `seq` is where it is kept, for the fault.
    ///
    /// # Errors
    /// [`Wrong::Forged`], [`Wrong::OtherFolder`].
    pub fn open(&self, key: PublicKey, folder: &str, seq: u64) -> Result<Checkpoint, Fault> {
        let forged = Fault { seq, what: Wrong::Forged };
        let signature = Signature::parse(&self.signature).ok_or_else(|| forged.clone())?;
        if !key.signed(WHAT, &self.body, &signature) {
            return Err(forged);
        }
        let checkpoint: Checkpoint = serde_json::from_str(&self.body).map_err(|_| forged.clone())?;
        if checkpoint.v != VERSION {
            return Err(forged);
        }
        if checkpoint.folder != folder {
            return Err(Fault { seq, what: Wrong::OtherFolder });
        }
        Ok(checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_key_and_its_folder_open_a_checkpoint() {
        let (key, other) = (SigningKey::from_seed(&[1; 32]).unwrap(), SigningKey::from_seed(&[2; 32]).unwrap());
        let checkpoint = Checkpoint::new("2026-11-22T10:00:00Z".to_owned(), "here", 9, Hash([3; 32]), &key);
        let stored = checkpoint.sealed(&key).unwrap();
        assert_eq!(stored.open(key.public(), "here", 9), Ok(checkpoint));
        let wrong = |stored: &StoredCheckpoint, key: &SigningKey, folder: &str| {
            stored.open(key.public(), folder, 9).unwrap_err()
        };
        assert_eq!(wrong(&stored, &other, "here"), Fault { seq: 9, what: Wrong::Forged });
        assert_eq!(wrong(&stored, &key, "there"), Fault { seq: 9, what: Wrong::OtherFolder });
        let later = StoredCheckpoint { body: stored.body.replace("\"seq\":9", "\"seq\":8"), ..stored.clone() };
        assert_eq!(wrong(&later, &key, "here"), Fault { seq: 9, what: Wrong::Forged });
        let line = serde_json::to_string(&stored).unwrap();
        assert_eq!(serde_json::from_str::<StoredCheckpoint>(&line).unwrap(), stored);
    }
}
