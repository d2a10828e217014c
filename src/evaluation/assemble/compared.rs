//! Groups of people side by side: at which threshold, and what may be said of them.
//!
//! The threshold at which FPIR is compared is chosen before any false positive is looked at, from the numbers of people searched
//! alone: the strictest of the targets at which every group that can be compared at all may expect enough false positives.
//! Stricter ones leave everything undetermined, and that would hide a disparity that the same searches show at a laxer one. FNIR is
//! compared at the strictest of all, where there are most misses. Whether the groups differ, all together, is tested at every target.
//!
//! Where probes are of several kinds, groups are compared over all of them and within each kind: a mixture can dilute what one kind
//! shows. Pairs of all columns, kinds and both rates are one family for Holm's correction, tests of all groups together a second one.

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
/// that it differs by no more than [`FACTOR`], where that is the only comparison. With more of them Holm's correction wants more.
const EXPECTED: f64 = 41.0;
/// Groups count as equivalent when their rates differ by this factor at most.
const FACTOR: f64 = 2.0;
/// Level of the tests after correction.
const LEVEL: f64 = 0.05;

/// A target and its threshold.
type At = (f64, Threshold);

/// Searches whose groups are compared: all of them, or those with probes of one kind.
pub(super) struct Searched<'v, 'a> {
    view: &'v View<'a>,
    kind: Option<&'v str>,
    /// Every target that has a threshold of its own in these searches, strictest first.
    targets: Vec<At>,
}

impl<'v, 'a> Searched<'v, 'a> {
    /// All of them.
    pub(super) fn all(view: &'v View<'a>) -> Self {
        let at = |target: f64| Some((target, for_target(view, target).ok()?.threshold()?));
        let mut targets: Vec<At> = AMONG.into_iter().filter_map(at).collect();
        targets.dedup_by_key(|(_, threshold)| *threshold);
        Self { view, kind: None, targets }
    }

    /// Those with probes of one kind.
    pub(super) fn of_kind(kind: &'v str, part: &'v View<'a>) -> Self {
        Self { kind: Some(kind), ..Self::all(part) }
    }
}

/// A table each of FNIR and FPIR, where at least two groups have such searches.
type Tables = [Option<Table>; 2];
const NAMES: [&str; 2] = ["FNIR", "FPIR"];
/// Permutations of a test of all groups: at least; for each test, so that the smallest p-value there can be, times the tests, is a
/// twentieth of the level; and at most.
const PERMUTATIONS: (u64, u64, u64) = (2_000, 400, 50_000);

/// Which of several tests of all groups together are made in all: each column and kind of probe at each target, by both rates.
pub(super) fn permutations(columns: usize) -> u32 {
    let (least, each, most) = PERMUTATIONS;
    let tests = (columns * AMONG.len() * NAMES.len()) as u64;
    tests.saturating_mul(each).clamp(least, most) as u32
}

/// A column whose groups were compared, before p-values are corrected over all columns.
pub(super) struct Compared {
    breakdown: Breakdown,
    /// At every target that has a threshold of its own, strictest first.
    tables: Vec<(At, Tables)>,
    /// At which of them pairs are compared, by either rate.
    pairs_at: [Option<usize>; 2],
    heat_map: Option<HeatMap>,
}

impl Compared {
    fn pairs(&self, rate: usize) -> Option<(At, &Table)> {
        let (at, tables) = self.tables.get((*self.pairs_at.get(rate)?)?)?;
        Some((*at, tables.get(rate)?.as_ref()?))
    }

    fn pairs_mut(&mut self) -> impl Iterator<Item = &mut Table> {
        let pairs_at = self.pairs_at;
        self.tables.iter_mut().enumerate().flat_map(move |(place, (_, tables))| {
            let wanted = move |rate: usize| pairs_at.get(rate).copied().flatten() == Some(place);
            tables.iter_mut().enumerate().filter(move |(rate, _)| wanted(*rate)).filter_map(|(_, table)| table.as_mut())
        })
    }
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

/// Place of the target at which FPIR of pairs is compared, among those that have a threshold, strictest first.
fn chosen(targets: &[At], people: &[usize]) -> Option<usize> {
    let (laxest, _) = targets.last()?;
    let enough = |target: f64, people: usize| target * people as f64 >= EXPECTED;
    let comparable: Vec<usize> = people.iter().copied().filter(|&people| enough(*laxest, people)).collect();
    if comparable.len() < 2 {
        return Some(targets.len() - 1);
    }
    targets.iter().position(|(target, _)| comparable.iter().all(|&people| enough(*target, people)))
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
    searched: &Searched,
    column: &Column,
    resampling: Resampling,
    go_on: &dyn Fn() -> Result<(), EvaluationError>,
) -> Result<Compared, EvaluationError> {
    go_on()?;
    let Searched { view, kind, targets } = searched;
    let place = chosen(targets, &people(view, column));
    let (fnir_at, fpir_at) = (targets.first().copied(), place.and_then(|place| targets.get(place).copied()));
    let threshold = |at: Option<At>| at.map(|(_, threshold)| threshold);
    let rows = rows(view, &column.values, &column.of_searches, (threshold(fnir_at), threshold(fpir_at)))?;
    let mut breakdown = breakdown(&column.name, BreakdownKind::Group, fpir_at, rows);
    breakdown.fnir_at = fnir_at.map(|(target, threshold)| (f64::from(threshold.get()), target));
    breakdown.probe_kind = kind.map(str::to_owned);
    // One map for each column is enough to look at.
    let mapped_at = threshold(fpir_at).filter(|_| kind.is_none());
    let heat_map = mapped_at.map(|threshold| heat_map(view, column, threshold)).transpose()?.flatten();
    let at_all = targets.iter().map(|&at| Ok((at, tables(view, column, at.1, resampling, go_on)?)));
    let tables = at_all.collect::<Result<Vec<_>, EvaluationError>>()?;
    let pairs_at = [(!tables.is_empty()).then_some(0), place];
    Ok(Compared { breakdown, tables, pairs_at, heat_map })
}

/// Corrects p-values over everything that was compared, and puts verdicts and statements down.
pub(super) fn conclude(mut columns: Vec<Compared>) -> Result<Conclusions, EvaluationError> {
    let mut family: Vec<&mut Table> = columns.iter_mut().flat_map(Compared::pairs_mut).collect();
    correct_together(&mut family)?;
    let comparisons = family.iter().map(|table| table.pairs.len()).sum::<usize>();
    let all = columns.iter().flat_map(|one| &one.tables).flat_map(|(_, tables)| tables.iter().flatten());
    let together: Vec<f64> = all.map(|table| table.all_equal.p_value).collect();
    let mut corrected = holm(&together)?.into_iter();
    let mut found = Conclusions::default();
    for mut one in columns {
        for ((target, threshold), tables) in &one.tables {
            let [fnir, fpir] = tables.each_ref().map(|table| Some(spread(table.as_ref()?, corrected.next()?)));
            let threshold = f64::from(threshold.get());
            one.breakdown.at_targets.push(AtTarget { target_fpir: *target, threshold, fnir, fpir });
        }
        found.statements.extend(statements(&one, together.len()));
        let [fnir, fpir] = [0, 1].map(|rate| one.pairs(rate).map(|(_, table)| differences(table, comparisons)));
        (one.breakdown.fnir_differences, one.breakdown.fpir_differences) = (fnir, fpir);
        found.heat_maps.extend(one.heat_map);
        found.breakdowns.push(one.breakdown);
    }
    Ok(found)
}

fn spread(table: &Table, p: f64) -> Spread {
    let events = table.groups.iter().map(|group| group.observed.events()).sum();
    Spread { events, max_over_min: table.summary.highest_to_lowest, p, differs: p < LEVEL }
}

/// What the last page says of a column: where groups differ, and where the data leave it open, always with the threshold.
fn statements(one: &Compared, tests: usize) -> Vec<Statement> {
    let (column, mut said) = (one.breakdown.title(), Vec::new());
    let mut say = |text: String| said.push(Statement { about: About::Limit, text });
    for (rate, name) in NAMES.into_iter().enumerate() {
        let differs = one.breakdown.at_targets.iter().filter_map(|at| {
            let spread = if rate == 0 { &at.fnir } else { &at.fpir };
            Some((at, spread.as_ref().filter(|spread| spread.differs)?))
        });
        let together: Vec<String> = differs.map(|(at, spread)| together(at, spread)).collect();
        if let Some(((target, _), table)) = one.pairs(rate) {
            let of = |verdict| table.pairs.iter().filter(|pair| pair.verdict == verdict).count();
            let (different, open, all) = (of(Said::Different), of(Said::Undetermined), table.pairs.len());
            if different > 0 {
                say(format!(
                    "{name} by {column} at the threshold for FPIR {target}: {different} of {all} pairs of groups differ. See table 6."
                ));
            }
            if open > 0 {
                let seen = if together.is_empty() {
                    ""
                } else {
                    " All groups together, the same data do say that they differ."
                };
                say(format!(
                    "{name} by {column} at the threshold for FPIR {target}: {open} of {all} pairs of groups are undetermined. There the \
                     data are too few to say that these groups are treated alike, or that they are not.{seen}"
                ));
            }
        }
        if !together.is_empty() {
            say(format!(
                "{name} by {column} differs between groups at {} (all groups together; after Holm over {tests} such tests).",
                together.join(", and at ")
            ));
        }
    }
    said
}

fn together(at: &AtTarget, spread: &Spread) -> String {
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
