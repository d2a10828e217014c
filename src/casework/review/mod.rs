//! Two-person review: from a recorded search to a lead that two people carry, or to an end without one. The machine says what
//! may be done; this room asks it, keeps what it says, and shows candidates without what could sway whoever looks.

pub mod error;
pub mod leads;
pub mod machine;
mod state;
pub mod view;

pub use error::ReviewError;
pub use leads::Outcome;
pub use machine::{Act, Actor, Case, Finding, Person, Refusal, State};
pub use view::View;

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::limits::{RECORD_TEXT_BYTES_MAX, REVIEW_TRIES_MAX};
use crate::casework::CaseworkError;
use crate::crypto::random;
use crate::gallery::{GalleryError, Vault};
use crate::policy::{Policy, Role, Roles};
use crate::records::review::{
    Advance, ClaimRecord, DecisionRecord, NewLead, ReviewBook, ReviewRecord, Reviewable, SearchFacts,
};
use state::{Loaded, state_of};

/// Names that stand for nobody in particular: who has one of these can't be told from others.
const NOBODY: [&str; 3] = ["not signed in", "unknown user", "the server itself"];

/// The reviews of a data folder, for one person.
pub struct ReviewRoom {
    vault: Vault,
    book: ReviewBook,
    policy: Policy,
    actor: Actor,
}

impl ReviewRoom {
    /// For whoever calls, under the policy in force.
    ///
    /// # Errors
    /// [`ReviewError::Nobody`] for a caller without a name.
    pub fn enter(vault: &Vault, caller: &Caller) -> Result<Self, CaseworkError> {
        let policy = Policy::builtin().map_err(|error| CaseworkError::Stopped(error.to_string()))?;
        Self::under(policy, vault, caller, roles_of(caller))
    }

    /// For whoever calls, with these roles, under `policy`.
    ///
    /// # Errors
    /// [`ReviewError::Nobody`] for a caller without a name.
    pub fn under(policy: Policy, vault: &Vault, caller: &Caller, roles: Roles) -> Result<Self, CaseworkError> {
        let name = &caller.who().actor;
        if name.trim().is_empty() || NOBODY.contains(&name.as_str()) {
            return Err(ReviewError::Nobody.into());
        }
        let vault = vault.acting_for(caller);
        let (book, person) = (vault.review_book(), Person(name.clone()));
        Ok(Self { vault, book, policy, actor: Actor { person, roles } })
    }

    /// Opens the review of a recorded search; its number.
    ///
    /// # Errors
    /// [`ReviewError`], and what the records say.
    pub async fn open(&self, search: i64) -> Result<i64, CaseworkError> {
        if !self.actor.roles.any_of(&[Role::Examiner, Role::Supervisor]) {
            let about = Happening::new(Kind::ReviewOpened).about([Object::Search(search)]);
            return Err(self.refused(about, Refusal::NotAllowed).await?);
        }
        let facts = match told(self.book.reviewable(search).await)? {
            Reviewable::NoSearch => return Err(ReviewError::NoSearch(search).into()),
            Reviewable::Reviewed(review) => return Err(ReviewError::Reviewed { search, review }.into()),
            Reviewable::Yes(facts) if facts.candidates.is_empty() => {
                return Err(ReviewError::NoCandidates(search).into());
            }
            Reviewable::Yes(facts) => facts,
        };
        let policy = self.policy.sha256().map_err(CaseworkError::Stopped)?;
        match told(self.book.open(search, &facts.gallery, &self.actor.person.0, policy).await)? {
            Some(review) => Ok(review),
            None => Err(ReviewError::Overtaken.into()),
        }
    }

    /// Takes a review, to decide it; the state it is in then.
    ///
    /// # Errors
    /// [`ReviewError`], and what the records say.
    pub async fn claim(&self, review: i64) -> Result<State, CaseworkError> {
        self.act(review, Act::Claim, None).await
    }

    /// Decides, with a reason in words if there is one; the state that it leads to.
    ///
    /// # Errors
    /// [`ReviewError`], and what the records say.
    pub async fn decide(&self, review: i64, finding: Finding, reason: Option<&str>) -> Result<State, CaseworkError> {
        self.act(review, Act::Decide(finding), reason.map(reason_of).transpose()?).await
    }

    /// Takes a review back, for a reason.
    ///
    /// # Errors
    /// [`ReviewError`], and what the records say.
    pub async fn withdraw(&self, review: i64, reason: &str) -> Result<State, CaseworkError> {
        self.act(review, Act::Withdraw, Some(reason_of(reason)?)).await
    }

    /// Shows the candidates to whoever has claimed the review, has decided in it, or asks when it is a lead.
    ///
    /// # Errors
    /// [`ReviewError`], and what the records say.
    pub async fn see(&self, review: i64) -> Result<View, CaseworkError> {
        for _try in 0..REVIEW_TRIES_MAX {
            let loaded = self.load(review, None).await?;
            let next = match machine::step(&loaded.case, loaded.state.clone(), Act::See, &self.actor) {
                Ok(next) => next,
                Err(refusal) => return Err(self.refused(about(&loaded, Act::See), refusal).await?),
            };
            let view = view::of(&loaded, &next, &self.actor.person, &self.policy.review);
            let happening = about(&loaded, Act::See)
                .with("blind", Detail::Number(u64::from(view.blind)))
                .with("candidates", Detail::Number(view.candidates.len() as u64))
                .with("view", Detail::Hash(view.sha256));
            if loaded.record.claim.as_ref().is_none_or(|claim| claim.by != self.actor.person.0)
                || next.claim().is_none()
            {
                self.vault.tell(&happening).await?;
                return Ok(view);
            }
            let advance = self.advance(&loaded, &next, (Act::See, None), Some(&view));
            if told(self.book.advance(&advance, happening).await)? {
                return Ok(view);
            }
        }
        Err(ReviewError::Overtaken.into())
    }

    /// Reviews, newest first, in `state` if one is given. Shows no candidate.
    ///
    /// # Errors
    /// [`ReviewError::Refused`] without a role that reviews, and what the records say.
    pub async fn list(&self, state: Option<&str>, limit: usize) -> Result<Vec<ReviewRecord>, CaseworkError> {
        self.may_look(Kind::ReviewListed).await?;
        let mut found = told(self.book.newest(state, limit).await)?;
        let now = clock::now_rfc3339();
        for review in &mut found {
            if review.claim.as_ref().is_some_and(|claim| claim.until <= now) {
                review.claim = None;
            }
        }
        let happening = Happening::new(Kind::ReviewListed).with("reviews", Detail::Number(found.len() as u64));
        self.vault.tell(&happening).await?;
        Ok(found)
    }

    /// Does something that changes a review, as often as somebody else is quicker.
    async fn act(&self, review: i64, act: Act, reason: Option<String>) -> Result<State, CaseworkError> {
        for _try in 0..REVIEW_TRIES_MAX {
            let loaded = self.load(review, Some(act)).await?;
            let next = match machine::step(&loaded.case, loaded.state.clone(), act, &self.actor) {
                Ok(next) => next,
                Err(refusal) => return Err(self.refused(about(&loaded, act), refusal).await?),
            };
            let mut happening = about(&loaded, act).with("state", Detail::Word(next.as_str()));
            if let Act::Decide(finding) = act {
                happening = happening.with("finding", Detail::Word(finding.as_str()));
                happening = happening.about(finding.candidate().map(|id| Object::Templates(id, id)));
            }
            let advance = self.advance(&loaded, &next, (act, reason.clone()), None);
            if told(self.book.advance(&advance, happening).await)? {
                return Ok(next);
            }
        }
        Err(ReviewError::Overtaken.into())
    }

    /// What of the records changes from one state to the next.
    fn advance(
        &self,
        loaded: &Loaded,
        next: &State,
        (act, said): (Act, Option<String>),
        view: Option<&View>,
    ) -> Advance {
        let (record, now) = (&loaded.record, clock::now_rfc3339());
        let person = &self.actor.person.0;
        // Of the same claim; one that ran out and was taken again begins anew.
        let before = record.claim.as_ref().filter(|claim| loaded.state.claim().is_some_and(|now| now.by.0 == claim.by));
        let claim = next.claim().map(|claim| {
            let kept = before.filter(|before| before.by == claim.by.0);
            let until = match (act, kept) {
                (Act::See | Act::Decide(_) | Act::Withdraw | Act::Outcome, Some(kept)) => kept.until.clone(),
                (Act::Claim, _) | (_, None) => clock::rfc3339_in_minutes(self.policy.review.claim_minutes),
            };
            let shown = || view.map(|view| (now.clone(), crate::base::hex::encode(&view.sha256)));
            ClaimRecord { by: claim.by.0.clone(), until, seen: kept.and_then(|kept| kept.seen.clone()).or_else(shown) }
        });
        let decision = match act {
            Act::Decide(finding) => Some(DecisionRecord {
                stage: record.decisions.len() as i64 + 1,
                person: person.clone(),
                finding: finding.as_str().to_owned(),
                template: finding.candidate(),
                seen: before.and_then(|before| before.seen.clone()),
                at: now.clone(),
            }),
            Act::Claim | Act::See | Act::Withdraw | Act::Outcome => None,
        };
        let lead = match next {
            State::Lead { candidate, named_by: [one, other], dissent } => Some(NewLead {
                template: *candidate,
                named_by: [one.0.clone(), other.0.clone()],
                dissent: dissent.as_ref().map(|person| person.0.clone()),
            }),
            State::Open
            | State::First(_)
            | State::AwaitingSecond(_)
            | State::Second(..)
            | State::Conflict(..)
            | State::Third(..)
            | State::ClosedNegative
            | State::ClosedConflict
            | State::Withdrawn => None,
        };
        let said = said.map(|said| (person.clone(), said));
        Advance { review: record.id, version: record.version, state: next.as_str(), claim, decision, said, lead }
    }

    async fn load(&self, review: i64, act: Option<Act>) -> Result<Loaded, CaseworkError> {
        let record = told(self.book.one(review).await)?.ok_or(ReviewError::NoReview(review))?;
        let lost = || CaseworkError::Stopped(format!("review {review} is of a search that is not there"));
        let facts = told(self.book.search(record.search).await)?.ok_or_else(lost)?;
        let SearchFacts { gallery, actor, candidates, .. } = &facts;
        let ids: Vec<_> = candidates.iter().map(|candidate| candidate.template).collect();
        // Whoever was erased since is no candidate any more.
        let references = self.vault.references(gallery, &ids).await?;
        let state = state_of(&record, &clock::now_rfc3339()).map_err(CaseworkError::Stopped)?;
        let negative = matches!(act, Some(Act::Decide(finding)) if finding.candidate().is_none());
        let case = Case {
            candidates: ids.into_iter().filter(|id| references.contains_key(id)).collect(),
            interested: vec![Person(actor.clone())],
            decided: record.decisions.iter().map(|decision| Person(decision.person.clone())).collect(),
            verify_negative: negative && self.drawn()?,
        };
        Ok(Loaded { record, facts, references, state, case })
    }

    /// Whether a decision that names nobody goes to a second person: drawn anew for each, by bytes that nobody can foretell.
    fn drawn(&self) -> Result<bool, CaseworkError> {
        let bytes = random::bytes::<8>().map_err(|error| CaseworkError::Stopped(error.to_string()))?;
        Ok(u64::from_le_bytes(bytes) % 100 < u64::from(self.policy.review.negatives_percent))
    }

    /// Nothing of reviews and leads for those who have no part in them.
    async fn may_look(&self, kind: Kind) -> Result<(), CaseworkError> {
        if self.actor.roles.any_of(&[Role::Examiner, Role::Verifier, Role::Supervisor]) {
            return Ok(());
        }
        Err(self.refused(Happening::new(kind), Refusal::NotAllowed).await?)
    }

    /// That somebody was told no is told too.
    async fn refused(&self, about: Happening, refusal: Refusal) -> Result<CaseworkError, CaseworkError> {
        let happening = about.with("refusal", Detail::Word(refusal.kind())).ended(crate::audit::Outcome::Refused);
        self.vault.tell(&happening).await?;
        Ok(ReviewError::Refused(refusal).into())
    }
}

/// Until there are accounts nobody has roles, and whoever may run the program on the data folder may review. That a lead
/// takes two people holds all the same.
fn roles_of(_caller: &Caller) -> Roles {
    Roles::of(&[Role::Examiner, Role::Verifier, Role::Supervisor])
}

fn about(loaded: &Loaded, act: Act) -> Happening {
    let kind = match act {
        Act::Claim => Kind::ReviewClaimed,
        Act::See => Kind::ReviewRead,
        Act::Decide(_) => Kind::ReviewDecided,
        Act::Withdraw => Kind::ReviewWithdrawn,
        Act::Outcome => Kind::LeadOutcome,
    };
    Happening::new(kind).of(&loaded.facts.gallery).about([Object::Review(loaded.record.id)])
}

fn reason_of(reason: &str) -> Result<String, ReviewError> {
    let reason = reason.trim();
    if reason.is_empty() || reason.len() > RECORD_TEXT_BYTES_MAX {
        return Err(ReviewError::Reason { most: RECORD_TEXT_BYTES_MAX });
    }
    Ok(reason.to_owned())
}

fn told<T>(result: Result<T, crate::records::RecordsError>) -> Result<T, CaseworkError> {
    Ok(result.map_err(GalleryError::from)?)
}
