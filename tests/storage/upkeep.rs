//! Merging, compaction, backup and restore, and what one damaged gallery may not do to the others.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bertillon::base::ids::{GalleryName, TemplateId};
use bertillon::gallery::{Access, Erase, GalleryError, Vault, VaultOptions};
use bertillon::segment::Precision;
use bertillon::vector::coarse::GoesOn;
use bertillon::vector::rows::GalleryRows;
use bertillon::vector::scorer::{ScoreError, Scorer, Scoring, Work};
use bertillon::vector::template::Template;

use crate::traces::{traces, windows};
use crate::{dimension, enrol, live, model_id, name, new_vault, on, open, options, raw, reference, run, subject};

async fn files(vault: &Vault) -> (usize, u64) {
    let summary = vault.galleries().await.unwrap().remove(0);
    (summary.segments, summary.erased_rows)
}

#[test]
fn merging_and_compaction_change_nothing_that_is_seen_and_leave_no_erased_row() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F16).await;
        for first in [1, 31, 61] {
            enrol(&vault, (first..first + 30).map(|key| reference(key, 1000 + key)).collect()).await;
            vault.seal(&name()).await.unwrap();
        }
        vault.import_synthetic(&name(), 300, |row, out| out.copy_from_slice(&raw(5000 + row)), |_| ()).await.unwrap();
        for id in [1, 2, 45, 90, 91, 340] {
            vault.erase(&name(), Erase::Template(TemplateId(id)), |_| ()).await.unwrap();
        }
        let (before, synthetic) = (live(&vault.snapshot(&name()).await.unwrap()), 300);
        // A search that reads on while files lose their names.
        let reading = vault.snapshot(&name()).await.unwrap();
        assert_eq!(files(&vault).await, (6, 6));
        let done = vault.compact(&name(), true, on).await.unwrap();
        assert_eq!((done.segments, done.rows_dropped), (6, 6));
        assert!(done.bytes < done.bytes_before);
        assert_eq!(files(&vault).await, (2, 0), "synthetic and enrolled templates stay apart");
        assert_eq!(live(&reading), before);
        let now = vault.snapshot(&name()).await.unwrap();
        assert_eq!(live(&now), before);
        assert_eq!((now.imported_synthetic(), now.number()), (synthetic, reading.number()));
        // Not erased while somebody reads the old files.
        let late = vault.erase(&name(), Erase::Template(TemplateId(50)), |_| ()).await;
        assert!(matches!(late, Err(GalleryError::StillRead { .. })), "{late:?}");
        assert_eq!(vault.compact(&name(), true, on).await.unwrap_err().to_string(), late.unwrap_err().to_string());
        drop((reading, now));
        vault.erase(&name(), Erase::Template(TemplateId(51)), |_| ()).await.unwrap();
        let found = windows(&home.path().join("gallery"), 12);
        for key in [50, 51] {
            let left = traces(key, 1000 + key, Precision::F16);
            assert!(left.iter().all(|(_, trace)| !found.contains(trace)), "{key}");
        }
        vault.verify(&name(), |_, _| ()).await.unwrap();
        vault.close().await;
        let vault = open(home.path()).await;
        let expected: BTreeMap<_, _> = before.into_iter().filter(|(id, _)| ![50, 51].contains(id)).collect();
        assert_eq!(live(&vault.snapshot(&name()).await.unwrap()), expected);
        assert_eq!(vault.snapshot(&name()).await.unwrap().imported_synthetic(), synthetic);
        vault.close().await;
    });
}

/// Enrolments, erasures, sealing in the background, merges, a reader, all at once.
#[test]
fn a_gallery_lives_on_while_it_is_kept_in_shape() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let few = VaultOptions { tail_rows_max: 9, erase_wait: Duration::from_secs(10), ..options() };
        let vault = Vault::open(home.path(), Access::Writer, few).await.unwrap();
        vault.create_gallery(&name(), &model_id(1), dimension(), Precision::F32, "test").await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let compacting = {
            let (vault, stop) = (vault.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut rewritten = 0;
                while !stop.load(Ordering::Relaxed) {
                    rewritten += vault.compact(&name(), true, on).await.unwrap().segments;
                    tokio::time::sleep(Duration::from_millis(3)).await;
                }
                rewritten
            })
        };
        let reading = {
            let (data, stop) = (home.path().to_owned(), Arc::clone(&stop));
            tokio::spawn(async move {
                let reader = Vault::open(&data, Access::Reader, options()).await.unwrap();
                let mut looks = 0;
                while !stop.load(Ordering::Relaxed) {
                    drop(live(&reader.snapshot(&name()).await.unwrap()));
                    looks += 1;
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                looks
            })
        };
        for round in 0..80_u64 {
            let first = 1 + round * 4;
            enrol(&vault, (first..first + 4).map(|key| reference(key, key)).collect()).await;
            vault.erase(&name(), Erase::Subject(subject(first + 1)), |_| ()).await.unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        assert!(compacting.await.unwrap() > 10 && reading.await.unwrap() > 5);
        vault.compact(&name(), true, on).await.unwrap();
        let expected: Vec<u64> = (1..=320).filter(|key| key % 4 != 2).collect();
        let seen = live(&vault.snapshot(&name()).await.unwrap());
        assert_eq!(seen.keys().copied().collect::<Vec<_>>(), expected);
        let checked = vault.verify(&name(), |_, _| ()).await.unwrap();
        assert_eq!(checked.live, 240);
        vault.close().await;
    });
}

#[test]
fn a_backup_has_what_was_live_and_nothing_erased_and_comes_back() {
    for originals in [Precision::F32, Precision::F16] {
        run(async {
            let home = tempfile::tempdir().unwrap();
            let copies = tempfile::tempdir().unwrap();
            let vault = new_vault(home.path(), originals).await;
            enrol(&vault, (1..=60).map(|key| reference(key, key)).collect()).await;
            vault.seal(&name()).await.unwrap();
            vault.import_synthetic(&name(), 30, |row, out| out.copy_from_slice(&raw(700 + row)), |_| ()).await.unwrap();
            enrol(&vault, (61..=70).map(|key| reference(key, key)).collect()).await;
            for id in [7, 80, 95] {
                vault.erase(&name(), Erase::Template(TemplateId(id)), |_| ()).await.unwrap();
            }
            // Begun and held back by a reader: out of every search, so not in a backup either.
            let reading = vault.snapshot(&name()).await.unwrap();
            assert!(vault.erase(&name(), Erase::Template(TemplateId(9)), |_| ()).await.is_err());
            let expected = live(&vault.snapshot(&name()).await.unwrap());
            let copy = copies.path().join("monday");
            let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
            let made = reader.backup(&name(), &copy, |_, _| ()).await.unwrap();
            assert_eq!(made.templates, expected.len() as u64);
            let found = windows(&copy, 12);
            // Template 95 is the fifth after the import.
            for key in [7, 9, 65] {
                let left = traces(key, key, originals);
                assert!(left.iter().all(|(_, trace)| !found.contains(trace)), "{key}");
            }
            assert!(traces(61, 61, originals)[0..4].iter().all(|(_, trace)| found.contains(trace)));
            let again = reader.backup(&name(), &copy, |_, _| ()).await;
            assert!(matches!(again, Err(GalleryError::BackupInTheWay(_))), "{again:?}");
            drop(reading);

            // Beside the gallery, which has lived on: what was erased since is erased in the copy.
            let taken = vault.restore(&copy, None, None, on).await;
            assert!(matches!(taken, Err(GalleryError::AlreadyExists(_))), "{taken:?}");
            vault.erase(&name(), Erase::Subject(subject(20)), |_| ()).await.unwrap();
            vault.erase(&name(), Erase::Template(TemplateId(85)), |_| ()).await.unwrap();
            enrol(&vault, vec![reference(500, 500)]).await;
            let beside: GalleryName = "monday".parse().unwrap();
            let restored = vault.restore(&copy, Some(beside.clone()), None, on).await.unwrap();
            assert_eq!((restored.erased_since, restored.last_template), (2, 100));
            let since: BTreeMap<_, _> = expected
                .iter()
                .filter(|(id, _)| ![20, 85].contains(*id))
                .map(|(id, bits)| (*id, bits.clone()))
                .collect();
            assert_eq!(live(&vault.snapshot(&beside).await.unwrap()), since);
            let shown = vault.references(&beside, &[TemplateId(20), TemplateId(21), TemplateId(86)]).await.unwrap();
            assert_eq!(shown.len(), 2);
            assert_eq!(shown[&TemplateId(21)].subject, subject(21));
            let place = "place".parse().unwrap();
            let value = reference(21, 21).attributes[0].value().to_owned();
            assert_eq!(vault.templates_with(&beside, &place, &[&value]).await.unwrap(), [TemplateId(21)]);
            vault.verify(&beside, |_, _| ()).await.unwrap();
            vault.close().await;
            let found = windows(&home.path().join("gallery"), 12);
            let gone = traces(20, 20, originals);
            assert!(gone.iter().all(|(_, trace)| !found.contains(trace)), "erased in the copy that was taken in");

            as_it_was_elsewhere(&copy, &expected).await;
        });
    }
}

/// In an empty data folder a copy is as it was, and can be enrolled into.
async fn as_it_was_elsewhere(copy: &std::path::Path, expected: &BTreeMap<u64, Vec<u32>>) {
    let elsewhere = tempfile::tempdir().unwrap();
    let vault = open(elsewhere.path()).await;
    vault.restore(copy, None, None, on).await.unwrap();
    assert_eq!(&live(&vault.snapshot(&name()).await.unwrap()), expected);
    let next = enrol(&vault, vec![reference(900, 900)]).await;
    assert_eq!(next, [TemplateId(101)]);
    vault.close().await;
    let vault = open(elsewhere.path()).await;
    vault.verify(&name(), |_, _| ()).await.unwrap();
    vault.close().await;
}

#[test]
fn a_changed_backup_is_refused_and_leaves_nothing() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let copies = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=20).map(|key| reference(key, key)).collect()).await;
        let copy = copies.path().join("copy");
        vault.backup(&name(), &copy, |_, _| ()).await.unwrap();
        let other: GalleryName = "other".parse().unwrap();
        for entry in fs_err::read_dir(&copy).unwrap() {
            let path = entry.unwrap().path();
            let good = fs_err::read(&path).unwrap();
            let mut bad = good.clone();
            let middle = bad.len() / 2;
            bad[middle] ^= 1;
            for changed in [Some(bad), Some(good[..good.len() - 1].to_vec()), None] {
                match changed {
                    Some(bytes) => fs_err::write(&path, bytes).unwrap(),
                    None => fs_err::remove_file(&path).unwrap(),
                }
                let refused = vault.restore(&copy, Some(other.clone()), None, on).await;
                assert!(matches!(refused, Err(GalleryError::NoBackup { .. })), "{}: {refused:?}", path.display());
            }
            fs_err::write(&path, good).unwrap();
        }
        assert_eq!(vault.galleries().await.unwrap().len(), 1);
        assert_eq!(fs_err::read_dir(home.path().join("gallery")).unwrap().count(), 1);
        vault.restore(&copy, Some(other), None, on).await.unwrap();
        vault.close().await;
    });
}

/// While it is enrolled into, erased from and merged: whatever moment a backup catches, it is whole.
#[test]
fn backups_taken_while_everything_changes_are_whole() {
    let home = tempfile::tempdir().unwrap();
    let copies = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let patient = VaultOptions { tail_rows_max: 9, erase_wait: Duration::from_secs(10), ..options() };
        let vault = Vault::open(home.path(), Access::Writer, patient).await.unwrap();
        vault.create_gallery(&name(), &model_id(1), dimension(), Precision::F32, "test").await.unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let changing = {
            let (vault, stop) = (vault.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut round = 0;
                while !stop.load(Ordering::Relaxed) {
                    let first = 1 + round * 5;
                    enrol(&vault, (first..first + 5).map(|key| reference(key, key)).collect()).await;
                    vault.erase(&name(), Erase::Subject(subject(first / 2)), |_| ()).await.ok();
                    vault.compact(&name(), round % 2 == 0, on).await.unwrap();
                    round += 1;
                }
            })
        };
        let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let began = Instant::now();
        let mut taken = 0;
        while taken < 6 || began.elapsed() < Duration::from_secs(1) {
            let copy = copies.path().join(taken.to_string());
            reader.backup(&name(), &copy, |_, _| ()).await.unwrap();
            taken += 1;
            tokio::time::sleep(Duration::from_millis(40)).await;
        }
        stop.store(true, Ordering::Relaxed);
        changing.await.unwrap();
        vault.close().await;
        let elsewhere = tempfile::tempdir().unwrap();
        let vault = open(elsewhere.path()).await;
        for copy in 0..taken {
            let as_name: GalleryName = format!("copy-{copy}").parse().unwrap();
            vault.restore(&copies.path().join(copy.to_string()), Some(as_name.clone()), None, on).await.unwrap();
            let checked = vault.verify(&as_name, |_, _| ()).await.unwrap();
            let seen = live(&vault.snapshot(&as_name).await.unwrap());
            assert_eq!(checked.live, seen.len() as u64);
            for (id, bits) in seen {
                assert_eq!(bits, crate::bits(id, Precision::F32), "template {id} of copy {copy}");
            }
        }
        vault.close().await;
    });
}

#[test]
fn one_damaged_gallery_does_not_stop_the_others() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=20).map(|key| reference(key, key)).collect()).await;
        vault.seal(&name()).await.unwrap();
        let other: GalleryName = "other".parse().unwrap();
        vault.create_gallery(&other, &model_id(1), dimension(), Precision::F32, "test").await.unwrap();
        vault.close().await;
        let segment = home.path().join("gallery/custody/segment-1.seg");
        let good = fs_err::read(&segment).unwrap();
        fs_err::write(&segment, &good[..good.len() - 1]).unwrap();
        for access in [Access::Writer, Access::Reader] {
            let vault = Vault::open(home.path(), access, options()).await.unwrap();
            let summaries = vault.galleries().await.unwrap();
            let reason = summaries[0].damaged.as_deref().unwrap();
            assert!(reason.contains("segment-1.seg"), "{reason}");
            assert!(summaries[1].damaged.is_none());
            let refused = vault.snapshot(&name()).await.unwrap_err().to_string();
            assert!(refused.contains("segment-1.seg"), "{refused}");
            assert!(vault.snapshot(&other).await.is_ok());
            if access == Access::Writer {
                let refused = vault.enrol(&name(), vec![reference(50, 50)]).await;
                assert!(matches!(refused, Err(GalleryError::OutOfUse { .. })), "{refused:?}");
                let taken = vault.create_gallery(&name(), &model_id(1), dimension(), Precision::F32, "test").await;
                assert!(matches!(taken, Err(GalleryError::AlreadyExists(_))), "{taken:?}");
                vault.enrol(&other, vec![reference(50, 50)]).await.unwrap();
            }
            vault.close().await;
        }
        fs_err::write(&segment, &good).unwrap();
        let vault = open(home.path()).await;
        assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 20, "mended, it is used again");
        vault.close().await;
    });
}

#[test]
fn verify_finds_what_the_records_and_the_files_disagree_about() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=20).map(|key| reference(key, key)).collect()).await;
        vault.seal(&name()).await.unwrap();
        enrol(&vault, (21..=25).map(|key| reference(key, key)).collect()).await;
        vault.verify(&name(), |_, _| ()).await.unwrap();
        let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        assert_eq!(reader.verify(&name(), |_, _| ()).await.unwrap().live, 25, "beside the writer");
        vault.close().await;
        let folder = bertillon::store::disk::DiskFolder::open(&home.path().join("gallery/custody")).unwrap();
        let before = bertillon::segment::Before::Whole;
        bertillon::segment::erase_rows(&folder, "segment-1.seg", &[4], before).unwrap();
        let vault = open(home.path()).await;
        assert!(!vault.snapshot(&name()).await.unwrap().rows()[0].is_live(4));
        let found = vault.verify(&name(), |_, _| ()).await;
        assert!(matches!(found, Err(GalleryError::Disagree { id: TemplateId(5), .. })), "{found:?}");
        vault.close().await;
    });
}

/// Stands for a device: takes down which rows were erased when it was told of a gallery.
#[derive(Default)]
struct Told {
    refreshed: Mutex<Vec<Vec<u32>>>,
    loaded: AtomicUsize,
}

impl Scorer for Told {
    fn name(&self) -> String {
        "none".to_owned()
    }
    fn top_k(&self, _gallery: &GalleryRows, probes: &[Template], _k: usize) -> Result<Scoring, ScoreError> {
        Ok(Scoring { lists: vec![Vec::new(); probes.len()], work: Work::default() })
    }
    fn load(&self, _gallery: &GalleryRows, _goes_on: &GoesOn<'_>) {
        self.loaded.fetch_add(1, Ordering::SeqCst);
    }
    fn refresh(&self, gallery: &GalleryRows) {
        let erased = gallery.first().map(|run| run.erased().as_slice().to_vec());
        self.refreshed.lock().unwrap().push(erased.unwrap_or_default());
    }
}

#[test]
fn an_erasure_that_a_compaction_finishes_is_told_to_devices_too() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F16).await;
        enrol(&vault, (1..=30).map(|key| reference(key, key)).collect()).await;
        vault.seal(&name()).await.unwrap();
        let told = Arc::new(Told::default());
        let device: Arc<dyn Scorer> = told.clone();
        vault.maintain(device);
        while told.loaded.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(*told.refreshed.lock().unwrap(), [[0; 0]], "once, at the start");
        let reading = vault.snapshot(&name()).await.unwrap();
        let late = vault.erase(&name(), Erase::Template(TemplateId(9)), |_| panic!("it is read")).await;
        assert!(matches!(late, Err(GalleryError::StillRead { .. })), "{late:?}");
        drop(reading);
        assert_eq!(vault.compact(&name(), true, on).await.unwrap().rows_dropped, 1);
        assert_eq!(told.refreshed.lock().unwrap()[1], [8]);
        // What a compaction puts in a segment's place is loaded, also where there are as many segments as before.
        while told.loaded.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        vault.close().await;
    });
}
