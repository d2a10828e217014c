//! Calibration by quality band.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{count, figure, head, note, row, said, table};
use crate::base::limits::REPORT_ROWS_MAX;
use crate::evaluation::results::{CalibrationBand, Evaluation};

/// One row a band of every measure; nothing where calibration was not asked for.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    let bands = &evaluation.calibration_bands;
    if bands.is_empty() {
        return;
    }
    let names = head(&[
        "quality of the probe",
        "mated, of people",
        "non-mated pairs",
        "slope",
        "offset",
        "Cllr",
        "Cllr, best",
        "log₁₀ LR supported",
    ]);
    table(page, "By thirds of each quality measure, poorest first: a line for each third", &names, |page| {
        for band in bands.iter().take(REPORT_ROWS_MAX) {
            let name = format!(
                "{}: {} to {}",
                words::cut(&band.measure, 40),
                words::figure(band.from),
                words::figure(band.to)
            );
            row(page, &name, |page| of_band(page, band));
        }
    });
    if bands.len() > REPORT_ROWS_MAX {
        note(page, &format!("The first {REPORT_ROWS_MAX} of {} bands; evaluation.json has all.", bands.len()));
    }
    let fitted = || bands.iter().filter_map(|band| band.fitted.as_ref());
    let in_sample = || fitted().filter(|fitted| fitted.folds.is_empty());
    if in_sample().next().is_some() {
        let (lines, all) = (in_sample().count(), fitted().count());
        let mut why: Vec<&str> = in_sample().filter_map(|fitted| fitted.not_crossed.as_deref()).collect();
        why.sort_unstable();
        why.dedup();
        let why = if why.is_empty() { String::new() } else { format!(" ({})", words::shown(&why.join("; "))) };
        note(page, &format!("Cllr is in-sample in {lines} of {all} lines{why}, and cross-fitted in the others."));
    } else if fitted().next().is_some() {
        note(
            page,
            "Cllr is cross-fitted over folds of people here too; slope, offset and ratios supported are in-sample.",
        );
    }
    let separated = fitted().filter(|fitted| fitted.separated).count();
    if separated > 0 {
        note(
            page,
            &format!(
                "In {separated} of {} thirds a threshold separates all mated from all non-mated comparisons: the slope says nothing there.",
                fitted().count()
            ),
        );
    }
    let mut reasons: Vec<&str> = bands.iter().filter_map(|band| band.not_fitted.as_deref()).collect();
    reasons.sort_unstable();
    reasons.dedup();
    for reason in reasons {
        note(page, &format!("Not fitted ({}).", words::shown(reason)));
    }
}

fn of_band(page: &mut Markup, band: &CalibrationBand) {
    let people = words::counted(band.mated_subjects, "person", "people");
    said(page, &format!("{}, {people}", crate::base::text::thousands(band.mated)));
    count(page, band.non_mated);
    match &band.fitted {
        Some(fitted) => {
            for value in [fitted.slope, fitted.offset, fitted.cllr, fitted.cllr_min] {
                figure(page, Some(value), words::figure);
            }
            said(page, &words::interval(fitted.bounds));
        }
        None => page.leaf("td", &[("class", "figure"), ("colspan", "5")], "not fitted"),
    }
}
