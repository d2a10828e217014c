//! Exact scoring: every CPU back end against the naive oracle, and proof that the battery catches what it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conformance;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bertillon::base::ids::TemplateId;
use bertillon::kernel;
use bertillon::scoring::{CertifiedScorer, CpuPass, WithFallback};
use bertillon::vector::coarse::{CoarseError, CoarsePass, Cut, Survivor, Sweep};
use bertillon::vector::codec::Code;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::layout::BLOCK_ROWS;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::{GalleryRows, Rows};
use bertillon::vector::scorer::{ScoreError, Scorer, Scoring};
use bertillon::vector::template::Template;
use conformance::undead::Undead;
use conformance::{Sizes, battery, coarse_battery, data, failures, sealed_battery};
use proptest::prelude::*;

fn cpu(threads: usize) -> CpuPass {
    CpuPass::new(kernel::best(), threads)
}

fn certified(pass: impl CoarsePass + 'static) -> CertifiedScorer {
    CertifiedScorer::new(Arc::new(pass), 2)
}

#[test]
fn every_kernel_with_any_threads_gives_the_oracles_lists() {
    for (kernel, threads) in kernel::all().into_iter().map(|kernel| (kernel, 3)).chain([(kernel::best(), 1)]) {
        let pass = Arc::new(CpuPass::new(kernel, threads));
        battery(&CertifiedScorer::new(pass, threads), &Sizes::full());
    }
}

#[test]
fn sealed_segments_give_the_oracles_lists_with_every_kernel() {
    for kernel in kernel::all() {
        sealed_battery(&CertifiedScorer::new(Arc::new(CpuPass::new(kernel, 2)), 2), &Sizes::small());
    }
}

#[test]
fn sweeps_are_complete_live_and_without_repeats() {
    for kernel in kernel::all() {
        for threads in [1, 2, 4] {
            coarse_battery(&CpuPass::new(kernel.clone(), threads), &Sizes::small());
        }
    }
}

#[test]
fn probes_handed_over_in_small_batches_change_nothing() {
    battery(&certified(cpu(2)).with_probes_per_sweep(2), &Sizes::small());
}

/// A coarse pass that treats the sweeps of another one first: honest ones must not be able to spoil a list, dishonest
/// ones are what the battery must find.
struct Treated {
    pass: CpuPass,
    ask: fn(Cut) -> Cut,
    treat: fn(&GalleryRows, Sweep) -> Sweep,
}

impl CoarsePass for Treated {
    fn name(&self) -> String {
        "treated".to_owned()
    }

    fn sweep(&self, gallery: &GalleryRows, probes: &[Code], cuts: &[Cut]) -> Result<Vec<Sweep>, CoarseError> {
        let asked: Vec<Cut> = cuts.iter().map(|&cut| (self.ask)(cut)).collect();
        let sweeps = self.pass.sweep(gallery, probes, &asked)?;
        Ok(sweeps.into_iter().map(|sweep| (self.treat)(gallery, sweep)).collect())
    }

    fn refresh(&self, gallery: &GalleryRows) -> Result<(), CoarseError> {
        self.pass.refresh(gallery)
    }
}

fn treated(ask: fn(Cut) -> Cut, treat: fn(&GalleryRows, Sweep) -> Sweep) -> CertifiedScorer {
    certified(Treated { pass: cpu(2), ask, treat })
}

/// Keeps nothing but the k best coarse scores: the certificate must refuse, and the second sweep find the rest.
fn without_slack(cut: Cut) -> Cut {
    match cut {
        Cut::Within { k, slack: _ } => Cut::Within { k, slack: 0.0 },
        Cut::AtLeast(_) => cut,
    }
}

fn claims_all(_: &GalleryRows, sweep: Sweep) -> Sweep {
    match sweep {
        Sweep::Complete { survivors, cut: _ } => Sweep::Complete { survivors, cut: f32::NEG_INFINITY },
        Sweep::Overflowed => Sweep::Overflowed,
    }
}

fn drops_the_last_block(gallery: &GalleryRows, sweep: Sweep) -> Sweep {
    let kept = |s: &Survivor| (s.row as usize) < (gallery[s.run as usize].len() - 1) / BLOCK_ROWS * BLOCK_ROWS;
    match sweep {
        Sweep::Complete { survivors, cut } => {
            Sweep::Complete { survivors: survivors.into_iter().filter(kept).collect(), cut }
        }
        Sweep::Overflowed => Sweep::Overflowed,
    }
}

#[test]
fn a_pass_that_keeps_too_little_and_says_so_costs_time_only() {
    let scorer = treated(without_slack, |_, sweep| sweep);
    battery(&scorer, &Sizes::small());
    let case = data::cases(1, 2000, 128, 6).into_iter().find(|case| case.name == "near ties").unwrap();
    let work = scorer.top_k(&case.gallery, &case.probes, 20).unwrap().work;
    assert_eq!((work.certified_at_once, work.repeated, work.exhaustive), (0, 6, 0));
}

#[test]
fn a_pass_that_gives_up_costs_time_only() {
    let scorer = treated(|cut| cut, |_, _| Sweep::Overflowed);
    battery(&scorer, &Sizes::small());
    let case = data::cases(1, 500, 16, 3).into_iter().next().unwrap();
    let work = scorer.top_k(&case.gallery, &case.probes, 20).unwrap().work;
    assert_eq!((work.certified_at_once, work.repeated, work.exhaustive), (0, 0, 3));
    assert_eq!((work.rows, work.rescored), (501, 1503));
}

#[test]
#[should_panic(expected = "gives up")]
fn the_coarse_battery_refuses_a_pass_that_gives_up() {
    let gives_up = Treated { pass: cpu(2), ask: |cut| cut, treat: |_, _| Sweep::Overflowed };
    coarse_battery(&gives_up, &Sizes { dimensions: vec![16], ..Sizes::small() });
}

#[test]
fn work_is_told_truly_when_the_first_sweep_suffices() {
    let case = data::cases(1, 3000, 512, 5).into_iter().next().unwrap();
    let work = certified(cpu(2)).top_k(&case.gallery, &case.probes, 20).unwrap().work;
    assert_eq!((work.rows, work.certified_at_once, work.repeated, work.exhaustive), (3001, 5, 0, 0));
    assert!((100..3001 * 5 / 2).contains(&work.rescored), "{work:?}");
    assert!(work.back_end.starts_with("cpu") && work.back_end.ends_with("x 2 threads"), "{}", work.back_end);
}

#[test]
fn a_list_that_the_first_sweep_can_not_prove_is_found_by_the_second() {
    let case = data::cases(1, 700, 128, 1).into_iter().find(|case| case.name == "errors aligned").unwrap();
    let work = certified(cpu(1)).top_k(&case.gallery, &case.probes, 20).unwrap().work;
    assert_eq!((work.certified_at_once, work.repeated, work.exhaustive), (0, 1, 0));
}

/// A scorer that changes what it is asked or what it answers.
struct Mutant(fn(&GalleryRows, &[Template], usize) -> Result<Scoring, ScoreError>);

impl Scorer for Mutant {
    fn name(&self) -> String {
        "mutant".to_owned()
    }
    fn top_k(&self, gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<Scoring, ScoreError> {
        (self.0)(gallery, probes, k)
    }
    fn refresh(&self, _gallery: &GalleryRows) {}
}

fn finds_the_erased(gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<Scoring, ScoreError> {
    let undead = |run: &Arc<dyn Rows>| Arc::new(Undead::new(run.clone())) as Arc<dyn Rows>;
    certified(cpu(1)).top_k(&gallery.iter().map(undead).collect::<Vec<_>>(), probes, k)
}

fn breaks_ties_backwards(gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<Scoring, ScoreError> {
    let mut scoring = NaiveScorer.top_k(gallery, probes, k)?;
    for list in &mut scoring.lists {
        list.sort_by(|a, b| b.score.total_cmp(&a.score).then(b.id.cmp(&a.id)));
    }
    Ok(scoring)
}

#[test]
fn the_battery_finds_every_mutant() {
    let failing = |scorer: &dyn Scorer| failures(scorer, &Sizes::small());
    let no_certificate = failing(&treated(without_slack, claims_all));
    assert!(no_certificate.iter().any(|line| line.contains("near ties")), "{no_certificate:?}");
    assert!(no_certificate.iter().any(|line| line.starts_with("random")), "{no_certificate:?}");
    assert!(failing(&treated(|cut| cut, drops_the_last_block)).len() > 50);
    assert!(failing(&Mutant(finds_the_erased)).iter().all(|line| line.starts_with("erased")));
    assert!(failing(&Mutant(finds_the_erased)).len() > 9);
    assert!(failing(&Mutant(breaks_ties_backwards)).iter().any(|line| line.starts_with("all identical")));
}

/// A device that fails when told to.
struct Device {
    broken: Arc<AtomicUsize>,
    asked: Arc<AtomicUsize>,
    pass: CpuPass,
}

impl CoarsePass for Device {
    fn name(&self) -> String {
        "device".to_owned()
    }
    fn sweep(&self, gallery: &GalleryRows, probes: &[Code], cuts: &[Cut]) -> Result<Vec<Sweep>, CoarseError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.broken.load(Ordering::Relaxed) > 0 {
            return Err(CoarseError::Device { back_end: self.name(), reason: "unplugged".to_owned() });
        }
        self.pass.sweep(gallery, probes, cuts)
    }
    fn refresh(&self, gallery: &GalleryRows) -> Result<(), CoarseError> {
        self.pass.refresh(gallery)
    }
}

#[test]
fn a_lost_device_is_an_event_and_not_an_outage() {
    let (broken, asked) = (Arc::new(AtomicUsize::new(1)), Arc::new(AtomicUsize::new(0)));
    let device = certified(Device { broken: broken.clone(), asked: asked.clone(), pass: cpu(1) });
    let cool_down = Duration::from_secs(3);
    let scorer = WithFallback::new(Box::new(device), Box::new(certified(cpu(1)))).with_cool_down(cool_down);
    assert_eq!(scorer.name(), "device");
    let case = data::cases(1, 300, 16, 2).into_iter().next().unwrap();
    let ask = |k| scorer.top_k(&case.gallery, &case.probes, k);
    let wanted = NaiveScorer.top_k(&case.gallery, &case.probes, 5).unwrap().lists;
    for _ in 0..3 {
        let answer = ask(5).unwrap();
        assert_eq!(answer.lists, wanted);
        assert!(answer.work.fell_back.unwrap().contains("unplugged"));
        assert!(answer.work.back_end.starts_with("cpu"), "{}", answer.work.back_end);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1, "not asked again while it cools down");
    assert!(
        scorer.name().starts_with("cpu") && scorer.name().contains("device failed: unplugged"),
        "{}",
        scorer.name()
    );
    broken.store(0, Ordering::Relaxed);
    std::thread::sleep(cool_down);
    let answer = ask(5).unwrap();
    assert_eq!((answer.lists, answer.work.fell_back, answer.work.back_end.as_str()), (wanted, None, "device"));
    assert_eq!(scorer.failure(), None);
}

#[test]
fn a_wrong_request_is_nobodys_failure() {
    let scorer = WithFallback::new(Box::new(certified(cpu(1))), Box::new(certified(cpu(1))));
    let case = data::cases(1, 300, 16, 2).into_iter().next().unwrap();
    assert_eq!(scorer.top_k(&case.gallery, &case.probes, 0).unwrap_err(), ScoreError::ListLength(0));
    let other = Template::from_raw(&[1.0; 32]).unwrap();
    let error = scorer.top_k(&case.gallery, &[other], 5).unwrap_err();
    assert!(matches!(error, ScoreError::Coarse(CoarseError::Dimension { probe: 32, .. })), "{error}");
    assert_eq!(scorer.failure(), None);
}

/// Vectors with components from a handful of values: nearly every score is shared by several rows.
fn coarse_grained(count: std::ops::Range<usize>) -> impl Strategy<Value = Vec<Vec<f32>>> {
    let component = prop_oneof![Just(-1.0_f32), Just(0.0), Just(0.5), Just(1.0)];
    let vector =
        proptest::collection::vec(component, 16).prop_filter("a direction", |raw| raw.iter().any(|x| *x != 0.0));
    let pool = proptest::collection::vec(vector, 1..8);
    (pool, proptest::collection::vec(any::<proptest::sample::Index>(), count))
        .prop_map(|(pool, picks)| picks.iter().map(|pick| pick.get(&pool).clone()).collect())
}

proptest! {
    #[test]
    fn any_small_gallery_with_ties_is_searched_exactly(
        vectors in coarse_grained(0..120), asked in coarse_grained(1..6), split in any::<proptest::sample::Index>(),
        erased in proptest::collection::vec(0_usize..120, 0..20), k in 1_usize..130, threads in 1_usize..=4
    ) {
        let dimension = Dimension::new(16).unwrap();
        let split = split.index(vectors.len() + 1);
        let mut runs = [MemoryRows::new(dimension), MemoryRows::new(dimension)];
        for (row, vector) in vectors.iter().enumerate() {
            let template = Template::from_raw(vector).unwrap();
            runs[usize::from(row >= split)].push(TemplateId(row as u64 * 3), template.values());
        }
        for &row in erased.iter().filter(|&&row| row % 2 == 0) {
            runs[0].erase(row);
        }
        runs[1].mark_erased(erased.iter().map(|&row| row as u32).collect());
        let gallery: Vec<Arc<dyn Rows>> = runs.into_iter().map(|run| Arc::new(run) as Arc<dyn Rows>).collect();
        let probes: Vec<Template> = asked.iter().map(|raw| Template::from_raw(raw).unwrap()).collect();
        let wanted = NaiveScorer.top_k(&gallery, &probes, k).unwrap().lists;
        for kernel in kernel::all() {
            let scorer = CertifiedScorer::new(Arc::new(CpuPass::new(kernel, threads)), threads);
            let found = scorer.top_k(&gallery, &probes, k).unwrap().lists;
            prop_assert_eq!(&found, &wanted, "{}", scorer.name());
        }
    }
}
