//! Passwords, kept as Argon2id (RFC 9106) in the PHC text form. The form is written here, since the crate that does it brings a
//! second generator of random numbers.

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::crypto::tokens::same;
use crate::crypto::{CryptoError, random};

/// KiB of memory, passes, lanes: what OWASP's cheat sheet on storing passwords asks of Argon2id at least.
const COST: Cost = Cost { memory_kib: 19_456, passes: 2, lanes: 1 };
const SALT_BYTES: usize = 16;
const HASH_BYTES: usize = 32;
/// More memory than this is not taken for a text that says so: it would come from a damaged row.
const MEMORY_KIB_MAX: u32 = 262_144;
const PASSES_MAX: u32 = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Cost {
    memory_kib: u32,
    passes: u32,
    lanes: u32,
}

/// A password as it is kept. Prints as nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Kept {
    cost: Cost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

/// Makes what is kept of a password. Takes some 25 ms and 19 MiB.
///
/// # Errors
/// [`CryptoError::NoRandom`], [`CryptoError::Password`] for a password of more than 4 GiB.
pub fn keep(password: &str) -> Result<Kept, CryptoError> {
    let salt = random::bytes::<SALT_BYTES>()?.to_vec();
    let hash = derive(COST, &salt, password, HASH_BYTES)?;
    Ok(Kept { cost: COST, salt, hash })
}

/// Does the work of a check and finds nothing: how long an answer takes does not tell whether there is such a person.
///
/// # Errors
/// [`CryptoError::Password`].
pub fn waste(password: &str) -> Result<(), CryptoError> {
    derive(COST, &[0; SALT_BYTES], password, HASH_BYTES).map(drop)
}

impl Kept {
    /// Whether this is the password. Takes as long as [`keep`].
    ///
    /// # Errors
    /// [`CryptoError::Password`].
    pub fn is(&self, password: &str) -> Result<bool, CryptoError> {
        let Self { cost, salt, hash } = self;
        Ok(same(&derive(*cost, salt, password, hash.len())?, hash))
    }

    /// Whether it was made at less cost than today's, so that it should be made anew.
    #[must_use]
    pub fn is_old(&self) -> bool {
        self.cost != COST
    }

    /// The PHC text of it.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { cost: Cost { memory_kib, passes, lanes }, salt, hash } = self;
        let [salt, hash] = [salt, hash].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        format!("$argon2id$v=19$m={memory_kib},t={passes},p={lanes}${salt}${hash}")
    }

    /// From its PHC text; `None` for any other.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let parts: Vec<&str> = text.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, hash] = parts[..] else { return None };
        let mut costs = costs.split(',');
        let mut cost = |name: &str| costs.next()?.strip_prefix(name)?.parse::<u32>().ok();
        let cost = Cost { memory_kib: cost("m=")?, passes: cost("t=")?, lanes: cost("p=")? };
        let bytes = |text: &str, least: usize| {
            STANDARD_NO_PAD.decode(text).ok().filter(|bytes| (least..=64).contains(&bytes.len()))
        };
        let fits = cost.memory_kib <= MEMORY_KIB_MAX && cost.passes <= PASSES_MAX && (1..=16).contains(&cost.lanes);
        let (salt, hash) = (bytes(salt, 8)?, bytes(hash, 16)?);
        (costs.next().is_none() && fits).then_some(Self { cost, salt, hash })
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

fn derive(cost: Cost, salt: &[u8], password: &str, length: usize) -> Result<Vec<u8>, CryptoError> {
    let failed = |_: argon2::Error| CryptoError::Password;
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(length)).map_err(failed)?;
    let mut memory = vec![Block::new(); params.block_count()];
    let mut hash = vec![0; length];
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into_with_memory(password.as_bytes(), salt, &mut hash, &mut memory).map_err(failed)?;
    Ok(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A vector of the reference implementation's own tests (phc-winner-argon2, src/test.c).
    #[test]
    fn texts_of_other_programs_are_understood() {
        let text = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let kept = Kept::parse(text).unwrap();
        assert_eq!(kept.text(), text);
        assert!(kept.is("password").unwrap() && !kept.is("passwore").unwrap());
        assert!(kept.is_old());
    }

    #[test]
    fn a_password_is_itself_and_no_two_are_kept_alike() {
        let (one, two) = (keep("correct horse battery").unwrap(), keep("correct horse battery").unwrap());
        assert_ne!(one.text(), two.text());
        assert!(!one.is_old() && one.text().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let read = Kept::parse(&one.text()).unwrap();
        assert!(read.is("correct horse battery").unwrap() && !read.is("Correct horse battery").unwrap());
        assert_eq!(format!("{one:?}"), "Kept");
        assert!(waste("").is_ok());
    }

    #[test]
    fn what_is_no_such_text_is_refused() {
        let good = keep("p").unwrap().text();
        let bad = [
            "",
            "password",
            &good.replace("argon2id", "argon2i"),
            &good.replace("v=19", "v=16"),
            &good.replace("m=19456", "m=99999999"),
            &good.replace("t=2", "t=2,x=3"),
            &good.replace("p=1", "p=0"),
            &format!("{good}$"),
            &good[..good.len() - 30],
            "$argon2id$v=19$m=19456,t=2,p=1$$",
        ];
        for text in bad {
            assert_eq!(Kept::parse(text), None, "{text}");
        }
    }
}
