//! Second factors: begun, confirmed by a first code, shown at a sign-in, taken away.

use std::sync::Arc;

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::UserName;
use crate::base::limits::CODE_BYTES_MAX;
use crate::casework::access::{require, require_own};
use crate::casework::enrol::blocking;
use crate::casework::governing::in_force;
use crate::casework::{CaseworkError, Desk};
use crate::crypto::tokens::Secret;
use crate::crypto::totp::{self, TotpSecret};
use crate::crypto::{CryptoError, NamedKey};
use crate::gallery::GalleryError;
use crate::keys::{KeyError, KeyRing};
use crate::records::{FactorRecord, PeopleError, Shown, UserRecord};
use crate::rights::Permission;

/// A second factor that waits for its first code: the only moment in which its secret is known.
#[derive(Debug)]
pub struct Begun {
    /// To be typed into an app.
    pub secret: Secret,
    /// The same, for a QR code.
    pub uri: Secret,
}

/// Begins a second factor. It is asked for once a first code of it was shown ([`confirm`]).
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`] where there is one already; the keys.
pub async fn begin(desk: &Desk, caller: &Caller, name: &UserName) -> Result<Begun, CaseworkError> {
    require_own(caller, name)?;
    let book = desk.vault.people_book();
    let user = book.user(name).await?;
    let key = key(desk, KeyRing::of_people_or_new).await?;
    let secret = TotpSecret::random().map_err(stopped)?;
    let sealed = secret.seal(&key.key, user.id).map_err(stopped)?;
    book.begin_factor(caller, name, &sealed).await?;
    Ok(Begun { secret: secret.text(), uri: secret.uri(name.as_str()) })
}

/// Confirms a second factor by its first code. From then on a sign-in takes a code; the codes on paper that this gives count once
/// each, in the place of one.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`] where none waits, [`CaseworkError::Access`] for a wrong code.
pub async fn confirm(
    desk: &Desk,
    caller: &Caller,
    name: &UserName,
    code: &Secret,
) -> Result<Vec<Secret>, CaseworkError> {
    confirm_at(desk, caller, name, code, clock::now_s()).await
}

pub(super) async fn confirm_at(
    desk: &Desk,
    caller: &Caller,
    name: &UserName,
    code: &Secret,
    now_s: u64,
) -> Result<Vec<Secret>, CaseworkError> {
    require_own(caller, name)?;
    let book = desk.vault.people_book();
    let user = book.user(name).await?;
    let waits = book.factor(user.id).await?.filter(|factor| factor.confirmed_at.is_none());
    let waits = waits.ok_or_else(|| PeopleError::NoFactor(name.clone()))?;
    let Some(step) = opened(desk, &user, &waits.sealed).await?.step_of(&digits(code), now_s, 0) else {
        let said = "this is not the code of now, so nothing was changed: see to it that the clocks of the telephone and of this \
                    machine agree, and type the next one";
        return Err(CaseworkError::Access(said.to_owned()));
    };
    let codes = totp::recovery_codes().map_err(stopped)?;
    let hashes: Vec<[u8; 32]> = codes.iter().map(|code| code.sha256).collect();
    book.confirm_factor(caller, name, (&waits.sealed, step), &hashes).await?;
    Ok(codes.into_iter().map(|code| code.text).collect())
}

/// Takes a second factor away, with its codes on paper. For administrators: whoever found a session or a key does not get rid of it.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`].
pub async fn remove(desk: &Desk, caller: &Caller, name: &UserName) -> Result<(), CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    Ok(desk.vault.people_book().remove_factor(caller, name).await?)
}

/// What is known of a user's second factor, and whether their roles want one.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`].
pub async fn show(
    desk: &Desk,
    caller: &Caller,
    name: &UserName,
) -> Result<(Option<FactorRecord>, bool), CaseworkError> {
    require_own(caller, name)?;
    let book = desk.vault.people_book();
    let user = book.user(name).await?;
    let found = (book.factor(user.id).await?, is_wanted(desk, &user).await?);
    desk.vault.acting_for(caller).tell(&Happening::new(Kind::UserRead).about([Object::User(user.id)])).await?;
    Ok(found)
}

/// Whether the policy in force wants a second factor of somebody with these roles.
pub(super) async fn is_wanted(desk: &Desk, user: &UserRecord) -> Result<bool, CaseworkError> {
    let wanted = in_force(&desk.vault).await?.policy.mfa.roles;
    Ok(user.grants.iter().any(|grant| wanted.contains(&grant.role)))
}

/// What somebody shows who typed this: nothing, where it can't count.
pub(super) async fn shown(
    desk: &Desk,
    user: &UserRecord,
    factor: &FactorRecord,
    code: &Secret,
    now_s: u64,
) -> Result<Shown, CaseworkError> {
    if code.reveal().len() > CODE_BYTES_MAX {
        return Ok(Shown::Nothing);
    }
    if let Some(hash) = totp::recovery_hash(code.reveal()) {
        return Ok(Shown::Recovery(hash));
    }
    let secret = opened(desk, user, &factor.sealed).await?;
    Ok(secret.step_of(&digits(code), now_s, factor.last_step).map_or(Shown::Nothing, Shown::Code))
}

/// A code as apps show it has a blank in its middle.
fn digits(code: &Secret) -> String {
    code.reveal().chars().filter(|letter| !letter.is_whitespace()).take(CODE_BYTES_MAX).collect()
}

async fn opened(desk: &Desk, user: &UserRecord, sealed: &str) -> Result<TotpSecret, CaseworkError> {
    let key = key(desk, KeyRing::of_people).await?;
    TotpSecret::open(&key.key, user.id, sealed).ok_or_else(|| {
        let UserRecord { name, .. } = user;
        let reason = format!(
            "the second factor of {name} does not lie under it, or is damaged: put keys/people.key back from a copy of the data \
             folder, or take the factor away (`bertillon user totp {name} --remove`) and enrol it again"
        );
        CaseworkError::Key { path: desk.settings.data.folder.join("keys/people.key"), reason }
    })
}

/// Reading the master key may run a program, and waits for it.
async fn key(
    desk: &Desk,
    which: fn(&KeyRing) -> Result<Arc<NamedKey>, KeyError>,
) -> Result<Arc<NamedKey>, CaseworkError> {
    let keys = desk.vault.keys();
    Ok(blocking(move || which(&keys)).await?.map_err(GalleryError::from)?)
}

fn stopped(error: CryptoError) -> CaseworkError {
    CaseworkError::Stopped(error.to_string())
}

#[cfg(test)]
mod tests;
