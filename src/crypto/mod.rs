//! Cryptography, all of it from one library: random bytes for secrets, and signatures. Knows nothing of what it is used for.

pub mod random;
pub mod sign;

pub use sign::{PublicKey, Signature, SigningKey};

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum CryptoError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandom,
    /// A key that is none.
    #[error("{0} is no Ed25519 key: 64 hexadecimal digits")]
    NoKey(&'static str),
}
