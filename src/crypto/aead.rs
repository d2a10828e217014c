//! AES-256-GCM, HMAC-SHA256 and HKDF-SHA256, as far as sealed blobs and their keys need them.

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac;

use crate::crypto::secret::{KEY_BYTES, SecretKey, wipe};
use crate::crypto::{CryptoError, random};

/// Bytes by which a sealed text is longer: what shows that nobody changed it.
pub const TAG_BYTES: usize = 16;
/// Bytes of what may be used once only with one key.
pub const NONCE_BYTES: usize = 12;
/// Bytes of a key under another key.
pub const WRAPPED_BYTES: usize = KEY_BYTES + TAG_BYTES;

/// A key that seals and opens. Prints as its algorithm.
#[derive(Debug)]
pub struct Cipher(LessSafeKey);

/// A key under another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wrapped {
    /// Drawn for this wrapping.
    pub nonce: [u8; NONCE_BYTES],
    /// The key, sealed.
    pub sealed: [u8; WRAPPED_BYTES],
}

impl Cipher {
    /// From a key.
    ///
    /// # Errors
    /// [`CryptoError::Cipher`]; not with 32 bytes.
    pub fn new(key: &SecretKey) -> Result<Self, CryptoError> {
        let key = UnboundKey::new(&AES_256_GCM, key.reveal()).map_err(|_| CryptoError::Cipher)?;
        Ok(Self(LessSafeKey::new(key)))
    }

    /// Seals `bytes` in place and gives their tag. `about` is not sealed, and must be the same at opening. A nonce must never
    /// come twice with one key.
    ///
    /// # Errors
    /// [`CryptoError::Cipher`] for more bytes than the algorithm takes (64 GiB).
    pub fn seal(
        &self,
        nonce: [u8; NONCE_BYTES],
        about: &[u8],
        bytes: &mut [u8],
    ) -> Result<[u8; TAG_BYTES], CryptoError> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self.0.seal_in_place_separate_tag(nonce, Aad::from(about), bytes).map_err(|_| CryptoError::Cipher)?;
        tag.as_ref().try_into().map_err(|_| CryptoError::Cipher)
    }

    /// Opens `sealed`, which ends with its tag, in place: the bytes; `None` where they are not what was sealed with this key,
    /// this nonce and `about`. Then nothing of them is left.
    #[must_use]
    pub fn open<'a>(&self, nonce: [u8; NONCE_BYTES], about: &[u8], sealed: &'a mut [u8]) -> Option<&'a mut [u8]> {
        let nonce = Nonce::assume_unique_for_key(nonce);
        self.0.open_in_place(nonce, Aad::from(about), sealed).ok()
    }

    /// Seals a key.
    ///
    /// # Errors
    /// [`CryptoError::NoRandom`], [`CryptoError::Cipher`].
    pub fn seal_key(&self, about: &[u8], key: &SecretKey) -> Result<Wrapped, CryptoError> {
        let nonce = random::bytes()?;
        let mut bytes = *key.reveal();
        let tag = self.seal(nonce, about, &mut bytes)?;
        let mut sealed = [0; WRAPPED_BYTES];
        sealed[..KEY_BYTES].copy_from_slice(&bytes);
        sealed[KEY_BYTES..].copy_from_slice(&tag);
        Ok(Wrapped { nonce, sealed })
    }

    /// Opens a wrapped key; `None` where it was wrapped by another key, about something else, or changed.
    #[must_use]
    pub fn open_key(&self, about: &[u8], wrapped: &Wrapped) -> Option<SecretKey> {
        let mut sealed = wrapped.sealed;
        let opened: &[u8] = self.open(wrapped.nonce, about, &mut sealed)?;
        let key = opened.try_into().ok().map(SecretKey::new);
        wipe(&mut sealed);
        key
    }
}

/// What of `bytes` nobody can tell who has not the key.
#[must_use]
pub fn keyed_hash(key: &SecretKey, bytes: &[u8]) -> [u8; 32] {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.reveal());
    let mut hash = [0; 32];
    hash.copy_from_slice(hmac::sign(&key, bytes).as_ref());
    hash
}

/// A key made of another for one use, which `label` names.
///
/// # Errors
/// [`CryptoError::Cipher`]; not with 32 bytes.
pub fn derive(key: &SecretKey, label: &str) -> Result<SecretKey, CryptoError> {
    let derived = Salt::new(HKDF_SHA256, &[]).extract(key.reveal());
    let labels = [label.as_bytes()];
    let derived = derived.expand(&labels, Length).map_err(|_| CryptoError::Cipher)?;
    let mut bytes = [0; KEY_BYTES];
    derived.fill(&mut bytes).map_err(|_| CryptoError::Cipher)?;
    Ok(SecretKey::new(bytes))
}

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_BYTES
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::hex;

    /// McGrew and Viega, "The Galois/Counter Mode of Operation", test case 14.
    #[test]
    fn sealing_is_that_of_the_standard() {
        let cipher = Cipher::new(&SecretKey::new([0; 32])).unwrap();
        let mut bytes = [0; 16];
        let tag = cipher.seal([0; 12], &[], &mut bytes).unwrap();
        assert_eq!(hex::encode(&bytes), "cea7403d4d606b6e074ec5d3baf39d18");
        assert_eq!(hex::encode(&tag), "d0d1c8a799996bf0265b98b5d48ab919");
    }

    /// RFC 4231, test case 2, and RFC 5869 with an empty salt and a key of 32 bytes, made with Python's `hmac`.
    #[test]
    fn hashes_and_derived_keys_are_those_of_the_standards() {
        let mut jefe = [0; 32];
        jefe[..4].copy_from_slice(b"Jefe");
        // A key that is shorter than a block is filled up with zeros: "Jefe" and 28 of them are the same key.
        let hash = keyed_hash(&SecretKey::new(jefe), b"what do ya want for nothing?");
        assert_eq!(hex::encode(&hash), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
        let derived = derive(&SecretKey::new([11; 32]), "bertillon lookup 1").unwrap();
        assert_eq!(hex::encode(derived.reveal()), "3caa236e8608ecdfa7ce3511059e609370926862a329889e540247470e05dd14");
    }

    #[test]
    fn a_wrapped_key_opens_for_its_key_about_the_same_only() {
        let (cipher, other) = (Cipher::new(&SecretKey::new([1; 32])), Cipher::new(&SecretKey::new([2; 32])));
        let (cipher, other) = (cipher.unwrap(), other.unwrap());
        let key = SecretKey::random().unwrap();
        let wrapped = cipher.seal_key(b"this", &key).unwrap();
        assert_eq!(cipher.open_key(b"this", &wrapped).unwrap().reveal(), key.reveal());
        assert!(cipher.open_key(b"that", &wrapped).is_none() && other.open_key(b"this", &wrapped).is_none());
        for place in 0..WRAPPED_BYTES {
            let mut bent = wrapped;
            bent.sealed[place] ^= 1;
            assert!(cipher.open_key(b"this", &bent).is_none(), "{place}");
        }
        assert_ne!(cipher.seal_key(b"this", &key).unwrap(), wrapped, "each wrapping has a nonce of its own");
    }
}
