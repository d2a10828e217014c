//! The battery that every back end must pass: candidate lists identical to the naive oracle's, ids and score bits alike.
//!
//! Use it from an integration test with `mod conformance;` and `conformance::battery(&scorer, &Sizes::small())`.
// Each test binary uses its own part.
#![allow(dead_code, unreachable_pub)]

pub mod data;
pub mod sealed;
pub mod undead;

use std::collections::BTreeMap;
use std::sync::Arc;

use bertillon::base::limits::TOP_K_MAX;
use bertillon::vector::coarse::{CoarsePass, Cut, Survivor, Sweep};
use bertillon::vector::codec::Code;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::{GalleryRows, Rows};
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;
use bertillon::vector::topk::Scored;

use data::{Case, cases};

/// How much the battery does.
pub struct Sizes {
    /// Rows of each gallery, about.
    pub rows: usize,
    /// Probes of each search.
    pub probes: usize,
    /// Dimensions of the templates.
    pub dimensions: Vec<usize>,
    /// Seeds; each makes galleries of its own.
    pub seeds: Vec<u64>,
}

impl Sizes {
    /// For a slow back end, such as a software Vulkan driver.
    pub fn small() -> Self {
        Self { rows: 700, probes: 5, dimensions: vec![16, 128, 512], seeds: vec![1] }
    }

    /// For a fast one.
    pub fn full() -> Self {
        Self { rows: 2000, probes: 9, dimensions: vec![16, 128, 256, 512], seeds: vec![2] }
    }
}

/// As [`battery`], with the galleries in sealed segments; the oracle sees them as they were.
pub fn sealed_battery(scorer: &dyn Scorer, sizes: &Sizes) {
    let wrong = failures_over(scorer, sizes, sealed::sealed);
    assert!(wrong.is_empty(), "{} differs over sealed segments:\n{}", scorer.name(), wrong.join("\n"));
}

/// Fails with the names, seeds and first differences of all cases where `scorer` and the oracle disagree.
pub fn battery(scorer: &dyn Scorer, sizes: &Sizes) {
    let wrong = failures(scorer, sizes);
    assert!(wrong.is_empty(), "{} differs from the oracle:\n{}", scorer.name(), wrong.join("\n"));
}

/// One line for each case and list length at which `scorer` and the oracle disagree.
pub fn failures(scorer: &dyn Scorer, sizes: &Sizes) -> Vec<String> {
    failures_over(scorer, sizes, <[_]>::to_vec)
}

fn failures_over(scorer: &dyn Scorer, sizes: &Sizes, dress: fn(&GalleryRows) -> Vec<Arc<dyn Rows>>) -> Vec<String> {
    let mut wrong = Vec::new();
    for case in all_cases(sizes) {
        let dressed = dress(&case.gallery);
        scorer.refresh(&dressed);
        let rows: usize = case.gallery.iter().map(|run| run.len()).sum();
        let longest = (rows + 5).min(TOP_K_MAX);
        let wanted =
            NaiveScorer.top_k(&case.gallery, &case.probes, longest).expect("the oracle answers every case").lists;
        for k in [1, 7, 100, longest] {
            if let Some(difference) = difference(scorer, &dressed, &case.probes, k, &wanted) {
                wrong.push(format!("{}: k {k}: {difference}", title(&case)));
            }
        }
    }
    wrong
}

fn all_cases(sizes: &Sizes) -> impl Iterator<Item = Case> {
    let pairs: Vec<(u64, usize)> =
        sizes.seeds.iter().flat_map(|&seed| sizes.dimensions.iter().map(move |&dimension| (seed, dimension))).collect();
    let (rows, probes) = (sizes.rows, sizes.probes);
    pairs.into_iter().flat_map(move |(seed, dimension)| cases(seed, rows, dimension, probes))
}

fn title(case: &Case) -> String {
    format!("{}, d {}, seed {}", case.name, case.dimension, case.seed)
}

/// `wanted` are the oracle's lists for a longer list: ranks are a total order, so a shorter list is the beginning of it.
fn difference(
    scorer: &dyn Scorer,
    gallery: &GalleryRows,
    probes: &[Template],
    k: usize,
    wanted: &[Vec<Scored>],
) -> Option<String> {
    let found = match scorer.top_k(gallery, probes, k) {
        Ok(scoring) => scoring.lists,
        Err(error) => return Some(format!("no answer: {error}")),
    };
    if found.len() != wanted.len() {
        return Some(format!("{} lists for {} probes", found.len(), wanted.len()));
    }
    found.iter().zip(wanted).enumerate().find_map(|(probe, (found, wanted))| {
        first_difference(found, &wanted[..k.min(wanted.len())]).map(|difference| format!("probe {probe}: {difference}"))
    })
}

fn first_difference(found: &[Scored], wanted: &[Scored]) -> Option<String> {
    if found.len() != wanted.len() {
        return Some(format!("{} candidates, {} wanted", found.len(), wanted.len()));
    }
    let same = |(a, b): &(&Scored, &Scored)| a.id == b.id && a.score.to_bits() == b.score.to_bits();
    let rank = found.iter().zip(wanted).position(|pair| !same(&pair))?;
    Some(format!("rank {rank}: {:?}, wanted {:?}", found[rank], wanted[rank]))
}

/// Checks a coarse pass by itself: what it finds is complete, live, without repeats and scored to the bit. No case has more
/// rows than a pass must be able to keep, so one that gives up has failed.
pub fn coarse_battery(pass: &dyn CoarsePass, sizes: &Sizes) {
    for case in all_cases(sizes) {
        pass.refresh(&case.gallery).expect("no device is lost in a test");
        let codes: Vec<Code> = case.probes.iter().map(|probe| Code::of(probe.values())).collect();
        for cut in [
            Cut::Within { k: 1, slack: 0.0 },
            Cut::Within { k: 40, slack: 3.0 },
            Cut::AtLeast(10.0),
            Cut::AtLeast(-1e30),
        ] {
            let sweeps = pass.sweep(&case.gallery, &codes, &vec![cut; codes.len()]).expect("a well-formed request");
            assert_eq!(sweeps.len(), codes.len(), "{}", title(&case));
            for (code, sweep) in codes.iter().zip(&sweeps) {
                let context = format!("{}: {}: {cut:?}", pass.name(), title(&case));
                match sweep {
                    Sweep::Complete { survivors, cut: level } => {
                        let context = format!("{context}, level {level}");
                        check_sweep(&case.gallery, code, cut, *level, survivors, &context);
                    }
                    Sweep::Overflowed => panic!("{context}: gives up"),
                }
            }
        }
    }
}

fn check_sweep(gallery: &GalleryRows, code: &Code, cut: Cut, level: f32, survivors: &[Survivor], context: &str) {
    let truth = coarse_scores(gallery, code);
    let found: BTreeMap<(u32, u32), u32> = survivors.iter().map(|s| ((s.run, s.row), s.coarse.to_bits())).collect();
    assert_eq!(found.len(), survivors.len(), "{context}: a row twice");
    for (at, bits) in &found {
        let live = gallery.get(at.0 as usize).is_some_and(|run| run.is_live(at.1 as usize));
        assert!(live, "{context}: dead row {at:?}");
        assert_eq!(truth.get(at).map(|score| score.to_bits()), Some(*bits), "{context}: coarse score of row {at:?}");
    }
    for (at, score) in &truth {
        assert!(*score < level || found.contains_key(at), "{context}: row {at:?} with {score} is missing");
    }
    // A device may not know of rows that are only marked, and so set its level by them: honest, since it says which.
    let marked = gallery.iter().any(|run| !run.erased().as_slice().is_empty());
    let wanted = match cut {
        Cut::AtLeast(level) => level,
        Cut::Within { .. } if marked => return,
        Cut::Within { k, slack } => {
            let mut scores: Vec<f32> = truth.values().copied().collect();
            scores.sort_by(|a, b| b.total_cmp(a));
            scores.get(k - 1).map_or(f32::NEG_INFINITY, |kth| kth - slack)
        }
    };
    assert!(level <= wanted, "{context}: {wanted} was asked for");
}

/// Coarse scores of all live rows, by the definition.
fn coarse_scores(gallery: &GalleryRows, code: &Code) -> BTreeMap<(u32, u32), f32> {
    let mut scores = BTreeMap::new();
    for (number, run) in gallery.iter().enumerate() {
        let mut codes = vec![0_i8; run.dimension().get()];
        for row in (0..run.len()).filter(|&row| run.is_live(row)) {
            bertillon::vector::layout::take_row(run.codes(), row, &mut codes);
            let dot: i32 = codes.iter().zip(&code.codes).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            scores.insert((number as u32, row as u32), dot as f32 * run.scales()[row]);
        }
    }
    scores
}
