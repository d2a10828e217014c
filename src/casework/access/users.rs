//! Users: added, given roles, locked, and let go. For administrators.

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::ids::UserName;
use crate::base::limits::USER_DISPLAY_BYTES_MAX;
use crate::base::text::is_plain;
use crate::casework::access::require;
use crate::casework::access::sessions::identity;
use crate::casework::{CaseworkError, Desk};
use crate::gallery::{GalleryError, Vault};
use crate::records::{PeopleError, UserRecord, UserState};
use crate::rights::{Grant, Permission, check_grants};

/// Adds a user.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::Access`], [`CaseworkError::People`].
pub async fn add(
    desk: &Desk,
    caller: &Caller,
    name: &UserName,
    display: &str,
    grants: &[Grant],
) -> Result<UserRecord, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    let display = display.trim();
    if display.len() > USER_DISPLAY_BYTES_MAX || !is_plain(display) {
        let said = format!("a full name has at most {USER_DISPLAY_BYTES_MAX} bytes, and no control characters");
        return Err(CaseworkError::Access(said));
    }
    let mut grants = grants.to_vec();
    grants.sort();
    grants.dedup();
    Ok(desk.vault.people_book().add(caller, name, display, &grants).await?)
}

/// All users, and those of them whose roles don't go together: none, unless the records were changed by hand.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], what the records say.
pub async fn list(desk: &Desk, caller: &Caller) -> Result<Vec<(UserRecord, Option<String>)>, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    let users = desk.vault.people_book().users().await.map_err(GalleryError::from)?;
    desk.vault.acting_for(caller).tell(&Happening::new(Kind::UserListed)).await?;
    let checked = |user: UserRecord| {
        let fault = check_grants(&user.grants).err().map(|error| error.to_string());
        (user, fault)
    };
    Ok(users.into_iter().map(checked).collect())
}

/// One user.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`].
pub async fn show(desk: &Desk, caller: &Caller, name: &UserName) -> Result<UserRecord, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    let user = desk.vault.people_book().user(name).await?;
    desk.vault.acting_for(caller).tell(&Happening::new(Kind::UserRead).about([Object::User(user.id)])).await?;
    Ok(user)
}

/// Whoever calls, as the records know them: somebody at the command line is the user of the same name as their account. As long as
/// there are no users everybody is who they are; `None` where there are users, and none of that name who may come in.
///
/// # Errors
/// What the records say.
pub async fn known(vault: &Vault, caller: &Caller) -> Result<Option<Caller>, CaseworkError> {
    let book = vault.people_book();
    let (Some(name), None) = (caller.person(), caller.identity()) else { return Ok(Some(caller.clone())) };
    if !book.any().await? {
        return Ok(Some(caller.clone()));
    }
    let Ok(name) = name.parse::<UserName>() else { return Ok(None) };
    match book.user(&name).await {
        Ok(user) if user.state == UserState::Active => Ok(Some(caller.being(identity(&user)))),
        Ok(_) | Err(PeopleError::NoUser(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whoever calls, and the one name by which they go. Where there are users, an account of the operating system is the user of its
/// name: nobody is two people by being known in two ways.
///
/// # Errors
/// [`CaseworkError::Access`] for who has no name, and where there are users and they are none.
pub async fn somebody(vault: &Vault, caller: &Caller) -> Result<(Caller, String), CaseworkError> {
    let nobody = || {
        let said = "there are users here, and this account is none of them who may come in: `bertillon user add` makes one of its name";
        CaseworkError::Access(said.to_owned())
    };
    let known = known(vault, caller).await?.ok_or_else(nobody)?;
    let name = known.person().map(str::to_owned);
    let name = name.ok_or_else(|| CaseworkError::Access("whoever does this must be known by name".to_owned()))?;
    Ok((known, name))
}

/// Gives roles, then takes roles.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`]; what stands before the role at fault was done.
pub async fn change_roles(
    desk: &Desk,
    caller: &Caller,
    name: &UserName,
    (withdraw, grant): (&[Grant], &[Grant]),
) -> Result<UserRecord, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    let book = desk.vault.people_book();
    let mut user = book.user(name).await?;
    // Taken first: an examiner who is to be the auditor ceases to be one before.
    for role in withdraw {
        user = book.withdraw(caller, name, role).await?;
    }
    for role in grant {
        user = book.grant(caller, name, role).await?;
    }
    Ok(user)
}

/// Locks, unlocks, or lets go.
///
/// # Errors
/// [`CaseworkError::NotAllowed`], [`CaseworkError::People`].
pub async fn set_state(
    desk: &Desk,
    caller: &Caller,
    name: &UserName,
    state: UserState,
) -> Result<UserRecord, CaseworkError> {
    require(caller, Permission::UserManage, None)?;
    Ok(desk.vault.people_book().set_state(caller, name, state).await?)
}
