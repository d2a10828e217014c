//! The file in which a gallery's key lies, or that of users' secrets, under the master key (docs/SEALED_FORMAT.md).

use crate::crypto::aead::{Cipher, NONCE_BYTES, WRAPPED_BYTES, Wrapped};
use crate::crypto::sealed::{KeyId, NamedKey, put, take};
use crate::crypto::{CryptoError, SecretKey};

const MAGIC: [u8; 8] = *b"BERTKEY\n";
const VERSION: u32 = 1;
/// The kind of a key that others, or secrets, are sealed under; no other is written.
const SEALS: u32 = 1;
/// Bytes of such a file.
pub const KEY_FILE_BYTES: usize = 128;
/// Where the part ends that the wrapped key is bound to.
const BOUND_END: usize = 32;

/// Why a key file gives no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// Something else, or damaged.
    #[error("it is no key file, or it is damaged: take it from a copy of the data folder")]
    Damaged,
    /// A newer one.
    #[error("it is a key file of version {0}, and this program reads version {VERSION}")]
    Version(u32),
    /// Nothing but zeros: destroyed.
    #[error("the key was destroyed")]
    Destroyed,
    /// Wrapped by another master key.
    #[error(
        "the master key is not the one that it lies under (where `bertillon key rotate-master` was cut short, run it again)"
    )]
    OtherMaster,
}

/// The bytes of the file of `key` under `master`.
///
/// # Errors
/// [`CryptoError`].
pub fn write(key: &NamedKey, master: &SecretKey) -> Result<[u8; KEY_FILE_BYTES], CryptoError> {
    let mut bytes = [0; KEY_FILE_BYTES];
    put(&mut bytes, 0, &MAGIC);
    put(&mut bytes, 8, &VERSION.to_le_bytes());
    put(&mut bytes, 12, &SEALS.to_le_bytes());
    put(&mut bytes, 16, &key.id.0);
    let Wrapped { nonce, sealed } = Cipher::new(master)?.seal_key(&bytes[..BOUND_END], &key.key)?;
    put(&mut bytes, 32, &nonce);
    put(&mut bytes, 44, &sealed);
    let crc = crc32fast::hash(&bytes[..124]);
    put(&mut bytes, 124, &crc.to_le_bytes());
    Ok(bytes)
}

/// The key in such a file.
///
/// # Errors
/// [`KeyFileError`].
pub fn read(bytes: &[u8], master: &SecretKey) -> Result<NamedKey, KeyFileError> {
    let bytes: &[u8; KEY_FILE_BYTES] = bytes.try_into().map_err(|_| KeyFileError::Damaged)?;
    if bytes.iter().all(|byte| *byte == 0) {
        return Err(KeyFileError::Destroyed);
    }
    if bytes[..8] != MAGIC || u32::from_le_bytes(take(bytes, 124)) != crc32fast::hash(&bytes[..124]) {
        return Err(KeyFileError::Damaged);
    }
    match u32::from_le_bytes(take(bytes, 8)) {
        VERSION => {}
        version => return Err(KeyFileError::Version(version)),
    }
    let wrapped = Wrapped { nonce: take::<NONCE_BYTES>(bytes, 32), sealed: take::<WRAPPED_BYTES>(bytes, 44) };
    let cipher = Cipher::new(master).map_err(|_| KeyFileError::OtherMaster)?;
    let key = cipher.open_key(&bytes[..BOUND_END], &wrapped).ok_or(KeyFileError::OtherMaster)?;
    Ok(NamedKey { id: KeyId(take(bytes, 16)), key })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_reads_back_under_its_master_only_and_whole_only() {
        let (master, other) = (SecretKey::new([1; 32]), SecretKey::new([2; 32]));
        let key = NamedKey { id: KeyId([3; 16]), key: SecretKey::new([4; 32]) };
        let bytes = write(&key, &master).unwrap();
        let back = read(&bytes, &master).unwrap();
        assert_eq!((back.id, back.key.reveal()), (key.id, key.key.reveal()));
        assert!(!bytes.windows(8).any(|window| window == [4; 8]), "it is not there to be read");
        assert_eq!(read(&bytes, &other).unwrap_err(), KeyFileError::OtherMaster);
        assert_eq!(read(&[0; KEY_FILE_BYTES], &master).unwrap_err(), KeyFileError::Destroyed);
        for place in 0..KEY_FILE_BYTES {
            let mut bent = bytes;
            bent[place] ^= 1;
            assert_eq!(read(&bent, &master).unwrap_err(), KeyFileError::Damaged, "{place}");
            // One who repairs the checksum too.
            let crc = crc32fast::hash(&bent[..124]);
            put(&mut bent, 124, &crc.to_le_bytes());
            // Where nothing is written nothing is bound.
            assert_eq!(read(&bent, &master).is_ok(), place >= 92, "{place}");
        }
        assert_eq!(read(&bytes[..100], &master).unwrap_err(), KeyFileError::Damaged);
    }
}
