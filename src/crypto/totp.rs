//! Codes that change every half minute (TOTP, RFC 6238: HMAC-SHA1, six digits), as apps for telephones make them, and codes on
//! paper for when the telephone is gone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::hmac;

use crate::crypto::aead::{Cipher, NONCE_BYTES, WRAPPED_BYTES, Wrapped};
use crate::crypto::tokens::{self, Secret};
use crate::crypto::{CryptoError, SecretKey, random};

/// Seconds that a code is for.
pub const STEP_S: u64 = 30;
/// Digits of a code.
pub const CODE_DIGITS: usize = 6;
/// Codes on paper that somebody gets.
pub const RECOVERY_CODES: usize = 8;
/// Bytes of the secret, as RFC 4226 advises.
const SECRET_BYTES: usize = 20;
/// 80 random bits can't be tried through by anybody, so a plain hash of them is kept.
const RECOVERY_BYTES: usize = 10;
const RECOVERY_CHARS: usize = 16;
const RECOVERY_GROUP: usize = 4;
/// RFC 4648.
const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// What codes are made of: the first bytes of a key, so that it is sealed as keys are. Prints as its length.
#[derive(Debug)]
pub struct TotpSecret(SecretKey);

/// A code on paper: counts once.
#[derive(Debug)]
pub struct RecoveryCode {
    /// For its owner.
    pub text: Secret,
    /// What is kept of it.
    pub sha256: [u8; 32],
}

impl TotpSecret {
    /// A new one.
    ///
    /// # Errors
    /// [`CryptoError::NoRandom`].
    pub fn random() -> Result<Self, CryptoError> {
        SecretKey::random().map(Self)
    }

    fn bytes(&self) -> &[u8] {
        &self.0.reveal()[..SECRET_BYTES]
    }

    /// As it is typed into an app.
    #[must_use]
    pub fn text(&self) -> Secret {
        Secret::new(base32(self.bytes()))
    }

    /// The same as an address, for a QR code.
    #[must_use]
    pub fn uri(&self, name: &str) -> Secret {
        let text = base32(self.bytes());
        Secret::new(format!(
            "otpauth://totp/Bertillon:{name}?secret={text}&issuer=Bertillon&algorithm=SHA1&digits={CODE_DIGITS}&period={STEP_S}"
        ))
    }

    /// The code of a step.
    #[must_use]
    pub fn code(&self, step: u64) -> Secret {
        Secret::new(format!("{:06}", truncated(self.bytes(), step) % 1_000_000))
    }

    /// The first step after `last` that `code` is the code of, among that of the moment `now_s` (seconds since 1970) and its
    /// neighbours, since clocks differ.
    #[must_use]
    pub fn step_of(&self, code: &str, now_s: u64, last: u64) -> Option<u64> {
        let now = step_at(now_s);
        let near = now.saturating_sub(1)..=now.saturating_add(1);
        near.filter(|step| *step > last)
            .find(|step| tokens::same(self.code(*step).reveal().as_bytes(), code.as_bytes()))
    }

    /// Sealed under a key, for one user.
    ///
    /// # Errors
    /// [`CryptoError`].
    pub fn seal(&self, key: &SecretKey, user: i64) -> Result<String, CryptoError> {
        let Wrapped { nonce, sealed } = Cipher::new(key)?.seal_key(&about(user), &self.0)?;
        Ok(STANDARD_NO_PAD.encode([&nonce[..], &sealed].concat()))
    }

    /// Opens what was sealed; `None` where it was sealed under another key, for another user, or changed.
    #[must_use]
    pub fn open(key: &SecretKey, user: i64, text: &str) -> Option<Self> {
        if text.len() > 2 * (NONCE_BYTES + WRAPPED_BYTES) {
            return None;
        }
        let bytes = STANDARD_NO_PAD.decode(text).ok()?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_BYTES>()?;
        let wrapped = Wrapped { nonce: *nonce, sealed: sealed.try_into().ok()? };
        Cipher::new(key).ok()?.open_key(&about(user), &wrapped).map(Self)
    }
}

/// The step of a moment, in seconds since 1970.
#[must_use]
pub fn step_at(now_s: u64) -> u64 {
    now_s / STEP_S
}

/// Makes codes on paper.
///
/// # Errors
/// [`CryptoError::NoRandom`].
pub fn recovery_codes() -> Result<Vec<RecoveryCode>, CryptoError> {
    let one = |_| {
        let plain = base32(&random::bytes::<RECOVERY_BYTES>()?).to_ascii_lowercase();
        let groups: Vec<&str> =
            (0..RECOVERY_CHARS).step_by(RECOVERY_GROUP).map(|at| &plain[at..at + RECOVERY_GROUP]).collect();
        Ok(RecoveryCode { text: Secret::new(groups.join("-")), sha256: tokens::hash(&plain) })
    };
    (0..RECOVERY_CODES).map(one).collect()
}

/// What is kept of a code on paper that somebody typed, however they parted it; `None` for what has not the form of one.
#[must_use]
pub fn recovery_hash(typed: &str) -> Option<[u8; 32]> {
    let plain: String = typed.chars().filter(|letter| !letter.is_whitespace() && *letter != '-').collect();
    let known = plain.bytes().all(|byte| BASE32.contains(&byte.to_ascii_uppercase()));
    (plain.len() == RECOVERY_CHARS && known).then(|| tokens::hash(&plain.to_ascii_lowercase()))
}

/// Section 5.3 of RFC 4226.
fn truncated(secret: &[u8], step: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &step.to_be_bytes());
    let tag = tag.as_ref();
    let at = tag.last().map_or(0, |byte| usize::from(byte & 15));
    let four = tag.get(at..at + 4).and_then(|four| four.try_into().ok()).unwrap_or_default();
    u32::from_be_bytes(four) & 0x7fff_ffff
}

fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(5) * 8);
    let (mut held, mut bits) = (0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            text.push(char::from(BASE32[(held >> bits) as usize & 31]));
        }
        held &= (1 << bits) - 1;
    }
    if bits > 0 {
        text.push(char::from(BASE32[(held << (5 - bits)) as usize & 31]));
    }
    text
}

fn about(user: i64) -> Vec<u8> {
    format!("bertillon second factor 1\n{user}").into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn secret() -> TotpSecret {
        let mut bytes = [0; 32];
        bytes[..20].copy_from_slice(b"12345678901234567890");
        TotpSecret(SecretKey::new(bytes))
    }

    /// RFC 6238, appendix B (SHA-1), which has eight digits; RFC 4226, appendix D.
    #[test]
    fn codes_are_those_of_the_standards() {
        let table = [
            (59, 94_287_082),
            (1_111_111_109, 7_081_804),
            (1_111_111_111, 14_050_471),
            (1_234_567_890, 89_005_924),
            (2_000_000_000, 69_279_037),
            (20_000_000_000, 65_353_130),
        ];
        for (moment, digits) in table {
            assert_eq!(truncated(b"12345678901234567890", step_at(moment)) % 100_000_000, digits, "{moment}");
        }
        let counted =
            ["755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489"];
        for (step, digits) in counted.into_iter().enumerate() {
            assert_eq!(secret().code(step as u64).reveal(), digits);
        }
    }

    /// RFC 4648, section 10, without padding.
    #[test]
    fn secrets_are_written_as_apps_read_them() {
        for (plain, text) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(base32(plain.as_bytes()), text);
        }
        assert_eq!(secret().text().reveal(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert!(secret().uri("una").reveal().starts_with("otpauth://totp/Bertillon:una?secret=GEZDG"));
        assert_eq!(format!("{:?}", secret()), "TotpSecret(SecretKey of 32 bytes)");
    }

    #[test]
    fn a_sealed_secret_opens_for_its_key_and_its_user_only() {
        let (key, other) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let sealed = secret().seal(&key, 7).unwrap();
        assert_eq!(TotpSecret::open(&key, 7, &sealed).unwrap().text(), secret().text());
        assert!(TotpSecret::open(&key, 8, &sealed).is_none() && TotpSecret::open(&other, 7, &sealed).is_none());
        for place in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent.replace_range(place..=place, if &sealed[place..=place] == "A" { "B" } else { "A" });
            assert!(TotpSecret::open(&key, 7, &bent).is_none(), "{place}");
        }
        for bad in ["", "A", "no base64!", &"A".repeat(9_999)] {
            assert!(TotpSecret::open(&key, 7, bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn codes_on_paper_are_known_however_they_are_typed() {
        let codes = recovery_codes().unwrap();
        let all: std::collections::BTreeSet<_> = codes.iter().map(|code| code.sha256).collect();
        assert_eq!((codes.len(), all.len()), (RECOVERY_CODES, RECOVERY_CODES));
        let text = codes[0].text.reveal();
        assert_eq!(text.len(), 19);
        for typed in
            [text.to_owned(), text.to_ascii_uppercase(), text.replace('-', ""), format!(" {} ", text.replace('-', " "))]
        {
            assert_eq!(recovery_hash(&typed), Some(codes[0].sha256), "{typed}");
        }
        for bad in ["", "123456", &text[1..], &format!("{text}a"), &text.replace('-', "1"), "éééééééé"] {
            assert_eq!(recovery_hash(bad), None, "{bad}");
        }
    }

    proptest! {
        /// A code counts in its own half minute and the two beside it, and never for a step that was taken, or one before it.
        #[test]
        fn a_code_counts_near_its_step_and_after_the_last_one(
            at in 100_u64..1 << 40, skew in -5_i64..=5, last_back in 0_u64..5
        ) {
            let step = step_at(at);
            let secret = secret();
            let code = secret.code(step);
            let now = at.saturating_add_signed(skew * STEP_S as i64);
            let last = step + 2 - last_back;
            match secret.step_of(code.reveal(), now, last) {
                Some(found) => {
                    prop_assert!(found > last && found.abs_diff(step_at(now)) <= 1);
                    prop_assert_eq!(&secret.code(found), &code);
                }
                None => prop_assert!(skew.abs() > 1 || step <= last),
            }
            prop_assert_eq!(secret.step_of(&code.reveal()[1..], now, 0), None);
        }
    }
}
