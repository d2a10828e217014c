//! Searches made by hand, searches read off a full matrix of scores, and what must not pass for a search.

use super::*;
use proptest::prelude::*;

/// Checked, in a gallery that is large enough, with lists of five.
pub(crate) fn trials(searches: Vec<Search>) -> Trials {
    Trials::new(1_000, 2_000, 5, searches).unwrap()
}

/// A mated search whose mate has this score and rank; those before it have 0.8 and a little.
pub(crate) fn mated(probe: u32, subject: u32, score: f32, rank: u32) -> Search {
    let before = (1..rank).map(|place| Candidate {
        subject: 20_000 + place,
        template: u64::from(place),
        score: 0.8 + 0.001 * (rank - 1 - place) as f32,
    });
    let mate = Candidate { subject, template: 100 + u64::from(subject), score };
    let candidates = before.chain([mate]).collect();
    let mate = Some(MateScore { score, rank: Some(rank) });
    Search { probe, subject, kind: Kind::Mated, extracted: true, mate_enrolled_failed: false, candidates, mate }
}

/// A non-mated search with these scores.
pub(crate) fn non_mated(probe: u32, subject: u32, scores: &[f32]) -> Search {
    let one =
        |(place, &score): (usize, &f32)| Candidate { subject: 20_000 + place as u32, template: place as u64, score };
    let candidates = scores.iter().enumerate().map(one).collect();
    let kind = Kind::NonMated;
    Search { probe, subject, kind, extracted: true, mate_enrolled_failed: false, candidates, mate: None }
}

/// Every score of every probe with every template.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    /// Subject of each template.
    pub(crate) templates: Vec<u32>,
    /// Subject of each probe, whether its mate was meant to be enrolled, whether the probe gave a template.
    pub(crate) probes: Vec<(u32, bool, bool)>,
    /// Row by row.
    pub(crate) scores: Vec<Vec<f32>>,
}

impl Matrix {
    pub(crate) fn enrolled(&self, subject: u32) -> bool {
        self.templates.contains(&subject)
    }

    /// The searches that a server with lists of `length` would have made.
    pub(crate) fn trials(&self, length: usize) -> Trials {
        let searches =
            self.probes.iter().zip(&self.scores).enumerate().map(|(probe, (&(subject, meant, extracted), row))| {
                let mut list: Vec<Candidate> = row
                    .iter()
                    .zip(&self.templates)
                    .enumerate()
                    .map(|(template, (&score, &subject))| Candidate { subject, template: template as u64, score })
                    .collect();
                list.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.template.cmp(&b.template)));
                let place = list.iter().position(|candidate| candidate.subject == subject);
                let rank = place.filter(|place| *place < length).map(|place| place as u32 + 1);
                let mate = place.map(|place| MateScore { score: list[place].score, rank }).filter(|_| extracted);
                list.truncate(if extracted { length } else { 0 });
                let kind = if meant || self.enrolled(subject) { Kind::Mated } else { Kind::NonMated };
                let mate_enrolled_failed = kind == Kind::Mated && !self.enrolled(subject);
                Search { probe: probe as u32, subject, kind, extracted, mate_enrolled_failed, candidates: list, mate }
            });
        let subjects = self.templates.iter().collect::<HashSet<_>>().len() as u64;
        Trials::new(subjects, self.templates.len() as u64, length as u32, searches.collect()).unwrap()
    }
}

/// Few subjects, few distinct scores: many ties, several probes and templates a subject, failures of each kind.
pub(crate) fn any_matrix() -> impl Strategy<Value = Matrix> {
    let probe = (0_u32..12, any::<bool>(), proptest::bool::weighted(0.85));
    let shape = (proptest::collection::vec(0_u32..8, 2..12), proptest::collection::vec(probe, 2..16));
    shape.prop_flat_map(|(templates, probes)| {
        let row = proptest::collection::vec((0_u8..20).prop_map(|step| f32::from(step) / 20.0), templates.len());
        proptest::collection::vec(row, probes.len()).prop_map(move |scores| {
            let mut matrix = Matrix { templates: templates.clone(), probes: probes.clone(), scores };
            // Whoever is meant to be enrolled is so in all searches.
            for probe in &mut matrix.probes {
                probe.1 = probe.0 % 3 == 0;
            }
            matrix
        })
    })
}

/// Searches with lists of three.
pub(crate) fn any_trials() -> impl Strategy<Value = Trials> {
    any_matrix().prop_map(|matrix| matrix.trials(3))
}

fn refused(change: impl Fn(&mut Search)) -> &'static str {
    let mut search = mated(7, 3, 0.5, 2);
    change(&mut search);
    match Trials::new(10, 10, 3, vec![non_mated(0, 0, &[0.1]), search]) {
        Err(EvaluationError::Search { index: 1, probe: 7, what }) => what,
        other => panic!("{other:?}"),
    }
}

#[test]
fn contradictions_are_refused_with_their_place() {
    assert!(refused(|search| search.candidates[0].score = f32::NAN).contains("finite"));
    assert!(refused(|search| search.candidates.swap(0, 1)).contains("order"));
    assert!(refused(|search| search.candidates[1].template = 1).contains("twice"));
    assert!(refused(|search| search.extracted = false).contains("extracted"));
    assert!(refused(|search| search.kind = Kind::NonMated).contains("non-mated"));
    assert!(refused(|search| search.mate = None).contains("no score"));
    assert!(refused(|search| search.mate_enrolled_failed = true).contains("enrol"));
    assert!(refused(|search| search.mate = Some(MateScore { score: 0.4, rank: Some(2) })).contains("listed"));
    assert!(refused(|search| search.mate = Some(MateScore { score: 0.5, rank: Some(1) })).contains("rank"));
    assert!(refused(|search| search.mate = Some(MateScore { score: f32::NAN, rank: Some(2) })).contains("finite"));
    let long = |search: &mut Search| search.candidates = non_mated(0, 0, &[0.4, 0.3, 0.2, 0.1]).candidates;
    assert!(refused(long).contains("long"));
}

#[test]
fn empty_and_impossible_evaluations_are_refused() {
    let one = || vec![non_mated(0, 0, &[])];
    assert!(matches!(Trials::new(0, 0, 3, one()), Err(EvaluationError::Empty(_))));
    assert!(matches!(Trials::new(1, 1, 3, Vec::new()), Err(EvaluationError::Empty(_))));
    assert!(matches!(Trials::new(5, 4, 3, one()), Err(EvaluationError::Figure { .. })));
    assert!(matches!(Trials::new(1, 1, 0, one()), Err(EvaluationError::Figure { .. })));
    assert!(matches!(Trials::new(1, 1, 1_001, one()), Err(EvaluationError::Figure { .. })));
    assert!(Threshold::new(f32::NAN).is_err());
    let trials = Trials::new(1, 1, 3, one()).unwrap();
    let rank = |rank| trials.view().check_rank(rank);
    assert_eq!(rank(Rank::Within(4)), Err(EvaluationError::RankBeyondList { rank: 4, list_length: 3 }));
    assert!(rank(Rank::Within(0)).is_err() && rank(Rank::Within(3)).is_ok() && rank(Rank::Any).is_ok());
}
