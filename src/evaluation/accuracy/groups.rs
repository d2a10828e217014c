//! Rates of groups side by side, and whether the counts can tell them apart or show them equivalent.
//!
//! The verdict about two groups is one of three. **Equivalent**: two one-sided tests (Schuirmann 1987) put the difference within
//! the margin that was declared beforehand. **Different**: a test of equality rejects it, and equivalence was not shown.
//! **Undetermined**: neither, which is what small counts give; it never means "no difference". Each of the two families of
//! p-values, one value for each pair of groups, is corrected by Holm's method; [`correct_together`] does so over several tables,
//! which are one family when one report draws conclusions from all of them.
//!
//! Several searches of a subject are not independent. Counts of such groups are divided by a design effect before tests and
//! intervals ([`dependence`](super::dependence)).

use serde::Serialize;

use super::dependence::Clustered;
use super::summaries::{Summary, summary};
use super::trials::{Kind, Rank, Search, Threshold, View};
use crate::base::limits::EVALUATION_GROUPS_MAX;
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::bootstrap::Resampling;
use crate::evaluation::arithmetic::contingency::{Member, Permuted, fisher_exact, holm, permutation_at_most};
use crate::evaluation::arithmetic::intervals::{Coverage, Interval, Proportion, clopper_pearson_effective, wilson};
use crate::evaluation::arithmetic::ratios::{
    Counts, Statistic, difference_equivalence, difference_interval, difference_test,
};

/// The rate that is compared.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// FNIR(N, R, T) over mated searches.
    Fnir {
        /// R.
        rank: Rank,
        /// T.
        threshold: Threshold,
    },
    /// FPIR(N, T) over non-mated searches.
    Fpir {
        /// T.
        threshold: Threshold,
    },
}

impl Measure {
    fn event(&self, search: &Search) -> Option<bool> {
        match (*self, search.kind) {
            (Self::Fnir { rank, threshold }, Kind::Mated) => Some(!search.hit(rank, threshold)),
            (Self::Fpir { threshold }, Kind::NonMated) => Some(search.returns(threshold)),
            (Self::Fnir { .. }, Kind::NonMated) | (Self::Fpir { .. }, Kind::Mated) => None,
        }
    }
}

/// How far apart two rates may be and count as equivalent; to be declared before looking.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Margin {
    /// Their ratio lies within 1/factor to factor: for FPIR, two.
    Factor(f64),
    /// Their difference lies within plus or minus so much: for FNIR, 0.05 or 0.02.
    Difference(f64),
}

/// What was declared beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Declared {
    /// The rate.
    pub measure: Measure,
    /// The margin.
    pub margin: Margin,
    /// Level of the tests after correction, usually 0.05.
    pub level: f64,
    /// Seed and greatest number of the permutations of the test over all groups.
    pub resampling: Resampling,
}

/// What the counts say of two groups, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Within the margin.
    Equivalent,
    /// Not the same, and not shown to be within the margin.
    Different,
    /// The counts say neither.
    Undetermined,
}

/// One group.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// Subjects with searches of this kind.
    pub subjects: usize,
    /// Events of searches.
    pub observed: Proportion,
    /// How many dependent searches are worth one.
    pub design_effect: f64,
    /// Wilson's interval, as if searches were independent: for display.
    pub wilson: Interval,
    /// Clopper and Pearson's, on the effective counts: for claims.
    pub exact: Interval,
}

/// Two groups.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pair {
    /// Number of the first group in the table.
    pub one: usize,
    /// Number of the other.
    pub other: usize,
    /// 95 % interval of rate(one) / rate(other), or of their difference, as the margin is declared. Not corrected for the number
    /// of pairs.
    pub interval: Interval,
    /// P-value of equality, on effective counts and by the statistic of the interval.
    pub difference_p: f64,
    /// The same after Holm's correction.
    pub difference_p_holm: f64,
    /// P-value of "outside the margin".
    pub equivalence_p: f64,
    /// The same after Holm's correction.
    pub equivalence_p_holm: f64,
    /// What follows.
    pub verdict: Verdict,
}

/// Groups, their pairs, and all of them together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Table {
    /// What was declared.
    pub declared: Declared,
    /// The groups that have searches of this kind, in the order of their names as given.
    pub groups: Vec<Group>,
    /// Names of groups without any.
    pub without: Vec<String>,
    /// NIST's ratios of the counted rates.
    pub summary: Summary,
    /// One test of all groups together, by permuting subjects; not corrected.
    pub all_equal: Permuted,
    /// Every pair.
    pub pairs: Vec<Pair>,
    /// Equivalent where all pairs are, different where any pair is, else undetermined.
    pub verdict: Verdict,
}

/// A group with its subjects' sums and its counts for tests.
struct Counted {
    group: Group,
    subjects: Vec<[f64; 2]>,
    effective: Counts,
}

fn count(view: &View, declared: &Declared, name: &str) -> Result<Option<Counted>, EvaluationError> {
    let one = |_: usize, search: &Search| declared.measure.event(search).map(|event| [f64::from(u8::from(event)), 1.0]);
    let subjects: Vec<[f64; 2]> = view.by_subject(one).into_values().collect();
    if subjects.is_empty() {
        return Ok(None);
    }
    let Clustered { observed, design_effect, .. } = Clustered::of(&subjects)?;
    let group = Group {
        name: name.to_owned(),
        subjects: subjects.len(),
        observed,
        design_effect,
        wilson: wilson(observed, Coverage::USUAL),
        exact: clopper_pearson_effective(observed, design_effect, Coverage::USUAL)?,
    };
    Ok(Some(Counted { group, subjects, effective: Counts::new(observed, design_effect)? }))
}

fn compare(one: &Counted, other: &Counted, margin: Margin) -> Result<(Interval, f64, f64), EvaluationError> {
    let (a, b) = (one.effective, other.effective);
    let (interval, difference, equivalence) = match margin {
        Margin::Factor(factor) => {
            let by = Statistic::fit_for(a, b);
            (by.interval(a, b, Coverage::USUAL), by.test(a, b), by.equivalence(a, b, factor)?)
        }
        Margin::Difference(most) => {
            (difference_interval(a, b, Coverage::USUAL), difference_test(a, b), difference_equivalence(a, b, most)?)
        }
    };
    Ok((interval, difference.min(1.0), equivalence.min(1.0)))
}

fn pairs(counted: &[Counted], declared: &Declared) -> Result<Vec<Pair>, EvaluationError> {
    let mut found = Vec::new();
    for (one, a) in counted.iter().enumerate() {
        for (other, b) in counted.iter().enumerate().skip(one + 1) {
            found.push((one, other, compare(a, b, declared.margin)?));
        }
    }
    let pair = |(one, other, (interval, difference_p, equivalence_p))| Pair {
        one,
        other,
        interval,
        difference_p,
        difference_p_holm: difference_p,
        equivalence_p,
        equivalence_p_holm: equivalence_p,
        verdict: Verdict::Undetermined,
    };
    Ok(found.into_iter().map(pair).collect())
}

/// Corrects the p-values of all pairs of `tables` as one family of comparisons, by Holm, and says what follows.
///
/// # Errors
/// [`EvaluationError::Figure`] for what is no p-value.
pub fn correct_together(tables: &mut [&mut Table]) -> Result<(), EvaluationError> {
    let all = |p: fn(&Pair) -> f64| tables.iter().flat_map(|table| &table.pairs).map(p).collect::<Vec<f64>>();
    let (differences, equivalences) = (all(|pair| pair.difference_p), all(|pair| pair.equivalence_p));
    let mut corrected = holm(&differences)?.into_iter().zip(holm(&equivalences)?);
    for table in tables {
        let level = table.declared.level;
        for (pair, (difference, equivalence)) in table.pairs.iter_mut().zip(&mut corrected) {
            (pair.difference_p_holm, pair.equivalence_p_holm) = (difference, equivalence);
            pair.verdict = match (equivalence < level, difference < level) {
                (true, _) => Verdict::Equivalent,
                (false, true) => Verdict::Different,
                (false, false) => Verdict::Undetermined,
            };
        }
        table.verdict = over_all(&table.pairs);
    }
    Ok(())
}

fn over_all(pairs: &[Pair]) -> Verdict {
    if pairs.iter().any(|pair| pair.verdict == Verdict::Different) {
        Verdict::Different
    } else if pairs.iter().all(|pair| pair.verdict == Verdict::Equivalent) {
        Verdict::Equivalent
    } else {
        Verdict::Undetermined
    }
}

/// One test of all groups together: for two groups of people searched for once each it is Fisher's, without drawing lots.
fn all_equal(counted: &[Counted], resampling: Resampling) -> Result<Permuted, EvaluationError> {
    let alone = |one: &Counted| one.subjects.iter().all(|[_, trials]| *trials <= 1.0);
    if let [one, other] = counted
        && alone(one)
        && alone(other)
    {
        let p_value = fisher_exact(one.group.observed, other.group.observed);
        return Ok(Permuted { p_value, uncertainty: Interval { low: p_value, high: p_value }, permutations: 0 });
    }
    let member = |(group, one): (usize, &Counted)| {
        let of = move |[events, trials]: &[f64; 2]| Member {
            group: group as u16,
            events: *events as u32,
            trials: *trials as u32,
        };
        one.subjects.iter().map(of).collect::<Vec<_>>()
    };
    let members: Vec<Member> = counted.iter().enumerate().flat_map(member).collect();
    permutation_at_most(&members, resampling)
}

/// Compares the groups of `column`, which gives for each search of the whole evaluation the number of its group in `names`, or
/// `None` where it is not known. The table's own pairs are the family; see [`correct_together`].
///
/// # Errors
/// [`EvaluationError::Empty`] where fewer than two groups have searches of the kind, [`EvaluationError::TooMany`] groups,
/// [`EvaluationError::NotPaired`] for a column of another length or with a group that has no name, and
/// [`EvaluationError::Figure`] for margins and levels that are none.
pub fn table(
    view: &View,
    column: &[Option<u16>],
    names: &[String],
    declared: Declared,
) -> Result<Table, EvaluationError> {
    check(view, column, names, &declared)?;
    let (mut counted, mut without) = (Vec::new(), Vec::new());
    for (number, name) in names.iter().enumerate() {
        let part = view.filter(|search, _| column.get(search).copied().flatten().map(usize::from) == Some(number));
        match count(&part, &declared, name)? {
            Some(group) => counted.push(group),
            None => without.push(name.clone()),
        }
    }
    let rates: Vec<f64> = counted.iter().map(|one| one.group.observed.rate()).collect();
    let summary = summary(&rates)?;
    let all_equal = all_equal(&counted, declared.resampling)?;
    let pairs = pairs(&counted, &declared)?;
    let groups = counted.into_iter().map(|one| one.group).collect();
    let verdict = Verdict::Undetermined;
    let mut table = Table { declared, groups, without, summary, all_equal, pairs, verdict };
    correct_together(&mut [&mut table])?;
    Ok(table)
}

fn check(view: &View, column: &[Option<u16>], names: &[String], declared: &Declared) -> Result<(), EvaluationError> {
    if names.len() > EVALUATION_GROUPS_MAX {
        return Err(EvaluationError::TooMany { what: "groups", found: names.len(), most: EVALUATION_GROUPS_MAX });
    }
    let searches = view.trials().searches().len();
    if column.len() != searches {
        return Err(EvaluationError::NotPaired(format!("{} groups of {searches} searches", column.len())));
    }
    if let Some(unnamed) = column.iter().flatten().find(|group| usize::from(**group) >= names.len()) {
        return Err(EvaluationError::NotPaired(format!("group {unnamed} of {} names", names.len())));
    }
    if !(declared.level > 0.0 && declared.level < 1.0) {
        let (what, wanted) = ("the level of the tests", "between 0 and 1, exclusive");
        return Err(EvaluationError::Figure { what, found: declared.level, wanted });
    }
    match declared.measure {
        Measure::Fnir { rank, .. } => view.check_rank(rank),
        Measure::Fpir { .. } => Ok(()),
    }
}

#[cfg(test)]
mod tests;
