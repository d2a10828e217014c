//! The folder of a gallery as its kind has it: plain files, or files that lie sealed under the gallery's key.

use std::path::Path;
use std::sync::Arc;

use crate::audit::{Caller, Detail, Happening, Kind};
use crate::base::ids::GalleryName;
use crate::crypto::{BlobKind, KeyId, NamedKey};
use crate::gallery::manifest::GallerySpec;
use crate::gallery::pictures::off_thread;
use crate::gallery::shelf::Shelf;
use crate::gallery::vault::Inner;
use crate::gallery::{GalleryError, lock};
use crate::graph::file::segment_of;
use crate::records::GalleryRecord;
use crate::settings::storage::Storage;
use crate::store::Folder;
use crate::store::disk::DiskFolder;
use crate::store::sealed::SealedFolder;

/// Which files of a sealed gallery are sealed whole, and as what. Of the others the manifest has no template in it, and a tail
/// seals its records itself.
pub(super) fn kind_of(name: &str) -> Option<BlobKind> {
    let is_segment = name.strip_prefix("segment-").is_some_and(|rest| rest.strip_suffix(".seg").is_some());
    let is_graph = segment_of(name).is_some();
    is_segment.then_some(BlobKind::Segment).or(is_graph.then_some(BlobKind::Graph))
}

/// A folder that is there, with files that lie sealed under `key`, or plain ones where there is none.
pub(super) fn open(
    path: &Path,
    key: Option<Arc<NamedKey>>,
    accept_unlocked: bool,
) -> Result<Arc<dyn Folder>, GalleryError> {
    Ok(of(DiskFolder::open(path)?, key, accept_unlocked))
}

/// The same, of a folder that is made where it is not there.
pub(super) fn create(
    path: &Path,
    key: Option<Arc<NamedKey>>,
    accept_unlocked: bool,
) -> Result<Arc<dyn Folder>, GalleryError> {
    Ok(of(DiskFolder::create(path)?, key, accept_unlocked))
}

fn of(disk: DiskFolder, key: Option<Arc<NamedKey>>, accept_unlocked: bool) -> Arc<dyn Folder> {
    match key {
        None => Arc::new(disk),
        Some(key) => Arc::new(SealedFolder::new(Arc::new(disk), key, kind_of, accept_unlocked)),
    }
}

impl Inner {
    /// The folder of a gallery that the records know, newly opened: what of it others have in memory it does not share.
    pub(super) async fn folder_of(&self, record: &GalleryRecord) -> Result<Arc<dyn Folder>, GalleryError> {
        let key = self.seal_of(record).await?;
        open(&self.gallery_path(&record.name), key, self.options.accept_unlocked_memory)
    }

    /// The key under which a gallery's files lie; `None` where they are plain.
    pub(super) async fn seal_of(&self, record: &GalleryRecord) -> Result<Option<Arc<NamedKey>>, GalleryError> {
        let gallery = || record.name.clone();
        match record.storage {
            Storage::Mapped => Ok(None),
            Storage::Sealed => {
                let id = self.records.gallery_key(&record.name).await?;
                let id = id.ok_or_else(|| GalleryError::KeyGone(gallery()))?;
                let keys = Arc::clone(&self.keys);
                let key =
                    tokio::task::spawn_blocking(move || keys.get(id)).await.map_err(|_| GalleryError::Interrupted)?;
                Ok(Some(key.map_err(|why| GalleryError::Sealed { gallery: gallery(), why })?))
            }
        }
    }

    /// The master key of a sealed gallery is to be elsewhere than in the data folder: what lies beside its key is not sealed from
    /// anybody.
    pub(super) fn check_master(&self, gallery: &GalleryName, storage: Storage) -> Result<(), GalleryError> {
        match storage {
            Storage::Sealed if self.options.master_key.is_none() => Err(GalleryError::NoMasterKey(gallery.clone())),
            Storage::Sealed | Storage::Mapped => Ok(()),
        }
    }

    /// A new key for a gallery that is about to be made; `None` where its files are to be plain.
    pub(super) async fn key_to_seal(
        &self,
        gallery: &GalleryName,
        storage: Storage,
    ) -> Result<Option<Arc<NamedKey>>, GalleryError> {
        self.check_master(gallery, storage)?;
        match storage {
            Storage::Mapped => Ok(None),
            Storage::Sealed => {
                let keys = Arc::clone(&self.keys);
                off_thread(move || Ok(Some(keys.get(keys.make()?)?))).await
            }
        }
    }

    /// Makes the files of an empty gallery and its record, which makes them count.
    pub(super) async fn make_gallery(
        &self,
        record: &GalleryRecord,
        key: Option<Arc<NamedKey>>,
        caller: &Caller,
    ) -> Result<(), GalleryError> {
        let path = self.gallery_path(&record.name);
        let GalleryRecord { model, dimension, originals, .. } = record;
        let spec = GallerySpec { model: model.clone(), dimension: *dimension, originals: *originals };
        let id = key.as_ref().map(|key| key.id);
        let folder = create(&path, key, self.options.accept_unlocked_memory)?;
        lock::create_readers(&path)?;
        Shelf::create(folder.as_ref(), &spec)?;
        // Until this commits the folder is nothing but files that the next creation replaces.
        let mut change = self.records.begin().await?;
        change.add_gallery(record).await?;
        if let Some(id) = id {
            change.add_key(&record.name, id).await?;
        }
        let created = Happening::new(Kind::GalleryCreated).of(&record.name);
        change.tell(caller, &created.with("segments", Detail::Word(record.storage.as_str()))).await?;
        Ok(change.commit().await?)
    }

    /// Destroys a key that was made for a gallery that is not made after all. Where the records don't say so it stays.
    pub(super) async fn discard(&self, gallery: &GalleryName, key: Option<KeyId>) {
        let Some(id) = key else { return };
        if !self.records.gallery(gallery).await.is_ok_and(|there| there.is_none()) {
            return;
        }
        let keys = Arc::clone(&self.keys);
        if let Err(error) = off_thread(move || Ok(keys.destroy(id)?)).await {
            tracing::warn!(%error, "a key that nothing lies under is left in the folder of keys");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_has_templates_in_it_is_sealed() {
        for (name, kind) in [
            ("segment-12.seg", Some(BlobKind::Segment)),
            ("graph-3.hnsw", Some(BlobKind::Graph)),
            ("tail-1.log", None),
            ("MANIFEST", None),
            ("READERS", None),
            ("segment-12.seg.redo", None),
        ] {
            assert_eq!(kind_of(name), kind, "{name}");
        }
    }
}
