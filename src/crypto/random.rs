//! Random bytes for keys, tokens and salts. Everything that only has to look random takes `base::random`, which can be
//! repeated.

use ring::rand::{SecureRandom, SystemRandom};

use crate::crypto::CryptoError;

/// `N` bytes that nobody can foretell.
///
/// # Errors
/// [`CryptoError::NoRandom`].
pub fn bytes<const N: usize>() -> Result<[u8; N], CryptoError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| CryptoError::NoRandom)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #[test]
    fn no_two_are_alike() {
        let mut seen = std::collections::BTreeSet::new();
        assert!((0..100).all(|_| seen.insert(super::bytes::<16>().unwrap())));
    }
}
