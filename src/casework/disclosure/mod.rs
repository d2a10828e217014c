//! Disclosure: one signed file of everything that is known of a search, for somebody outside who is named, with a reason. Told
//! before it is written; what leaves can't be called back (docs/DISCLOSURE.md).

mod gather;
pub mod rerun;

use std::io::Write;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::audit::{Caller, Checkpoint, Detail, EventLine, Happening, Kind, Object, StoredCheckpoint};
use crate::base::clock;
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::base::limits::{DISCLOSURE_PAGE_MAX, PACK_EVENTS_MAX, RECORD_TEXT_BYTES_MAX};
use crate::base::program::Program;
use crate::base::text::{NOT_EVIDENCE, printable};
use crate::casework::access::require;
use crate::casework::access::users::somebody;
use crate::casework::audit::seal;
use crate::casework::folder::unreadable;
use crate::casework::keys::signing_key;
use crate::casework::{CaseworkError, Desk};
use crate::gallery::Vault;
use crate::pack::manifest::{self, Listing, Manifest};
use crate::pack::{CHECKPOINTS, EVENTS, Entry, PackError, make as pack};
use crate::records::EventFilter;
use crate::records::disclosures::{DisclosureRecord, NewDisclosure};
use crate::rights::Permission;
use crate::store::disk;
use gather::Gathered;

/// Why nothing could be disclosed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DisclosureError {
    /// There is no such search.
    #[error("there is no search {0}: its number stands under the answer of `bertillon search`")]
    NoSearch(i64),
    /// Its period was over.
    #[error("the list of search {search} was emptied on {at}, when the policy's period was over")]
    Emptied {
        /// Which search.
        search: i64,
        /// When.
        at: String,
    },
    /// There is no such lead.
    #[error("there is no lead {0}: `bertillon lead list` shows those there are")]
    NoLead(i64),
    /// A recipient or a reason that is none.
    #[error("name a {what} in 1 to {most} bytes")]
    Text {
        /// Which of the two.
        what: &'static str,
        /// How long it may be.
        most: usize,
    },
    /// Who has yet to decide must not see what others did.
    #[error("search {search} is under review {review}: its pack can be made when that is over")]
    UnderReview {
        /// Which search.
        search: i64,
        /// Its review.
        review: i64,
    },
    /// Not the picture that was searched with.
    #[error("this is not the picture that was searched with: that has the sha256 {0}")]
    OtherPicture(String),
    /// No face where there was one.
    #[error("no face was found in the picture")]
    NoFace,
    /// A pack that is not whole.
    #[error("the pack is not whole. {0}")]
    NotWhole(crate::pack::verify::Fault),
    /// A pack of somewhere else.
    #[error("the pack is of another data folder: run its search again there")]
    OtherFolder,
    /// Not every search can be run again.
    #[error("search {search} can't be run again: {why}")]
    NotAgain {
        /// Which search.
        search: i64,
        /// Why not.
        why: &'static str,
    },
    /// It does not fit.
    #[error(transparent)]
    Pack(#[from] PackError),
}

/// What is disclosed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// A search.
    Search(i64),
    /// A lead, with its search.
    Lead(i64),
}

/// What somebody wants disclosed.
#[derive(Debug, Clone)]
pub struct Request {
    /// What.
    pub what: What,
    /// For whom.
    pub recipient: String,
    /// Why.
    pub reason: String,
    /// The file to be written.
    pub out: PathBuf,
    /// Which program does it.
    pub program: Program,
}

/// A pack that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// Its number.
    pub disclosure: i64,
    /// Of which search.
    pub search: i64,
    /// The file.
    pub path: PathBuf,
    /// Its length.
    pub bytes: u64,
    /// 64 hexadecimal digits.
    pub sha256: String,
    /// The public key that it is signed by.
    pub key: String,
}

/// Makes a pack.
///
/// # Errors
/// [`DisclosureError`], [`CaseworkError::NotAllowed`], [`CaseworkError::Unreadable`] where there is a file already or it can't be
/// written, and what the records say.
pub async fn make(desk: &Desk, caller: &Caller, request: &Request) -> Result<Made, CaseworkError> {
    let (caller, person) = somebody(&desk.vault, caller).await?;
    require(&caller, Permission::DisclosureMake, None)?;
    let recipient = text_of("recipient", &request.recipient)?;
    let reason = text_of("reason", &request.reason)?;
    let file = reserve(&request.out)?;
    let done = write(desk, &caller, request, (person, recipient, reason), file).await;
    if done.is_err() {
        // Nobody takes an empty file for a pack.
        drop(fs::remove_file(&request.out));
    }
    done
}

async fn write(
    desk: &Desk,
    caller: &Caller,
    request: &Request,
    (person, recipient, reason): (String, String, String),
    mut file: fs::File,
) -> Result<Made, CaseworkError> {
    let vault = desk.vault.acting_for(caller);
    let Gathered { search, review, lead, probe, gallery, entries, model, operating_point, policy_sha256, shown, kept } =
        gather::gather(&vault, caller, request.what).await?;
    let contents = manifest::contents(&entries.iter().map(Listing::of).collect::<Vec<_>>());
    let new = NewDisclosure {
        search,
        lead,
        gallery: gallery.clone(),
        person: person.clone(),
        recipient: recipient.clone(),
        reason: reason.clone(),
        contents: contents.clone(),
    };
    let config = desk.settings.to_toml().map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    let hash = hex::decode_32(&contents).unwrap_or_default();
    let happening = Happening::new(Kind::DisclosureMade)
        .of(&gallery)
        .about([Object::Search(search)])
        .about(review.map(Object::Review))
        .about(lead.map(Object::Lead))
        .with("contents", Detail::Hash(hash));
    let (id, made_at) = vault.disclosure_book().add(&new, (&shown, kept), happening).await?;
    let about =
        [Some(Object::Search(search)), review.map(Object::Review), lead.map(Object::Lead), probe.map(Object::Probe)];
    let log = log_of(desk, &vault, about.into_iter().flatten(), (id, search)).await?;
    let manifest = Manifest {
        pack: manifest::VERSION,
        notice: NOT_EVIDENCE.to_owned(),
        disclosure: id,
        search,
        lead,
        folder: vault.audit_book().folder().await?,
        made_at,
        made_by: person,
        recipient,
        reason,
        program: request.program.name(),
        commit: request.program.commit(),
        model,
        config_sha256: hex::encode(&Sha256::digest(config)),
        policy_sha256,
        operating_point,
        contents,
        entries: Vec::new(),
    };
    let key = signing_key(&desk.settings.data.folder)?;
    let entries = entries.into_iter().chain(log).collect();
    let bytes = pack(manifest, entries, &key).map_err(DisclosureError::Pack)?;
    let written = file.write_all(&bytes).and_then(|()| file.sync_all());
    written.map_err(|error| unreadable(&request.out, &error))?;
    let sha256 = hex::encode(&Sha256::digest(&bytes));
    let (path, key) = (request.out.clone(), key.public().to_string());
    Ok(Made { disclosure: id, search, path, bytes: bytes.len() as u64, sha256, key })
}

/// The events about something, and a checkpoint of the one that tells of the pack.
async fn log_of(
    desk: &Desk,
    vault: &Vault,
    objects: impl Iterator<Item = Object>,
    (disclosure, search): (i64, i64),
) -> Result<[Entry; 2], CaseworkError> {
    let book = vault.audit_book();
    let mut events = std::collections::BTreeMap::new();
    let disclosed = Object::Disclosure(disclosure).in_words();
    let of_kind = |kind, object: &str| EventFilter { kind, object: Some(object.to_owned()) };
    let mut wanted = vec![
        (of_kind(Some(Kind::DisclosureMade), &disclosed), 1),
        // However often it was looked at since.
        (of_kind(Some(Kind::SearchRun), &Object::Search(search).in_words()), 1),
    ];
    wanted.extend(objects.map(|object| (of_kind(None, &object.in_words()), PACK_EVENTS_MAX / 5)));
    let mut told = None;
    for (filter, most) in wanted {
        for event in book.newest(&filter, most).await? {
            if filter.kind == Some(Kind::DisclosureMade) {
                told = Some(event.clone());
            }
            events.insert(event.seq, EventLine { body: event.body, hash: event.hash });
        }
    }
    let lost = || CaseworkError::Stopped(format!("the log does not tell of disclosure {disclosure}"));
    let told = told.ok_or_else(lost)?;
    // Refuses a log that is not what was signed.
    seal(desk).await?;
    let key = signing_key(&desk.settings.data.folder)?;
    let hash = hex::decode_32(&told.hash).map(crate::audit::Hash).ok_or_else(lost)?;
    let folder = book.folder().await?;
    let checkpoint = Checkpoint::new(clock::now_rfc3339(), &folder, told.seq, hash, &key);
    let sealed: StoredCheckpoint = checkpoint.sealed(&key).map_err(CaseworkError::Stopped)?;
    let lines = events.range(..=told.seq).map(|(_, event)| serde_json::to_string(event));
    let lines = lines.collect::<Result<Vec<_>, _>>().map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    let sealed = serde_json::to_string(&sealed).map_err(|error| CaseworkError::Stopped(error.to_string()))?;
    Ok([Entry::text(EVENTS, &(lines.join("\n") + "\n")), Entry::text(CHECKPOINTS, &(sealed + "\n"))])
}

/// Packs that were made, newest first, in the galleries of whoever asks.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], and what the records say.
pub async fn list(desk: &Desk, caller: &Caller) -> Result<Vec<DisclosureRecord>, CaseworkError> {
    let (caller, _) = somebody(&desk.vault, caller).await?;
    require(&caller, Permission::DisclosureMake, None)?;
    let vault = desk.vault.acting_for(&caller);
    let mut found = vault.disclosure_book().newest(DISCLOSURE_PAGE_MAX).await?;
    let own = |gallery: &GalleryName| caller.may(Permission::DisclosureMake, Some(gallery));
    found.retain(|disclosure| own(&disclosure.what.gallery));
    let happening = Happening::new(Kind::DisclosureListed).with("disclosures", Detail::Number(found.len() as u64));
    vault.tell(&happening).await?;
    Ok(found)
}

fn text_of(what: &'static str, said: &str) -> Result<String, DisclosureError> {
    let said = printable(said.trim());
    if said.is_empty() || said.len() > RECORD_TEXT_BYTES_MAX {
        return Err(DisclosureError::Text { what, most: RECORD_TEXT_BYTES_MAX });
    }
    Ok(said)
}

/// A new file that nobody else may read: what can't be written is not told of.
fn reserve(path: &Path) -> Result<fs::File, CaseworkError> {
    let failed = |error: std::io::Error| unreadable(path, &error);
    let file = fs::OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    disk::touch_private(path).map_err(crate::gallery::GalleryError::from)?;
    Ok(file)
}
