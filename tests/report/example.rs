//! Evaluations made up by a seeded generator, to see what a report looks like. Synthetic throughout: no rate in them says
//! anything about any model, and their Clopper-Pearson and bootstrap intervals are stand-ins of plausible width.

use bertillon::evaluation::random::Stream;
use bertillon::evaluation::results::*;

use super::fixed::{calibration, identity, latency, statements};

/// What kind of evaluation to make up.
#[derive(Clone)]
pub(crate) struct Wish {
    pub(crate) sizes: Vec<u64>,
    pub(crate) groups: Vec<String>,
    pub(crate) mated: usize,
    pub(crate) non_mated: usize,
    pub(crate) errorless: bool,
    pub(crate) extras: bool,
}

impl Wish {
    /// Five sizes, four groups, everything measured.
    pub(crate) fn whole() -> Self {
        let groups = ["Black", "East Asian", "South Asian", "White"].map(str::to_owned).to_vec();
        let sizes = vec![10_000, 100_000, 1_000_000, 3_600_000, 10_000_000];
        Self { sizes, groups, mated: 3_000, non_mated: 5_000, errorless: false, extras: true }
    }
}

struct Probe {
    group: usize,
    quality: f64,
    kind: usize,
    subject: u64,
    /// With the mate; absent for non-mated probes.
    mate: Option<f64>,
    /// Highest other score, by gallery size.
    best: Vec<f64>,
}

const KINDS: [&str; 3] = ["CCTV", "custody", "webcam"];
const TARGETS: [f64; 6] = [0.1, 0.03, 0.01, 0.003, 0.001, 1.0 / 6000.0];
const RANKS: [u32; 3] = [1, 10, 50];
const HEADLINE: usize = 3;

/// Upper quantile of the normal distribution for small `tail` (Abramowitz and Stegun 26.2.23).
fn upper(tail: f64) -> f64 {
    let t = (-2.0 * tail.clamp(1e-300, 0.5).ln()).sqrt();
    t - (2.515_517 + 0.802_853 * t + 0.010_328 * t * t)
        / (1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t.powi(3))
}

fn probes(wish: &Wish) -> Vec<Probe> {
    let count = wish.mated + wish.non_mated;
    let make = |index: usize| {
        let mut stream = Stream::new(7, index as u64);
        let (group, kind) = (index % wish.groups.len().max(1), index % KINDS.len());
        let quality = f64::midpoint(stream.uniform(), stream.uniform());
        let spoilt = if kind == 0 { 0.17 } else { 0.05 };
        let mate = 0.72 - spoilt * (1.3 - quality) + 0.055 * f64::from(stream.normal());
        let mate = if wish.errorless { 0.95 } else { mate };
        let mean = 0.004 * (group % 5) as f64;
        let (mut best, mut reached, mut enrolled) = (Vec::new(), -1.0_f64, 0);
        for size in &wish.sizes {
            let tail = -stream.uniform().ln() / (size - enrolled) as f64;
            let score = mean + 0.074 * upper(tail) + 0.015 * f64::from(stream.normal());
            reached = reached.max(if wish.errorless { score.min(0.2) } else { score });
            best.push(reached);
            enrolled = *size;
        }
        let subject = (index / 2) as u64;
        Probe { group, quality, kind, subject, mate: (index < wish.mated).then_some(mate), best }
    };
    (0..count).map(make).collect()
}

/// Wilson's interval, and about that for the others.
pub(crate) fn rate(events: u64, trials: u64, subjects: u64) -> Rate {
    let wilson = |z: f64| {
        let (n, p) = (trials as f64, events as f64 / trials as f64);
        let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
        let half = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        (if events == 0 { 0.0 } else { middle - half }, if events == trials { 1.0 } else { middle + half })
    };
    let some = trials > 0;
    Rate {
        events,
        trials,
        subjects,
        value: some.then(|| events as f64 / trials as f64),
        wilson: some.then(|| wilson(1.959_964)),
        clopper_pearson: some.then(|| wilson(2.1)),
        bootstrap: (some && events > 0).then(|| wilson(2.6)),
        supported: events >= 30 || (events == 0 && trials >= 2_995),
        design_effect: some.then_some(1.0),
    }
}

fn rate_of<'p>(all: impl Iterator<Item = &'p Probe>, event: impl Fn(&Probe) -> bool) -> Rate {
    let (mut events, mut trials, mut subjects) = (0, 0, std::collections::BTreeSet::new());
    for probe in all {
        trials += 1;
        events += u64::from(event(probe));
        subjects.insert(probe.subject);
    }
    rate(events, trials, subjects.len() as u64)
}

/// The rate alone, fast enough for hundreds of thresholds.
fn share<'p>(all: impl Iterator<Item = &'p Probe>, event: impl Fn(&Probe) -> bool) -> f64 {
    let (events, trials) = all.fold((0, 0), |(events, trials), probe| (events + u32::from(event(probe)), trials + 1));
    f64::from(events) / f64::from(trials.max(1))
}

fn rank(probe: &Probe, size: usize) -> u32 {
    let over = probe.best[size] - probe.mate.unwrap_or(-1.0);
    if over < 0.0 { 1 } else { 2 + (over * 120.0) as u32 }
}

fn missed(probe: &Probe, size: usize, listed: u32, threshold: f64) -> bool {
    probe.mate.unwrap_or(-1.0) < threshold || rank(probe, size) > listed
}

fn mated(probes: &[Probe]) -> impl Iterator<Item = &Probe> + Clone {
    probes.iter().filter(|probe| probe.mate.is_some())
}

fn non_mated(probes: &[Probe]) -> impl Iterator<Item = &Probe> + Clone {
    probes.iter().filter(|probe| probe.mate.is_none())
}

fn threshold(probes: &[Probe], size: usize, target: f64) -> Option<f64> {
    let mut best: Vec<f64> = non_mated(probes).map(|probe| probe.best[size]).collect();
    best.sort_by(|one, other| other.total_cmp(one));
    let allowed = (target * best.len() as f64).floor() as usize;
    (allowed > 0).then(|| best[allowed.min(best.len() - 1)] + 1e-9)
}

fn operating(probes: &[Probe], size: usize, target: f64) -> OperatingRow {
    let found = threshold(probes, size, target);
    let none = rate(0, 0, 0);
    let fpir = found.map(|at| rate_of(non_mated(probes), |probe| probe.best[size] >= at));
    let ranks = RANKS.iter().map(|listed| RankRow {
        rank: *listed,
        fnir: found.map_or(none, |at| rate_of(mated(probes), |probe| missed(probe, size, *listed, at))),
    });
    let fnir: Vec<RankRow> = if found.is_some() { ranks.collect() } else { Vec::new() };
    let (tpir, shown) =
        (fnir.last().and_then(|row| row.fnir.value).map(|fnir| 1.0 - fnir), fpir.and_then(|rate| rate.value));
    let work = |prior: f64| {
        let (tpir, fpir) = (tpir?, shown?);
        let searches_with_candidates = 1_000.0 * (prior * tpir + (1.0 - prior) * fpir);
        let (false_candidates, mates_shown) = (1_100.0 * (1.0 - prior) * fpir, 1_000.0 * prior * tpir);
        Some(WorkloadRow { prior, searches_with_candidates, false_candidates, mates_shown })
    };
    let workload: Vec<WorkloadRow> = [0.02, 0.1, 0.5].into_iter().filter_map(work).collect();
    let value = |row: &WorkloadRow| {
        (row.searches_with_candidates > 0.0).then(|| row.mates_shown / row.searches_with_candidates)
    };
    OperatingRow {
        target_fpir: target,
        threshold: found,
        fpir,
        disjoint: found.zip(fpir).zip(fnir.last()).map(|((threshold, fpir), last)| DisjointRow {
            threshold: threshold - 0.001,
            chosen_on: fpir.subjects - fpir.subjects / 2,
            fpir: rate((fpir.events as f64 * 0.6) as u64, fpir.trials / 2, fpir.subjects / 2),
            fnir: rate(last.fnir.events / 2, last.fnir.trials / 2, last.fnir.subjects / 2),
        }),
        fnir,
        selectivity: shown.map(|fpir| fpir * 1.1),
        predictive_value: workload.iter().map(|row| (row.prior, value(row))).collect(),
        workload,
        needed: Some(SearchesNeeded {
            for_a_threshold: (1.0 / target).round() as u64,
            without_errors: (3.0 / target).round() as u64,
            for_thirty: (30.0 / target).round() as u64,
        }),
        cut_lists: found.map(|_| CutLists { mated: 0, non_mated: u64::from(target > 0.05) * 7, length: 50 }),
        groups: Vec::new(),
    }
}

fn gallery(probes: &[Probe], size: usize, people: u64) -> GalleryResult {
    let have = (mated(probes).count() > 0, non_mated(probes).count() > 0);
    let by_rank = RANKS.map(|listed| RankRow {
        rank: listed,
        fnir: rate_of(mated(probes), |probe| missed(probe, size, listed, -1.0)),
    });
    let operating = TARGETS.map(|target| operating(probes, size, target));
    let thresholds = (0..=300).map(|step| 0.9 - 0.8 * f64::from(step) / 300.0);
    let det = thresholds.map(|threshold| DetPoint {
        threshold,
        fpir: share(non_mated(probes), |probe| probe.best[size] >= threshold),
        fnir: share(mated(probes), |probe| missed(probe, size, 50, threshold)),
    });
    let cmc = (1..=50).map(|listed| (listed, 1.0 - share(mated(probes), |probe| missed(probe, size, listed, -1.0))));
    let det: Vec<DetPoint> = if have == (true, true) { det.collect() } else { Vec::new() };
    let operating = if have.1 { operating.to_vec() } else { Vec::new() };
    GalleryResult {
        people,
        band: Some(band(&det, &operating)).filter(|_| !det.is_empty()),
        by_rank: if have.0 { by_rank.to_vec() } else { Vec::new() },
        operating,
        det,
        cmc: if have.0 { cmc.collect() } else { Vec::new() },
    }
}

/// A band of plausible width, where a real one would have errors enough.
fn band(det: &[DetPoint], operating: &[OperatingRow]) -> DetBand {
    let around = |rate: f64, factor: f64| Some((rate / factor, (rate * factor).min(1.0)));
    let point = |threshold: f64, fpir: f64, fnir: f64| {
        let known = fpir > 0.001 && fnir > 0.001;
        let ends = |factor: f64| around(fnir, factor).filter(|_| known);
        DetBandPoint {
            threshold,
            fpir,
            fnir,
            fpir_interval: around(fpir, 1.2).filter(|_| known),
            fpir_two_way: around(fpir, 1.35).filter(|_| known),
            fnir_interval: ends(1.25),
            fnir_two_way: ends(1.4),
        }
    };
    let rates = |row: &OperatingRow| Some((row.threshold?, row.fpir?.value?, row.fnir.last()?.fnir.value?));
    DetBand {
        replicates: 2_000,
        mated_subjects: 1_500,
        non_mated_subjects: 2_500,
        returned_subjects: 2_411,
        events_min: 5,
        points: det.iter().step_by(5).map(|at| point(at.threshold, at.fpir, at.fnir)).collect(),
        operating: operating.iter().filter_map(rates).map(|(at, fpir, fnir)| point(at, fpir, fnir)).collect(),
    }
}

fn breakdown(
    probes: &[Probe],
    last: usize,
    column: &str,
    kind: BreakdownKind,
    values: &[String],
    of: fn(&Probe) -> usize,
) -> Breakdown {
    let at = threshold(probes, last, TARGETS[HEADLINE]);
    let rows = values.iter().enumerate().map(|(index, value)| {
        let mine = |probe: &&Probe| of(probe) == index;
        let fan = (0..=120).map(|step| {
            let threshold = 0.3 + 0.3 * f64::from(step) / 120.0;
            let found = share(non_mated(probes).filter(mine), |probe| probe.best[last] >= threshold);
            (threshold, found)
        });
        let searches = non_mated(probes).filter(mine).count();
        BreakdownRow {
            value: value.clone(),
            fnir_unthresholded: rate_of(mated(probes).filter(mine), |probe| missed(probe, last, 50, -1.0)),
            fnir: at.map(|at| rate_of(mated(probes).filter(mine), |probe| missed(probe, last, 50, at))),
            fpir: at.map(|at| rate_of(non_mated(probes).filter(mine), |probe| probe.best[last] >= at)),
            failures: rate((index % 3) as u64, 3.max(mated(probes).filter(mine).count() as u64), 3),
            mates_not_enrolled: (mated(probes).filter(mine).count() > 0)
                .then(|| rate(1, mated(probes).filter(mine).count() as u64, 1)),
            fan: if searches > 0 { fan.collect() } else { Vec::new() },
        }
    });
    let rows: Vec<BreakdownRow> = rows.collect();
    let differences =
        |pick: fn(&BreakdownRow) -> Option<Rate>| (kind == BreakdownKind::Group).then(|| differences(&rows, pick));
    Breakdown {
        column: column.to_owned(),
        kind,
        probe_kind: None,
        threshold: at,
        target_fpir: TARGETS[HEADLINE],
        fnir_at: (kind == BreakdownKind::Group).then_some(at.map(|at| (at, TARGETS[HEADLINE]))).flatten(),
        fnir_differences: differences(|row| row.fnir),
        fpir_differences: differences(|row| row.fpir),
        at_targets: if kind == BreakdownKind::Group { at_targets() } else { Vec::new() },
        rows,
    }
}

fn at_targets() -> Vec<AtTarget> {
    let spread = |events, max_over_min, p| Some(Spread { events, max_over_min, p, differs: p < 0.05 });
    vec![
        AtTarget {
            target_fpir: 0.01,
            threshold: 0.41,
            fnir: spread(31, Some(1.31), 0.4),
            fpir: spread(72, None, 0.000_2),
        },
        AtTarget { target_fpir: 0.1, threshold: 0.33, fnir: None, fpir: spread(703, Some(4.02), 1e-9) },
    ]
}

fn differences(rows: &[BreakdownRow], pick: fn(&BreakdownRow) -> Option<Rate>) -> Differences {
    let mut pairs = Vec::new();
    for (index, one) in rows.iter().enumerate() {
        for other in &rows[..index] {
            let values = pick(one).and_then(|rate| rate.value).zip(pick(other).and_then(|rate| rate.value));
            let ratio = values.filter(|(_, below)| *below > 0.0).map(|(above, below)| above / below);
            let verdict = match ratio {
                Some(ratio) if ratio > 1.6 => Verdict::Different,
                Some(ratio) if (0.85..1.2).contains(&ratio) => Verdict::Equivalent,
                Some(_) | None => Verdict::Undetermined,
            };
            let interval = ratio.map(|ratio| (ratio / 1.8, ratio * 1.8));
            let (p_difference, p_equivalence) = (ratio.map(|ratio| 0.3 / (1.0 + ratio * ratio)), ratio.map(|_| 0.21));
            let (a, b) = (one.value.clone(), other.value.clone());
            pairs.push(PairVerdict { a, b, ratio, interval, p_difference, p_equivalence, verdict });
        }
    }
    let margin = "the ratio of the two rates within 0.5 and 2, declared before the test".to_owned();
    let (max_over_min, gini) = (pairs.iter().filter_map(|pair| pair.ratio).reduce(f64::max), Some(0.23));
    Differences {
        max_over_min,
        max_over_geometric_mean: max_over_min.map(f64::sqrt),
        gini,
        mean_log10: Some(0.12),
        omnibus_p: Some(0.000_2),
        pairs,
        margin,
    }
}

fn histograms(probes: &[Probe], last: usize) -> Histograms {
    let mut found = Histograms { from: -0.2, width: 0.01, mated: vec![0; 120], non_mated_best: vec![0; 120] };
    let bin = |score: f64| ((score + 0.2) / 0.01).clamp(0.0, 119.0) as usize;
    for probe in probes {
        match probe.mate {
            Some(score) => found.mated[bin(score)] += 1,
            None => found.non_mated_best[bin(probe.best[last])] += 1,
        }
    }
    found
}

/// Each group's scores; those of a twelfth group are few.
fn group_histograms(probes: &[Probe], last: usize, groups: &[String]) -> GroupHistograms {
    let bin = |score: f64| ((score + 0.2) / 0.03).clamp(0.0, 39.0) as usize;
    let row = |(index, value): (usize, &String)| {
        let (mut mated, mut best) = (vec![0; 40], vec![0; 40]);
        for probe in probes.iter().filter(|probe| probe.group == index && (index != 11 || probe.subject < 200)) {
            match probe.mate {
                Some(score) => mated[bin(score)] += 1,
                None => best[bin(probe.best[last])] += 1,
            }
        }
        let people = |counts: &[u64]| counts.iter().sum::<u64>().div_ceil(2);
        GroupScores {
            value: value.clone(),
            mated_subjects: people(&mated),
            non_mated_subjects: people(&best),
            mated,
            non_mated_best: best,
        }
    };
    let rows = groups.iter().enumerate().map(row).collect();
    GroupHistograms { column: "ethnicity".to_owned(), from: -0.2, width: 0.03, rows }
}

fn discard(probes: &[Probe], last: usize, at: f64) -> Vec<DiscardCurve> {
    let curve = |measure: &str, quality: fn(&Probe) -> f64| {
        let mut order: Vec<&Probe> = mated(probes).collect();
        order.sort_by(|one, other| quality(one).total_cmp(&quality(other)));
        let shares = (0..=25).map(|step| f64::from(step) / 100.0);
        let left = |share: f64| order.iter().skip((share * order.len() as f64) as usize).copied();
        let value = |out: f64| share(left(out), |probe| missed(probe, last, 50, at));
        let all = value(0.0);
        let ideal = shares.clone().map(|share| (share, ((all - share) / (1.0 - share)).max(0.0)));
        let points = shares.clone().map(|share| (share, value(share)));
        DiscardCurve {
            measure: measure.to_owned(),
            points: points.collect(),
            partial_area: Some(0.004),
            ideal: ideal.collect(),
        }
    };
    vec![
        curve("sharpness", |probe| probe.quality),
        curve("distance of the eyes", |probe| probe.quality + 0.4 * (probe.subject % 7) as f64 / 7.0),
        curve("compression", |probe| (probe.subject % 31) as f64),
    ]
}

fn prediction(probes: &[Probe], galleries: &[GalleryResult]) -> Prediction {
    let mut rows = Vec::new();
    for target in [0, 2, HEADLINE] {
        let at = galleries[galleries.len() - 1].operating[target].threshold.unwrap_or(0.5);
        let factors = galleries.iter().map(|gallery| gallery.people).chain([50_000_000]).enumerate();
        for (size, people) in factors {
            let measured = (size < galleries.len()).then(|| rate_of(non_mated(probes), |probe| probe.best[size] >= at));
            let predicted = TARGETS[target] * (people as f64 / 1e7).powf(0.8);
            let (predicted, binomial) =
                (predicted.min(0.99), (TARGETS[target] * (people as f64 / 1e7).powf(0.7) * 4.0).min(1.0));
            let interval = Some((predicted * 0.7, (predicted * 1.5).min(1.0)));
            rows.push(PredictionRow { people, threshold: at, predicted, interval, binomial: Some(binomial), measured });
        }
    }
    Prediction { fitted_at: 1_000_000, shape: -0.08, rows }
}

fn heat_map(wish: &Wish, at: f64) -> HeatMap {
    let cell = |row: usize, column: usize| match (row * 7 + column * 3) % 17 {
        0 if row != column => None,
        1 if row != column => Some(Cell { events: 0, comparisons: 3_000_000 }),
        other => {
            let events = if row == column { 400 } else { 30 } * (5 + other as u64) / 5;
            Some(Cell { events, comparisons: 3_000_000 })
        }
    };
    let side = 0..wish.groups.len();
    let cells = side.clone().map(|row| side.clone().map(|column| cell(row, column)).collect()).collect();
    HeatMap { column: "ethnicity".to_owned(), values: wish.groups.clone(), cells, cut_lists: 3, threshold: at }
}

/// An evaluation as wished.
pub(crate) fn evaluation(wish: &Wish) -> Evaluation {
    let probes = probes(wish);
    let last = wish.sizes.len() - 1;
    let galleries: Vec<GalleryResult> =
        wish.sizes.iter().enumerate().map(|(size, people)| gallery(&probes, size, *people)).collect();
    let at = threshold(&probes, last, TARGETS[HEADLINE]);
    let deciles: Vec<String> = (1..=10).map(|decile| format!("tenth {decile}")).collect();
    let kinds = KINDS.map(str::to_owned);
    let mut breakdowns = Vec::new();
    if wish.extras {
        breakdowns.push(breakdown(&probes, last, "type", BreakdownKind::ProbeType, &kinds, |probe| probe.kind));
        let tenth = |probe: &Probe| (probe.quality * 10.0) as usize;
        breakdowns.push(breakdown(&probes, last, "sharpness", BreakdownKind::Quality, &deciles, tenth));
    }
    if !wish.groups.is_empty() {
        breakdowns.push(breakdown(&probes, last, "ethnicity", BreakdownKind::Group, &wish.groups, |probe| probe.group));
    }
    let both = wish.mated > 0 && wish.non_mated > 0;
    let people = |found: usize| found.div_ceil(2) as u64;
    Evaluation {
        version: RESULTS_VERSION,
        identity: identity(),
        counts: Counts {
            enrolled_subjects: wish.sizes[last],
            enrolled_templates: wish.sizes[last],
            failures_to_enrol: 31,
            subjects_not_enrolled: 30,
            mated_searches: wish.mated as u64,
            mated_subjects: people(wish.mated),
            non_mated_searches: wish.non_mated as u64,
            non_mated_subjects: people(wish.non_mated),
            failures_to_extract_mated: 3.min(wish.mated as u64),
            mates_not_enrolled: 2.min(wish.mated as u64),
            failures_to_extract_non_mated: 0,
        },
        breakdowns,
        heat_maps: at.filter(|_| !wish.groups.is_empty()).map(|at| heat_map(wish, at)).into_iter().collect(),
        discard: at.filter(|_| wish.extras && both).map(|at| discard(&probes, last, at)).unwrap_or_default(),
        prediction: (wish.extras && both).then(|| prediction(&probes, &galleries)),
        calibration: (wish.extras && both).then(calibration),
        calibration_bands: Vec::new(),
        approximate: wish.extras.then(|| ApproximatePairs {
            ef: 128,
            both: 7_412,
            exact_only: 3,
            approximate_only: 0,
            p: 0.25,
            lost: ["probe-0017.jpg", "probe-2041.jpg", "probe-7733.jpg"].map(str::to_owned).to_vec(),
        }),
        histograms: histograms(&probes, last),
        group_histograms: Some(group_histograms(&probes, last, &wish.groups))
            .filter(|found| !found.rows.is_empty())
            .into_iter()
            .collect(),
        latency: wish.extras.then(latency),
        statements: statements(),
        galleries,
        probe_kinds: Vec::new(),
    }
}
