//! How errors and thresholds change with the size of the gallery, measured and predicted.

use super::axis::{Axis, Labels};
use super::frame::{Curve, Plot, all_xs, all_ys};
use super::points::left_out_note;
use super::style::{STYLES_COUNT, pale, style};
use super::{Figure, finest, no_searches, zero_note};
use crate::base::text::thousands;
use crate::evaluation::EvaluationError;
use crate::evaluation::report::words;
use crate::evaluation::results::{Evaluation, GalleryResult, OperatingRow, Prediction, PredictionRow, Rate};

/// Thresholds of a prediction that one plot can hold with their bands.
const THRESHOLDS_MAX: usize = 4;

/// The targets of the whole gallery, at most `most`.
fn targets(evaluation: &Evaluation, most: usize) -> Vec<f64> {
    let rows = evaluation.galleries.last().map_or(&[][..], |gallery| &gallery.operating);
    rows.iter().map(|row| row.target_fpir).take(most).collect()
}

fn at_target(gallery: &GalleryResult, target: f64) -> Option<&OperatingRow> {
    gallery.operating.iter().find(|row| row.target_fpir == target)
}

fn rate_curve(name: &str, place: usize, rates: impl Iterator<Item = (u64, Rate)>) -> Curve {
    let mut curve = Curve::marked(name, style(place), Vec::new());
    for (people, rate) in rates {
        let Some(value) = rate.value else { continue };
        curve.line.push((people as f64, value));
        curve.bars.extend(rate.wilson.map(|(low, high)| (people as f64, low, high)));
    }
    curve.marks.clone_from(&curve.line);
    curve
}

/// What is said where there is only one size.
fn trend_note(sizes: usize) -> &'static str {
    if sizes > 1 { "" } else { " Only one size was measured: nothing can be read about how it changes." }
}

/// FNIR against N.
pub(super) fn fnir(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("fnir-by-size", "FNIR against the size of the gallery");
    let galleries = &evaluation.galleries;
    let mut curves = vec![rate_curve(
        "first rank, no threshold",
        0,
        galleries.iter().filter_map(|gallery| Some((gallery.people, gallery.by_rank.first()?.fnir))),
    )];
    for (place, target) in targets(evaluation, STYLES_COUNT - 1).into_iter().enumerate() {
        let rates = galleries.iter().filter_map(|gallery| {
            Some((gallery.people, at_target(gallery, target).filter(|row| row.threshold.is_some())?.fnir.last()?.fnir))
        });
        curves.push(rate_curve(&format!("at FPIR {}", words::target(target)), place + 1, rates));
    }
    curves.retain(|curve| !curve.marks.is_empty());
    if curves.is_empty() {
        return Ok(Figure::missing(id, title, no_searches(&evaluation.counts)));
    }
    let searches = evaluation.counts.mated_searches;
    let said = described(&curves);
    let x = Axis::logarithmic("people enrolled, N", Labels::Sizes, all_xs(&curves), None);
    let y = Axis::rates("FNIR", all_ys(&curves), finest(searches));
    let plot = Plot { x, y, curves, rules: vec![], height: 290, synthetic: evaluation.identity.synthetic };
    let caption = format!(
        "Strokes are 95 % intervals (Wilson). With a threshold that keeps FPIR, a larger gallery needs a higher one and \
         so misses more mates.{}{}",
        trend_note(galleries.len()),
        zero_note(plot.y.zero_band, "FNIR", searches),
    );
    Ok(Figure::drawn(id, title, plot.draw()?, said, caption))
}

/// FPIR against N, predicted and measured.
pub(super) fn fpir(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) =
        ("fpir-by-size", "FPIR against the size of the gallery at fixed thresholds (model-based prediction)");
    let Some(prediction) = evaluation.prediction.as_ref().filter(|prediction| !prediction.rows.is_empty()) else {
        return Ok(Figure::missing(id, title, "no prediction was fitted."));
    };
    let thresholds = thresholds(prediction);
    let mut curves = Vec::new();
    for (place, threshold) in thresholds.iter().take(THRESHOLDS_MAX).enumerate() {
        let mut rows: Vec<&PredictionRow> = prediction.rows.iter().filter(|row| row.threshold == *threshold).collect();
        rows.sort_by_key(|row| row.people);
        // Two targets may have led to one threshold.
        rows.dedup_by_key(|row| row.people);
        let binomial: Vec<(f64, f64)> =
            rows.iter().filter_map(|row| Some((row.people as f64, row.binomial?))).collect();
        if !binomial.is_empty() {
            curves.push(Curve::line(
                if curves.is_empty() { "as if independent" } else { "" },
                pale(&[2.0, 2.0]),
                binomial,
            ));
        }
        let name = format!("T = {}", words::score(*threshold));
        let line = rows.iter().map(|row| (row.people as f64, row.predicted)).collect();
        let mut curve = Curve::line(&name, style(place), line);
        let people = |row: &PredictionRow| row.people as f64;
        curve.band = rows.iter().filter_map(|row| row.interval.map(|(low, high)| (people(row), low, high))).collect();
        let measured =
            |row: &&PredictionRow| row.measured.and_then(|rate| rate.value).map(|value| (people(row), value));
        curve.marks = rows.iter().filter_map(measured).collect();
        let bars = |row: &&PredictionRow| {
            row.measured.and_then(|rate| rate.wilson).map(|(low, high)| (people(row), low, high))
        };
        curve.bars = rows.iter().filter_map(bars).collect();
        curves.push(curve);
    }
    let searches = evaluation.counts.non_mated_searches;
    let x = Axis::logarithmic("people enrolled, N", Labels::Sizes, all_xs(&curves), None);
    let y = Axis::rates("FPIR(N, T)", all_ys(&curves), finest(searches));
    let plot = Plot { x, y, curves, rules: vec![], height: 290, synthetic: evaluation.identity.synthetic };
    let caption = format!(
        "Lines are a model-based prediction fitted to the searches of {} people, shaded bands its 95 % interval, marks with \
         strokes what was measured (Wilson). The model may be believed at sizes beyond the marks only as far as it agrees with \
         the marks; the dotted grey lines (comparisons as if independent) are usually too high for real faces.{}{}",
        thousands(prediction.fitted_at),
        zero_note(plot.y.zero_band, "FPIR", searches),
        left_out_note(thresholds.len().min(THRESHOLDS_MAX), thresholds.len(), "thresholds"),
    );
    Ok(Figure::drawn(id, title, plot.draw()?, predicted(prediction), caption))
}

/// The thresholds of a prediction, in the order of its rows.
fn thresholds(prediction: &Prediction) -> Vec<f64> {
    let mut found: Vec<f64> = Vec::new();
    for row in &prediction.rows {
        if !found.contains(&row.threshold) {
            found.push(row.threshold);
        }
    }
    found
}

fn predicted(prediction: &Prediction) -> String {
    let rows = prediction.rows.iter().take(40).map(|row| {
        let measured = row.measured.and_then(|rate| rate.value);
        let measured =
            measured.map_or_else(|| words::ABSENT.to_owned(), |value| format!("{} measured", words::figure(value)));
        let (people, threshold) = (thousands(row.people), words::score(row.threshold));
        format!("N = {people}, T = {threshold}: FPIR {} predicted, {measured}.", words::figure(row.predicted))
    });
    rows.collect::<Vec<_>>().join(" ")
}

/// The threshold of each target against N.
pub(super) fn threshold(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("threshold-by-size", "Threshold against the size of the gallery at a fixed FPIR");
    let targets = targets(evaluation, usize::MAX);
    let mut curves = Vec::new();
    for (place, target) in targets.iter().take(STYLES_COUNT).enumerate() {
        let points = evaluation
            .galleries
            .iter()
            .filter_map(|gallery| Some((gallery.people as f64, at_target(gallery, *target)?.threshold?)));
        curves.push(Curve::marked(&format!("FPIR {}", words::target(*target)), style(place), points.collect()));
    }
    curves.retain(|curve| !curve.marks.is_empty());
    if curves.is_empty() {
        return Ok(Figure::missing(id, title, "no threshold could be chosen: there were too few non-mated searches."));
    }
    let said = described(&curves);
    let without: Vec<String> = targets
        .iter()
        .take(STYLES_COUNT)
        .filter(|target| {
            evaluation
                .galleries
                .iter()
                .all(|gallery| at_target(gallery, **target).is_none_or(|row| row.threshold.is_none()))
        })
        .map(|target| words::target(*target))
        .collect();
    let few = if without.is_empty() {
        String::new()
    } else {
        format!(" There were too few non-mated searches for FPIR {}.", without.join(", "))
    };
    let x = Axis::logarithmic("people enrolled, N", Labels::Sizes, all_xs(&curves), None);
    let y = Axis::linear("threshold T (comparison score)", all_ys(&curves));
    let plot = Plot { x, y, curves, rules: vec![], height: 290, synthetic: evaluation.identity.synthetic };
    let caption = format!(
        "A threshold belongs to a size of gallery: one that was set on a small gallery lets more false candidates through \
         on a large one.{}{few}{}",
        trend_note(evaluation.galleries.len()),
        left_out_note(targets.len().min(STYLES_COUNT), targets.len(), "targets"),
    );
    Ok(Figure::drawn(id, title, plot.draw()?, said, caption))
}

/// Curves in words: their ends.
fn described(curves: &[Curve]) -> String {
    let said = curves.iter().filter_map(|curve| {
        let ((from, first), (to, last)) = (curve.marks.first()?, curve.marks.last()?);
        let (name, people) = (curve.name.as_deref().unwrap_or_default(), words::size(*from));
        let first = words::figure(*first);
        Some(if from == to {
            format!("{name}: {first} at N = {people}.")
        } else {
            format!("{name}: {first} at N = {people}, {} at N = {}.", words::figure(*last), words::size(*to))
        })
    });
    said.collect::<Vec<_>>().join(" ")
}
