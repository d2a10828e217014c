//! Who may come in and what they may do: users with roles, the keys by which programs act for them, and passwords.

pub mod api_keys;
pub mod passwords;
pub mod sessions;
#[cfg(test)]
mod tests;
pub mod users;

use crate::audit::Caller;
use crate::base::ids::GalleryName;
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
