//! How much longer do searches take while a gallery is imported into and compacted?
//!
//! One gallery of 200,000 synthetic templates of 512 numbers is searched on all cores, with one probe, once idle and once
//! while another one is imported into, erased from and compacted without end in the same process. The two kinds of minutes
//! alternate, since the machine's own mood changes. Prints p50 and p95 of both, and the ratio; the target is 1.5.
#![allow(missing_docs, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bertillon::base::ids::{GalleryName, ModelId, TemplateId};
use bertillon::gallery::{Access, Erase, Vault, VaultOptions};
use bertillon::scoring::compose::compose;
use bertillon::segment::Precision;
use bertillon::settings::Settings;
use bertillon::settings::back_end::BackEnd;
use bertillon::settings::flags::Flags;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::template::Template;

const DIMENSION: usize = 512;
const ROWS: u64 = 200_000;
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

async fn make(vault: &Vault, name: &GalleryName, rows: u64) {
    let model = ModelId { name: "noise".to_owned(), hash: [1; 32] };
    let dimension = Dimension::new(DIMENSION).expect("a dimension");
    vault.create_gallery(name, &model, dimension, Precision::F16, "bench").await.expect("made");
    vault.import_synthetic(name, rows, fill, |_| ()).await.expect("imported");
}

/// Imports, erases and compacts until it is told to stop; rows imported.
async fn work(vault: Vault, name: GalleryName, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) {
    while !stop.load(Ordering::Relaxed) {
        let from = done.load(Ordering::Relaxed);
        let imported = vault.import_synthetic(&name, 5_000, move |row, out| fill(from + row, out), |_| ()).await;
        let imported = imported.expect("imported");
        for id in [imported.first, TemplateId(imported.last.0 - 1)] {
            vault.erase(&name, Erase::Template(id), |_| ()).await.expect("erased");
        }
        vault.compact(&name, true, |_, _| ()).await.expect("compacted");
        done.fetch_add(5_000, Ordering::Relaxed);
    }
}

fn main() {
    // `cargo test --benches` calls every bench to see whether it runs at all.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let home = tempfile::tempdir().expect("a folder");
    let flags = Flags { back_end: Some(BackEnd::Cpu), ..Flags::default() };
    let settings = Settings::load(None, home.path(), flags).expect("settings").settings;
    let engine = compose(&settings.scoring).expect("an engine");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let vault = Vault::open(home.path(), Access::Writer, VaultOptions::default()).await.expect("a vault");
        let (searched, worked): (GalleryName, GalleryName) =
            ("searched".parse().expect("a name"), "worked".parse().expect("a name"));
        make(&vault, &searched, ROWS).await;
        make(&vault, &worked, 50_000).await;
        let (mut idle, mut busy) = (Vec::new(), Vec::new());
        let done = Arc::new(AtomicU64::new(0));
        let mut busy_s = 0.0;
        for round in 0..2 * ROUNDS {
            let stop = Arc::new(AtomicBool::new(false));
            let is_busy = round % 2 == 1;
            let working = is_busy
                .then(|| tokio::spawn(work(vault.clone(), worked.clone(), Arc::clone(&stop), Arc::clone(&done))));
            let began = Instant::now();
            for probe in 0..SEARCHES {
                let mut raw = [0.0; DIMENSION];
                fill((round * SEARCHES + probe) as u64 + (1 << 40), &mut raw);
                let probe = [Template::from_raw(&raw).expect("noise has a direction")];
                let scorer = Arc::clone(&engine.scorer);
                let began = Instant::now();
                let snapshot = vault.snapshot(&searched).await.expect("a snapshot");
                let found = tokio::task::spawn_blocking(move || scorer.top_k(snapshot.rows(), &probe, 100)).await;
                found.expect("it ran").expect("it scored");
                if is_busy { &mut busy } else { &mut idle }.push(began.elapsed().as_secs_f64() * 1e3);
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
        let at = |times: &mut Vec<f64>, percent: usize| {
            times.sort_by(f64::total_cmp);
            times[times.len() * percent / 100]
        };
        let rows = done.load(Ordering::Relaxed);
        println!("search of {ROWS} templates, d {DIMENSION}, one probe, {} searches each", idle.len());
        println!("idle p50 {:.2} ms, p95 {:.2} ms", at(&mut idle, 50), at(&mut idle, 95));
        println!(
            "busy p50 {:.2} ms, p95 {:.2} ms; {rows} rows imported in {busy_s:.0} s",
            at(&mut busy, 50),
            at(&mut busy, 95)
        );
        println!("ratio of p95 {:.2} (target 1.5)", at(&mut busy, 95) / at(&mut idle, 95));
        vault.close().await;
    });
}
