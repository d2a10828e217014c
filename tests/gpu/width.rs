//! Rounds as wide as lists, memory and time allow, and tiles as wide as the device's workgroup memory allows.

use std::sync::Arc;

use bertillon::base::limits::PROBES_PER_SWEEP_MAX;
use bertillon::gpu::{AdapterChoice, GpuError, GpuOptions, GpuPass, MatrixChoice};
use bertillon::vector::coarse::CoarsePass;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::Rows;
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;

use super::conformance::{Sizes, battery, coarse_battery, data};
use super::{certified, cpu, gpu, random_run, resident};

/// The longest batch that people send: twelve shops with thirty stills each.
const RETAIL: usize = 360;
/// What WebGPU grants everywhere, and many integrated GPUs no more.
fn small() -> GpuOptions {
    GpuOptions { workgroup_bytes_max: 16 << 10, ..GpuOptions::default() }
}

fn many_probes(dimension: usize, count: usize) -> Vec<Template> {
    let one = |probe: u64| {
        (0..dimension as u64).map(|i| data::mix(700_000 + probe, i) as f32 / 9.2e18 - 1.0).collect::<Vec<f32>>()
    };
    (0..count as u64).map(|probe| Template::from_raw(&one(probe)).unwrap()).collect()
}

#[test]
fn a_retail_batch_reads_the_gallery_once() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(random_run(700, 64, 0))];
    let probes = many_probes(64, RETAIL);
    for k in [1, 40] {
        assert!(pass.probes_at_once(&gallery, k) >= RETAIL);
        let wanted = NaiveScorer.top_k(&gallery, &probes, k).unwrap().lists;
        let before = pass.info().rounds;
        let found = certified(&pass).top_k(&gallery, &probes, k).unwrap();
        assert_eq!(found.lists, wanted);
        assert_eq!(pass.info().rounds - before, 1, "{:?}", found.work);
        assert_eq!(certified(&pass).with_probes_per_sweep(64).top_k(&gallery, &probes, k).unwrap().lists, wanted);
        assert_eq!(pass.info().rounds - before, 1 + 6);
    }
}

#[test]
fn a_slow_device_is_not_given_more_than_the_cpu_takes_at_once() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    if pass.info().device_type != "software" {
        return;
    }
    // So many numbers that this driver is busy for seconds with 64 probes; nothing of them is ever read.
    let run: Arc<dyn Rows> = Arc::new(random_run(2_000, 64, 0));
    let gallery: Vec<Arc<dyn Rows>> = vec![run; 60_000];
    assert_eq!(pass.probes_at_once(&gallery, 10), PROBES_PER_SWEEP_MAX);
}

#[test]
fn the_battery_passes_with_rounds_of_more_probes_than_the_cpu_takes() {
    let sizes = Sizes { rows: 200, probes: 130, dimensions: vec![48], ..Sizes::small() };
    for matrices in [MatrixChoice::Off, MatrixChoice::WrittenOut] {
        let Some(pass) = gpu(&GpuOptions { matrices, ..GpuOptions::default() }) else { return };
        battery(&certified(&pass), &sizes);
    }
    // Lists that overflow: the repair of a hundred probes at once.
    let Some(pass) = gpu(&GpuOptions { survivors_max: 100, ..GpuOptions::default() }) else { return };
    battery(&certified(&pass), &sizes);
}

#[test]
fn hostile_galleries_are_not_scored_exhaustively_for_want_of_memory_for_many_probes() {
    // Kept in all for 64 probes: the 600 equal rows of each; for 130 at once less than that.
    let options = GpuOptions { survivors_total_max: 700, survivors_max: 100, ..GpuOptions::default() };
    let Some(pass) = gpu(&options) else { return };
    let case = data::cases(7, 600, 48, 130).into_iter().find(|case| case.name == "all identical").unwrap();
    let gallery: Vec<Arc<dyn Rows>> = case.gallery.iter().map(resident).collect();
    let wanted = NaiveScorer.top_k(&gallery, &case.probes, 5).unwrap().lists;
    let found = certified(&pass).top_k(&gallery, &case.probes, 5).unwrap();
    assert_eq!(found.lists, wanted);
    assert_eq!(found.work.exhaustive, 0, "{:?}", found.work);
}

#[test]
fn the_battery_passes_with_16_kib_of_workgroup_memory() {
    let matrices = MatrixChoice::WrittenOut;
    let Some(pass) = gpu(&GpuOptions { matrices, ..small() }) else { return };
    assert_eq!(pass.info().cooperative_matrices, "in use, written out for a test");
    // 9 probes: K1, and K2; 33: K3. The longest templates have the largest tiles.
    battery(&certified(&pass), &Sizes { rows: 300, probes: 33, dimensions: vec![128], ..Sizes::small() });
    let long = Sizes { rows: 200, probes: 8, dimensions: vec![2048], ..Sizes::small() };
    battery(&certified(&pass), &long);
    let Some(short_lists) = gpu(&GpuOptions { survivors_max: 64, ..small() }) else { return };
    coarse_battery(short_lists.as_ref(), &long);
}

#[test]
fn a_device_that_is_too_small_is_refused_with_its_reason() {
    if gpu(&GpuOptions::default()).is_none() {
        return;
    }
    let tiny = GpuOptions { adapter: AdapterChoice::Any, workgroup_bytes_max: 8 << 10, ..GpuOptions::default() };
    let error = GpuPass::new(tiny, cpu()).err().unwrap();
    assert!(matches!(error, GpuError::TooSmall { .. }), "{error:?}");
    let told = error.to_string();
    assert!(
        told.contains("8192 bytes of workgroup memory, and 8256 are needed") && told.contains("The CPU scores"),
        "{told}"
    );
}
