//! The data folder through its public surface: what was enrolled is there to the bit, what was erased is nowhere, and one
//! process writes at a time. `tests/kill.rs` has what happens when a process is killed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bertillon::base::ids::{GalleryName, ModelId, SubjectRef, TemplateId};
use bertillon::gallery::{Access, Enrolment, Erase, GalleryError, NewReference, Snapshot, Vault, VaultOptions};
use bertillon::policy::DatedFacts;
use bertillon::records::{Attribute, FaceBox, GallerySeen, RecordedCandidate, SearchRecord};
use bertillon::segment::{Precision, Segment};
use bertillon::store::disk::DiskFolder;
use bertillon::vector::codec::Code;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::rows::Rows;
use bertillon::vector::template::Template;

mod attributes;
mod audit;
mod beside;
mod bulk;
mod disclosure;
mod left;
mod lists;
mod model;
mod names;
mod pictures;
mod place;
mod probes;
#[path = "../records_at/mod.rs"]
mod records_at;
mod restoring;
mod retention;
mod review;
mod samples;
mod sealed;
mod subjects;
mod submissions;
mod taken_back;
mod told;
mod traces;
mod unsolved;
mod upgrade;
mod upkeep;

const DIMENSION: usize = 32;

fn name() -> GalleryName {
    "custody".parse().unwrap()
}

fn model_id(seed: u8) -> ModelId {
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

fn attribute(key: u64) -> Attribute {
    Attribute::new("place", &format!("{key:07} police station")).unwrap()
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
        model: model_id(1),
        attributes: vec![attribute(key)],
        about: DatedFacts::default(),
    }
}

fn options() -> VaultOptions {
    VaultOptions {
        tail_rows_max: 40,
        import_segment_rows: 100,
        import_records: 40,
        merge_fan: 3,
        erase_wait: Duration::from_millis(300),
        ..records_at::vault_options()
    }
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
    vault.create_gallery(&name(), &model_id(1), dimension(), originals, "test").await.unwrap();
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

fn search(candidates: &[TemplateId]) -> SearchRecord {
    let candidate = |(rank, &template): (usize, &TemplateId)| RecordedCandidate {
        rank: rank as u32 + 1,
        template,
        score: 0.5,
        entry: None,
    };
    SearchRecord {
        gallery: name(),
        actor: "examiner 7".to_owned(),
        origin: "test".to_owned(),
        probe_sha256: [9; 32],
        face: FaceBox { x: 1.0, y: 2.0, width: 30.0, height: 40.0 },
        model_hash: [1; 32],
        snapshot_number: 3,
        seen: GallerySeen { last_template: TemplateId(6), live: 6 },
        people: 20,
        back_end: "naive".to_owned(),
        restriction: None,
        stated: None,
        operating_point: None,
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
        let again = vault.create_gallery(&name(), &model_id(1), dimension(), Precision::F32, "test").await;
        assert!(matches!(again, Err(GalleryError::AlreadyExists(_))), "{again:?}");
        let other = NewReference { model: model_id(2), ..reference(1, 1) };
        let error = vault.enrol(&name(), vec![reference(2, 1), other]).await.unwrap_err().to_string();
        assert!(error.contains(&model_id(1).to_string()) && error.contains(&model_id(2).to_string()), "{error}");
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
                out.fill(1.0);
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
    let folder = DiskFolder::open(&folder_path()).unwrap();
    for (file, originals) in [("segment-v1-f32.seg", Precision::F32), ("segment-v1-f16.seg", Precision::F16)] {
        if std::env::var_os("BERTILLON_WRITE_FIXTURES").is_some() {
            write_fixture(&folder, file, originals);
        }
        let today = tempfile::tempdir().unwrap();
        write_fixture(&DiskFolder::open(today.path()).unwrap(), file, originals);
        let kept = fs_err::read(folder_path().join(file)).unwrap();
        assert!(fs_err::read(today.path().join(file)).unwrap() == kept, "today's writer makes other bytes of {file}");
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

fn folder_path() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
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

/// Slow; for figures: `cargo test --release --test storage -- --ignored --nocapture`.
#[test]
#[ignore = "writes 700 MB"]
fn a_million_rows_import_in_bounded_memory() {
    run(async {
        let home = tempfile::tempdir().unwrap();
        let vault = Vault::open(home.path(), Access::Writer, records_at::vault_options()).await.unwrap();
        let wide = Dimension::new(128).unwrap();
        vault.create_gallery(&name(), &model_id(1), wide, Precision::F32, "test").await.unwrap();
        let began = std::time::Instant::now();
        let fill = |row: u64, out: &mut [f32]| {
            out.chunks_exact_mut(DIMENSION).zip(row..).for_each(|(to, key)| to.copy_from_slice(&raw(key)));
        };
        vault.import_synthetic(&name(), 1_000_000, fill, |_| ()).await.unwrap();
        let imported = began.elapsed();
        let status = fs_err::read_to_string("/proc/self/status").unwrap();
        let peak_kib: u64 = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .unwrap()
            .trim()
            .trim_end_matches(" kB")
            .parse()
            .unwrap();
        vault.close().await;
        let began = std::time::Instant::now();
        let vault = Vault::open(home.path(), Access::Writer, records_at::vault_options()).await.unwrap();
        let opened = began.elapsed();
        let began = std::time::Instant::now();
        vault.verify(&name(), |_, _| ()).await.unwrap();
        println!("import {imported:?}, peak {} MiB, open {opened:?}, verify {:?}", peak_kib >> 10, began.elapsed());
        assert!(peak_kib < 200 << 10, "{peak_kib} KiB");
        let began = std::time::Instant::now();
        for round in 0..20_u64 {
            let mut wide = reference(round, round);
            wide.template =
                Template::from_raw(&[raw(round), raw(round + 1), raw(round + 2), raw(round + 3)].concat()).unwrap();
            enrol(&vault, vec![wide]).await;
        }
        println!("one enrolment {:?}", began.elapsed() / 20);
        let began = std::time::Instant::now();
        vault.erase(&name(), Erase::Template(TemplateId(777_777)), |_| ()).await.unwrap();
        println!("one erasure {:?}", began.elapsed());
    });
}

#[tokio::test]
async fn nobody_but_the_owner_reads_templates_or_records() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let _vault = Vault::open(folder.path(), Access::Writer, records_at::vault_options()).await.unwrap();
    let rights = |name: &str| fs_err::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
    let records = if records_at::url().is_some() { "records.postgres" } else { "records.sqlite" };
    assert_eq!((rights("gallery"), rights(records)), (0o700, 0o600));
    for entry in fs_err::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap()) {
        let name = entry.file_name().into_string().unwrap();
        assert!(!name.starts_with("records") || rights(&name) == 0o600, "{name}");
    }
}

/// Progress that nobody watches, and that breaks nothing off.
pub(crate) fn on(_done: u64, _all: u64) -> ControlFlow<()> {
    ControlFlow::Continue(())
}
