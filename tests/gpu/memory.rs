//! Galleries and the device's memory: copies that make room, runs that pass through, runs that are loaded ahead.

use std::sync::Arc;

use bertillon::gpu::GpuOptions;
use bertillon::vector::coarse::CoarsePass;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::Rows;
use bertillon::vector::scorer::Scorer;

use super::conformance::{Sizes, battery, coarse_battery};
use super::{certified, gpu, probes, random_run};

/// Codes and scale of a row of 128 numbers.
const ROW_BYTES: u64 = 128 + 4;

fn gallery(runs: &[usize], first_id: u64) -> Vec<Arc<dyn Rows>> {
    let run = |(place, &rows): (usize, &usize)| {
        Arc::new(random_run(rows, 128, first_id + 10_000 * place as u64)) as Arc<dyn Rows>
    };
    runs.iter().enumerate().map(run).collect()
}

/// Room for so many rows, and no streaming unless a test wants it.
fn budget(rows: u64) -> GpuOptions {
    GpuOptions { memory_max_bytes: Some(rows * ROW_BYTES), ..GpuOptions::default() }
}

#[test]
fn a_gallery_larger_than_the_memory_is_scored_on_the_device_all_the_same() {
    let options = GpuOptions { stream_probes_min: 3, stream_bytes_max: 60_000, ..budget(1600) };
    let Some(pass) = gpu(&options) else { return };
    let gallery = gallery(&[200, 3000, 100, 700], 0);
    let probes = probes(128);
    let wanted = NaiveScorer.top_k(&gallery, &probes, 60).unwrap().lists;
    // Twice: what is kept stays, and nothing of the first time is left in the way.
    for _ in 0..2 {
        let before = pass.info().streamed_rows;
        assert_eq!(certified(&pass).top_k(&gallery, &probes, 60).unwrap().lists, wanted);
        let info = pass.info();
        assert_eq!((info.resident_runs, info.resident_rows), (2, 300), "{info:?}");
        assert!(info.streamed_rows - before >= 3700, "{info:?}");
        assert!(info.resident_bytes <= 1600 * ROW_BYTES, "{info:?}");
    }
    // Two probes are not worth the way: the host scores what has no copy.
    let before = pass.info().streamed_rows;
    assert_eq!(certified(&pass).top_k(&gallery, &probes[..2], 60).unwrap().lists, wanted[..2]);
    assert_eq!(pass.info().streamed_rows, before);
}

#[test]
fn the_battery_passes_when_most_is_streamed() {
    // Two slots of a block take half; the longer runs of the battery don't fit beside them.
    let options = GpuOptions { stream_probes_min: 1, stream_bytes_max: 10_000, survivors_max: 300, ..budget(280) };
    let Some(pass) = gpu(&options) else { return };
    let sizes = Sizes { dimensions: vec![64, 128], rows: 900, ..Sizes::small() };
    battery(&certified(&pass), &sizes);
    coarse_battery(pass.as_ref(), &Sizes { dimensions: vec![64], ..sizes });
    assert!(pass.info().streamed_rows > 10_000, "{:?}", pass.info());
}

#[test]
fn what_fits_nowhere_is_the_hosts() {
    let Some(pass) = gpu(&GpuOptions { stream_probes_min: 1, ..budget(70) }) else { return };
    let gallery = gallery(&[200, 300], 0);
    let probes = probes(128);
    let wanted = NaiveScorer.top_k(&gallery, &probes, 60).unwrap().lists;
    assert_eq!(certified(&pass).top_k(&gallery, &probes, 60).unwrap().lists, wanted);
    let info = pass.info();
    assert_eq!((info.resident_runs, info.streamed_rows, info.resident_bytes), (0, 0, 0));
}

#[test]
fn the_copies_used_longest_ago_make_room() {
    let Some(pass) = gpu(&budget(1400)) else { return };
    let galleries = [gallery(&[320, 320], 0), gallery(&[640], 50_000), gallery(&[320], 90_000)];
    let probes = probes(128);
    let ask = |number: usize| {
        let gallery: &Vec<Arc<dyn Rows>> = &galleries[number];
        let wanted = NaiveScorer.top_k(gallery, &probes, 9).unwrap().lists;
        assert_eq!(certified(&pass).top_k(gallery, &probes, 9).unwrap().lists, wanted, "gallery {number}");
        pass.info().resident_rows
    };
    assert_eq!(ask(0), 640);
    assert_eq!(ask(1), 1280);
    ask(0);
    // The second was used longest ago: it goes, the first stays.
    assert_eq!(ask(2), 960);
    assert_eq!(pass.info().resident_runs, 3);
    // It comes back in place of one run of the first, which is all the room it needs.
    assert_eq!(ask(1), 1280);
    assert_eq!(pass.info().streamed_rows, 0);
}

#[test]
fn a_run_loaded_ahead_is_there_when_it_is_searched() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let scorer = certified(&pass);
    let gallery = gallery(&[500, 70], 0);
    scorer.load(&gallery, &|| true);
    assert_eq!(pass.info().resident_rows, 570);
    assert_eq!(scorer.top_k(&gallery, &probes(128), 3).unwrap().lists.len(), 5);
    pass.refresh(&gallery).unwrap();
    assert_eq!(pass.info().resident_rows, 570);
}
