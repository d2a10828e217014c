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
    /// The line of each fold; empty where there are too few people, or a fold can't be judged by the others.
    pub(super) folds: Vec<FoldLine>,
    /// Why there are none.
    pub(super) not_crossed: Option<String>,
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
        Ok(match self.crossed() {
            Ok((llrs, folds)) => Fitted { line, cost: cost(&llrs), llrs, folds, not_crossed: None, in_sample },
            Err(why) => {
                Fitted { line, cost: in_sample, llrs: own, folds: Vec::new(), not_crossed: Some(why), in_sample }
            }
        })
    }

    /// Each fold by the line of the others, or why that can't be: too few people, a fold with none of one kind, no line that settles.
    fn crossed(&self) -> Result<(Labelled, Vec<FoldLine>), String> {
        let people = self.people.len();
        if people < PEOPLE_MIN {
            return Err(format!(
                "mated comparisons of {PEOPLE_MIN} people are wanted, and there were those of {people}"
            ));
        }
        let (mut mated, mut non_mated, mut lines) = (Vec::new(), Vec::new(), Vec::new());
        for (name, all) in [("mated", &self.mated), ("non-mated", &self.non_mated)] {
            if let Some(lacking) = (0..FOLDS).find(|fold| !all.iter().any(|(_, own)| own == fold)) {
                return Err(format!("fold {} of {FOLDS} has no {name} comparison", lacking + 1));
            }
        }
        for fold in 0..FOLDS {
            let number = fold + 1;
            let unfit =
                |error: EvaluationError| format!("no line could be fitted without fold {number} of {FOLDS}: {error}");
            let others = self.labelled(|other| other != fold).map_err(unfit)?;
            let line = Logistic::fit(&others, Fit::default()).map_err(unfit)?;
            let tested = self.labelled(|own| own == fold).map_err(unfit)?;
            let found = ratios(&line, &tested).map_err(unfit)?;
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
        Ok((Labelled::new(mated, non_mated).map_err(|error| error.to_string())?, lines))
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
        assert_eq!(found.not_crossed.unwrap(), "mated comparisons of 30 people are wanted, and there were those of 29");
        let enough = scores(30, 1).fit().unwrap();
        assert_eq!((enough.folds.len(), enough.not_crossed), (5, None));
    }

    #[test]
    fn a_fold_that_can_not_be_judged_says_which_and_why() {
        let mut lacking = scores(60, 1);
        lacking.non_mated.retain(|(_, fold)| *fold != 2);
        let found = lacking.fit().unwrap();
        assert!(found.folds.is_empty() && found.cost == found.in_sample);
        assert_eq!(found.not_crossed.unwrap(), "fold 3 of 5 has no non-mated comparison");
        // All scores but those of the first fold are equal.
        let mut level = scores(60, 1);
        let all = level.mated.iter_mut().chain(&mut level.non_mated);
        all.filter(|(_, fold)| *fold != 0).for_each(|(score, _)| *score = 0.5);
        let why = level.fit().unwrap().not_crossed.unwrap();
        assert!(
            why.starts_with("no line could be fitted without fold 1 of 5: ") && why.contains("all the same"),
            "{why}"
        );
    }
}
