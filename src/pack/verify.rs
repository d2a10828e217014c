//! Checks a pack with nothing but the pack, and names the first entry at fault.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::audit::event::Value;
use crate::audit::searched::bound;
use crate::audit::{Event, EventLine, Hash, Kind, StoredCheckpoint};
use crate::base::hex;
use crate::crypto::{PublicKey, Signature};
use crate::pack::manifest::{Listing, Manifest, VERSION, contents};
use crate::pack::{
    CHECKPOINTS, EVENTS, Entry, KEY, LIST, ListFile, MANIFEST, POLICY, PROBE, PackError, ProbeFile, SEARCH, SIGNATURE,
    SIGNED, SearchFile, zip,
};

/// What checking a pack came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// What it says of itself.
    pub manifest: Manifest,
    /// The key that signed it.
    pub key: String,
    /// Whether that is the key that was given.
    pub key_known: bool,
    /// Whether the log binds its list; not for searches of before it did.
    pub list_bound: bool,
}

/// What is wrong with a pack, and where first.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is no pack of ours.
    #[error(transparent)]
    Container(#[from] PackError),
    /// A file is not what it should be.
    #[error("{entry}: {what}")]
    Entry {
        /// Which.
        entry: String,
        /// What is wrong.
        what: &'static str,
    },
}

fn fault(entry: &str, what: &'static str) -> Fault {
    Fault::Entry { entry: entry.to_owned(), what }
}

/// Checks a pack, by `key` if one is given.
///
/// # Errors
/// [`Fault`], for the first entry that is not as it was written.
pub fn verify(bytes: &[u8], key: Option<PublicKey>) -> Result<Report, Fault> {
    let entries = zip::read(bytes)?;
    let pack = Pack(&entries);
    let manifest: Manifest = pack.json(MANIFEST)?;
    if manifest.pack != VERSION {
        return Err(fault(MANIFEST, "it is of another version"));
    }
    let signer = signer(&pack, key)?;
    pack.as_listed(&manifest)?;
    if manifest.contents != contents(&manifest.entries) {
        return Err(fault(MANIFEST, "its hash of the contents is another"));
    }
    let policy = Sha256::digest(format!("bertillon policy 1\n{}", pack.text(POLICY)?));
    if manifest.policy_sha256 != hex::encode(&policy) {
        return Err(fault(POLICY, "it is another policy than the manifest says"));
    }
    let list_bound = pack.bound(&manifest, signer)?;
    Ok(Report { manifest, key: signer.to_string(), key_known: key.is_some(), list_bound })
}

/// The key by which the manifest is signed: the one in the pack, which must be the one that was given.
fn signer(pack: &Pack<'_>, key: Option<PublicKey>) -> Result<PublicKey, Fault> {
    let own = PublicKey::parse(pack.text(KEY)?).map_err(|_| fault(KEY, "it is no key"))?;
    if key.is_some_and(|key| key != own) {
        return Err(fault(KEY, "it is not the key that was given: somebody else signed this pack"));
    }
    let signature = pack.text(SIGNATURE)?.strip_suffix('\n').and_then(Signature::parse);
    let signature = signature.ok_or_else(|| fault(SIGNATURE, "it is no signature"))?;
    if own.signed(SIGNED, pack.text(MANIFEST)?, &signature) {
        Ok(own)
    } else {
        Err(fault(MANIFEST, "it does not bear the signature of the key"))
    }
}

struct Pack<'a>(&'a [Entry]);

impl<'a> Pack<'a> {
    fn text(&self, path: &str) -> Result<&'a str, Fault> {
        let entry = self.0.iter().find(|entry| entry.path == path).ok_or_else(|| fault(path, "it is missing"))?;
        std::str::from_utf8(&entry.bytes).map_err(|_| fault(path, "it is no text"))
    }

    fn json<T: DeserializeOwned>(&self, path: &str) -> Result<T, Fault> {
        serde_json::from_str(self.text(path)?).map_err(|_| fault(path, "it does not say what such a file says"))
    }

    fn lines<T: DeserializeOwned>(&self, path: &str) -> Result<Vec<T>, Fault> {
        let parsed = self.text(path)?.lines().map(serde_json::from_str).collect::<Result<_, _>>();
        parsed.map_err(|_| fault(path, "it does not say what such a file says"))
    }

    /// Every file is listed as it is, in its order, and every listed one is there.
    fn as_listed(&self, manifest: &Manifest) -> Result<(), Fault> {
        let mut listed = manifest.entries.iter();
        let own = |entry: &&Entry| ![MANIFEST, SIGNATURE].contains(&entry.path.as_str());
        for entry in self.0.iter().filter(own) {
            match listed.next() {
                Some(listing) if *listing == Listing::of(entry) => {}
                Some(listing) if listing.path == entry.path => return Err(fault(&entry.path, "it was changed")),
                Some(_) | None => return Err(fault(&entry.path, "the manifest does not have it there")),
            }
        }
        listed.next().map_or(Ok(()), |missing| Err(fault(&missing.path, "it is missing")))
    }

    /// Whether the list is the one that the log binds, and the log the one that the key signed.
    fn bound(&self, manifest: &Manifest, key: PublicKey) -> Result<bool, Fault> {
        let events = self.events()?;
        let of_kind = |kind: Kind| move |(event, _): &&(Event, Hash)| event.kind == kind.as_str();
        let disclosure = format!("disclosure:{}", manifest.disclosure);
        let told =
            events.iter().filter(of_kind(Kind::DisclosureMade)).find(|(event, _)| event.objects.contains(&disclosure));
        let (event, hash) = told.ok_or_else(|| fault(EVENTS, "it does not tell of this pack"))?;
        if text_of(event, "contents") != Some(&manifest.contents) {
            return Err(fault(EVENTS, "it tells of a pack with other contents"));
        }
        let checkpoints: Vec<StoredCheckpoint> = self.lines(CHECKPOINTS)?;
        let forged = |_| fault(CHECKPOINTS, "one does not bear the signature of the key");
        let opened =
            checkpoints.iter().map(|stored| stored.open(key, &manifest.folder, 0)).collect::<Result<Vec<_>, _>>();
        if !opened.map_err(forged)?.iter().any(|checkpoint| (checkpoint.seq, checkpoint.hash) == (event.seq, *hash)) {
            return Err(fault(CHECKPOINTS, "none seals the event that tells of this pack"));
        }
        let search: SearchFile = self.json(SEARCH)?;
        let list: ListFile = self.json(LIST)?;
        let mut searched = search.searched;
        searched.candidates = list.listed();
        if searched.search != manifest.search {
            return Err(fault(SEARCH, "it is of another search"));
        }
        self.of_probe(&searched.probe)?;
        if list.candidates.iter().any(|one| one.score.to_bits() != one.score_bits.0.to_bits()) {
            return Err(fault(LIST, "a comparison score is not that of its bits"));
        }
        let object = format!("search:{}", searched.search);
        let ran = events.iter().filter(of_kind(Kind::SearchRun)).find(|(event, _)| event.objects.contains(&object));
        let (ran, _) = ran.ok_or_else(|| fault(EVENTS, "it does not tell of the search"))?;
        let Some(told) = text_of(ran, "searches") else {
            return if search.bound.is_empty() { Ok(false) } else { Err(fault(SEARCH, "the log does not bind it")) };
        };
        let own = search.bound.iter().find(|sibling| sibling.search == searched.search);
        if own.is_none_or(|own| own.sha256 != hex::encode(&searched.sha256())) {
            return Err(fault(LIST, "search and list are not those that the log binds"));
        }
        let siblings = search.bound.iter().map(|sibling| (sibling.search, sibling.sha256.as_str()));
        if *told == hex::encode(&bound(siblings)) {
            Ok(true)
        } else {
            Err(fault(SEARCH, "the log binds another search"))
        }
    }

    /// Whether what is said of the probe's picture is of the one that was searched with.
    fn of_probe(&self, searched: &str) -> Result<(), Fault> {
        if !self.0.iter().any(|entry| entry.path == PROBE) {
            return Ok(());
        }
        let probe: ProbeFile = self.json(PROBE)?;
        if probe.original != searched {
            return Err(fault(PROBE, "it is of another picture than was searched with"));
        }
        if (1..).zip(&probe.edits).any(|(number, edit)| edit.number != number) {
            return Err(fault(PROBE, "edits are not numbered one after another"));
        }
        Ok(())
    }

    /// The events, each held against its hash; those that follow each other, against each other.
    fn events(&self) -> Result<Vec<(Event, Hash)>, Fault> {
        let mut events: Vec<(Event, Hash)> = Vec::new();
        for line in self.lines::<EventLine>(EVENTS)? {
            let hash = Hash::of_event(&line.body);
            let event: Event = serde_json::from_str(&line.body).map_err(|_| fault(EVENTS, "a line is no event"))?;
            if line.hash != hash.to_string() {
                return Err(fault(EVENTS, "an event was changed"));
            }
            let follows = events.last().is_none_or(|(last, before)| {
                event.seq > last.seq && (event.seq > last.seq + 1 || event.prev == *before)
            });
            if !follows {
                return Err(fault(EVENTS, "events do not follow each other"));
            }
            events.push((event, hash));
        }
        Ok(events)
    }
}

fn text_of<'a>(event: &'a Event, name: &str) -> Option<&'a String> {
    match event.detail.get(name)? {
        Value::Text(text) => Some(text),
        Value::Number(_) => None,
    }
}
