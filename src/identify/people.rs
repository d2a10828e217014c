//! From templates to people: a candidate list names each person once, by their best-scoring reference.

use std::collections::{HashMap, HashSet};

use crate::base::ids::{SubjectRef, TemplateId};
use crate::gallery::Reference;
use crate::vector::topk::Scored;

/// A person on a candidate list: a lead for an examiner to look at, never an identification.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Place on the list, from 1.
    pub rank: usize,
    /// Comparison score of the best reference: cosine, from -1 to 1.
    pub score: f32,
    /// The best reference.
    pub template: TemplateId,
    /// Where it came from.
    pub reference: Reference,
    /// How many more references of this person scored well enough to be looked at; at least this many exist.
    pub more_references: usize,
}

/// The best `people` persons of `scored`, which is in rank order, leaving out scores below `threshold`. Templates without a
/// reference were erased since the scoring and are passed over.
#[must_use]
pub fn best_per_person(
    scored: &[Scored],
    references: &HashMap<TemplateId, Reference>,
    people: usize,
    threshold: Option<f32>,
) -> Vec<Candidate> {
    let mut places: HashMap<&SubjectRef, usize> = HashMap::new();
    let mut list: Vec<Candidate> = Vec::new();
    for one in scored.iter().take_while(|one| threshold.is_none_or(|threshold| one.score >= threshold)) {
        let Some(reference) = references.get(&one.id) else { continue };
        if let Some(candidate) = places.get(&reference.subject).and_then(|&place| list.get_mut(place)) {
            candidate.more_references += 1;
        } else if list.len() < people {
            places.insert(&reference.subject, list.len());
            let (rank, reference) = (list.len() + 1, reference.clone());
            list.push(Candidate { rank, score: one.score, template: one.id, reference, more_references: 0 });
        }
    }
    list
}

/// How many different persons `scored` shows.
#[must_use]
pub fn count_people(scored: &[Scored], references: &HashMap<TemplateId, Reference>) -> usize {
    let subjects = scored.iter().filter_map(|one| references.get(&one.id));
    subjects.map(|reference| &reference.subject).collect::<HashSet<_>>().len()
}
