//! Deletion certificates: what was erased, where, when, by whom, and what could not be reached; signed with the data folder's key.
//! They name nobody: a commitment stands for what the subject was called, which whoever asked can open with the salt they were
//! given. docs/SUBJECTS.md has the format.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::audit::event::Value;
use crate::audit::{Caller, Event, Happening, Kind, Object};
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::casework::access::require;
use crate::casework::not_reached::not_reached;
use crate::casework::{CaseworkError, Desk, keys};
use crate::crypto::{PublicKey, Signature, SigningKey};
use crate::gallery::{Erase, Erased, GalleryError};
use crate::records::{ErasureRecord, commitment};
use crate::rights::Permission;

pub use crate::casework::not_reached::NotReached;

/// What a certificate is signed as.
const WHAT: &str = "bertillon certificate 1";
/// The version that is written.
const VERSION: u32 = 1;

/// Somewhere that was overwritten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// When it was done, RFC 3339.
    pub at: String,
    /// How many of them.
    pub count: u64,
    /// Where.
    pub place: String,
}

/// What a certificate says. Fields are in the order of their names, which is the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Who agreed, where that took somebody else.
    pub approved_by: Option<String>,
    /// When it was asked for: from then on it was in no search.
    pub asked_at: String,
    /// Who asked for it.
    pub asked_by: String,
    /// When all of it was done.
    pub done_at: String,
    /// The event that says so.
    pub event: u64,
    /// Its hash.
    pub event_hash: String,
    /// Id of the data folder.
    pub folder: String,
    /// The gallery.
    pub gallery: GalleryName,
    /// Number of the erasure.
    pub id: i64,
    /// Numbers of the images' records.
    pub images: Vec<i64>,
    /// The public half of the key, in hexadecimal digits.
    pub key: String,
    /// What could not be reached.
    pub not_reached: Vec<NotReached>,
    /// What was overwritten.
    pub places: Vec<Place>,
    /// Commitment to what the subject was called.
    pub subject: Option<String>,
    /// Ids of the templates.
    pub templates: Vec<u64>,
    /// Version of the format.
    pub v: u32,
    /// subject: all that there was of one; reference: one of its references, or one of nobody's.
    pub what: String,
}

/// A certificate as it is given out: one line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sealed {
    /// Its text.
    pub body: String,
    /// Hexadecimal digits of the signature.
    pub signature: String,
}

/// What is wrong with a file that should be a certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCertified {
    /// Not one of ours.
    #[error("it is no deletion certificate")]
    NoCertificate,
    /// Another key, or another text.
    #[error("it was changed after it was signed, or signed by another key")]
    Forged,
    /// It is about somebody else.
    #[error("it is of another subject, or the salt is not the one that was given")]
    OtherSubject,
}

impl Certificate {
    /// Signs it.
    ///
    /// # Errors
    /// In words; only for a defect of this program.
    pub fn sealed(&self, key: &SigningKey) -> Result<Sealed, String> {
        Sealed::of(WHAT, self, key)
    }

    /// Whether it is about whom somebody means: by what the subject was called, and the salt that whoever asked was given.
    ///
    /// # Errors
    /// [`NotCertified::OtherSubject`].
    pub fn is_about(&self, reference: &str, salt: &str) -> Result<(), NotCertified> {
        let salt: Option<[u8; 16]> = hex::decode_32(&format!("{salt}{}", "0".repeat(32)))
            .and_then(|bytes| (salt.len() == 32).then(|| bytes.first_chunk().copied()).flatten());
        let meant = salt.map(|salt| hex::encode(&commitment(&salt, &self.gallery, reference)));
        if meant.is_some() && meant == self.subject { Ok(()) } else { Err(NotCertified::OtherSubject) }
    }
}

impl Sealed {
    /// Writes something down, and signs it as being a `what`.
    pub(super) fn of(what: &str, text: &impl Serialize, key: &SigningKey) -> Result<Self, String> {
        let body = serde_json::to_string(text).map_err(|error| error.to_string())?;
        let signature = key.sign(what, &body).to_string();
        Ok(Self { body, signature })
    }

    /// Whether `key` signed it as being a `what`.
    pub(super) fn is_signed(&self, what: &str, key: PublicKey) -> bool {
        Signature::parse(&self.signature).is_some_and(|signature| key.signed(what, &self.body, &signature))
    }

    /// What it says, if it was signed by `key`, or, without one, by the key that it names itself.
    ///
    /// # Errors
    /// [`NotCertified`].
    pub fn open(&self, key: Option<PublicKey>) -> Result<Certificate, NotCertified> {
        let certificate: Certificate = serde_json::from_str(&self.body).map_err(|_| NotCertified::NoCertificate)?;
        let named = PublicKey::parse(&certificate.key).map_err(|_| NotCertified::NoCertificate)?;
        if certificate.v != VERSION || key.is_some_and(|key| key != named) || !self.is_signed(WHAT, named) {
            return Err(NotCertified::Forged);
        }
        Ok(certificate)
    }
}

/// What was erased, with its certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certified {
    /// What was erased.
    pub erased: Erased,
    /// Number of the certificate; `None` where nothing new was erased.
    pub certificate: Option<i64>,
    /// What other galleries here still have of it.
    pub left: Vec<NotReached>,
}

/// Erases, and signs certificates for this erasure and for earlier ones that were finished by it.
///
/// # Errors
/// [`CaseworkError::Key`] where nothing could be signed, and nothing is erased then; what the gallery says.
pub async fn erase(
    desk: &Desk,
    caller: &Caller,
    gallery: &GalleryName,
    what: Erase,
) -> Result<Certified, CaseworkError> {
    let scorer = std::sync::Arc::clone(&desk.engine.scorer);
    let vault = desk.vault.acting_for(caller);
    // First: the salt is told with what comes of this, and would be lost to a key that can't be read.
    let key = keys::signing_key(&desk.settings.data.folder)?;
    let erased = vault.erase(gallery, what, move |rows| scorer.refresh(rows)).await?;
    for id in vault.uncertified(gallery).await? {
        certify(desk, id, &key).await?;
    }
    let certificate = erased.begun.as_ref().map(|begun| begun.id);
    // It is erased and certified by now: what goes wrong here is no reason to say otherwise, and the certificate has them.
    let copies = match certificate {
        Some(id) => desk.vault.copies_left(id).await,
        None => Ok(Vec::new()),
    };
    let copies = copies.unwrap_or_else(|error| {
        tracing::warn!(%error, "the certificate says which other galleries have it; this answer does not");
        Vec::new()
    });
    let left = copies.iter().map(NotReached::copy).collect();
    Ok(Certified { erased, certificate, left })
}

/// Shows a certificate; makes it first where the process ended between the erasure and its signature.
///
/// # Errors
/// [`CaseworkError::Erasure`] where there is no such erasure, or it is not done.
pub async fn show(desk: &Desk, caller: &Caller, id: i64) -> Result<Sealed, CaseworkError> {
    let none =
        || CaseworkError::Erasure(format!("there is no erasure {id}: the audit log has their numbers (erasure:N)"));
    let erasure = desk.vault.erasure(id).await?.ok_or_else(none)?;
    require(caller, Permission::ReferenceErase, Some(&erasure.gallery))?;
    let sealed = match erasure.certificate {
        Some((body, signature)) => Sealed { body, signature },
        None => certify(desk, id, &keys::signing_key(&desk.settings.data.folder)?).await?,
    };
    let read = Happening::new(Kind::CertificateRead).of(&erasure.gallery).about([Object::Erasure(id)]);
    desk.vault.acting_for(caller).tell(&read).await?;
    Ok(sealed)
}

async fn certify(desk: &Desk, id: i64, key: &SigningKey) -> Result<Sealed, CaseworkError> {
    let found = desk.vault.erasure(id).await?;
    let erasure = found.ok_or_else(|| CaseworkError::Erasure(format!("there is no erasure {id}")))?;
    if let Some((body, signature)) = erasure.certificate {
        return Ok(Sealed { body, signature });
    }
    let certificate = of(desk, &erasure, key).await?;
    let sealed = certificate.sealed(key).map_err(CaseworkError::Stopped)?;
    desk.vault.certify(&erasure, (&sealed.body, &sealed.signature)).await?;
    // Of two that were made at once, the first counts.
    let kept = desk.vault.erasure(id).await?.and_then(|kept| kept.certificate);
    Ok(kept.map_or(sealed, |(body, signature)| Sealed { body, signature }))
}

async fn of(desk: &Desk, erasure: &ErasureRecord, key: &SigningKey) -> Result<Certificate, CaseworkError> {
    let ErasureRecord { id, gallery, what, commitment, asked_by, asked_at, templates, images, done, .. } = erasure;
    let Some((done_at, files, (event, event_hash))) = done.clone() else {
        let said = format!("erasure {id} is not done: erase again, which finishes it");
        return Err(CaseworkError::Erasure(said));
    };
    let place = |place: &str, count: u64| Place { at: done_at.clone(), count, place: place.to_owned() };
    let (templates, images) = (templates.iter().map(|id| id.0).collect::<Vec<_>>(), images.clone());
    let told = told(desk, gallery, event).await?;
    let (pictures, older) = (number(told.as_ref(), "pictures"), number(told.as_ref(), "older_transactions"));
    let journals = if desk.vault.has_records_in_the_folder() {
        "journals of the records emptied after that"
    } else {
        "vacuums of the records' schema after that: the write-ahead log is as it was"
    };
    // Files and pictures are counted as they are overwritten: for all erasures that one event ends.
    let places = vec![
        place("files of templates in which bytes were overwritten, by all erasures that the event ends", files),
        place(
            "templates overwritten there, and in copies on devices before that was acknowledged",
            templates.len() as u64,
        ),
        place(
            "records of references and images overwritten, with what was written about their subject where none is left",
            images.len() as u64,
        ),
        place("kept pictures overwritten and removed, by all erasures that the event ends", pictures),
        place(journals, 1),
    ];
    let log = desk.vault.audit_book();
    let folder = log.folder().await.map_err(GalleryError::from)?;
    Ok(Certificate {
        approved_by: None,
        asked_at: asked_at.clone(),
        asked_by: asked_by.clone(),
        done_at: done_at.clone(),
        event,
        event_hash,
        folder,
        gallery: gallery.clone(),
        id: *id,
        images,
        key: key.public().to_string(),
        not_reached: not_reached(desk, erasure, (event, older)).await?,
        places,
        subject: commitment.clone(),
        templates,
        v: VERSION,
        what: what.clone(),
    })
}

/// A number of the event by which it was done; 0 where it has none of that name.
fn number(told: Option<&Event>, name: &str) -> u64 {
    match told.and_then(|told| told.detail.get(name)) {
        Some(Value::Number(number)) => *number,
        _none => 0,
    }
}

/// The event by which it was done.
async fn told(desk: &Desk, gallery: &GalleryName, event: u64) -> Result<Option<Event>, CaseworkError> {
    let (log, kind) = (desk.vault.audit_book(), Kind::ErasureFinished);
    let told = log.newest_in(gallery, kind, event.saturating_add(1), 1).await?;
    let mut told = told.iter().filter_map(|event| serde_json::from_str::<Event>(&event.body).ok());
    Ok(told.find(|told| told.seq == event))
}

/// Reads a certificate.
///
/// # Errors
/// In words.
pub fn read(path: &Path, most: usize) -> Result<Sealed, String> {
    read_sealed(path, most, &NotCertified::NoCertificate)
}

/// Reads something that was signed; `none` says what a file is that is none.
pub(super) fn read_sealed(path: &Path, most: usize, none: &dyn std::fmt::Display) -> Result<Sealed, String> {
    use std::io::Read as _;
    let file = fs_err::File::open(path).map_err(|error| error.to_string())?;
    let mut text = String::new();
    file.take(most as u64 + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() > most {
        return Err(format!("{}: {none}: it has more than {most} bytes", path.display()));
    }
    serde_json::from_str(text.trim()).map_err(|_| format!("{}: {none}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(key: &SigningKey) -> Certificate {
        let hidden = commitment(&[7; 16], &"custody".parse().unwrap(), "CU/17");
        Certificate {
            approved_by: None,
            asked_at: "2026-11-22T10:00:00Z".to_owned(),
            asked_by: "una".to_owned(),
            done_at: "2026-11-22T10:00:01Z".to_owned(),
            event: 9,
            event_hash: "00".repeat(32),
            folder: "here".to_owned(),
            gallery: "custody".parse().unwrap(),
            id: 3,
            images: vec![4],
            key: key.public().to_string(),
            not_reached: Vec::new(),
            places: Vec::new(),
            subject: Some(hex::encode(&hidden)),
            templates: vec![5],
            v: VERSION,
            what: "subject".to_owned(),
        }
    }

    #[test]
    fn only_what_was_signed_by_the_key_counts() {
        let (key, other) = (SigningKey::from_seed(&[1; 32]).unwrap(), SigningKey::from_seed(&[2; 32]).unwrap());
        let made = certificate(&key);
        let sealed = made.sealed(&key).unwrap();
        assert_eq!(sealed.open(Some(key.public())), Ok(made.clone()));
        assert_eq!(sealed.open(None), Ok(made.clone()));
        assert_eq!(sealed.open(Some(other.public())), Err(NotCertified::Forged));
        for (from, to) in [("\"templates\":[5]", "\"templates\":[6]"), ("una", "ann"), ("custody", "custodz")] {
            let bent = Sealed { body: sealed.body.replace(from, to), ..sealed.clone() };
            assert_ne!(bent.body, sealed.body);
            assert_eq!(bent.open(None), Err(NotCertified::Forged), "{to}");
        }
        // Whoever signs it anew has to name their own key.
        let anew = made.sealed(&other).unwrap();
        assert_eq!(anew.open(None), Err(NotCertified::Forged));
        assert_eq!(Sealed { body: "{}".to_owned(), ..sealed.clone() }.open(None), Err(NotCertified::NoCertificate));
        let checkpoint = key.sign("bertillon checkpoint 1", &sealed.body).to_string();
        assert_eq!(Sealed { signature: checkpoint, ..sealed }.open(None), Err(NotCertified::Forged));
    }

    #[test]
    fn the_text_is_canonical_and_names_nobody() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let made = certificate(&key);
        let body = made.sealed(&key).unwrap().body;
        // Keys in ascending order without blanks: what parsing into a sorted map and writing gives again.
        let value: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(value.to_string(), body);
        assert!(!body.contains("CU/17"));
        let salt = hex::encode(&[7; 16]);
        assert_eq!(made.is_about("CU/17", &salt), Ok(()));
        for (reference, salt) in
            [("CU/18", salt.as_str()), ("CU/17", &hex::encode(&[8; 16])), ("CU/17", ""), ("CU/17", "zz")]
        {
            assert_eq!(made.is_about(reference, salt), Err(NotCertified::OtherSubject));
        }
    }
}
