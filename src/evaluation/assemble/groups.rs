//! Error rates by kind of picture, by quality and by group of people.

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::dependence::Clustered;
use crate::evaluation::accuracy::discard::Discard;
use crate::evaluation::accuracy::groups::{Declared, Margin, Measure, Table, Verdict as Said, table};
use crate::evaluation::accuracy::rates::fpir;
use crate::evaluation::accuracy::strata::equal_parts;
use crate::evaluation::accuracy::thresholds::for_target;
use crate::evaluation::accuracy::trials::{Kind, Rank, Search, Threshold, View};
use crate::evaluation::arithmetic::bootstrap::Resampling;
use crate::evaluation::assemble::tables::{fnir_rate, fpir_rate, nothing, rate};
use crate::evaluation::assemble::{Column, QualityMeasure};
use crate::evaluation::results::{
    About, Breakdown, BreakdownKind, BreakdownRow, Differences, DiscardCurve, HeatMap, PairVerdict, Statement, Verdict,
};

/// Targets among which the threshold of breakdowns is chosen: the strictest that the searches support with a few events.
const AMONG: [f64; 4] = [0.003, 0.01, 0.03, 0.1];
/// False positives from which on a threshold is of use for comparing groups.
const EVENTS_MIN: u64 = 3;
/// Groups count as equivalent when their rates differ by this factor at most.
const FACTOR: f64 = 2.0;
/// Level of the tests after correction.
const LEVEL: f64 = 0.05;
/// Tenths of quality.
const PARTS: u16 = 10;
/// Points of a fan and of an error-versus-discard curve.
const STEPS: u16 = 40;
/// Share of probes left out up to which the area is taken.
const AREA_UP_TO: f64 = 0.1;

/// The threshold at which groups are compared, with the FPIR that it was chosen for.
pub(super) fn threshold(view: &View) -> Option<(f64, Threshold)> {
    let found = |target: f64| {
        let outcome = for_target(view, target).ok()?;
        let threshold = outcome.threshold()?;
        let events = view.non_mated().filter(|search| search.returns(threshold)).count() as u64;
        Some((target, threshold, events))
    };
    let all: Vec<(f64, Threshold, u64)> = AMONG.into_iter().filter_map(found).collect();
    let chosen = all.iter().find(|(_, _, events)| *events >= EVENTS_MIN).or(all.last())?;
    Some((chosen.0, chosen.1))
}

type Chosen = Option<(f64, Threshold)>;

pub(super) fn part<'a>(view: &View<'a>, column: &[Option<u16>], value: usize) -> View<'a> {
    view.filter(|number, _| column.get(number).copied().flatten().map(usize::from) == Some(value))
}

fn rows(
    view: &View,
    values: &[String],
    column: &[Option<u16>],
    chosen: Chosen,
) -> Result<Vec<BreakdownRow>, EvaluationError> {
    let rank = Rank::Within(view.trials().list_length());
    let fan_at = fan_thresholds(view);
    let mut rows = Vec::new();
    for (number, value) in values.iter().enumerate() {
        let part = part(view, column, number);
        if part.searches().next().is_none() {
            continue;
        }
        let has = |kind| part.searches().any(|(_, search)| search.kind == kind);
        let (mated, non_mated) = (has(Kind::Mated), has(Kind::NonMated));
        let failed = Clustered::count(&part, |search| Some(!search.extracted))?;
        let lost =
            || Clustered::count(&part, |search| (search.kind == Kind::Mated).then_some(search.mate_enrolled_failed));
        let at = |threshold| fnir_rate(&part, rank, threshold, None);
        let fpir_at = |threshold: Threshold| Some(fpir(&part, threshold).ok()?.rate());
        rows.push(BreakdownRow {
            value: value.clone(),
            fnir_unthresholded: if mated { at(Threshold::NONE)? } else { nothing() },
            fnir: chosen.filter(|_| mated).map(|(_, threshold)| at(threshold)).transpose()?,
            fpir: chosen.filter(|_| non_mated).map(|(_, threshold)| fpir_rate(&part, threshold, None)).transpose()?,
            failures: rate(&failed, None)?,
            mates_not_enrolled: mated.then(|| rate(&lost()?, None)).transpose()?,
            fan: fan_at
                .iter()
                .filter_map(|&threshold| Some((f64::from(threshold.get()), fpir_at(threshold)?)))
                .collect(),
        });
    }
    Ok(rows)
}

/// Thresholds at which FPIR over everybody falls by equal steps on a logarithmic axis.
fn fan_thresholds(view: &View) -> Vec<Threshold> {
    let mut tops: Vec<f32> = view.non_mated().filter_map(Search::top_score).collect();
    tops.sort_unstable_by(|a, b| b.total_cmp(a));
    let count = tops.len();
    let mut at: Vec<usize> = (0..=STEPS)
        .map(|step| (count as f64).powf(f64::from(step) / f64::from(STEPS)).round() as usize)
        .filter_map(|place| place.checked_sub(1))
        .collect();
    at.dedup();
    at.into_iter().filter_map(|place| Threshold::new(*tops.get(place)?).ok()).collect()
}

fn breakdown(name: &str, kind: BreakdownKind, chosen: Chosen, rows: Vec<BreakdownRow>) -> Breakdown {
    Breakdown {
        column: name.to_owned(),
        kind,
        threshold: chosen.map(|(_, threshold)| f64::from(threshold.get())),
        target_fpir: chosen.map_or(0.0, |(target, _)| target),
        rows,
        fnir_differences: None,
        fpir_differences: None,
    }
}

/// By kind of picture.
pub(super) fn by_kind(view: &View, column: &Column, chosen: Chosen) -> Result<Breakdown, EvaluationError> {
    let rows = rows(view, &column.values, &column.of_searches, chosen)?;
    Ok(breakdown(&column.name, BreakdownKind::ProbeType, chosen, rows))
}

/// By tenth of a quality measure; `None` where no probe has it.
pub(super) fn by_quality(
    view: &View,
    measure: &QualityMeasure,
    chosen: Chosen,
) -> Result<Option<Breakdown>, EvaluationError> {
    let (column, parts) = match equal_parts(&measure.of_searches, PARTS) {
        Err(EvaluationError::Empty(_)) => return Ok(None),
        parts => parts?,
    };
    let values: Vec<String> = parts.iter().map(|part| format!("{} to {}", short(part.from), short(part.to))).collect();
    let rows = rows(view, &values, &column, chosen)?;
    Ok(Some(breakdown(&measure.name, BreakdownKind::Quality, chosen, rows)))
}

/// Three digits that count.
fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 6) };
    format!("{value:.*}", digits as usize)
}

/// By group of people, with what may be said of the differences.
pub(super) fn by_group(
    view: &View,
    column: &Column,
    chosen: Chosen,
    resampling: Resampling,
    go_on: &dyn Fn() -> Result<(), EvaluationError>,
) -> Result<(Breakdown, Vec<Statement>), EvaluationError> {
    go_on()?;
    let rows = rows(view, &column.values, &column.of_searches, chosen)?;
    let mut breakdown = breakdown(&column.name, BreakdownKind::Group, chosen, rows);
    let mut limits = Vec::new();
    let Some((_, threshold)) = chosen else { return Ok((breakdown, limits)) };
    let rank = Rank::Within(view.trials().list_length());
    let mut compare = |what: &str, measure| -> Result<Option<Differences>, EvaluationError> {
        // Permutations of a hundred thousand people take a second.
        go_on()?;
        let declared = Declared { measure, margin: Margin::Factor(FACTOR), level: LEVEL, resampling };
        match table(view, &column.of_searches, &column.values, declared) {
            Ok(table) => {
                let undetermined = table.pairs.iter().filter(|pair| pair.verdict == Said::Undetermined).count();
                if undetermined > 0 {
                    limits.push(Statement {
                        about: About::Limit,
                        text: format!(
                            "{what} by {}: {undetermined} of {} pairs of groups are undetermined. The data are too few to say \
                             that these groups are treated alike, or that they are not.",
                            column.name,
                            table.pairs.len()
                        ),
                    });
                }
                Ok(Some(differences(&table)))
            }
            Err(EvaluationError::Empty(_)) => Ok(None),
            Err(error) => Err(error),
        }
    };
    breakdown.fnir_differences = compare("FNIR", Measure::Fnir { rank, threshold })?;
    breakdown.fpir_differences = compare("FPIR", Measure::Fpir { threshold })?;
    Ok((breakdown, limits))
}

fn differences(table: &Table) -> Differences {
    let name = |place: usize| table.groups.get(place).map(|group| group.name.clone()).unwrap_or_default();
    let observed = |place: usize| table.groups.get(place).map(|group| group.observed.rate());
    let pairs = table.pairs.iter().map(|pair| PairVerdict {
        a: name(pair.one),
        b: name(pair.other),
        ratio: observed(pair.one).zip(observed(pair.other)).filter(|(_, b)| *b > 0.0).map(|(a, b)| a / b),
        interval: Some((pair.interval.low, pair.interval.high)).filter(|(_, high)| high.is_finite()),
        p_difference: Some(pair.difference_p_holm),
        p_equivalence: Some(pair.equivalence_p_holm),
        verdict: match pair.verdict {
            Said::Equivalent => Verdict::Equivalent,
            Said::Different => Verdict::Different,
            Said::Undetermined => Verdict::Undetermined,
        },
    });
    Differences {
        max_over_min: table.summary.highest_to_lowest,
        max_over_geometric_mean: table.summary.highest_to_geometric_mean,
        gini: table.summary.gini,
        mean_log10: table.summary.mean_log10,
        omnibus_p: Some(table.all_equal.p_value),
        pairs: pairs.collect(),
        margin: format!("within a factor of {FACTOR}, declared beforehand; tests at {LEVEL} after Holm's correction"),
    }
}

/// Which groups' people non-mated probes of each group return.
pub(super) fn heat_map(view: &View, column: &Column, chosen: Chosen) -> Option<HeatMap> {
    let (_, threshold) = chosen?;
    let groups = column.values.len();
    let (mut searches, mut returned) = (vec![0_u64; groups], vec![vec![0_u64; groups]; groups]);
    for (number, search) in view.searches().filter(|(_, search)| search.kind == Kind::NonMated) {
        let Some(row) = column.of_searches.get(number).copied().flatten().map(usize::from) else { continue };
        let (Some(count), Some(cells)) = (searches.get_mut(row), returned.get_mut(row)) else { continue };
        *count += 1;
        let above = search.candidates.iter().take(search.returned(threshold));
        let mut seen: Vec<u16> = above.filter_map(|one| column.of_subjects.get(&one.subject).copied()).collect();
        seen.sort_unstable();
        seen.dedup();
        for group in seen {
            if let Some(cell) = cells.get_mut(usize::from(group)) {
                *cell += 1;
            }
        }
    }
    if searches.iter().all(|&count| count == 0) {
        return None;
    }
    let row = |(cells, count): (Vec<u64>, u64)| {
        cells.into_iter().map(|cell| (count > 0).then(|| cell as f64 / count as f64)).collect()
    };
    Some(HeatMap {
        column: column.name.clone(),
        values: column.values.clone(),
        fpir: returned.into_iter().zip(searches).map(row).collect(),
        threshold: f64::from(threshold.get()),
    })
}

/// FNIR without the poorest probes.
pub(super) fn discard(view: &View, measure: &QualityMeasure, chosen: Chosen) -> Option<DiscardCurve> {
    let threshold = chosen.map_or(Threshold::NONE, |(_, threshold)| threshold);
    let rank = Rank::Within(view.trials().list_length());
    let outcomes: Vec<(Option<f64>, bool)> = view
        .searches()
        .filter(|(_, search)| search.kind == Kind::Mated)
        .map(|(number, search)| (measure.of_searches.get(number).copied().flatten(), !search.hit(rank, threshold)))
        .collect();
    let curve = Discard::new(outcomes.iter().copied()).ok()?;
    // The best there could be: whatever failed goes first.
    let ideal =
        Discard::new(outcomes.iter().map(|(_, failed)| (Some(if *failed { 0.0 } else { 1.0 }), *failed))).ok()?;
    let points = |curve: &Discard| curve.curve(STEPS).iter().map(|point| (point.discarded, point.rate)).collect();
    Some(DiscardCurve {
        measure: measure.name.clone(),
        points: points(&curve),
        partial_area: curve.area(AREA_UP_TO).ok().map(|area| area.area),
        ideal: points(&ideal),
    })
}
