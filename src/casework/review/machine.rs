//! The review of a candidate list as a machine of states: what may be done next, by whom. Pure: no clock, no data base, no
//! names of subjects. That a lead takes two people who looked independently is decided here and nowhere else.
//!
//! open -> first -> awaiting second -> second -> lead, or conflict -> third -> lead, or a closed end.

use std::fmt;

use crate::base::ids::TemplateId;
use crate::policy::{Role, Roles};

/// Somebody who acts, by the name that the audit log has: that of a user, or of an account of the operating system where
/// there are no users. No two people have one name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Person(pub String);

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who acts, and what they are to the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub person: Person,
    /// Their roles.
    pub roles: Roles,
}

/// What somebody decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// The probe may show the person of this candidate.
    Possible(TemplateId),
    /// It shows nobody of the list.
    Exclusion,
    /// It can't be said.
    Inconclusive,
    /// The picture is not fit for a comparison by people.
    NotSuitable,
}

impl Finding {
    /// The candidate that is named, if one is.
    #[must_use]
    pub fn candidate(self) -> Option<TemplateId> {
        match self {
            Self::Possible(candidate) => Some(candidate),
            Self::Exclusion | Self::Inconclusive | Self::NotSuitable => None,
        }
    }

    /// The word for it in records, flags and the audit log.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Possible(_) => "possible_identification",
            Self::Exclusion => "exclusion",
            Self::Inconclusive => "inconclusive",
            Self::NotSuitable => "not_suitable",
        }
    }

    /// From the word and the candidate, which belong together.
    #[must_use]
    pub fn parse(word: &str, candidate: Option<TemplateId>) -> Option<Self> {
        match (word, candidate) {
            ("possible_identification", Some(candidate)) => Some(Self::Possible(candidate)),
            ("exclusion", None) => Some(Self::Exclusion),
            ("inconclusive", None) => Some(Self::Inconclusive),
            ("not_suitable", None) => Some(Self::NotSuitable),
            _other => None,
        }
    }
}

/// A decision: who, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Who.
    pub by: Person,
    /// What.
    pub finding: Finding,
}

/// Somebody who has taken a review to decide it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Who.
    pub by: Person,
    /// Whether they were shown the candidates since.
    pub seen: bool,
}

/// Where a review stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Nobody has taken it.
    Open,
    /// The first has.
    First(Claim),
    /// The first decided, and a second is wanted.
    AwaitingSecond(Decided),
    /// The second has taken it.
    Second(Decided, Claim),
    /// The two disagree.
    Conflict(Decided, Decided),
    /// A third has taken it.
    Third(Decided, Decided, Claim),
    /// Two people named the same candidate.
    Lead {
        /// Which.
        candidate: TemplateId,
        /// Who named it.
        named_by: [Person; 2],
        /// Who did not, where there was a third.
        dissent: Option<Person>,
    },
    /// Nobody was named.
    ClosedNegative,
    /// Three looked, and no two named the same candidate.
    ClosedConflict,
    /// Somebody took it back.
    Withdrawn,
}

impl State {
    /// The word for it in records and on screens.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::First(_) => "first",
            Self::AwaitingSecond(_) => "awaiting_second",
            Self::Second(..) => "second",
            Self::Conflict(..) => "conflict",
            Self::Third(..) => "third",
            Self::Lead { .. } => "lead",
            Self::ClosedNegative => "closed_negative",
            Self::ClosedConflict => "closed_conflict",
            Self::Withdrawn => "withdrawn",
        }
    }

    /// The words for all states.
    pub const WORDS: [&'static str; 10] = [
        "open",
        "first",
        "awaiting_second",
        "second",
        "conflict",
        "third",
        "lead",
        "closed_negative",
        "closed_conflict",
        "withdrawn",
    ];

    /// The word that is meant.
    ///
    /// # Errors
    /// The words that there are.
    pub fn word(said: &str) -> Result<&'static str, String> {
        let found = Self::WORDS.into_iter().find(|word| *word == said);
        found.ok_or_else(|| format!("states are {}", Self::WORDS.join(", ")))
    }

    /// Who has taken it, if anybody has.
    #[must_use]
    pub fn claim(&self) -> Option<&Claim> {
        match self {
            Self::First(claim) | Self::Second(_, claim) | Self::Third(_, _, claim) => Some(claim),
            Self::Open
            | Self::AwaitingSecond(_)
            | Self::Conflict(..)
            | Self::Lead { .. }
            | Self::ClosedNegative
            | Self::ClosedConflict
            | Self::Withdrawn => None,
        }
    }

    /// Whether nothing more will be decided.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self {
            Self::Lead { .. } | Self::ClosedNegative | Self::ClosedConflict | Self::Withdrawn => true,
            Self::Open
            | Self::First(_)
            | Self::AwaitingSecond(_)
            | Self::Second(..)
            | Self::Conflict(..)
            | Self::Third(..) => false,
        }
    }

    /// The same without the claim, which has run out.
    #[must_use]
    pub fn lapsed(self) -> Self {
        match self {
            Self::First(_) => Self::Open,
            Self::Second(first, _) => Self::AwaitingSecond(first),
            Self::Third(first, second, _) => Self::Conflict(first, second),
            other @ (Self::Open
            | Self::AwaitingSecond(_)
            | Self::Conflict(..)
            | Self::Lead { .. }
            | Self::ClosedNegative
            | Self::ClosedConflict
            | Self::Withdrawn) => other,
        }
    }
}

/// What is fixed about a review while it goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The candidates.
    pub candidates: Vec<TemplateId>,
    /// Who asked for the search and who handed the picture in: at most one of the two who carry a lead may be among them.
    pub interested: Vec<Person>,
    /// Who has decided so far.
    pub decided: Vec<Person>,
    /// Whether a first decision that names nobody goes to a second person.
    pub verify_negative: bool,
}

/// What somebody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Take it, to decide it. By the same person again: for longer.
    Claim,
    /// Be shown the candidates.
    See,
    /// Decide.
    Decide(Finding),
    /// Take it back.
    Withdraw,
    /// Say what came of a lead.
    Outcome,
}

/// Why something may not be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Somebody would count twice.
    #[error("you have decided in this review already: a lead takes two different people")]
    SamePerson,
    /// The two who would carry a lead both have an interest in the search.
    #[error(
        "whoever asked for a search, or handed its picture in, decides at most once about it: somebody else must look now"
    )]
    NotIndependent,
    /// Nobody has taken it.
    #[error("claim the review first: who has not taken it can't see its candidates or decide")]
    NotClaimed,
    /// Somebody else has.
    #[error("somebody else has claimed the review: wait until they decide, or their claim runs out")]
    ClaimedByOther,
    /// It does not stand where that can be done.
    #[error("that can't be done with a review in this state: look at it again")]
    WrongState,
    /// They decided, and decisions stay.
    #[error(
        "you have decided, and decisions are not changed: a supervisor may withdraw the review, and the search be made again"
    )]
    AlreadyDecided,
    /// The candidate was not shown by the search.
    #[error("that template does not stand on the candidate list of this search")]
    NotOnList,
    /// They named somebody whom they did not look at.
    #[error("look at the candidates before you name one: the review was not shown to you since you claimed it")]
    DecidedUnseen,
    /// None of their roles may.
    #[error("none of your roles may do that")]
    NotAllowed,
}

impl Refusal {
    /// A name for programs and for the audit log.
    #[must_use]
    pub const fn kind(self) -> &'static str {
        match self {
            Self::SamePerson => "same-person",
            Self::NotIndependent => "not-independent",
            Self::NotClaimed => "not-claimed",
            Self::ClaimedByOther => "claimed-by-other",
            Self::WrongState => "wrong-state",
            Self::AlreadyDecided => "already-decided",
            Self::NotOnList => "not-on-list",
            Self::DecidedUnseen => "decided-unseen",
            Self::NotAllowed => "not-allowed",
        }
    }

    /// The HTTP status that goes with it: 403 for a missing role, 409 for the state of things.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::NotAllowed => 403,
            Self::SamePerson
            | Self::NotIndependent
            | Self::NotClaimed
            | Self::ClaimedByOther
            | Self::WrongState
            | Self::AlreadyDecided
            | Self::NotOnList
            | Self::DecidedUnseen => 409,
        }
    }
}

/// Roles that see candidates.
const REVIEWERS: &[Role] = &[Role::Examiner, Role::Verifier, Role::Supervisor];

/// What becomes of a review in `state` when `who` does `act`.
///
/// # Errors
/// [`Refusal`]; nothing has changed then.
pub fn step(case: &Case, state: State, act: Act, who: &Actor) -> Result<State, Refusal> {
    let allowed = |roles: &[Role]| if who.roles.any_of(roles) { Ok(()) } else { Err(Refusal::NotAllowed) };
    match act {
        Act::Claim => claim(case, state, who),
        Act::See => {
            allowed(REVIEWERS)?;
            see(case, state, &who.person)
        }
        Act::Decide(finding) => {
            allowed(REVIEWERS)?;
            decide(case, state, finding, &who.person)
        }
        Act::Withdraw => {
            allowed(&[Role::Supervisor])?;
            if state.is_over() { Err(Refusal::WrongState) } else { Ok(State::Withdrawn) }
        }
        Act::Outcome => {
            allowed(REVIEWERS)?;
            if matches!(state, State::Lead { .. }) { Ok(state) } else { Err(Refusal::WrongState) }
        }
    }
}

fn claim(case: &Case, state: State, who: &Actor) -> Result<State, Refusal> {
    if let Some(claim) = state.claim() {
        return if claim.by == who.person { Ok(state) } else { Err(Refusal::ClaimedByOther) };
    }
    let roles: &[Role] = match state {
        State::Open => &[Role::Examiner],
        State::AwaitingSecond(_) => &[Role::Verifier],
        State::Conflict(..) => &[Role::Verifier, Role::Supervisor],
        State::First(_)
        | State::Second(..)
        | State::Third(..)
        | State::Lead { .. }
        | State::ClosedNegative
        | State::ClosedConflict
        | State::Withdrawn => return Err(Refusal::WrongState),
    };
    if !who.roles.any_of(roles) {
        return Err(Refusal::NotAllowed);
    }
    let claim = Claim { by: who.person.clone(), seen: false };
    let independent = |before: &[&Decided]| {
        if before.iter().any(|before| before.by == who.person) {
            return Err(Refusal::SamePerson);
        }
        let interested = |person: &Person| case.interested.contains(person);
        let both = interested(&who.person) && before.iter().any(|before| interested(&before.by));
        if both { Err(Refusal::NotIndependent) } else { Ok(()) }
    };
    Ok(match state {
        State::AwaitingSecond(first) => {
            independent(&[&first])?;
            State::Second(first, claim)
        }
        State::Conflict(first, second) => {
            independent(&[&first, &second])?;
            State::Third(first, second, claim)
        }
        State::Open
        | State::First(_)
        | State::Second(..)
        | State::Third(..)
        | State::Lead { .. }
        | State::ClosedNegative
        | State::ClosedConflict
        | State::Withdrawn => State::First(claim),
    })
}

/// Whoever has taken it, whoever decided in it, and everybody once there is a lead.
fn see(case: &Case, mut state: State, who: &Person) -> Result<State, Refusal> {
    let theirs = match &mut state {
        State::First(claim) | State::Second(_, claim) | State::Third(_, _, claim) if claim.by == *who => {
            claim.seen = true;
            true
        }
        State::Lead { .. } => true,
        State::Open
        | State::First(_)
        | State::AwaitingSecond(_)
        | State::Second(..)
        | State::Conflict(..)
        | State::Third(..)
        | State::ClosedNegative
        | State::ClosedConflict
        | State::Withdrawn => case.decided.contains(who),
    };
    if theirs { Ok(state) } else { Err(not_theirs(&state)) }
}

fn not_theirs(state: &State) -> Refusal {
    match (state.claim(), state.is_over()) {
        (Some(_other), _) => Refusal::ClaimedByOther,
        (None, true) => Refusal::WrongState,
        (None, false) => Refusal::NotClaimed,
    }
}

fn decide(case: &Case, state: State, finding: Finding, who: &Person) -> Result<State, Refusal> {
    if case.decided.contains(who) {
        return Err(Refusal::AlreadyDecided);
    }
    let Some(claim) = state.claim().filter(|claim| claim.by == *who) else { return Err(not_theirs(&state)) };
    if let Some(candidate) = finding.candidate() {
        if !case.candidates.contains(&candidate) {
            return Err(Refusal::NotOnList);
        }
        if !claim.seen {
            return Err(Refusal::DecidedUnseen);
        }
    }
    let decided = Decided { by: who.clone(), finding };
    match state {
        State::First(_) if finding.candidate().is_none() && !case.verify_negative => Ok(State::ClosedNegative),
        State::First(_) => Ok(State::AwaitingSecond(decided)),
        State::Second(first, _) => second(first, decided),
        State::Third(first, second, _) => third(first, second, &decided),
        State::Open
        | State::AwaitingSecond(_)
        | State::Conflict(..)
        | State::Lead { .. }
        | State::ClosedNegative
        | State::ClosedConflict
        | State::Withdrawn => Err(Refusal::WrongState),
    }
}

fn second(first: Decided, second: Decided) -> Result<State, Refusal> {
    match (first.finding.candidate(), second.finding.candidate()) {
        (Some(one), Some(other)) if one == other => lead(one, &first, &second, None),
        (None, None) => Ok(State::ClosedNegative),
        (Some(_) | None, Some(_)) | (Some(_), None) => Ok(State::Conflict(first, second)),
    }
}

fn third(first: Decided, second: Decided, third: &Decided) -> Result<State, Refusal> {
    let Some(candidate) = third.finding.candidate() else { return Ok(State::ClosedConflict) };
    let names = |decided: &Decided| decided.finding.candidate() == Some(candidate);
    match (names(&first), names(&second)) {
        (true, _) => lead(candidate, &first, third, Some(second.by)),
        (false, true) => lead(candidate, &second, third, Some(first.by)),
        (false, false) => Ok(State::ClosedConflict),
    }
}

/// The one place where a lead is made.
fn lead(candidate: TemplateId, one: &Decided, other: &Decided, dissent: Option<Person>) -> Result<State, Refusal> {
    if one.by == other.by {
        return Err(Refusal::SamePerson);
    }
    Ok(State::Lead { candidate, named_by: [one.by.clone(), other.by.clone()], dissent })
}

#[cfg(test)]
mod tests;
