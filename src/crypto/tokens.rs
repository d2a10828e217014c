//! Tokens that open doors: random, shown once, kept as a hash. 256 random bits need no slow hash and no salt.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};

use crate::base::hex;
use crate::crypto::{CryptoError, random};

/// How an API key begins, so that people and scanners for leaked secrets know one when they see it.
const KEY_MARK: &str = "bert_";
/// Characters by which a key is found and named.
pub const PREFIX_CHARS: usize = 8;
const SECRET_CHARS: usize = 43;

/// A text that nobody should see. Prints as its length.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// A key as it is made: `bert_<prefix>_<secret>`.
#[derive(Debug)]
pub struct NewKey {
    /// Names it: eight hexadecimal digits.
    pub prefix: String,
    /// All of it, for its owner.
    pub text: Secret,
    /// What is kept of its secret.
    pub sha256: [u8; 32],
}

/// A key as it is shown at the door.
#[derive(Debug, PartialEq, Eq)]
pub struct ShownKey<'a> {
    /// Names it.
    pub prefix: &'a str,
    /// Hash of its secret.
    pub sha256: [u8; 32],
}

impl Secret {
    /// Takes a text in.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text: for the one who may see it, and for checking.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret of {} bytes", self.0.len())
    }
}

/// Makes a key.
///
/// # Errors
/// [`CryptoError::NoRandom`].
pub fn new_key() -> Result<NewKey, CryptoError> {
    let prefix = hex::encode(&random::bytes::<{ PREFIX_CHARS / 2 }>()?);
    let secret = new_token()?;
    let text = format!("{KEY_MARK}{prefix}_{}", secret.reveal());
    Ok(NewKey { prefix, sha256: hash(secret.reveal()), text: Secret(text) })
}

/// 32 random bytes in base64url.
///
/// # Errors
/// [`CryptoError::NoRandom`].
pub fn new_token() -> Result<Secret, CryptoError> {
    Ok(Secret(URL_SAFE_NO_PAD.encode(random::bytes::<32>()?)))
}

/// What may be shown beforehand of a token that is shown later (RFC 7636, S256).
#[must_use]
pub fn challenge(token: &str) -> String {
    URL_SAFE_NO_PAD.encode(hash(token))
}

/// A name and a password as HTTP sends them (RFC 7617).
#[must_use]
pub fn basic(name: &str, password: &str) -> Secret {
    Secret(format!("Basic {}", STANDARD.encode(format!("{name}:{password}"))))
}

/// What is kept of a token.
#[must_use]
pub fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

/// Takes a key apart; `None` for what has not the form of one.
#[must_use]
pub fn parse_key(text: &str) -> Option<ShownKey<'_>> {
    let (prefix, secret) = text.strip_prefix(KEY_MARK)?.split_at_checked(PREFIX_CHARS)?;
    let secret = secret.strip_prefix('_')?;
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let fits = is_prefix(prefix) && secret.len() == SECRET_CHARS && secret.bytes().all(plain);
    fits.then(|| ShownKey { prefix, sha256: hash(secret) })
}

/// Whether a text can name a key.
#[must_use]
pub fn is_prefix(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == PREFIX_CHARS && text.bytes().all(digit)
}

/// Whether two byte strings are the same, looking at all of both however early they differ.
#[must_use]
pub fn same(one: &[u8], two: &[u8]) -> bool {
    let differ = one.iter().zip(two).fold(0, |differ, (one, two)| std::hint::black_box(differ | (one ^ two)));
    one.len() == two.len() && differ == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_prefix_and_its_hash() {
        let (key, other) = (new_key().unwrap(), new_key().unwrap());
        let shown = parse_key(key.text.reveal()).unwrap();
        assert_eq!((shown.prefix, shown.sha256), (key.prefix.as_str(), key.sha256));
        assert_ne!(other.sha256, key.sha256);
        assert!(!format!("{key:?}").contains(&key.text.reveal()[14..]), "no Debug text shows it");
        let text = key.text.reveal();
        let longer = format!("{text}x");
        let upper = text.to_ascii_uppercase();
        for bad in ["", "bert_", "bert_0123456_", &text[1..], &text[..text.len() - 1], &longer, &upper, "bert_éééé_"]
        {
            assert_eq!(parse_key(bad), None, "{bad}");
        }
    }

    /// RFC 7636, appendix B; RFC 7617, section 2.
    #[test]
    fn what_is_sent_is_as_the_standards_have_it() {
        let challenge = challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(basic("Aladdin", "open sesame").reveal(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }

    #[test]
    fn sameness_is_of_all_bytes() {
        assert!(same(b"", b"") && same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"xbc", b"abc"));
    }
}
