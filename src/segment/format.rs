//! The bytes of a segment: its header, and where its sections lie.

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use crc32fast::Hasher;

use crate::base::fields::Fields;
use crate::base::ids::ModelId;
use crate::base::limits::{MODEL_NAME_BYTES_MAX, SEGMENT_ROWS_MAX};
use crate::segment::SegmentError;
use crate::vector::codec;
use crate::vector::dimension::Dimension;
use crate::vector::layout::{self, BLOCK_ROWS};

/// First bytes of a segment.
pub(super) const MAGIC: [u8; 8] = *b"BERTSEG\n";
/// The format that is written.
pub(super) const VERSION: u32 = 1;
/// Sections begin at multiples of so many bytes; the header is one such page.
pub(super) const PAGE: usize = 4096;
const FLAG_SYNTHETIC: u32 = 1;
const NAME_AT: usize = 96;
const CRC_AT: usize = PAGE - 4;

/// In which precision originals are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Precision {
    /// Single: 4 bytes a number, lossless.
    F32,
    /// Half: 2 bytes a number. A template is rounded when it is enrolled, so that its score never changes afterwards.
    F16,
}

impl Precision {
    /// Bytes of one number.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 => 2,
        }
    }

    /// `f32` or `f16`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
        }
    }

    /// Appends the bytes of `values` to `out`.
    pub fn put(self, values: &[f32], out: &mut Vec<u8>) {
        match self {
            Self::F32 => codec::put_f32(values, out),
            Self::F16 => codec::put_f16(values, out),
        }
    }

    /// Reads `bytes` into `out`.
    pub fn take(self, bytes: &[u8], out: &mut [f32]) {
        match self {
            Self::F32 => codec::take_f32(bytes, out),
            Self::F16 => codec::take_f16(bytes, out),
        }
    }

    /// `values` as they will be kept.
    #[must_use]
    pub fn round(self, values: &[f32]) -> Vec<f32> {
        match self {
            Self::F32 => values.to_vec(),
            Self::F16 => codec::through_f16(values),
        }
    }

    fn code(self) -> u32 {
        match self {
            Self::F32 => 0,
            Self::F16 => 1,
        }
    }
}

impl FromStr for Precision {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::F32, Self::F16]
            .into_iter()
            .find(|precision| precision.as_str() == text)
            .ok_or_else(|| format!("{text:?} is no precision of originals: use f32 or f16"))
    }
}

/// What all rows of a segment have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentSpec {
    /// Which model made the templates.
    pub model: ModelId,
    /// Components of each template.
    pub dimension: Dimension,
    /// How originals are kept.
    pub originals: Precision,
    /// Whether the templates were computed for tests and demonstrations, and belong to nobody.
    pub synthetic: bool,
}

impl SegmentSpec {
    /// Bytes of the file of a segment of `rows` rows, at most [`SEGMENT_ROWS_MAX`].
    #[must_use]
    pub fn file_bytes(&self, rows: u64) -> u64 {
        Layout::of(self, rows).total as u64
    }
}

/// The first page of a segment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) spec: SegmentSpec,
    pub(super) rows: u64,
    pub(super) first_id: u64,
    pub(super) last_id: u64,
    pub(super) error_norm_max: f32,
}

impl Header {
    /// The page, checksum included.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(PAGE);
        page.extend_from_slice(&MAGIC);
        page.extend_from_slice(&VERSION.to_le_bytes());
        page.extend_from_slice(&if self.spec.synthetic { FLAG_SYNTHETIC } else { 0 }.to_le_bytes());
        page.extend_from_slice(&(self.spec.dimension.get() as u32).to_le_bytes());
        page.extend_from_slice(&self.spec.originals.code().to_le_bytes());
        for number in [self.rows, self.first_id, self.last_id, Layout::of(&self.spec, self.rows).total as u64] {
            page.extend_from_slice(&number.to_le_bytes());
        }
        page.extend_from_slice(&self.error_norm_max.to_le_bytes());
        page.extend_from_slice(&(self.spec.model.name.len() as u32).to_le_bytes());
        page.extend_from_slice(&self.spec.model.hash);
        debug_assert_eq!(page.len(), NAME_AT);
        page.extend_from_slice(self.spec.model.name.as_bytes());
        page.resize(CRC_AT, 0);
        let crc = crc32fast::hash(&page);
        page.extend_from_slice(&crc.to_le_bytes());
        page
    }

    /// Reads the first page of the file at `path`, whose whole length is `file_bytes`.
    pub(super) fn decode(page: &[u8], file_bytes: u64, path: &Path) -> Result<Self, SegmentError> {
        let damaged = |what: &str| SegmentError::Damaged { path: path.to_owned(), what: what.to_owned() };
        if page.get(..MAGIC.len()) != Some(&MAGIC) {
            return Err(SegmentError::Foreign(path.to_owned()));
        }
        let Some(page) = page.get(..PAGE) else { return Err(damaged("it is shorter than its header")) };
        let mut fields = Fields::new(page, MAGIC.len());
        let found = fields.u32();
        if found != VERSION {
            return Err(SegmentError::Version { path: path.to_owned(), found });
        }
        let stored_crc = Fields::new(page, CRC_AT).u32();
        if crc32fast::hash(page.get(..CRC_AT).unwrap_or_default()) != stored_crc {
            return Err(damaged("the checksum of its header is wrong"));
        }
        let flags = fields.u32();
        let dimension = Dimension::new(fields.u32() as usize).map_err(|error| damaged(&error.to_string()))?;
        let originals = match fields.u32() {
            0 => Precision::F32,
            1 => Precision::F16,
            _other => return Err(damaged("its originals have an unknown precision")),
        };
        let (rows, first_id, last_id, total) = (fields.u64(), fields.u64(), fields.u64(), fields.u64());
        let (error_norm_max, name_bytes) = (f32::from_bits(fields.u32()), fields.u32() as usize);
        let hash = fields.take();
        let name = page.get(NAME_AT..NAME_AT + name_bytes.min(MODEL_NAME_BYTES_MAX)).unwrap_or_default();
        let name = String::from_utf8(name.to_vec()).map_err(|_| damaged("its model's name is no text"))?;
        let spec =
            SegmentSpec { model: ModelId { name, hash }, dimension, originals, synthetic: flags & FLAG_SYNTHETIC != 0 };
        let header = Self { spec, rows, first_id, last_id, error_norm_max };
        header.check().map_err(|what| damaged(&what))?;
        // Whatever else differs (reserved bytes, unknown flags) differs from what a header of this version looks like.
        if header.encode() != page {
            return Err(damaged("its header has fields that version 1 does not have"));
        }
        if total != file_bytes {
            return Err(damaged(&format!("it has {file_bytes} bytes where its header says {total}")));
        }
        Ok(header)
    }

    fn check(&self) -> Result<(), String> {
        if self.rows == 0 || self.rows > SEGMENT_ROWS_MAX {
            return Err(format!("{} rows are too many or none", self.rows));
        }
        if self.last_id < self.first_id || self.last_id - self.first_id < self.rows - 1 {
            return Err(format!("{} rows don't fit ids {} to {}", self.rows, self.first_id, self.last_id));
        }
        if !self.error_norm_max.is_finite() || self.error_norm_max < 0.0 {
            return Err(format!("its largest error norm is {}", self.error_norm_max));
        }
        check_model_name(&self.spec.model.name).map_err(|error| error.to_string())
    }
}

/// Refuses names that don't fit a header or a line of a manifest.
pub(crate) fn check_model_name(name: &str) -> Result<(), SegmentError> {
    if name.is_empty() || name.len() > MODEL_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(SegmentError::ModelName(name.chars().take(MODEL_NAME_BYTES_MAX).collect()));
    }
    Ok(())
}

/// Where the sections lie, in bytes from the start of the file. Each is padded with zeros to whole pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Bytes of one block in each section, in the order of [`Layout::starts`].
    pub(super) block: [usize; SECTIONS],
    /// First byte of each section: ids, scales, error norms, codes, originals, checksums.
    pub(super) starts: [usize; SECTIONS],
    /// Blocks of 16 rows.
    pub(super) blocks: usize,
    /// Length of the file.
    pub(super) total: usize,
}

pub(super) const SECTIONS: usize = 6;
pub(super) const IDS: usize = 0;
pub(super) const SCALES: usize = 1;
pub(super) const NORMS: usize = 2;
pub(super) const CODES: usize = 3;
pub(super) const ORIGINALS: usize = 4;
pub(super) const CRCS: usize = 5;

impl Layout {
    /// For `rows` rows, at most [`SEGMENT_ROWS_MAX`].
    pub(super) fn of(spec: &SegmentSpec, rows: u64) -> Self {
        let dimension = spec.dimension.get();
        let original = dimension * spec.originals.bytes();
        let block = [BLOCK_ROWS * 8, BLOCK_ROWS * 4, BLOCK_ROWS * 4, BLOCK_ROWS * dimension, BLOCK_ROWS * original, 4];
        let blocks = layout::blocks(rows.min(SEGMENT_ROWS_MAX) as usize);
        let mut starts = [0; SECTIONS];
        let mut at = PAGE;
        for (start, block) in starts.iter_mut().zip(block) {
            *start = at;
            at += (blocks * block).next_multiple_of(PAGE);
        }
        Self { block, starts, blocks, total: at }
    }

    /// Bytes of a whole section, padding excluded.
    pub(super) fn section(&self, section: usize) -> Range<usize> {
        self.starts[section]..self.starts[section] + self.blocks * self.block[section]
    }

    /// Bytes of one block in a section.
    pub(super) fn of_block(&self, section: usize, block: usize) -> Range<usize> {
        let start = self.starts[section] + block * self.block[section];
        start..start + self.block[section]
    }
}

/// Checksum of one block: its number, then its bytes in the five data sections, in the order of the file.
pub(super) fn block_crc(block: u64, parts: &[&[u8]; CRCS]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&block.to_le_bytes());
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn header(rows: u64) -> Header {
        let model = ModelId { name: "numbers".to_owned(), hash: [7; 32] };
        let dimension = Dimension::new(32).unwrap();
        let spec = SegmentSpec { model, dimension, originals: Precision::F16, synthetic: true };
        Header { spec, rows, first_id: 5, last_id: 5 + rows, error_norm_max: 0.25 }
    }

    #[test]
    fn a_header_is_one_page_and_reads_back() {
        let header = header(17);
        let page = header.encode();
        assert_eq!(page.len(), PAGE);
        let total = Layout::of(&header.spec, 17).total as u64;
        assert_eq!(Header::decode(&page, total, Path::new("x")).unwrap(), header);
        assert!(Header::decode(&page, total - 1, Path::new("x")).is_err());
    }

    #[test]
    fn sections_begin_on_pages_and_follow_each_other() {
        let layout = Layout::of(&header(33).spec, 33);
        assert_eq!(layout.blocks, 3);
        assert!(layout.starts.iter().all(|start| start % PAGE == 0));
        for section in 1..SECTIONS {
            assert!(layout.section(section - 1).end <= layout.section(section).start);
        }
        assert!(layout.section(CRCS).end <= layout.total);
    }

    #[test]
    fn versions_and_foreign_files_are_told_apart() {
        let mut page = header(17).encode();
        page[8] = 9;
        assert!(matches!(Header::decode(&page, 0, Path::new("x")), Err(SegmentError::Version { found: 9, .. })));
        page[0] = b'?';
        assert!(matches!(Header::decode(&page, 0, Path::new("x")), Err(SegmentError::Foreign(_))));
        assert!(matches!(Header::decode(&[], 0, Path::new("x")), Err(SegmentError::Foreign(_))));
    }
}
