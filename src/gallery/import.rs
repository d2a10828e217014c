//! Importing many templates at once, straight into segments: synthetic ones, a crowd that belongs to nobody and has no
//! record for each, and templates of people that another system made with the gallery's model, each with its reference.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::audit::{Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::{GalleryName, ModelId, SubjectRef, TemplateId};
use crate::base::limits::{
    IMPORT_DISK_RESERVE_BYTES, IMPORT_RECORD_BYTES, IMPORT_RECORDS_SEARCHED_BATCH, IMPORT_ROWS_MAX,
    RECORD_TEXT_BYTES_MAX, SEGMENT_ROWS_MAX, TEMPLATE_ID_MAX,
};
use crate::gallery::GalleryError;
use crate::gallery::maintenance::GIVE_WAY;
use crate::gallery::manifest::{GallerySpec, SegmentEntry, segment_file};
use crate::gallery::room::{Guard, Room, blocking, detached};
use crate::gallery::shelf::Shelf;
use crate::gallery::vault::{Inner, Vault, check_text};
use crate::policy::DatedFacts;
use crate::records::{Attribute, Change, JobState, NewDetail, ReferenceImage, check_attributes};
use crate::segment::{SegmentSpec, SegmentWriter};
use crate::store::Folder;
use crate::store::space::check_room;
use crate::vector::codec::Code;
use crate::vector::template::Template;

/// Rows between two calls of an import's progress.
const PROGRESS_ROWS: u64 = 8_192;
/// Rows after which searches are given way to.
const SLICE_ROWS: u64 = 128;
/// Rows after which an import puts its file on the medium while somebody searches: the record of a search waits for what
/// else is on its way there.
const SYNC_ROWS: u64 = 1_024;

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// First of the new template ids, which follow each other.
    pub first: TemplateId,
    /// Last of them.
    pub last: TemplateId,
    /// Segments written.
    pub segments: usize,
}

impl Imported {
    fn happening(&self, kind: Kind, gallery: &GalleryName) -> Happening {
        let templates = Detail::Number(self.last.0 - self.first.0 + 1);
        let objects = [Object::Templates(self.first, self.last)];
        Happening::new(kind).of(gallery).about(objects).with("templates", templates)
    }
}

/// Templates of people that are to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateImport {
    /// Into which gallery.
    pub gallery: GalleryName,
    /// Which model made them.
    pub model: ModelId,
    /// How many they are.
    pub count: u64,
    /// The job that this is, if it is one: done in the moment in which the templates count.
    pub job: Option<i64>,
}

/// Whose an imported template is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedReference {
    /// The person.
    pub subject: SubjectRef,
    /// Where it came from.
    pub source: String,
    /// By what searches may be restricted to it.
    pub attributes: Vec<Attribute>,
    /// What is known of the image, and its dates.
    pub about: DatedFacts,
}

impl Vault {
    /// Imports `count` synthetic templates, marked as such for ever. `fill` is given a number from 0 and writes that
    /// row's components, in any length, which is scaled to 1; `progress` is told how many rows are done. All of it counts
    /// when this returns, nothing when it fails or the process dies.
    ///
    /// # Errors
    /// [`GalleryError::ImportRow`] for a row without direction, limits, [`StoreError::NoRoom`] on a disk that is too full,
    /// and what records or files say.
    ///
    /// [`StoreError::NoRoom`]: crate::store::StoreError::NoRoom
    pub async fn import_synthetic(
        &self,
        name: &GalleryName,
        count: u64,
        mut fill: impl FnMut(u64, &mut [f32]) + Send + 'static,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Imported, GalleryError> {
        let room = self.inner.room(name)?;
        check_count(count)?;
        let inner = Arc::clone(&self.inner);
        let fill = move |row: u64, raw: &mut [f32]| {
            fill(row, raw);
            Ok(())
        };
        let (caller, gallery) = (self.caller.clone(), name.clone());
        let plain = async move |change: &mut Change, imported: &Imported| {
            Ok(change.tell(&caller, &imported.happening(Kind::SyntheticImported, &gallery)).await?)
        };
        detached(async move { inner.import(&room, (count, true), fill, progress, async |_| Ok(()), plain).await }).await
    }

    /// Imports templates of people, made by a model that the caller vouches for. `fill` writes a row's components, in any
    /// length, which is scaled to 1; `describe` says whose it is. Both are asked for each row from 0 in turn, `fill` for all
    /// of them first; an error of theirs ends the import. `progress` is told how many of `2 count` steps are done. All of it
    /// counts when this returns, nothing when it fails or the process dies: what was recorded is overwritten then, and its
    /// template ids are never given again. Nobody is recognised: what is imported twice is there twice. The gallery can be
    /// searched meanwhile, and other changes of it are refused.
    ///
    /// # Errors
    /// [`GalleryError::OtherModel`], [`GalleryError::ImportRow`], limits, [`StoreError::NoRoom`] on a disk that is too full,
    /// and what records or files say.
    ///
    /// [`StoreError::NoRoom`]: crate::store::StoreError::NoRoom
    pub async fn import_templates(
        &self,
        import: TemplateImport,
        fill: impl FnMut(u64, &mut [f32]) -> Result<(), String> + Send + 'static,
        describe: impl FnMut(u64) -> Result<ImportedReference, String> + Send + 'static,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Imported, GalleryError> {
        let TemplateImport { gallery, model, count, job } = import;
        let room = self.inner.room(&gallery)?;
        check_count(count)?;
        if room.snapshot().model().hash != model.hash {
            let (wanted, found) = (room.snapshot().model().to_string(), model.to_string());
            return Err(GalleryError::OtherModel { gallery, wanted, found });
        }
        let (inner, caller) = (Arc::clone(&self.inner), self.caller.clone());
        let told = Arc::new(Mutex::new(progress));
        let tell = Arc::clone(&told);
        let files = move |rows| tell_progress(&tell, rows);
        detached(async move {
            let records = async |first: u64| {
                let records = |rows| tell_progress(&told, count + rows);
                inner.add_records(&gallery, first, count, describe, records).await
            };
            let settle = async |change: &mut Change, imported: &Imported| {
                let happening = imported.happening(Kind::ReferenceImported, &gallery);
                change.tell(&caller, &happening.about(job.map(Object::Job))).await?;
                let Some(job) = job else { return Ok(()) };
                let outcome = serde_json::to_string(imported).unwrap_or_default();
                Ok(change.end_job(job, JobState::Done, &outcome).await?)
            };
            inner.import(&room, (count, false), fill, files, records, settle).await
        })
        .await
    }
}

fn tell_progress(progress: &Mutex<impl FnMut(u64)>, rows: u64) {
    (progress.lock().unwrap_or_else(PoisonError::into_inner))(rows);
}

fn check_count(count: u64) -> Result<(), GalleryError> {
    if (1..=IMPORT_ROWS_MAX).contains(&count) {
        return Ok(());
    }
    Err(GalleryError::TooMany { what: "rows in one import (or none)", limit: IMPORT_ROWS_MAX as usize })
}

/// The reference of an imported row.
fn detail(gallery: &GalleryName, id: TemplateId, at: &str, of: ImportedReference) -> Result<NewDetail, GalleryError> {
    let ImportedReference { subject, source, attributes, about } = of;
    check_text("source", &source, RECORD_TEXT_BYTES_MAX)?;
    check_attributes(&attributes)?;
    let image = ReferenceImage {
        // There is no picture. A hash of what names the row: unlike that of any picture, and of any other row.
        sha256: Sha256::digest(format!("imported template {id} of {gallery}, {at}").as_bytes()).into(),
        source,
        width_px: 0,
        height_px: 0,
        quality_json: "{}".to_owned(),
        enrolled_at: at.to_owned(),
    };
    Ok(NewDetail { id, subject, image, attributes, about })
}

impl Inner {
    /// Adds a reference for each imported row, in many short transactions: others write between them. None of them counts,
    /// since the gallery's last template is below them all.
    async fn add_records(
        &self,
        gallery: &GalleryName,
        first: u64,
        count: u64,
        mut describe: impl FnMut(u64) -> Result<ImportedReference, String>,
        progress: impl Fn(u64),
    ) -> Result<(), GalleryError> {
        let enrolled_at = clock::now_rfc3339();
        let mut row = 0;
        while row < count {
            let searched = if self.traffic.lately() { IMPORT_RECORDS_SEARCHED_BATCH } else { usize::MAX };
            let batch = self.options.import_records.clamp(1, searched);
            let end = count.min(row + batch as u64);
            let mut details = Vec::with_capacity((end - row) as usize);
            for row in row..end {
                let of = describe(row).map_err(|what| GalleryError::ImportRow { row, what })?;
                details.push(detail(gallery, TemplateId(first + row), &enrolled_at, of)?);
            }
            self.check_open()?;
            let began = Instant::now();
            let mut change = self.records.begin().await?;
            change.add_references(gallery, &details).await?;
            change.commit().await?;
            row = end;
            progress(row);
            // Other processes look again only now and then whether they may write: they are to find it free.
            tokio::time::sleep(began.elapsed() / 2).await;
            self.give_way().await;
        }
        Ok(())
    }

    /// Imports `count` rows. `records` adds what goes with them, given the first id; `settle` joins the transaction by which
    /// they count.
    async fn import(
        self: &Arc<Self>,
        room: &Room,
        (count, synthetic): (u64, bool),
        fill: impl FnMut(u64, &mut [f32]) -> Result<(), String> + Send + 'static,
        progress: impl FnMut(u64) + Send + 'static,
        records: impl AsyncFnOnce(u64) -> Result<(), GalleryError>,
        settle: impl AsyncFnOnce(&mut Change, &Imported) -> Result<(), GalleryError>,
    ) -> Result<Imported, GalleryError> {
        // From now on, also as long as this waits for another import: whoever wants to change something is told at once.
        let _alone = room.keep_for_import();
        let guard = room.lock_to_import().await?;
        // It seals the tail first.
        self.check_settled(room).await?;
        let records_bytes = if synthetic { 0 } else { count * IMPORT_RECORD_BYTES };
        let files_bytes = self.import_bytes(&guard.spec().of_segment(synthetic), count);
        check_room(&room.path, files_bytes.saturating_add(records_bytes), IMPORT_DISK_RESERVE_BYTES)?;
        let (mut guard, written) = self.write_import(guard, (count, synthetic), fill, progress).await?;
        // The tail may have been sealed, even if the import failed.
        room.publish(&guard, room.snapshot().number());
        let entries = written?;
        let (first, last) =
            (entries.first().map_or(0, |entry| entry.first), entries.last().map_or(0, |entry| entry.last));
        let imported = Imported { first: TemplateId(first), last: TemplateId(last), segments: entries.len() };
        // Files and records differ from here on: should `describe` panic, nothing is written any more until the next start.
        guard.unsettled = true;
        let committed = match records(first).await {
            Ok(()) => self.commit(&room.name, last, async |change| settle(change, &imported).await).await,
            Err(error) => Err(error),
        };
        match committed {
            Ok(number) => {
                let (mut guard, adopted) = blocking(guard, Shelf::adopt_import).await?;
                guard.unsettled = adopted.is_err();
                adopted?;
                room.publish(&guard, number);
                Ok(imported)
            }
            Err(error) => {
                self.take_back(room, guard, matches!(error, GalleryError::Unsettled(_))).await?;
                Err(error)
            }
        }
    }

    /// Bytes of the segments of `count` imported rows.
    fn import_bytes(&self, spec: &SegmentSpec, count: u64) -> u64 {
        let rows = self.options.import_segment_rows.clamp(1, SEGMENT_ROWS_MAX);
        spec.file_bytes(rows).saturating_mul(count / rows).saturating_add(spec.file_bytes(count % rows))
    }

    /// Writes the segments of an import and names them in the manifest; what was written goes when that fails.
    async fn write_import(
        self: &Arc<Self>,
        guard: Guard,
        (count, synthetic): (u64, bool),
        fill: impl FnMut(u64, &mut [f32]) -> Result<(), String> + Send + 'static,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<(Guard, Result<Vec<SegmentEntry>, GalleryError>), GalleryError> {
        let segment_rows = self.options.import_segment_rows.clamp(1, SEGMENT_ROWS_MAX);
        let inner = Arc::clone(self);
        blocking(guard, move |shelf| {
            let (folder, next_segment) = shelf.begin_import()?;
            let first_id = shelf.last_given() + 1;
            if first_id > TEMPLATE_ID_MAX - count {
                return Err(GalleryError::TooMany { what: "templates", limit: TEMPLATE_ID_MAX as usize });
            }
            let job =
                Job { folder, spec: shelf.spec().clone(), first_id, next_segment, count, segment_rows, synthetic };
            let rest = || {
                inner.give_way_blocking(GIVE_WAY);
                inner.check_open()?;
                Ok(inner.traffic.lately())
            };
            let written = job.write(fill, progress, rest).and_then(|entries| {
                shelf.list_import(&entries)?;
                Ok(entries)
            });
            if written.is_err() {
                shelf.remove_orphans()?;
            }
            written
        })
        .await
    }

    /// Undoes an import that does not count. Where nobody knows whether it does, the next start finds out.
    async fn take_back(&self, room: &Room, mut guard: Guard, unknown: bool) -> Result<(), GalleryError> {
        if unknown {
            guard.unsettled = true;
            return Ok(());
        }
        let given = match self.records.void_uncommitted(&room.name).await {
            Ok(_) => self.records.last_given(&room.name).await,
            Err(error) => Err(error),
        };
        let (mut guard, undone) = blocking(guard, Shelf::disown_import).await?;
        match given {
            Ok(given) => guard.give_no_more_up_to(given),
            Err(_) => guard.unsettled = true,
        }
        guard.unsettled |= undone.is_err();
        Ok(())
    }

    fn check_open(&self) -> Result<(), GalleryError> {
        if self.is_closed() { Err(GalleryError::Interrupted) } else { Ok(()) }
    }
}

struct Job {
    folder: Arc<dyn Folder>,
    spec: GallerySpec,
    first_id: u64,
    next_segment: u64,
    count: u64,
    segment_rows: u64,
    synthetic: bool,
}

impl Job {
    fn write(
        &self,
        mut fill: impl FnMut(u64, &mut [f32]) -> Result<(), String>,
        mut progress: impl FnMut(u64),
        rest: impl Fn() -> Result<bool, GalleryError>,
    ) -> Result<Vec<SegmentEntry>, GalleryError> {
        let spec = self.spec.of_segment(self.synthetic);
        let mut raw = vec![0.0; spec.dimension.get()];
        let mut entries = Vec::new();
        let mut done = 0;
        while done < self.count {
            let number = self.next_segment + entries.len() as u64;
            let rows = self.segment_rows.min(self.count - done);
            let first = self.first_id + done;
            let mut writer = SegmentWriter::create(Arc::clone(&self.folder), &segment_file(number), &spec, rows)?;
            for row in done..done + rows {
                raw.fill(0.0);
                fill(row, &mut raw).map_err(|what| GalleryError::ImportRow { row, what })?;
                let template = Template::from_raw(&raw);
                let template = template.map_err(|error| GalleryError::ImportRow { row, what: error.to_string() })?;
                let original = spec.originals.round(template.values());
                writer.push(TemplateId(self.first_id + row), &original, &Code::of(&original))?;
                if (row + 1).is_multiple_of(SLICE_ROWS) {
                    let searched = rest()?;
                    if searched && (row + 1).is_multiple_of(SYNC_ROWS) {
                        writer.sync()?;
                    }
                }
                if (row + 1).is_multiple_of(PROGRESS_ROWS) {
                    progress(row + 1);
                }
            }
            writer.finish()?;
            done += rows;
            entries.push(SegmentEntry { number, first, last: first + rows - 1, rows, synthetic: self.synthetic });
        }
        progress(self.count);
        Ok(entries)
    }
}
