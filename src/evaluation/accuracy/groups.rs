//! Rates of groups side by side, and whether the counts can tell them apart or show them equivalent.
//!
//! The verdict about two groups is one of three. **Equivalent**: two one-sided tests (Schuirmann 1987) put the difference within
//! the margin that was declared beforehand. **Different**: a test of equality rejects it, and equivalence was not shown.
//! **Undetermined**: neither, which is what small counts give; it never means "no difference". Each of the two families of
//! p-values, one value for each pair of groups, is corrected by Holm's method.
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
use crate::evaluation::arithmetic::contingency::{Member, Permuted, fisher_exact, holm, permutation};
use crate::evaluation::arithmetic::intervals::{Coverage, Interval, Proportion, clopper_pearson_effective, wilson};
use crate::evaluation::arithmetic::ratios::{
    Counts, difference_equivalence, difference_interval, difference_test, ratio_equivalence, ratio_interval, ratio_test,
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
    /// Seed and number of the permutations of the test over all groups.
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
    /// P-value of equality: Fisher's exact test for independent searches, else on effective counts by the same distribution as
    /// the interval.
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
    /// One test of all groups together, by permuting subjects.
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
    let (interval, dependent, equivalence) = match margin {
        Margin::Factor(factor) => {
            (ratio_interval(a, b, Coverage::USUAL), ratio_test(a, b), ratio_equivalence(a, b, factor)?)
        }
        Margin::Difference(most) => {
            (difference_interval(a, b, Coverage::USUAL), difference_test(a, b), difference_equivalence(a, b, most)?)
        }
    };
    let independent = one.subjects.iter().chain(&other.subjects).all(|[_, trials]| *trials <= 1.0);
    let difference =
        if independent { fisher_exact(one.group.observed, other.group.observed) } else { dependent.min(1.0) };
    Ok((interval, difference, equivalence))
}

fn pairs(counted: &[Counted], declared: &Declared) -> Result<Vec<Pair>, EvaluationError> {
    let mut found = Vec::new();
    for (one, a) in counted.iter().enumerate() {
        for (other, b) in counted.iter().enumerate().skip(one + 1) {
            found.push((one, other, compare(a, b, declared.margin)?));
        }
    }
    let differences: Vec<f64> = found.iter().map(|(_, _, (_, p, _))| *p).collect();
    let equivalences: Vec<f64> = found.iter().map(|(_, _, (_, _, p))| *p).collect();
    let corrected = holm(&differences)?.into_iter().zip(holm(&equivalences)?);
    let pair = |((one, other, (interval, difference_p, equivalence_p)), (difference_p_holm, equivalence_p_holm))| {
        let verdict = if equivalence_p_holm < declared.level {
            Verdict::Equivalent
        } else if difference_p_holm < declared.level {
            Verdict::Different
        } else {
            Verdict::Undetermined
        };
        Pair { one, other, interval, difference_p, difference_p_holm, equivalence_p, equivalence_p_holm, verdict }
    };
    Ok(found.into_iter().zip(corrected).map(pair).collect())
}

/// Compares the groups of `column`, which gives for each search of the whole evaluation the number of its group in `names`, or
/// `None` where it is not known.
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
    let member = |(group, one): (usize, &Counted)| {
        let of = move |[events, trials]: &[f64; 2]| Member {
            group: group as u16,
            events: *events as u32,
            trials: *trials as u32,
        };
        one.subjects.iter().map(of).collect::<Vec<_>>()
    };
    let members: Vec<Member> = counted.iter().enumerate().flat_map(member).collect();
    let all_equal = permutation(&members, declared.resampling)?;
    let pairs = pairs(&counted, &declared)?;
    let verdict = if pairs.iter().any(|pair| pair.verdict == Verdict::Different) {
        Verdict::Different
    } else if pairs.iter().all(|pair| pair.verdict == Verdict::Equivalent) {
        Verdict::Equivalent
    } else {
        Verdict::Undetermined
    };
    let groups = counted.into_iter().map(|one| one.group).collect();
    Ok(Table { declared, groups, without, summary, all_equal, pairs, verdict })
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
