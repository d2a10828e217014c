//! The GPU back end on a software Vulkan driver: the battery, erasure, and the loss of the device; in `gpu/` memory and
//! streaming, loading ahead, the repair, the matrices, and rounds and tiles as wide as the device allows.
//!
//! Without a driver every test is skipped and says so; `BERTILLON_REQUIRE_GPU_TESTS=1`, which `make test` sets, turns that
//! into a failure. `BERTILLON_GPU_ADAPTER=hardware` runs the same tests on a card.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "gpu/ahead.rs"]
mod ahead;
mod conformance;
#[path = "gpu/matrices.rs"]
mod matrices;
#[path = "gpu/memory.rs"]
mod memory;
#[path = "gpu/repair.rs"]
mod repair;
#[path = "gpu/width.rs"]
mod width;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bertillon::base::ids::TemplateId;
use bertillon::gpu::{AdapterChoice, GpuError, GpuOptions, GpuPass};
use bertillon::kernel;
use bertillon::scoring::{CertifiedScorer, CpuPass, WithFallback};
use bertillon::vector::coarse::{CoarseError, CoarsePass, Cut, Survivor, Sweep};
use bertillon::vector::codec::Code;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::Rows;
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;
use conformance::undead::Undead;
use conformance::{Sizes, battery, coarse_battery, data, sealed_battery};

const REQUIRE: &str = "BERTILLON_REQUIRE_GPU_TESTS";

fn cpu() -> Box<dyn CoarsePass> {
    Box::new(CpuPass::new(kernel::best(), 1))
}

/// A pass on a software driver, or on what `BERTILLON_GPU_ADAPTER` says. `None` when the test is to be skipped.
fn gpu(options: &GpuOptions) -> Option<Arc<GpuPass>> {
    let adapter = match std::env::var("BERTILLON_GPU_ADAPTER") {
        Ok(text) => text.parse().unwrap(),
        Err(_) => AdapterChoice::Software,
    };
    match GpuPass::new(GpuOptions { adapter, ..options.clone() }, cpu()) {
        Ok(pass) => Some(Arc::new(pass)),
        Err(error @ GpuError::NoAdapter { .. }) => {
            assert!(std::env::var(REQUIRE).as_deref() != Ok("1"), "{REQUIRE}=1, but {error}");
            eprintln!("\n*** SKIPPED, the GPU back end is NOT tested here: {error} ***\n");
            None
        }
        Err(error @ (GpuError::Device { .. } | GpuError::TooSmall { .. } | GpuError::SelfTest { .. })) => {
            panic!("{error}")
        }
    }
}

/// Two blocks of d 128 a shard, few survivors: every run has many shards, and long lists overflow.
fn tight() -> GpuOptions {
    GpuOptions { shard_max_bytes: 16 << 10, survivors_max: 300, probes_per_round_max: 3, ..GpuOptions::default() }
}

fn certified(pass: &Arc<GpuPass>) -> CertifiedScorer {
    CertifiedScorer::new(pass.clone(), 2)
}

fn timed(what: &str, work: impl FnOnce()) {
    let start = Instant::now();
    work();
    eprintln!("{what}: {:.1?}", start.elapsed());
}

#[test]
fn the_battery_gives_the_oracles_lists() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    eprintln!("{:?}", pass.info());
    timed("battery", || battery(&certified(&pass), &Sizes::small()));
    timed("battery, sealed segments", || sealed_battery(&certified(&pass), &Sizes::small()));
    timed("coarse battery", || coarse_battery(pass.as_ref(), &Sizes::small()));
    // Long enough for several workgroups, chunks and submissions.
    let case = data::cases(3, 16_000, 128, 8).into_iter().nth(1).unwrap();
    let case_runs: Vec<Arc<dyn Rows>> = case.gallery.iter().map(resident).collect();
    let wanted = NaiveScorer.top_k(&case_runs, &case.probes, 50).unwrap().lists;
    timed("16,001 rows x 8 probes", || {
        let found = certified(&pass).top_k(&case_runs, &case.probes, 50).unwrap();
        assert_eq!(found.lists, wanted);
        assert_eq!(found.work.exhaustive, 0, "{:?}", found.work);
        assert_eq!(pass.info().resident_rows, 16_001);
    });
}

#[test]
fn the_battery_passes_with_tiny_shards_and_short_lists() {
    let Some(pass) = gpu(&tight()) else { return };
    timed("battery, tight", || battery(&certified(&pass), &Sizes { dimensions: vec![128, 256], ..Sizes::small() }));
    timed("coarse battery, tight", || {
        coarse_battery(pass.as_ref(), &Sizes { dimensions: vec![32, 128], ..Sizes::small() });
    });
}

#[test]
fn copies_follow_erasures_and_go_with_their_runs() {
    let Some(pass) = gpu(&tight()) else { return };
    let mut rows = random_run(500, 128, 0);
    let whole: Arc<dyn Rows> = Arc::new(rows.clone());
    pass.load(std::slice::from_ref(&whole), &|| true).unwrap();
    assert_eq!(all_found(&pass, &whole).len(), 500);

    // Marked: gone from the next sweep on, whatever the bytes say.
    rows.mark_erased(vec![0, 63, 64, 499]);
    let marked: Arc<dyn Rows> = Arc::new(rows.clone());
    assert_eq!(missing(&all_found(&pass, &marked)), [0, 63, 64, 499]);

    // Overwritten or newly marked: gone from the device once refreshed, even for one who still sees the old bytes.
    rows.erase(200);
    rows.mark_erased(vec![0, 63, 64, 300, 499]);
    let refreshed: Arc<dyn Rows> = Arc::new(rows);
    pass.refresh(std::slice::from_ref(&refreshed)).unwrap();
    let liar: Arc<dyn Rows> = Arc::new(Undead::new(whole.clone()));
    assert_eq!(missing(&all_found(&pass, &liar)), [0, 63, 64, 200, 300, 499]);

    assert_eq!(pass.info().resident_runs, 1);
    drop((whole, marked, refreshed, liar));
    pass.refresh(&[]).unwrap();
    let info = pass.info();
    assert_eq!((info.resident_runs, info.resident_bytes), (0, 0));
}

#[test]
fn searches_from_several_threads_do_not_disturb_each_other() {
    let Some(pass) = gpu(&tight()) else { return };
    let scorer = certified(&pass);
    let case = data::cases(5, 400, 64, 4).into_iter().next().unwrap();
    let wanted = NaiveScorer.top_k(&case.gallery, &case.probes, 9).unwrap().lists;
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..3 {
                    assert_eq!(scorer.top_k(&case.gallery, &case.probes, 9).unwrap().lists, wanted);
                }
            });
        }
    });
}

#[test]
fn a_lost_device_is_told_at_once_and_the_cpu_answers() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(random_run(300, 128, 0))];
    let probes = probes(128);
    let wanted = NaiveScorer.top_k(&gallery, &probes, 10).unwrap().lists;
    let second = CertifiedScorer::new(Arc::new(CpuPass::new(kernel::best(), 1)), 1);
    let scorer = WithFallback::new(Box::new(certified(&pass)), Box::new(second)).with_cool_down(Duration::ZERO);
    let before = scorer.top_k(&gallery, &probes, 10).unwrap();
    assert_eq!((before.lists, before.work.fell_back), (wanted.clone(), None));

    pass.lose_for_test();
    let start = Instant::now();
    for _ in 0..3 {
        let after = scorer.top_k(&gallery, &probes, 10).unwrap();
        assert_eq!(after.lists, wanted);
        let reason = after.work.fell_back.unwrap();
        assert!(reason.contains("lost"), "{reason}");
    }
    let codes = [Code::of(probes[0].values())];
    let error = pass.sweep(&gallery, &codes, &[Cut::AtLeast(0.0)]).unwrap_err();
    let CoarseError::Device { back_end, reason } = &error else { panic!("{error}") };
    assert!(back_end.starts_with("wgpu ") && reason.contains("lost"), "{error}");
    assert!(matches!(pass.refresh(&gallery), Err(CoarseError::Device { .. })));
    assert!(matches!(pass.load(&gallery, &|| true), Err(CoarseError::Device { .. })));
    assert!(start.elapsed() < Duration::from_secs(30), "nobody waits for a lost device");
    let info = pass.info();
    assert!(info.lost.is_some() && info.resident_runs == 0, "{info:?}");
}

#[test]
fn a_device_lost_in_the_middle_of_searches_breaks_none_of_them() {
    let Some(pass) = gpu(&tight()) else { return };
    let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(random_run(3000, 128, 0))];
    let codes: Vec<Code> = probes(128).iter().map(|probe| Code::of(probe.values())).collect();
    let cuts = vec![Cut::Within { k: 20, slack: 1.0 }; codes.len()];
    let sweep =
        || pass.sweep(&gallery, &codes, &cuts).map(|sweeps| sweeps.into_iter().map(rows_and_cut).collect::<Vec<_>>());
    let wanted = sweep().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                // Right until it fails, and then it fails in the same way for good.
                let first_failure = (0..10_000).find_map(|_| match sweep() {
                    Ok(found) => {
                        assert_eq!(found, wanted);
                        None
                    }
                    Err(error) => Some(error),
                });
                assert!(matches!(first_failure, Some(CoarseError::Device { .. })), "{first_failure:?}");
                assert!(matches!(sweep(), Err(CoarseError::Device { .. })));
            });
        }
        std::thread::sleep(Duration::from_millis(150));
        pass.lose_for_test();
    });
}

#[test]
fn a_device_lost_within_a_sweep_is_answered_for_by_the_cpu() {
    // Two rounds: lost before the first one's work, and before the second's.
    for submissions in [0, 1] {
        let Some(pass) = gpu(&tight()) else { return };
        let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(random_run(3000, 128, 0))];
        let probes = probes(128);
        let wanted = NaiveScorer.top_k(&gallery, &probes, 10).unwrap().lists;
        pass.load(&gallery, &|| true).unwrap();
        let second = CertifiedScorer::new(Arc::new(CpuPass::new(kernel::best(), 1)), 1);
        let scorer = WithFallback::new(Box::new(certified(&pass)), Box::new(second));
        pass.lose_after_for_test(submissions);
        let answer = scorer.top_k(&gallery, &probes, 10).unwrap();
        assert_eq!(answer.lists, wanted);
        assert!(answer.work.fell_back.as_ref().is_some_and(|reason| reason.contains("lost")), "{:?}", answer.work);
        assert!(answer.work.back_end.starts_with("cpu"), "{:?}", answer.work);
        assert!(scorer.failure().is_some() && pass.info().lost.is_some());
    }
}

#[test]
fn a_device_that_does_not_answer_in_time_is_refused() {
    let Some(_) = gpu(&GpuOptions::default()) else { return };
    let hasty = GpuOptions { adapter: AdapterChoice::Any, wait_max: Duration::ZERO, ..GpuOptions::default() };
    let error = GpuPass::new(hasty, cpu()).err();
    let Some(GpuError::Device { reason, .. }) = &error else { panic!("{error:?}") };
    assert!(reason.contains("no answer"), "{reason}");
}

#[test]
fn a_probe_of_another_model_is_refused() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(random_run(30, 128, 0))];
    let code = Code::of(probes(64)[0].values());
    let error = pass.sweep(&gallery, &[code], &[Cut::AtLeast(0.0)]).unwrap_err();
    assert_eq!(error, CoarseError::Dimension { probe: 64, gallery: Dimension::new(128).unwrap() });
}

fn random_run(rows: usize, dimension: usize, first_id: u64) -> MemoryRows {
    let mut run = MemoryRows::new(Dimension::new(dimension).unwrap());
    for row in 0..rows as u64 {
        let raw: Vec<f32> = (0..dimension as u64).map(|i| data::mix(first_id + row, i) as f32 / 9.2e18 - 1.0).collect();
        run.push(TemplateId(first_id + row), Template::from_raw(&raw).unwrap().values());
    }
    run.resident()
}

fn probes(dimension: usize) -> Vec<Template> {
    let one = |probe: u64| {
        (0..dimension as u64).map(|i| data::mix(900_000 + probe, i) as f32 / 9.2e18 - 1.0).collect::<Vec<f32>>()
    };
    (0..5).map(|probe| Template::from_raw(&one(probe)).unwrap()).collect()
}

/// The same rows, declared to be worth a copy.
fn resident(run: &Arc<dyn Rows>) -> Arc<dyn Rows> {
    let mut copy = MemoryRows::new(run.dimension());
    let mut original = vec![0.0; run.dimension().get()];
    for row in 0..run.len() {
        run.original(row, &mut original);
        copy.push(run.template_id(row), &original);
    }
    Arc::new(copy.resident())
}

/// Rows of `run` that a sweep for all of them finds. Asked in parts, since lists are short.
fn all_found(pass: &GpuPass, run: &Arc<dyn Rows>) -> Vec<u32> {
    let gallery = std::slice::from_ref(run);
    let code = Code::of(probes(128)[0].values());
    let opposite = Code { codes: code.codes.iter().map(|code| -code).collect(), ..code.clone() };
    let sweeps = pass.sweep(gallery, &[code, opposite], &[Cut::AtLeast(0.0); 2]).unwrap();
    let mut found: Vec<u32> = sweeps.into_iter().flat_map(survivors).map(|survivor| survivor.row).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Rows and scores in order, and the cut; all as bits.
fn rows_and_cut(sweep: Sweep) -> (Vec<(u32, u32)>, Option<u32>) {
    match sweep {
        Sweep::Complete { survivors, cut } => {
            let mut rows: Vec<(u32, u32)> = survivors.iter().map(|s| (s.row, s.coarse.to_bits())).collect();
            rows.sort_unstable();
            (rows, Some(cut.to_bits()))
        }
        Sweep::Overflowed => (Vec::new(), None),
    }
}

fn survivors(sweep: Sweep) -> Vec<Survivor> {
    match sweep {
        Sweep::Complete { survivors, cut: _ } => survivors,
        Sweep::Overflowed => panic!("overflowed"),
    }
}

fn missing(found: &[u32]) -> Vec<u32> {
    (0..500).filter(|row| !found.contains(row)).collect()
}
