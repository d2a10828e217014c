//! Receipts: what was handed in, by whom and when, signed with the data folder's key, so that whoever has one can show that it came.
//! docs/SUBMISSIONS.md has the format. A receipt is made from the records each time, and is the same each time; it is kept by its
//! submitter, and here its hash, in the event of the hand-in.

use serde::{Deserialize, Serialize};

use crate::casework::certificate::{Sealed, read_sealed};
use crate::crypto::{PublicKey, SigningKey};
use crate::records::submissions::{SubmissionRecord, SubmittedPicture, Told};

/// What a receipt is signed as.
const WHAT: &str = "bertillon receipt 1";
/// The version that is written.
const VERSION: u32 = 1;

/// A picture on a receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceivedPicture {
    /// Bytes of the file.
    pub bytes: u64,
    /// sha256 of the file, in hexadecimal digits.
    pub sha256: String,
}

/// What a receipt says. Fields are in the order of their names, which is the order in which they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// When the pictures and what was written are erased, RFC 3339.
    pub expires_at: String,
    /// Id of the data folder.
    pub folder: String,
    /// The public half of the key, in hexadecimal digits.
    pub key: String,
    /// The pictures, in their order.
    pub pictures: Vec<ReceivedPicture>,
    /// Where it was, as the submitter wrote.
    pub place: Option<String>,
    /// When it was received, RFC 3339.
    pub received_at: String,
    /// The submitter's own reference.
    pub reference: String,
    /// Number of the submission.
    pub submission: i64,
    /// Who handed it in.
    pub submitter: String,
    /// When it was, as the submitter wrote.
    pub time: Option<String>,
    /// Version of the format.
    pub v: u32,
}

/// What is wrong with a file that should be a receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotReceived {
    /// Not one of ours.
    #[error("it is no receipt")]
    NoReceipt,
    /// Another key, or another text.
    #[error("it was changed after it was signed, or signed by another key")]
    Forged,
    /// It is of other pictures.
    #[error("picture {0} is none of those on the receipt")]
    OtherPicture(usize),
}

impl Receipt {
    /// Of a submission in that data folder; `None` once it is erased.
    #[must_use]
    pub fn of(record: &SubmissionRecord, folder: &str, key: PublicKey) -> Option<Self> {
        let Told { reference, place, time } = record.told.clone()?;
        let picture = |picture: &SubmittedPicture| {
            let SubmittedPicture { sha256, bytes, .. } = picture.clone();
            ReceivedPicture { bytes, sha256 }
        };
        Some(Self {
            expires_at: record.expires_at.clone(),
            folder: folder.to_owned(),
            key: key.to_string(),
            pictures: record.pictures.iter().map(picture).collect(),
            place,
            received_at: record.received_at.clone(),
            reference,
            submission: record.id,
            submitter: record.submitter.clone(),
            time,
            v: VERSION,
        })
    }

    /// Signs it.
    ///
    /// # Errors
    /// In words; only for a defect of this program.
    pub fn sealed(&self, key: &SigningKey) -> Result<Sealed, String> {
        Sealed::of(WHAT, self, key)
    }

    /// What it says, if it was signed by `key`, or, without one, by the key that it names itself.
    ///
    /// # Errors
    /// [`NotReceived`].
    pub fn open(sealed: &Sealed, key: Option<PublicKey>) -> Result<Self, NotReceived> {
        let receipt: Self = serde_json::from_str(&sealed.body).map_err(|_| NotReceived::NoReceipt)?;
        let named = PublicKey::parse(&receipt.key).map_err(|_| NotReceived::NoReceipt)?;
        if receipt.v != VERSION || key.is_some_and(|key| key != named) || !sealed.is_signed(WHAT, named) {
            return Err(NotReceived::Forged);
        }
        Ok(receipt)
    }

    /// Whether all of these are among its pictures: sha256 of each, in hexadecimal digits.
    ///
    /// # Errors
    /// [`NotReceived::OtherPicture`], by its place from 1.
    pub fn is_of(&self, pictures: &[String]) -> Result<(), NotReceived> {
        let known = |sha256: &String| self.pictures.iter().any(|picture| picture.sha256 == *sha256);
        let other = pictures.iter().position(|sha256| !known(sha256));
        other.map_or(Ok(()), |place| Err(NotReceived::OtherPicture(place + 1)))
    }
}

/// Reads a receipt from a file.
///
/// # Errors
/// In words.
pub fn read(path: &std::path::Path, most: usize) -> Result<Sealed, String> {
    read_sealed(path, most, &NotReceived::NoReceipt)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::submissions::Work;

    fn record() -> SubmissionRecord {
        let told = Told { reference: "SHOP/8 \"ü\"".to_owned(), place: None, time: Some("about 14:30".to_owned()) };
        SubmissionRecord {
            id: 3,
            submitter: "sam".to_owned(),
            state: "received".to_owned(),
            received_at: "2026-11-22T10:00:00Z".to_owned(),
            expires_at: "2026-12-23T10:00:00Z".to_owned(),
            told: Some(told),
            pictures: vec![SubmittedPicture { number: 1, sha256: "09".repeat(32), bytes: 17 }],
            work: Work::default(),
        }
    }

    #[test]
    fn only_what_was_signed_by_the_key_counts() {
        let (key, other) = (SigningKey::from_seed(&[1; 32]).unwrap(), SigningKey::from_seed(&[2; 32]).unwrap());
        let made = Receipt::of(&record(), "here", key.public()).unwrap();
        let sealed = made.sealed(&key).unwrap();
        assert_eq!(sealed, made.sealed(&key).unwrap(), "the same each time");
        assert_eq!(Receipt::open(&sealed, Some(key.public())), Ok(made.clone()));
        assert_eq!(Receipt::open(&sealed, None), Ok(made.clone()));
        assert_eq!(Receipt::open(&sealed, Some(other.public())), Err(NotReceived::Forged));
        for (from, to) in
            [("\"bytes\":17", "\"bytes\":18"), ("sam", "sal"), ("2026-11-22", "2026-11-21"), ("SHOP/8", "SHOP/9")]
        {
            let forged = Sealed { body: sealed.body.replacen(from, to, 1), ..sealed.clone() };
            assert_ne!(forged, sealed);
            assert_eq!(Receipt::open(&forged, None), Err(NotReceived::Forged), "{from}");
        }
        let not = Sealed { body: "{}".to_owned(), ..sealed };
        assert_eq!(Receipt::open(&not, None), Err(NotReceived::NoReceipt));
        assert_eq!(made.is_of(&["09".repeat(32)]), Ok(()));
        assert_eq!(made.is_of(&["09".repeat(32), "08".repeat(32)]), Err(NotReceived::OtherPicture(2)));
        assert_eq!(Receipt::of(&SubmissionRecord { told: None, ..record() }, "here", key.public()), None);
    }

    #[test]
    fn the_text_has_its_names_in_ascending_order() {
        let key = SigningKey::from_seed(&[1; 32]).unwrap();
        let body = Receipt::of(&record(), "here", key.public()).unwrap().sealed(&key).unwrap().body;
        let names = [
            "expires_at",
            "folder",
            "key",
            "pictures",
            "place",
            "received_at",
            "reference",
            "submission\"",
            "submitter",
            "time",
            "\"v\"",
        ];
        let places: Vec<usize> = names.iter().map(|name| body.find(name).unwrap()).collect();
        assert!(places.is_sorted(), "{body}");
    }
}
