//! The end of a gallery's key, and with it of every picture that is kept of the gallery: of references, and those that were searched
//! with. The records say so first; then the key's file is overwritten, and from there on nobody can read the pictures; then they
//! are erased like others. What is cut short is finished at the next start.

use std::sync::Arc;

use crate::audit::Caller;
use crate::base::ids::GalleryName;
use crate::crypto::KeyId;
use crate::gallery::GalleryError;
use crate::gallery::pictures::off_thread;
use crate::gallery::room::detached;
use crate::gallery::vault::Vault;
use crate::settings::storage::Storage;

impl Vault {
    /// Destroys the key of a gallery with all pictures under it; how many of references there were. References stay. The next
    /// picture that is kept gets a new key. A sealed gallery can't be opened from then on: its templates lay under the key too.
    ///
    /// # Errors
    /// [`GalleryError::NoKey`], [`GalleryError::Held`] while somebody in the gallery is under legal hold, what records, keys and files say: the next start finishes it then.
    pub async fn destroy_gallery_key(&self, gallery: &GalleryName) -> Result<u64, GalleryError> {
        let room = self.inner.room(gallery)?;
        let (vault, name) = (self.clone(), gallery.clone());
        detached(async move {
            // No enrolment keeps a picture under it meanwhile.
            let mut guard = room.lock().await?;
            let key = vault.inner.records.gallery_key(&name).await?.ok_or_else(|| GalleryError::NoKey(name.clone()))?;
            let mut change = vault.inner.records.begin().await?;
            // In the same transaction: a hold that is placed from now on comes too late.
            if let Some(hold) = change.hold_in(&name).await? {
                return Err(GalleryError::Held { gallery: name, hold });
            }
            let pictures = change.end_key(&vault.caller, &name, key).await?;
            change.commit().await?;
            if vault.inner.records.gallery(&name).await?.is_some_and(|gallery| gallery.storage == Storage::Sealed) {
                // Whoever waits for it is refused. What searches have open in memory goes when they are done.
                guard.abandon_rewrites();
                guard.unsettled = true;
                vault.inner.close_room(&name, &GalleryError::KeyGone(name.clone()));
            }
            vault.remove_what_lay_under(&name, key).await?;
            vault.inner.records.empty_journal(vault.inner.options.erase_wait).await?;
            Ok(pictures)
        })
        .await
    }

    /// The key under which the gallery's pictures lie, if there are any.
    ///
    /// # Errors
    /// What the records say.
    pub async fn gallery_key(&self, gallery: &GalleryName) -> Result<Option<KeyId>, GalleryError> {
        Ok(self.inner.records.gallery_key(gallery).await?)
    }

    /// Finishes what was cut short when keys were destroyed.
    pub(super) async fn finish_destroyed_keys(&self) -> Result<(), GalleryError> {
        let vault = self.acting_for(&Caller::itself("a key was destroyed"));
        let destroyed = self.inner.records.destroyed_keys().await?;
        for (gallery, key) in &destroyed {
            vault.remove_what_lay_under(gallery, *key).await?;
        }
        if !destroyed.is_empty() {
            // Names of blobs may be there still, where it was cut short before this.
            self.inner.records.empty_journal(self.inner.options.erase_wait).await?;
        }
        Ok(())
    }

    async fn remove_what_lay_under(&self, gallery: &GalleryName, key: KeyId) -> Result<(), GalleryError> {
        let keys = Arc::clone(&self.inner.keys);
        off_thread(move || Ok(keys.destroy(key)?)).await?;
        loop {
            let pictures = self.inner.records.pictures_under(key).await?;
            if pictures.is_empty() {
                break;
            }
            let blobs = pictures.iter().map(|kept| (gallery.clone(), kept.blob)).collect();
            self.inner.erase_blobs(blobs).await?;
            let mut change = self.inner.records.begin().await?;
            for kept in &pictures {
                change.forget_picture(gallery, kept.template).await?;
            }
            change.commit().await?;
        }
        loop {
            let probes = self.inner.records.probes_under(key).await?;
            if probes.is_empty() {
                return Ok(());
            }
            for probe in probes {
                self.erase_probe(probe).await?;
            }
        }
    }
}
