//! Kept pictures of references: sealed before the references count, shown only with a record, gone with the references.
//!
//! The order of an enrolment that keeps pictures: the records name the blobs that are about to be written, the blobs are written,
//! and the transaction that makes the references count takes these names back. So whatever is named at a start is of an enrolment
//! that was cut short. All of it happens under the gallery's lock, so no two enrolments and no erasure meet over one blob.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::audit::{Caller, Happening, Kind};
use crate::base::ids::{GalleryName, TemplateId};
use crate::crypto::{BlobKind, NamedKey};
use crate::gallery::GalleryError;
use crate::gallery::vault::{Inner, Vault};
use crate::pictures::{BlobName, Cabinet, PictureError, PictureReader, Source};
use crate::records::{KeptPicture, NewDetail, PendingBlob};
use crate::settings::storage::Storage;

/// Pictures to keep, by the hash of the image that they are.
pub type ToKeep = HashMap<[u8; 32], Source>;

impl Vault {
    /// A kept picture, to be read: of a live reference. That it was asked for is told.
    ///
    /// # Errors
    /// [`GalleryError::NoPicture`], [`GalleryError::Picture`], what records and keys say.
    pub async fn picture(&self, gallery: &GalleryName, template: TemplateId) -> Result<PictureReader, GalleryError> {
        let live = self.inner.records.details(gallery, &[template]).await?.contains_key(&template);
        let found = if live { self.inner.records.pictures_of(gallery, &[template]).await? } else { Vec::new() };
        let none = || GalleryError::NoPicture { gallery: gallery.clone(), template };
        let KeptPicture { key, blob, .. } = *found.first().ok_or_else(none)?;
        let (keys, cabinet, name) = (self.keys(), Cabinet::new(&self.inner.data), gallery.clone());
        let opened = off_thread(move || {
            let key = keys.get(key)?;
            Ok(cabinet.open(&name, blob, BlobKind::Picture, &key)?)
        });
        let reader = opened.await?;
        self.tell(&Happening::new(Kind::PictureExported).of(gallery).about_templates(&[template])).await?;
        Ok(reader)
    }

    /// Kept pictures of live references after template `after`, by template: how long each is. A page.
    ///
    /// # Errors
    /// [`GalleryError::NoGallery`], what the records say.
    pub async fn pictures_after(
        &self,
        gallery: &GalleryName,
        after: TemplateId,
    ) -> Result<Vec<(TemplateId, u64)>, GalleryError> {
        if !self.knows(gallery).await? {
            return Err(GalleryError::NoGallery(gallery.clone()));
        }
        let found = self.inner.records.pictures_after(gallery, after).await?;
        self.tell(&Happening::new(Kind::PictureListed).of(gallery)).await?;
        Ok(found.into_iter().map(|kept| (kept.template, kept.bytes)).collect())
    }

    /// Removes blobs that were begun and never came to count.
    pub(super) async fn remove_pending_blobs(&self) -> Result<(), GalleryError> {
        loop {
            let pending = self.inner.records.pending_blobs().await?;
            if pending.is_empty() {
                return Ok(());
            }
            self.inner.take_blobs_back(&pending).await?;
            tracing::info!(count = pending.len(), "removed pictures of enrolments that were cut short");
        }
    }
}

impl Inner {
    /// Seals the pictures of those of `details` that are to be kept, before they count.
    pub(super) async fn keep_pictures(
        &self,
        gallery: &GalleryName,
        details: &[NewDetail],
        mut wanted: ToKeep,
    ) -> Result<Vec<KeptPicture>, GalleryError> {
        let sources = details.iter().filter_map(|detail| {
            let source = wanted.remove(&detail.image.sha256)?;
            Some((detail.id, detail.image.sha256, source))
        });
        let sources: Vec<(TemplateId, [u8; 32], Source)> = sources.collect();
        if sources.is_empty() {
            return Ok(Vec::new());
        }
        let key = self.key_for(gallery).await?;
        let named = |(template, sha256, source): (TemplateId, [u8; 32], Source)| {
            Ok((template, BlobName::of_picture(&key, &sha256)?, sha256, source))
        };
        let named = sources.into_iter().map(named).collect::<Result<Vec<_>, PictureError>>()?;
        let pending: Vec<PendingBlob> = named
            .iter()
            .map(|(template, blob, ..)| PendingBlob { gallery: gallery.clone(), blob: *blob, template: *template })
            .collect();
        self.records.begin_blobs(&pending).await?;
        let (cabinet, name) = (Cabinet::new(&self.data), gallery.clone());
        let sealed = off_thread(move || {
            let one =
                |(template, blob, sha256, source)| seal(&cabinet, &name, &key, (template, blob), &sha256, &source);
            Ok(named.into_iter().map(one).collect::<Result<Vec<_>, PictureError>>()?)
        });
        match sealed.await {
            Ok(kept) => Ok(kept),
            Err(error) => {
                self.give_up(&pending).await;
                Err(error)
            }
        }
    }

    /// Takes back what [`keep_pictures`](Self::keep_pictures) sealed for references that do not count after all. What can't be
    /// taken back now is at the next start.
    pub(super) async fn unkeep_pictures(&self, gallery: &GalleryName, kept: &[KeptPicture]) {
        let pending =
            |kept: &KeptPicture| PendingBlob { gallery: gallery.clone(), blob: kept.blob, template: kept.template };
        let pending: Vec<PendingBlob> = kept.iter().map(pending).collect();
        if !pending.is_empty() {
            self.give_up(&pending).await;
        }
    }

    async fn give_up(&self, pending: &[PendingBlob]) {
        if let Err(error) = self.take_blobs_back(pending).await {
            tracing::warn!(%error, "pictures that are not kept after all are removed at the next start");
        }
    }

    /// Erases blobs that were begun, but for those that count by now, and forgets that they were begun.
    async fn take_blobs_back(&self, pending: &[PendingBlob]) -> Result<(), GalleryError> {
        // A transaction that was thought to have failed, and did not, has taken them back itself.
        self.erase_taken(&self.records.take_begun(pending).await?).await
    }

    /// Erases blobs that were taken, and forgets that they were begun.
    pub(super) async fn erase_taken(&self, taken: &[PendingBlob]) -> Result<(), GalleryError> {
        self.erase_blobs(taken.iter().map(|begun| (begun.gallery.clone(), begun.blob)).collect()).await?;
        Ok(self.records.end_blobs(taken).await?)
    }

    /// Erases the kept pictures of templates: how many there were. Their names are forgotten with the templates.
    pub(super) async fn erase_pictures(&self, gallery: &GalleryName, ids: &[TemplateId]) -> Result<u64, GalleryError> {
        let kept = self.records.pictures_of(gallery, ids).await?;
        let count = kept.len() as u64;
        self.erase_blobs(kept.into_iter().map(|kept| (gallery.clone(), kept.blob)).collect()).await?;
        Ok(count)
    }

    pub(super) async fn erase_blobs(&self, blobs: Vec<(GalleryName, BlobName)>) -> Result<(), GalleryError> {
        let cabinet = Cabinet::new(&self.data);
        off_thread(move || {
            for (gallery, blob) in blobs {
                cabinet.erase(&gallery, blob)?;
            }
            Ok(())
        })
        .await
    }

    /// The key of a gallery, made where it has none. Of several that are made at once one counts.
    pub(super) async fn key_for(&self, gallery: &GalleryName) -> Result<Arc<NamedKey>, GalleryError> {
        let keys = Arc::clone(&self.keys);
        let id = if let Some(id) = self.records.gallery_key(gallery).await? {
            id
        } else if self.records.gallery(gallery).await?.is_some_and(|gallery| gallery.storage == Storage::Sealed) {
            return Err(GalleryError::KeyGone(gallery.clone()));
        } else {
            let making = Arc::clone(&keys);
            let made = off_thread(move || Ok(making.make()?)).await?;
            // Of itself: whoever wants a picture kept is told of for that.
            let caller = Caller::itself("a picture is to be kept");
            let counts = self.records.give_key(&caller, gallery, made).await?;
            if counts != made {
                let discarding = Arc::clone(&keys);
                off_thread(move || Ok(discarding.destroy(made)?)).await?;
            }
            counts
        };
        off_thread(move || Ok(keys.get(id)?)).await
    }
}

fn seal(
    cabinet: &Cabinet,
    gallery: &GalleryName,
    key: &NamedKey,
    (template, blob): (TemplateId, BlobName),
    sha256: &[u8; 32],
    source: &Source,
) -> Result<KeptPicture, PictureError> {
    let bytes = source.read().map_err(PictureError::Changed)?;
    let found: [u8; 32] = Sha256::digest(&bytes).into();
    if found != *sha256 {
        return Err(PictureError::Changed("its bytes are others now".to_owned()));
    }
    cabinet.put(gallery, blob, BlobKind::Picture, key, &bytes)?;
    Ok(KeptPicture { template, key: key.id, blob, bytes: bytes.len() as u64 })
}

/// Does file work on a thread that may block.
pub(super) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GalleryError> + Send + 'static,
) -> Result<T, GalleryError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| GalleryError::Interrupted)?
}
