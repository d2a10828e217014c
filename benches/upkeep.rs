//! How much longer do searches take while a gallery is imported into and compacted?
//!
//! One gallery of 200,000 synthetic templates of 512 numbers is searched on all cores, with one probe, and each search
//! recorded: once idle and once while a gallery is imported into, erased from and compacted without end in the same process;
//! first another gallery, then the searched one itself. Idle and busy minutes alternate, since the machine's own mood
//! changes. Prints p50 and p95 of both, and the ratio; the target is 1.5.
#![allow(missing_docs, clippy::expect_used)]

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bertillon::base::ids::{GalleryName, ModelId, TemplateId};
use bertillon::casework::desk::vault_options;
use bertillon::gallery::{Access, Erase, GalleryError, ImportedReference, TemplateImport, Vault};
use bertillon::policy::DatedFacts;
use bertillon::records::{FaceBox, GallerySeen, RecordedCandidate, SearchRecord};
use bertillon::scoring::compose::{Engine, compose};
use bertillon::segment::Precision;
use bertillon::settings::Settings;
use bertillon::settings::back_end::BackEnd;
use bertillon::settings::flags::Flags;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::template::Template;

const DIMENSION: usize = 512;
const ROWS: u64 = 200_000;
/// Templates of one import.
const BATCH: u64 = 5_000;
const ROUNDS: usize = 5;
const SEARCHES: usize = 150;
/// Between two searches: a searching server is not at its limit.
const PAUSE: Duration = Duration::from_millis(15);

fn fill(seed: u64, out: &mut [f32]) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for value in out {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *value = (state >> 40) as f32 / 8_388_608.0 - 1.0;
    }
}

fn model() -> ModelId {
    ModelId { name: "noise".to_owned(), hash: [1; 32] }
}

async fn make(vault: &Vault, name: &GalleryName, rows: u64) {
    let dimension = Dimension::new(DIMENSION).expect("a dimension");
    vault.create_gallery(name, &model(), dimension, Precision::F16, "bench").await.expect("made");
    vault.import_synthetic(name, rows, fill, |_| ()).await.expect("imported");
}

/// What goes on beside the searches.
#[derive(Clone, Copy, PartialEq)]
enum Beside {
    /// Another gallery of the data folder is imported into (synthetic templates), erased from and compacted.
    Another,
    /// The searched gallery itself is imported into (people, each with a record), erased from and compacted. The imports
    /// fail at their last row, so that the gallery stays as large as it is.
    Itself,
}

/// Imports, erases and compacts until it is told to stop; rows imported.
async fn work(vault: Vault, beside: Beside, name: GalleryName, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) {
    while !stop.load(Ordering::Relaxed) {
        let from = done.load(Ordering::Relaxed);
        let erased = match beside {
            Beside::Another => {
                let fill = move |row, out: &mut [f32]| fill(from + row, out);
                let imported = vault.import_synthetic(&name, BATCH, fill, |_| ()).await.expect("imported");
                [imported.first, TemplateId(imported.last.0 - 1)]
            }
            Beside::Itself => {
                import_people(&vault, &name, from).await;
                // Two others each time, over all rounds.
                let last = ROWS - 2 * (from / BATCH);
                [TemplateId(last), TemplateId(last - 1)]
            }
        };
        for id in erased {
            vault.erase(&name, Erase::Template(id), |_| ()).await.expect("erased");
        }
        vault.compact(&name, true, |_, _| ControlFlow::Continue(())).await.expect("compacted");
        done.fetch_add(BATCH, Ordering::Relaxed);
    }
}

async fn import_people(vault: &Vault, name: &GalleryName, from: u64) {
    let import = TemplateImport { gallery: name.clone(), model: model(), count: BATCH, job: None };
    let fill = move |row, out: &mut [f32]| {
        fill(from + row, out);
        Ok(())
    };
    let describe = move |row: u64| {
        if row + 1 == BATCH {
            return Err("enough".to_owned());
        }
        let subject = format!("person {}", from + row).parse().map_err(|_| "a subject".to_owned())?;
        Ok(ImportedReference {
            subject,
            source: format!("row {row}"),
            attributes: Vec::new(),
            about: DatedFacts::default(),
        })
    };
    let refused = vault.import_templates(import, fill, describe, |_| ()).await;
    assert!(matches!(refused, Err(GalleryError::ImportRow { .. })), "{refused:?}");
}

/// One search and its record, in milliseconds: of the scoring, of the record, of both.
async fn search(vault: &Vault, engine: &Engine, name: &GalleryName, seed: u64) -> [f64; 3] {
    let mut raw = [0.0; DIMENSION];
    fill(seed, &mut raw);
    let probe = [Template::from_raw(&raw).expect("noise has a direction")];
    let scorer = Arc::clone(&engine.scorer);
    let began = Instant::now();
    let snapshot = vault.snapshot(name).await.expect("a snapshot");
    let number = snapshot.number();
    let found = tokio::task::spawn_blocking(move || scorer.top_k(snapshot.rows(), &probe, 100)).await;
    let found = found.expect("it ran").expect("it scored");
    let scored = began.elapsed().as_secs_f64() * 1e3;
    let candidates = found.lists[0].iter().take(20).zip(1..);
    let record = SearchRecord {
        gallery: name.clone(),
        actor: "bench".to_owned(),
        origin: "bench".to_owned(),
        probe_sha256: [0; 32],
        face: FaceBox::default(),
        model_hash: [1; 32],
        snapshot_number: number,
        seen: GallerySeen { last_template: TemplateId(1), live: 1 },
        people: 20,
        back_end: found.work.back_end,
        restriction: None,
        stated: None,
        operating_point: None,
        threshold: None,
        candidates: candidates
            .map(|(one, rank)| RecordedCandidate { rank, template: one.id, score: one.score, entry: None })
            .collect(),
        stages_ms: Vec::new(),
    };
    vault.record_searches(std::slice::from_ref(&record)).await.expect("recorded");
    let all = began.elapsed().as_secs_f64() * 1e3;
    [scored, all - scored, all]
}

async fn measure(vault: &Vault, engine: &Engine, searched: &GalleryName, beside: Beside, worked: &GalleryName) {
    let (mut idle, mut busy) = (Vec::new(), Vec::new());
    let done = Arc::new(AtomicU64::new(0));
    let mut busy_s = 0.0;
    for round in 0..2 * ROUNDS {
        let stop = Arc::new(AtomicBool::new(false));
        let is_busy = round % 2 == 1;
        let start = || work(vault.clone(), beside, worked.clone(), Arc::clone(&stop), Arc::clone(&done));
        let working = is_busy.then(|| tokio::spawn(start()));
        let began = Instant::now();
        for probe in 0..SEARCHES {
            let took = search(vault, engine, searched, (round * SEARCHES + probe) as u64 + (1 << 40)).await;
            if is_busy { &mut busy } else { &mut idle }.push(took);
            tokio::time::sleep(PAUSE).await;
        }
        if is_busy {
            busy_s += began.elapsed().as_secs_f64();
        }
        stop.store(true, Ordering::Relaxed);
        if let Some(working) = working {
            working.await.expect("the work ends");
        }
    }
    let at = |times: &[[f64; 3]], stage: usize, percent: usize| {
        let mut times: Vec<f64> = times.iter().map(|of| of[stage]).collect();
        times.sort_by(f64::total_cmp);
        times[times.len() * percent / 100]
    };
    let rows = done.load(Ordering::Relaxed);
    let which = if beside == Beside::Another { "another gallery" } else { "the searched gallery itself" };
    println!("{which}: {rows} rows imported and as many compacted over in {busy_s:.0} s, {} searches each", idle.len());
    for (stage, name) in ["scoring", "record", "both"].into_iter().enumerate() {
        println!("  {name:<7}       p50       p95");
        for (state, times) in [("idle", &idle), ("busy", &busy)] {
            println!("    {state} {:>9.2} {:>9.2} ms", at(times, stage, 50), at(times, stage, 95));
        }
    }
    println!("  ratio of p95 {:.2} (target 1.5)", at(&busy, 2, 95) / at(&idle, 2, 95));
}

fn main() {
    // `cargo test --benches` calls every bench to see whether it runs at all.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let flags = Flags { back_end: Some(BackEnd::Cpu), ..Flags::default() };
    let settings = Settings::load(None, home.path(), flags).expect("settings").settings;
    let options = vault_options(&settings);
    let engine = compose(&settings.scoring).expect("an engine");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let vault = Vault::open(home.path(), Access::Writer, options).await.expect("a vault");
        let (searched, worked): (GalleryName, GalleryName) =
            ("searched".parse().expect("a name"), "worked".parse().expect("a name"));
        make(&vault, &searched, ROWS).await;
        make(&vault, &worked, 50_000).await;
        println!("searches of {ROWS} templates, d {DIMENSION}, one probe, recorded");
        measure(&vault, &engine, &searched, Beside::Another, &worked).await;
        measure(&vault, &engine, &searched, Beside::Itself, &searched).await;
        vault.close().await;
    });
}
