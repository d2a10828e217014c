//! The one change of a segment after writing: a template's bytes are overwritten.

use crate::segment::SegmentError;
use crate::segment::format::{CODES, CRCS, Header, Layout, NORMS, ORIGINALS, PAGE, SCALES, block_crc};
use crate::store::{Blob, Folder, Mode};
use crate::vector::codec::DEAD_SCALE;
use crate::vector::layout::{self, BLOCK_ROWS};

/// What may be expected of a block before rows of it are overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Its checksum is right; a wrong one is damage, which the new checksum must not hide.
    Whole,
    /// An earlier attempt may have been cut short in it, so its checksum may be wrong.
    PerhapsTorn,
}

/// Overwrites rows (any order) of the segment `name`: codes, original and error norm with zeros, the scale with
/// [`DEAD_SCALE`], the checksum of each block touched with its new value. Returns when all of it is on the medium. The id
/// stays, so that ids still ascend. Doing it again changes nothing.
///
/// # Errors
/// [`SegmentError::Row`] for a row that is not there and [`SegmentError::Block`] for a damaged block, both before
/// anything is changed; [`SegmentError::Store`] when writing failed: do it again with [`Before::PerhapsTorn`].
pub fn erase_rows(folder: &dyn Folder, name: &str, rows: &[u32], before: Before) -> Result<(), SegmentError> {
    let path = folder.path(name);
    let blob = folder.open(name, Mode::Change)?;
    let mut page = vec![0; PAGE];
    blob.read_at(0, &mut page)?;
    let header = Header::decode(&page, blob.size_bytes()?, &path)?;
    let layout = Layout::of(&header.spec, header.rows);
    let mut rows = rows.to_vec();
    rows.sort_unstable();
    rows.dedup();
    if let Some(&row) = rows.iter().find(|&&row| u64::from(row) >= header.rows) {
        return Err(SegmentError::Row { path, row });
    }
    let groups: Vec<&[u32]> = rows.chunk_by(|a, b| block_of(*a) == block_of(*b)).collect();
    let mut parts = Parts::new(&layout);
    if before == Before::Whole {
        for block in groups.iter().filter_map(|group| group.first()).map(|&row| block_of(row)) {
            parts.read(blob.as_ref(), &layout, block)?;
            if parts.crc(block) != parts.stored_crc() {
                return Err(SegmentError::Block { path, block: block as u64, what: "the checksum is wrong" });
            }
        }
    }
    for group in groups {
        let block = block_of(group[0]);
        parts.read(blob.as_ref(), &layout, block)?;
        for &row in group {
            parts.clear_row(row as usize % BLOCK_ROWS, header.spec.dimension.get());
        }
        parts.write(blob.as_ref(), &layout, block)?;
    }
    Ok(blob.sync()?)
}

fn block_of(row: u32) -> usize {
    row as usize / BLOCK_ROWS
}

/// One block's bytes of each section.
struct Parts {
    sections: [Vec<u8>; CRCS + 1],
}

impl Parts {
    fn new(layout: &Layout) -> Self {
        Self { sections: layout.block.map(|bytes| vec![0; bytes]) }
    }

    fn read(&mut self, blob: &dyn Blob, layout: &Layout, block: usize) -> Result<(), SegmentError> {
        for (section, bytes) in self.sections.iter_mut().enumerate() {
            blob.read_at(layout.of_block(section, block).start as u64, bytes)?;
        }
        Ok(())
    }

    fn clear_row(&mut self, row: usize, dimension: usize) {
        layout::put_row(bytemuck::cast_slice_mut(&mut self.sections[CODES]), row, &vec![0; dimension]);
        fill(&mut self.sections[SCALES], row, &DEAD_SCALE.to_le_bytes());
        fill(&mut self.sections[NORMS], row, &[0]);
        fill(&mut self.sections[ORIGINALS], row, &[0]);
    }

    /// Writes what an erasure changes, the checksum last. Nothing depends on that order: until all of it is synced the
    /// records say "erasing", and a start does it again.
    fn write(&mut self, blob: &dyn Blob, layout: &Layout, block: usize) -> Result<(), SegmentError> {
        self.sections[CRCS] = self.crc(block).to_le_bytes().to_vec();
        for section in [SCALES, NORMS, CODES, ORIGINALS, CRCS] {
            blob.write_at(layout.of_block(section, block).start as u64, &self.sections[section])?;
        }
        Ok(())
    }

    fn crc(&self, block: usize) -> u32 {
        let [ids, scales, norms, codes, originals, _crc] = &self.sections;
        block_crc(block as u64, &[ids, scales, norms, codes, originals])
    }

    fn stored_crc(&self) -> u32 {
        self.sections[CRCS].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
    }
}

/// Fills the part of one of 16 rows with repetitions of `pattern`.
fn fill(section: &mut [u8], row: usize, pattern: &[u8]) {
    let bytes = section.len() / BLOCK_ROWS;
    for (byte, value) in section.iter_mut().skip(row * bytes).take(bytes).zip(pattern.iter().cycle()) {
        *byte = *value;
    }
}
