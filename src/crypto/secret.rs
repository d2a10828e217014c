//! A key of 32 bytes that nobody should see: it prints as its length, and its bytes are overwritten when it is dropped.

use std::fmt;

use zeroize::Zeroize as _;

use crate::base::hex;
use crate::crypto::{CryptoError, random};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// A secret key. Prints as its length.
pub struct SecretKey([u8; KEY_BYTES]);

impl SecretKey {
    /// Takes the bytes of a key in.
    #[must_use]
    pub fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// A new one.
    ///
    /// # Errors
    /// [`CryptoError::NoRandom`].
    pub fn random() -> Result<Self, CryptoError> {
        random::bytes().map(Self)
    }

    /// From 64 hexadecimal digits, blanks around them left out; `None` for any other text.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        std::str::from_utf8(text).ok().and_then(|text| hex::decode_32(text.trim())).map(Self)
    }

    /// Its bytes: for a cipher, and for the file that it is kept in.
    #[must_use]
    pub fn reveal(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey of {KEY_BYTES} bytes")
    }
}

/// Overwrites bytes that were secret.
pub fn wipe(bytes: &mut [u8]) {
    bytes.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_64_digits_and_prints_as_its_length() {
        let digits = "0f".repeat(32);
        let key = SecretKey::parse(format!("{digits}\n").as_bytes()).unwrap();
        assert_eq!(key.reveal(), &[15; 32]);
        assert_eq!(format!("{key:?}"), "SecretKey of 32 bytes");
        for bad in ["", "0f", &digits[2..], &format!("{digits}0f"), &"g".repeat(64)] {
            assert!(SecretKey::parse(bad.as_bytes()).is_none(), "{bad}");
        }
        assert!(SecretKey::parse(&[0xff; 64]).is_none());
        let (one, other) = (SecretKey::random().unwrap(), SecretKey::random().unwrap());
        assert_ne!(one.reveal(), other.reveal());
    }

    #[test]
    fn what_was_secret_is_overwritten() {
        let mut bytes = [7; 40];
        wipe(&mut bytes);
        assert_eq!(bytes, [0; 40]);
    }
}
