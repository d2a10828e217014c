//! Whether results can be shown: of this version, fitting together, of bearable size.

use crate::base::limits::{REPORT_BINS_MAX, REPORT_GALLERIES_MAX, REPORT_POINTS_MAX, REPORT_TARGETS_MAX};
use crate::evaluation::EvaluationError;
use crate::evaluation::results::{
    Breakdown, DetBand, Evaluation, GalleryResult, GroupHistograms, HeatMap, Rate, check_version,
};

/// Refuses results that can't be shown as they are.
pub(super) fn check(evaluation: &Evaluation) -> Result<(), EvaluationError> {
    check_version(evaluation.version)?;
    few("galleries", evaluation.galleries.len(), REPORT_GALLERIES_MAX)?;
    evaluation.galleries.iter().try_for_each(gallery)?;
    evaluation.probe_kinds.iter().filter_map(|kind| kind.rates.as_ref()).try_for_each(gallery)?;
    evaluation.breakdowns.iter().try_for_each(breakdown)?;
    evaluation.heat_maps.iter().try_for_each(heat_map)?;
    for curve in &evaluation.discard {
        finite("a discard curve", curve.points.iter().chain(&curve.ideal).flat_map(|(share, fnir)| [*share, *fnir]))?;
    }
    if let Some(prediction) = &evaluation.prediction {
        for row in &prediction.rows {
            finite("a prediction", [row.threshold, row.predicted].into_iter().chain(row.binomial))?;
            row.measured.iter().try_for_each(rate)?;
        }
    }
    if let Some(found) = &evaluation.calibration {
        finite("the Tippett plot", found.tippett.iter().flat_map(|(ratio, one, other)| [*ratio, *one, *other]))?;
        finite("the reliability plot", found.reliability.iter().flat_map(|(one, other, _)| [*one, *other]))?;
        let lines = found.folds.iter().flat_map(|line| [line.slope, line.offset, line.bounds.0, line.bounds.1]);
        finite("the lines of folds", lines.chain(found.cllr_in_sample).chain(found.penalty))?;
        few("folds", found.folds.len(), REPORT_TARGETS_MAX)?;
        finite("the calibration error", found.expected_error.into_iter().map(|error| error.value))?;
    }
    finite("the bands of quality", evaluation.calibration_bands.iter().flat_map(|band| [band.from, band.to]))?;
    if let Some(found) = &evaluation.latency {
        finite("the latencies", found.batch_ms.iter().copied().chain(found.medians().iter().map(|row| row.2)))?;
        if !found.batch_ms.is_sorted() {
            return Err(unfit("the times of batches are not sorted".to_owned()));
        }
    }
    evaluation.group_histograms.iter().try_for_each(group_histograms)?;
    let histograms = &evaluation.histograms;
    few("bins of a histogram", histograms.mated.len().max(histograms.non_mated_best.len()), REPORT_BINS_MAX)?;
    finite("the histograms' bins", [histograms.from, histograms.width].into_iter())
}

fn gallery(found: &GalleryResult) -> Result<(), EvaluationError> {
    few("ranks", found.by_rank.len(), REPORT_TARGETS_MAX)?;
    few("operating points", found.operating.len(), REPORT_TARGETS_MAX)?;
    found.by_rank.iter().try_for_each(|row| rate(&row.fnir))?;
    for row in &found.operating {
        few("ranks of an operating point", row.fnir.len(), REPORT_TARGETS_MAX)?;
        few("shares of mated searches", row.workload.len(), REPORT_TARGETS_MAX)?;
        row.fpir.iter().chain(row.fnir.iter().map(|row| &row.fnir)).try_for_each(rate)?;
        row.disjoint.iter().flat_map(|half| [&half.fpir, &half.fnir]).try_for_each(rate)?;
        finite("thresholds", row.threshold.into_iter().chain([row.target_fpir]))?;
    }
    found.band.iter().try_for_each(band)?;
    finite("a trade-off", found.det.iter().flat_map(|point| [point.threshold, point.fpir, point.fnir]))?;
    finite("the rates by rank", found.cmc.iter().map(|(_, tpir)| *tpir))
}

fn band(found: &DetBand) -> Result<(), EvaluationError> {
    for point in found.points.iter().chain(&found.operating) {
        finite("a band", [point.threshold, point.fpir, point.fnir].into_iter())?;
        let ends = [point.fpir_interval, point.fpir_two_way, point.fnir_interval, point.fnir_two_way];
        let within = |(low, high): (f64, f64)| 0.0 <= low && low <= high && high <= 1.0;
        if !ends.into_iter().flatten().all(within) {
            return Err(unfit("an interval of a band does not lie between 0 and 1".to_owned()));
        }
    }
    few("points of a band", found.points.len(), REPORT_POINTS_MAX)
}

fn group_histograms(found: &GroupHistograms) -> Result<(), EvaluationError> {
    let most = found.rows.iter().map(|row| row.mated.len().max(row.non_mated_best.len())).max();
    few("bins of a histogram", most.unwrap_or(0), REPORT_BINS_MAX)?;
    finite("the bins of groups", [found.from, found.width].into_iter())
}

fn breakdown(found: &Breakdown) -> Result<(), EvaluationError> {
    for row in &found.rows {
        let rates = [Some(&row.fnir_unthresholded), row.fnir.as_ref(), row.fpir.as_ref(), Some(&row.failures)];
        rates.into_iter().chain([row.mates_not_enrolled.as_ref()]).flatten().try_for_each(rate)?;
        finite("a group's FPIR by threshold", row.fan.iter().flat_map(|(threshold, fpir)| [*threshold, *fpir]))?;
    }
    few("thresholds of groups", found.at_targets.len(), REPORT_TARGETS_MAX)?;
    for at in &found.at_targets {
        let spreads = [&at.fnir, &at.fpir].into_iter().flatten();
        finite("how groups differ", spreads.flat_map(|one| one.max_over_min.into_iter().chain([one.p])))?;
        finite("thresholds", [at.threshold, at.target_fpir].into_iter())?;
    }
    finite("thresholds", found.threshold.into_iter().chain([found.target_fpir]))
}

fn heat_map(found: &HeatMap) -> Result<(), EvaluationError> {
    let side = found.values.len();
    // Of before version 3 there are none.
    let shown = !found.cells.is_empty();
    if shown && (found.cells.len() != side || found.cells.iter().any(|row| row.len() != side)) {
        return Err(unfit(format!("a map between groups does not have {side} rows and columns as it has groups")));
    }
    if let Some(cell) =
        found.cells.iter().flatten().flatten().find(|cell| cell.events > cell.comparisons || cell.comparisons == 0)
    {
        let (events, comparisons) = (cell.events, cell.comparisons);
        return Err(unfit(format!("a map between groups has {events} candidates of {comparisons} comparisons")));
    }
    Ok(())
}

/// A rate must be one.
fn rate(found: &Rate) -> Result<(), EvaluationError> {
    let ends = [found.wilson, found.clopper_pearson, found.bootstrap].into_iter().flatten();
    let all = found.value.into_iter().chain(ends.flat_map(|(low, high)| [low, high]));
    // Intervals may stick out by rounding.
    let within = |value: f64| (-1e-9..=1.0 + 1e-9).contains(&value);
    if found.events > found.trials || !all.into_iter().all(within) {
        let (events, trials) = (found.events, found.trials);
        return Err(unfit(format!("a rate of {events} in {trials} is not between 0 and 1, or its interval is not")));
    }
    Ok(())
}

fn few(what: &'static str, found: usize, most: usize) -> Result<(), EvaluationError> {
    if found > most { Err(unfit(format!("{found} {what}, a report shows at most {most}"))) } else { Ok(()) }
}

fn finite(what: &str, mut values: impl Iterator<Item = f64>) -> Result<(), EvaluationError> {
    if values.all(f64::is_finite) { Ok(()) } else { Err(unfit(format!("a number in {what} is not finite"))) }
}

fn unfit(what: String) -> EvaluationError {
    EvaluationError::Results(what)
}
