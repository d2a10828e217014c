//! The bytes of a graph file: its header, and where its sections lie. `docs/GRAPH_FORMAT.md` describes them.

use std::ops::Range;
use std::path::Path;

use crate::base::fields::Fields;
use crate::base::limits::{
    GRAPH_AUDIT_PROBES_MAX, GRAPH_CURVE_LINES_MAX, GRAPH_EF_CONSTRUCTION_MAX, GRAPH_LEVEL_MAX, GRAPH_M_MAX,
    GRAPH_M_MIN, SEGMENT_ROWS_MAX,
};
use crate::graph::GraphError;
use crate::graph::curve::{Curve, Measured};
use crate::graph::links::FIRST_BITS;

/// First bytes of a graph file.
pub(super) const MAGIC: [u8; 8] = *b"BERTGRF\n";
/// The format that is written.
pub(super) const VERSION: u32 = 1;
/// Sections begin at multiples of so many bytes; the header is one such page.
pub(super) const PAGE: usize = 4096;
const CURVE_AT: usize = 160;
const CRC_AT: usize = PAGE - 4;

/// Neighbours on the lowest level, heads, neighbours on upper levels.
pub(super) const SECTIONS: usize = 3;
/// Number of the first section.
pub(super) const BASE: usize = 0;
/// Number of the second.
pub(super) const HEADS: usize = 1;
/// Number of the third.
pub(super) const UPPER: usize = 2;

/// The segment that a graph belongs to, as the segment's header has it: a graph of another is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentIdentity {
    /// Its number in the gallery.
    pub number: u64,
    /// Its rows.
    pub rows: u64,
    /// Its first template id.
    pub first_id: u64,
    /// Its last template id.
    pub last_id: u64,
    /// Components of a template.
    pub dimension: u32,
    /// Checksum of the segment's header, which has the model's hash in it.
    pub header_crc: u32,
}

/// The first page of a graph file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header {
    pub(super) segment: SegmentIdentity,
    pub(super) m: u32,
    pub(super) ef_construction: u32,
    pub(super) top: u32,
    pub(super) entry: u32,
    /// Lists on upper levels.
    pub(super) lists: u64,
    /// Rows that have a point.
    pub(super) points: u64,
    /// Points that no walk comes to.
    pub(super) unreachable: u64,
    pub(super) crcs: [u32; SECTIONS],
    pub(super) curve: Curve,
}

impl Header {
    /// The page, checksum included.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut page = Vec::with_capacity(PAGE);
        page.extend_from_slice(&MAGIC);
        let SegmentIdentity { number, rows, first_id, last_id, dimension, header_crc } = self.segment;
        for number in [VERSION, 0, dimension, self.m, self.ef_construction, self.top, self.entry, header_crc] {
            page.extend_from_slice(&number.to_le_bytes());
        }
        let wide = [number, rows, first_id, last_id, self.lists, self.points, self.unreachable, self.total()];
        for number in wide.into_iter().chain([self.curve.seed]) {
            page.extend_from_slice(&number.to_le_bytes());
        }
        for number in self.crcs.into_iter().chain([self.curve.lines.len() as u32]) {
            page.extend_from_slice(&number.to_le_bytes());
        }
        page.resize(CURVE_AT, 0);
        for line in self.curve.lines.iter().take(GRAPH_CURVE_LINES_MAX) {
            let Measured { ef, mate_cosine, agreed, probes } = *line;
            for number in [ef, mate_cosine.to_bits(), agreed, probes] {
                page.extend_from_slice(&number.to_le_bytes());
            }
        }
        page.resize(CRC_AT, 0);
        let crc = crc32fast::hash(&page);
        page.extend_from_slice(&crc.to_le_bytes());
        page
    }

    /// Reads the first page of the file at `path`, whose whole length is `file_bytes`.
    pub(super) fn decode(page: &[u8], file_bytes: u64, path: &Path) -> Result<Self, GraphError> {
        let damaged = |what: &str| GraphError::Damaged { path: path.to_owned(), what: what.to_owned() };
        if page.get(..MAGIC.len()) != Some(&MAGIC) {
            return Err(GraphError::Foreign(path.to_owned()));
        }
        let Some(page) = page.get(..PAGE) else { return Err(damaged("it is shorter than its header")) };
        let mut fields = Fields::new(page, MAGIC.len());
        let found = fields.u32();
        if found != VERSION {
            return Err(GraphError::Version { path: path.to_owned(), found });
        }
        if crc32fast::hash(page.get(..CRC_AT).unwrap_or_default()) != Fields::new(page, CRC_AT).u32() {
            return Err(damaged("the checksum of its header is wrong"));
        }
        let _flags = fields.u32();
        let (dimension, m, ef_construction) = (fields.u32(), fields.u32(), fields.u32());
        let (top, entry, header_crc) = (fields.u32(), fields.u32(), fields.u32());
        let (number, rows, first_id, last_id) = (fields.u64(), fields.u64(), fields.u64(), fields.u64());
        let (lists, points, unreachable) = (fields.u64(), fields.u64(), fields.u64());
        let (_total, seed) = (fields.u64(), fields.u64());
        let crcs = std::array::from_fn(|_| fields.u32());
        let count = fields.u32() as usize;
        let mut fields = Fields::new(page, CURVE_AT);
        let mut line = || Measured {
            ef: fields.u32(),
            mate_cosine: f32::from_bits(fields.u32()),
            agreed: fields.u32(),
            probes: fields.u32(),
        };
        let lines = (0..count.min(GRAPH_CURVE_LINES_MAX)).map(|_| line()).collect();
        let segment = SegmentIdentity { number, rows, first_id, last_id, dimension, header_crc };
        let curve = Curve { seed, lines };
        let header = Self { segment, m, ef_construction, top, entry, lists, points, unreachable, crcs, curve };
        header.check().map_err(damaged)?;
        // Whatever else differs (flags, reserved bytes, a length) differs from what a header of this version looks like.
        if header.encode() != page {
            return Err(damaged("its header has fields that version 1 does not have"));
        }
        if header.total() != file_bytes {
            return Err(damaged(&format!("it has {file_bytes} bytes where its header wants {}", header.total())));
        }
        Ok(header)
    }

    fn check(&self) -> Result<(), &'static str> {
        let within = |found: u32, least: usize, most: usize| (least..=most).contains(&(found as usize));
        let rows = self.segment.rows;
        if rows == 0 || rows > SEGMENT_ROWS_MAX || u64::from(self.entry) >= rows {
            return Err("its rows are too many or none, or its entry is none of them");
        }
        if !within(self.m, GRAPH_M_MIN, GRAPH_M_MAX) || !within(self.ef_construction, 1, GRAPH_EF_CONSTRUCTION_MAX) {
            return Err("its lists have an impossible length");
        }
        if self.top as usize > GRAPH_LEVEL_MAX || self.lists >= 1 << FIRST_BITS {
            return Err("it has too many levels or lists");
        }
        if self.points == 0 || self.points > rows || self.unreachable > self.points {
            return Err("its numbers of points are impossible");
        }
        let possible = |line: &Measured| {
            line.agreed <= line.probes
                && line.probes as usize <= GRAPH_AUDIT_PROBES_MAX
                && (-1.0..=1.0).contains(&line.mate_cosine)
        };
        if !self.curve.lines.iter().all(possible) {
            return Err("its recall curve is impossible");
        }
        Ok(())
    }

    /// First byte of each section; each is padded with zeros to whole pages.
    fn starts(&self) -> [usize; SECTIONS + 1] {
        let mut starts = [PAGE; SECTIONS + 1];
        for section in 0..SECTIONS {
            starts[section + 1] = starts[section] + self.bytes(section).next_multiple_of(PAGE);
        }
        starts
    }

    /// Bytes of a section without padding. The limits of [`check`](Self::check) keep this far below overflow.
    fn bytes(&self, section: usize) -> usize {
        let (rows, m) = (self.segment.rows as usize, self.m as usize);
        [rows * 2 * m * 4, rows * 4, self.lists as usize * m * 4].get(section).copied().unwrap_or(0)
    }

    /// Where a section lies, padding excluded.
    pub(super) fn section(&self, section: usize) -> Range<usize> {
        let start = self.starts()[section];
        start..start + self.bytes(section)
    }

    /// Length of the file.
    pub(super) fn total(&self) -> u64 {
        self.starts()[SECTIONS] as u64
    }
}
