//! Lines from scores to likelihood ratios, held against people who had no part in fitting them.
//!
//! The line that is reported is fitted to all comparisons: with the most data it is the best there is. How good it is can't be
//! seen on these very comparisons. So for each fold of people a line is fitted to all others, and each comparison gets the
//! likelihood ratio of the line that its person had no part in. Where there are too few people for that, figures are those of the
//! line on its own data, and are said to be.

use std::collections::BTreeSet;

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::calibration::{Fit, Logistic};
use crate::evaluation::accuracy::folds::{FOLDS, Folds};
use crate::evaluation::accuracy::likelihood::{Cost, Labelled, cost};
use crate::evaluation::accuracy::trials::{Search, View};
use crate::evaluation::results::FoldLine;

/// Fewest people with a mated comparison: below, a fold's line would follow single people.
pub(super) const PEOPLE_MIN: usize = 30;
/// Natural logarithms to decimal ones.
const TO_LOG10: f64 = std::f64::consts::LOG10_E;

/// Everybody's fold in the searches of `view`.
pub(super) fn folds(view: &View, seed: u64) -> Folds {
    Folds::deal(view.searches().map(|(_, search)| of_search(search)), seed)
}

/// A search as folds are dealt by.
#[must_use]
pub fn of_search(search: &Search) -> (u32, bool) {
    (search.subject, search.mate.is_some())
}

/// Scores of comparisons whose truth is known, each with the fold of the person searched for.
#[derive(Debug, Default)]
pub(super) struct Comparisons {
    mated: Vec<(f64, u8)>,
    non_mated: Vec<(f64, u8)>,
    people: BTreeSet<u32>,
}

/// A line, and how good it is.
pub(super) struct Fitted {
    /// Fitted to all.
    pub(super) line: Logistic,
    /// What each comparison's ratio is: of the line that its person had no part in, or else of `line`.
    pub(super) llrs: Labelled,
    /// How good those are.
    pub(super) cost: Cost,
    /// The line of each fold; empty where there are too few people.
    pub(super) folds: Vec<FoldLine>,
    /// How good `line` is on its own data.
    pub(super) in_sample: Cost,
}

impl Comparisons {
    /// A comparison of somebody with their own reference.
    pub(super) fn mated(&mut self, score: f32, subject: u32, fold: u8) {
        self.mated.push((f64::from(score), fold));
        self.people.insert(subject);
    }

    /// One with somebody else's.
    pub(super) fn non_mated(&mut self, score: f32, fold: u8) {
        self.non_mated.push((f64::from(score), fold));
    }

    /// Numbers of mated comparisons, of people behind them, and of non-mated ones.
    pub(super) fn counts(&self) -> [usize; 3] {
        [self.mated.len(), self.people.len(), self.non_mated.len()]
    }

    fn labelled(&self, keep: impl Fn(u8) -> bool) -> Result<Labelled, EvaluationError> {
        let kept = |of: &[(f64, u8)]| of.iter().filter(|(_, fold)| keep(*fold)).map(|(score, _)| *score).collect();
        Labelled::new(kept(&self.mated), kept(&self.non_mated))
    }

    /// Fits and tests.
    pub(super) fn fit(&self) -> Result<Fitted, EvaluationError> {
        let all = self.labelled(|_| true)?;
        let line = Logistic::fit(&all, Fit::default())?;
        let own = ratios(&line, &all)?;
        let in_sample = cost(&own);
        let crossed = if self.people.len() < PEOPLE_MIN { None } else { self.crossed().ok() };
        Ok(match crossed {
            Some((llrs, folds)) => Fitted { line, cost: cost(&llrs), llrs, folds, in_sample },
            None => Fitted { line, cost: in_sample, llrs: own, folds: Vec::new(), in_sample },
        })
    }

    /// Each fold by the line of the others. Fails where a fold has none of one kind, or where no line settles.
    fn crossed(&self) -> Result<(Labelled, Vec<FoldLine>), EvaluationError> {
        let (mut mated, mut non_mated, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for fold in 0..FOLDS {
            let line = Logistic::fit(&self.labelled(|other| other != fold)?, Fit::default())?;
            let tested = self.labelled(|own| own == fold)?;
            let found = ratios(&line, &tested)?;
            lines.push(FoldLine {
                slope: line.slope * TO_LOG10,
                offset: line.offset * TO_LOG10,
                bounds: (line.bounds.low, line.bounds.high),
                mated: tested.mated().len() as u64,
                non_mated: tested.non_mated().len() as u64,
            });
            mated.extend_from_slice(found.mated());
            non_mated.extend_from_slice(found.non_mated());
        }
        Ok((Labelled::new(mated, non_mated)?, lines))
    }
}

fn ratios(line: &Logistic, scores: &Labelled) -> Result<Labelled, EvaluationError> {
    let llr = |scores: &[f64]| scores.iter().map(|&score| line.llr(score)).collect();
    Labelled::new(llr(scores.mated()), llr(scores.non_mated()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::random::Stream;

    /// Mates score a deviation and a half above strangers, each person a little differently, ten times over.
    fn scores(people: u32, seed: u64) -> Comparisons {
        let folds = Folds::deal((0..people).map(|person| (person, true)), seed);
        let mut made = Comparisons::default();
        for person in 0..people {
            let mut stream = Stream::new(seed, u64::from(person));
            let fold = folds.of(person).unwrap();
            let own = 1.5 + 0.9 * stream.normal();
            (0..10).for_each(|_| made.mated(own + 0.4 * stream.normal(), person, fold));
            (0..10).for_each(|_| made.non_mated(stream.normal(), fold));
        }
        made
    }

    #[test]
    fn a_line_flatters_itself_on_its_own_data_and_not_on_other_people() {
        let others = scores(3_000, 999).labelled(|_| true).unwrap();
        let [mut own, mut crossed, mut truth] = [0.0; 3];
        for seed in 0..40 {
            let found = scores(30, seed).fit().unwrap();
            assert_eq!(found.folds.iter().map(|fold| (fold.mated, fold.non_mated)).collect::<Vec<_>>(), [(60, 60); 5]);
            own += found.in_sample.total / 40.0;
            crossed += found.cost.total / 40.0;
            truth += cost(&ratios(&found.line, &others).unwrap()).total / 40.0;
        }
        assert!(own + 0.005 < truth, "{own} on its own data, {truth} on three thousand others");
        assert!((crossed - truth).abs() < truth - own, "{crossed} by folds, {own} on its own data, {truth} on others");
    }

    #[test]
    fn with_few_people_figures_are_those_of_the_line_on_its_own_data() {
        let found = scores(29, 1).fit().unwrap();
        assert!(found.folds.is_empty() && found.cost == found.in_sample);
        assert_eq!(scores(30, 1).fit().unwrap().folds.len(), 5);
    }
}
