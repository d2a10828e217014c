//! The searches of an evaluation and what came of them: what every figure is computed from.
//!
//! Attributes of probes (type, group, quality) are columns beside the searches, one value for each; a [`View`] is a part of the
//! searches by their numbers.

use std::collections::{BTreeMap, HashSet};

use serde::Serialize;

use crate::base::limits::{CANDIDATES_MAX, EVALUATION_SEARCHES_MAX};
use crate::evaluation::EvaluationError;

/// Whether the probe's subject is in the gallery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The subject is enrolled, or was meant to be.
    Mated,
    /// The subject is not.
    NonMated,
}

/// An entry of a candidate list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Candidate {
    /// Number of the reference's subject.
    pub subject: u32,
    /// Template id.
    pub template: u64,
    /// Comparison score.
    pub score: f32,
}

/// The best comparison of a mated search with its mate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MateScore {
    /// Best comparison score with any reference of the mate, listed or not.
    pub score: f32,
    /// Place of the mate's first reference in the list, from 1; `None` beyond it.
    pub rank: Option<u32>,
}

/// One search.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Number of the probe.
    pub probe: u32,
    /// Number of the probe's subject.
    pub subject: u32,
    /// Whether that subject is in the gallery.
    pub kind: Kind,
    /// `false`: failure to extract. A miss when mated, no candidate when not.
    pub extracted: bool,
    /// The mate could not be enrolled: a miss, whatever is found.
    pub mate_enrolled_failed: bool,
    /// Best first, equal scores by template id, at most as many as the lists are long.
    pub candidates: Vec<Candidate>,
    /// `None` where there is none, or where an approximate search did not come by it: a miss.
    pub mate: Option<MateScore>,
}

/// The score from which on a candidate counts.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Threshold(f32);

impl Threshold {
    /// No threshold: every candidate counts (NIST's T = 0, investigation).
    pub const NONE: Self = Self(f32::NEG_INFINITY);

    /// A threshold; candidates with this very score count.
    ///
    /// # Errors
    /// [`EvaluationError::Figure`] for NaN.
    pub fn new(score: f32) -> Result<Self, EvaluationError> {
        if score.is_nan() {
            return Err(EvaluationError::Figure { what: "a threshold", found: f64::NAN, wanted: "a number is needed" });
        }
        Ok(Self(score))
    }

    /// The score.
    #[must_use]
    pub fn get(self) -> f32 {
        self.0
    }
}

/// How far down a list an examiner looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Rank {
    /// The first so many candidates.
    Within(u32),
    /// Everything above the threshold, however many (NIST's R = N, identification). Needs no list: the mate's score is known.
    Any,
}

impl Search {
    /// Whether the mate was found: rank and score both.
    #[must_use]
    pub fn hit(&self, rank: Rank, threshold: Threshold) -> bool {
        let ranked = |mate: &MateScore| match rank {
            Rank::Any => true,
            Rank::Within(most) => mate.rank.is_some_and(|rank| rank <= most),
        };
        self.mate.is_some_and(|mate| mate.score >= threshold.get() && ranked(&mate))
    }

    /// The highest score of the list.
    #[must_use]
    pub fn top_score(&self) -> Option<f32> {
        self.candidates.first().map(|candidate| candidate.score)
    }

    /// Whether any candidate counts.
    #[must_use]
    pub fn returns(&self, threshold: Threshold) -> bool {
        self.top_score().is_some_and(|score| score >= threshold.get())
    }

    /// How many candidates count.
    #[must_use]
    pub fn returned(&self, threshold: Threshold) -> usize {
        self.candidates.partition_point(|candidate| candidate.score >= threshold.get())
    }

    fn check(&self, list_length: u32) -> Result<(), &'static str> {
        let list = &self.candidates;
        if list.len() > list_length as usize {
            return Err("more candidates than the lists are long");
        }
        if list.iter().any(|candidate| !candidate.score.is_finite()) {
            return Err("a score that is not a finite number");
        }
        let ordered = |two: &[Candidate]| {
            two[0].score > two[1].score || (two[0].score == two[1].score && two[0].template < two[1].template)
        };
        if !list.windows(2).all(ordered) {
            return Err("candidates out of order: best first, equal scores by template id");
        }
        let mut seen = HashSet::with_capacity(list.len());
        if !list.iter().all(|candidate| seen.insert(candidate.template)) {
            return Err("a template that is listed twice");
        }
        if !self.extracted && (!list.is_empty() || self.mate.is_some()) {
            return Err("no template was extracted, and yet there are scores");
        }
        self.check_mate()
    }

    fn check_mate(&self) -> Result<(), &'static str> {
        let listed = self.candidates.iter().position(|candidate| candidate.subject == self.subject);
        match (self.kind, self.mate) {
            (Kind::NonMated, Some(_)) => Err("non-mated, and yet it has a mate"),
            (Kind::NonMated, None) if self.mate_enrolled_failed => Err("non-mated, and yet its mate failed to enrol"),
            (Kind::NonMated, None) if listed.is_some() => Err("non-mated, and yet its subject is a candidate"),
            (Kind::Mated, _) if self.mate_enrolled_failed && (self.mate.is_some() || listed.is_some()) => {
                Err("its mate failed to enrol, and yet was compared with")
            }
            (Kind::Mated, None) if listed.is_some() => Err("its mate is a candidate, and yet has no score"),
            (Kind::Mated, Some(mate)) => self.check_mate_score(mate, listed),
            (Kind::Mated | Kind::NonMated, None) => Ok(()),
        }
    }

    fn check_mate_score(&self, mate: MateScore, listed: Option<usize>) -> Result<(), &'static str> {
        if !mate.score.is_finite() {
            return Err("a mate's score that is not a finite number");
        }
        if mate.rank.map(|rank| rank as usize) != listed.map(|place| place + 1) {
            return Err("the mate's rank is not its place in the list");
        }
        let score = listed.and_then(|place| self.candidates.get(place)).map(|candidate| candidate.score);
        if score.is_some_and(|score| score != mate.score) {
            return Err("the mate's score is not the listed one");
        }
        Ok(())
    }
}

/// All searches of an evaluation against one gallery, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Trials {
    enrolled_subjects: u64,
    enrolled_templates: u64,
    list_length: u32,
    searches: Vec<Search>,
}

impl Trials {
    /// Takes searches that do not contradict themselves.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] without searches, subjects or templates, [`EvaluationError::Figure`] for fewer templates than
    /// subjects or a list length out of range, [`EvaluationError::TooMany`], [`EvaluationError::Search`] with the first
    /// contradiction.
    pub fn new(
        enrolled_subjects: u64,
        enrolled_templates: u64,
        list_length: u32,
        searches: Vec<Search>,
    ) -> Result<Self, EvaluationError> {
        if enrolled_subjects == 0 {
            return Err(EvaluationError::Empty("enrolled subjects"));
        }
        if searches.is_empty() {
            return Err(EvaluationError::Empty("searches"));
        }
        if enrolled_templates < enrolled_subjects {
            let found = enrolled_templates as f64;
            let wanted = "at least one a subject";
            return Err(EvaluationError::Figure { what: "the number of enrolled templates", found, wanted });
        }
        if list_length == 0 || list_length as usize > CANDIDATES_MAX {
            let found = f64::from(list_length);
            return Err(EvaluationError::Figure { what: "the list length", found, wanted: "from 1 to 1,000" });
        }
        if searches.len() > EVALUATION_SEARCHES_MAX {
            let found = searches.len();
            return Err(EvaluationError::TooMany { what: "searches", found, most: EVALUATION_SEARCHES_MAX });
        }
        for (index, search) in searches.iter().enumerate() {
            let probe = search.probe;
            search.check(list_length).map_err(|what| EvaluationError::Search { index, probe, what })?;
        }
        Ok(Self { enrolled_subjects, enrolled_templates, list_length, searches })
    }

    /// Subjects in the gallery.
    #[must_use]
    pub fn enrolled_subjects(&self) -> u64 {
        self.enrolled_subjects
    }

    /// Templates in the gallery: comparisons of one search.
    #[must_use]
    pub fn enrolled_templates(&self) -> u64 {
        self.enrolled_templates
    }

    /// Longest candidate list.
    #[must_use]
    pub fn list_length(&self) -> u32 {
        self.list_length
    }

    /// The searches in their order.
    #[must_use]
    pub fn searches(&self) -> &[Search] {
        &self.searches
    }

    /// All searches.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { trials: self, numbers: (0..self.searches.len()).collect() }
    }
}

/// A part of the searches, by their numbers.
#[derive(Debug, Clone)]
pub struct View<'a> {
    trials: &'a Trials,
    numbers: Vec<usize>,
}

impl<'a> View<'a> {
    /// Those of this part for which `keep` says so, given number and search.
    #[must_use]
    pub fn filter(&self, mut keep: impl FnMut(usize, &Search) -> bool) -> Self {
        let numbers = self.searches().filter(|(number, search)| keep(*number, search)).map(|(number, _)| number);
        Self { trials: self.trials, numbers: numbers.collect() }
    }

    /// The whole that this is a part of.
    #[must_use]
    pub fn trials(&self) -> &'a Trials {
        self.trials
    }

    /// Numbers and searches.
    pub fn searches(&self) -> impl Iterator<Item = (usize, &'a Search)> {
        let trials = self.trials;
        self.numbers.iter().filter_map(move |&number| Some((number, trials.searches.get(number)?)))
    }

    /// The mated searches.
    pub fn mated(&self) -> impl Iterator<Item = &'a Search> {
        self.searches().map(|(_, search)| search).filter(|search| search.kind == Kind::Mated)
    }

    /// The non-mated searches.
    pub fn non_mated(&self) -> impl Iterator<Item = &'a Search> {
        self.searches().map(|(_, search)| search).filter(|search| search.kind == Kind::NonMated)
    }

    /// Refuses ranks that the lists do not reach, and rank 0.
    ///
    /// # Errors
    /// [`EvaluationError::RankBeyondList`], [`EvaluationError::Figure`].
    pub fn check_rank(&self, rank: Rank) -> Result<(), EvaluationError> {
        let list_length = self.trials.list_length;
        match rank {
            Rank::Within(0) => Err(EvaluationError::Figure { what: "a rank", found: 0.0, wanted: "1 or more" }),
            Rank::Within(rank) if rank > list_length => Err(EvaluationError::RankBeyondList { rank, list_length }),
            Rank::Any | Rank::Within(_) => Ok(()),
        }
    }

    /// Sums over each subject's searches, in order of subject; `of` says what a search adds, `None` leaves it out.
    #[must_use]
    pub fn by_subject<const K: usize>(
        &self,
        mut of: impl FnMut(usize, &Search) -> Option<[f64; K]>,
    ) -> BTreeMap<u32, [f64; K]> {
        let mut subjects = BTreeMap::new();
        for (number, search) in self.searches() {
            let Some(added) = of(number, search) else { continue };
            let sums = subjects.entry(search.subject).or_insert([0.0; K]);
            sums.iter_mut().zip(added).for_each(|(sum, value)| *sum += value);
        }
        subjects
    }
}

#[cfg(test)]
pub(crate) mod tests;
