//! Users: added, given roles, locked, and let go. For administrators.

use crate::audit::{Caller, Happening, Kind, Object};
use crate::base::ids::UserName;
use crate::base::limits::USER_DISPLAY_BYTES_MAX;
use crate::casework::access::require;
use crate::casework::{CaseworkError, Desk};
use crate::records::{UserRecord, UserState};
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
    if display.len() > USER_DISPLAY_BYTES_MAX || display.chars().any(char::is_control) {
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
    let users = desk.vault.people_book().users().await.map_err(crate::gallery::GalleryError::from)?;
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
