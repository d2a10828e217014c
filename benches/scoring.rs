//! How long does an exact search of 100,000 templates take, by CPU kernel, dimension and number of probes?
//!
//! One thread, 100 candidates, isotropic random templates in memory. `elem/s` is comparisons (rows times probes) a
//! second, certificate and re-scoring included. `cargo bench --bench scoring -- avx2` for one kernel.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bertillon::base::ids::TemplateId;
use bertillon::kernel;
use bertillon::scoring::{CertifiedScorer, CpuPass};
use bertillon::vector::dimension::Dimension;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::rows::Rows;
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const ROWS: u64 = 100_000;
const CANDIDATES: usize = 100;

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

fn exact_search(criterion: &mut Criterion) {
    for dimension in [128, 512] {
        let gallery = gallery(dimension);
        for kernel in kernel::all() {
            let mut group =
                criterion.benchmark_group(format!("exact search of 100k, d {dimension}, {}", kernel.name()));
            group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2)).sample_size(10);
            let scorer = CertifiedScorer::new(Arc::new(CpuPass::new(kernel, 1)), 1);
            for batch in [1_u64, 8, 64] {
                let probes: Vec<Template> = (0..batch).map(|probe| template(u64::MAX - probe, dimension)).collect();
                group.throughput(Throughput::Elements(ROWS * batch));
                group.bench_function(BenchmarkId::new("probes", batch), |bencher| {
                    bencher.iter(|| {
                        scorer.top_k(&gallery, black_box(&probes), CANDIDATES).expect("a well-formed request")
                    });
                });
            }
            group.finish();
        }
    }
}

criterion_group!(benches, exact_search);
criterion_main!(benches);
