//! Who may come in and what they may do: users with roles, the keys by which programs act for them, passwords and second factors.

pub mod api_keys;
pub mod factors;
pub mod passwords;
pub mod sessions;
pub mod sso;
#[cfg(test)]
mod tests;
pub mod users;

use crate::audit::Caller;
use crate::base::ids::{GalleryName, UserName};
use crate::casework::CaseworkError;
use crate::rights::Permission;

/// Goes on only for who may do something: in `gallery`, or where none is meant, in any.
///
/// # Errors
/// [`CaseworkError::NotAllowed`].
pub fn require(caller: &Caller, permission: Permission, gallery: Option<&GalleryName>) -> Result<(), CaseworkError> {
    if caller.may(permission, gallery) {
        return Ok(());
    }
    let actor = caller.who().actor.clone();
    Err(CaseworkError::NotAllowed { actor, permission, gallery: gallery.cloned() })
}

/// Goes on only for who may do something in all galleries: for what is of none of them and tells of all.
///
/// # Errors
/// [`CaseworkError::NotAllowed`]; [`CaseworkError::NotEverywhere`] for who may in some galleries alone.
pub fn require_everywhere(caller: &Caller, permission: Permission) -> Result<(), CaseworkError> {
    require(caller, permission, None)?;
    match caller.galleries_for(permission) {
        None => Ok(()),
        Some(_) => Err(CaseworkError::NotEverywhere { actor: caller.who().actor.clone(), permission }),
    }
}

/// Goes on only for the user themselves, and for who manages users.
fn require_own(caller: &Caller, name: &UserName) -> Result<(), CaseworkError> {
    if caller.identity().is_some_and(|identity| identity.name == *name) {
        return Ok(());
    }
    require(caller, Permission::UserManage, None)
}
