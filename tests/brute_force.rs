//! The evaluator's figures against counting everything in double precision: every probe with every template, nothing clever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use bertillon::base::program::Program;
use bertillon::casework::evaluate::Watch;
use bertillon::casework::evaluate::crowd::{CrowdPlan, run};
use bertillon::casework::evaluate::samples::Samples as _;
use bertillon::casework::evaluate::synthetic::{Options, SyntheticSamples};
use bertillon::evaluation::results::{Evaluation, OperatingRow, Rate};
use bertillon::evaluation::synthetic::presets::Preset;
use bertillon::segment::Precision;
use bertillon::settings::Settings;
use bertillon::settings::flags::Flags;
use bertillon::vector::template::Template;

/// Scores of the engine are in single precision: pairs that lie nearer to each other may stand either way.
const NEAR: f64 = 2e-6;
/// Candidates on a list.
const LIST: usize = 50;
/// Probes for which a row of the gallery is read once.
const BLOCK: usize = 16;

/// What counting found of one probe: fewest and most others that stand before the mate, the mate's score, the others' best scores.
struct Counted {
    mate: Option<f64>,
    before: (usize, usize),
    /// Falling, one more than a list has.
    others: Vec<f64>,
    extracted: bool,
}

impl Counted {
    fn best_other(&self) -> f64 {
        self.others.first().copied().unwrap_or(f64::NEG_INFINITY)
    }

    /// Others on the list at or above a limit.
    fn listed(&self, limit: f64) -> usize {
        self.others.iter().take(LIST).filter(|score| **score >= limit).count()
    }
}

/// The product of two templates, every component in double precision.
fn product(one: &[f64], other: &[f64]) -> f64 {
    let (mut sums, (ones, rest), (others, other_rest)) = ([0.0; 8], one.as_chunks::<8>(), other.as_chunks::<8>());
    for (one, other) in ones.iter().zip(others) {
        for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f64>() + rest.iter().zip(other_rest).map(|(a, b)| a * b).sum::<f64>()
}

/// Every row of the first `people` people, as the gallery keeps it.
fn gallery(samples: &SyntheticSamples, people: u32) -> Vec<Vec<f64>> {
    let mut raw = vec![0.0; samples.dimension().get()];
    let row = |row: u64| {
        samples.row(row, &mut raw).unwrap();
        let kept = Precision::F16.round(Template::from_raw(&raw).unwrap().values());
        kept.iter().copied().map(f64::from).collect()
    };
    (0..samples.rows_of(people)).map(row).collect()
}

/// What one probe's scores say.
fn look(samples: &SyntheticSamples, probe: u32, mut scores: Vec<f64>) -> Counted {
    let (mut mate, rows): (Option<f64>, u64) = (None, scores.len() as u64);
    if let Some(own) = samples.mate_of(probe) {
        for row in samples.rows_of_person(own).filter(|&row| row < rows) {
            mate = Some(mate.map_or(scores[row as usize], |best| best.max(scores[row as usize])));
            scores[row as usize] = f64::NEG_INFINITY;
        }
    }
    let above = |limit: f64| scores.iter().filter(|score| **score > limit).count();
    let before = mate.map_or((0, 0), |mate| (above(mate + NEAR), above(mate - NEAR)));
    let best = LIST.min(scores.len() - 1);
    scores.select_nth_unstable_by(best, |a, b| b.total_cmp(a));
    scores.truncate(best + 1);
    scores.sort_unstable_by(|a, b| b.total_cmp(a));
    Counted { mate, before, others: scores, extracted: true }
}

fn block(samples: &SyntheticSamples, gallery: &[Vec<f64>], probes: std::ops::Range<u32>) -> Vec<Counted> {
    let template = |probe| Some(samples.probe(probe).unwrap()?.values().iter().copied().map(f64::from).collect());
    let templates: Vec<Option<Vec<f64>>> = probes.clone().map(template).collect();
    let mut scores = vec![Vec::with_capacity(gallery.len()); templates.len()];
    for row in gallery {
        for (scores, template) in scores.iter_mut().zip(&templates) {
            scores.extend(template.as_ref().map(|template| product(template, row)));
        }
    }
    let one = |(probe, scores): (u32, Vec<f64>)| {
        if scores.is_empty() {
            return Counted { mate: None, before: (0, 0), others: Vec::new(), extracted: false };
        }
        look(samples, probe, scores)
    };
    probes.zip(scores).map(one).collect()
}

fn count(samples: &SyntheticSamples, people: u32) -> Vec<Counted> {
    let (gallery, probes) = (gallery(samples, people), samples.probes());
    let blocks: Vec<u32> = (0..probes).step_by(BLOCK).collect();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let gallery = gallery.as_slice();
    std::thread::scope(|scope| {
        let some = |firsts: &[u32]| {
            let firsts = firsts.to_vec();
            scope.spawn(move || {
                let all = firsts
                    .into_iter()
                    .flat_map(|first| block(samples, gallery, first..probes.min(first + BLOCK as u32)));
                all.collect::<Vec<_>>()
            })
        };
        let running: Vec<_> = blocks.chunks(blocks.len().div_ceil(threads)).map(some).collect();
        running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn between(rate: &Rate, least: usize, most: usize, what: &str) {
    let events = rate.events as usize;
    assert!((least..=most).contains(&events), "{what}: {events} counted by the evaluator, {least} to {most} by hand");
}

fn hold(found: &Evaluation, counted: &[Counted], mated: usize) {
    let whole = found.galleries.last().unwrap();
    let (with_mates, without) = counted.split_at(mated);
    assert!(
        with_mates.iter().any(|one| !one.extracted) && without.iter().any(|one| !one.extracted),
        "failures are in it"
    );
    for row in &whole.by_rank {
        let rank = row.rank as usize;
        let least = with_mates.iter().filter(|one| one.mate.is_none() || one.before.0 >= rank).count();
        let most = with_mates.iter().filter(|one| one.mate.is_none() || one.before.1 >= rank).count();
        assert_eq!(row.fnir.trials as usize, mated);
        between(&row.fnir, least, most, &format!("FNIR within {rank}"));
    }
    for &(rank, found) in &whole.cmc {
        let within = |before: fn(&Counted) -> usize| {
            with_mates.iter().filter(|one| one.mate.is_some() && before(one) < rank as usize).count() as f64
                / mated as f64
        };
        let (least, most) = (within(|one| one.before.1), within(|one| one.before.0));
        assert!((least - 1e-12..=most + 1e-12).contains(&found), "CMC at {rank}: {found}, by hand {least} to {most}");
    }
    assert!(whole.cmc.iter().any(|(rank, _)| *rank == 1) && whole.cmc.iter().any(|(rank, _)| *rank as usize == LIST));
    let mut best: Vec<f64> = without.iter().filter(|one| one.extracted).map(Counted::best_other).collect();
    best.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut thresholds = 0;
    for row in &whole.operating {
        // The lowest best score at or above which no more than the target's share of all non-mated searches lie.
        let most =
            (1..=without.len()).take_while(|&count| count as f64 / without.len() as f64 <= row.target_fpir).last();
        let Some((threshold, most)) = row.threshold.zip(most) else {
            assert!(row.threshold.is_none() && most.is_none(), "FPIR {}: {:?}", row.target_fpir, row.threshold);
            continue;
        };
        thresholds += 1;
        let expected = best[most - 1];
        assert!((threshold - expected).abs() <= NEAR, "FPIR {}: T {threshold}, by hand {expected}", row.target_fpir);
        selectivity(row, without, threshold);
        let above = |limit: f64| without.iter().filter(|one| one.best_other() >= limit).count();
        between(row.fpir.as_ref().unwrap(), above(threshold + NEAR), above(threshold - NEAR), "FPIR");
        for at in &row.fnir {
            let missed = |limit: f64, before: fn(&Counted) -> usize| {
                let hit = |one: &&Counted| one.mate.is_some_and(|mate| mate >= limit) && before(one) < at.rank as usize;
                mated - with_mates.iter().filter(hit).count()
            };
            let least = missed(threshold - NEAR, |one| one.before.0);
            let most = missed(threshold + NEAR, |one| one.before.1);
            between(&at.fnir, least, most, &format!("FNIR within {} at {threshold}", at.rank));
        }
    }
    assert!(thresholds >= 2);
}

/// False candidates a non-mated search, of which a list shows so many, and the lists that were full.
fn selectivity(row: &OperatingRow, without: &[Counted], threshold: f64) {
    let sum = |limit: f64| without.iter().map(|one| one.listed(limit)).sum::<usize>() as f64 / without.len() as f64;
    let (found, least, most) = (row.selectivity.unwrap(), sum(threshold + NEAR), sum(threshold - NEAR));
    assert!((least - 1e-12..=most + 1e-12).contains(&found), "selectivity {found}, by hand {least} to {most}");
    let full = |limit: f64| without.iter().filter(|one| one.listed(limit) == LIST).count();
    let cut = row.cut_lists.unwrap().non_mated as usize;
    assert!((full(threshold + NEAR)..=full(threshold - NEAR)).contains(&cut), "{cut} full lists");
}

fn evaluate(people: u32, mated: u32, non_mated: u32, dimension: usize) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = Settings::load(None, folder.path(), Flags::default()).unwrap().settings;
    settings.data.folder = folder.path().join("data");
    let parameters = Preset::Cctv.parameters().lifelike(3).unwrap();
    let options =
        Options { parameters, people, images: 1, mated, mates_among: people / 10, non_mated, dimension, seed: 11 };
    let plan = CrowdPlan {
        options: options.clone(),
        sizes: vec![people / 10],
        list_length: LIST,
        calibrate: false,
        lists: Some(false),
        title: "Against counting by hand".to_owned(),
        folder: folder.path().join("found"),
        keep: false,
        program: Program::default(),
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(run(&settings, &plan, &Watch::default())).unwrap().evaluation;
    assert!(found.identity.synthetic);
    let samples = SyntheticSamples::new(options, 2).unwrap();
    hold(&found, &count(&samples, people), mated as usize);
    // The smaller gallery by itself.
    let smaller = Evaluation { galleries: found.galleries[..1].to_vec(), ..found };
    hold(&smaller, &count(&samples, people / 10), mated as usize);
}

#[test]
fn every_rate_is_what_counting_finds() {
    evaluate(5_000, 250, 250, 192);
}

/// The size that the evaluator is to be held to. `cargo nextest run --release --test brute_force --run-ignored only`
#[test]
#[ignore = "half a minute of both cores: fifty thousand million multiplications. tools/test.sh runs it by itself"]
fn every_rate_of_fifty_thousand_people_is_what_counting_finds() {
    evaluate(50_000, 1_000, 1_000, 512);
}
