//! What dependent searches are worth. Several searches of one person say less than as many searches of different people, and
//! the same picture searched with twice says nothing new.
//!
//! n searches carry the claim that n / design effect independent ones would. The design effect is the larger of two figures:
//!
//! * the variance of the rate between people over the variance that independent searches would have (Rao and Scott 1992);
//! * the events a person of those who have any: sixty false positives of three people are three at most, whatever the variance
//!   comes out as. It also keeps the effect from being underestimated by chance where events are few.
//!
//! Both grow in step when every search is repeated, so repetition makes no claim stronger. Where nothing or everything was an
//! event, or all events are of one person, the data do not say how people's searches hang together: then people are counted,
//! not searches. With one search a person the effect is 1 and every figure is that of independent searches.

use serde::Serialize;

use super::trials::{Kind, Rank, Search, Threshold, View};
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::bootstrap::EVENTS_MIN;
use crate::evaluation::arithmetic::intervals::Proportion;

/// Events among searches, and how the searches hang together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Clustered {
    /// Events among searches.
    pub observed: Proportion,
    /// People behind the searches.
    pub subjects: u64,
    /// How many searches are worth one independent one; 1 or more.
    pub design_effect: f64,
}

impl Clustered {
    /// From each person's [events, searches].
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without a search, [`EvaluationError::Figure`] for more events than searches.
    pub fn of(subjects: &[[f64; 2]]) -> Result<Self, EvaluationError> {
        let [events, trials] = sums(subjects);
        let observed = Proportion::new(events as u64, trials as u64)?;
        Ok(Self { observed, subjects: subjects.len() as u64, design_effect: design_effect(subjects) })
    }

    /// Counts what `event` says over the searches of `view`; `None` leaves a search out.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] where none is left.
    pub fn count(view: &View, event: impl Fn(&Search) -> Option<bool>) -> Result<Self, EvaluationError> {
        let one = |_: usize, search: &Search| event(search).map(|event| [f64::from(u8::from(event)), 1.0]);
        Self::of(&view.by_subject(one).into_values().collect::<Vec<_>>())
    }

    /// FNIR(N, R, T) over the mated searches.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without one, [`EvaluationError::RankBeyondList`].
    pub fn fnir(view: &View, rank: Rank, threshold: Threshold) -> Result<Self, EvaluationError> {
        view.check_rank(rank)?;
        Self::count(view, |search| (search.kind == Kind::Mated).then(|| !search.hit(rank, threshold)))
    }

    /// FPIR(N, T) over the non-mated searches.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without one.
    pub fn fpir(view: &View, threshold: Threshold) -> Result<Self, EvaluationError> {
        Self::count(view, |search| (search.kind == Kind::NonMated).then(|| search.returns(threshold)))
    }

    /// Events counted.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.observed.events()
    }

    /// Searches counted.
    #[must_use]
    pub fn trials(&self) -> u64 {
        self.observed.trials()
    }

    /// Whether an interval may be made by drawing people anew: enough of the searches are events and enough are not, counted for
    /// what they are worth.
    #[must_use]
    pub fn is_varied(&self) -> bool {
        let rarer = self.events().min(self.trials() - self.events());
        rarer as f64 >= EVENTS_MIN as f64 * self.design_effect
    }

    /// Independent searches that these are worth.
    #[must_use]
    pub fn effective_trials(&self) -> f64 {
        self.observed.trials() as f64 / self.design_effect
    }
}

fn sums(subjects: &[[f64; 2]]) -> [f64; 2] {
    subjects.iter().fold([0.0, 0.0], |sums, [events, trials]| [sums[0] + events, sums[1] + trials])
}

/// Variance of a rate between subjects [events, searches] (linearised, n-1) over the binomial variance; not below 0, and below
/// 1 where subjects' searches differ more than independent ones would. `None` where there is no such estimate: fewer than two
/// subjects, or nothing or everything was an event.
#[must_use]
pub fn variance_ratio(subjects: &[[f64; 2]]) -> Option<f64> {
    let [events, trials] = sums(subjects);
    if events <= 0.0 || events >= trials || subjects.len() < 2 {
        return None;
    }
    let (count, rate) = (subjects.len() as f64, events / trials);
    let squares: f64 = subjects.iter().map(|[events, trials]| (events - rate * trials).powi(2)).sum();
    let between = squares * count / (count - 1.0) / (trials * trials);
    Some(between / (rate * (1.0 - rate) / trials))
}

/// The design effect of a rate over subjects [events, searches], as the top of this page has it. 1 without any search.
#[must_use]
pub fn design_effect(subjects: &[[f64; 2]]) -> f64 {
    if subjects.iter().all(|[_, trials]| *trials <= 1.0) {
        return 1.0;
    }
    let [events, trials] = sums(subjects);
    let with_events = subjects.iter().filter(|[events, _]| *events > 0.0).count();
    let searched = subjects.iter().filter(|[_, trials]| *trials > 0.0).count();
    let ratio = variance_ratio(subjects).filter(|_| with_events > 1).unwrap_or(trials / searched as f64);
    ratio.max(if with_events == 0 { 1.0 } else { events / with_events as f64 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::trials::tests::{any_trials, trials};
    use super::*;
    use crate::evaluation::arithmetic::intervals::{
        Coverage, clopper_pearson, clopper_pearson_effective, support, support_effective,
    };

    /// People with their events among their searches.
    fn any_people() -> impl Strategy<Value = Vec<[f64; 2]>> {
        let person = (1_u8..5)
            .prop_flat_map(|searches| (0..=searches).prop_map(move |events| [f64::from(events), f64::from(searches)]));
        let rarely = (1_u8..5).prop_map(|searches| [0.0, f64::from(searches)]);
        proptest::collection::vec(prop_oneof![1 => person, 3 => rarely], 1..400)
    }

    fn repeated(people: &[[f64; 2]], times: f64) -> Clustered {
        Clustered::of(&people.iter().map(|[events, searches]| [events * times, searches * times]).collect::<Vec<_>>())
            .unwrap()
    }

    proptest! {
        #[test]
        fn repeating_every_search_makes_no_claim_stronger(people in any_people(), times in 2_u32..30, limit in 0.001_f64..0.5) {
            let (once, often) = (repeated(&people, 1.0), repeated(&people, f64::from(times)));
            prop_assert!(often.effective_trials() <= once.effective_trials() * (1.0 + 1e-9), "{once:?} {often:?}");
            let interval = |of: &Clustered| clopper_pearson_effective(of.observed, of.design_effect, Coverage::USUAL).unwrap();
            let (narrow, wide) = (interval(&often), interval(&once));
            prop_assert!(narrow.low <= wide.low + 1e-9 && narrow.high >= wide.high - 1e-9, "{once:?} {often:?}");
            let held = |of: &Clustered| support_effective(of.observed, of.design_effect, limit).unwrap();
            prop_assert!(held(&once).rule.is_some() || held(&often).rule.is_none(), "{once:?} {often:?}");
            prop_assert!(held(&often).upper_bound >= held(&once).upper_bound - 1e-9);
        }

        #[test]
        fn one_search_a_person_gives_the_figures_of_independent_searches(events in 0_u64..60, others in 1_u64..4_000, limit in 0.001_f64..0.5) {
            let people: Vec<[f64; 2]> = (0..events + others).map(|person| [f64::from(u8::from(person < events)), 1.0]).collect();
            let found = Clustered::of(&people).unwrap();
            prop_assert_eq!((found.design_effect, found.subjects), (1.0, events + others));
            let interval = clopper_pearson_effective(found.observed, 1.0, Coverage::USUAL).unwrap();
            prop_assert_eq!(interval, clopper_pearson(found.observed, Coverage::USUAL));
            prop_assert_eq!(support_effective(found.observed, 1.0, limit).unwrap(), support(found.observed, limit).unwrap());
        }

        #[test]
        fn searches_are_worth_no_more_than_they_are_and_events_no_more_than_their_people(people in any_people()) {
            let found = repeated(&people, 1.0);
            let with_events = people.iter().filter(|[events, _]| *events > 0.0).count();
            prop_assert!(found.design_effect >= 1.0 && found.effective_trials() <= found.trials() as f64);
            prop_assert!(found.events() as f64 / found.design_effect <= with_events as f64 * (1.0 + 1e-12));
        }

        #[test]
        fn counts_are_those_of_the_rates(trials in any_trials(), score in 0.0_f32..1.0) {
            use super::super::rates::{fnir, fpir};
            let (view, threshold) = (trials.view(), Threshold::new(score).unwrap());
            prop_assert_eq!(Clustered::fpir(&view, threshold).map(|one| one.observed), fpir(&view, threshold));
            let rank = Rank::Within(2);
            prop_assert_eq!(Clustered::fnir(&view, rank, threshold).map(|one| one.observed), fnir(&view, rank, threshold));
        }
    }

    #[test]
    fn where_the_data_do_not_say_people_are_counted() {
        // Three hundred people searched for ten times each, none found: three hundred, not three thousand.
        let none = Clustered::of(&vec![[0.0, 10.0]; 300]).unwrap();
        assert_eq!((none.design_effect, none.trials()), (10.0, 3_000));
        assert!(support_effective(none.observed, none.design_effect, 0.01).unwrap().rule.is_some(), "299 are wanted");
        assert!(support_effective(none.observed, none.design_effect, 0.003).unwrap().rule.is_none(), "998 are wanted");
        assert!(support(none.observed, 0.003).unwrap().rule.is_some(), "as if they were independent");
        let mut one_person = vec![[0.0, 10.0]; 300];
        one_person[7] = [10.0, 10.0];
        assert_eq!(design_effect(&one_person), 10.0);
        assert_eq!(design_effect(&vec![[10.0, 10.0]; 300]), 10.0);
        assert!(matches!(Clustered::of(&[]), Err(EvaluationError::Empty(_))));
        assert!(matches!(
            Clustered::fpir(&trials(vec![super::super::trials::tests::mated(0, 0, 0.5, 1)]).view(), Threshold::NONE),
            Err(EvaluationError::Empty(_))
        ));
    }

    #[test]
    fn thirty_events_of_thirty_people_carry_what_thirty_of_three_do_not() {
        let people = |affected: usize, each: f64| -> Vec<[f64; 2]> {
            (0..1_000).map(|person| [if person < affected { each } else { 0.0 }, 10.0]).collect()
        };
        let rule = |people: &[[f64; 2]]| {
            let found = Clustered::of(people).unwrap();
            support_effective(found.observed, found.design_effect, 0.01).unwrap().rule
        };
        assert!(rule(&people(31, 1.0)).is_some());
        assert!(rule(&people(3, 10.0)).is_none());
        assert!(rule(&people(29, 2.0)).is_none(), "58 events, and 29 people");
    }
}
