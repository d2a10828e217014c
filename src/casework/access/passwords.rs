//! Passwords: set, and compared with what somebody types. Wrong ones lock a user for a while, counted in the records.

use tokio::sync::Semaphore;

use crate::audit::Caller;
use crate::base::ids::UserName;
use crate::base::limits::{PASSWORD_BYTES_MAX, PASSWORD_CHARS_MIN};
use crate::casework::access::require;
use crate::casework::enrol::blocking;
use crate::casework::{CaseworkError, Desk};
use crate::crypto::CryptoError;
use crate::crypto::password::{self, Kept};
use crate::crypto::tokens::Secret;
use crate::gallery::GalleryError;
use crate::records::{Attempt, UserRecord};
use crate::rights::Permission;

/// Hashes at once, each of 19 MiB: so that sign-ins can't take all memory or all cores.
static AT_ONCE: Semaphore = Semaphore::const_new(2);

/// What came of a try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// It is them.
    Welcome(Box<UserRecord>),
    /// Name or password are wrong, or the user may not come in; which of these is not told.
    Wrong,
    /// After too many wrong passwords, not before then.
    Later(String),
}

/// Gives a user a password. They may do it themselves, an administrator may for everybody.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::Access`] for one that is too short, [`CaseworkError::People`].
pub async fn set(desk: &Desk, caller: &Caller, name: &UserName, password: Secret) -> Result<(), CaseworkError> {
    if caller.identity().is_none_or(|identity| identity.name != *name) {
        require(caller, Permission::UserManage, None)?;
    }
    check(&password)?;
    let kept = hashed(move || password::keep(password.reveal())).await?;
    Ok(desk.vault.people_book().set_password(caller, name, &kept.text(), false).await?)
}

fn check(password: &Secret) -> Result<(), CaseworkError> {
    let text = password.reveal();
    let fits = text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX;
    if fits && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err(CaseworkError::Access(format!(
        "a password has {PASSWORD_CHARS_MIN} characters at least and {PASSWORD_BYTES_MAX} bytes at most, none of them a \
         control character; it needs nothing else"
    )))
}

/// Compares a password with a user's. Takes as long for a name that nobody has.
///
/// # Errors
/// What the records say. A wrong password is none.
pub async fn try_it(desk: &Desk, name: &str, password: Secret) -> Result<Entry, CaseworkError> {
    let book = desk.vault.people_book();
    let long = password.reveal().len() > PASSWORD_BYTES_MAX;
    let attempt = match name.parse::<UserName>() {
        Ok(name) if !long => book.attempt(&name).await?,
        Ok(_) | Err(_) => Attempt::Hopeless,
    };
    let (user, kept) = match attempt {
        Attempt::Compare(user, text) => (user, text),
        Attempt::Later(until) => {
            hashed(move || password::waste(password.reveal())).await?;
            return Ok(Entry::Later(until));
        }
        Attempt::Hopeless => {
            let password = if long { Secret::new(String::new()) } else { password };
            hashed(move || password::waste(password.reveal())).await?;
            return Ok(Entry::Wrong);
        }
    };
    let kept = Kept::parse(&kept)
        .ok_or_else(|| CaseworkError::Access(format!("the password of {} is damaged: set a new one", user.name)))?;
    let old = kept.is_old();
    let (password, right) = hashed(move || kept.is(password.reveal()).map(|right| (password, right))).await?;
    if !right {
        return Ok(Entry::Wrong);
    }
    book.let_in(user.id).await.map_err(GalleryError::from)?;
    if old {
        let kept = hashed(move || password::keep(password.reveal())).await?;
        book.set_password(&Caller::itself("a sign-in"), &user.name, &kept.text(), true).await?;
    }
    Ok(Entry::Welcome(user))
}

async fn hashed<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CryptoError> + Send + 'static,
) -> Result<T, CaseworkError> {
    // Never closed, so there is always a permit to come.
    let _turn = AT_ONCE.acquire().await.ok();
    blocking(work).await?.map_err(|error| CaseworkError::Stopped(error.to_string()))
}
