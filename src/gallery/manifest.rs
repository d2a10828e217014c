//! `MANIFEST`: which files make up a gallery. Text, one fact a line, with a checksum in the last; replaced in one step.

use std::fmt::Write as _;
use std::path::PathBuf;

use crate::base::hex;
use crate::base::ids::ModelId;
use crate::base::limits::{MANIFEST_BYTES_MAX, SEGMENTS_PER_GALLERY_MAX};
use crate::gallery::GalleryError;
use crate::segment::{Precision, SegmentSpec};
use crate::store::{Folder, read_small, replace_small};
use crate::vector::dimension::Dimension;

/// Its name in the gallery's folder.
pub(super) const MANIFEST: &str = "MANIFEST";
const FIRST_LINE: &str = "bertillon gallery manifest 1";

/// What all templates of a gallery have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GallerySpec {
    /// Which model made the templates.
    pub model: ModelId,
    /// Components of each template.
    pub dimension: Dimension,
    /// How originals are kept.
    pub originals: Precision,
}

impl GallerySpec {
    pub(super) fn of_segment(&self, synthetic: bool) -> SegmentSpec {
        SegmentSpec { model: self.model.clone(), dimension: self.dimension, originals: self.originals, synthetic }
    }
}

/// One segment of a gallery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SegmentEntry {
    pub(super) number: u64,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) rows: u64,
    pub(super) synthetic: bool,
}

impl SegmentEntry {
    pub(super) fn file(&self) -> String {
        segment_file(self.number)
    }
}

/// A parsed manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Rises with every replacement, so that a reader can tell that files may have gone.
    pub(super) edition: u64,
    pub(super) spec: GallerySpec,
    /// Committed templates up to this id are in segments, later ones in the tail.
    pub(super) sealed_through: u64,
    /// Which tail file is in use.
    pub(super) tail: u64,
    /// Number of the next segment file.
    pub(super) next_segment: u64,
    /// While enrolled templates are imported: segments above this id count once the records reach their last id.
    pub(super) importing: Option<u64>,
    /// In ascending template ids.
    pub(super) segments: Vec<SegmentEntry>,
}

/// Name of a segment's file.
pub(super) fn segment_file(number: u64) -> String {
    format!("segment-{number}.seg")
}

/// Name of a tail's file.
pub(super) fn tail_file(generation: u64) -> String {
    format!("tail-{generation}.log")
}

impl Manifest {
    /// Of a new, empty gallery.
    pub(super) fn first(spec: &GallerySpec) -> Self {
        Self {
            edition: 1,
            spec: spec.clone(),
            sealed_through: 0,
            tail: 1,
            next_segment: 1,
            importing: None,
            segments: Vec::new(),
        }
    }

    pub(super) fn tail_file(&self) -> String {
        tail_file(self.tail)
    }

    pub(super) fn load(folder: &dyn Folder) -> Result<Self, GalleryError> {
        let bytes = read_small(folder, MANIFEST, MANIFEST_BYTES_MAX)?;
        let damaged = |what: &str| damaged(folder.path(MANIFEST), what);
        let text = std::str::from_utf8(&bytes).map_err(|_| damaged("it is no text"))?;
        let manifest = Self::parse(text).ok_or_else(|| damaged("a line is not what it should be"))?;
        // One text for one content: whatever a parser might overlook shows up as a difference.
        if manifest.encode() != text {
            return Err(damaged("its checksum or a line is wrong"));
        }
        manifest.check().map_err(|what| damaged(&what))?;
        Ok(manifest)
    }

    pub(super) fn store(&self, folder: &dyn Folder) -> Result<(), GalleryError> {
        if self.segments.len() > SEGMENTS_PER_GALLERY_MAX {
            return Err(GalleryError::TooMany { what: "segments in one gallery", limit: SEGMENTS_PER_GALLERY_MAX });
        }
        Ok(replace_small(folder, MANIFEST, self.encode().as_bytes())?)
    }

    fn encode(&self) -> String {
        let GallerySpec { model, dimension, originals } = &self.spec;
        let mut text = format!("{FIRST_LINE}\nedition {}\nmodel {} {}\n", self.edition, model.hash_hex(), model.name);
        // Writing to a string can't fail.
        let _ = writeln!(text, "dimension {dimension}\noriginals {}", originals.as_str());
        let _ = writeln!(text, "sealed-through {}\ntail {}", self.sealed_through, self.tail);
        let _ = writeln!(text, "next-segment {}", self.next_segment);
        if let Some(after) = self.importing {
            let _ = writeln!(text, "importing-after {after}");
        }
        for entry in &self.segments {
            let SegmentEntry { number, first, last, rows, synthetic } = entry;
            let kind = if *synthetic { "synthetic" } else { "enrolled" };
            let _ = writeln!(text, "segment {number} {first} {last} {rows} {kind}");
        }
        let crc = crc32fast::hash(text.as_bytes());
        let _ = writeln!(text, "crc32 {crc:08x}");
        text
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let mut next = |key: &str| lines.next()?.strip_prefix(key).map(str::trim_start);
        next(FIRST_LINE)?;
        let edition = next("edition ")?.parse().ok()?;
        let (hash, name) = next("model ")?.split_once(' ')?;
        let model = ModelId { name: name.to_owned(), hash: hex::decode_32(hash)? };
        let dimension = Dimension::new(next("dimension ")?.parse().ok()?).ok()?;
        let originals = next("originals ")?.parse().ok()?;
        let sealed_through = next("sealed-through ")?.parse().ok()?;
        let tail = next("tail ")?.parse().ok()?;
        let next_segment = next("next-segment ")?.parse().ok()?;
        let mut lines = lines.peekable();
        let importing = lines.next_if(|line| line.starts_with("importing-after ")).map(|line| &line[16..]);
        let importing = importing.map(str::parse).transpose().ok()?;
        let segments =
            lines.map_while(|line| line.strip_prefix("segment ")).map(parse_segment).collect::<Option<_>>()?;
        let spec = GallerySpec { model, dimension, originals };
        Some(Self { edition, spec, sealed_through, tail, next_segment, importing, segments })
    }

    fn check(&self) -> Result<(), String> {
        let mut last = 0;
        for entry in &self.segments {
            if entry.first <= last || entry.last < entry.first || entry.number >= self.next_segment {
                return Err(format!("segment {} does not follow the one before it", entry.number));
            }
            last = entry.last;
        }
        if self.sealed_through < last {
            return Err(format!("its segments end at template {last}, after {}", self.sealed_through));
        }
        Ok(())
    }
}

fn parse_segment(line: &str) -> Option<SegmentEntry> {
    let mut words = line.split(' ');
    let mut number = || words.next()?.parse().ok();
    let (number, first, last, rows) = (number()?, number()?, number()?, number()?);
    let synthetic = match words.next()? {
        "synthetic" => true,
        "enrolled" => false,
        _other => return None,
    };
    Some(SegmentEntry { number, first, last, rows, synthetic })
}

pub(super) fn damaged(path: PathBuf, what: &str) -> GalleryError {
    GalleryError::Damaged { path, what: what.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryFolder;

    fn manifest() -> Manifest {
        let model = ModelId { name: "a set with spaces".to_owned(), hash: [0xa5; 32] };
        let dimension = Dimension::new(128).unwrap();
        let mut manifest = Manifest::first(&GallerySpec { model, dimension, originals: Precision::F16 });
        manifest.segments = vec![
            SegmentEntry { number: 1, first: 1, last: 90, rows: 80, synthetic: false },
            SegmentEntry { number: 2, first: 91, last: 190, rows: 100, synthetic: true },
        ];
        (manifest.sealed_through, manifest.next_segment) = (195, 3);
        manifest
    }

    #[test]
    fn reads_back() {
        let folder = MemoryFolder::default();
        manifest().store(&folder).unwrap();
        assert_eq!(Manifest::load(&folder).unwrap(), manifest());
        let importing = Manifest { importing: Some(90), ..manifest() };
        importing.store(&folder).unwrap();
        assert_eq!(Manifest::load(&folder).unwrap(), importing);
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let good = manifest().encode();
        for at in 0..good.len() {
            for flip in [1, 0x20] {
                let mut bytes = good.clone().into_bytes();
                bytes[at] ^= flip;
                let folder = MemoryFolder::default();
                replace_small(&folder, MANIFEST, &bytes).unwrap();
                assert!(Manifest::load(&folder).is_err(), "byte {at}");
            }
            let folder = MemoryFolder::default();
            replace_small(&folder, MANIFEST, &good.as_bytes()[..at]).unwrap();
            assert!(Manifest::load(&folder).is_err(), "cut at {at}");
        }
    }
}
