//! Rules that take two people: another policy, an operating point. Somebody proposes, others approve or reject, and what enough of
//! them approved comes into force in the same transaction as the last word.

pub mod error;
pub mod in_force;
pub mod key_destroy;
pub mod points;
pub mod rules;

pub use error::GoverningError;
pub use in_force::{InForce, in_force};
pub use rules::{Refusal, State, Voice};

use std::path::PathBuf;
use std::time::Duration;

use crate::audit::{Caller, Detail, Happening, Kind, Object, Outcome};
use crate::base::ids::GalleryName;
use crate::base::limits::{PROPOSAL_DAYS, RECORD_TEXT_BYTES_MAX, REVIEW_TRIES_MAX};
use crate::base::{clock, hex};
use crate::casework::access::require;
use crate::casework::access::users::known;
use crate::casework::{CaseworkError, Desk, operating_points};
use crate::evaluation::operating_point::OperatingPoint;
use crate::gallery::Vault;
use crate::policy::Policy;
use crate::records::governing::{
    Adoption, GoverningBook, NewProposal, PolicyVersion, ProposalRecord, ProposalStep, VoiceRecord,
};
use crate::rights::Permission;
use rules::{Matter, Speaker, step};

/// Others who must approve a policy: with whoever proposes it, two people.
const POLICY_NEEDS: u32 = 1;
/// The same of destroying a key.
const KEY_DESTROY_NEEDS: u32 = 1;

/// What can be proposed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A policy.
    Policy,
    /// An operating point.
    Point,
    /// That the key of a gallery's pictures is destroyed.
    KeyDestroy,
}

impl Subject {
    /// As records name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Point => "operating_point",
            Self::KeyDestroy => "key_destroy",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Policy, Self::Point, Self::KeyDestroy].into_iter().find(|subject| subject.as_str() == text)
    }
}

/// Where proposals are made and decided, for one user.
pub struct Chamber {
    vault: Vault,
    book: GoverningBook,
    data: PathBuf,
    caller: Caller,
    person: String,
}

impl Chamber {
    /// For whoever calls: a user, or an account of the operating system that has a user of its name. Whoever owns the data folder
    /// is no two people, so nothing is decided as long as there are no users.
    ///
    /// # Errors
    /// [`GoverningError::NoUser`], what the records say.
    pub async fn enter(desk: &Desk, caller: &Caller) -> Result<Self, CaseworkError> {
        let known = known(&desk.vault, caller).await?.ok_or_else(|| nobody(caller))?;
        let person = known.identity().ok_or_else(|| nobody(caller))?.name.as_str().to_owned();
        let vault = desk.vault.acting_for(&known);
        Ok(Self { book: vault.governing_book(), vault, data: desk.settings.data.folder.clone(), caller: known, person })
    }

    /// Proposes a policy, as its file has it; `place` names the file in errors. The number of the proposal.
    ///
    /// # Errors
    /// [`GoverningError`], what the records say.
    pub async fn propose_policy(&self, text: &str, place: &str, reason: &str) -> Result<i64, CaseworkError> {
        self.may_propose()?;
        let read = Policy::parse(text, place).and_then(|policy| policy.consistent(place));
        let policy = read.map_err(|error| GoverningError::Unfit(error.to_string()))?;
        let (sha256, now) = (policy.sha256().map_err(CaseworkError::Stopped)?, in_force(&self.vault).await?);
        if sha256 == now.sha256 {
            return Err(GoverningError::NothingNew(place.to_owned()).into());
        }
        self.propose(Subject::Policy, policy.name, text.to_owned(), sha256, (now.number, POLICY_NEEDS), reason).await
    }

    /// Proposes an operating point of the data folder. The number of the proposal.
    ///
    /// # Errors
    /// [`CaseworkError::OperatingPoint`], [`GoverningError`], what the records say.
    pub async fn propose_point(&self, point: &OperatingPoint, reason: &str) -> Result<i64, CaseworkError> {
        self.may_propose()?;
        if points::approved(&self.vault, &self.data, point).await?.is_some() {
            return Err(GoverningError::NothingNew(format!("the operating point {:?}", point.name)).into());
        }
        let bad = |error: String| CaseworkError::OperatingPoint(error);
        let sha256 = point.sha256().map_err(|error| bad(error.to_string()))?;
        let body = point.to_json().map_err(|error| bad(error.to_string()))?;
        let hash = hex::decode_32(&sha256).ok_or_else(|| CaseworkError::Stopped("a hash that is none".to_owned()))?;
        let now = in_force(&self.vault).await?;
        let needs = now.policy.thresholds.approvers;
        self.propose(Subject::Point, point.name.clone(), body, hash, (now.number, needs), reason).await
    }

    /// Proposes to destroy the key under which a gallery's pictures lie. The number of the proposal.
    ///
    /// # Errors
    /// [`GalleryError::NoKey`], [`GoverningError`], what the records say.
    pub async fn propose_key_destroy(&self, gallery: &GalleryName, reason: &str) -> Result<i64, CaseworkError> {
        self.may_propose()?;
        let (sha256, now) = (key_destroy::named(&self.vault, gallery).await?, in_force(&self.vault).await?);
        let (subject, name) = (Subject::KeyDestroy, gallery.as_str().to_owned());
        self.propose(subject, name, String::new(), sha256, (now.number, KEY_DESTROY_NEEDS), reason).await
    }

    async fn propose(
        &self,
        subject: Subject,
        name: String,
        body: String,
        sha256: [u8; 32],
        (base, needs): (i64, u32),
        reason: &str,
    ) -> Result<i64, CaseworkError> {
        let happening = Happening::new(Kind::ProposalMade)
            .with("subject", Detail::Word(subject.as_str()))
            .with("sha256", Detail::Hash(sha256))
            .with("needs", Detail::Number(u64::from(needs)));
        let new = NewProposal {
            kind: subject.as_str(),
            name,
            body,
            sha256: hex::encode(&sha256),
            base,
            needs,
            person: self.person.clone(),
            reason: reason_of(reason)?,
            expires_at: clock::rfc3339_in(Duration::from_hours(24 * PROPOSAL_DAYS)),
        };
        Ok(self.book.propose(&new, happening).await?)
    }

    /// Says something to a proposal; the state that it leads to.
    ///
    /// # Errors
    /// [`GoverningError`], what the records say.
    pub async fn say(&self, proposal: i64, voice: Voice, reason: Option<&str>) -> Result<State, CaseworkError> {
        let reason = reason.map(reason_of).transpose()?;
        for _try in 0..REVIEW_TRIES_MAX {
            let record = self.record(proposal).await?;
            let next = match self.next(&record, voice).await? {
                Ok(next) => next,
                Err(refusal) => {
                    let refused = about(voice, proposal).with("refusal", Detail::Word(refusal.kind()));
                    self.vault.tell(&refused.ended(Outcome::Refused)).await?;
                    return Err(GoverningError::Refused(refusal).into());
                }
            };
            let at = clock::now_rfc3339();
            let adoption = if next == State::Adopted { self.adoption(&record, &at).await? } else { None };
            let said = voice.as_str().to_owned();
            let voice_record = VoiceRecord { person: self.person.clone(), said, reason: reason.clone(), at };
            let (version, state) = (record.version, next.as_str());
            let step = ProposalStep { proposal, version, state, voice: voice_record, adoption };
            if self.book.step(&step, &about(voice, proposal).with("state", Detail::Word(state))).await? {
                return Ok(next);
            }
        }
        Err(GoverningError::Overtaken.into())
    }

    /// What the rules make of it.
    async fn next(&self, record: &ProposalRecord, voice: Voice) -> Result<Result<State, Refusal>, CaseworkError> {
        let overtaken = match subject_of(record)? {
            Subject::Policy => in_force(&self.vault).await?.number != record.base,
            Subject::Point => self.book.signed_point(&record.name).await?.is_some(),
            // Once it is destroyed the gallery has another key, or none.
            Subject::KeyDestroy => {
                let now = key_destroy::named(&self.vault, &record.name.parse()?).await;
                now.map_or(true, |now| hex::encode(&now) != record.sha256)
            }
        };
        let needs = match subject_of(record)? {
            // As many as it takes by now, where that became more.
            Subject::Point => record.needs.max(in_force(&self.vault).await?.policy.thresholds.approvers),
            Subject::Policy | Subject::KeyDestroy => record.needs,
        };
        let approved = record.voices.iter().filter(|voice| voice.said == Voice::Approve.as_str());
        let matter = Matter {
            state: state_of(record)?,
            proposed_by: &record.proposed_by,
            approved_by: approved.map(|voice| voice.person.as_str()).collect(),
            needs,
            overtaken,
            expired: record.expires_at <= clock::now_rfc3339(),
        };
        let may_approve = self.caller.may(Permission::PolicyApprove, None);
        Ok(step(&matter, voice, Speaker { person: &self.person, may_approve }))
    }

    /// What comes into force by this person's word, at `at`.
    async fn adoption(&self, record: &ProposalRecord, at: &str) -> Result<Option<Adoption>, CaseworkError> {
        match subject_of(record)? {
            Subject::Policy => return Ok(Some(Adoption::Policy)),
            // It allows an act, and changes nothing by itself.
            Subject::KeyDestroy => return Ok(None),
            Subject::Point => {}
        }
        let point = operating_points::one(&self.data, &record.name)?;
        let sha256 = point.sha256().map_err(|error| CaseworkError::OperatingPoint(error.to_string()))?;
        if sha256 != record.sha256 {
            return Err(GoverningError::Changed(format!("the operating point {:?}", record.name)).into());
        }
        let before = record.voices.iter().filter(|voice| voice.said == Voice::Approve.as_str());
        let approved_by = before.map(|voice| voice.person.clone()).chain([self.person.clone()]).collect();
        let statement = points::Statement {
            adopted_at: at.to_owned(),
            approved_by,
            folder: self.vault.audit_book().folder().await?,
            point: record.name.clone(),
            proposal: record.id,
            proposed_by: record.proposed_by.clone(),
            sha256,
        };
        points::sign(&self.data, &statement).map(Some)
    }

    /// One proposal, and for a policy what it changes, in words.
    ///
    /// # Errors
    /// [`GoverningError`], what the records say.
    pub async fn show(&self, proposal: i64) -> Result<(ProposalRecord, Vec<String>), CaseworkError> {
        self.may_look()?;
        let record = self.record(proposal).await?;
        let changes = match subject_of(&record)? {
            Subject::Point | Subject::KeyDestroy => Vec::new(),
            Subject::Policy => {
                let read = Policy::parse(&record.body, "the proposal");
                let proposed = read.map_err(|error| GoverningError::Unfit(error.to_string()))?;
                in_force(&self.vault).await?.policy.changes_to(&proposed).map_err(CaseworkError::Stopped)?
            }
        };
        self.vault.tell(&Happening::new(Kind::ProposalRead).about([Object::Proposal(proposal)])).await?;
        Ok((record, changes))
    }

    /// Proposals, newest first, without what was said to them.
    ///
    /// # Errors
    /// What the records say.
    pub async fn list(&self, limit: usize) -> Result<Vec<ProposalRecord>, CaseworkError> {
        self.may_look()?;
        let found = self.book.newest(limit).await?;
        self.vault.tell(&Happening::new(Kind::ProposalListed)).await?;
        Ok(found)
    }

    /// Policies that are and were in force, newest first.
    ///
    /// # Errors
    /// What the records say.
    pub async fn history(&self, limit: usize) -> Result<Vec<PolicyVersion>, CaseworkError> {
        self.may_look()?;
        let found = self.book.versions(limit).await?;
        self.vault.tell(&Happening::new(Kind::PolicyRead)).await?;
        Ok(found)
    }

    async fn record(&self, proposal: i64) -> Result<ProposalRecord, CaseworkError> {
        Ok(self.book.one(proposal).await?.ok_or(GoverningError::NoProposal(proposal))?)
    }

    fn may_propose(&self) -> Result<(), CaseworkError> {
        require(&self.caller, Permission::PolicyPropose, None)
    }

    fn may_look(&self) -> Result<(), CaseworkError> {
        require(&self.caller, Permission::PolicyRead, None)
    }
}

fn nobody(caller: &Caller) -> CaseworkError {
    GoverningError::NoUser(caller.who().actor.clone()).into()
}

fn about(voice: Voice, proposal: i64) -> Happening {
    let kind = match voice {
        Voice::Approve => Kind::ProposalApproved,
        Voice::Reject => Kind::ProposalRejected,
        Voice::Withdraw => Kind::ProposalWithdrawn,
    };
    Happening::new(kind).about([Object::Proposal(proposal)])
}

fn subject_of(record: &ProposalRecord) -> Result<Subject, CaseworkError> {
    let lost = || CaseworkError::Stopped(format!("proposal {} is of nothing that this release knows", record.id));
    Subject::parse(&record.kind).ok_or_else(lost)
}

fn state_of(record: &ProposalRecord) -> Result<State, CaseworkError> {
    let lost = || CaseworkError::Stopped(format!("proposal {} is in no state that this release knows", record.id));
    State::parse(&record.state).ok_or_else(lost)
}

fn reason_of(reason: &str) -> Result<String, GoverningError> {
    crate::casework::reason_of(reason).ok_or(GoverningError::Reason { most: RECORD_TEXT_BYTES_MAX })
}
