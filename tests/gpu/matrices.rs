//! K3 with its products written out: all of it but the matrix instructions, which no software driver here has.

use bertillon::gpu::{GpuOptions, MatrixChoice};
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::scorer::Scorer;

use super::conformance::{Sizes, battery, coarse_battery, data};
use super::{certified, gpu};

/// Enough probes for K3.
fn sizes() -> Sizes {
    Sizes { rows: 300, probes: 33, dimensions: vec![48, 128], ..Sizes::small() }
}

#[test]
fn the_battery_passes_with_matrices_written_out() {
    let options = GpuOptions { matrices: MatrixChoice::WrittenOut, ..GpuOptions::default() };
    let Some(pass) = gpu(&options) else { return };
    assert_eq!(pass.info().cooperative_matrices, "in use, written out for a test");
    battery(&certified(&pass), &sizes());
    coarse_battery(pass.as_ref(), &sizes());
    assert_eq!(pass.info().cooperative_matrices, "in use, written out for a test");
}

#[test]
fn matrices_that_compute_otherwise_are_refused_and_the_lists_are_right() {
    let Some(pass) = gpu(&GpuOptions { matrices: MatrixChoice::Wrong, ..GpuOptions::default() }) else { return };
    let told = pass.info().cooperative_matrices;
    assert!(told.starts_with("not used: computes otherwise than dp4a tiles at dimension 512"), "{told}");
    let case = data::cases(6, 300, 128, 40).into_iter().next().unwrap();
    let wanted = NaiveScorer.top_k(&case.gallery, &case.probes, 20).unwrap().lists;
    assert_eq!(certified(&pass).top_k(&case.gallery, &case.probes, 20).unwrap().lists, wanted);
}

#[test]
fn status_says_why_there_are_none() {
    let Some(pass) = gpu(&GpuOptions { matrices: MatrixChoice::Off, ..GpuOptions::default() }) else { return };
    assert_eq!(pass.info().cooperative_matrices, "not used: switched off");
}
