//! Importing many templates at once, straight into segments: synthetic ones, a crowd that belongs to nobody and has no
//! record for each, and templates of people that another system made with the gallery's model, each with its reference.

use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::base::clock;
use crate::base::ids::{GalleryName, ModelId, SubjectRef, TemplateId};
use crate::base::limits::{ENROL_BATCH_MAX, IMPORT_ROWS_MAX, RECORD_TEXT_BYTES_MAX, SEGMENT_ROWS_MAX, TEMPLATE_ID_MAX};
use crate::gallery::GalleryError;
use crate::gallery::manifest::{GallerySpec, SegmentEntry, segment_file};
use crate::gallery::room::{Room, blocking, detached};
use crate::gallery::shelf::Shelf;
use crate::gallery::vault::{Inner, Vault, check_text};
use crate::records::{Attribute, Change, NewDetail, ReferenceImage, check_attributes};
use crate::segment::SegmentWriter;
use crate::store::Folder;
use crate::vector::codec::Code;
use crate::vector::template::Template;

/// Rows between two calls of an import's progress.
const PROGRESS_ROWS: u64 = 8_192;
/// Rows after which searches are given way to.
const SLICE_ROWS: u64 = 512;

/// What was imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// First of the new template ids, which follow each other.
    pub first: TemplateId,
    /// Last of them.
    pub last: TemplateId,
    /// Segments written.
    pub segments: usize,
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
}

impl Vault {
    /// Imports `count` synthetic templates, marked as such for ever. `fill` is given a number from 0 and writes that
    /// row's components, in any length, which is scaled to 1; `progress` is told how many rows are done. All of it counts
    /// when this returns, nothing when it fails or the process dies.
    ///
    /// # Errors
    /// [`GalleryError::ImportRow`] for a row without direction, limits, and what records or files say.
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
        detached(async move { inner.import(&room, (count, true), fill, progress, async |_, _| Ok(())).await }).await
    }

    /// Imports `count` templates of people, made by `model`, which the caller vouches for. `fill` writes a row's components,
    /// in any length, which is scaled to 1; `describe` says whose it is. Both are asked for each row from 0 in turn, `fill`
    /// for all of them first; an error of theirs ends the import. `progress` is told how many of `2 count` steps are done.
    /// All of it counts when this returns, nothing when it fails or the process dies. Nobody is recognised: what is imported
    /// twice is there twice.
    ///
    /// # Errors
    /// [`GalleryError::OtherModel`], [`GalleryError::ImportRow`], limits, and what records or files say.
    pub async fn import_templates(
        &self,
        name: &GalleryName,
        model: &ModelId,
        count: u64,
        fill: impl FnMut(u64, &mut [f32]) -> Result<(), String> + Send + 'static,
        describe: impl FnMut(u64) -> Result<ImportedReference, String> + Send + 'static,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Imported, GalleryError> {
        let room = self.inner.room(name)?;
        check_count(count)?;
        if room.snapshot().model().hash != model.hash {
            let (wanted, found) = (room.snapshot().model().to_string(), model.to_string());
            return Err(GalleryError::OtherModel { gallery: name.clone(), wanted, found });
        }
        let inner = Arc::clone(&self.inner);
        let told = Arc::new(Mutex::new(progress));
        let tell = Arc::clone(&told);
        let files = move |rows| tell_progress(&tell, rows);
        let gallery = name.clone();
        detached(async move {
            let records = async |change: &mut Change, first: u64| {
                let records = |rows| tell_progress(&told, count + rows);
                add_records(change, &gallery, first, count, describe, records).await
            };
            inner.import(&room, (count, false), fill, files, records).await
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

/// Adds a reference for each imported row, some hundred in a statement.
async fn add_records(
    change: &mut Change,
    gallery: &GalleryName,
    first: u64,
    count: u64,
    mut describe: impl FnMut(u64) -> Result<ImportedReference, String>,
    progress: impl Fn(u64),
) -> Result<(), GalleryError> {
    let enrolled_at = clock::now_rfc3339();
    let mut row = 0;
    while row < count {
        let end = count.min(row + ENROL_BATCH_MAX as u64);
        let mut details = Vec::with_capacity(ENROL_BATCH_MAX);
        for row in row..end {
            let ImportedReference { subject, source, attributes } =
                describe(row).map_err(|what| GalleryError::ImportRow { row, what })?;
            check_text("source", &source, RECORD_TEXT_BYTES_MAX)?;
            check_attributes(&attributes)?;
            let id = TemplateId(first + row);
            let image = ReferenceImage {
                // There is no picture. A hash of what names the row: unlike that of any picture, and of any other row.
                sha256: Sha256::digest(format!("imported template {id} of {gallery}, {enrolled_at}").as_bytes()).into(),
                source,
                width_px: 0,
                height_px: 0,
                quality_json: "{}".to_owned(),
                enrolled_at: enrolled_at.clone(),
            };
            details.push(NewDetail { id, subject, image, attributes });
        }
        change.add_references(gallery, &details).await?;
        row = end;
        progress(row);
    }
    Ok(())
}

impl Inner {
    /// Imports `count` rows; `records` adds what goes with them, given the first id, within the transaction that counts.
    async fn import(
        self: &Arc<Self>,
        room: &Room,
        (count, synthetic): (u64, bool),
        fill: impl FnMut(u64, &mut [f32]) -> Result<(), String> + Send + 'static,
        progress: impl FnMut(u64) + Send + 'static,
        records: impl AsyncFnOnce(&mut Change, u64) -> Result<(), GalleryError>,
    ) -> Result<Imported, GalleryError> {
        let guard = room.lock().await?;
        // It seals the tail first.
        self.check_settled(room).await?;
        let segment_rows = self.options.import_segment_rows.clamp(1, SEGMENT_ROWS_MAX);
        let pace = Arc::clone(self);
        let (guard, written) = blocking(guard, move |shelf| {
            let (folder, next_segment) = shelf.begin_import()?;
            let first_id = shelf.last_id() + 1;
            if first_id > TEMPLATE_ID_MAX - count {
                return Err(GalleryError::TooMany { what: "templates", limit: TEMPLATE_ID_MAX as usize });
            }
            let job =
                Job { folder, spec: shelf.spec().clone(), first_id, next_segment, count, segment_rows, synthetic };
            let written = job.write(fill, progress, || pace.give_way_blocking()).and_then(|entries| {
                shelf.list_import(&entries)?;
                Ok(entries)
            });
            if written.is_err() {
                shelf.remove_orphans()?;
            }
            written
        })
        .await?;
        // The tail may have been sealed, even if the import failed.
        room.publish(&guard, room.snapshot().number());
        let entries = written?;
        let (first, last) =
            (entries.first().map_or(0, |entry| entry.first), entries.last().map_or(0, |entry| entry.last));
        match self.commit(&room.name, last, async |change| records(change, first).await).await {
            Ok(number) => {
                let (mut guard, adopted) = blocking(guard, Shelf::adopt_import).await?;
                guard.unsettled = adopted.is_err();
                adopted?;
                room.publish(&guard, number);
                Ok(Imported { first: TemplateId(first), last: TemplateId(last), segments: entries.len() })
            }
            Err(error) => {
                let unsettled = matches!(error, GalleryError::Unsettled(_));
                let undo = move |shelf: &mut Shelf| {
                    if unsettled { Ok(()) } else { shelf.disown_import() }
                };
                let (mut guard, undone) = blocking(guard, undo).await?;
                guard.unsettled = unsettled || undone.is_err();
                Err(error)
            }
        }
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
        rest: impl Fn(),
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
                    rest();
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
