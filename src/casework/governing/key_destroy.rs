//! Destroying the key of a gallery's pictures: with it everything under it is gone for good, so it takes two people where the policy in
//! force says so and there are users.

use sha2::{Digest as _, Sha256};

use crate::audit::Caller;
use crate::base::hex;
use crate::base::ids::GalleryName;
use crate::casework::governing::{GoverningError, Subject, in_force};
use crate::casework::{CaseworkError, Desk};
use crate::gallery::{GalleryError, Vault};
use crate::policy::TwoPersonAct;

/// Begins what is hashed for a key that is to be destroyed.
const HASHED: &str = "bertillon key destroy 1\n";

/// Names the destruction of the key that a gallery has now: another key is another matter.
pub(super) async fn named(vault: &Vault, gallery: &GalleryName) -> Result<[u8; 32], CaseworkError> {
    let key = vault.gallery_key(gallery).await?.ok_or_else(|| GalleryError::NoKey(gallery.clone()))?;
    Ok(Sha256::new().chain_update(HASHED).chain_update(format!("{gallery} {key}")).finalize().into())
}

/// Destroys the key of a gallery with all pictures under it; how many of references there were.
///
/// # Errors
/// [`GoverningError::TakesTwo`] where nobody proposed it and another approved, [`GalleryError::Held`], [`GalleryError::NoKey`], what
/// records, keys and files say.
pub async fn destroy(desk: &Desk, caller: &Caller, gallery: &GalleryName) -> Result<u64, CaseworkError> {
    let vault = desk.vault.acting_for(caller);
    let users = vault.people_book().any().await?;
    if users && in_force(&vault).await?.policy.takes_two(TwoPersonAct::KeyDestroy) {
        let wanted = hex::encode(&named(&vault, gallery).await?);
        if !vault.governing_book().is_adopted(Subject::KeyDestroy.as_str(), &wanted).await? {
            return Err(GoverningError::TakesTwo(gallery.clone()).into());
        }
    }
    Ok(vault.destroy_gallery_key(gallery).await?)
}
