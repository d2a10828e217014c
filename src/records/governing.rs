//! Proposals of policies and operating points, what people said to them, and what is in force. What may be done is decided above;
//! here it is kept, each change in one transaction with the event that tells of it, and only for whoever read the latest version.

use sqlx::Row as _;

use crate::audit::{Caller, Happening, Object};
use crate::base::clock;
use crate::base::limits::{PROPOSAL_PAGE_MAX, PROPOSALS_OPEN_MAX};
use crate::records::{Change, DbRow, Records, RecordsError};

/// What is in force and what was proposed, for one caller. Clones share it.
#[derive(Debug, Clone)]
pub struct GoverningBook {
    records: Records,
    caller: Caller,
}

/// Something to be proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProposal {
    /// What kind of thing.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its file, whole.
    pub body: String,
    /// sha256 of what it says, in hexadecimal digits.
    pub sha256: String,
    /// Number of the policy in force.
    pub base: i64,
    /// How many others must approve it.
    pub needs: u32,
    /// Who proposes it.
    pub person: String,
    /// Why.
    pub reason: String,
    /// Until when it may be approved, RFC 3339.
    pub expires_at: String,
}

/// What somebody said to a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VoiceRecord {
    /// Who.
    pub person: String,
    /// What, in the word of the rules.
    pub said: String,
    /// Why, where that was asked for.
    pub reason: Option<String>,
    /// When, RFC 3339.
    pub at: String,
}

/// A proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalRecord {
    /// Its number.
    pub id: i64,
    /// What kind of thing.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its file, whole.
    pub body: String,
    /// sha256 of what it says, in hexadecimal digits.
    pub sha256: String,
    /// Number of the policy that was in force then.
    pub base: i64,
    /// How many others must approve it.
    pub needs: u32,
    /// Who proposed it.
    pub proposed_by: String,
    /// When, RFC 3339.
    pub proposed_at: String,
    /// Until when it may be approved.
    pub expires_at: String,
    /// Why.
    pub reason: String,
    /// The rules' word for its state.
    pub state: String,
    /// Rises with every change.
    pub version: i64,
    /// When it changed last.
    pub changed_at: String,
    /// What was said to it, in the order of time.
    pub voices: Vec<VoiceRecord>,
}

/// A policy that is or was in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyVersion {
    /// From 1; the built-in policy is 0 and has none.
    pub number: i64,
    /// By which proposal.
    pub proposal: i64,
    /// sha256 of what it says, in hexadecimal digits.
    pub sha256: String,
    /// Its file.
    pub body: String,
    /// Since when, RFC 3339.
    pub adopted_at: String,
}

/// An operating point that was approved, and the signature over that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPoint {
    /// By which proposal.
    pub proposal: i64,
    /// What was signed: which point, approved by whom.
    pub statement: String,
    /// In hexadecimal digits.
    pub signature: String,
}

/// What comes into force by a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Adoption {
    /// The proposed policy.
    Policy,
    /// The proposed operating point.
    Point {
        /// What was signed.
        statement: String,
        /// In hexadecimal digits.
        signature: String,
    },
}

/// A change of a proposal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProposalStep {
    /// Which.
    pub proposal: i64,
    /// The version that was read: where there is a later one, nothing changes.
    pub version: i64,
    /// The new state, in the rules' word.
    pub state: &'static str,
    /// What somebody said.
    pub voice: VoiceRecord,
    /// What comes into force by it.
    pub adoption: Option<Adoption>,
}

impl Records {
    /// What is in force and what was proposed, for `caller`: the audit log names them for what is done.
    #[must_use]
    pub fn governing_book(&self, caller: &Caller) -> GoverningBook {
        GoverningBook { records: self.clone(), caller: caller.clone() }
    }
}

impl GoverningBook {
    /// Keeps a proposal; its number.
    ///
    /// # Errors
    /// [`RecordsError::TooMany`], [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn propose(&self, new: &NewProposal, happening: Happening) -> Result<i64, RecordsError> {
        let mut change = self.records.begin().await?;
        let now = clock::now_rfc3339();
        let open = "SELECT COUNT(*) FROM proposal WHERE state = 'open' AND expires_at > $1";
        let query = sqlx::query_scalar(open).bind(now.as_str());
        let open: i64 = query.fetch_one(&mut *change.transaction).await.map_err(change.sql())?;
        if open >= PROPOSALS_OPEN_MAX as i64 {
            return Err(RecordsError::TooMany { what: "open proposals", limit: PROPOSALS_OPEN_MAX });
        }
        let insert = "INSERT INTO proposal (id, kind, name, body, sha256, base, needs, proposed_by, proposed_at, expires_at, reason, \
             state, version, changed_at) SELECT (SELECT COALESCE(MAX(id), 0) + 1 FROM proposal), $1, $2, $3, $4, $5, $6, $7, $8, \
             $9, $10, 'open', 1, $8 RETURNING id";
        let id: i64 = sqlx::query_scalar(insert)
            .bind(new.kind)
            .bind(new.name.as_str())
            .bind(new.body.as_str())
            .bind(new.sha256.as_str())
            .bind(new.base)
            .bind(i64::from(new.needs))
            .bind(new.person.as_str())
            .bind(now.as_str())
            .bind(new.expires_at.as_str())
            .bind(new.reason.as_str())
            .fetch_one(&mut *change.transaction)
            .await
            .map_err(change.sql())?;
        change.tell(&self.caller, &happening.about([Object::Proposal(id)])).await?;
        change.commit().await?;
        Ok(id)
    }

    /// Changes a proposal, as `happening` tells; whether it did. It does not where somebody else changed it since it was read,
    /// or, for a policy that would come into force, where another one did since it was proposed.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn step(&self, step: &ProposalStep, happening: &Happening) -> Result<bool, RecordsError> {
        let mut change = self.records.begin().await?;
        let update =
            "UPDATE proposal SET state = $3, version = version + 1, changed_at = $4 WHERE id = $1 AND version = $2";
        let query = sqlx::query(update).bind(step.proposal).bind(step.version).bind(step.state);
        let query = query.bind(step.voice.at.as_str());
        if query.execute(&mut *change.transaction).await.map_err(change.sql())?.rows_affected() != 1 {
            return Ok(false);
        }
        change.add_voice(step.proposal, &step.voice).await?;
        let came = match &step.adoption {
            None => true,
            Some(Adoption::Policy) => change.adopt_policy(step.proposal, &step.voice.at).await?,
            Some(Adoption::Point { statement, signature }) => {
                change.sign_point(step.proposal, statement, signature).await?
            }
        };
        if !came {
            return Ok(false);
        }
        change.tell(&self.caller, happening).await?;
        change.commit().await?;
        Ok(true)
    }

    /// One proposal.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn one(&self, id: i64) -> Result<Option<ProposalRecord>, RecordsError> {
        let mut reading = self.records.read().await?;
        let query = sqlx::query("SELECT * FROM proposal WHERE id = $1").bind(id);
        let row = query.fetch_optional(&mut *reading).await.map_err(self.records.sql())?;
        let Some(row) = row else { return Ok(None) };
        let select = "SELECT * FROM proposal_voice WHERE proposal_id = $1 ORDER BY at, person";
        let rows = sqlx::query(select).bind(id).fetch_all(&mut *reading).await.map_err(self.records.sql())?;
        let mut found = self.proposal_of(&row)?;
        found.voices = rows.iter().map(|row| self.voice_of(row)).collect::<Result<_, _>>()?;
        Ok(Some(found))
    }

    /// Proposals, newest first, at most `limit`, without what was said to them.
    ///
    /// # Errors
    /// [`RecordsError::Sql`], [`RecordsError::Damaged`].
    pub async fn newest(&self, limit: usize) -> Result<Vec<ProposalRecord>, RecordsError> {
        let select = "SELECT * FROM proposal ORDER BY id DESC LIMIT $1";
        let query = sqlx::query(select).bind(limit.min(PROPOSAL_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        rows.iter().map(|row| self.proposal_of(row)).collect()
    }

    /// The policy in force; `None` for the built-in one.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn in_force(&self) -> Result<Option<PolicyVersion>, RecordsError> {
        Ok(self.versions(1).await?.pop())
    }

    /// Policies that are and were in force, newest first, at most `limit`.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn versions(&self, limit: usize) -> Result<Vec<PolicyVersion>, RecordsError> {
        let select = "SELECT v.number AS number, v.proposal_id AS proposal_id, v.sha256 AS sha256, v.adopted_at AS adopted_at, \
             p.body AS body FROM policy_version v JOIN proposal p ON p.id = v.proposal_id ORDER BY v.number DESC LIMIT $1";
        let query = sqlx::query(select).bind(limit.min(PROPOSAL_PAGE_MAX) as i64);
        let rows = query.fetch_all(&self.records.pool).await.map_err(self.records.sql())?;
        let version = |row: &DbRow| {
            Ok(PolicyVersion {
                number: row.try_get("number")?,
                proposal: row.try_get("proposal_id")?,
                sha256: row.try_get("sha256")?,
                body: row.try_get("body")?,
                adopted_at: row.try_get("adopted_at")?,
            })
        };
        rows.iter().map(version).collect::<Result<_, sqlx::Error>>().map_err(self.records.sql())
    }

    /// Whether a proposal of that kind, of what has that hash, was approved by enough people, and is not too old.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn is_adopted(&self, kind: &str, sha256: &str) -> Result<bool, RecordsError> {
        let select =
            "SELECT COUNT(*) FROM proposal WHERE kind = $1 AND sha256 = $2 AND state = 'adopted' AND expires_at > $3";
        let query = sqlx::query_scalar::<_, i64>(select).bind(kind).bind(sha256).bind(clock::now_rfc3339());
        Ok(query.fetch_one(&self.records.pool).await.map_err(self.records.sql())? > 0)
    }

    /// What was signed about the operating point of that name.
    ///
    /// # Errors
    /// [`RecordsError::Sql`].
    pub async fn signed_point(&self, name: &str) -> Result<Option<SignedPoint>, RecordsError> {
        let select = "SELECT proposal_id, statement, signature FROM signed_point WHERE name = $1";
        let query = sqlx::query(select).bind(name);
        let row = query.fetch_optional(&self.records.pool).await.map_err(self.records.sql())?;
        let signed = |row: &DbRow| {
            let (proposal, statement) = (row.try_get("proposal_id")?, row.try_get("statement")?);
            Ok(SignedPoint { proposal, statement, signature: row.try_get("signature")? })
        };
        row.as_ref().map(signed).transpose().map_err(self.records.sql())
    }

    fn proposal_of(&self, row: &DbRow) -> Result<ProposalRecord, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.records.sql());
        let number = |column: &str| row.try_get::<i64, _>(column).map_err(self.records.sql());
        let needs = u32::try_from(number("needs")?);
        let needs = needs.map_err(|_| self.records.damaged("a proposal needs less than nobody".to_owned()))?;
        Ok(ProposalRecord {
            id: number("id")?,
            kind: text("kind")?,
            name: text("name")?,
            body: text("body")?,
            sha256: text("sha256")?,
            base: number("base")?,
            needs,
            proposed_by: text("proposed_by")?,
            proposed_at: text("proposed_at")?,
            expires_at: text("expires_at")?,
            reason: text("reason")?,
            state: text("state")?,
            version: number("version")?,
            changed_at: text("changed_at")?,
            voices: Vec::new(),
        })
    }

    fn voice_of(&self, row: &DbRow) -> Result<VoiceRecord, RecordsError> {
        let text = |column: &str| row.try_get::<String, _>(column).map_err(self.records.sql());
        let reason = row.try_get("reason").map_err(self.records.sql())?;
        Ok(VoiceRecord { person: text("person")?, said: text("said")?, reason, at: text("at")? })
    }
}

impl Change {
    async fn add_voice(&mut self, proposal: i64, voice: &VoiceRecord) -> Result<(), RecordsError> {
        let insert = "INSERT INTO proposal_voice (proposal_id, person, said, reason, at) VALUES ($1, $2, $3, $4, $5)";
        let query = sqlx::query(insert).bind(proposal).bind(voice.person.as_str()).bind(voice.said.as_str());
        let query = query.bind(voice.reason.as_deref()).bind(voice.at.as_str());
        query.execute(&mut *self.transaction).await.map(drop).map_err(self.sql())
    }

    /// Whether it came into force: not where another did since it was proposed.
    async fn adopt_policy(&mut self, proposal: i64, at: &str) -> Result<bool, RecordsError> {
        let insert = "INSERT INTO policy_version (number, proposal_id, sha256, adopted_at) SELECT base + 1, id, sha256, $2 FROM proposal \
             WHERE id = $1 AND base = (SELECT COALESCE(MAX(number), 0) FROM policy_version)";
        let query = sqlx::query(insert).bind(proposal).bind(at);
        let done = query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(done.rows_affected() == 1)
    }

    /// Whether it came into use: not where there is one of its name.
    async fn sign_point(&mut self, proposal: i64, statement: &str, signature: &str) -> Result<bool, RecordsError> {
        let insert = "INSERT INTO signed_point (name, proposal_id, statement, signature) SELECT name, id, $2, $3 FROM proposal \
             WHERE id = $1 AND name NOT IN (SELECT name FROM signed_point)";
        let query = sqlx::query(insert).bind(proposal).bind(statement).bind(signature);
        let done = query.execute(&mut *self.transaction).await.map_err(self.sql())?;
        Ok(done.rows_affected() == 1)
    }
}
