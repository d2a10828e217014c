//! From what the records keep of a review to the machine's state.

use std::collections::HashMap;

use crate::base::ids::TemplateId;
use crate::casework::review::machine::{Case, Claim, Decided, Finding, Person, State};
use crate::gallery::Reference;
use crate::records::review::{DecisionRecord, ReviewRecord, SearchFacts};

/// A review with all that is needed to go on with it.
pub(super) struct Loaded {
    pub(super) record: ReviewRecord,
    pub(super) facts: SearchFacts,
    pub(super) references: HashMap<TemplateId, Reference>,
    pub(super) state: State,
    pub(super) case: Case,
}

/// The state at the moment `now` (RFC 3339, UTC, to the second, as all times of the records): claims that ran out are over.
///
/// # Errors
/// In words, where the records hold what the machine can't have written.
pub(super) fn state_of(record: &ReviewRecord, now: &str) -> Result<State, String> {
    let wrong = || format!("review {} is damaged: state {:?} does not go with its decisions", record.id, record.state);
    let decided = record.decisions.iter().map(decided).collect::<Option<Vec<_>>>().ok_or_else(wrong)?;
    let claim = record.claim.as_ref().map(|claim| Claim { by: Person(claim.by.clone()), seen: claim.seen.is_some() });
    let state = match (record.state.as_str(), decided.as_slice(), claim) {
        ("open", [], None) => State::Open,
        ("first", [], Some(claim)) => State::First(claim),
        ("awaiting_second", [first], None) => State::AwaitingSecond(first.clone()),
        ("second", [first], Some(claim)) => State::Second(first.clone(), claim),
        ("conflict", [first, second], None) => State::Conflict(first.clone(), second.clone()),
        ("third", [first, second], Some(claim)) => State::Third(first.clone(), second.clone(), claim),
        ("lead", all, None) => lead(all).ok_or_else(wrong)?,
        ("closed_negative", _, None) => State::ClosedNegative,
        ("closed_conflict", _, None) => State::ClosedConflict,
        ("withdrawn", _, None) => State::Withdrawn,
        _other => return Err(wrong()),
    };
    let ran_out = record.claim.as_ref().is_some_and(|claim| claim.until.as_str() <= now);
    Ok(if ran_out { state.lapsed() } else { state })
}

fn decided(decision: &DecisionRecord) -> Option<Decided> {
    let finding = Finding::parse(&decision.finding, decision.template)?;
    Some(Decided { by: Person(decision.person.clone()), finding })
}

/// The last to decide named the candidate of the lead, and one other did.
fn lead(all: &[Decided]) -> Option<State> {
    let candidate = all.last()?.finding.candidate()?;
    let (named, others): (Vec<&Decided>, Vec<&Decided>) =
        all.iter().partition(|decided| decided.finding.candidate() == Some(candidate));
    match (named.as_slice(), others.as_slice()) {
        ([one, other], rest) if one.by != other.by && rest.len() <= 1 => Some(State::Lead {
            candidate,
            named_by: [one.by.clone(), other.by.clone()],
            dissent: rest.first().map(|decided| decided.by.clone()),
        }),
        _other => None,
    }
}
