//! Checking a gallery: every byte of its files against checksums, and its files against the records. Beside a running
//! server too: it only reads, and an erasure waits until it is done.

use crate::base::ids::{GalleryName, TemplateId};
use crate::gallery::GalleryError;
use crate::gallery::graphs;
use crate::gallery::opening::{Held, Opened};
use crate::gallery::vault::Vault;
use crate::records::TemplateState;
use crate::vector::rows::Rows;

/// Rows of the records compared at a time.
const PAGE_ROWS: usize = 50_000;

/// What a check looked at and found whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verified {
    /// Segment files.
    pub segments: usize,
    /// Rows of segments and tail, erased ones included.
    pub rows: u64,
    /// Rows that are live, in files and records alike.
    pub live: u64,
    /// Bytes read.
    pub bytes: u64,
    /// What is wrong with graphs for approximate searches. These are caches: the templates are whole all the same.
    pub graph_faults: Vec<String>,
}

impl Vault {
    /// Reads every byte of the gallery's manifest, segments and tail and compares checksums, then compares rows with
    /// records: every live row has a live reference (or is synthetic and was never erased) and the other way round.
    /// `progress` is told how many bytes of how many are read.
    ///
    /// # Errors
    /// [`GalleryError::Segment`] with the first bad block, [`GalleryError::Damaged`] for manifest and tail,
    /// [`GalleryError::Disagree`] where files and records differ.
    pub async fn verify(
        &self,
        name: &GalleryName,
        mut progress: impl FnMut(u64, u64) + Send + 'static,
    ) -> Result<Verified, GalleryError> {
        // Opening checks the manifest, the head of each segment, and every record of the tail.
        let (opened, readers, record) = self.inner.open_to_read(name).await?;
        let checked = tokio::task::spawn_blocking(move || {
            let all = opened.bytes();
            let mut done = opened.chunks.file_bytes();
            for held in &opened.segments {
                held.run.segment.verify()?;
                // What is open in memory was read when it was opened: the file may have been changed since.
                opened.folder.check(&held.entry.file())?;
                done += held.run.segment.size_bytes();
                progress(done, all);
            }
            let faults = graphs::faults(opened.folder.as_ref(), &opened.segments);
            Ok::<(Opened, Vec<String>), GalleryError>((opened, faults))
        });
        let (opened, graph_faults) = checked.await.map_err(|_| GalleryError::Interrupted)??;
        let mut comparison = Comparison { name, rows: Walk::of(&opened).peekable(), live: 0 };
        let mut after = TemplateId(0);
        loop {
            let page = self.inner.records.states_after(name, after, PAGE_ROWS).await?;
            let Some(&(last, _)) = page.last() else { break };
            comparison.page(&page, record.last_template_id)?;
            after = last;
        }
        comparison.rest()?;
        let live = comparison.live;
        let rows = opened.rows().map(|run| run.len() as u64).sum();
        drop(readers);
        Ok(Verified { segments: opened.segments.len(), rows, live, bytes: opened.bytes(), graph_faults })
    }
}

/// One row of a gallery's files.
struct Found {
    id: TemplateId,
    live: bool,
    synthetic: bool,
}

/// All rows in ascending template ids.
struct Walk<'a> {
    runs: Vec<(&'a dyn Rows, bool)>,
    run: usize,
    row: usize,
}

impl<'a> Walk<'a> {
    fn of(opened: &'a Opened) -> Self {
        let segment = |held: &'a Held| -> (&'a dyn Rows, bool) { (held.run.as_ref(), held.entry.synthetic) };
        let chunks = opened.chunks.as_slice().iter().map(|chunk| -> (&'a dyn Rows, bool) { (&**chunk, false) });
        Self { runs: opened.segments.iter().map(segment).chain(chunks).collect(), run: 0, row: 0 }
    }
}

impl Iterator for Walk<'_> {
    type Item = Found;

    fn next(&mut self) -> Option<Found> {
        loop {
            let (run, synthetic) = *self.runs.get(self.run)?;
            if self.row < run.len() {
                let row = self.row;
                self.row += 1;
                return Some(Found { id: run.template_id(row), live: run.is_live(row), synthetic });
            }
            (self.run, self.row) = (self.run + 1, 0);
        }
    }
}

struct Comparison<'a> {
    name: &'a GalleryName,
    rows: std::iter::Peekable<Walk<'a>>,
    live: u64,
}

impl Comparison<'_> {
    /// Compares the next records, ascending; those above `last_id` came after the files were opened.
    fn page(&mut self, page: &[(TemplateId, TemplateState)], last_id: u64) -> Result<(), GalleryError> {
        for &(id, state) in page.iter().filter(|(id, _)| id.0 <= last_id) {
            while let Some(row) = self.rows.next_if(|row| row.id < id) {
                self.unrecorded(&row)?;
            }
            let row = self.rows.next_if(|row| row.id == id);
            let live = row.is_some_and(|row| row.live);
            match state {
                TemplateState::Live if !live => return Err(self.disagree(id, "a reference, but no template in files")),
                TemplateState::Erased if live => return Err(self.disagree(id, "an erasure, but its template in files")),
                // What is being erased may be there or not.
                TemplateState::Live => self.live += 1,
                TemplateState::Erasing | TemplateState::Erased => {}
            }
        }
        Ok(())
    }

    fn rest(&mut self) -> Result<(), GalleryError> {
        while let Some(row) = self.rows.next() {
            self.unrecorded(&row)?;
        }
        Ok(())
    }

    /// A row without a record: only a synthetic one that was never erased, or a dead one, may be that.
    fn unrecorded(&mut self, row: &Found) -> Result<(), GalleryError> {
        if row.live && !row.synthetic {
            return Err(self.disagree(row.id, "no reference for a template in files"));
        }
        self.live += u64::from(row.live);
        Ok(())
    }

    fn disagree(&self, id: TemplateId, what: &'static str) -> GalleryError {
        GalleryError::Disagree { gallery: self.name.clone(), id, what }
    }
}
