//! Cryptography, from one library but for passwords: random bytes for secrets, tokens, passwords as they are kept, signatures,
//! tokens that others signed, and sealed blobs. Knows nothing of what it is used for, and no files.

pub mod aead;
pub mod jws;
pub mod key_file;
pub mod password;
pub mod random;
pub mod sealed;
pub mod sealed_text;
pub mod secret;
pub mod sign;
pub mod tokens;
pub mod totp;

pub use sealed::{BlobKind, KeyId, NamedKey, SealedError};
pub use secret::SecretKey;
pub use sign::{PublicKey, Signature, SigningKey};

/// What can go wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CryptoError {
    /// The system gives no random bytes.
    #[error("the system gives no random bytes")]
    NoRandom,
    /// A key that is none.
    #[error("{0} is no Ed25519 key: 64 hexadecimal digits")]
    NoKey(&'static str),
    /// A password that can't be hashed.
    #[error("the password can't be hashed")]
    Password,
    /// A cipher that does not work.
    #[error("the cipher failed")]
    Cipher,
}
