//! Disclosure packs as a thing of themselves: one signed ZIP that anybody can check without a data folder and without this
//! program (docs/DISCLOSURE.md). Knows no data base and no gallery.

pub mod contents;
pub mod manifest;
pub mod verify;
pub mod zip;

pub use contents::{Candidate, Decisions, ListFile, ProbeFile, SearchFile, Sibling};
pub use manifest::{Listing, Manifest};
pub use verify::{Report, verify};

use crate::base::limits::PACK_BYTES_MAX;
use crate::crypto::SigningKey;

/// What a manifest is signed as.
const SIGNED: &str = "bertillon pack 1";
/// Entries with names of their own.
const MANIFEST: &str = "manifest.json";
const SIGNATURE: &str = "manifest.sig";
const KEY: &str = "key.pub";
/// The search.
pub const SEARCH: &str = "search.json";
/// Its candidate list.
pub const LIST: &str = "list.json";
/// The picture that was searched with, and what was made of it; packs of before there was such a file have none.
pub const PROBE: &str = "probe.json";
/// What was decided.
pub const DECISIONS: &str = "decisions.json";
/// The policy.
pub const POLICY: &str = "policy.json";
/// Events about it.
pub const EVENTS: &str = "audit.jsonl";
/// Checkpoints that cover them.
pub const CHECKPOINTS: &str = "checkpoints.jsonl";
/// For whoever gets it.
const README: &str = "VERIFY.txt";
const README_TEXT: &str = "\
This is a disclosure pack of a search for faces. Possible identification, not evidence of identity.

What is in it: search.json (what was searched for, by whom, why), list.json (every candidate that was shown, those that
nobody named included), probe.json (sha256 of the picture that was searched with and of each edit of it, by whom and how it was
made, without the pictures), decisions.json (what people decided), policy.json (the rules then in force), audit.jsonl (the events of
the log about it), checkpoints.jsonl (signed words of how far the log was), manifest.json (every file with its sha256, and by
whom, for whom and why the pack was made), manifest.sig (the signature over it), key.pub (by which it can be checked).

With the program: bertillon disclose verify PACK --key KEY, where KEY is the public key as you got it from the force by
another way: a key in the pack alone proves only that nothing changed since somebody signed it.

Without it: the sha256 of every file must be the one in manifest.json, and manifest.sig must be the Ed25519 signature by KEY over
the line 'bertillon pack 1' followed by the bytes of manifest.json. docs/DISCLOSURE.md of the program says the rest.
";

/// A file of a pack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the pack: `probe/` is kept for pictures of the probe and its edits.
    pub path: String,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Entry {
    /// A text.
    #[must_use]
    pub fn text(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), bytes: text.as_bytes().to_vec() }
    }
}

/// Why a pack can't be made or is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackError {
    /// Too much for one.
    #[error("{0} bytes: a pack has at most {PACK_BYTES_MAX}")]
    TooLarge(u64),
    /// Too many files.
    #[error("{0} files: a pack has at most {max}", max = crate::base::limits::PACK_ENTRIES_MAX)]
    TooMany(usize),
    /// A name that could lead elsewhere.
    #[error(
        "{0:?} is no name of a file in a pack: letters a to z, digits, '.', '-', '_', in folders one below another"
    )]
    Name(String),
    /// Two of one name.
    #[error("there are two files {0}")]
    Twice(String),
    /// No container of ours, from there on.
    #[error("{entry}: {what}")]
    Container {
        /// The entry at or after which.
        entry: String,
        /// What is wrong.
        what: &'static str,
    },
    /// A defect of this program.
    #[error("the pack can't be written: {0}")]
    Write(String),
}

/// Puts a pack together: `manifest` is completed by what is in it, and signed.
///
/// # Errors
/// [`PackError`].
pub fn make(mut manifest: Manifest, entries: Vec<Entry>, key: &SigningKey) -> Result<Vec<u8>, PackError> {
    let mut listed = vec![Entry::text(KEY, &format!("{}\n", key.public())), Entry::text(README, README_TEXT)];
    listed.extend(entries);
    manifest.entries = listed.iter().map(Listing::of).collect();
    let text = serde_json::to_string_pretty(&manifest).map_err(|error| PackError::Write(error.to_string()))?;
    let signature = format!("{}\n", key.sign(SIGNED, &text));
    let mut all = vec![Entry::text(MANIFEST, &text), Entry::text(SIGNATURE, &signature)];
    all.extend(listed);
    zip::write(&all)
}
