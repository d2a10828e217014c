//! Power cuts at every change of a long script, on the memory twin of the file system.

use std::collections::{BTreeMap, HashSet};

use super::rewrite::{Policy, Step};
use super::*;
use crate::base::ids::ModelId;
use crate::crypto::{KeyId, NamedKey, SecretKey};
use crate::gallery::folders::kind_of;
use crate::gallery::manifest::segment_file;
use crate::segment::{Precision, SegmentWriter};
use crate::store::memory::MemoryFolder;
use crate::store::read_small;
use crate::store::sealed::SealedFolder;
use crate::vector::codec::{Code, put_f32};
use crate::vector::dimension::Dimension;

const POLICY: Policy = Policy { fan: 2, tier_rows: 50, rows_max: 1000, erased_percent: 20 };

type Live = BTreeMap<u64, Vec<f32>>;

fn spec() -> GallerySpec {
    let model = ModelId { name: "numbers".to_owned(), hash: [3; 32] };
    GallerySpec { model, dimension: Dimension::new(16).unwrap(), originals: Precision::F32 }
}

fn row(id: u64) -> TailRow {
    let original: Vec<f32> = (0..16).map(|i| ((id * 31 + i * 7) as f32).sin()).collect();
    TailRow { id: TemplateId(id), code: Code::of(&original), original }
}

/// Plays the vault's part: what is committed, and what must be live because of it.
struct Script {
    shelf: Shelf,
    folder: MemoryFolder,
    committed: Committed,
    live: Live,
}

/// The folder as a shelf has it: of a mapped gallery, or of one that is sealed under `key`.
fn dressed(folder: &MemoryFolder, key: Option<&Arc<NamedKey>>) -> Arc<dyn Folder> {
    let plain = Arc::new(folder.clone());
    match key {
        None => plain,
        Some(key) => Arc::new(SealedFolder::new(plain, Arc::clone(key), kind_of, false)),
    }
}

fn some_key() -> Arc<NamedKey> {
    Arc::new(NamedKey { id: KeyId([9; 16]), key: SecretKey::new([8; 32]) })
}

impl Script {
    fn new(key: Option<&Arc<NamedKey>>) -> Self {
        let folder = MemoryFolder::default();
        let files = dressed(&folder, key);
        Shelf::create(files.as_ref(), &spec()).unwrap();
        let shelf = Shelf::open(files, &Committed::default()).unwrap();
        Self { shelf, folder, committed: Committed::default(), live: Live::new() }
    }

    fn enrol(&mut self, count: u64) -> Result<(), GalleryError> {
        let first = self.committed.last_id + 1;
        let rows: Vec<TailRow> = (first..first + count).map(row).collect();
        self.shelf.append(rows.clone())?;
        self.committed.last_id += count;
        self.live.extend(rows.into_iter().map(|row| (row.id.0, row.original)));
        self.shelf.commit();
        Ok(())
    }

    fn refused(&mut self) -> Result<(), GalleryError> {
        self.shelf.append(vec![row(self.committed.last_id + 1), row(self.committed.last_id + 2)])?;
        self.shelf.roll_back()
    }

    fn erase(&mut self, ids: &[u64]) -> Result<(), GalleryError> {
        let ids: Vec<TemplateId> = ids.iter().copied().map(TemplateId).collect();
        self.committed.erasing.clone_from(&ids);
        self.live.retain(|id, _| !ids.contains(&TemplateId(*id)));
        self.shelf.mark_erased(&ids);
        self.shelf.overwrite(&ids, Before::Whole)?;
        self.committed.erasing.clear();
        Ok(())
    }

    fn import(&mut self, count: u64) -> Result<(), GalleryError> {
        self.import_as(count, true)
    }

    fn import_as(&mut self, count: u64, synthetic: bool) -> Result<(), GalleryError> {
        let (folder, number) = self.shelf.begin_import()?;
        let first = self.committed.last_id + 1;
        let name = segment_file(number);
        let mut writer = SegmentWriter::create(folder, &name, &spec().of_segment(synthetic), count)?;
        for id in first..first + count {
            writer.push(TemplateId(id), &row(id).original, &row(id).code)?;
        }
        writer.finish()?;
        let last = first + count - 1;
        self.shelf.list_import(&[SegmentEntry { number, first, last, rows: count, synthetic }])?;
        self.committed.last_id = last;
        self.live.extend((first..=last).map(|id| (id, row(id).original)));
        self.shelf.adopt_import()
    }

    /// Copies all that the policy wants, a few rows at a time.
    fn merge(&mut self) -> Result<(), GalleryError> {
        while self.shelf.merge_slice(&POLICY, 5)? != Step::Nothing {}
        Ok(())
    }

    /// Sealing and merging while the gallery lives on.
    fn live_on(&mut self) -> Result<(), GalleryError> {
        self.shelf.seal()?;
        let first = self.committed.last_id + 1;
        self.enrol(4)?;
        self.erase(&[first + 2])?;
        assert_eq!(self.shelf.seal_slice(2)?, Step::Copied(2, 3));
        self.enrol(3)?;
        assert!(matches!(self.shelf.seal_slice(2)?, Step::Done(..)));
        assert_eq!(self.shelf.tail_rows(), 3, "what came meanwhile is in the new tail");
        // A slice that ends behind the rows to be sealed leaves those that came meanwhile alone.
        assert_eq!(self.shelf.seal_slice(2)?, Step::Copied(2, 3));
        self.enrol(2)?;
        assert!(matches!(self.shelf.seal_slice(5)?, Step::Done(..)));
        assert_eq!(self.shelf.tail_rows(), 2);
        self.shelf.seal()?;
        let first = self.committed.last_id - 3;
        self.enrol(3)?;
        // An erasure of what is being copied.
        self.enrol(2)?;
        assert!(matches!(self.shelf.seal_slice(1)?, Step::Copied(..)));
        self.erase(&[first + 4, first + 7])?;
        assert!(matches!(self.shelf.seal_slice(1)?, Step::Copied(0, 3)), "it began again");
        self.enrol(1)?;
        self.erase(&[first + 9])?;
        while !matches!(self.shelf.seal_slice(1)?, Step::Done(..)) {}
        assert_eq!(self.shelf.tail_rows(), 1, "a dead row");
        let (before, synthetic) = (self.shelf.segments.len(), self.shelf.snapshot(0).imported_synthetic());
        assert!(matches!(self.shelf.merge_slice(&POLICY, 5)?, Step::Copied(..)));
        let covered = self.live.keys().next().copied().unwrap_or(0);
        self.erase(&[covered])?;
        assert!(self.shelf.merging.is_none(), "the copy had the row");
        self.shelf.merge_slice(&POLICY, 5)?;
        self.enrol(1)?;
        self.shelf.seal()?;
        self.merge()?;
        assert!(self.shelf.segments.len() < before);
        assert_eq!(self.shelf.snapshot(0).imported_synthetic(), synthetic);
        Ok(())
    }

    fn play(&mut self) -> Result<(), GalleryError> {
        self.enrol(3)?;
        self.enrol(20)?;
        self.refused()?;
        self.erase(&[2, 23])?;
        self.shelf.seal()?;
        self.enrol(5)?;
        self.erase(&[1, 17, 26])?;
        self.enrol(1)?;
        self.import(40)?;
        self.enrol(2)?;
        self.erase(&[40, 41, 71])?;
        self.shelf.seal()?;
        self.enrol(1)?;
        self.erase(&[72])?;
        self.shelf.seal()?;
        self.import(2)?;
        self.import(3)?;
        self.import_as(4, false)?;
        self.enrol(1)?;
        self.live_on()
    }
}

fn live_of(shelf: &Shelf) -> Live {
    let mut live = Live::new();
    for run in shelf.snapshot(0).rows() {
        for row in (0..run.len()).filter(|&row| run.is_live(row)) {
            let mut original = vec![0.0; 16];
            run.original(row, &mut original);
            assert!(live.insert(run.template_id(row).0, original).is_none());
        }
    }
    live
}

/// First bytes of every number of originals in any file; originals begin at multiples of 4 everywhere.
fn bytes_in_files(folder: &MemoryFolder) -> HashSet<[u8; 12]> {
    let mut found = HashSet::new();
    for name in folder.list().unwrap() {
        let bytes = read_small(folder, &name, 1 << 20).unwrap();
        found.extend((0..bytes.len()).step_by(4).filter_map(|at| bytes.get(at..)?.first_chunk::<12>().copied()));
    }
    found
}

fn first_bytes(id: u64) -> [u8; 12] {
    let mut bytes = Vec::new();
    put_f32(&row(id).original, &mut bytes);
    *bytes.first_chunk().unwrap()
}

/// Cuts the power at every change of the script, with several fates for what was not synced, and demands what was
/// committed, to the bit. A missing sync or a wrong order fails here, which no killed process would show.
#[test]
fn a_power_cut_at_any_change_loses_nothing_and_resurrects_nothing() {
    cut_everywhere(None);
}

/// The same, and no template, live or not, can be read in any file at any moment.
#[test]
fn a_power_cut_at_any_change_of_a_sealed_gallery_loses_nothing_and_shows_nothing() {
    cut_everywhere(Some(&some_key()));
}

fn cut_everywhere(key: Option<&Arc<NamedKey>>) {
    let mut cuts = 0;
    loop {
        let mut script = Script::new(key);
        script.folder.cut_power_after(cuts);
        let finished = script.play().is_ok();
        // Opening seals takes longer: none, all, and one choice of what was not synced.
        for fate in 0..if key.is_some() { 3 } else { 6_u32 } {
            let mut state = fate.wrapping_mul(0x9E37_79B9) ^ cuts as u32;
            let mut coin = || {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                if fate < 2 { fate == 1 } else { state >> 31 == 1 }
            };
            let folder = script.folder.after_power_cut(&mut coin);
            let mut shelf = Shelf::open(dressed(&folder, key), &script.committed)
                .unwrap_or_else(|error| panic!("cut {cuts}, fate {fate}: {error}"));
            assert_eq!(live_of(&shelf), script.live, "cut {cuts}, fate {fate}");
            shelf.overwrite(&script.committed.erasing, Before::PerhapsTorn).unwrap();
            // The memory twin's maps are copies: opened again to see what was overwritten.
            let done = Committed { last_id: script.committed.last_id, erasing: Vec::new() };
            let shelf = Shelf::open(dressed(&folder, key), &done).unwrap();
            assert_eq!(live_of(&shelf), script.live, "cut {cuts}, fate {fate}, erasure finished");
            let bytes = bytes_in_files(&folder);
            for id in 1..=script.committed.last_id {
                let seen = script.live.contains_key(&id) && key.is_none();
                assert_eq!(bytes.contains(&first_bytes(id)), seen, "cut {cuts}, fate {fate}: template {id}");
            }
            shelf.verify().unwrap_or_else(|error| panic!("cut {cuts}, fate {fate}: {error}"));
        }
        if finished {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 100, "the script makes {cuts} changes");
}

#[test]
fn records_older_than_the_files_are_refused() {
    let mut script = Script::new(None);
    script.enrol(20).unwrap();
    script.shelf.seal().unwrap();
    let older = Committed { last_id: 7, erasing: Vec::new() };
    let opened = Shelf::open(Arc::new(script.folder), &older);
    assert!(matches!(opened, Err(GalleryError::RecordsOlder { found: 20, committed: 7, .. })));
}
