//! Sign-in at a provider of the settings (OpenID Connect, code flow with PKCE): where a browser is sent, what comes back, and
//! whether the token in it counts. Knows no users: it tells who somebody is there, and by what they showed it.

pub mod claims;
pub mod pass;
pub mod provider;
mod wire;

pub use claims::{Fault, Person};
pub use pass::Pass;
pub use provider::Provider;

use crate::crypto::CryptoError;
use crate::crypto::jws::JwsError;

/// Why nobody comes in through the provider.
#[derive(Debug, thiserror::Error)]
pub enum SsoError {
    /// A setting.
    #[error("{0}")]
    Setting(String),
    /// The provider does not answer, or not as one does.
    #[error("the provider's {what}: {reason}")]
    Provider {
        /// What was asked of it.
        what: &'static str,
        /// What came.
        reason: String,
    },
    /// The provider takes not what the browser brought: a code of another time or place.
    #[error("the provider did not take the code that the browser brought")]
    Code,
    /// What the browser brought is not what it was given here.
    #[error("the sign-in was begun in another browser, or too long ago")]
    Pass,
    /// The token's signature.
    #[error("the provider's token is refused: {0}")]
    Token(#[from] JwsError),
    /// What the token says.
    #[error("the provider's token is refused: {0}")]
    Claim(#[from] Fault),
    /// Randomness, or the cipher.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl SsoError {
    /// Whether the provider or the settings are at fault, and not what somebody brought.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Setting(_) | Self::Provider { .. } | Self::Crypto(_))
    }
}
