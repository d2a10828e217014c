//! The evaluator's figures against counting everything in double precision: every probe with every template, nothing clever.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use bertillon::base::program::Program;
use bertillon::casework::evaluate::Watch;
use bertillon::casework::evaluate::crowd::{CrowdPlan, run};
use bertillon::casework::evaluate::samples::Samples as _;
use bertillon::casework::evaluate::synthetic::{Options, SyntheticSamples};
use bertillon::evaluation::results::{Evaluation, Rate};
use bertillon::evaluation::synthetic::presets::Preset;
use bertillon::segment::Precision;
use bertillon::settings::Settings;
use bertillon::settings::flags::Flags;
use bertillon::vector::template::Template;

/// Scores of the engine are in single precision: pairs that lie nearer to each other may stand either way.
const NEAR: f64 = 2e-6;

/// What counting found of one probe: fewest and most others that stand before the mate, the mate's score, the best of the others.
struct Counted {
    mate: Option<f64>,
    before: (usize, usize),
    best_other: f64,
    extracted: bool,
}

fn count(samples: &SyntheticSamples, people: u32) -> Vec<Counted> {
    let rows = samples.rows_of(people);
    let mut raw = vec![0.0; samples.dimension().get()];
    let gallery: Vec<Vec<f64>> = (0..rows)
        .map(|row| {
            samples.row(row, &mut raw).unwrap();
            // As the gallery keeps it.
            let kept = Precision::F16.round(Template::from_raw(&raw).unwrap().values());
            kept.iter().copied().map(f64::from).collect()
        })
        .collect();
    let one = |probe: u32| {
        let Some(template) = samples.probe(probe).unwrap() else {
            return Counted { mate: None, before: (0, 0), best_other: f64::NEG_INFINITY, extracted: false };
        };
        let values: Vec<f64> = template.values().iter().copied().map(f64::from).collect();
        let scores: Vec<f64> =
            gallery.iter().map(|row| row.iter().zip(&values).map(|(a, b)| a * b).sum::<f64>()).collect();
        let own = samples.mate_of(probe);
        let is_own = |row: usize| own == Some(samples.person_of(row as u64));
        let mate = (0..scores.len()).filter(|&row| is_own(row)).map(|row| scores[row]).max_by(f64::total_cmp);
        let others = || (0..scores.len()).filter(|&row| !is_own(row)).map(|row| scores[row]);
        let above = |limit: f64| others().filter(|score| *score > limit).count();
        let before = mate.map_or((0, 0), |mate| (above(mate + NEAR), above(mate - NEAR)));
        Counted { mate, before, best_other: others().fold(f64::NEG_INFINITY, f64::max), extracted: true }
    };
    let half = samples.probes() / 2;
    std::thread::scope(|scope| {
        let first = scope.spawn(|| (0..half).map(one).collect::<Vec<_>>());
        let mut all: Vec<Counted> = Vec::new();
        let rest: Vec<Counted> = (half..samples.probes()).map(one).collect();
        all.extend(first.join().unwrap());
        all.extend(rest);
        all
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
    let mut thresholds = 0;
    for row in &whole.operating {
        let Some(threshold) = row.threshold else { continue };
        thresholds += 1;
        let above = |limit: f64| without.iter().filter(|one| one.best_other >= limit).count();
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
        list_length: 50,
        calibrate: false,
        lists: false,
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
    evaluate(4_000, 300, 300, 192);
}

/// The size that the evaluator is to be held to. `cargo nextest run --release --test brute_force --run-ignored only`
#[test]
#[ignore = "half a minute or more: a hundred thousand million multiplications"]
fn every_rate_of_fifty_thousand_people_is_what_counting_finds() {
    evaluate(50_000, 1_000, 1_000, 512);
}
