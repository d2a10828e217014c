//! A data folder: records and galleries together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use crate::audit::{Caller, Detail, Happening, Kind};
use crate::base::clock;
use crate::base::ids::{GalleryName, ModelId, SubjectRef, TemplateId};
use crate::base::limits::{IMPORT_RECORDS_BATCH, MERGE_FAN, RECORD_TEXT_BYTES_MAX, TAIL_ROWS_MAX, TOP_K_MAX};
use crate::gallery::GalleryError;
use crate::gallery::lock::{self, WriterLock};
use crate::gallery::manifest::{Manifest, SegmentEntry};
use crate::gallery::opening::{self, Opened};
use crate::gallery::room::{Room, detached};
use crate::gallery::shelf::Shelf;
use crate::gallery::snapshot::Snapshot;
use crate::gallery::tail::Committed;
use crate::gallery::traffic::Traffic;
use crate::keys::KeyRing;
use crate::records::{GalleryRecord, Records, ReferenceImage, SearchRecord};
use crate::segment::{Precision, check_model_name};
use crate::settings::master_key::MasterKey;
use crate::settings::records_url::RecordsUrl;
use crate::settings::storage::Storage;
use crate::store::InMemory;
use crate::store::disk::{self, DiskFolder};
use crate::vector::dimension::Dimension;
use crate::vector::scorer::Scorer;

/// How often a reader starts again because the writer replaced files meanwhile.
pub(super) const READ_ATTEMPTS_MAX: usize = 50;

/// What a data folder is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everything. One process at a time.
    Writer,
    /// Searching, and recording searches, beside a writer or alone.
    Reader,
}

/// How a vault works. Tests make the figures small.
#[derive(Debug, Clone)]
pub struct VaultOptions {
    /// Rows at which a tail is sealed into a segment.
    pub tail_rows_max: usize,
    /// Rows of one segment of an import.
    pub import_segment_rows: u64,
    /// References that an import writes in one transaction while nobody searches, and at most otherwise.
    pub import_records: usize,
    /// Adjacent segments of similar size at which they are merged into one.
    pub merge_fan: usize,
    /// How long an erasure waits for searches that still read, and for the records' journal.
    pub erase_wait: Duration,
    /// Where the master key is under which kept pictures lie; `None`: in the data folder.
    pub master_key: Option<MasterKey>,
    /// The PostgreSQL data base that has the records; `None`: a file in the data folder.
    pub records_url: Option<RecordsUrl>,
    /// Whether a sealed gallery is opened although the system does not lock as much memory.
    pub accept_unlocked_memory: bool,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self {
            tail_rows_max: TAIL_ROWS_MAX,
            import_segment_rows: 1 << 20,
            import_records: IMPORT_RECORDS_BATCH,
            merge_fan: MERGE_FAN,
            erase_wait: Duration::from_secs(30),
            master_key: None,
            records_url: None,
            accept_unlocked_memory: false,
        }
    }
}

/// Who and what is behind a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Whose; `synthetic #n` for a synthetic template.
    pub subject: SubjectRef,
    /// The image; `None` for a synthetic template.
    pub image: Option<ReferenceImage>,
}

/// An open data folder. Clones share it. What is done through it is told of as done by its caller.
#[derive(Clone)]
pub struct Vault {
    pub(super) inner: Arc<Inner>,
    pub(super) caller: Caller,
}

pub(super) struct Inner {
    pub(super) data: PathBuf,
    pub(super) records: Records,
    pub(super) keys: Arc<KeyRing>,
    pub(super) options: VaultOptions,
    /// Set when the vault is closed: background work ends.
    pub(super) closed: Arc<AtomicBool>,
    /// Whose copies of galleries are kept up to date, in a process that serves ([`Vault::maintain`]).
    pub(super) scorer: OnceLock<Arc<dyn Scorer>>,
    pub(super) traffic: Traffic,
    access: Access,
    rooms: RwLock<HashMap<GalleryName, Arc<Room>>>,
    /// Galleries whose files could not be opened, and why.
    pub(super) damaged: RwLock<HashMap<GalleryName, String>>,
    pub(super) creating: tokio::sync::Mutex<()>,
    lock: Mutex<Option<WriterLock>>,
}

impl Vault {
    /// Opens the data folder. A writer makes it where there is none, brings files in line with the records, and finishes
    /// erasures that were cut short. A gallery whose files are damaged is left out of use; the others are opened.
    ///
    /// # Errors
    /// [`GalleryError::InUse`] when another process writes there, [`GalleryError::NoData`] for a reader, and whatever is
    /// wrong with the records.
    pub async fn open(data: &Path, access: Access, options: VaultOptions) -> Result<Self, GalleryError> {
        let url = options.records_url.as_ref();
        let (lock, records) = match access {
            Access::Writer => {
                let galleries = data.join("gallery");
                DiskFolder::create(&galleries)?;
                disk::keep_private(&galleries)?;
                let lock = WriterLock::take(data)?;
                (Some(lock), Records::open(data, url).await?)
            }
            Access::Reader => {
                let records = Records::open_beside(data, url).await?;
                (None, records.ok_or_else(|| GalleryError::NoData(data.to_owned()))?)
            }
        };
        let inner = Inner {
            data: data.to_owned(),
            records,
            keys: Arc::new(KeyRing::new(data, options.master_key.clone())),
            options,
            closed: Arc::default(),
            scorer: OnceLock::new(),
            traffic: Traffic::new(),
            access,
            rooms: RwLock::default(),
            damaged: RwLock::default(),
            creating: tokio::sync::Mutex::default(),
            lock: Mutex::new(lock),
        };
        let vault = Self { inner: Arc::new(inner), caller: Caller::itself("nobody is named") };
        match access {
            Access::Writer => vault.open_galleries().await?,
            Access::Reader => {}
        }
        Ok(vault)
    }

    /// The same data folder, for `caller`: the audit log names them for whatever is done through it.
    #[must_use]
    pub fn acting_for(&self, caller: &Caller) -> Self {
        Self { inner: Arc::clone(&self.inner), caller: caller.clone() }
    }

    /// Whether the records are in the data folder, where all bytes of what is erased are overwritten.
    #[must_use]
    pub fn has_records_in_the_folder(&self) -> bool {
        self.inner.records.in_the_folder()
    }

    /// Tells the audit log of something that changes nothing here. Nothing is shown before.
    ///
    /// # Errors
    /// What the records say.
    pub async fn tell(&self, happening: &Happening) -> Result<(), GalleryError> {
        Ok(self.inner.records.tell(&self.caller, happening).await?)
    }

    async fn open_galleries(&self) -> Result<(), GalleryError> {
        let records = self.inner.records.galleries().await?;
        for record in &records {
            self.inner.finish_restore(&record.name)?;
        }
        self.inner.remove_unfinished_restores()?;
        if let Err(error) = self.finish_destroyed_keys().await {
            tracing::warn!(%error, "what lay under a destroyed key can't be removed now: nobody can read it");
        }
        if let Err(error) = self.remove_pending_blobs().await {
            tracing::warn!(%error, "pictures of enrolments that were cut short can't be removed now");
        }
        for record in records {
            let left = self.inner.records.void_uncommitted(&record.name).await?;
            if left > 0 {
                let voided =
                    Happening::new(Kind::ImportVoided).of(&record.name).with("templates", Detail::Number(left));
                self.acting_for(&Caller::itself("an import was cut short")).tell(&voided).await?;
                tracing::info!(gallery = %record.name, left, "overwrote references of an import that was cut short");
            }
            let room = match self.inner.open_room(&record).await {
                Ok(room) => room,
                Err(error @ (GalleryError::Records(_) | GalleryError::Interrupted)) => return Err(error),
                Err(error) => {
                    self.inner.put_out_of_use(&record.name, &error);
                    continue;
                }
            };
            // Nobody can search yet, so only a reading process can be in the way; the erasure is then done later.
            if let Err(error) = self.finish_erasures(&room).await {
                tracing::warn!(gallery = %record.name, %error, "an erasure that was cut short can't be finished now");
            }
        }
        Ok(())
    }

    /// Waits for changes under way, then gives the data folder free for another writer.
    pub async fn close(self) {
        self.inner.closed.store(true, Ordering::Relaxed);
        let rooms = self.inner.all_rooms();
        let mut guards = Vec::with_capacity(rooms.len());
        for room in &rooms {
            let mut guard = room.lock_anyhow().await;
            guard.abandon_rewrites();
            guard.unsettled = true;
            guards.push(guard);
        }
        self.inner.records.close().await;
        drop(self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner).take());
    }

    /// Lets other processes that want to write know where this one serves.
    ///
    /// # Errors
    /// [`GalleryError::Store`].
    pub fn set_address(&self, address: &str) -> Result<(), GalleryError> {
        let lock = self.inner.lock.lock().unwrap_or_else(PoisonError::into_inner);
        lock.as_ref().map_or(Ok(()), |lock| lock.set_address(address))
    }

    /// Whether the process that last took the data folder for writing is there still, as far as can be told.
    #[must_use]
    pub fn writer_is_there(&self) -> bool {
        lock::holder_is_there(&self.inner.data)
    }

    /// Makes an empty gallery for templates of one model.
    ///
    /// # Errors
    /// [`GalleryError::AlreadyExists`], [`GalleryError::FolderInTheWay`], limits, and what the files say.
    pub async fn create_gallery(
        &self,
        name: &GalleryName,
        model: &ModelId,
        dimension: Dimension,
        originals: Precision,
        purpose: &str,
    ) -> Result<(), GalleryError> {
        self.create_gallery_as(name, (model, dimension), originals, Storage::Mapped, purpose).await
    }

    /// As [`create_gallery`](Self::create_gallery), with files of a kind. The model is given with the numbers of its templates.
    ///
    /// # Errors
    /// [`GalleryError::NoMasterKey`], and as [`create_gallery`](Self::create_gallery).
    pub async fn create_gallery_as(
        &self,
        name: &GalleryName,
        (model, dimension): (&ModelId, Dimension),
        originals: Precision,
        storage: Storage,
        purpose: &str,
    ) -> Result<(), GalleryError> {
        self.inner.check_writer()?;
        check_model_name(&model.name)?;
        check_text("purpose", purpose, RECORD_TEXT_BYTES_MAX)?;
        let record = GalleryRecord {
            name: name.clone(),
            purpose: purpose.to_owned(),
            model: model.clone(),
            dimension,
            originals,
            created_at: clock::now_rfc3339(),
            last_template_id: 0,
            snapshot_number: 0,
            graph_plan: None,
            storage,
        };
        let (inner, caller) = (Arc::clone(&self.inner), self.caller.clone());
        detached(async move { inner.create_gallery(&record, &caller).await }).await
    }

    /// The gallery as it is now. In a writing process this is a pointer; in a reading one the files are opened, and
    /// erasures wait until the snapshot is dropped.
    ///
    /// # Errors
    /// [`GalleryError::NoGallery`]; for a reader, what the files say.
    pub async fn snapshot(&self, name: &GalleryName) -> Result<Arc<Snapshot>, GalleryError> {
        self.inner.traffic.note();
        match self.inner.access {
            Access::Writer => Ok(self.inner.room(name)?.snapshot()),
            Access::Reader => Ok(Arc::new(self.inner.read_snapshot(name).await?)),
        }
    }

    /// Whether there is a gallery of that name, in order or not. Counts as no search.
    ///
    /// # Errors
    /// What the records say.
    pub async fn knows(&self, name: &GalleryName) -> Result<bool, GalleryError> {
        Ok(self.inner.records.gallery(name).await?.is_some())
    }

    /// Who is behind templates. Only live ones are listed; synthetic ones as `synthetic #n`.
    ///
    /// # Errors
    /// [`GalleryError::TooMany`], what the records say.
    pub async fn references(
        &self,
        name: &GalleryName,
        ids: &[TemplateId],
    ) -> Result<HashMap<TemplateId, Reference>, GalleryError> {
        if ids.len() > TOP_K_MAX {
            return Err(GalleryError::TooMany { what: "templates asked for", limit: TOP_K_MAX });
        }
        let details = self.inner.records.details(name, ids).await?;
        let mut found: HashMap<TemplateId, Reference> = details
            .into_iter()
            .map(|(id, detail)| (id, Reference { subject: detail.subject, image: Some(detail.image) }))
            .collect();
        let rest: Vec<TemplateId> = ids.iter().copied().filter(|id| !found.contains_key(id)).collect();
        if rest.is_empty() {
            return Ok(found);
        }
        let synthetic = self.inner.synthetic_ranges(name).await?;
        let touched = self.inner.records.states(name, &rest).await?;
        for id in rest {
            let inside = synthetic.iter().any(|&(first, last)| (first..=last).contains(&id.0));
            if let (true, false, Ok(subject)) = (inside, touched.contains_key(&id), format!("synthetic #{id}").parse())
            {
                found.insert(id, Reference { subject, image: None });
            }
        }
        Ok(found)
    }

    /// Records the searches of one request and gives their numbers. Nothing may be shown before.
    ///
    /// # Errors
    /// A text past its limit, and what the records say.
    pub async fn record_searches(&self, searches: &[SearchRecord]) -> Result<Vec<i64>, GalleryError> {
        self.record(searches, &[]).await
    }
}

impl Inner {
    pub(super) fn check_writer(&self) -> Result<(), GalleryError> {
        match self.access {
            Access::Writer => Ok(()),
            Access::Reader => Err(GalleryError::ReadOnly(self.data.clone())),
        }
    }

    /// A gallery for changing.
    pub(super) fn room(&self, name: &GalleryName) -> Result<Arc<Room>, GalleryError> {
        self.check_writer()?;
        let unknown = || self.reason_out_of_use(name).unwrap_or_else(|| GalleryError::NoGallery(name.clone()));
        self.rooms().get(name).cloned().ok_or_else(unknown)
    }

    fn rooms(&self) -> std::sync::RwLockReadGuard<'_, HashMap<GalleryName, Arc<Room>>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an open gallery out of use.
    pub(super) fn close_room(&self, name: &GalleryName, why: &GalleryError) {
        self.put_out_of_use(name, why);
        self.rooms.write().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// All galleries for changing.
    pub(super) fn all_rooms(&self) -> Vec<Arc<Room>> {
        self.rooms().values().cloned().collect()
    }

    pub(super) fn gallery_path(&self, name: &GalleryName) -> PathBuf {
        self.data.join("gallery").join(name.as_str())
    }

    async fn create_gallery(&self, record: &GalleryRecord, caller: &Caller) -> Result<(), GalleryError> {
        let _one_at_a_time = self.creating.lock().await;
        if self.rooms().contains_key(&record.name) || self.reason_out_of_use(&record.name).is_some() {
            return Err(GalleryError::AlreadyExists(record.name.clone()));
        }
        let key = self.key_to_seal(&record.name, record.storage).await?;
        let id = key.as_ref().map(|key| key.id);
        if let Err(error) = self.make_gallery(record, key, caller).await {
            self.discard(&record.name, id).await;
            return Err(error);
        }
        self.open_room(record).await.map(drop)
    }

    pub(super) async fn open_room(&self, record: &GalleryRecord) -> Result<Arc<Room>, GalleryError> {
        let path = self.gallery_path(&record.name);
        let folder = self.folder_of(record).await?;
        lock::create_readers(&path)?;
        let erasing = self.records.erasing(&record.name).await?;
        let committed = Committed { last_id: record.last_template_id, erasing };
        let opened = tokio::task::spawn_blocking(move || Shelf::open(folder, &committed)).await;
        let mut shelf = opened.map_err(|_| GalleryError::Interrupted)??;
        shelf.give_no_more_up_to(self.records.last_given(&record.name).await?);
        let room = Arc::new(Room::new(record.name.clone(), path, shelf, record.snapshot_number));
        if let Some(InMemory { bytes, locked_bytes, opened_in }) = room.folder.held() {
            let ms = opened_in.as_millis() as u64;
            tracing::info!(gallery = %record.name, bytes, locked_bytes, ms, "opened a sealed gallery into memory");
        }
        self.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(record.name.clone(), Arc::clone(&room));
        Ok(room)
    }

    async fn read_snapshot(&self, name: &GalleryName) -> Result<Snapshot, GalleryError> {
        let (opened, readers, record) = self.open_to_read(name).await?;
        Ok(Snapshot { _readers: Some(readers), ..opened.snapshot(record.snapshot_number) })
    }

    /// The files as another process would see them, the lock that holds back the overwriting of erased rows as long as it
    /// lives, and the records to which the files belong.
    pub(super) async fn open_to_read(
        &self,
        name: &GalleryName,
    ) -> Result<(Opened, fs_err::File, GalleryRecord), GalleryError> {
        let path = self.gallery_path(name);
        let Some(record) = self.records.gallery(name).await? else {
            return Err(GalleryError::NoGallery(name.clone()));
        };
        let wait = self.options.erase_wait;
        let Some(readers) = lock::share(&path, wait).await? else {
            let (count, waited_ms) = (0, wait.as_millis() as u64);
            return Err(GalleryError::StillRead { gallery: name.clone(), count, reader: "an erasure", waited_ms });
        };
        // In a writing process what is open in memory is shared: twice as much may be more than there is.
        let shared = self.rooms().get(name).map(|room| Arc::clone(&room.folder));
        let folder = match shared {
            Some(folder) => folder,
            None => self.folder_of(&record).await?,
        };
        let mut attempt = 0;
        loop {
            // First the files' edition, then the records, then the files: records that are newer than files are noticed.
            let edition = Manifest::load(folder.as_ref())?.edition;
            let Some(record) = self.records.gallery(name).await? else {
                return Err(GalleryError::NoGallery(name.clone()));
            };
            let erasing = self.records.erasing(name).await?;
            let committed = Committed { last_id: record.last_template_id, erasing };
            let files = Arc::clone(&folder);
            let read = move || opening::read_only(files, &committed);
            match tokio::task::spawn_blocking(read).await.map_err(|_| GalleryError::Interrupted)? {
                Ok(opened) => return Ok((opened, readers, record)),
                Err(error) => {
                    attempt += 1;
                    if attempt == READ_ATTEMPTS_MAX || Manifest::load(folder.as_ref())?.edition == edition {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// First and last ids of committed synthetic segments.
    async fn synthetic_ranges(&self, name: &GalleryName) -> Result<Vec<(u64, u64)>, GalleryError> {
        match self.access {
            Access::Writer => Ok(self.room(name)?.snapshot().synthetic.clone()),
            Access::Reader => {
                // An import is in the manifest shortly before it is committed.
                let manifest = Manifest::load(&DiskFolder::open(&self.gallery_path(name))?)?;
                let last_id = self.records.gallery(name).await?.map_or(0, |record| record.last_template_id);
                let counts = |entry: &&SegmentEntry| entry.synthetic && entry.last <= last_id;
                Ok(manifest.segments.iter().filter(counts).map(|entry| (entry.first, entry.last)).collect())
            }
        }
    }
}

pub(super) fn check_text(what: &'static str, text: &str, limit: usize) -> Result<(), GalleryError> {
    let bytes = text.len();
    if bytes == 0 || bytes > limit { Err(GalleryError::Text { what, bytes, limit }) } else { Ok(()) }
}
