//! How fast are the CPU kernels, and an exact search with them, by kernel, dimension and number of probes; and how fast can
//! this machine read?
//!
//! One thread. `elem/s` is comparisons (rows times probes) a second.
//! - `kernel`: dot products and the look at the levels, of 2,048 rows that stay in the cache.
//! - `read`: every byte of the codes of 100,000 templates, added up: the ceiling for one probe.
//! - `exact search`: everything from probes to 100 certified candidates each, isotropic random templates in memory.
//!
//! `cargo bench --bench scoring -- avx2` for one kernel, `-- read` for the ceiling.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bertillon::base::ids::TemplateId;
use bertillon::kernel::{self, Blocks, Tile};
use bertillon::scoring::{CertifiedScorer, CpuPass};
use bertillon::vector::codec::Code;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::layout::{BLOCK_ROWS, code_bytes};
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::rows::Rows;
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const ROWS: u64 = 100_000;
const ROWS_IN_CACHE: usize = 2_048;
const CANDIDATES: usize = 100;
const DIMENSIONS: [usize; 2] = [128, 512];

/// A direction that depends on `seed` only.
fn template(seed: u64, dimension: usize) -> Template {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // The sum of four uniform numbers is near enough to normal.
        (0..4).map(|part| ((state >> (16 * part)) & 0xffff) as f32 / 65_536.0 - 0.5).sum()
    };
    let raw: Vec<f32> = (0..dimension + 8).map(|_| next()).skip(8).collect();
    Template::from_raw(&raw).expect("noise has a direction")
}

fn gallery(dimension: usize) -> Vec<Arc<dyn Rows>> {
    let mut rows = MemoryRows::new(Dimension::new(dimension).expect("a benchmark's dimension"));
    for id in 0..ROWS {
        rows.push(TemplateId(id), template(id, dimension).values());
    }
    vec![Arc::new(rows)]
}

fn probes(count: u64, dimension: usize) -> Vec<Template> {
    (0..count).map(|probe| template(u64::MAX - probe, dimension)).collect()
}

fn group(criterion: &mut Criterion, name: String) -> BenchmarkGroup<'_, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2)).sample_size(10);
    group
}

fn kernels(criterion: &mut Criterion, rows: &dyn Rows) {
    let dimension = rows.dimension().get();
    let codes = &rows.codes()[..code_bytes(ROWS_IN_CACHE, dimension)];
    let scales = &rows.scales().as_chunks::<BLOCK_ROWS>().0[..ROWS_IN_CACHE / BLOCK_ROWS];
    for kernel in kernel::all() {
        let mut group = group(criterion, format!("kernel {}, d {dimension}", kernel.name()));
        for batch in [1_u64, 8, 64] {
            let asked: Vec<Code> = probes(batch, dimension).iter().map(|probe| Code::of(probe.values())).collect();
            let asked: Vec<&[i8]> = asked.iter().map(|code| code.codes.as_slice()).collect();
            let tiles = Tile::pack(&asked, kernel.as_ref());
            group.throughput(Throughput::Elements(ROWS_IN_CACHE as u64 * batch));
            group.bench_function(BenchmarkId::new("probes", batch), |bencher| {
                bencher.iter(|| {
                    for tile in &tiles {
                        let mut levels = [f32::INFINITY; kernel::TILE_PROBES_MAX];
                        let blocks = Blocks { codes: black_box(codes), scales, ahead: &[] };
                        kernel.scan(blocks, tile, &mut levels, &mut |hit, _| {
                            black_box(hit.probes);
                        });
                    }
                });
            });
        }
        group.finish();
    }
}

fn read(criterion: &mut Criterion, rows: &dyn Rows) {
    let mut group = group(criterion, format!("read the codes of 100k, d {}", rows.dimension()));
    group.throughput(Throughput::Bytes(rows.codes().len() as u64));
    group.bench_function("sum", |bencher| {
        bencher.iter(|| {
            let mut sums = [0_u64; 8];
            for line in black_box(rows.codes()).as_chunks::<64>().0 {
                for (sum, word) in sums.iter_mut().zip(line.as_chunks::<8>().0) {
                    *sum = sum.wrapping_add(u64::from_le_bytes(word.map(i8::cast_unsigned)));
                }
            }
            sums
        });
    });
    group.finish();
}

fn searches(criterion: &mut Criterion, gallery: &[Arc<dyn Rows>], dimension: usize) {
    for kernel in kernel::all() {
        let mut group = group(criterion, format!("exact search of 100k, d {dimension}, {}", kernel.name()));
        let scorer = CertifiedScorer::new(Arc::new(CpuPass::new(kernel, 1)), 1);
        for batch in [1_u64, 8, 64, 360] {
            let probes = probes(batch, dimension);
            group.throughput(Throughput::Elements(ROWS * batch));
            group.bench_function(BenchmarkId::new("probes", batch), |bencher| {
                bencher.iter(|| scorer.top_k(gallery, black_box(&probes), CANDIDATES).expect("a well-formed request"));
            });
        }
        group.finish();
    }
}

fn scoring(criterion: &mut Criterion) {
    for dimension in DIMENSIONS {
        let gallery = gallery(dimension);
        kernels(criterion, gallery[0].as_ref());
        read(criterion, gallery[0].as_ref());
        searches(criterion, &gallery, dimension);
    }
}

criterion_group!(benches, scoring);
criterion_main!(benches);
