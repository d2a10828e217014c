//! Groups of people side by side: at which threshold, and what may be said of them.
//!
//! The threshold of a column is chosen before any false positive is looked at, from the numbers of people searched alone: the
//! strictest of the targets at which every group that can be compared at all may expect enough false positives. Stricter ones
//! leave everything undetermined, and that would hide a disparity that the same searches show at a laxer one. Whether groups
//! differ at the other targets is tested as well, all groups together.
//!
//! Where probes are of several kinds, groups are compared over all of them and within each kind: a mixture can dilute what one kind
//! shows. Pairs of all columns, kinds and both rates are one family for Holm's correction, tests at other targets a second one.

use std::collections::BTreeSet;

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::groups::{
    Declared, Margin, Measure, Table, Verdict as Said, correct_together, table as compare,
};
use crate::evaluation::accuracy::strata::cross_table;
use crate::evaluation::accuracy::thresholds::for_target;
use crate::evaluation::accuracy::trials::{Kind, Rank, Threshold, View};
use crate::evaluation::arithmetic::bootstrap::Resampling;
use crate::evaluation::arithmetic::contingency::holm;
use crate::evaluation::arithmetic::intervals::Proportion;
use crate::evaluation::assemble::Column;
use crate::evaluation::assemble::groups::{AMONG, breakdown, rows};
use crate::evaluation::results::{
    About, AtTarget, Breakdown, BreakdownKind, Cell, Differences, HeatMap, PairVerdict, Spread, Statement, Verdict,
};

/// False positives that a group must be able to expect: that many in each of two groups with the same rate show with 80 % power
/// that it differs by no more than [`FACTOR`].
const EXPECTED: f64 = 36.0;
/// Groups count as equivalent when their rates differ by this factor at most.
const FACTOR: f64 = 2.0;
/// Level of the tests after correction.
const LEVEL: f64 = 0.05;

/// A target and its threshold.
type At = (f64, Threshold);
/// A table each of FNIR and FPIR, where at least two groups have such searches.
type Tables = [Option<Table>; 2];
const NAMES: [&str; 2] = ["FNIR", "FPIR"];

/// A column whose groups were compared, before p-values are corrected over all columns.
pub(super) struct Compared {
    breakdown: Breakdown,
    tables: Tables,
    others: Vec<(At, Tables)>,
    heat_map: Option<HeatMap>,
}

/// What is said of all columns.
#[derive(Default)]
pub(super) struct Conclusions {
    /// Rates, and how they differ.
    pub breakdowns: Vec<Breakdown>,
    /// Who is returned for whom.
    pub heat_maps: Vec<HeatMap>,
    /// What may be said.
    pub statements: Vec<Statement>,
}

/// People searched for without a mate, by group.
fn people(view: &View, column: &Column) -> Vec<usize> {
    let mut found = vec![BTreeSet::new(); column.values.len()];
    for (number, search) in view.searches().filter(|(_, search)| search.kind == Kind::NonMated) {
        let group = column.of_searches.get(number).copied().flatten();
        if let Some(people) = group.and_then(|group| found.get_mut(usize::from(group))) {
            people.insert(search.subject);
        }
    }
    found.iter().map(BTreeSet::len).collect()
}

/// The target at which pairs are compared, among those that have a threshold, strictest first.
fn chosen(targets: &[At], people: &[usize]) -> Option<At> {
    let laxest = targets.last()?;
    let enough = |target: f64, people: usize| target * people as f64 >= EXPECTED;
    let comparable: Vec<usize> = people.iter().copied().filter(|&people| enough(laxest.0, people)).collect();
    if comparable.len() < 2 {
        return Some(*laxest);
    }
    targets.iter().find(|(target, _)| comparable.iter().all(|&people| enough(*target, people))).copied()
}

/// Both rates of the groups at one threshold.
fn tables(
    view: &View,
    column: &Column,
    threshold: Threshold,
    resampling: Resampling,
    go_on: &dyn Fn() -> Result<(), EvaluationError>,
) -> Result<Tables, EvaluationError> {
    let rank = Rank::Within(view.trials().list_length());
    let one = |measure| {
        // Permutations of a hundred thousand people take a second.
        go_on()?;
        let declared = Declared { measure, margin: Margin::Factor(FACTOR), level: LEVEL, resampling };
        match compare(view, &column.of_searches, &column.values, declared) {
            Ok(table) => Ok(Some(table)),
            Err(EvaluationError::Empty(_)) => Ok(None),
            Err(error) => Err(error),
        }
    };
    Ok([one(Measure::Fnir { rank, threshold })?, one(Measure::Fpir { threshold })?])
}

/// Compares the groups of a column.
pub(super) fn column(
    view: &View,
    column: &Column,
    resampling: Resampling,
    go_on: &dyn Fn() -> Result<(), EvaluationError>,
) -> Result<Compared, EvaluationError> {
    go_on()?;
    let at = |target: f64| Some((target, for_target(view, target).ok()?.threshold()?));
    let targets: Vec<At> = AMONG.into_iter().filter_map(at).collect();
    let chosen = chosen(&targets, &people(view, column));
    let rows = rows(view, &column.values, &column.of_searches, chosen)?;
    let breakdown = breakdown(&column.name, BreakdownKind::Group, chosen, rows);
    let Some((_, threshold)) = chosen else {
        return Ok(Compared { breakdown, tables: [None, None], others: Vec::new(), heat_map: None });
    };
    let mut others = Vec::new();
    for at in targets.into_iter().filter(|(_, other)| *other != threshold) {
        others.push((at, tables(view, column, at.1, resampling, go_on)?));
    }
    let heat_map = heat_map(view, column, threshold)?;
    Ok(Compared { breakdown, tables: tables(view, column, threshold, resampling, go_on)?, others, heat_map })
}

/// Compares the groups of a column in the probes of one kind.
pub(super) fn column_of_kind(
    part: &View,
    kind: &str,
    one: &Column,
    resampling: Resampling,
    go_on: &dyn Fn() -> Result<(), EvaluationError>,
) -> Result<Compared, EvaluationError> {
    let mut found = column(part, one, resampling, go_on)?;
    found.breakdown.probe_kind = Some(kind.to_owned());
    // One map for each column is enough to look at.
    found.heat_map = None;
    Ok(found)
}

/// Corrects p-values over everything that was compared, and puts verdicts and statements down.
pub(super) fn conclude(mut columns: Vec<Compared>) -> Result<Conclusions, EvaluationError> {
    let mut family: Vec<&mut Table> =
        columns.iter_mut().flat_map(|one| one.tables.iter_mut()).filter_map(Option::as_mut).collect();
    correct_together(&mut family)?;
    let comparisons = family.iter().map(|table| table.pairs.len()).sum::<usize>();
    let others = columns.iter().flat_map(|one| &one.others).flat_map(|(_, tables)| tables.iter().flatten());
    let together: Vec<f64> = others.map(|table| table.all_equal.p_value).collect();
    let mut corrected = holm(&together)?.into_iter();
    let mut found = Conclusions::default();
    for one in columns {
        let Compared { mut breakdown, tables, others, heat_map } = one;
        for ((target, threshold), tables) in others {
            let [fnir, fpir] = tables.map(|table| Some(spread(&table?, corrected.next()?)));
            let threshold = f64::from(threshold.get());
            breakdown.at_other_targets.push(AtTarget { target_fpir: target, threshold, fnir, fpir });
        }
        found.statements.extend(statements(&breakdown, &tables, together.len()));
        let [fnir, fpir] = tables.map(|table| table.map(|table| differences(&table, comparisons)));
        (breakdown.fnir_differences, breakdown.fpir_differences) = (fnir, fpir);
        found.heat_maps.extend(heat_map);
        found.breakdowns.push(breakdown);
    }
    Ok(found)
}

fn spread(table: &Table, p: f64) -> Spread {
    let events = table.groups.iter().map(|group| group.observed.events()).sum();
    Spread { events, max_over_min: table.summary.highest_to_lowest, p, differs: p < LEVEL }
}

/// What the last page says of a column: where groups differ, and where the data leave it open, always with the threshold.
fn statements(breakdown: &Breakdown, tables: &Tables, tests: usize) -> Vec<Statement> {
    let (column, target) = (breakdown.title(), breakdown.target_fpir);
    let mut said = Vec::new();
    let mut say = |text: String| said.push(Statement { about: About::Limit, text });
    for (index, (name, table)) in NAMES.into_iter().zip(tables).enumerate() {
        let differs = breakdown.at_other_targets.iter().filter_map(|at| {
            let spread = if index == 0 { &at.fnir } else { &at.fpir };
            Some((at, spread.as_ref().filter(|spread| spread.differs)?))
        });
        let elsewhere: Vec<String> = differs.map(|(at, spread)| elsewhere(at, spread)).collect();
        if let Some(table) = table {
            let of = |verdict| table.pairs.iter().filter(|pair| pair.verdict == verdict).count();
            let (different, open, all) = (of(Said::Different), of(Said::Undetermined), table.pairs.len());
            if different > 0 {
                say(format!(
                    "{name} by {column} at the threshold for FPIR {target}: {different} of {all} pairs of groups differ. See table 6."
                ));
            }
            if open > 0 {
                let seen = if elsewhere.is_empty() {
                    ""
                } else {
                    " At other thresholds the same data do say that groups differ."
                };
                say(format!(
                    "{name} by {column} at the threshold for FPIR {target}: {open} of {all} pairs of groups are undetermined. There the \
                     data are too few to say that these groups are treated alike, or that they are not.{seen}"
                ));
            }
        }
        if !elsewhere.is_empty() {
            say(format!(
                "{name} by {column} differs between groups at {} (all groups together; after Holm over {tests} such tests).",
                elsewhere.join(", and at ")
            ));
        }
    }
    said
}

fn elsewhere(at: &AtTarget, spread: &Spread) -> String {
    let ratio =
        spread.max_over_min.map_or_else(String::new, |ratio| format!("largest rate {ratio:.2} times the smallest, "));
    format!("the threshold for FPIR {}: {ratio}p = {:.2e}", at.target_fpir, spread.p)
}

fn differences(table: &Table, comparisons: usize) -> Differences {
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
        margin: format!(
            "within a factor of {FACTOR}, declared beforehand; tests at {LEVEL} after Holm's correction over the {comparisons} \
             comparisons of this report (every pair, FNIR and FPIR, all group columns and kinds of probe)"
        ),
    }
}

/// Which groups' people non-mated probes of each group return, for each comparison.
fn heat_map(view: &View, column: &Column, threshold: Threshold) -> Result<Option<HeatMap>, EvaluationError> {
    // Without a gallery of known people there is nothing to map.
    if column.templates.is_empty() {
        return Ok(None);
    }
    let subject = |subject: u32| column.of_subjects.get(&subject).copied();
    let found = cross_table(view, threshold, &column.of_searches, subject, &column.templates)?;
    if found.cells.iter().flatten().all(Option::is_none) {
        return Ok(None);
    }
    let cell =
        |cell: Option<Proportion>| cell.map(|counted| Cell { events: counted.events(), comparisons: counted.trials() });
    Ok(Some(HeatMap {
        column: column.name.clone(),
        values: column.values.clone(),
        cells: found.cells.into_iter().map(|row| row.into_iter().map(cell).collect()).collect(),
        cut_lists: found.cut_lists,
        threshold: f64::from(threshold.get()),
    }))
}

#[cfg(test)]
mod tests;
