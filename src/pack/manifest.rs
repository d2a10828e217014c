//! The manifest: every file of a pack, and by whom, for whom and why it was made, of what, with what.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::base::hex;
use crate::pack::{CHECKPOINTS, EVENTS, Entry, KEY, README};

/// The version that is written.
pub const VERSION: u32 = 1;
/// Begins what is hashed of a pack's contents.
const CONTENTS: &str = "bertillon contents 1\n";

/// A file as the manifest lists it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// Its path in the pack.
    pub path: String,
    /// Its length.
    pub bytes: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
}

impl Listing {
    /// Of a file.
    #[must_use]
    pub fn of(entry: &Entry) -> Self {
        let sha256 = hex::encode(&Sha256::digest(&entry.bytes));
        Self { path: entry.path.clone(), bytes: entry.bytes.len() as u64, sha256 }
    }
}

/// What a pack says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of the format.
    pub pack: u32,
    /// What stands on everything that shows candidates.
    pub notice: String,
    /// Its number in the data folder.
    pub disclosure: i64,
    /// Which search.
    pub search: i64,
    /// Which lead, where it was made of one.
    pub lead: Option<i64>,
    /// Id of the data folder.
    pub folder: String,
    /// When, UTC, RFC 3339.
    pub made_at: String,
    /// By whom.
    pub made_by: String,
    /// For whom.
    pub recipient: String,
    /// Why.
    pub reason: String,
    /// Which program.
    pub program: String,
    /// The commit that it was built from, where that is known.
    pub commit: Option<String>,
    /// Hash of the model that made the templates.
    pub model: String,
    /// Hash of the settings in force.
    pub config_sha256: String,
    /// Hash of the policy in the pack.
    pub policy_sha256: String,
    /// The operating point that gave the threshold, if one did.
    pub operating_point: Option<String>,
    /// What the event of the disclosure binds: see [`contents`].
    pub contents: String,
    /// Every file but this one and its signature.
    pub entries: Vec<Listing>,
}

/// Hash of what a pack tells, in hexadecimal digits: of a line `<path> <sha256>\n` for each of its files, in their order, but for the
/// log, which has this hash in it, and what comes with every pack.
#[must_use]
pub fn contents(entries: &[Listing]) -> String {
    let mut hash = Sha256::new().chain_update(CONTENTS);
    for Listing { path, sha256, .. } in entries {
        if ![KEY, README, EVENTS, CHECKPOINTS].contains(&path.as_str()) {
            hash.update(format!("{path} {sha256}\n"));
        }
    }
    hex::encode(&hash.finalize())
}
