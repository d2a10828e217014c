//! A graph in a file: written once, mapped for walking.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::graph::GraphError;
use crate::graph::build::Plan;
use crate::graph::curve::Curve;
use crate::graph::format::{BASE, HEADS, Header, SECTIONS, SegmentIdentity, UPPER};
use crate::graph::links::{Flat, Links};
use crate::store::mmap::Map;
use crate::store::{DRAFT_SUFFIX, Folder};

/// Bytes written at once.
const WRITE_BYTES: usize = 4 << 20;

/// A graph's name in the gallery's folder.
#[must_use]
pub fn file_name(segment: u64) -> String {
    format!("graph-{segment}.hnsw")
}

/// The segment whose graph a file of this name is.
#[must_use]
pub fn segment_of(name: &str) -> Option<u64> {
    let number = name.strip_prefix("graph-")?.strip_suffix(".hnsw")?.parse().ok()?;
    (file_name(number) == name).then_some(number)
}

/// What is written beside the edges.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// Whose graph it is.
    pub segment: SegmentIdentity,
    /// How it was built.
    pub plan: Plan,
    /// Rows that have a point.
    pub points: u64,
    /// Points that no walk comes to.
    pub unreachable: u64,
    /// The recall audit.
    pub curve: Curve,
}

/// Writes a graph under the name that its segment's number gives it: whole or not at all.
///
/// # Errors
/// [`GraphError::Store`]; nothing is left then but a draft, which the gallery's next start removes.
pub fn write(folder: &dyn Folder, flat: &Flat, facts: &Facts) -> Result<(), GraphError> {
    let parts: [&[u8]; SECTIONS] =
        [bytemuck::cast_slice(&flat.base), bytemuck::cast_slice(&flat.heads), bytemuck::cast_slice(&flat.upper)];
    let header = Header {
        segment: facts.segment,
        m: flat.m as u32,
        ef_construction: facts.plan.ef_construction as u32,
        top: flat.top as u32,
        entry: flat.entry,
        lists: (flat.upper.len() / flat.m.max(1)) as u64,
        points: facts.points,
        unreachable: facts.unreachable,
        crcs: parts.map(crc32fast::hash),
        curve: facts.curve.clone(),
    };
    let name = file_name(facts.segment.number);
    let draft = folder.draft(&name)?;
    let written = (|| {
        draft.set_size(header.total())?;
        draft.write_at(0, &header.encode())?;
        for (section, bytes) in parts.into_iter().enumerate() {
            let start = header.section(section).start;
            for (piece, bytes) in bytes.chunks(WRITE_BYTES).enumerate() {
                draft.write_at((start + piece * WRITE_BYTES) as u64, bytes)?;
            }
        }
        folder.publish(&name, draft)
    })();
    written.map_err(|error| {
        // As good as it can be: the disk may be full, or gone.
        drop(folder.remove(&format!("{name}{DRAFT_SUFFIX}")));
        error.into()
    })
}

/// A mapped graph. Its header was checked when it was opened; its edges are checked by [`verify`](Self::verify), and a walk
/// believes none of them either way.
#[derive(Debug)]
pub struct Graph {
    path: PathBuf,
    map: Map,
    header: Header,
    verified: AtomicU8,
}

const UNKNOWN: u8 = 0;
const WHOLE: u8 = 1;
const BROKEN: u8 = 2;

impl Graph {
    /// Opens the graph of `segment`: reads one page, however large it is.
    ///
    /// # Errors
    /// [`GraphError::Store`] when there is none, [`GraphError::Foreign`], [`GraphError::Version`],
    /// [`GraphError::Damaged`], and [`GraphError::Stale`] for the graph of another segment.
    pub fn open(folder: &dyn Folder, segment: &SegmentIdentity) -> Result<Self, GraphError> {
        let name = file_name(segment.number);
        let (path, map) = (folder.path(&name), folder.map(&name)?);
        let header = Header::decode(map.bytes(), map.bytes().len() as u64, &path)?;
        if header.segment != *segment {
            return Err(GraphError::Stale(path));
        }
        Ok(Self { path, map, header, verified: AtomicU8::new(UNKNOWN) })
    }

    /// The edges.
    #[must_use]
    pub fn links(&self) -> Links<'_> {
        let numbers = |section| self.map.numbers(self.header.section(section)).unwrap_or_default();
        let Header { m, top, entry, .. } = self.header;
        Links {
            m: m as usize,
            top: top as usize,
            entry,
            base: numbers(BASE),
            heads: numbers(HEADS),
            upper: numbers(UPPER),
        }
    }

    /// Reads every byte: checksums, padding, and that all edges are such as a graph has. Done once; the verdict is kept.
    ///
    /// # Errors
    /// [`GraphError::Damaged`].
    pub fn verify(&self) -> Result<(), GraphError> {
        match self.verified.load(Ordering::Relaxed) {
            WHOLE => return Ok(()),
            BROKEN => return Err(self.damaged("it was found damaged before")),
            _unknown => {}
        }
        let verdict = self.read_through();
        self.verified.store(if verdict.is_ok() { WHOLE } else { BROKEN }, Ordering::Relaxed);
        verdict
    }

    fn read_through(&self) -> Result<(), GraphError> {
        for (section, crc) in self.header.crcs.iter().enumerate() {
            let range = self.header.section(section);
            let bytes = self.map.bytes().get(range.clone()).unwrap_or_default();
            if crc32fast::hash(bytes) != *crc {
                return Err(self.damaged("the checksum of its edges is wrong"));
            }
            let next =
                if section + 1 < SECTIONS { self.header.section(section + 1).start } else { self.map.bytes().len() };
            if self.map.bytes().get(range.end..next).is_none_or(|padding| padding.iter().any(|&byte| byte != 0)) {
                return Err(self.damaged("bytes between its sections were changed"));
            }
        }
        self.links().fault().map_or(Ok(()), |fault| Err(self.damaged(&fault)))
    }

    /// The recall audit.
    #[must_use]
    pub fn curve(&self) -> &Curve {
        &self.header.curve
    }

    /// What stands in its header beside the edges.
    #[must_use]
    pub fn facts(&self) -> Facts {
        let Header { segment, m, ef_construction, points, unreachable, .. } = self.header;
        let plan = Plan { m: m as usize, ef_construction: ef_construction as usize, threads: 1 };
        Facts { segment, plan, points, unreachable, curve: self.header.curve.clone() }
    }

    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        self.header.total()
    }

    fn damaged(&self, what: &str) -> GraphError {
        GraphError::Damaged { path: self.path.clone(), what: what.to_owned() }
    }
}
