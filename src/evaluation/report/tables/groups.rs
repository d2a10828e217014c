//! Error rates by group of people, how they differ, and what may be said of it.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{figure, head, missing, note, part, row, said, table};
use super::probes::columns;
use crate::base::limits::REPORT_PAIRS_MAX;
use crate::evaluation::results::{Breakdown, BreakdownKind, Differences, Evaluation, PairVerdict, Verdict};

/// Table 6.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "6", "Errors by group, and how groups differ", |page| {
        columns(page, evaluation, BreakdownKind::Group, "the manifest has no group column.", differences);
        note(
            page,
            "Verdicts: equivalent, where both one-sided tests say that the margin is kept; different, where the rates differ; \
             undetermined, where the data are too few to say either. Undetermined is not equivalent: it says nothing in favour \
             of anybody.",
        );
    });
}

fn differences(page: &mut Markup, column: &Breakdown) {
    let both = [("FNIR", &column.fnir_differences), ("FPIR", &column.fpir_differences)];
    let found: Vec<(&str, &Differences)> =
        both.into_iter().filter_map(|(rate, found)| found.as_ref().map(|found| (rate, found))).collect();
    if found.is_empty() {
        return missing(page, "groups were not compared.");
    }
    let name = words::cut(&column.column, 80);
    let names = head(&[
        "",
        "largest / smallest",
        "largest / geometric mean",
        "Gini",
        "mean |log₁₀|",
        "p, no difference at all",
    ]);
    table(page, &format!("How the rates of {name} differ"), &names, |page| {
        for (rate, found) in &found {
            row(page, rate, |page| {
                figure(page, found.max_over_min, words::figure);
                figure(page, found.max_over_geometric_mean, words::figure);
                figure(page, found.gini, words::figure);
                figure(page, found.mean_log10, words::figure);
                figure(page, found.omnibus_p, words::p_value);
            });
        }
    });
    for (rate, found) in found {
        verdicts(page, rate, &name, found);
    }
}

fn verdicts(page: &mut Markup, rate: &str, column: &str, found: &Differences) {
    if found.pairs.is_empty() {
        return missing(page, &format!("no pair of groups was compared by {rate}."));
    }
    let of = |verdict: Verdict| found.pairs.iter().filter(|pair| pair.verdict == verdict).count();
    note(
        page,
        &format!(
            "{rate} by {column}: {}: {} equivalent, {} different, {} undetermined. Margin: {}",
            words::counted(found.pairs.len() as u64, "pair", "pairs"),
            of(Verdict::Equivalent),
            of(Verdict::Different),
            of(Verdict::Undetermined),
            words::shown(&found.margin)
        ),
    );
    let mut pairs: Vec<&PairVerdict> = found.pairs.iter().collect();
    // What must be looked at first, whatever else is cut off.
    pairs.sort_by_key(|pair| match pair.verdict {
        Verdict::Different => 0,
        Verdict::Undetermined => 1,
        Verdict::Equivalent => 2,
    });
    let names = head(&["groups a / b", "ratio a / b", "95 % interval", "p, different", "p, equivalent", "verdict"]);
    table(page, &format!("{rate} of pairs of groups (p after Holm)"), &names, |page| {
        for pair in pairs.iter().take(REPORT_PAIRS_MAX) {
            row(page, &format!("{} / {}", words::cut(&pair.a, 38), words::cut(&pair.b, 38)), |page| {
                figure(page, pair.ratio, words::figure);
                said(page, &pair.interval.map_or_else(|| "–".to_owned(), words::interval));
                figure(page, pair.p_difference, words::p_value);
                figure(page, pair.p_equivalence, words::p_value);
                page.leaf("td", &[("class", "verdict")], name(pair.verdict));
            });
        }
    });
    if pairs.len() > REPORT_PAIRS_MAX {
        note(
            page,
            &format!("{REPORT_PAIRS_MAX} of {} pairs, those that differ first; evaluation.json has all.", pairs.len()),
        );
    }
}

fn name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Equivalent => "equivalent",
        Verdict::Different => "different",
        Verdict::Undetermined => "undetermined",
    }
}
