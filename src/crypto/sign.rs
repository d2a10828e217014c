//! Ed25519 signatures (RFC 8032). What is signed begins with a line that says what for, so that a signature of one kind of
//! thing never counts for another.

use std::fmt;

use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

use crate::base::hex;
use crate::crypto::CryptoError;

/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A key that signs. Prints as its public half.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A key by which signatures are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(pub [u8; 32]);

/// A signature.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(pub [u8; SIGNATURE_BYTES]);

impl SigningKey {
    /// From its 32 secret bytes.
    ///
    /// # Errors
    /// [`CryptoError::NoKey`].
    pub fn from_seed(seed: &[u8; 32]) -> Result<Self, CryptoError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| CryptoError::NoKey("the seed"))?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| CryptoError::NoKey("its public half"))?;
        Ok(Self { pair, public: PublicKey(public) })
    }

    /// The half that others may have.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs `text` as being a `what`, such as `bertillon checkpoint 1`.
    #[must_use]
    pub fn sign(&self, what: &str, text: &str) -> Signature {
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes.copy_from_slice(self.pair.sign(framed(what, text).as_bytes()).as_ref());
        Signature(bytes)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey of {}", self.public)
    }
}

impl PublicKey {
    /// From 64 hexadecimal digits.
    ///
    /// # Errors
    /// [`CryptoError::NoKey`].
    pub fn parse(text: &str) -> Result<Self, CryptoError> {
        hex::decode_32(text.trim()).map(Self).ok_or(CryptoError::NoKey("this"))
    }

    /// Whether `signature` is of `text` as a `what`.
    #[must_use]
    pub fn signed(&self, what: &str, text: &str, signature: &Signature) -> bool {
        UnparsedPublicKey::new(&ED25519, self.0).verify(framed(what, text).as_bytes(), &signature.0).is_ok()
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl Signature {
    /// From 128 hexadecimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (first, second) = text.split_at_checked(2 * 32)?;
        let mut bytes = [0; SIGNATURE_BYTES];
        bytes[..32].copy_from_slice(&hex::decode_32(first)?);
        bytes[32..].copy_from_slice(&hex::decode_32(second)?);
        Some(Self(bytes))
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

fn framed(what: &str, text: &str) -> String {
    format!("{what}\n{text}")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, tests 1 and 2: what makes this Ed25519 and nothing else.
    #[test]
    fn public_keys_are_those_of_the_standard() {
        let pairs = [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            ),
            (
                "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
                "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            ),
        ];
        for (seed, public) in pairs {
            let key = SigningKey::from_seed(&hex::decode_32(seed).unwrap()).unwrap();
            assert_eq!(key.public().to_string(), public);
            assert!(!format!("{key:?}").contains(seed));
        }
    }

    #[test]
    fn a_signature_counts_for_what_was_signed_by_whom_as_what() {
        let (key, other) = (SigningKey::from_seed(&[7; 32]).unwrap(), SigningKey::from_seed(&[8; 32]).unwrap());
        let signature = key.sign("bertillon test 1", "so be it");
        assert_eq!(Signature::parse(&signature.to_string()), Some(signature));
        assert!(key.public().signed("bertillon test 1", "so be it", &signature));
        assert!(!key.public().signed("bertillon test 1", "so be it.", &signature));
        assert!(!key.public().signed("bertillon test 2", "so be it", &signature));
        assert!(!other.public().signed("bertillon test 1", "so be it", &signature));
        let mut bent = signature;
        bent.0[40] ^= 1;
        assert!(!key.public().signed("bertillon test 1", "so be it", &bent));
        for bad in ["", "00", &"zz".repeat(64), &"é".repeat(64)] {
            assert_eq!(Signature::parse(bad), None, "{bad:?}");
        }
        assert!(PublicKey::parse("12").is_err());
    }
}
