//! A segment mapped for reading.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::ids::TemplateId;
use crate::segment::SegmentError;
use crate::segment::format::{
    CODES, CRCS, Header, IDS, Layout, NORMS, ORIGINALS, PAGE, SCALES, SECTIONS, SegmentSpec, block_crc,
};
use crate::store::Folder;
use crate::store::mmap::Map;
use crate::vector::codec::{Code, DEAD_SCALE};
use crate::vector::dimension::Dimension;
use crate::vector::layout::{self, BLOCK_ROWS};
use crate::vector::rows::{ErasedRows, Residency, Rows, touch};

/// An open segment. Rows that were dead on disk when it was opened are in its erased set.
#[derive(Debug)]
pub struct Segment {
    path: PathBuf,
    map: Map,
    header: Header,
    layout: Layout,
    erased: ErasedRows,
    residency: Arc<Residency>,
}

impl Segment {
    /// Opens and checks head and length; [`verify`](Self::verify) checks the rest.
    ///
    /// # Errors
    /// [`SegmentError`], with the path, when it is not a whole segment of a known version.
    pub fn open(folder: &dyn Folder, name: &str) -> Result<Self, SegmentError> {
        let path = folder.path(name);
        let map = folder.map(name)?;
        let header = Header::decode(map.bytes(), map.bytes().len() as u64, &path)?;
        let layout = Layout::of(&header.spec, header.rows);
        let mut segment = Self {
            path,
            map,
            header,
            layout,
            erased: ErasedRows::default(),
            residency: Arc::new(Residency::default()),
        };
        let ends = (segment.ids().first().copied(), segment.ids().last().copied());
        if ends != (Some(segment.header.first_id), Some(segment.header.last_id)) {
            return Err(segment.damaged("its first or last template is not the one its header names"));
        }
        let scales = segment.scales().iter().take(segment.len());
        let dead = scales
            .enumerate()
            .filter(|&(_, &scale)| scale <= 0.0 || scale.is_nan())
            .filter_map(|(row, _)| u32::try_from(row).ok());
        segment.erased = ErasedRows::new(dead.collect());
        Ok(segment)
    }

    /// Reads every byte and compares checksums; also checks that ids ascend, that scales and error norms are possible,
    /// and that padding is zero.
    ///
    /// # Errors
    /// [`SegmentError::Block`] for the first bad block, [`SegmentError::Damaged`] for padding.
    pub fn verify(&self) -> Result<(), SegmentError> {
        let mut last = None;
        for block in 0..self.layout.blocks {
            let bad = |what| SegmentError::Block { path: self.path.clone(), block: block as u64, what };
            let crc = self.numbers::<u32>(CRCS).get(block).copied();
            if crc != Some(self.crc_of(block)) {
                return Err(bad("the checksum is wrong"));
            }
            let rows = block * BLOCK_ROWS..((block + 1) * BLOCK_ROWS).min(self.len());
            for row in rows {
                let id = self.ids().get(row).copied();
                if last.is_some() && id <= last {
                    return Err(bad("template ids don't ascend"));
                }
                last = id;
                let (scale, norm) = (self.scales().get(row).copied(), self.numbers::<f32>(NORMS).get(row).copied());
                let possible = scale.is_some_and(|scale| scale == DEAD_SCALE || (scale > 0.0 && scale.is_finite()));
                if !possible || !norm.is_some_and(|norm| (0.0..=self.header.error_norm_max).contains(&norm)) {
                    return Err(bad("a scale or error norm is impossible"));
                }
            }
        }
        self.verify_padding()
    }

    fn verify_padding(&self) -> Result<(), SegmentError> {
        let ends = self.layout.starts.iter().skip(1).copied().chain([self.layout.total]);
        for (section, end) in ends.enumerate() {
            let padding = self.map.bytes().get(self.layout.section(section).end..end).unwrap_or_default();
            debug_assert!(section < SECTIONS && padding.len() < PAGE);
            if padding.iter().any(|&byte| byte != 0) {
                return Err(self.damaged("bytes between its sections were changed"));
            }
        }
        Ok(())
    }

    /// What all rows have in common.
    #[must_use]
    pub fn spec(&self) -> &SegmentSpec {
        &self.header.spec
    }

    /// First and last template id, rows erased since included.
    #[must_use]
    pub fn id_range(&self) -> (TemplateId, TemplateId) {
        (TemplateId(self.header.first_id), TemplateId(self.header.last_id))
    }

    /// The row of a template, erased or not.
    #[must_use]
    pub fn row_of(&self, id: TemplateId) -> Option<u32> {
        self.ids().binary_search(&id.0).ok().and_then(|row| u32::try_from(row).ok())
    }

    /// Checksum of its header, which has rows, ids, dimension and the model's hash: what tells segments of one number apart.
    #[must_use]
    pub fn header_crc(&self) -> u32 {
        self.map.numbers(PAGE - 4..PAGE).and_then(|numbers: &[u32]| numbers.first().copied()).unwrap_or(0)
    }

    /// The code of a row below [`len`](Rows::len), as it was written.
    #[must_use]
    pub fn code(&self, row: usize) -> Code {
        let mut codes = vec![0; self.dimension().get()];
        layout::take_row(self.codes(), row, &mut codes);
        let number = |section| self.numbers::<f32>(section).get(row).copied();
        Code { codes, scale: number(SCALES).unwrap_or(DEAD_SCALE), error_norm: number(NORMS).unwrap_or(0.0) }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.layout.total as u64
    }

    fn ids(&self) -> &[u64] {
        self.numbers::<u64>(IDS).get(..self.header.rows as usize).unwrap_or_default()
    }

    /// A section as numbers. It is in bounds and aligned, since the file's length was checked against the layout.
    fn numbers<T: bytemuck::AnyBitPattern>(&self, section: usize) -> &[T] {
        self.map.numbers(self.layout.section(section)).unwrap_or_default()
    }

    fn original_bytes(&self, row: usize) -> &[u8] {
        let bytes = self.header.spec.dimension.get() * self.header.spec.originals.bytes();
        let start = self.layout.starts[ORIGINALS] + row * bytes;
        self.map.bytes().get(start..start + bytes).unwrap_or_default()
    }

    fn crc_of(&self, block: usize) -> u32 {
        let part = |section| self.map.bytes().get(self.layout.of_block(section, block)).unwrap_or_default();
        block_crc(block as u64, &[part(IDS), part(SCALES), part(NORMS), part(CODES), part(ORIGINALS)])
    }

    fn damaged(&self, what: &str) -> SegmentError {
        SegmentError::Damaged { path: self.path.clone(), what: what.to_owned() }
    }
}

impl Rows for Segment {
    fn dimension(&self) -> Dimension {
        self.header.spec.dimension
    }

    fn len(&self) -> usize {
        self.header.rows as usize
    }

    fn codes(&self) -> &[i8] {
        self.numbers(CODES)
    }

    fn scales(&self) -> &[f32] {
        self.numbers(SCALES)
    }

    fn error_norm_max(&self) -> f32 {
        self.header.error_norm_max
    }

    fn template_id(&self, row: usize) -> TemplateId {
        TemplateId(self.ids()[row])
    }

    fn original(&self, row: usize, out: &mut [f32]) {
        self.header.spec.originals.take(self.original_bytes(row), out);
    }

    fn will_want(&self, rows: &[usize]) {
        for &row in rows {
            touch(self.original_bytes(row));
        }
    }

    fn erased(&self) -> &ErasedRows {
        &self.erased
    }

    fn residency(&self) -> Option<&Arc<Residency>> {
        Some(&self.residency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::ModelId;
    use crate::segment::{Before, Precision, SegmentWriter, erase_rows};
    use crate::store::memory::MemoryFolder;
    use crate::store::{read_small, replace_small};
    use proptest::prelude::*;

    const NAME: &str = "x.seg";

    fn spec(dimension: usize, originals: Precision) -> SegmentSpec {
        let model = ModelId { name: "numbers".to_owned(), hash: [7; 32] };
        SegmentSpec { model, dimension: Dimension::new(dimension).unwrap(), originals, synthetic: false }
    }

    fn original(row: u64, spec: &SegmentSpec) -> Vec<f32> {
        let raw: Vec<f32> = (0..spec.dimension.get() as u64).map(|i| ((row * 131 + i * 17) as f32).sin()).collect();
        spec.originals.round(&raw)
    }

    fn written(rows: u64, spec: &SegmentSpec) -> MemoryFolder {
        let folder = MemoryFolder::default();
        let mut writer = SegmentWriter::create(Arc::new(folder.clone()), NAME, spec, rows).unwrap();
        for row in 0..rows {
            let original = original(row, spec);
            writer.push(TemplateId(10 + row * 3), &original, &Code::of(&original)).unwrap();
        }
        writer.finish().unwrap();
        folder
    }

    fn open_and_verify(bytes: &[u8]) -> Result<Segment, SegmentError> {
        let folder = MemoryFolder::default();
        replace_small(&folder, NAME, bytes)?;
        let segment = Segment::open(&folder, NAME)?;
        segment.verify()?;
        Ok(segment)
    }

    #[test]
    fn rows_come_back_to_the_bit_across_stretches() {
        let short = [(1, 32, Precision::F32), (16, 32, Precision::F16), (2_501, 32, Precision::F32)];
        // Codes of more than one stretch, originals of several.
        for (rows, dimension, originals) in short.into_iter().chain([(1_301, 2_048, Precision::F16)]) {
            let spec = spec(dimension, originals);
            let folder = written(rows, &spec);
            let segment = Segment::open(&folder, NAME).unwrap();
            segment.verify().unwrap();
            let (mut back, mut codes) = (vec![0.0; dimension], vec![0; dimension]);
            for row in 0..rows {
                let wanted = original(row, &spec);
                segment.original(row as usize, &mut back);
                layout::take_row(segment.codes(), row as usize, &mut codes);
                assert_eq!(back, wanted);
                assert_eq!(codes, Code::of(&wanted).codes);
                assert_eq!(segment.scales()[row as usize], Code::of(&wanted).scale);
                assert_eq!(segment.row_of(TemplateId(10 + row * 3)), Some(row as u32));
                assert!(segment.is_live(row as usize));
            }
            assert_eq!(segment.scales().len() % BLOCK_ROWS, 0);
            assert!(segment.scales()[rows as usize..].iter().all(|&scale| scale == DEAD_SCALE));
            assert_eq!(folder.list().unwrap(), [NAME]);
        }
    }

    #[test]
    fn every_flipped_byte_and_every_cut_is_found() {
        let good = read_small(&written(40, &spec(16, Precision::F32)), NAME, 1 << 20).unwrap();
        assert!(open_and_verify(&good).is_ok());
        for at in 0..good.len() {
            let mut bytes = good.clone();
            bytes[at] ^= 1 << (at % 8);
            assert!(open_and_verify(&bytes).is_err(), "byte {at} flipped");
        }
        for at in (0..good.len()).step_by(7) {
            assert!(open_and_verify(&good[..at]).is_err(), "cut at {at}");
        }
        assert!(open_and_verify(&[good, vec![0]].concat()).is_err(), "one byte longer");
    }

    #[test]
    fn an_erased_row_is_zeros_and_its_neighbours_are_not() {
        let spec = spec(16, Precision::F16);
        let folder = written(40, &spec);
        for attempt in 0..2 {
            erase_rows(&folder, NAME, &[17, 3, 17], Before::Whole).unwrap();
            let segment = Segment::open(&folder, NAME).unwrap();
            segment.verify().unwrap();
            assert_eq!(segment.erased().as_slice(), [3, 17], "attempt {attempt}");
            let mut back = vec![9.0; 16];
            segment.original(17, &mut back);
            assert!(back.iter().all(|&value| value == 0.0));
            segment.original(18, &mut back);
            assert_eq!(back, original(18, &spec));
            assert_eq!(segment.row_of(TemplateId(10 + 17 * 3)), Some(17), "ids still ascend");
        }
    }

    #[test]
    fn erasing_does_not_hide_damage() {
        let folder = written(40, &spec(16, Precision::F32));
        let mut bytes = read_small(&folder, NAME, 1 << 20).unwrap();
        let codes = Layout::of(&spec(16, Precision::F32), 40).starts[CODES];
        bytes[codes] ^= 4;
        replace_small(&folder, NAME, &bytes).unwrap();
        let refused = erase_rows(&folder, NAME, &[3], Before::Whole);
        assert!(matches!(refused, Err(SegmentError::Block { block: 0, .. })), "{refused:?}");
        assert_eq!(read_small(&folder, NAME, 1 << 20).unwrap(), bytes, "nothing was changed");
        assert!(matches!(erase_rows(&folder, NAME, &[40], Before::Whole), Err(SegmentError::Row { row: 40, .. })));
    }

    #[test]
    fn the_writer_refuses_what_would_not_read_back() {
        let spec = spec(16, Precision::F32);
        let folder = MemoryFolder::default();
        let create = |rows| SegmentWriter::create(Arc::new(folder.clone()), NAME, &spec, rows);
        assert!(matches!(create(0), Err(SegmentError::Count(0))));
        let mut writer = create(2).unwrap();
        let row = original(1, &spec);
        writer.push(TemplateId(5), &row, &Code::of(&row)).unwrap();
        assert!(writer.push(TemplateId(5), &row, &Code::of(&row)).is_err(), "ids must ascend");
        assert!(writer.push(TemplateId(6), &row[..8], &Code::of(&row)).is_err(), "wrong length");
        assert!(writer.finish().is_err(), "a row is missing");
        assert!(folder.list().unwrap().is_empty(), "nothing is left");
    }

    proptest! {
        #[test]
        fn random_bytes_never_panic(
            noise in proptest::collection::vec(any::<u8>(), 0..6000),
            places in proptest::collection::vec((0_usize..4096, any::<u8>()), 0..6),
            repair in any::<bool>(),
        ) {
            prop_assert!(open_and_verify(&noise).is_err());
            // A real head with fields changed and its checksum made right again gets much further.
            let mut bytes = read_small(&written(20, &spec(16, Precision::F32)), NAME, 1 << 20).unwrap();
            for (at, value) in places {
                bytes[at % 130] = value;
            }
            if repair {
                let crc = crc32fast::hash(&bytes[..PAGE - 4]);
                bytes[PAGE - 4..PAGE].copy_from_slice(&crc.to_le_bytes());
            }
            if let Ok(segment) = open_and_verify(&bytes) {
                prop_assert_eq!(segment.len(), 20);
            }
        }
    }
}
