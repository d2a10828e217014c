//! Passwords: set, and compared with what somebody types, with a code beside them where the user has a second factor. Wrong tries
//! lock a user for a while, counted in the records.

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::audit::Caller;
use crate::base::ids::UserName;
use crate::base::limits::{HASHES_AT_ONCE, PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN, SIGN_INS_WAITING_MAX};
use crate::base::text::is_plain;
use crate::casework::access::{factors, require_own};
use crate::casework::enrol::blocking;
use crate::casework::{CaseworkError, Desk};
use crate::crypto::CryptoError;
use crate::crypto::password::{self, Kept};
use crate::crypto::tokens::Secret;
use crate::records::{Attempt, Compared, UserRecord};

/// Hashes at once, each of 19 MiB: so that sign-ins can't take all memory or all cores.
static AT_ONCE: Semaphore = Semaphore::const_new(HASHES_AT_ONCE);
/// Sign-ins that hash, or wait for it.
static SEATS: Semaphore = Semaphore::const_new(HASHES_AT_ONCE + SIGN_INS_WAITING_MAX);

/// A place among those who sign in, until it is dropped.
#[derive(Debug)]
pub struct Seat {
    _held: SemaphorePermit<'static>,
}

/// Takes a place among those who sign in, before anything is done for them.
///
/// # Errors
/// [`CaseworkError::Crowded`] when all are taken.
pub fn seat() -> Result<Seat, CaseworkError> {
    SEATS.try_acquire().map(|held| Seat { _held: held }).map_err(|_| CaseworkError::Crowded)
}

/// What somebody typed who wants to come in.
#[derive(Debug)]
pub struct Typed {
    /// A user's name.
    pub name: String,
    /// Their password.
    pub password: Secret,
    /// A code of their second factor.
    pub code: Option<Secret>,
}

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry<T> {
    /// It is them.
    Welcome(T),
    /// Name, password or code are wrong, or the user may not come in; which of these is not told.
    Wrong,
    /// The password was right, and it takes a code beside it.
    CodeWanted,
    /// The password was right, and the user has a role that takes a second factor, and no such factor.
    FactorWanted,
    /// After too many wrong passwords, not before then. It is not told whose they were, so it is to be answered like a wrong one.
    Later(String),
}

impl<T> Entry<T> {
    /// Who comes in, or else the refusal.
    pub(super) fn came<U>(self) -> Result<T, Entry<U>> {
        Err(match self {
            Self::Welcome(who) => return Ok(who),
            Self::Wrong => Entry::Wrong,
            Self::CodeWanted => Entry::CodeWanted,
            Self::FactorWanted => Entry::FactorWanted,
            Self::Later(until) => Entry::Later(until),
        })
    }
}

/// Whom a try was right for, and with what it was compared.
pub(super) type Right = (Box<UserRecord>, Compared);

/// Gives a user a password. They may do it themselves, an administrator may for everybody.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::Access`] for one that is too short, [`CaseworkError::People`].
pub async fn set(desk: &Desk, caller: &Caller, name: &UserName, password: Secret) -> Result<(), CaseworkError> {
    require_own(caller, name)?;
    check(&password)?;
    let kept = hashed(move || password::keep(password.reveal())).await?;
    Ok(desk.vault.people_book().set_password(caller, name, &kept.text()).await?)
}

fn check(password: &Secret) -> Result<(), CaseworkError> {
    let text = password.reveal();
    let fits = text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX;
    if fits && is_plain(text) {
        return Ok(());
    }
    Err(CaseworkError::Access(format!(
        "a password has {PASSWORD_CHARS_MIN} characters at least and {PASSWORD_BYTES_MAX} bytes at most, none of them a \
         control character; it needs nothing else"
    )))
}

/// Begins a try: every one counts towards the lock until one is right in all of it, else whoever knows the password could try
/// all codes.
pub(super) async fn begin(desk: &Desk, typed: &Typed) -> Result<Attempt, CaseworkError> {
    match typed.name.parse::<UserName>() {
        Ok(name) if !is_long(typed) => Ok(desk.vault.people_book().attempt(&name).await?),
        Ok(_) | Err(_) => Ok(Attempt::Hopeless),
    }
}

/// Compares a password with a user's, and a code with their second factor, at a moment in seconds since 1970. Takes as long for a
/// name that nobody has. Nothing is used up by it: what it was compared with may be another by now, so [`Compared`] is looked at
/// again where somebody is let in.
pub(super) async fn compare(
    desk: &Desk,
    typed: &Typed,
    attempt: Attempt,
    now_s: u64,
) -> Result<Entry<Right>, CaseworkError> {
    let password = if is_long(typed) { Secret::new(String::new()) } else { typed.password.clone() };
    let (user, text) = match attempt {
        Attempt::Compare(user, text) => (user, text),
        Attempt::Later(until) => {
            hashed(move || password::waste(password.reveal())).await?;
            return Ok(Entry::Later(until));
        }
        Attempt::Hopeless => {
            hashed(move || password::waste(password.reveal())).await?;
            return Ok(Entry::Wrong);
        }
    };
    let kept = Kept::parse(&text)
        .ok_or_else(|| CaseworkError::Access(format!("the password of {} is damaged: set a new one", user.name)))?;
    if !hashed(move || kept.is(password.reveal())).await? {
        return Ok(Entry::Wrong);
    }
    beyond_password(desk, user, text, typed.code.as_ref(), now_s).await
}

fn is_long(typed: &Typed) -> bool {
    typed.password.reveal().len() > PASSWORD_BYTES_MAX
}

/// What becomes of somebody whose password was right.
async fn beyond_password(
    desk: &Desk,
    user: Box<UserRecord>,
    password: String,
    code: Option<&Secret>,
    now_s: u64,
) -> Result<Entry<Right>, CaseworkError> {
    let factor = desk.vault.people_book().factor(user.id).await?.filter(|factor| factor.confirmed_at.is_some());
    let beside = match (factor, code.filter(|code| !code.reveal().trim().is_empty())) {
        (None, _) if factors::is_wanted(desk, &user).await? => return Ok(Entry::FactorWanted),
        (None, _) => None,
        (Some(_), None) => return Ok(Entry::CodeWanted),
        (Some(factor), Some(code)) => {
            let shown = factors::shown(desk, &user, &factor, code, now_s).await?;
            Some((factor.sealed, shown))
        }
    };
    Ok(Entry::Welcome((user, Compared { password, beside })))
}

/// Keeps a password at today's cost that was right, and kept as `old` at less.
pub(super) async fn renew(desk: &Desk, user: i64, password: Secret, old: &str) -> Result<(), CaseworkError> {
    if !Kept::parse(old).is_some_and(|kept| kept.is_old()) {
        return Ok(());
    }
    let new = hashed(move || password::keep(password.reveal())).await?;
    Ok(desk.vault.people_book().renew_password(user, old, &new.text()).await?)
}

async fn hashed<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CryptoError> + Send + 'static,
) -> Result<T, CaseworkError> {
    // Never closed, so there is always a permit to come.
    let _turn = AT_ONCE.acquire().await.ok();
    blocking(work).await?.map_err(|error| CaseworkError::Stopped(error.to_string()))
}
