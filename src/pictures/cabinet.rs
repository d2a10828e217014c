//! Where blobs lie: `images/<gallery>/<2 digits of the name>/<the other 62>`, so that no folder has very many files.

use std::path::{Path, PathBuf};

use crate::base::ids::GalleryName;
use crate::crypto::{BlobKind, NamedKey};
use crate::pictures::{BlobName, PictureError, PictureReader, erase, write};
use crate::store::StoreError;
use crate::store::disk::{self, DiskFolder};

const IMAGES: &str = "images";
/// Digits of a name that name its folder.
const SPLIT: usize = 2;

/// The blobs of a data folder.
#[derive(Debug, Clone)]
pub struct Cabinet {
    root: PathBuf,
}

impl Cabinet {
    /// Those of the data folder `data`.
    #[must_use]
    pub fn new(data: &Path) -> Self {
        Self { root: data.join(IMAGES) }
    }

    /// Seals a picture.
    ///
    /// # Errors
    /// As [`write`].
    pub fn put(
        &self,
        gallery: &GalleryName,
        name: BlobName,
        kind: BlobKind,
        key: &NamedKey,
        plain: &[u8],
    ) -> Result<(), PictureError> {
        let (folder, file) = self.place(gallery, name);
        let folder = match DiskFolder::open(&folder) {
            Err(StoreError::Missing(_)) => {
                let made = DiskFolder::create(&folder)?;
                disk::keep_private(&self.root)?;
                made
            }
            opened => opened?,
        };
        write(&folder, &file, kind, key, plain)
    }

    /// Opens a picture.
    ///
    /// # Errors
    /// As [`PictureReader::open`].
    pub fn open(
        &self,
        gallery: &GalleryName,
        name: BlobName,
        kind: BlobKind,
        key: &NamedKey,
    ) -> Result<PictureReader, PictureError> {
        let (folder, file) = self.place(gallery, name);
        PictureReader::open(&DiskFolder::open(&folder)?, &file, kind, key)
    }

    /// Erases a picture; whether there was one.
    ///
    /// # Errors
    /// As [`erase`].
    pub fn erase(&self, gallery: &GalleryName, name: BlobName) -> Result<bool, PictureError> {
        let (folder, file) = self.place(gallery, name);
        match DiskFolder::open(&folder) {
            Err(StoreError::Missing(_)) => Ok(false),
            opened => erase(&opened?, &file),
        }
    }

    fn place(&self, gallery: &GalleryName, name: BlobName) -> (PathBuf, String) {
        let mut folder = name.to_string();
        let file = folder.split_off(SPLIT);
        (self.root.join(gallery.as_str()).join(folder), file)
    }
}
