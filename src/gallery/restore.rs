//! Taking a backup back in: checked first, copied beside the galleries under a name that none can have, made to count by one
//! transaction, then given its name. A start finishes what was cut short after the transaction, and removes what was before.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::audit::Caller;
use crate::base::clock;
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::IMPORT_DISK_RESERVE_BYTES;
use crate::gallery::backup::{KEY, RECORDS, check_backup, copy_blob, erase_in};
use crate::gallery::manifest::{Manifest, SegmentEntry};
use crate::gallery::pictures::off_thread;
use crate::gallery::room::detached;
use crate::gallery::tail::Tail;
use crate::gallery::vault::{Inner, Vault};
use crate::gallery::{GalleryError, folders, lock};
use crate::records::{Records, TakenIn};
use crate::segment::Segment;
use crate::settings::storage::Storage;
use crate::store::disk::DiskFolder;
use crate::store::space::check_room;
use crate::store::{Folder, Mode, StoreError};

/// Begins the name of a folder that is no gallery yet; no gallery's name begins with a dot.
const RESTORING: &str = ".restoring-";

/// A backup that was taken in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restored {
    /// Its name here.
    pub gallery: GalleryName,
    /// Its name when it was backed up.
    pub from: GalleryName,
    /// Highest template id in it.
    pub last_template: u64,
    /// Templates of the backup that this data folder's records know to be erased since, and that were erased in it.
    pub erased_since: u64,
}

impl Vault {
    /// Takes the backup in the folder `from` in, under its own name or `name`. Every file is compared with its hash and
    /// every block with its checksum before anything counts. Where the records here know the gallery of which it is a
    /// backup (restored beside it under another name), what was erased there since is erased in it too, and whom it restricts or holds
    /// now, this does as well.
    /// `progress` is told how many bytes of how many are checked and copied, and may break it off. As job `job`, if it is one, it is
    /// done in the moment in which the gallery counts.
    ///
    /// # Errors
    /// [`GalleryError::AlreadyExists`], [`GalleryError::NoBackup`], [`GalleryError::Interrupted`], [`StoreError::NoRoom`] on a
    /// disk that is too full, and what files and records say; nothing is changed then.
    pub async fn restore(
        &self,
        from: &Path,
        name: Option<GalleryName>,
        job: Option<i64>,
        progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Restored, GalleryError> {
        self.inner.check_writer()?;
        let (inner, from, caller) = (Arc::clone(&self.inner), from.to_owned(), self.caller.clone());
        detached(async move { inner.restore(&from, name, (job, &caller), progress).await }).await
    }
}

impl Inner {
    async fn restore(
        &self,
        from: &Path,
        name: Option<GalleryName>,
        as_whom: (Option<i64>, &Caller),
        mut progress: impl FnMut(u64, u64) -> ControlFlow<()> + Send + 'static,
    ) -> Result<Restored, GalleryError> {
        let _one_at_a_time = self.creating.lock().await;
        let source = from.to_owned();
        let checked = tokio::task::spawn_blocking(move || {
            // Read to be checked, and then once more to be copied.
            let contents = check_backup(&source, |done, all| progress(done, all.saturating_mul(2)))?;
            Ok::<_, GalleryError>((contents, progress))
        });
        let (contents, mut progress) = checked.await.map_err(|_| GalleryError::Interrupted)??;
        let (origin, all) = (contents.gallery, contents.bytes);
        let name = name.unwrap_or_else(|| origin.clone());
        self.refuse_taken(&name).await?;
        check_room(&self.data, all, IMPORT_DISK_RESERVE_BYTES)?;
        let no_backup = |what: &str| GalleryError::NoBackup { path: from.to_owned(), what: what.to_owned() };
        let record = Records::gallery_of_copy(&from.join(RECORDS)).await?;
        let record = record.filter(|record| record.name == origin);
        let record = record.ok_or_else(|| no_backup("its records are of another gallery"))?;
        let present = self.records.gallery(&origin).await?;
        let same = present.is_some_and(|there| (there.created_at, there.model) == (record.created_at, record.model));
        let erased = if same { self.records.not_live(&origin).await? } else { Vec::new() };
        let last_template = record.last_template_id;
        let (source, aside) = self.sides(from, &name, record.storage).await?;
        let (copying, key) = (Arc::clone(&aside), aside.key().map(|key| key.id));
        let copied = tokio::task::spawn_blocking(move || {
            copy_in(source.as_ref(), copying.as_ref(), last_template, &erased, |done| {
                progress(all.saturating_add(done), all.saturating_mul(2))
            })
        });
        let copied = copied.await.map_err(|_| GalleryError::Interrupted).flatten();
        let counted = match copied {
            Ok(erased_since) => {
                let restored = Restored { gallery: name.clone(), from: origin, last_template, erased_since };
                self.make_count(from, (restored, aside), same, as_whom).await
            }
            Err(error) => Err(error),
        };
        let restored = match counted {
            Ok(restored) => restored,
            Err(error) => {
                // Not left for the next start: there are templates in it, perhaps of people who are erased.
                if self.records.gallery(&name).await?.is_none() {
                    self.empty_aside(&name)?;
                    self.discard(&name, key).await;
                }
                return Err(error);
            }
        };
        // It counts. A start finishes the rest, should this not come to its end.
        self.finish_restore(&name)?;
        let Some(record) = self.records.gallery(&name).await? else { return Err(GalleryError::NoGallery(name)) };
        self.open_room(&record).await?;
        Ok(restored)
    }

    /// The folder of a backup and the one that it is copied to, each under its key where they are sealed.
    async fn sides(
        &self,
        from: &Path,
        name: &GalleryName,
        storage: Storage,
    ) -> Result<(Arc<dyn Folder>, Arc<dyn Folder>), GalleryError> {
        self.check_master(name, storage)?;
        let (keys, file) = (Arc::clone(&self.keys), from.join(KEY));
        let theirs = match storage {
            Storage::Mapped => None,
            Storage::Sealed => Some(Arc::new(off_thread(move || Ok(keys.open_file(&file)?)).await?)),
        };
        let accept = self.options.accept_unlocked_memory;
        let source = folders::open(from, theirs, accept)?;
        let aside = self.empty_aside(name)?;
        Ok((source, folders::create(&aside, self.key_to_seal(name, storage).await?, accept)?))
    }

    /// The transaction by which a copied gallery counts. From the last look at what was erased from the gallery it came from
    /// until then, nothing is erased from that.
    async fn make_count(
        &self,
        from: &Path,
        (mut restored, aside): (Restored, Arc<dyn Folder>),
        same: bool,
        (job, caller): (Option<i64>, &Caller),
    ) -> Result<Restored, GalleryError> {
        let origin = if same { self.room(&restored.from).ok() } else { None };
        let _no_erasure_begins = match &origin {
            Some(room) => Some(room.lock_anyhow().await),
            None => None,
        };
        let erased = if same { self.records.not_live(&restored.from).await? } else { Vec::new() };
        let (key, gone) = (aside.key().map(|key| key.id), erased.clone());
        let late = tokio::task::spawn_blocking(move || {
            let segments = Manifest::load(aside.as_ref())?.segments;
            erase_in(aside.as_ref(), &segments, &gone)
        });
        restored.erased_since += late.await.map_err(|_| GalleryError::Interrupted)??;
        let done = job.map(|job| (job, serde_json::to_string(&restored).unwrap_or_default()));
        let taken = TakenIn {
            from: &restored.from,
            name: &restored.gallery,
            erased: &erased,
            beside: same,
            job: done,
            key,
            caller,
        };
        self.records.take_in_gallery(&from.join(RECORDS), &taken, &clock::now_rfc3339()).await?;
        Ok(restored)
    }

    async fn refuse_taken(&self, name: &GalleryName) -> Result<(), GalleryError> {
        if self.records.gallery(name).await?.is_some() {
            return Err(GalleryError::AlreadyExists(name.clone()));
        }
        let path = self.gallery_path(name);
        if path.exists() { Err(GalleryError::FolderInTheWay(path)) } else { Ok(()) }
    }

    /// That folder, without what an earlier attempt left in it.
    fn empty_aside(&self, name: &GalleryName) -> Result<PathBuf, GalleryError> {
        let aside = self.aside(name);
        if aside.exists() {
            fs::remove_dir_all(&aside).map_err(StoreError::Io)?;
        }
        Ok(aside)
    }

    fn aside(&self, name: &GalleryName) -> PathBuf {
        self.data.join("gallery").join(format!("{RESTORING}{name}"))
    }

    /// Gives a restored gallery that counts its place, if it has not got it.
    pub(super) fn finish_restore(&self, name: &GalleryName) -> Result<(), GalleryError> {
        let (aside, place) = (self.aside(name), self.gallery_path(name));
        if aside.is_dir() && !place.exists() {
            fs::rename(&aside, &place).map_err(StoreError::Io)?;
            // Syncs the folder above.
            DiskFolder::create(&place)?;
        }
        Ok(())
    }

    /// Removes restored files that never came to count.
    pub(super) fn remove_unfinished_restores(&self) -> Result<(), GalleryError> {
        let remove = || {
            for entry in fs::read_dir(self.data.join("gallery"))? {
                let entry = entry?;
                if entry.file_name().to_string_lossy().starts_with(RESTORING) {
                    tracing::info!(folder = %entry.path().display(), "removing a restore that was cut short");
                    fs::remove_dir_all(entry.path())?;
                }
            }
            Ok(())
        };
        Ok(remove().map_err(StoreError::Io)?)
    }
}

/// Copies and checks the files of a backup; how many templates were erased in the copy. `progress` is told the bytes after
/// each file.
fn copy_in(
    from: &dyn Folder,
    to: &dyn Folder,
    last_id: u64,
    gone: &[TemplateId],
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<u64, GalleryError> {
    let manifest = Manifest::load(from)?;
    if manifest.sealed_through != last_id {
        let what = "its files and its records end at different templates".to_owned();
        return Err(GalleryError::NoBackup { path: from.path(""), what });
    }
    let mut copied = 0;
    for name in manifest.segments.iter().map(SegmentEntry::file) {
        let blob = from.open(&name, Mode::Read)?;
        copy_blob(blob.as_ref(), to, &name, |_| ())?;
        copied += blob.size_bytes()?;
        if progress(copied).is_break() {
            return Err(GalleryError::Interrupted);
        }
    }
    Tail::create(to, &manifest.spec, manifest.tail)?;
    manifest.store(to)?;
    let erased = erase_in(to, &manifest.segments, gone)?;
    for entry in &manifest.segments {
        Segment::open(to, &entry.file())?.verify()?;
    }
    lock::create_readers(&to.path(""))?;
    Ok(erased)
}
