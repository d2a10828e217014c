//! Error rates by group of people, how they differ, and what may be said of it.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{count, figure, head, missing, note, note_above, part, row, said, table};
use super::probes::columns;
use crate::base::limits::{EVALUATION_KINDS_COMPARED_MAX, REPORT_GROUPS_MAX, REPORT_PAIRS_MAX};
use crate::evaluation::results::{Breakdown, BreakdownKind, Differences, Evaluation, PairVerdict, Spread, Verdict};

/// Groups of which every pair is listed; of more, a line for each group says the same in less room.
pub(super) const PAIRS_IN_FULL: usize = 6;

/// P-values below which a difference is shown.
const SHOWN: f64 = 0.05;

/// Table 6.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "6", "Errors by group, and how groups differ", |page| {
        mixture_only(page, evaluation);
        columns(page, evaluation, BreakdownKind::Group, "the manifest has no group column.", differences);
        note(
            page,
            "Verdicts: equivalent, where both one-sided tests say that the margin is kept (“though not equal”, where a difference is \
             shown as well, within the margin); different, where the rates differ and were not shown to keep it; undetermined, where \
             the data are too few to say either. Undetermined is not equivalent: it says nothing in favour of anybody. Verdicts hold \
             at the threshold that they are given for. P-values of pairs are corrected for all comparisons of this report; intervals \
             are not, so an interval that leaves out 1 may stand beside “undetermined”.",
        );
        note(
            page,
            "FPIR is compared at the strictest of the thresholds for FPIR 0.003, 0.01, 0.03 and 0.1 at which every group with enough people \
             may expect 41 false positives, as many as it takes to show with 80 % power, before correction, that two groups keep within a \
             factor of two; that depends on how many were searched for, not on what was found. Where fewer than two groups have enough \
             people it is the laxest of them. FNIR is compared at the strictest, where there are most misses.",
        );
    });
}

/// Of many kinds of probe groups are not compared within each.
fn mixture_only(page: &mut Markup, evaluation: &Evaluation) {
    let kinds = evaluation.probe_kinds.len();
    let mut groups = evaluation.breakdowns.iter().filter(|one| one.kind == BreakdownKind::Group);
    if kinds <= EVALUATION_KINDS_COMPARED_MAX || groups.next().is_none() {
        return;
    }
    note_above(
        page,
        &format!(
            "Probes are of {kinds} kinds: groups are compared over the mixture of them alone, which no operation has. Within each kind as \
             well they are compared where there are {EVALUATION_KINDS_COMPARED_MAX} at most; of more there would be too many comparisons to \
             conclude anything from."
        ),
    );
}

fn differences(page: &mut Markup, column: &Breakdown) {
    let both = [("FNIR", &column.fnir_differences), ("FPIR", &column.fpir_differences)];
    let found: Vec<(&str, &Differences)> =
        both.into_iter().filter_map(|(rate, found)| found.as_ref().map(|found| (rate, found))).collect();
    if found.is_empty() {
        return missing(page, "groups were not compared.");
    }
    let name = words::cut(&column.title(), 80);
    let names = head(&[
        "",
        "largest / smallest",
        "largest / geometric mean",
        "Gini",
        "mean |log₁₀|",
        "p, no difference at all, not corrected",
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
        verdicts(page, rate, column, found);
    }
    together(page, column);
}

/// Whether groups differ, all together, at each of the thresholds.
fn together(page: &mut Markup, column: &Breakdown) {
    if column.at_targets.is_empty() {
        return;
    }
    let names = head(&[
        "chosen for FPIR",
        "T",
        "FNIR: misses",
        "largest / smallest",
        "p",
        "FPIR: false positives",
        "largest / smallest",
        "p",
    ]);
    let caption = format!("{}: all groups together, at each threshold (p after Holm)", words::cut(&column.title(), 60));
    table(page, &caption, &names, |page| {
        for at in &column.at_targets {
            row(page, &words::target(at.target_fpir), |page| {
                said(page, &words::score(at.threshold));
                for found in [&at.fnir, &at.fpir] {
                    spread(page, found.as_ref());
                }
            });
        }
    });
    let differ =
        column.at_targets.iter().filter(|at| [&at.fnir, &at.fpir].into_iter().flatten().any(|one| one.differs));
    let differ: Vec<String> = differ.map(|at| words::target(at.target_fpir)).collect();
    if !differ.is_empty() {
        note(
            page,
            &format!(
                "All together, groups differ at the threshold for FPIR {}, whatever is left open above.",
                differ.join(" and ")
            ),
        );
    }
}

fn spread(page: &mut Markup, found: Option<&Spread>) {
    match found {
        Some(found) => count(page, found.events),
        None => said(page, "–"),
    }
    figure(page, found.and_then(|found| found.max_over_min), words::figure);
    figure(page, found.map(|found| found.p), words::p_value);
}

fn verdicts(page: &mut Markup, rate: &str, column: &Breakdown, found: &Differences) {
    let name = words::cut(&column.title(), 80);
    if found.pairs.is_empty() {
        return missing(page, &format!("no pair of groups was compared by {rate}."));
    }
    let of = |verdict: Verdict| found.pairs.iter().filter(|pair| pair.verdict == verdict).count();
    note_above(
        page,
        &format!(
            "{rate} by {name}: {}: {} equivalent, {} different, {} undetermined. Margin: {}",
            words::counted(found.pairs.len() as u64, "pair", "pairs"),
            of(Verdict::Equivalent),
            of(Verdict::Different),
            of(Verdict::Undetermined),
            words::shown(&found.margin)
        ),
    );
    if column.rows.len() <= PAIRS_IN_FULL {
        pairs(page, &format!("{rate} of pairs of groups (p after Holm)"), column, found, |_| true);
        return;
    }
    summary(page, rate, column, found);
    if of(Verdict::Different) > 0 {
        let caption = format!("{rate} of pairs of groups that differ (p after Holm)");
        pairs(page, &caption, column, found, |pair| pair.verdict == Verdict::Different);
    }
    note(page, "Ratios and intervals of the other pairs are in evaluation.json.");
}

/// Number of a group in its table, from 1.
fn number(column: &Breakdown, name: &str) -> Option<usize> {
    column.rows.iter().position(|row| row.value == name).map(|index| index + 1)
}

/// Numbers of the groups beside which `one` has a verdict.
fn others(column: &Breakdown, found: &Differences, one: &str, verdict: Verdict) -> Vec<usize> {
    let mine = found.pairs.iter().filter(|pair| pair.verdict == verdict);
    let other = mine.filter_map(|pair| match (pair.a == one, pair.b == one) {
        (true, false) => Some(&pair.b),
        (false, true) => Some(&pair.a),
        (true, true) | (false, false) => None,
    });
    let mut numbers: Vec<usize> = other.filter_map(|name| number(column, name)).collect();
    numbers.sort_unstable();
    numbers
}

/// A line for each group of which something may be said: beside whom, and what.
fn summary(page: &mut Markup, rate: &str, column: &Breakdown, found: &Differences) {
    let verdicts = column.rows.iter().take(REPORT_GROUPS_MAX).enumerate().map(|(index, one)| {
        let of = |verdict| others(column, found, &one.value, verdict);
        (index + 1, one, of(Verdict::Equivalent), of(Verdict::Different), of(Verdict::Undetermined).len())
    });
    let determined: Vec<_> = verdicts.filter(|(_, _, same, apart, _)| !same.is_empty() || !apart.is_empty()).collect();
    let groups = column.rows.len().min(REPORT_GROUPS_MAX);
    if determined.len() < groups {
        let silent = words::counted((groups - determined.len()) as u64, "group is", "groups are");
        note(page, &format!("{rate}: {silent} undetermined beside every other."));
    }
    if determined.is_empty() {
        return;
    }
    let list = |numbers: &[usize]| match numbers {
        [] => "–".to_owned(),
        some => some.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let names = head(&["", "equivalent to", "different from", "undetermined"]);
    table(page, &format!("{rate}: verdicts by group, others by their numbers above"), &names, |page| {
        for (number, one, same, apart, open) in &determined {
            row(page, &format!("{number} {}", words::cut(&one.value, 70)), |page| {
                said(page, &list(same));
                said(page, &list(apart));
                count(page, *open as u64);
            });
        }
    });
}

/// Pairs one by one, those that differ first: they must be looked at whatever else is cut off.
fn pairs(
    page: &mut Markup,
    caption: &str,
    column: &Breakdown,
    found: &Differences,
    wanted: impl Fn(&PairVerdict) -> bool,
) {
    let mut pairs: Vec<&PairVerdict> = found.pairs.iter().filter(|pair| wanted(pair)).collect();
    pairs.sort_by_key(|pair| match pair.verdict {
        Verdict::Different => 0,
        Verdict::Undetermined => 1,
        Verdict::Equivalent => 2,
    });
    let numbered = |name: &str| {
        let number = number(column, name).filter(|_| column.rows.len() > PAIRS_IN_FULL);
        number.map_or_else(|| words::cut(name, 38), |number| format!("{number} {}", words::cut(name, 24)))
    };
    let names = head(&["groups a / b", "ratio a / b", "95 % interval", "p, different", "p, equivalent", "verdict"]);
    table(page, caption, &names, |page| {
        for pair in pairs.iter().take(REPORT_PAIRS_MAX) {
            row(page, &format!("{} / {}", numbered(&pair.a), numbered(&pair.b)), |page| {
                figure(page, pair.ratio, words::figure);
                said(page, &pair.interval.map_or_else(|| "–".to_owned(), ratio_interval));
                figure(page, pair.p_difference, words::p_value);
                figure(page, pair.p_equivalence, words::p_value);
                page.leaf("td", &[("class", "verdict")], said_of(pair));
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

/// Ratios beyond which nobody cares how far.
const ENDLESS: f64 = 1_000.0;

fn ratio_interval((low, high): (f64, f64)) -> String {
    if high > ENDLESS {
        return format!("{} to above {}", words::figure(low), words::figure(ENDLESS));
    }
    words::interval((low, high))
}

fn said_of(pair: &PairVerdict) -> &'static str {
    match pair.verdict {
        // Both may be shown at once: the rates differ, by less than the margin.
        Verdict::Equivalent if pair.p_difference.is_some_and(|p| p < SHOWN) => "equivalent, though not equal",
        Verdict::Equivalent => "equivalent",
        Verdict::Different => "different",
        Verdict::Undetermined => "undetermined",
    }
}
