//! How good scores are as likelihood ratios.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{figure, head, missing, note, part, row, table};
use crate::evaluation::results::{Calibration, Evaluation};

/// Table 8.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "8", "Calibration of scores as likelihood ratios", |page| {
        let Some(found) = &evaluation.calibration else {
            return missing(page, "no calibration was fitted; it is off unless asked for.");
        };
        table(page, "log₁₀ LR = slope × comparison score + offset", &head(&["", "value"]), |page| {
            let rows = [
                ("slope", found.slope),
                ("offset", found.offset),
                ("Cllr, calibrated scores (bits)", found.cllr),
                ("Cllr, best monotonous calibration (bits)", found.cllr_min),
                ("lost by calibration (bits)", found.cllr_cal),
                ("smallest log₁₀ LR that the data support", found.bounds.0),
                ("largest log₁₀ LR that the data support", found.bounds.1),
            ];
            for (name, value) in rows {
                row(page, name, |page| figure(page, Some(value), words::figure));
            }
            if let Some(own) = found.cllr_in_sample.filter(|_| !found.folds.is_empty()) {
                let name = "Cllr of the line above on its own data, in-sample (bits)";
                row(page, name, |page| figure(page, Some(own), words::figure));
            }
            if let Some(error) = found.expected_error {
                let name = format!("expected calibration error, {} bins of {}", error.bins, width(error.bins));
                row(page, &name, |page| figure(page, Some(error.value), words::figure));
            }
        });
        note(page, &whom(found));
        note(page, &how(found));
        if let Some(error) = found.expected_error {
            note(
                page,
                &format!(
                    "Expected calibration error: at even odds of mated and non-mated pairs, the mean distance between the probability of \
                     being mated that a score states and the share of such pairs that is mated, over bins of equal width weighed \
                     by what is in them ({} of {} have pairs in them). 0 is perfect; other bins give another figure, Cllr has none.",
                    error.used, error.bins,
                ),
            );
        }
        super::bands::write(page, evaluation);
        note(
            page,
            "A Cllr of 1 is that of a system that says nothing. A likelihood ratio is of one pair of pictures; that of the first \
             candidate of a search is another one, and none of them is a probability that two pictures show one person.",
        );
    });
}

/// Which data the figures are about.
fn whom(found: &Calibration) -> String {
    match found.folds.len() {
        0 => format!(
            "In-sample: the line was fitted to the very comparisons that it is judged on here, and looks better than it is{}.",
            found.not_crossed.as_ref().map(|why| format!(" ({})", words::shown(why))).unwrap_or_default()
        ),
        count => format!(
            "Cross-fitted over {count} folds of people: Cllr, its parts, the expected calibration error and the figures of reliability and \
             of likelihood ratios judge each comparison by a line fitted without the person searched for. Slope, offset and the \
             ratios supported are of the line fitted to all; the best monotonous calibration is found on the ratios it is shown for."
        ),
    }
}

/// How the line was fitted.
fn how(found: &Calibration) -> String {
    let Some(penalty) = found.penalty else {
        return "These results are of a program that fitted lines with a penalty on the slope by unit of score, which made them too flat: \
                evaluated again, the same comparisons have better ratios."
            .to_owned();
    };
    let held = if found.separated {
        " Here one does: any steeper line explains these comparisons as well, so the slope says nothing; the ratios supported do."
    } else {
        ""
    };
    format!(
        "Slope and offset are by unit of comparison score. They make the mated and the non-mated comparisons likeliest, each kind \
         weighing half, with a penalty of {penalty} on half the square of the slope by standard deviation of the scores, so small \
         that it holds a line only where a threshold separates all mated from all non-mated comparisons.{held}"
    )
}

/// Width of equal bins from 0 to 1.
fn width(bins: u32) -> String {
    words::target(1.0 / f64::from(bins.max(1)))
}
