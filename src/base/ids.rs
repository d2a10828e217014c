//! Identifiers. Each has a type of its own, so that a subject can't be passed where a gallery is wanted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::hex;
use crate::base::text::is_plain;

/// The number of one template in one gallery. Handed out in ascending order, never used twice; the last word on ties:
/// of two candidates with equal scores the lower template id comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TemplateId(pub u64);

impl fmt::Display for TemplateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// A gallery's name becomes a folder's name, hence the narrow alphabet.
    #[error("{0:?} can't name a gallery: use 1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit")]
    Gallery(String),
    /// A subject's reference is shown on screens and written into records. Never quoted: errors end up in logs.
    #[error("a subject is referred to by 1 to 128 characters, none of them a control character; here are {characters}")]
    Subject {
        /// How many it has, blanks around it left out.
        characters: usize,
    },
    /// A user's name is written into events and typed at terminals.
    #[error("{0:?} can't name a user: use 1 to 32 of a-z, 0-9, '.', '-' and '_', beginning with a letter")]
    User(String),
    /// A name that is kept for what a generator made.
    #[error("no person may be called \"synthetic\" and a number: such names are kept for synthetic templates")]
    Reserved,
}

/// A user's name, unique in one data folder and never used again: 1 to 32 of `a-z 0-9 . - _`, beginning with a letter.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct UserName(String);

impl TryFrom<String> for UserName {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<UserName> for String {
    fn from(name: UserName) -> Self {
        name.0
    }
}

impl UserName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for UserName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if begins && text.len() <= 32 && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::User(text.chars().take(40).collect()))
        }
    }
}

impl fmt::Display for UserName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A gallery's name, unique in one data folder: 1 to 63 of `a-z 0-9 - _`, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GalleryName(String);

impl TryFrom<String> for GalleryName {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<GalleryName> for String {
    fn from(name: GalleryName) -> Self {
        name.0
    }
}

impl GalleryName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What pictures that were handed in have in the place of a gallery. No gallery is called so, as it does not parse.
const SUBMISSIONS: &str = "_submissions";

impl GalleryName {
    /// What stands in the place of a gallery's name where pictures lie that were handed in and belong to none: for their folder, and for
    /// the key and blobs in the records. Nobody can make, name or search a gallery of that name.
    #[must_use]
    pub fn of_submissions() -> Self {
        Self(SUBMISSIONS.to_owned())
    }

    /// Whether it is the one of [`of_submissions`](Self::of_submissions).
    #[must_use]
    pub fn is_of_submissions(&self) -> bool {
        self.0 == SUBMISSIONS
    }

    /// The name under which blobs lie: a gallery's, or that of submissions.
    ///
    /// # Errors
    /// [`IdError::Gallery`].
    pub fn of_blobs(text: &str) -> Result<Self, IdError> {
        if text == SUBMISSIONS { Ok(Self::of_submissions()) } else { text.parse() }
    }
}

impl FromStr for GalleryName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'_';
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        if begins && text.len() <= 63 && text.bytes().all(fits) {
            Ok(Self(text.to_owned()))
        } else {
            Err(IdError::Gallery(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for GalleryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How the enrolling organisation refers to a subject: a custody number, a folder's name. Never shown to be an identity.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct SubjectRef(String);

impl SubjectRef {
    /// The reference of a real person, to be enrolled under: as parsed, but never one that reads like the name of a
    /// synthetic template, with which it would be mixed up on a candidate list.
    ///
    /// # Errors
    /// [`IdError::Subject`], [`IdError::Reserved`].
    pub fn of_person(text: &str) -> Result<Self, IdError> {
        let reference: Self = text.parse()?;
        let lower = reference.0.to_lowercase();
        let rest = lower.strip_prefix("synthetic").map(|rest| rest.trim_start_matches([' ', '#', '-', '_', '.', ':']));
        if rest.is_some_and(|rest| !rest.is_empty() && rest.chars().all(|letter| letter.is_ascii_digit())) {
            return Err(IdError::Reserved);
        }
        Ok(reference)
    }

    /// The reference as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SubjectRef {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let trimmed = text.trim();
        let count = trimmed.chars().count();
        if (1..=128).contains(&count) && is_plain(trimmed) {
            Ok(Self(trimmed.to_owned()))
        } else {
            Err(IdError::Subject { characters: count })
        }
    }
}

impl fmt::Display for SubjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which model made a template: the set's name, and the hash over everything that shapes a template (files, alignment,
/// normalisation). Templates of different hashes are never compared, whatever their names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ModelId {
    /// The set's name in the catalogue, for people.
    pub name: String,
    /// sha256 over the set's description and files: the identity.
    pub hash: [u8; 32],
}

impl ModelId {
    /// The hash as 64 hexadecimal digits.
    #[must_use]
    pub fn hash_hex(&self) -> String {
        hex::encode(&self.hash)
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, hex::encode(&self.hash[..6]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gallery_names_are_safe_folder_names() {
        for good in ["custody", "a", "0-9_x", &"a".repeat(63)] {
            assert!(good.parse::<GalleryName>().is_ok(), "{good}");
        }
        for bad in ["", "..", "a/b", "A", "-a", "_a", "a b", "é", &"a".repeat(64)] {
            assert!(bad.parse::<GalleryName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn subject_references_are_trimmed_and_printable() {
        assert_eq!("  Anne Example ".parse::<SubjectRef>().map(|s| s.to_string()), Ok("Anne Example".to_owned()));
        for bad in ["", "   ", "a\nb", &"x".repeat(129), "Anne\u{7} Example"] {
            let error = bad.parse::<SubjectRef>().map_err(|error| error.to_string());
            assert!(matches!(&error, Err(said) if !said.contains("Anne")), "{bad:?}: {error:?}");
        }
    }

    #[test]
    fn no_person_is_called_like_a_synthetic_template() {
        for bad in ["synthetic #5", "Synthetic 12", "SYNTHETIC-#3", " synthetic #1 "] {
            assert!(matches!(SubjectRef::of_person(bad), Err(IdError::Reserved)), "{bad}");
        }
        for good in ["synthetic", "Synthetic Sally", "5", "synthetic #5a"] {
            assert!(SubjectRef::of_person(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn a_model_shows_name_and_short_hash() {
        let model = ModelId { name: "mtcnn-dlib".to_owned(), hash: [0xab; 32] };
        assert_eq!(model.to_string(), "mtcnn-dlib (abababababab)");
        assert_eq!(model.hash_hex().len(), 64);
    }
}
