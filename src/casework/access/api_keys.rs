//! API keys: by which a program acts for a user. Made, replaced, ended, and recognised at the door.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::audit::{Caller, Happening, Identity, Kind};
use crate::base::clock;
use crate::base::ids::{GalleryName, UserName};
use crate::base::limits::{KEY_DAYS_MAX, KEY_GALLERIES_MAX, KEY_RATE_PER_MIN_MAX, KEYS_MAX};
use crate::casework::access::require;
use crate::casework::{CaseworkError, Desk};
use crate::crypto::tokens::{self, NewKey, Secret};
use crate::gallery::GalleryError;
use crate::records::{KeyRecord, NewKeyRecord, UserRecord, UserState};
use crate::rights::{Limits, Permission, Rights};

/// What a key is to be.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it may do, of what its owner may; all of it where nothing is named.
    pub permissions: BTreeSet<Permission>,
    /// In which galleries; `None` for wherever its owner may.
    pub galleries: Option<BTreeSet<GalleryName>>,
    /// For how long.
    pub days: u32,
    /// Requests a minute.
    pub rate_per_min: u32,
}

/// A key that was just made: the only moment in which its text is known.
#[derive(Debug)]
pub struct Made {
    /// What is kept.
    pub record: KeyRecord,
    /// The key.
    pub text: Secret,
}

/// Who stands at the door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// A user, by a key that counts.
    Yes(Box<KeyRecord>, Identity),
    /// Nobody has or had this key.
    Never,
    /// The key was revoked.
    Revoked,
    /// The key counted until then.
    Expired(String),
    /// Its owner is locked or has left.
    OwnerOut,
}

/// Makes a key for a user.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::Access`] for what a key can't be, [`CaseworkError::People`].
pub async fn create(desk: &Desk, caller: &Caller, owner: &UserName, wanted: Wanted) -> Result<Made, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    let book = desk.vault.people_book();
    let Wanted { permissions, galleries, days, rate_per_min } = wanted;
    check_numbers(days, rate_per_min, galleries.as_ref())?;
    let user = book.user(owner).await?;
    let permissions = of_owner(&user, permissions)?;
    let NewKey { prefix, text, sha256 } = new_key()?;
    let expires_at = clock::rfc3339_in(Duration::from_hours(24 * u64::from(days)));
    let new = NewKeyRecord { prefix, sha256, limits: Limits { permissions, galleries }, rate_per_min, expires_at };
    Ok(Made { record: book.add_key(caller, owner, &new).await?, text })
}

fn check_numbers(days: u32, rate_per_min: u32, galleries: Option<&BTreeSet<GalleryName>>) -> Result<(), CaseworkError> {
    let wrong = |said: String| Err(CaseworkError::Access(said));
    if !(1..=KEY_DAYS_MAX).contains(&days) {
        return wrong(format!("a key counts for 1 to {KEY_DAYS_MAX} days"));
    }
    if !(1..=KEY_RATE_PER_MIN_MAX).contains(&rate_per_min) {
        return wrong(format!("a key is for 1 to {KEY_RATE_PER_MIN_MAX} requests a minute"));
    }
    if galleries.is_some_and(|names| names.is_empty() || names.len() > KEY_GALLERIES_MAX) {
        return wrong(format!("a key names 1 to {KEY_GALLERIES_MAX} galleries, or none to be for all of its owner's"));
    }
    Ok(())
}

/// What was asked for, if the owner may do all of that; all that they may do, if nothing was.
fn of_owner(owner: &UserRecord, asked: BTreeSet<Permission>) -> Result<BTreeSet<Permission>, CaseworkError> {
    let rights = Rights { grants: owner.grants.clone(), limits: None };
    if let Some(permission) = asked.iter().find(|permission| !rights.allow(**permission, None)) {
        let UserRecord { name, .. } = owner;
        let said = format!("{name} may not do {permission} themselves: a key never allows more than its owner's roles");
        return Err(CaseworkError::Access(said));
    }
    let asked = if asked.is_empty() {
        Permission::ALL.into_iter().filter(|permission| rights.allow(*permission, None)).collect()
    } else {
        asked
    };
    if asked.is_empty() {
        return Err(CaseworkError::Access(format!("{} has no role, so a key would allow nothing", owner.name)));
    }
    Ok(asked)
}

/// Keys with their owners' names, newest first.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], what the records say.
pub async fn list(
    desk: &Desk,
    caller: &Caller,
    owner: Option<&UserName>,
) -> Result<Vec<(KeyRecord, UserName)>, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    let book = desk.vault.people_book();
    let users = book.users().await.map_err(GalleryError::from)?;
    let only = match owner {
        Some(name) => Some(book.user(name).await?.id),
        None => None,
    };
    let keys = book.keys(only, KEYS_MAX).await.map_err(GalleryError::from)?;
    desk.vault.acting_for(caller).tell(&Happening::new(Kind::KeyListed)).await?;
    let names: std::collections::HashMap<i64, UserName> = users.into_iter().map(|user| (user.id, user.name)).collect();
    let named = keys.into_iter().filter_map(|key| names.get(&key.user).cloned().map(|name| (key, name)));
    Ok(named.collect())
}

/// Replaces a key by one with the same limits that counts for `days`; the old one counts for a day more.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::Access`], [`CaseworkError::People`].
pub async fn rotate(desk: &Desk, caller: &Caller, prefix: &str, days: u32) -> Result<Made, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    check_numbers(days, 1, None)?;
    let NewKey { prefix: new_prefix, text, sha256 } = new_key()?;
    let expires_at = clock::rfc3339_in(Duration::from_hours(24 * u64::from(days)));
    let new = |old: &KeyRecord| NewKeyRecord {
        prefix: new_prefix,
        sha256,
        limits: old.limits.clone(),
        rate_per_min: old.rate_per_min,
        expires_at,
    };
    let record = desk.vault.people_book().rotate_key(caller, prefix, new).await?;
    Ok(Made { record, text })
}

/// Ends a key at once: the next request with it is refused.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`].
pub async fn revoke(desk: &Desk, caller: &Caller, prefix: &str) -> Result<KeyRecord, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    Ok(desk.vault.people_book().revoke_key(caller, prefix).await?)
}

/// Whose key this is. What counts against a key is told only to who has all of it.
///
/// # Errors
/// What the records say. A key that does not count is none.
pub async fn recognise(desk: &Desk, text: &str) -> Result<Known, CaseworkError> {
    let Some(shown) = tokens::parse_key(text) else { return Ok(Known::Never) };
    let book = desk.vault.people_book();
    let found = book.key(shown.prefix).await.map_err(GalleryError::from)?;
    let Some((key, owner)) = found.filter(|(key, _)| tokens::same(&key.sha256, &shown.sha256)) else {
        return Ok(Known::Never);
    };
    if key.revoked_at.is_some() {
        return Ok(Known::Revoked);
    }
    if !key.counts() {
        return Ok(Known::Expired(key.expires_at));
    }
    if owner.state != UserState::Active {
        return Ok(Known::OwnerOut);
    }
    let today = clock::now_rfc3339().chars().take("2026-11-22".len()).collect::<String>();
    if key.last_used_day.as_ref() != Some(&today) {
        book.key_used(key.id, &today).await.map_err(GalleryError::from)?;
    }
    let rights = Rights { grants: owner.grants, limits: Some(key.limits.clone()) };
    let identity = Identity { user: owner.id, name: owner.name, key: Some(key.prefix.clone()), rights };
    Ok(Known::Yes(Box::new(key), identity))
}

fn new_key() -> Result<NewKey, CaseworkError> {
    tokens::new_key().map_err(|error| CaseworkError::Stopped(error.to_string()))
}
