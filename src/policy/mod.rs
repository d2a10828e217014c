//! The rules of the house as data: which purposes may search which galleries, what a search must state, how long lists and
//! records last, what takes two people. A policy is a file, read whole or refused whole (docs/POLICY.md); its hash names it in
//! records. Knows no people, no galleries and no clock: whoever asks brings them.

pub mod admit;
pub mod check;
pub mod clocks;
pub mod diff;
pub mod facts;
pub mod idle;
pub mod parse;
pub mod periods;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use crate::rights::{Role, Roles};
pub use admit::{NotAdmitted, Stated};
pub use check::{Finding, Weight};
pub use clocks::{Clock, DatedFacts, Standing};
pub use facts::{Disposal, Fact, ImageFacts, Pose};
pub use parse::PolicyError;
pub use periods::Period;

/// The version of the file's form that this release reads.
pub const VERSION: u32 = 1;
/// Begins what is hashed for a policy.
const HASHED: &str = "bertillon policy 1\n";

/// A policy, as its file has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Version of the form: [`VERSION`].
    pub version: u32,
    /// Whose, in a line.
    pub name: String,
    /// The lawful bases that a search may state.
    pub lawful_bases: Vec<String>,
    /// What must be stated.
    pub require: Require,
    /// How serious what is investigated may be.
    pub seriousness: Seriousness,
    /// What galleries may be searched for.
    pub purposes: BTreeMap<String, Purpose>,
    /// Longest candidate list by role, in people. A role that is not there is shown no list.
    pub lists: BTreeMap<Role, u32>,
    /// How candidates are reviewed.
    pub review: Review,
    /// Who may choose thresholds, and how.
    pub thresholds: Thresholds,
    /// How long things are kept.
    pub retention: Retention,
    /// What takes two people.
    pub two_person: TwoPerson,
    /// How much is ordinary.
    pub volume: Volume,
    /// Who must show a second factor.
    pub mfa: Mfa,
    /// What anybody may see.
    pub publish: Publish,
}

/// What must be stated; what is missing is refused by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Require {
    /// By whoever searches, where the purpose says nothing else.
    pub search: Vec<SearchField>,
    /// By whoever gives something out.
    pub disclosure: Vec<DisclosureField>,
    /// By whoever looks something up; not acted upon ([`idle`]). Lawful to leave empty since the Data (Use and Access) Act 2025, section 82.
    pub consultation: Vec<ConsultationField>,
}

/// Something that a search may state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SearchField {
    /// What for: one of the purposes.
    Purpose,
    /// On what basis in law: one of the lawful bases.
    LawfulBasis,
    /// How serious: one of the order.
    Seriousness,
    /// Of which case.
    CaseRef,
    /// Why, in words.
    Reason,
    /// Who authorised it, who is not whoever asks.
    Authoriser,
}

impl SearchField {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Purpose, Self::LawfulBasis, Self::Seriousness, Self::CaseRef, Self::Reason, Self::Authoriser];

    /// As files, flags and refusals name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Purpose => "purpose",
            Self::LawfulBasis => "lawful_basis",
            Self::Seriousness => "seriousness",
            Self::CaseRef => "case_ref",
            Self::Reason => "reason",
            Self::Authoriser => "authoriser",
        }
    }
}

/// Something that a disclosure may state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisclosureField {
    /// To whom.
    Recipient,
    /// Why.
    Reason,
}

/// Something that a look-up may state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsultationField {
    /// Of which case.
    CaseRef,
    /// Why.
    Reason,
}

/// How serious what is investigated may be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Seriousness {
    /// Words, the least serious first.
    pub order: Vec<String>,
}

/// What a gallery may be searched for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// By gallery (a name, the beginning of names and `*`, or `*` alone) how serious it must be at least.
    pub galleries: BTreeMap<String, String>,
    /// Which roles may search for it; every role that is shown a list where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub roles: Option<Vec<Role>>,
    /// What such a search must state, in the place of `require.search`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub require: Option<Vec<SearchField>>,
}

/// How candidates are reviewed. That a lead takes two people is no setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Of a hundred decisions that name nobody, how many go to a second person. Drawn when the decision is made.
    pub negatives_percent: u32,
    /// Comparison scores are hidden until one has decided.
    pub blind_score: bool,
    /// Ranks and their order are.
    pub blind_rank: bool,
    /// Subjects and file names are.
    pub blind_name: bool,
    /// How long a claim holds, in minutes.
    pub claim_minutes: u32,
}

/// Who may choose thresholds, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Thresholds {
    /// Roles that may give a bare number.
    pub raw_roles: Vec<Role>,
    /// The operating point of searches that choose none; empty for no threshold.
    pub default_point: String,
    /// How many people approve an operating point.
    pub approvers: u32,
}

/// How long things are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Retention {
    /// References, by gallery (as with purposes).
    pub galleries: BTreeMap<String, GalleryPeriods>,
    /// Searches and what comes of them.
    pub search: SearchPeriods,
}

/// How long references of one gallery are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GalleryPeriods {
    /// Of those who were convicted, where no review group says more.
    pub convicted: Period,
    /// Of those who were not, from the day on which that is known.
    pub not_convicted: Period,
    /// Of those who were under 18 when the picture was taken.
    pub under18: Period,
    /// As long as nobody knows what became of the matter: until somebody looks.
    pub undecided: Period,
    /// By review group, `1` to `3`: until the next review.
    #[serde(default)]
    pub review_groups: BTreeMap<String, Period>,
    /// How long something due may wait for its review.
    pub grace: Period,
}

/// How long searches and what comes of them are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchPeriods {
    /// The probe's picture.
    pub probe: Period,
    /// Its template.
    pub template: Period,
    /// The candidate list.
    pub list: Period,
    /// A lead.
    pub lead: Period,
    /// What was handed in.
    pub submission: Period,
    /// A picture that gave no probe.
    pub failed_probe: Period,
}

/// What takes two people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TwoPerson {
    /// Which acts.
    pub acts: Vec<TwoPersonAct>,
}

/// Something that may take two people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TwoPersonAct {
    /// To adopt a policy.
    Policy,
    /// To give or take a role.
    Role,
    /// To bring an operating point into use.
    OperatingPoint,
    /// To export much at once.
    BulkExport,
    /// To destroy a gallery's key.
    KeyDestroy,
    /// To keep something beyond its period.
    RetentionException,
    /// To erase a subject or a reference.
    Erasure,
}

impl TwoPersonAct {
    /// As the file names it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Role => "role",
            Self::OperatingPoint => "operating_point",
            Self::BulkExport => "bulk_export",
            Self::KeyDestroy => "key_destroy",
            Self::RetentionException => "retention_exception",
            Self::Erasure => "erasure",
        }
    }
}

/// How much is ordinary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// Searches of one person in a day, above which supervisors are to be told; not acted upon ([`idle`]).
    pub searches_per_day: u32,
}

/// Who must show a second factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mfa {
    /// Which roles.
    pub roles: Vec<Role>,
}

/// What anybody may see.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publish {
    /// Counts of galleries and searches; not acted upon ([`idle`]).
    pub transparency: bool,
}

impl Policy {
    /// The sha256 that names this policy, over what it says and not over how its file is written: of [`HASHED`] and the JSON
    /// of it with keys in ascending order and no blanks (RFC 8785; there are no fractions).
    ///
    /// # Errors
    /// In words; only for a defect of this program.
    pub fn sha256(&self) -> Result<[u8; 32], String> {
        Ok(Sha256::new().chain_update(HASHED).chain_update(self.text()?).finalize().into())
    }

    /// The JSON of which that is the hash.
    ///
    /// # Errors
    /// In words; only for a defect of this program.
    pub fn text(&self) -> Result<String, String> {
        Ok(self.value()?.to_string())
    }

    /// Whether an act takes two people.
    #[must_use]
    pub fn takes_two(&self, act: TwoPersonAct) -> bool {
        self.two_person.acts.contains(&act)
    }

    /// What it says, with the keys of all objects in ascending order.
    fn value(&self) -> Result<serde_json::Value, String> {
        serde_json::to_value(self).map_err(|error| error.to_string())
    }
}
