//! Sign-in at a provider: who users are there, and the session that a browser gets when it comes back. Nobody comes in who is
//! known there alone: an administrator says who is who.

use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::audit::{Caller, Happening, Identity, Kind, Object};
use crate::base::clock;
use crate::base::ids::UserName;
use crate::base::limits::{SSO_AT_ONCE_MAX, SSO_ISSUER_BYTES_MAX};
use crate::casework::access::sessions::{self, Begun, Opened};
use crate::casework::access::{factors, require, require_own};
use crate::casework::enrol::blocking;
use crate::casework::{CaseworkError, Desk};
use crate::crypto::tokens::Secret;
use crate::records::{Basis, IdentityRecord, UserState};
use crate::rights::Permission;
use crate::sso::claims::is_subject;
use crate::sso::provider::Brought;
use crate::sso::{Provider, SsoError};

/// Requests to the provider at once: each holds a thread for some seconds at worst.
static AT_ONCE: Semaphore = Semaphore::const_new(SSO_AT_ONCE_MAX);

/// What came of a sign-in at the provider.
#[derive(Debug)]
pub enum Came {
    /// A session.
    Done(Box<Opened>),
    /// Nobody here is who the provider says, or they may not come in.
    Stranger,
    /// One of their roles takes a second factor, and the provider does not say that they showed one.
    FactorWanted,
}

/// Says that a user is who a provider calls so.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::Access`], [`CaseworkError::People`].
pub async fn link(
    desk: &Desk,
    caller: &Caller,
    name: &UserName,
    (issuer, subject): (&str, &str),
) -> Result<(), CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    let plain = |text: &str| !text.chars().any(|letter| letter.is_control() || letter.is_whitespace());
    if issuer.is_empty() || issuer.len() > SSO_ISSUER_BYTES_MAX || !plain(issuer) {
        let said = format!("a provider is named by its address, in at most {SSO_ISSUER_BYTES_MAX} bytes");
        return Err(CaseworkError::Access(said));
    }
    if !is_subject(subject) {
        let said =
            "a provider names somebody by 1 to 255 characters of ASCII (the claim `sub` of its tokens)".to_owned();
        return Err(CaseworkError::Access(said));
    }
    Ok(desk.vault.people_book().link(caller, name, (issuer, subject)).await?)
}

/// Says that a user is not who a provider calls so, or not any more.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`].
pub async fn unlink(
    desk: &Desk,
    caller: &Caller,
    name: &UserName,
    identity: (&str, &str),
) -> Result<(), CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    Ok(desk.vault.people_book().unlink(caller, name, identity).await?)
}

/// Who a user is at providers.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`].
pub async fn list(desk: &Desk, caller: &Caller, name: &UserName) -> Result<Vec<IdentityRecord>, CaseworkError> {
    require_own(caller, name)?;
    let book = desk.vault.people_book();
    let user = book.user(name).await?;
    let found = book.identities(user.id).await?;
    desk.vault.acting_for(caller).tell(&Happening::new(Kind::UserRead).about([Object::User(user.id)])).await?;
    Ok(found)
}

/// Begins a sign-in: where the browser is to go, and what it carries meanwhile.
///
/// # Errors
/// [`CaseworkError::Sso`].
pub async fn begin(provider: &Arc<Provider>) -> Result<(String, Secret), CaseworkError> {
    asked(provider, |provider| provider.begin(clock::now_s())).await
}

/// Ends a sign-in with a session, for a user who is who the provider says. `as_whom` makes a caller of who that is.
///
/// # Errors
/// [`CaseworkError::Sso`], what the records say.
pub async fn end(
    desk: &Desk,
    provider: &Arc<Provider>,
    brought: Brought,
    as_whom: impl Fn(Identity) -> Caller,
) -> Result<Came, CaseworkError> {
    let person = asked(provider, move |provider| provider.end(&brought, clock::now_s())).await?;
    let found = desk.vault.people_book().of_identity(provider.issuer(), &person.subject).await?;
    let Some(user) = found.filter(|user| user.state == UserState::Active) else { return Ok(Came::Stranger) };
    if !person.second_factor && factors::is_wanted(desk, &user).await? {
        return Ok(Came::FactorWanted);
    }
    let basis =
        Basis::Provider { issuer: provider.issuer(), subject: &person.subject, second_factor: person.second_factor };
    Ok(match sessions::begin(desk, user, basis, as_whom).await? {
        Begun::Done(opened) => Came::Done(opened),
        Begun::Changed | Begun::Spent => Came::Stranger,
    })
}

async fn asked<T: Send + 'static>(
    provider: &Arc<Provider>,
    ask: impl FnOnce(&Provider) -> Result<T, SsoError> + Send + 'static,
) -> Result<T, CaseworkError> {
    // Never closed, so there is always a permit to come.
    let _turn = AT_ONCE.acquire().await.ok();
    let provider = Arc::clone(provider);
    Ok(blocking(move || ask(&provider)).await??)
}
