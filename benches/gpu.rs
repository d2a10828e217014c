//! How long does the coarse pass take on this machine's GPU, by kernel and number of probes; what of that is choosing the
//! best; and how long an upload?
//!
//! One run of random codes on the device. `elem/s` is comparisons (rows times probes) a second, selection and reading back
//! included. K1 takes up to 8 probes, K2 more, K3 from where it was measured to be faster, where the device has the right
//! matrices and they pass the self-test; a line above the figures says from where. A repair is forced by a level that everything
//! passes. The group `choosing` has, for the same probes, the dot products with a level that nothing reaches, the same with
//! the best appended and selected, and selects of full lists alone, of which a round has one for each chunk.
//!
//! `cargo bench --bench gpu` wants a card. On a software driver it ends without figures, since those would say nothing of
//! hardware; `BERTILLON_GPU_BENCH_SOFTWARE=1` runs it there all the same, on few rows, under names that say so.
//! `BERTILLON_GPU_ADAPTER` chooses among several cards, `BERTILLON_GPU_BENCH_ROWS` the rows (1,000,000).
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use bertillon::base::ids::TemplateId;
use bertillon::gpu::{AdapterChoice, GpuOptions, GpuPass, MatrixChoice};
use bertillon::kernel;
use bertillon::scoring::CpuPass;
use bertillon::vector::coarse::{CoarsePass, Cut};
use bertillon::vector::codec::Code;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::rows::Rows;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const DIMENSION: usize = 512;
const HARDWARE_ROWS: u64 = 1_000_000;
const SOFTWARE_ROWS: u64 = 4_096;
const CANDIDATES: usize = 100;
/// Entries of a list for as many candidates, and selects handed over together.
const LIST_ENTRIES: usize = 16_384;
const SELECTS_AT_ONCE: usize = 32;

/// Random codes of about the size that unit vectors have.
fn code(seed: u64) -> Code {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        ((state >> 40) % 161) as i32 - 80
    };
    let codes = (0..DIMENSION + 8).map(|_| next() as i8).skip(8).collect();
    Code { codes, scale: 0.001, error_norm: 0.01 }
}

fn run(rows: u64) -> MemoryRows {
    let mut run = MemoryRows::new(Dimension::new(DIMENSION).expect("a benchmark's dimension"));
    let original = vec![0.0; DIMENSION];
    for id in 0..rows {
        run.push_coded(TemplateId(id), &original, &code(id));
    }
    run.resident()
}

/// A pass, and what its figures are to be called; `None` where there is no card to measure.
fn pass(matrices: MatrixChoice) -> Option<(GpuPass, &'static str, u64)> {
    let software = std::env::var("BERTILLON_GPU_BENCH_SOFTWARE").as_deref() == Ok("1");
    let adapter = match std::env::var("BERTILLON_GPU_ADAPTER") {
        Ok(name) => AdapterChoice::Named(name),
        Err(_) if software => AdapterChoice::Software,
        Err(_) => AdapterChoice::Hardware,
    };
    let host = Box::new(CpuPass::new(kernel::best(), 1));
    let pass = match GpuPass::new(GpuOptions { adapter, matrices, ..GpuOptions::default() }, host) {
        Ok(pass) => pass,
        Err(error) => {
            eprintln!("not measured: {error}");
            return None;
        }
    };
    let info = pass.info();
    let is_software = info.device_type == "software";
    if is_software && !software {
        eprintln!("not measured: {} is a software driver, whose figures say nothing of hardware", info.name);
        return None;
    }
    let mark = if is_software { "SOFTWARE DRIVER, NOT A GPU: " } else { "" };
    // Said once: criterion cuts long titles, and what they end with is what is asked.
    eprintln!("{mark}{} ({}), cooperative matrices {}", info.name, info.driver, info.cooperative_matrices);
    let rows = std::env::var("BERTILLON_GPU_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok());
    Some((pass, mark, rows.unwrap_or(if is_software { SOFTWARE_ROWS } else { HARDWARE_ROWS })))
}

fn kernels(criterion: &mut Criterion) {
    for matrices in [MatrixChoice::Off, MatrixChoice::Auto] {
        let Some((pass, mark, rows)) = pass(matrices) else { return };
        if matrices == MatrixChoice::Auto && !pass.info().cooperative_matrices.starts_with("in use") {
            eprintln!("K3: not measured: cooperative matrices {}", pass.info().cooperative_matrices);
            return;
        }
        let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(run(rows))];
        pass.load(&gallery, &|| true).expect("the device works");
        let mut group = criterion.benchmark_group(format!("{mark}coarse pass of {rows}, K3 {matrices:?}"));
        group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(10);
        let longer: &[u64] =
            if matrices == MatrixChoice::Auto { &[16, 32, 64, 128, 360] } else { &[1, 2, 4, 8, 16, 32, 64, 128, 360] };
        for &probes in longer {
            let codes: Vec<Code> = (0..probes).map(|probe| code(u64::MAX - probe)).collect();
            let best = vec![Cut::Within { k: CANDIDATES, slack: 50.0 }; codes.len()];
            group.throughput(Throughput::Elements(rows * probes));
            group.bench_function(BenchmarkId::new("probes", probes), |bencher| {
                bencher.iter(|| pass.sweep(&gallery, black_box(&codes), &best).expect("the device works"));
            });
        }
        // More rows than a list takes: counted, then read back in windows until the limit of a probe's survivors.
        let all = [Cut::Within { k: rows as usize, slack: 0.0 }];
        let codes = [code(u64::MAX)];
        group.throughput(Throughput::Elements(rows));
        group.bench_function("repair of one probe", |bencher| {
            bencher.iter(|| pass.sweep(&gallery, black_box(&codes), &all).expect("the device works"));
        });
        group.finish();
    }
}

fn choosing(criterion: &mut Criterion) {
    let Some((pass, mark, rows)) = pass(MatrixChoice::Auto) else { return };
    let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(run(rows))];
    pass.load(&gallery, &|| true).expect("the device works");
    let mut group = criterion.benchmark_group(format!("{mark}choosing among {rows}"));
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(10);
    for probes in [1, 64, 360] {
        let codes: Vec<Code> = (0..probes).map(|probe| code(u64::MAX - probe)).collect();
        let cuts = [("nothing kept", Cut::AtLeast(f32::MAX)), ("the best", Cut::Within { k: CANDIDATES, slack: 50.0 })];
        for (what, cut) in cuts {
            let cuts = vec![cut; codes.len()];
            group.bench_function(BenchmarkId::new(what, probes), |bencher| {
                bencher.iter(|| pass.sweep(&gallery, black_box(&codes), &cuts).expect("the device works"));
            });
        }
        group.bench_function(BenchmarkId::new(format!("select of {LIST_ENTRIES} entries alone"), probes), |bencher| {
            bencher.iter_custom(|times| {
                let mut took = Duration::ZERO;
                // Submissions of bounded length.
                for some in (0..times).step_by(SELECTS_AT_ONCE).map(|done| SELECTS_AT_ONCE.min((times - done) as usize))
                {
                    let selects = pass.time_selects(probes as usize, LIST_ENTRIES, CANDIDATES as u32, some);
                    took += selects.expect("the device works");
                }
                took
            });
        });
    }
    group.finish();
}

fn upload(criterion: &mut Criterion) {
    let Some((pass, mark, rows)) = pass(MatrixChoice::Off) else { return };
    let rows = rows.min(262_144);
    let made = run(rows);
    let mut group = criterion.benchmark_group(format!("{mark}upload of {rows}"));
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(3)).sample_size(10);
    group.throughput(Throughput::Bytes(rows * DIMENSION as u64));
    group.bench_function("tile and send", |bencher| {
        bencher.iter_batched(
            // A new token each time, so that there is no copy yet; those of earlier ones are dropped.
            || vec![Arc::new(made.clone().resident()) as Arc<dyn Rows>],
            |gallery| pass.load(&gallery, &|| true).expect("the device works"),
            criterion::BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, kernels, choosing, upload);
criterion_main!(benches);
