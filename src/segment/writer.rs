//! Writes a segment row by row, in memory for some MiB however many there are.

use std::sync::Arc;

use crate::base::ids::TemplateId;
use crate::base::limits::SEGMENT_ROWS_MAX;
use crate::segment::format::{
    CODES, Header, IDS, Layout, NORMS, ORIGINALS, SCALES, SECTIONS, SegmentSpec, block_crc, check_model_name,
};
use crate::segment::{Segment, SegmentError};
use crate::store::{Blob, DRAFT_SUFFIX, Folder};
use crate::vector::codec::{Code, DEAD_SCALE};
use crate::vector::layout::{self, BLOCK_ROWS};

/// A section is written in stretches of the file that begin and end at multiples of this. What is written at once the system
/// can keep as one large page (2 MiB on x86-64; Linux does for ext4 since 6.16, for XFS longer), which readers then map by
/// one entry instead of 512: measured, a first search of a new segment took a quarter less time, later ones a tenth.
const STRETCH_BYTES: usize = 2 << 20;

/// A segment in the making. Nothing is visible before [`finish`](Self::finish); dropped earlier, it leaves nothing.
#[derive(Debug)]
pub struct SegmentWriter {
    folder: Arc<dyn Folder>,
    name: String,
    blob: Option<Box<dyn Blob>>,
    layout: Layout,
    header: Header,
    rows_done: u64,
    blocks_done: usize,
    /// Bytes of each section that are written.
    written: [usize; SECTIONS],
    /// What follows them, less than a stretch and a block.
    gathered: [Vec<u8>; SECTIONS],
    block: Block,
}

/// Rows of the block being filled.
#[derive(Debug)]
struct Block {
    ids: Vec<u8>,
    scales: Vec<u8>,
    norms: Vec<u8>,
    codes: Vec<i8>,
    originals: Vec<u8>,
    rows: usize,
}

impl Block {
    fn new() -> Self {
        Self {
            ids: Vec::new(),
            scales: Vec::new(),
            norms: Vec::new(),
            codes: Vec::new(),
            originals: Vec::new(),
            rows: 0,
        }
    }
}

impl SegmentWriter {
    /// Begins the segment `name` of exactly `rows` rows.
    ///
    /// # Errors
    /// [`SegmentError::Count`], [`SegmentError::ModelName`], [`SegmentError::Store`].
    pub fn create(folder: Arc<dyn Folder>, name: &str, spec: &SegmentSpec, rows: u64) -> Result<Self, SegmentError> {
        if rows == 0 || rows > SEGMENT_ROWS_MAX {
            return Err(SegmentError::Count(rows));
        }
        check_model_name(&spec.model.name)?;
        let layout = Layout::of(spec, rows);
        let blob = folder.draft(name)?;
        let header = Header { spec: spec.clone(), rows, first_id: 0, last_id: 0, error_norm_max: 0.0 };
        let writer = Self {
            folder,
            name: name.to_owned(),
            blob: Some(blob),
            layout,
            header,
            rows_done: 0,
            blocks_done: 0,
            written: [0; SECTIONS],
            gathered: Default::default(),
            block: Block::new(),
        };
        // Padding between sections is never written, so that it reads as zeros.
        writer.blob()?.set_size(writer.layout.total as u64)?;
        Ok(writer)
    }

    /// Adds the next row. `id` is above every id so far; `original` has as many numbers as the dimension and has been
    /// rounded to the segment's precision ([`super::Precision::round`]); `code` was made from it.
    ///
    /// # Errors
    /// [`SegmentError::Rows`] when that does not hold or all rows are there already, [`SegmentError::Store`].
    pub fn push(&mut self, id: TemplateId, original: &[f32], code: &Code) -> Result<(), SegmentError> {
        let dimension = self.header.spec.dimension.get();
        if self.rows_done == self.header.rows {
            return Err(self.rows_error(format!("more than the {} rows announced", self.header.rows)));
        }
        if original.len() != dimension || code.codes.len() != dimension {
            return Err(self.rows_error(format!("a template of {} numbers among those of {dimension}", original.len())));
        }
        if self.rows_done > 0 && id.0 <= self.header.last_id {
            return Err(self.rows_error(format!("template {id} after template {}", self.header.last_id)));
        }
        if self.rows_done == 0 {
            self.header.first_id = id.0;
        }
        self.header.last_id = id.0;
        self.header.error_norm_max = self.header.error_norm_max.max(code.error_norm);
        let block = &mut self.block;
        block.codes.resize(BLOCK_ROWS * dimension, 0);
        layout::put_row(&mut block.codes, block.rows, &code.codes);
        block.ids.extend_from_slice(&id.0.to_le_bytes());
        block.scales.extend_from_slice(&code.scale.to_le_bytes());
        block.norms.extend_from_slice(&code.error_norm.to_le_bytes());
        self.header.spec.originals.put(original, &mut block.originals);
        block.rows += 1;
        self.rows_done += 1;
        if self.block.rows == BLOCK_ROWS { self.close_block() } else { Ok(()) }
    }

    /// Puts what was written so far on the medium, so that [`finish`](Self::finish) has little left to wait for.
    ///
    /// # Errors
    /// [`SegmentError::Store`].
    pub fn sync(&self) -> Result<(), SegmentError> {
        Ok(self.blob()?.sync()?)
    }

    /// Publishes the segment and opens it.
    ///
    /// # Errors
    /// [`SegmentError::Rows`] when rows are missing, [`SegmentError::Store`].
    pub fn finish(mut self) -> Result<Segment, SegmentError> {
        if self.rows_done != self.header.rows {
            return Err(self.rows_error(format!("{} of {} rows were written", self.rows_done, self.header.rows)));
        }
        if self.block.rows > 0 {
            self.close_block()?;
        }
        for section in 0..SECTIONS {
            self.write(section, self.gathered[section].len())?;
        }
        self.blob()?.write_at(0, &self.header.encode())?;
        if let Some(blob) = self.blob.take() {
            self.folder.publish(&self.name, blob)?;
        }
        Segment::open(self.folder.as_ref(), &self.name)
    }

    fn close_block(&mut self) -> Result<(), SegmentError> {
        let mut block = std::mem::replace(&mut self.block, Block::new());
        block.ids.resize(self.layout.block[IDS], 0);
        while block.scales.len() < self.layout.block[SCALES] {
            block.scales.extend_from_slice(&DEAD_SCALE.to_le_bytes());
        }
        block.norms.resize(self.layout.block[NORMS], 0);
        block.originals.resize(self.layout.block[ORIGINALS], 0);
        let parts = [&*block.ids, &*block.scales, &*block.norms, bytemuck::cast_slice(&block.codes), &*block.originals];
        debug_assert_eq!(parts[CODES].len(), self.layout.block[CODES]);
        let crc = block_crc(self.blocks_done as u64, &parts).to_le_bytes();
        self.blocks_done += 1;
        for (section, part) in parts.into_iter().chain([crc.as_slice()]).enumerate() {
            self.gathered[section].extend_from_slice(part);
            let at = self.layout.starts[section] + self.written[section];
            let room = STRETCH_BYTES - at % STRETCH_BYTES;
            if self.gathered[section].len() >= room {
                self.write(section, room)?;
            }
        }
        Ok(())
    }

    /// Writes the first `bytes` of what is gathered of a section.
    fn write(&mut self, section: usize, bytes: usize) -> Result<(), SegmentError> {
        let at = self.layout.starts[section] + self.written[section];
        self.blob()?.write_at(at as u64, self.gathered[section].get(..bytes).unwrap_or_default())?;
        self.gathered[section].drain(..bytes);
        self.written[section] += bytes;
        Ok(())
    }

    fn blob(&self) -> Result<&dyn Blob, SegmentError> {
        self.blob.as_deref().ok_or_else(|| self.rows_error("it is finished".to_owned()))
    }

    fn rows_error(&self, what: String) -> SegmentError {
        SegmentError::Rows { path: self.folder.path(&self.name), what }
    }
}

impl Drop for SegmentWriter {
    fn drop(&mut self) {
        if self.blob.is_some() {
            // A draft that can't be removed now is an orphan, which the next start removes.
            let _ = self.folder.remove(&format!("{}{DRAFT_SUFFIX}", self.name));
        }
    }
}
