//! Error rates by kind of picture and by quality, and what any breakdown has. Groups of people: [`super::compared`].

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::dependence::Clustered;
use crate::evaluation::accuracy::discard::Discard;
use crate::evaluation::accuracy::rates::fpir;
use crate::evaluation::accuracy::strata::equal_parts;
use crate::evaluation::accuracy::thresholds::for_target;
use crate::evaluation::accuracy::trials::{Kind, Rank, Search, Threshold, View};
use crate::evaluation::assemble::tables::{fnir_rate, fpir_rate, nothing, rate};
use crate::evaluation::assemble::{Column, QualityMeasure};
use crate::evaluation::results::{Breakdown, BreakdownKind, BreakdownRow, DiscardCurve};

/// Targets among which the threshold of breakdowns is chosen: the strictest that the searches support with a few events.
pub(super) const AMONG: [f64; 4] = [0.003, 0.01, 0.03, 0.1];
/// False positives of all searches from which on a threshold is of use for a breakdown by kind or quality.
const EVENTS_MIN: u64 = 3;
/// Tenths of quality.
const PARTS: u16 = 10;
/// Points of a fan and of an error-versus-discard curve.
const STEPS: u16 = 40;
/// Share of probes left out up to which the area is taken.
const AREA_UP_TO: f64 = 0.1;

/// The threshold of breakdowns by kind and quality, with the FPIR that it was chosen for.
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

pub(super) type Chosen = Option<(f64, Threshold)>;

pub(super) fn part<'a>(view: &View<'a>, column: &[Option<u16>], value: usize) -> View<'a> {
    view.filter(|number, _| column.get(number).copied().flatten().map(usize::from) == Some(value))
}

fn both(chosen: Chosen) -> (Option<Threshold>, Option<Threshold>) {
    let threshold = chosen.map(|(_, threshold)| threshold);
    (threshold, threshold)
}

pub(super) fn rows(
    view: &View,
    values: &[String],
    column: &[Option<u16>],
    (fnir_at, fpir_at): (Option<Threshold>, Option<Threshold>),
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
        let value_at = |threshold: Threshold| Some(fpir(&part, threshold).ok()?.rate());
        let alarms = |at: Option<Threshold>| {
            at.filter(|_| non_mated).map(|threshold| fpir_rate(&part, threshold, None)).transpose()
        };
        // Misses are claimed beside the FPIR of their own threshold only.
        let beside = alarms(fnir_at)?;
        let fpir = if fpir_at == fnir_at { beside } else { alarms(fpir_at)? };
        rows.push(BreakdownRow {
            value: value.clone(),
            fnir_unthresholded: if mated { at(Threshold::NONE)? } else { nothing() },
            fnir: fnir_at.filter(|_| mated).map(at).transpose()?.map(|fnir| fnir.beside(beside.as_ref())),
            fpir,
            failures: rate(&failed, None)?,
            mates_not_enrolled: mated.then(|| rate(&lost()?, None)).transpose()?,
            fan: fan_at
                .iter()
                .filter_map(|&threshold| Some((f64::from(threshold.get()), value_at(threshold)?)))
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

pub(super) fn breakdown(name: &str, kind: BreakdownKind, chosen: Chosen, rows: Vec<BreakdownRow>) -> Breakdown {
    Breakdown {
        column: name.to_owned(),
        kind,
        probe_kind: None,
        threshold: chosen.map(|(_, threshold)| f64::from(threshold.get())),
        target_fpir: chosen.map_or(0.0, |(target, _)| target),
        fnir_at: None,
        rows,
        fnir_differences: None,
        fpir_differences: None,
        at_targets: Vec::new(),
    }
}

/// By kind of picture.
pub(super) fn by_kind(view: &View, column: &Column, chosen: Chosen) -> Result<Breakdown, EvaluationError> {
    let rows = rows(view, &column.values, &column.of_searches, both(chosen))?;
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
    let rows = rows(view, &values, &column, both(chosen))?;
    Ok(Some(breakdown(&measure.name, BreakdownKind::Quality, chosen, rows)))
}

/// Three digits that count.
fn short(value: f64) -> String {
    let digits = if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 6) };
    format!("{value:.*}", digits as usize)
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
