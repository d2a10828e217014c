//! The data folder through its public surface: what was enrolled is there to the bit, what was erased is nowhere, and one
//! process writes at a time. `tests/kill.rs` has what happens when a process is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bertillon::base::ids::{GalleryName, ModelId, SubjectRef, TemplateId};
use bertillon::gallery::{Access, Enrolment, Erase, GalleryError, NewReference, Snapshot, Vault, VaultOptions};
use bertillon::records::{FaceBox, RecordedCandidate, SearchRecord};
use bertillon::segment::{Precision, Segment};
use bertillon::store::disk::DiskFolder;
use bertillon::vector::codec::{Code, put_f16, put_f32};
use bertillon::vector::dimension::Dimension;
use bertillon::vector::rows::Rows;
use bertillon::vector::template::Template;
use proptest::prelude::*;

const DIMENSION: usize = 32;

fn name() -> GalleryName {
    "custody".parse().unwrap()
}

fn model(seed: u8) -> ModelId {
    ModelId { name: format!("numbers-{seed}"), hash: [seed; 32] }
}

fn dimension() -> Dimension {
    Dimension::new(DIMENSION).unwrap()
}

fn raw(key: u64) -> Vec<f32> {
    let mut state = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1_u64 << 24) as f32 - 0.5
    };
    (0..DIMENSION).map(|_| next()).collect()
}

fn template(key: u64) -> Template {
    Template::from_raw(&raw(key)).unwrap()
}

fn image(key: u64) -> [u8; 32] {
    std::array::from_fn(|i| key.to_le_bytes()[i % 8] ^ (i as u8).wrapping_mul(29))
}

fn subject(key: u64) -> SubjectRef {
    format!("{key:07} person of the test").parse().unwrap()
}

fn reference(key: u64, whose: u64) -> NewReference {
    NewReference {
        subject: subject(whose),
        image_sha256: image(key),
        source: format!("{key:07} picture file.jpg"),
        width_px: 640,
        height_px: 480,
        quality_json: format!("{{\"eyes_px\":{}}}", 20 + key % 100),
        template: template(key),
        model: model(1),
    }
}

fn options() -> VaultOptions {
    VaultOptions { tail_rows_max: 40, import_segment_rows: 100, erase_wait: Duration::from_millis(300) }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    // One thread, like a worker of the web server: nothing may rely on more.
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

async fn open(data: &Path) -> Vault {
    Vault::open(data, Access::Writer, options()).await.unwrap()
}

async fn new_vault(data: &Path, originals: Precision) -> Vault {
    let vault = open(data).await;
    vault.create_gallery(&name(), &model(1), dimension(), originals, "test").await.unwrap();
    vault
}

async fn enrol(vault: &Vault, references: Vec<NewReference>) -> Vec<TemplateId> {
    let outcome = vault.enrol(&name(), references).await.unwrap();
    let id = |enrolment: Enrolment| match enrolment {
        Enrolment::New(id) | Enrolment::Already { id, .. } => id,
    };
    outcome.into_iter().map(id).collect()
}

fn live(snapshot: &Snapshot) -> BTreeMap<u64, Vec<u32>> {
    let mut found = BTreeMap::new();
    let mut last = 0;
    for run in snapshot.rows() {
        for row in 0..run.len() {
            let id = run.template_id(row).0;
            assert!(id > last, "ids ascend over all runs");
            last = id;
            if run.is_live(row) {
                let mut original = vec![0.0; DIMENSION];
                run.original(row, &mut original);
                assert!(run.scales()[row] == Code::of(&original).scale, "code and original belong together");
                found.insert(id, original.iter().map(|value| value.to_bits()).collect());
            }
        }
    }
    assert_eq!(found.len() as u64, snapshot.live());
    found
}

fn bits(key: u64, originals: Precision) -> Vec<u32> {
    originals.round(template(key).values()).iter().map(|value| value.to_bits()).collect()
}

#[derive(Debug, Clone)]
enum Step {
    Enrol { count: u64, whose: u64 },
    EraseTemplate(u64),
    EraseSubject(u64),
    Import(u64),
    Seal,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => (1_u64..30, 0_u64..12).prop_map(|(count, whose)| Step::Enrol { count, whose }),
        4 => any::<u64>().prop_map(Step::EraseTemplate),
        2 => (0_u64..12).prop_map(Step::EraseSubject),
        1 => (1_u64..250).prop_map(Step::Import),
        1 => Just(Step::Seal),
        2 => Just(Step::Reopen),
    ];
    proptest::collection::vec(step, 1..14)
}

/// What must be there: id to (bits of the original, whose).
type Oracle = BTreeMap<u64, (Vec<u32>, u64)>;
const NOBODY: u64 = u64::MAX;

async fn apply(
    vault: Vault,
    data: &Path,
    step: &Step,
    next_key: &mut u64,
    oracle: &mut Oracle,
    how: Precision,
) -> Vault {
    match step {
        Step::Enrol { count, whose } => {
            let keys: Vec<u64> = (*next_key..*next_key + count).collect();
            *next_key += count;
            let ids = enrol(&vault, keys.iter().map(|&key| reference(key, *whose)).collect()).await;
            for (id, key) in ids.into_iter().zip(keys) {
                assert!(oracle.insert(id.0, (bits(key, how), *whose)).is_none(), "an id is never given twice");
            }
        }
        Step::EraseTemplate(pick) => {
            let Some(&id) = oracle.keys().nth(*pick as usize % oracle.len().max(1)) else { return vault };
            oracle.remove(&id);
            let erased = vault.erase(&name(), Erase::Template(TemplateId(id)), |_| ()).await.unwrap();
            assert_eq!(erased.templates, [TemplateId(id)]);
        }
        Step::EraseSubject(whose) => {
            let gone: Vec<u64> = oracle.iter().filter(|(_, (_, of))| of == whose).map(|(id, _)| *id).collect();
            oracle.retain(|_, (_, of)| of != whose);
            match vault.erase(&name(), Erase::Subject(subject(*whose)), |_| ()).await {
                Ok(erased) => assert_eq!(erased.templates.iter().map(|id| id.0).collect::<Vec<_>>(), gone),
                Err(error) => {
                    assert!(gone.is_empty() && matches!(error, GalleryError::NothingToErase { .. }), "{error}")
                }
            }
        }
        Step::Import(count) => {
            let base = *next_key;
            *next_key += count;
            let fill = move |row: u64, out: &mut [f32]| out.copy_from_slice(&raw(base + row));
            let imported = vault.import_synthetic(&name(), *count, fill, |_| ()).await.unwrap();
            for (row, id) in (imported.first.0..=imported.last.0).enumerate() {
                oracle.insert(id, (bits(base + row as u64, how), NOBODY));
            }
        }
        Step::Seal => vault.seal(&name()).await.unwrap(),
        Step::Reopen => {
            vault.close().await;
            return open(data).await;
        }
    }
    vault
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_sequence_of_changes_leaves_what_the_oracle_says(steps in steps(), half in any::<bool>()) {
        let how = if half { Precision::F16 } else { Precision::F32 };
        run(async {
            let home = tempfile::tempdir().unwrap();
            let mut vault = new_vault(home.path(), how).await;
            let (mut oracle, mut next_key) = (Oracle::new(), 1);
            for step in steps.iter().chain([&Step::Reopen]) {
                vault = apply(vault, home.path(), step, &mut next_key, &mut oracle, how).await;
                let wanted: BTreeMap<u64, Vec<u32>> = oracle.iter().map(|(id, (bits, _))| (*id, bits.clone())).collect();
                let snapshot = vault.snapshot(&name()).await.unwrap();
                assert_eq!(live(&snapshot), wanted, "after {step:?}");
                let ids: Vec<TemplateId> = (0..=next_key).map(TemplateId).collect();
                let references = vault.references(&name(), &ids).await.unwrap();
                assert_eq!(references.len(), oracle.len());
                for (id, (_, whose)) in &oracle {
                    let found = &references[&TemplateId(*id)];
                    if *whose == NOBODY {
                        assert_eq!(found.subject.as_str(), format!("synthetic #{id}"));
                        assert!(snapshot.is_synthetic(TemplateId(*id)) && found.image.is_none());
                    } else {
                        assert_eq!(found.subject, subject(*whose));
                        assert!(!snapshot.is_synthetic(TemplateId(*id)));
                    }
                }
                drop(snapshot);
                vault.verify(&name()).await.unwrap();
            }
            let summary = vault.galleries().await.unwrap().remove(0);
            assert_eq!(summary.live as usize, oracle.len());
            assert_eq!(summary.erased + summary.live, next_key - 1);
            vault.close().await;
        });
    }
}

/// Every window of `width` bytes of every file.
fn windows(data: &Path, width: usize) -> HashSet<Vec<u8>> {
    let mut found = HashSet::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.extend(fs_err::read(path).unwrap().windows(width).map(<[u8]>::to_vec));
            }
        }
    }
    found
}

/// What of a reference must be nowhere after its erasure: 12 bytes each of text, original and codes.
fn traces(key: u64, whose: u64, originals: Precision) -> Vec<(&'static str, Vec<u8>)> {
    let new = reference(key, whose);
    let values = originals.round(new.template.values());
    let mut bytes = Vec::new();
    match originals {
        Precision::F32 => put_f32(&values, &mut bytes),
        Precision::F16 => put_f16(&values, &mut bytes),
    }
    let codes: Vec<u8> = Code::of(&values).codes.iter().map(|&code| code as u8).collect();
    let text = bertillon::base::hex::encode(&new.image_sha256);
    let texts = [("subject", new.subject.as_str()), ("source", &new.source), ("image hash", &text)];
    let mut traces: Vec<_> = texts.into_iter().map(|(what, text)| (what, text.as_bytes()[..12].to_vec())).collect();
    traces.extend([("original", bytes[..12].to_vec()), ("codes", codes[..12].to_vec())]);
    traces
}

#[test]
fn nothing_of_an_erased_reference_is_in_any_file() {
    for originals in [Precision::F32, Precision::F16] {
        run(async {
            let home = tempfile::tempdir().unwrap();
            let vault = new_vault(home.path(), originals).await;
            // Enough rows to split many pages of the data base, in an order that is not theirs.
            let keys: Vec<u64> = (0..700_u64).map(|i| 1 + i * 271 % 701).collect();
            let mut ids = BTreeMap::new();
            for batch in keys.chunks(90) {
                let enrolled = enrol(&vault, batch.iter().map(|&key| reference(key, 1000 + key)).collect()).await;
                ids.extend(batch.iter().copied().zip(enrolled));
            }
            // Some stay in the tail.
            enrol(&vault, (900..920).map(|key| reference(key, 1000 + key)).collect()).await;
            let before = windows(home.path(), 12);
            for key in [5, 910] {
                let seen =
                    traces(key, 1000 + key, originals).iter().filter(|(_, trace)| before.contains(trace)).count();
                // In a segment codes lie in another order.
                assert!(seen >= 4, "the search for traces finds what is there");
            }
            let gone: Vec<u64> = keys.iter().copied().filter(|key| key % 3 == 1).chain([903, 919]).collect();
            for (i, &key) in gone.iter().enumerate() {
                let what = match ids.get(&key).filter(|_| i % 2 == 0) {
                    Some(&id) => Erase::Template(id),
                    None => Erase::Subject(subject(1000 + key)),
                };
                vault.erase(&name(), what, |_| ()).await.unwrap();
                if i % 25 == 0 {
                    // Later changes move rows about.
                    let more = 2000 + i as u64;
                    enrol(&vault, vec![reference(more, 1000 + more)]).await;
                    vault.record_search(&search(&[ids[&7]])).await.unwrap();
                }
            }
            let after = windows(home.path(), 12);
            for &key in &gone {
                for (what, trace) in traces(key, 1000 + key, originals) {
                    assert!(!after.contains(&trace), "the {what} of image {key} is still in a file");
                }
            }
            let kept = traces(900, 1900, originals);
            assert!(kept.iter().all(|(_, trace)| after.contains(trace)), "the others are untouched");
            vault.close().await;
        });
    }
}

fn search(candidates: &[TemplateId]) -> SearchRecord {
    let candidate =
        |(rank, &template): (usize, &TemplateId)| RecordedCandidate { rank: rank as u32 + 1, template, score: 0.5 };
    SearchRecord {
        gallery: name(),
        actor: "examiner 7".to_owned(),
        origin: "test".to_owned(),
        probe_sha256: [9; 32],
        face: FaceBox { x: 1.0, y: 2.0, width: 30.0, height: 40.0 },
        model_hash: [1; 32],
        snapshot_number: 3,
        back_end: "naive".to_owned(),
        threshold: Some(0.25),
        candidates: candidates.iter().enumerate().map(candidate).collect(),
        stages_ms: vec![("decode".to_owned(), 1.5), ("score".to_owned(), 2.5)],
    }
}

#[test]
fn an_image_is_enrolled_once_and_can_come_back_after_its_erasure() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let twice = vault.enrol(&name(), vec![reference(1, 1), reference(2, 1), reference(1, 2)]).await.unwrap();
        let (first, second) = (TemplateId(1), TemplateId(2));
        let already = |id| Enrolment::Already { id, subject: subject(1) };
        assert_eq!(twice, [Enrolment::New(first), Enrolment::New(second), already(first)]);
        assert_eq!(vault.enrol(&name(), vec![reference(2, 5)]).await.unwrap(), [already(second)]);
        let known = vault.images_enrolled(&name(), &[image(2), image(3)]).await.unwrap();
        assert_eq!(known.keys().collect::<Vec<_>>(), [&image(2)]);
        vault.erase(&name(), Erase::Subject(subject(1)), |_| ()).await.unwrap();
        assert!(vault.images_enrolled(&name(), &[image(1), image(2)]).await.unwrap().is_empty());
        assert_eq!(vault.enrol(&name(), vec![reference(2, 5)]).await.unwrap(), [Enrolment::New(TemplateId(3))]);
        vault.close().await;
    });
}

#[test]
fn another_models_templates_and_other_mistakes_are_refused() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        let again = vault.create_gallery(&name(), &model(1), dimension(), Precision::F32, "test").await;
        assert!(matches!(again, Err(GalleryError::AlreadyExists(_))), "{again:?}");
        let other = NewReference { model: model(2), ..reference(1, 1) };
        let error = vault.enrol(&name(), vec![reference(2, 1), other]).await.unwrap_err().to_string();
        assert!(error.contains(&model(1).to_string()) && error.contains(&model(2).to_string()), "{error}");
        let longer = NewReference { template: Template::from_raw(&[1.0; 48]).unwrap(), ..reference(1, 1) };
        let error = vault.enrol(&name(), vec![longer]).await.unwrap_err();
        assert!(matches!(error, GalleryError::OtherDimension { wanted: 32, found: 48, .. }), "{error}");
        let long_text = NewReference { source: "x".repeat(2000), ..reference(1, 1) };
        assert!(matches!(vault.enrol(&name(), vec![long_text]).await, Err(GalleryError::Text { bytes: 2000, .. })));
        let unknown: GalleryName = "other".parse().unwrap();
        assert!(matches!(vault.enrol(&unknown, vec![]).await, Err(GalleryError::NoGallery(_))));
        assert!(matches!(vault.snapshot(&unknown).await, Err(GalleryError::NoGallery(_))));
        let nothing = vault.erase(&name(), Erase::Template(TemplateId(1)), |_| ()).await;
        assert!(matches!(nothing, Err(GalleryError::NothingToErase { .. })), "{nothing:?}");
        assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 0, "all or nothing");
        vault.close().await;
    });
}

#[test]
fn a_second_writer_is_told_who_has_the_folder() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        vault.set_address("http://127.0.0.1:7000").unwrap();
        let error = Vault::open(home.path(), Access::Writer, options()).await.err().unwrap().to_string();
        let pid = std::process::id().to_string();
        assert!(error.contains(&pid) && error.contains("http://127.0.0.1:7000"), "{error}");
        vault.close().await;
        open(home.path()).await.close().await;
        let empty = tempfile::tempdir().unwrap();
        let nothing = Vault::open(empty.path(), Access::Reader, options()).await;
        assert!(matches!(nothing, Err(GalleryError::NoData(_))));
        assert_eq!(fs_err::read_dir(empty.path()).unwrap().count(), 0, "a reader makes nothing");
    });
}

#[test]
fn a_reader_beside_the_writer_sees_what_is_committed_and_holds_back_erasures() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=60).map(|key| reference(key, key)).collect()).await;
        let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let refused = reader.enrol(&name(), vec![reference(99, 1)]).await;
        assert!(matches!(refused, Err(GalleryError::ReadOnly(_))));
        let seen = reader.snapshot(&name()).await.unwrap();
        assert_eq!(live(&seen), live(vault.snapshot(&name()).await.unwrap().as_ref()));
        let number = reader.record_search(&search(&[TemplateId(3), TemplateId(4)])).await.unwrap();
        assert!(number > 0);

        let held_back = vault.erase(&name(), Erase::Template(TemplateId(3)), |_| ()).await;
        assert!(matches!(held_back, Err(GalleryError::StillRead { count: 1, .. })), "{held_back:?}");
        assert!(!live(vault.snapshot(&name()).await.unwrap().as_ref()).contains_key(&3), "no new search shows it");
        assert!(reader.references(&name(), &[TemplateId(3)]).await.unwrap().is_empty(), "nor an old one");
        let mut original = vec![0.0; DIMENSION];
        seen.rows()[0].original(2, &mut original);
        assert_eq!(original, template(3).values(), "bytes don't change under a reader");
        assert!(matches!(vault.enrol(&name(), vec![reference(3, 3)]).await, Err(GalleryError::BeingErased(_))));
        drop(seen);
        let finished = vault.erase(&name(), Erase::Template(TemplateId(3)), |_| ()).await.unwrap();
        assert_eq!(finished.templates, [TemplateId(3)]);
        let seen = reader.snapshot(&name()).await.unwrap();
        seen.rows()[0].original(2, &mut original);
        assert!(original.iter().all(|&value| value == 0.0) && !seen.rows()[0].is_live(2));
        vault.close().await;
    });
}

#[test]
fn readers_keep_up_with_a_writer_that_seals_and_imports() {
    let home = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let vault =
            Vault::open(home.path(), Access::Writer, VaultOptions { tail_rows_max: 7, ..options() }).await.unwrap();
        vault.create_gallery(&name(), &model(1), dimension(), Precision::F32, "test").await.unwrap();
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&acknowledged);
        let writer = tokio::spawn(async move {
            for round in 0..60_u64 {
                enrol(&vault, (0..5).map(|i| reference(1 + round * 5 + i, round)).collect()).await;
                let added = if round % 20 == 9 {
                    vault
                        .import_synthetic(&name(), 30, |row, out| out.copy_from_slice(&raw(row)), |_| ())
                        .await
                        .unwrap();
                    35
                } else {
                    5
                };
                count.fetch_add(added, Ordering::SeqCst);
            }
            vault.close().await;
        });
        let reader = Vault::open(home.path(), Access::Reader, options()).await.unwrap();
        let mut looks = 0;
        while !writer.is_finished() || looks < 5 {
            let least = acknowledged.load(Ordering::SeqCst);
            let seen = live(reader.snapshot(&name()).await.unwrap().as_ref()).len();
            assert!(seen >= least && seen % 5 == 0, "{seen} of at least {least}");
            looks += 1;
        }
        writer.await.unwrap();
        assert_eq!(reader.snapshot(&name()).await.unwrap().live(), 390);
    });
}

#[test]
fn a_search_that_still_reads_holds_back_an_erasure_in_this_process() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=50).map(|key| reference(key, key)).collect()).await;
        enrol(&vault, (51..=60).map(|key| reference(key, key)).collect()).await;
        for id in [5, 55] {
            // Not even a snapshot: one run of it is enough.
            let runs: Vec<Arc<dyn Rows>> = vault.snapshot(&name()).await.unwrap().rows().to_vec();
            let late =
                vault.erase(&name(), Erase::Template(TemplateId(id)), |_| panic!("nothing was overwritten")).await;
            assert!(matches!(late, Err(GalleryError::StillRead { reader: "a search", .. })), "{late:?}");
            let whole = runs
                .iter()
                .any(|run| (0..run.len()).any(|row| run.template_id(row).0 == id && run.scales()[row] > 0.0));
            assert!(whole, "what a search reads stays");
            drop(runs);
        }
        // A start finishes what was begun.
        vault.close().await;
        let vault = open(home.path()).await;
        let found = windows(home.path(), 12);
        for key in [5, 55] {
            assert!(traces(key, key, Precision::F32).iter().all(|(_, trace)| !found.contains(trace)), "{key}");
        }
        assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 58);
        vault.close().await;
    });
}

#[test]
fn a_device_is_refreshed_with_the_row_gone_before_an_erasure_is_acknowledged() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        enrol(&vault, (1..=50).map(|key| reference(key, key)).collect()).await;
        let calls = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&calls);
        let refresh = move |rows: &[Arc<dyn Rows>]| {
            assert!(rows[0].erased().contains(8) && rows[0].scales()[8] < 0.0);
            count.fetch_add(1, Ordering::SeqCst);
        };
        vault.erase(&name(), Erase::Template(TemplateId(9)), refresh).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        vault.close().await;
    });
}

#[test]
fn an_abandoned_call_still_ends_and_a_failed_import_leaves_nothing() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = new_vault(home.path(), Precision::F32).await;
        {
            let name = name();
            let call = vault.enrol(&name, vec![reference(1, 1)]);
            let mut call = std::pin::pin!(call);
            // Polled once, then dropped, as when an HTTP client goes away.
            tokio::select! { biased; _ = &mut call => panic!("too fast"), () = std::future::ready(()) => {} }
        }
        enrol(&vault, vec![reference(2, 2)]).await;
        assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 2);
        let fill = |row: u64, out: &mut [f32]| {
            if row < 250 {
                out.fill(1.0)
            }
        };
        let failed = vault.import_synthetic(&name(), 1000, fill, |_| ()).await;
        assert!(matches!(failed, Err(GalleryError::ImportRow { row: 250, .. })), "{failed:?}");
        assert_eq!(vault.snapshot(&name()).await.unwrap().live(), 2);
        let segments = fs_err::read_dir(home.path().join("gallery/custody")).unwrap();
        let files: Vec<_> = segments.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        assert_eq!(files.iter().filter(|name| name.contains("segment")).count(), 1, "{files:?}");
        enrol(&vault, vec![reference(3, 3)]).await;
        vault.close().await;
        let vault = open(home.path()).await;
        assert_eq!(live(vault.snapshot(&name()).await.unwrap().as_ref()).len(), 3);
        vault.close().await;
    });
}

/// What `fixtures/segment-v1-*.seg` hold: row `r` is template `100 + 2 r`, component `c` is `(16 r + c - 100) / 128`; row 3
/// was erased.
fn fixture_original(row: u64) -> Vec<f32> {
    (0..16).map(|component| (16.0 * row as f32 + component as f32 - 100.0) / 128.0).collect()
}

#[test]
fn segments_of_version_1_open_for_ever() {
    let folder = DiskFolder::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")).unwrap();
    for (file, originals) in [("segment-v1-f32.seg", Precision::F32), ("segment-v1-f16.seg", Precision::F16)] {
        if std::env::var_os("BERTILLON_WRITE_FIXTURES").is_some() {
            write_fixture(&folder, file, originals);
        }
        let segment = Segment::open(&folder, file).unwrap();
        segment.verify().unwrap();
        assert_eq!((segment.len(), segment.spec().dimension.get()), (18, 16));
        assert_eq!((segment.spec().originals, segment.spec().synthetic), (originals, true));
        assert_eq!((segment.spec().model.name.as_str(), segment.spec().model.hash), ("fixture", [0x5a; 32]));
        for row in 0..18 {
            let mut original = vec![9.0; 16];
            segment.original(row as usize, &mut original);
            let wanted = if row == 3 { vec![0.0; 16] } else { fixture_original(row) };
            let mut codes = vec![0; 16];
            bertillon::vector::layout::take_row(segment.codes(), row as usize, &mut codes);
            assert_eq!(original, wanted);
            assert_eq!(segment.template_id(row as usize), TemplateId(100 + 2 * row));
            assert_eq!(segment.is_live(row as usize), row != 3);
            assert!(
                codes.iter().zip(&wanted).all(|(&code, value)| (f32::from(code) * segment.scales()[row as usize]
                    - value)
                    .abs()
                    < 0.02
                    || row == 3)
            );
        }
    }
}

fn write_fixture(folder: &DiskFolder, file: &str, originals: Precision) {
    use bertillon::segment::{Before, SegmentSpec, SegmentWriter, erase_rows};
    let model = ModelId { name: "fixture".to_owned(), hash: [0x5a; 32] };
    let spec = SegmentSpec { model, dimension: Dimension::new(16).unwrap(), originals, synthetic: true };
    let mut writer = SegmentWriter::create(Arc::new(folder.clone()), file, &spec, 18).unwrap();
    for row in 0..18 {
        let original = fixture_original(row);
        writer.push(TemplateId(100 + 2 * row), &original, &Code::of(&original)).unwrap();
    }
    writer.finish().unwrap();
    erase_rows(folder, file, &[3], Before::Whole).unwrap();
}
