//! Importing synthetic templates: a crowd that belongs to nobody, straight into segments, without a record for each.

use std::sync::Arc;

use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{IMPORT_ROWS_MAX, SEGMENT_ROWS_MAX, TEMPLATE_ID_MAX};
use crate::gallery::GalleryError;
use crate::gallery::manifest::{GallerySpec, SegmentEntry, segment_file};
use crate::gallery::room::{Room, blocking, detached};
use crate::gallery::shelf::Shelf;
use crate::gallery::vault::{Inner, Vault};
use crate::segment::SegmentWriter;
use crate::store::Folder;
use crate::vector::codec::Code;
use crate::vector::template::Template;

/// Rows between two calls of an import's progress.
const PROGRESS_ROWS: u64 = 8_192;

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
        fill: impl FnMut(u64, &mut [f32]) + Send + 'static,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Imported, GalleryError> {
        let room = self.inner.room(name)?;
        if count == 0 || count > IMPORT_ROWS_MAX {
            return Err(GalleryError::TooMany {
                what: "rows in one import (or none)",
                limit: IMPORT_ROWS_MAX as usize,
            });
        }
        let inner = Arc::clone(&self.inner);
        detached(async move { inner.import(&room, count, fill, progress).await }).await
    }
}

impl Inner {
    async fn import(
        &self,
        room: &Room,
        count: u64,
        fill: impl FnMut(u64, &mut [f32]) + Send + 'static,
        progress: impl FnMut(u64) + Send + 'static,
    ) -> Result<Imported, GalleryError> {
        let guard = room.lock().await?;
        let segment_rows = self.options.import_segment_rows.clamp(1, SEGMENT_ROWS_MAX);
        let (guard, written) = blocking(guard, move |shelf| {
            let (folder, next_segment) = shelf.begin_import()?;
            let first_id = shelf.last_id() + 1;
            if first_id > TEMPLATE_ID_MAX - count {
                return Err(GalleryError::TooMany { what: "templates", limit: TEMPLATE_ID_MAX as usize });
            }
            let job = Job { folder, spec: shelf.spec().clone(), first_id, next_segment, count, segment_rows };
            let written = job.write(fill, progress).and_then(|entries| {
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
        match self.commit(&room.name, last, async |_change| Ok(())).await {
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
}

impl Job {
    fn write(
        &self,
        mut fill: impl FnMut(u64, &mut [f32]),
        mut progress: impl FnMut(u64),
    ) -> Result<Vec<SegmentEntry>, GalleryError> {
        let spec = self.spec.of_segment(true);
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
                fill(row, &mut raw);
                let template = Template::from_raw(&raw);
                let template = template.map_err(|error| GalleryError::ImportRow { row, what: error.to_string() })?;
                let original = spec.originals.round(template.values());
                writer.push(TemplateId(self.first_id + row), &original, &Code::of(&original))?;
                if (row + 1).is_multiple_of(PROGRESS_ROWS) {
                    progress(row + 1);
                }
            }
            writer.finish()?;
            done += rows;
            entries.push(SegmentEntry { number, first, last: first + rows - 1, rows, synthetic: true });
        }
        progress(self.count);
        Ok(entries)
    }
}
