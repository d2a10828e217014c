//! Comparison scores as likelihood ratios: how well they are calibrated, and how far they reach.

use super::Figure;
use super::axis::Axis;
use super::frame::{Curve, Plot, all_xs};
use super::points::{limited, thinning_note};
use super::style::{pale, style};
use crate::evaluation::EvaluationError;
use crate::evaluation::report::words;
use crate::evaluation::results::Evaluation;

const MISSING: &str = "no calibration was fitted.";

/// Which data a calibration is judged on.
fn whom(evaluation: &Evaluation) -> &'static str {
    match &evaluation.calibration {
        Some(found) if !found.folds.is_empty() => " Cross-fitted over folds of people.",
        Some(_) => " In-sample.",
        None => "",
    }
}

/// Predicted probability against the share that was mated.
pub(super) fn reliability(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("reliability", "Reliability of calibrated scores");
    let error = evaluation.calibration.as_ref().and_then(|calibration| calibration.expected_error);
    let error = error.map_or_else(String::new, |error| {
        format!(
            " At even odds instead of that mix, stated and seen probabilities lie {} apart on average (expected calibration error over \
             {} bins of equal width).",
            words::figure(error.value),
            error.bins
        )
    });
    let rows = evaluation.calibration.as_ref().map(|calibration| &calibration.reliability);
    let Some(rows) = rows.filter(|rows| !rows.is_empty()) else { return Ok(Figure::missing(id, title, MISSING)) };
    let (points, every) = limited(rows);
    let places: Vec<(f64, f64)> = points.iter().map(|(predicted, share, _)| (*predicted, *share)).collect();
    let ideal = Curve::line("as predicted", pale(&[2.0, 2.0]), vec![(0.0, 0.0), (1.0, 1.0)]);
    let curves = vec![ideal, Curve::marked("seen", style(0), places)];
    let x = Axis::share("predicted probability of being mated", [0.0, 1.0].into_iter());
    let y = Axis::share("share that was mated", [0.0, 1.0].into_iter());
    let plot = Plot { x, y, curves, rules: vec![], height: 290, synthetic: evaluation.identity.synthetic };
    let said = rows.iter().take(40).map(|(predicted, share, count)| {
        let count = words::counted(*count, "comparison", "comparisons");
        format!("Predicted {predicted:.2}: {share:.2} of {count}.")
    });
    let fewest = rows.iter().map(|row| row.2).min().unwrap_or(0);
    let caption = format!(
        "Marks on the diagonal: predicted probabilities are borne out at the mix of mated and non-mated pairs of this evaluation, \
         and at no other. The emptiest mark rests on {}.{error}{}{}",
        words::counted(fewest, "comparison", "comparisons"),
        whom(evaluation),
        thinning_note(every)
    );
    Ok(Figure::drawn(id, title, plot.draw()?, said.collect::<Vec<_>>().join(" "), caption))
}

/// Shares of mated and non-mated pairs above each likelihood ratio.
pub(super) fn tippett(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("tippett", "Likelihood ratios of mated and of non-mated pairs (Tippett plot)");
    let calibration = evaluation.calibration.as_ref().filter(|calibration| !calibration.tippett.is_empty());
    let Some(calibration) = calibration else { return Ok(Figure::missing(id, title, MISSING)) };
    let (points, every) = limited(&calibration.tippett);
    let mated = points.iter().map(|(ratio, mated, _)| (*ratio, *mated)).collect();
    let others = points.iter().map(|(ratio, _, non_mated)| (*ratio, *non_mated)).collect();
    let curves = vec![Curve::line("mated pairs", style(0), mated), Curve::line("non-mated pairs", style(1), others)];
    let x = Axis::linear("log₁₀ of the likelihood ratio", all_xs(&curves));
    let y = Axis::share("share of pairs above", [0.0, 1.0].into_iter());
    let rules = vec![(0.0, "LR = 1".to_owned())];
    let within = points.first().zip(points.last()).is_some_and(|(first, last)| first.0 <= 0.0 && last.0 >= 0.0);
    let rules = if within { rules } else { vec![] };
    let plot = Plot { x, y, curves, rules, height: 290, synthetic: evaluation.identity.synthetic };
    let at_one = calibration.tippett.iter().find(|(ratio, ..)| *ratio >= 0.0);
    let said = at_one.map_or_else(
        || "All likelihood ratios are below 1.".to_owned(),
        |(_, mated, others)| {
            let (mated, others) = (words::figure(*mated), words::figure(*others));
            format!(
                "A share of {mated} of mated and of {others} of non-mated pairs lies above a likelihood ratio of 1."
            )
        },
    );
    let (low, high) = calibration.bounds;
    let caption = format!(
        "Mated pairs below 1 and non-mated pairs above 1 mislead. The data support log₁₀ ratios from {} to {}; nothing beyond may be \
         quoted. A likelihood ratio is of one pair, not of the first candidate of a search.{}{}",
        words::figure(low),
        words::figure(high),
        whom(evaluation),
        thinning_note(every)
    );
    Ok(Figure::drawn(id, title, plot.draw()?, said, caption))
}
