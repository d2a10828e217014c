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

use std::collections::BTreeSet;
use std::time::Duration;

use crate::audit::{Caller, Detail, Happening, Kind, Object};
use crate::base::clock;
use crate::base::ids::GalleryName;
use crate::base::limits::{RECORD_TEXT_BYTES_MAX, REVIEW_TRIES_MAX};
use crate::casework::CaseworkError;
use crate::casework::access::users::known;
use crate::casework::governing::in_force;
use crate::crypto::random;
use crate::gallery::Vault;
use crate::policy::{Policy, Role, Roles};
use crate::records::review::{
    Advance, ClaimRecord, DecisionRecord, Looked, NewLead, ReviewBook, ReviewRecord, Reviewable, SearchFacts,
};
use crate::rights::Permission;
use state::{Loaded, state_of};

/// The reviews of a data folder, for one person.
pub struct ReviewRoom {
    vault: Vault,
    book: ReviewBook,
    policy: Policy,
    caller: Caller,
    person: Person,
    /// Roles in every gallery; `None` for those that the caller has.
    given: Option<Roles>,
}

impl ReviewRoom {
    /// For whoever calls, under the policy in force. Where there are users, an account of the operating system is the user of
    /// its name, with that user's roles: nobody is two people by being known in two ways.
    ///
    /// # Errors
    /// [`ReviewError::Nobody`] for a caller without a name, [`ReviewError::NoUser`] where there are users and they are none.
    pub async fn enter(vault: &Vault, caller: &Caller) -> Result<Self, CaseworkError> {
        let policy = in_force(vault).await?.policy;
        let nobody = || ReviewError::NoUser(caller.who().actor.clone());
        let known = known(vault, caller).await?.ok_or_else(nobody)?;
        Self::under(policy, vault, &known, None)
    }

    /// For whoever calls, under `policy`, with the roles that are given, or else with their own.
    ///
    /// # Errors
    /// [`ReviewError::Nobody`] for a caller without a name.
    pub fn under(policy: Policy, vault: &Vault, caller: &Caller, given: Option<Roles>) -> Result<Self, CaseworkError> {
        let person = Person(caller.person().ok_or(ReviewError::Nobody)?.to_owned());
        let vault = vault.acting_for(caller);
        let (book, caller) = (vault.review_book(), caller.clone());
        Ok(Self { vault, book, policy, caller, person, given })
    }

    /// Who acts, with the roles that they have in a gallery, or where none is meant, in any.
    fn actor(&self, permission: Permission, gallery: Option<&GalleryName>) -> Actor {
        let roles = self.given.unwrap_or_else(|| self.caller.roles_for(permission, gallery));
        Actor { person: self.person.clone(), roles }
    }

    /// What becomes of a review, if they may.
    fn step(&self, loaded: &Loaded, act: Act) -> Result<State, Refusal> {
        let permission = match act {
            Act::See => Permission::ReviewRead,
            Act::Claim | Act::Decide(_) | Act::Withdraw | Act::Outcome => Permission::ReviewDecide,
        };
        let actor = self.actor(permission, Some(&loaded.facts.gallery));
        machine::step(&loaded.case, loaded.state.clone(), act, &actor)
    }

    /// Opens the review of a recorded search; its number.
    ///
    /// # Errors
    /// [`ReviewError`], and what the records say.
    pub async fn open(&self, search: i64) -> Result<i64, CaseworkError> {
        let about = || Happening::new(Kind::ReviewOpened).about([Object::Search(search)]);
        let may = |gallery: Option<&GalleryName>| {
            self.actor(Permission::ReviewDecide, gallery).roles.any_of(&[Role::Examiner, Role::Supervisor])
        };
        if !may(None) {
            return Err(self.refused(about(), Refusal::NotAllowed).await?);
        }
        let facts = match self.book.reviewable(search).await? {
            Reviewable::NoSearch => return Err(ReviewError::NoSearch(search).into()),
            Reviewable::Reviewed(review) => return Err(ReviewError::Reviewed { search, review }.into()),
            Reviewable::Yes(facts) if !may(Some(&facts.gallery)) => {
                return Err(self.refused(about().of(&facts.gallery), Refusal::NotAllowed).await?);
            }
            Reviewable::Yes(facts) if facts.candidates.is_empty() => {
                return Err(ReviewError::NoCandidates(search).into());
            }
            Reviewable::Yes(facts) => facts,
        };
        let policy = self.policy.sha256().map_err(CaseworkError::Stopped)?;
        match self.book.open(search, &facts.gallery, &self.person.0, policy).await? {
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
            let next = match self.step(&loaded, Act::See) {
                Ok(next) => next,
                Err(refusal) => return Err(self.refused(about(&loaded, Act::See), refusal).await?),
            };
            let view = view::of(&loaded, &next, &self.person, &self.policy.review);
            let happening = about(&loaded, Act::See)
                .with("blind", Detail::Number(u64::from(view.blind)))
                .with("candidates", Detail::Number(view.candidates.len() as u64))
                .with("view", Detail::Hash(view.sha256));
            if loaded.record.claim.as_ref().is_none_or(|claim| claim.by != self.person.0) || next.claim().is_none() {
                self.vault.tell(&happening).await?;
                return Ok(view);
            }
            let advance = self.advance(&loaded, &next, (Act::See, None), Some(&view));
            if self.book.advance(&advance, happening).await? {
                return Ok(view);
            }
        }
        Err(ReviewError::Overtaken.into())
    }

    /// Reviews, newest first, in `state` if one is given. Shows no candidate.
    ///
    /// # Errors
    /// [`ReviewError::Refused`] without a role that reviews, and what the records say.
    pub async fn list(&self, state: Option<&'static str>, limit: usize) -> Result<Vec<ReviewRecord>, CaseworkError> {
        self.may_look(Kind::ReviewListed).await?;
        let within = self.within();
        let mut found = self.book.newest(state, within.as_ref(), limit).await?;
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
            let next = match self.step(&loaded, act) {
                Ok(next) => next,
                Err(refusal) => return Err(self.refused(about(&loaded, act), refusal).await?),
            };
            let mut happening = about(&loaded, act).with("state", Detail::Word(next.as_str()));
            if let Act::Decide(finding) = act {
                happening = happening.with("finding", Detail::Word(finding.as_str()));
                happening = happening.about(finding.candidate().map(|id| Object::Templates(id, id)));
            }
            let advance = self.advance(&loaded, &next, (act, reason.clone()), None);
            if self.book.advance(&advance, happening).await? {
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
        let person = &self.person.0;
        // Of the same claim; one that ran out and was taken again begins anew.
        let before = record.claim.as_ref().filter(|claim| loaded.state.claim().is_some_and(|now| now.by.0 == claim.by));
        let claim = next.claim().map(|claim| {
            let kept = before.filter(|before| before.by == claim.by.0);
            let until = match (act, kept) {
                (Act::See | Act::Decide(_) | Act::Withdraw | Act::Outcome, Some(kept)) => kept.until.clone(),
                (Act::Claim, _) | (_, None) => {
                    clock::rfc3339_in(Duration::from_mins(u64::from(self.policy.review.claim_minutes)))
                }
            };
            let shown = || view.map(|view| (now.clone(), crate::base::hex::encode(&view.sha256)));
            ClaimRecord {
                by: claim.by.0.clone(),
                until,
                seen: shown().or_else(|| kept.and_then(|kept| kept.seen.clone())),
            }
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
        // Who claims or looks says nothing of anybody.
        let shown = match act {
            Act::Decide(_) | Act::Withdraw => Some(Looked {
                search: record.search,
                at: before.and_then(|before| before.seen.as_ref()).map(|(at, _)| at.clone()),
                shown: loaded.case.candidates.clone(),
            }),
            Act::Claim | Act::See | Act::Outcome => None,
        };
        Advance { review: record.id, version: record.version, state: next.as_str(), claim, decision, said, lead, shown }
    }

    async fn load(&self, review: i64, act: Option<Act>) -> Result<Loaded, CaseworkError> {
        let record = self.book.one(review).await?.ok_or(ReviewError::NoReview(review))?;
        let lost = || CaseworkError::Stopped(format!("review {review} is of a search that is not there"));
        let facts = self.book.search(record.search).await?.ok_or_else(lost)?;
        let SearchFacts { gallery, actor, submitter, candidates, .. } = &facts;
        let ids: Vec<_> = candidates.iter().map(|candidate| candidate.template).collect();
        // Whoever was erased since is no candidate any more.
        let references = self.vault.references(gallery, &ids).await?;
        let state = state_of(&record, &clock::now_rfc3339()).map_err(CaseworkError::Stopped)?;
        let negative = matches!(act, Some(Act::Decide(finding)) if finding.candidate().is_none());
        let case = Case {
            candidates: ids.into_iter().filter(|id| references.contains_key(id)).collect(),
            interested: [Some(actor), submitter.as_ref()].into_iter().flatten().cloned().map(Person).collect(),
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
        let roles = self.actor(Permission::ReviewRead, None).roles;
        if roles.any_of(&[Role::Examiner, Role::Verifier, Role::Supervisor]) {
            return Ok(());
        }
        Err(self.refused(Happening::new(kind), Refusal::NotAllowed).await?)
    }

    /// The galleries whose reviews they may see; `None` for all.
    fn within(&self) -> Option<BTreeSet<GalleryName>> {
        if self.given.is_some() { None } else { self.caller.galleries_for(Permission::ReviewRead) }
    }

    /// That somebody was told no is told too.
    async fn refused(&self, about: Happening, refusal: Refusal) -> Result<CaseworkError, CaseworkError> {
        let happening = about.with("refusal", Detail::Word(refusal.kind())).ended(crate::audit::Outcome::Refused);
        self.vault.tell(&happening).await?;
        Ok(ReviewError::Refused(refusal).into())
    }
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
    crate::casework::reason_of(reason).ok_or(ReviewError::Reason { most: RECORD_TEXT_BYTES_MAX })
}
