//! How long does a gallery take to open, to enrol into, to erase from, to seal, and to hand out a snapshot?
//!
//! A million synthetic templates of 128 numbers on disk (`BERTILLON_BENCH_ROWS` for another count), files in the page
//! cache. Each enrolment and erasure is acknowledged, so the figures hold the medium's syncs.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use bertillon::base::ids::{GalleryName, ModelId, TemplateId};
use bertillon::gallery::{Access, Enrolment, Erase, NewReference, Vault, VaultOptions};
use bertillon::policy::DatedFacts;
use bertillon::segment::Precision;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::template::Template;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};

const DIMENSION: usize = 128;

fn model() -> ModelId {
    ModelId { name: "noise".to_owned(), hash: [1; 32] }
}

fn name() -> GalleryName {
    "bench".parse().expect("a name")
}

fn fill(seed: u64, out: &mut [f32]) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for value in out {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *value = (state >> 40) as f32 / 8_388_608.0 - 1.0;
    }
}

fn reference(key: u64) -> NewReference {
    let mut raw = [0.0; DIMENSION];
    fill(!key, &mut raw);
    NewReference {
        subject: format!("person {key}").parse().expect("a subject"),
        image_sha256: std::array::from_fn(|i| key.to_le_bytes()[i % 8] ^ i as u8),
        source: format!("{key}.jpg"),
        width_px: 640,
        height_px: 480,
        quality_json: "{}".to_owned(),
        template: Template::from_raw(&raw).expect("noise has a direction"),
        model: model(),
        attributes: Vec::new(),
        about: DatedFacts::default(),
    }
}

async fn open(data: &Path) -> Vault {
    Vault::open(data, Access::Writer, VaultOptions::default()).await.expect("the vault opens")
}

/// Memory that is the process's own: what is mapped from files is not in it.
fn own_memory_mib() -> u64 {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) >> 10
}

fn gallery(criterion: &mut Criterion) {
    let rows: u64 = std::env::var("BERTILLON_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(1_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.expect("a runtime");
    let home = tempfile::tempdir().expect("a folder");
    runtime.block_on(async {
        let vault = open(home.path()).await;
        let dimension = Dimension::new(DIMENSION).expect("a dimension");
        vault.create_gallery(&name(), &model(), dimension, Precision::F16, "bench").await.expect("made");
        vault.import_synthetic(&name(), rows, fill, |_| ()).await.expect("imported");
        vault.close().await;
        let before = own_memory_mib();
        let began = Instant::now();
        let vault = open(home.path()).await;
        println!(
            "first opening of {rows} rows: {:?}, {} MiB of own memory",
            began.elapsed(),
            own_memory_mib() - before
        );
        vault.close().await;
    });
    let mut group = criterion.benchmark_group(format!("gallery of {rows}, d {DIMENSION}"));
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(3)).sample_size(10);
    group.bench_function("open", |bencher| {
        bencher.iter(|| runtime.block_on(async { open(home.path()).await.close().await }));
    });
    let vault = runtime.block_on(open(home.path()));
    group.bench_function("snapshot", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(vault.snapshot(&name())).expect("a snapshot")));
    });
    let mut key = 0;
    for count in [1, 64] {
        group.bench_function(BenchmarkId::new("enrol", count), |bencher| {
            bencher.iter(|| {
                let new = (key..key + count).map(reference).collect();
                key += count;
                let done = runtime.block_on(vault.enrol(&name(), new)).expect("enrolled");
                assert!(done.iter().all(|one| matches!(one, Enrolment::New(_))));
            });
        });
    }
    let mut template = 0;
    group.bench_function("erase 1", |bencher| {
        bencher.iter(|| {
            template += 97;
            let gallery = name();
            let erased = vault.erase(&gallery, Erase::Template(TemplateId(template)), |_| ());
            runtime.block_on(erased).expect("erased");
        });
    });
    group.bench_function("seal 1024", |bencher| {
        bencher.iter_custom(|rounds| {
            let mut spent = Duration::ZERO;
            for _round in 0..rounds {
                runtime.block_on(vault.enrol(&name(), (key..key + 1024).map(reference).collect())).expect("enrolled");
                key += 1024;
                let began = Instant::now();
                runtime.block_on(vault.seal(&name())).expect("sealed");
                spent += began.elapsed();
            }
            spent
        });
    });
    group.finish();
    runtime.block_on(vault.close());
}

criterion_group!(benches, gallery);
criterion_main!(benches);
