//! Short texts that somebody else carries for us, and can neither read nor change.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::base::limits::SEALED_TEXT_BYTES_MAX;
use crate::crypto::aead::{Cipher, NONCE_BYTES};
use crate::crypto::{CryptoError, SecretKey, random};

/// Seals a text; `about` must be the same at opening.
///
/// # Errors
/// [`CryptoError`].
pub fn seal(key: &SecretKey, about: &str, text: &str) -> Result<String, CryptoError> {
    let nonce = random::bytes::<NONCE_BYTES>()?;
    let mut bytes = text.as_bytes().to_vec();
    let tag = Cipher::new(key)?.seal(nonce, about.as_bytes(), &mut bytes)?;
    Ok(URL_SAFE_NO_PAD.encode([&nonce[..], &bytes, &tag].concat()))
}

/// Opens what was sealed; `None` where it was sealed under another key, about something else, or changed.
#[must_use]
pub fn open(key: &SecretKey, about: &str, sealed: &str) -> Option<String> {
    if sealed.len() > SEALED_TEXT_BYTES_MAX {
        return None;
    }
    let mut bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_first_chunk_mut::<NONCE_BYTES>()?;
    let opened = Cipher::new(key).ok()?.open(*nonce, about.as_bytes(), sealed)?;
    String::from_utf8(opened.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_for_its_key_about_the_same_only() {
        let (key, other) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let sealed = seal(&key, "this", "a text").unwrap();
        assert_eq!(open(&key, "this", &sealed).as_deref(), Some("a text"));
        assert_eq!(open(&key, "this", &seal(&key, "this", "").unwrap()).as_deref(), Some(""));
        assert!(open(&other, "this", &sealed).is_none() && open(&key, "that", &sealed).is_none());
        for place in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent.replace_range(place..=place, if &sealed[place..=place] == "A" { "B" } else { "A" });
            assert!(open(&key, "this", &bent).is_none() && open(&key, "this", &sealed[..place]).is_none(), "{place}");
        }
        assert!(open(&key, "this", &"A".repeat(SEALED_TEXT_BYTES_MAX + 1)).is_none());
    }
}
