//! What a browser carries from the beginning of a sign-in to its end: sealed, so that it can be neither read nor made by others,
//! and nothing need be remembered here of who begins and never ends.

use crate::base::limits::SSO_PASS_S;
use crate::crypto::sealed_text;
use crate::crypto::tokens::{self, Secret};
use crate::crypto::{CryptoError, SecretKey};
use crate::sso::SsoError;

const ABOUT: &str = "bertillon sign-in 1";

/// What one sign-in is told apart by.
#[derive(Debug)]
pub struct Pass {
    /// Comes back in the address: whoever ends it began it in this browser.
    pub state: Secret,
    /// Comes back in the token: it was made for this sign-in.
    pub nonce: Secret,
    /// Shown with the code: whoever gets hold of the code alone has nothing (PKCE, RFC 7636).
    pub verifier: Secret,
    until_s: u64,
}

impl Pass {
    /// A new one, that counts for [`SSO_PASS_S`] seconds.
    ///
    /// # Errors
    /// [`CryptoError::NoRandom`].
    pub fn new(now_s: u64) -> Result<Self, CryptoError> {
        let (state, nonce, verifier) = (tokens::new_token()?, tokens::new_token()?, tokens::new_token()?);
        Ok(Self { state, nonce, verifier, until_s: now_s + SSO_PASS_S })
    }

    /// For the browser's cookie.
    ///
    /// # Errors
    /// [`CryptoError`].
    pub fn seal(&self, key: &SecretKey) -> Result<Secret, CryptoError> {
        let Self { state, nonce, verifier, until_s } = self;
        let text = format!("{until_s} {} {} {}", state.reveal(), nonce.reveal(), verifier.reveal());
        sealed_text::seal(key, ABOUT, &text).map(Secret::new)
    }

    /// What a cookie has, if it was sealed here, still counts, and is of the sign-in that `state` is of.
    ///
    /// # Errors
    /// [`SsoError::Pass`].
    pub fn open(key: &SecretKey, cookie: &str, state: &str, now_s: u64) -> Result<Self, SsoError> {
        let text = sealed_text::open(key, ABOUT, cookie).ok_or(SsoError::Pass)?;
        let mut parts = text.split(' ');
        let mut next = || parts.next().ok_or(SsoError::Pass);
        let until_s = next()?.parse().map_err(|_| SsoError::Pass)?;
        let mut secret = || next().map(|part| Secret::new(part.to_owned()));
        let pass = Self { until_s, state: secret()?, nonce: secret()?, verifier: secret()? };
        let ours = tokens::same(pass.state.reveal().as_bytes(), state.as_bytes());
        if ours && now_s < pass.until_s { Ok(pass) } else { Err(SsoError::Pass) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pass_counts_for_its_state_its_key_and_ten_minutes() {
        let (key, other) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let pass = Pass::new(1_000).unwrap();
        let sealed = pass.seal(&key).unwrap();
        let (cookie, state) = (sealed.reveal(), pass.state.reveal());
        let open = |key: &SecretKey, cookie: &str, state: &str, now_s| Pass::open(key, cookie, state, now_s);
        let back = open(&key, cookie, state, 1_599).unwrap();
        assert_eq!((back.nonce, back.verifier), (pass.nonce.clone(), pass.verifier.clone()));
        assert!(open(&key, cookie, state, 1_600).is_err() && open(&other, cookie, state, 1_000).is_err());
        for wrong in ["", "x", pass.nonce.reveal(), &state[1..]] {
            assert!(matches!(open(&key, cookie, wrong, 1_000), Err(SsoError::Pass)), "{wrong}");
        }
        for place in (0..cookie.len()).step_by(7) {
            assert!(open(&key, &cookie[..place], state, 1_000).is_err());
        }
        let another = Pass::new(1_000).unwrap().seal(&key).unwrap();
        assert!(open(&key, another.reveal(), state, 1_000).is_err(), "one sign-in's cookie, another's address");
        assert!(!format!("{pass:?}").contains(state));
    }
}
