//! Error rates by kind of picture and by quality.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{head, misses, missing, note, part, rate, row, table};
use super::groups::PAIRS_IN_FULL;
use crate::base::limits::{REPORT_COLUMNS_MAX, REPORT_GROUPS_MAX};
use crate::evaluation::results::{Breakdown, BreakdownKind, Evaluation};

/// Table 5.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "5", "Errors by probe type and by quality", |page| {
        let one_kind = match evaluation.probe_kinds.as_slice() {
            [only] => format!("all probes are of one kind, “{}”.", words::cut(&only.kind, 80)),
            [] | [_, _, ..] => "of what kind the probes are is not known.".to_owned(),
        };
        for (kind, none) in
            [(BreakdownKind::ProbeType, one_kind.as_str()), (BreakdownKind::Quality, "no quality measure was at hand.")]
        {
            columns(page, evaluation, kind, none, |_, _| {});
        }
    });
}

/// One table for each column of a kind, each followed by what `more` writes.
pub(super) fn columns(
    page: &mut Markup,
    evaluation: &Evaluation,
    kind: BreakdownKind,
    none: &str,
    more: impl Fn(&mut Markup, &Breakdown),
) {
    let found = evaluation.breakdowns.iter().filter(|column| column.kind == kind);
    let all = found.clone().count();
    if all == 0 {
        missing(page, none);
    }
    for column in found.take(REPORT_COLUMNS_MAX) {
        rates(page, column);
        more(page, column);
    }
    if all > REPORT_COLUMNS_MAX {
        note(page, &format!("The first {REPORT_COLUMNS_MAX} of {all} columns; evaluation.json has all."));
    }
}

fn rates(page: &mut Markup, column: &Breakdown) {
    let chosen = |threshold: f64, target: f64| {
        format!("T = {}, chosen over all searches for FPIR {}", words::score(threshold), words::target(target))
    };
    let fpir = column.threshold.map(|threshold| chosen(threshold, column.target_fpir));
    let fnir = column.of_fnir().map(|(threshold, target)| chosen(threshold, target));
    let at = match (fnir, fpir) {
        (Some(fnir), Some(fpir)) if fnir != fpir => format!("FNIR at {fnir}; FPIR at {fpir}"),
        (_, Some(fpir)) => fpir,
        (_, None) => "no threshold could be chosen".to_owned(),
    };
    let caption = format!("By {}; {at}", words::cut(&column.title(), 80));
    let mut names = head(&["", "FNIR, no threshold", "FNIR at T", "FPIR at T", "failures to extract"]);
    // A column of zeros would take the others' room.
    let lost = column.rows.iter().filter_map(|row| row.mates_not_enrolled).any(|lost| lost.events > 0);
    if lost {
        names.push("mates not enrolled".to_owned());
    }
    table(page, &caption, &names, |page| {
        // Other tables name many groups by their numbers.
        let numbered = column.kind == BreakdownKind::Group && column.rows.len() > PAIRS_IN_FULL;
        for (index, found) in column.rows.iter().enumerate().take(REPORT_GROUPS_MAX) {
            let name = if numbered { format!("{} {}", index + 1, found.value) } else { found.value.clone() };
            row(page, &name, |page| {
                rate(page, Some(&found.fnir_unthresholded));
                misses(page, found.fnir.as_ref(), found.fpir.as_ref());
                rate(page, found.fpir.as_ref());
                rate(page, Some(&found.failures));
                if lost {
                    rate(page, found.mates_not_enrolled.as_ref());
                }
            });
        }
    });
    if column.rows.len() > REPORT_GROUPS_MAX {
        note(page, &format!("The first {REPORT_GROUPS_MAX} of {} values; evaluation.json has all.", column.rows.len()));
    }
}
