//! A data folder: records and galleries together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use crate::base::clock;
use crate::base::ids::{GalleryName, ModelId, SubjectRef, TemplateId};
use crate::base::limits::{
    ENROL_BATCH_MAX, IMAGES_PER_REQUEST_MAX, QUALITY_BYTES_MAX, RECORD_TEXT_BYTES_MAX, TAIL_ROWS_MAX, TOP_K_MAX,
};
use crate::gallery::GalleryError;
use crate::gallery::lock::{self, WriterLock};
use crate::gallery::manifest::{GallerySpec, Manifest};
use crate::gallery::room::{Guard, Room, blocking, detached};
use crate::gallery::shelf::{self, Shelf};
use crate::gallery::snapshot::Snapshot;
use crate::gallery::tail::{Committed, TailRow};
use crate::records::{Change, GalleryRecord, NewDetail, Records, RecordsError, ReferenceImage, SearchRecord};
use crate::segment::{Precision, check_model_name};
use crate::store::disk::DiskFolder;
use crate::vector::codec::Code;
use crate::vector::dimension::Dimension;
use crate::vector::template::Template;

const RECORDS_FILE: &str = "records.sqlite";
/// How often a reader starts again because the writer replaced files meanwhile.
const READ_ATTEMPTS_MAX: usize = 50;

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
    /// How long an erasure waits for searches that still read, and for the records' journal.
    pub erase_wait: Duration,
}

impl Default for VaultOptions {
    fn default() -> Self {
        Self { tail_rows_max: TAIL_ROWS_MAX, import_segment_rows: 1 << 20, erase_wait: Duration::from_secs(30) }
    }
}

/// A new reference, ready to be enrolled.
#[derive(Debug, Clone)]
pub struct NewReference {
    /// Whose.
    pub subject: SubjectRef,
    /// Hash of the image file: one image is enrolled once.
    pub image_sha256: [u8; 32],
    /// Where the image came from: a file's name.
    pub source: String,
    /// Width of the image in pixels.
    pub width_px: u32,
    /// Height of the image in pixels.
    pub height_px: u32,
    /// Quality measures; kept as they are.
    pub quality_json: String,
    /// The face's template.
    pub template: Template,
    /// Which model made it.
    pub model: ModelId,
}

/// What became of a new reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// It is enrolled.
    New(TemplateId),
    /// Its image was enrolled before.
    Already {
        /// The template it has.
        id: TemplateId,
        /// The subject it was enrolled for, who may be another one.
        subject: SubjectRef,
    },
}

/// Who and what is behind a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Whose; `synthetic #n` for a synthetic template.
    pub subject: SubjectRef,
    /// The image; `None` for a synthetic template.
    pub image: Option<ReferenceImage>,
}

/// A gallery at a glance.
#[derive(Debug, Clone)]
pub struct GallerySummary {
    /// What the records know.
    pub record: GalleryRecord,
    /// Templates that may reach a candidate list, synthetic ones included.
    pub live: u64,
    /// Synthetic ones among them.
    pub synthetic: u64,
    /// Templates erased since the gallery was made.
    pub erased: u64,
    /// Segment files.
    pub segments: usize,
    /// Rows of the tail.
    pub tail_rows: usize,
    /// Bytes of segments and tail.
    pub bytes: u64,
}

/// An open data folder. Clones share it.
#[derive(Clone)]
pub struct Vault {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) data: PathBuf,
    pub(super) records: Records,
    pub(super) options: VaultOptions,
    access: Access,
    rooms: RwLock<HashMap<GalleryName, Arc<Room>>>,
    creating: tokio::sync::Mutex<()>,
    lock: Mutex<Option<WriterLock>>,
}

impl Vault {
    /// Opens the data folder. A writer makes it where there is none, brings files in line with the records, and finishes
    /// erasures that were cut short.
    ///
    /// # Errors
    /// [`GalleryError::InUse`] when another process writes there, [`GalleryError::NoData`] for a reader, and whatever is
    /// wrong with a file.
    pub async fn open(data: &Path, access: Access, options: VaultOptions) -> Result<Self, GalleryError> {
        let records_path = data.join(RECORDS_FILE);
        let (lock, records) = match access {
            Access::Writer => {
                DiskFolder::create(&data.join("gallery"))?;
                (Some(WriterLock::take(data)?), Records::create(&records_path).await?)
            }
            Access::Reader if !records_path.is_file() => return Err(GalleryError::NoData(data.to_owned())),
            Access::Reader => (None, Records::join(&records_path).await?),
        };
        let inner = Inner {
            data: data.to_owned(),
            records,
            options,
            access,
            rooms: RwLock::default(),
            creating: tokio::sync::Mutex::default(),
            lock: Mutex::new(lock),
        };
        let vault = Self { inner: Arc::new(inner) };
        match access {
            Access::Writer => vault.open_galleries().await?,
            Access::Reader => {}
        }
        Ok(vault)
    }

    async fn open_galleries(&self) -> Result<(), GalleryError> {
        for record in self.inner.records.galleries().await? {
            let room = self.inner.open_room(&record).await?;
            // Nobody can search yet, so only a reading process can be in the way; the erasure is then done later.
            if let Err(error) = self.finish_erasures(&room).await {
                tracing::warn!(gallery = %record.name, %error, "an erasure that was cut short can't be finished now");
            }
        }
        Ok(())
    }

    /// Waits for changes under way, then gives the data folder free for another writer.
    pub async fn close(self) {
        let rooms: Vec<Arc<Room>> = self.inner.rooms().values().cloned().collect();
        let mut guards = Vec::with_capacity(rooms.len());
        for room in &rooms {
            let mut guard = room.lock_anyhow().await;
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
        };
        let inner = Arc::clone(&self.inner);
        detached(async move { inner.create_gallery(&record).await }).await
    }

    /// All galleries by name.
    ///
    /// # Errors
    /// What records or files say.
    pub async fn galleries(&self) -> Result<Vec<GallerySummary>, GalleryError> {
        let mut summaries = Vec::new();
        for record in self.inner.records.galleries().await? {
            let snapshot = self.snapshot(&record.name).await?;
            let erased = self.inner.records.erased_count(&record.name).await?;
            let sizes = snapshot.sizes;
            summaries.push(GallerySummary {
                record,
                live: snapshot.live(),
                synthetic: snapshot.live_synthetic(),
                erased,
                segments: sizes.segments,
                tail_rows: sizes.tail_rows,
                bytes: sizes.bytes,
            });
        }
        Ok(summaries)
    }

    /// The gallery as it is now. In a writing process this is a pointer; in a reading one the files are opened, and
    /// erasures wait until the snapshot is dropped.
    ///
    /// # Errors
    /// [`GalleryError::NoGallery`]; for a reader, what the files say.
    pub async fn snapshot(&self, name: &GalleryName) -> Result<Arc<Snapshot>, GalleryError> {
        match self.inner.access {
            Access::Writer => Ok(self.inner.room(name)?.snapshot()),
            Access::Reader => Ok(Arc::new(self.inner.read_snapshot(name).await?)),
        }
    }

    /// Enrols references, all of them or none: one transaction. An image that is enrolled already, or comes twice in the
    /// call, is enrolled once. When this returns they survive a power cut, and every snapshot from now on has them.
    ///
    /// # Errors
    /// [`GalleryError::OtherModel`], [`GalleryError::OtherDimension`], [`GalleryError::BeingErased`], limits, and what
    /// records or files say.
    pub async fn enrol(
        &self,
        name: &GalleryName,
        references: Vec<NewReference>,
    ) -> Result<Vec<Enrolment>, GalleryError> {
        let room = self.inner.room(name)?;
        if references.len() > ENROL_BATCH_MAX {
            return Err(GalleryError::TooMany { what: "references in one call", limit: ENROL_BATCH_MAX });
        }
        for new in &references {
            check_text("source", &new.source, RECORD_TEXT_BYTES_MAX)?;
            check_text("quality", &new.quality_json, QUALITY_BYTES_MAX)?;
        }
        let inner = Arc::clone(&self.inner);
        detached(async move { inner.enrol(room, references).await }).await
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
        let synthetic = self.inner.synthetic_ranges(name)?;
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

    /// Which of `images` are enrolled already, with their template and subject, so that nobody needs to look at them again.
    ///
    /// # Errors
    /// What the records say.
    pub async fn images_enrolled(
        &self,
        name: &GalleryName,
        images: &[[u8; 32]],
    ) -> Result<HashMap<[u8; 32], (TemplateId, SubjectRef)>, GalleryError> {
        let limit = ENROL_BATCH_MAX.max(IMAGES_PER_REQUEST_MAX);
        if images.len() > limit {
            return Err(GalleryError::TooMany { what: "images asked for", limit });
        }
        let found = self.inner.records.images(name, images).await?;
        let live = found.into_iter().filter(|(_, (_, live))| *live);
        Ok(live.map(|(image, (detail, _))| (image, (detail.id, detail.subject))).collect())
    }

    /// Records a search and gives its number. Nothing may be shown before.
    ///
    /// # Errors
    /// A text past its limit, and what the records say.
    pub async fn record_search(&self, search: &SearchRecord) -> Result<i64, GalleryError> {
        let SearchRecord { actor, origin, back_end, .. } = search;
        for (what, text) in [("actor", actor), ("origin", origin), ("back end", back_end)] {
            check_text(what, text, RECORD_TEXT_BYTES_MAX)?;
        }
        Ok(self.inner.records.record_search(search).await?)
    }

    /// Seals the tail now, whatever its size.
    ///
    /// # Errors
    /// What the files say.
    pub async fn seal(&self, name: &GalleryName) -> Result<(), GalleryError> {
        let room = self.inner.room(name)?;
        detached(async move {
            let guard = room.lock().await?;
            seal(&room, guard).await
        })
        .await
    }

    /// Reads every byte of the gallery's segments and compares checksums.
    ///
    /// # Errors
    /// [`GalleryError::Segment`] with the first bad block.
    pub async fn verify(&self, name: &GalleryName) -> Result<(), GalleryError> {
        let room = self.inner.room(name)?;
        let guard = room.lock().await?;
        blocking(guard, |shelf| shelf.verify()).await?.1
    }
}

impl Inner {
    fn check_writer(&self) -> Result<(), GalleryError> {
        match self.access {
            Access::Writer => Ok(()),
            Access::Reader => Err(GalleryError::ReadOnly(self.data.clone())),
        }
    }

    /// A gallery for changing.
    pub(super) fn room(&self, name: &GalleryName) -> Result<Arc<Room>, GalleryError> {
        self.check_writer()?;
        self.rooms().get(name).cloned().ok_or_else(|| GalleryError::NoGallery(name.clone()))
    }

    fn rooms(&self) -> std::sync::RwLockReadGuard<'_, HashMap<GalleryName, Arc<Room>>> {
        self.rooms.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn gallery_path(&self, name: &GalleryName) -> PathBuf {
        self.data.join("gallery").join(name.as_str())
    }

    async fn create_gallery(&self, record: &GalleryRecord) -> Result<(), GalleryError> {
        let _one_at_a_time = self.creating.lock().await;
        if self.rooms().contains_key(&record.name) {
            return Err(GalleryError::AlreadyExists(record.name.clone()));
        }
        let path = self.gallery_path(&record.name);
        let GalleryRecord { model, dimension, originals, .. } = record;
        let spec = GallerySpec { model: model.clone(), dimension: *dimension, originals: *originals };
        let folder = DiskFolder::create(&path)?;
        lock::create_readers(&path)?;
        Shelf::create(&folder, &spec)?;
        // Until this commits the folder is nothing but files that the next creation replaces.
        let mut change = self.records.begin().await?;
        change.add_gallery(record).await?;
        change.commit().await?;
        self.open_room(record).await.map(drop)
    }

    async fn open_room(&self, record: &GalleryRecord) -> Result<Arc<Room>, GalleryError> {
        let path = self.gallery_path(&record.name);
        let folder = Arc::new(DiskFolder::open(&path)?);
        lock::create_readers(&path)?;
        let erasing = self.records.erasing(&record.name).await?;
        let committed = Committed { last_id: record.last_template_id, erasing };
        let opened = tokio::task::spawn_blocking(move || Shelf::open(folder, &committed)).await;
        let shelf = opened.map_err(|_| GalleryError::Interrupted)??;
        let room = Arc::new(Room::new(record.name.clone(), path, shelf, record.snapshot_number));
        self.rooms.write().unwrap_or_else(PoisonError::into_inner).insert(record.name.clone(), Arc::clone(&room));
        Ok(room)
    }

    async fn read_snapshot(&self, name: &GalleryName) -> Result<Snapshot, GalleryError> {
        let path = self.gallery_path(name);
        if self.records.gallery(name).await?.is_none() {
            return Err(GalleryError::NoGallery(name.clone()));
        }
        let wait = self.options.erase_wait;
        let Some(readers) = lock::share(&path, wait).await? else {
            let (count, waited_ms) = (0, wait.as_millis() as u64);
            return Err(GalleryError::StillRead { gallery: name.clone(), count, reader: "an erasure", waited_ms });
        };
        let folder = Arc::new(DiskFolder::open(&path)?);
        let mut attempt = 0;
        loop {
            // First the files' edition, then the records, then the files: records that are newer than files are noticed.
            let edition = Manifest::load(folder.as_ref())?.edition;
            let Some(record) = self.records.gallery(name).await? else {
                return Err(GalleryError::NoGallery(name.clone()));
            };
            let erasing = self.records.erasing(name).await?;
            let committed = Committed { last_id: record.last_template_id, erasing };
            let (files, number) = (Arc::clone(&folder), record.snapshot_number);
            let read = move || shelf::read_only(files.as_ref(), &committed, number);
            match tokio::task::spawn_blocking(read).await.map_err(|_| GalleryError::Interrupted)? {
                Ok(snapshot) => return Ok(Snapshot { _readers: Some(readers), ..snapshot }),
                Err(error) => {
                    attempt += 1;
                    if attempt == READ_ATTEMPTS_MAX || Manifest::load(folder.as_ref())?.edition == edition {
                        return Err(error);
                    }
                }
            }
        }
    }

    fn synthetic_ranges(&self, name: &GalleryName) -> Result<Vec<(u64, u64)>, GalleryError> {
        match self.access {
            Access::Writer => Ok(self.room(name)?.snapshot().synthetic.clone()),
            Access::Reader => {
                let manifest = Manifest::load(&DiskFolder::open(&self.gallery_path(name))?)?;
                let synthetic = manifest.segments.iter().filter(|entry| entry.synthetic);
                Ok(synthetic.map(|entry| (entry.first, entry.last)).collect())
            }
        }
    }

    async fn enrol(&self, room: Arc<Room>, references: Vec<NewReference>) -> Result<Vec<Enrolment>, GalleryError> {
        let guard = room.lock().await?;
        check_templates(&room.name, guard.spec(), &references)?;
        let images: Vec<[u8; 32]> = references.iter().map(|new| new.image_sha256).collect();
        let known = self.records.images(&room.name, &images).await?;
        if let Some((detail, _)) = known.values().find(|(_, live)| !live) {
            return Err(GalleryError::BeingErased(detail.id));
        }
        let known = known.into_iter().map(|(image, (detail, _))| (image, (detail.id, detail.subject))).collect();
        let plan = Plan::make(references, known, guard.last_id(), guard.spec().originals);
        let Some(last_id) = plan.rows.last().map(|row| row.id.0) else { return Ok(plan.outcome) };
        let rows = plan.rows;
        let (guard, appended) = blocking(guard, move |shelf| {
            // What can't be taken back now is cut off before the next append, or at the next start.
            shelf.append(rows).inspect_err(|_| drop(shelf.roll_back()))
        })
        .await?;
        appended?;
        let details = plan.details;
        let committed = self
            .commit(&room.name, last_id, async |change| {
                for detail in &details {
                    change.add_reference(&room.name, detail).await?;
                }
                Ok(())
            })
            .await;
        let guard = match committed {
            Ok(number) => {
                let (guard, ()) = blocking(guard, Shelf::commit).await?;
                room.publish(&guard, number);
                guard
            }
            Err(error) => return Err(self.roll_back(&room, guard, error).await),
        };
        if guard.tail_rows() >= self.options.tail_rows_max {
            // The enrolment is done; whoever changes the gallery next waits for the sealing.
            tokio::spawn(async move {
                if let Err(error) = seal(&room, guard).await {
                    tracing::error!(gallery = %room.name, %error, "the tail could not be sealed; it goes on growing");
                }
            });
        }
        Ok(plan.outcome)
    }

    /// One transaction that makes templates up to `last_id` count, and its snapshot number. An error means that it is
    /// known not to be kept, or [`GalleryError::Unsettled`].
    pub(super) async fn commit(
        &self,
        name: &GalleryName,
        last_id: u64,
        fill: impl AsyncFnOnce(&mut Change) -> Result<(), RecordsError>,
    ) -> Result<u64, GalleryError> {
        let before = self.records.gallery(name).await?.map_or(0, |record| record.snapshot_number);
        let mut change = self.records.begin().await?;
        fill(&mut change).await?;
        let number = change.advance(name, last_id).await?;
        let Err(error) = change.commit().await else { return Ok(number) };
        match self.records.gallery(name).await {
            Ok(Some(record)) if record.snapshot_number == number => Ok(number),
            Ok(Some(record)) if record.snapshot_number == before => Err(error.into()),
            Ok(_) | Err(_) => Err(GalleryError::Unsettled(name.clone())),
        }
    }

    async fn roll_back(&self, room: &Room, mut guard: Guard, error: GalleryError) -> GalleryError {
        if matches!(error, GalleryError::Unsettled(_)) {
            guard.unsettled = true;
            return error;
        }
        if let Ok((_, Err(second))) = blocking(guard, Shelf::roll_back).await {
            tracing::warn!(gallery = %room.name, error = %second, "an append is taken back later");
        }
        error
    }
}

/// What a call to enrol will do.
struct Plan {
    outcome: Vec<Enrolment>,
    rows: Vec<TailRow>,
    details: Vec<NewDetail>,
}

impl Plan {
    fn make(
        references: Vec<NewReference>,
        mut known: HashMap<[u8; 32], (TemplateId, SubjectRef)>,
        last_id: u64,
        originals: Precision,
    ) -> Self {
        let mut plan = Self { outcome: Vec::with_capacity(references.len()), rows: Vec::new(), details: Vec::new() };
        let enrolled_at = clock::now_rfc3339();
        for new in references {
            if let Some((id, subject)) = known.get(&new.image_sha256) {
                plan.outcome.push(Enrolment::Already { id: *id, subject: subject.clone() });
                continue;
            }
            let id = TemplateId(last_id + 1 + plan.rows.len() as u64);
            let original = originals.round(new.template.values());
            plan.rows.push(TailRow { id, code: Code::of(&original), original });
            known.insert(new.image_sha256, (id, new.subject.clone()));
            let image = ReferenceImage {
                sha256: new.image_sha256,
                source: new.source,
                width_px: new.width_px,
                height_px: new.height_px,
                quality_json: new.quality_json,
                enrolled_at: enrolled_at.clone(),
            };
            plan.details.push(NewDetail { id, subject: new.subject, image });
            plan.outcome.push(Enrolment::New(id));
        }
        plan
    }
}

fn check_templates(gallery: &GalleryName, spec: &GallerySpec, new: &[NewReference]) -> Result<(), GalleryError> {
    let gallery = gallery.clone();
    if let Some(other) = new.iter().find(|new| new.model.hash != spec.model.hash) {
        let (wanted, found) = (spec.model.to_string(), other.model.to_string());
        return Err(GalleryError::OtherModel { gallery, wanted, found });
    }
    if let Some(other) = new.iter().find(|new| new.template.dimension() != spec.dimension) {
        let (wanted, found) = (spec.dimension.get(), other.template.dimension().get());
        return Err(GalleryError::OtherDimension { gallery, wanted, found });
    }
    Ok(())
}

async fn seal(room: &Room, guard: Guard) -> Result<(), GalleryError> {
    let number = room.snapshot().number();
    let (guard, sealed) = blocking(guard, Shelf::seal).await?;
    // Also after a failure: whatever the files are now is what searches should read.
    room.publish(&guard, number);
    sealed
}

fn check_text(what: &'static str, text: &str, limit: usize) -> Result<(), GalleryError> {
    let bytes = text.len();
    if bytes == 0 || bytes > limit { Err(GalleryError::Text { what, bytes, limit }) } else { Ok(()) }
}
