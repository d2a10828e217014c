//! What the files of a pack say, in JSON.

use serde::{Deserialize, Serialize};

use crate::audit::searched::{Exact, Listed, Named, Searched};

/// A search of the same request: the event of both binds them together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sibling {
    /// Its number.
    pub search: i64,
    /// The hash by which the log binds it.
    pub sha256: String,
}

/// `search.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchFile {
    /// When, RFC 3339.
    pub at: String,
    /// Who asked.
    pub actor: String,
    /// Where from.
    pub origin: String,
    /// Of which case, as was stated.
    pub case_ref: Option<String>,
    /// Why, as was stated.
    pub reason: Option<String>,
    /// Hash of the policy that it was held against.
    pub policy_sha256: Option<String>,
    /// All that its list depends on; the candidates stand in `list.json`.
    pub searched: Searched,
    /// The hashes by which the log binds it and what was searched for with it; empty for searches of before there were any.
    pub bound: Vec<Sibling>,
}

/// A candidate that was shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidate {
    /// From 1.
    pub rank: u32,
    /// Which template.
    pub template: u64,
    /// Its comparison score, for people.
    pub score: f32,
    /// The same to the bit.
    pub score_bits: Exact,
    /// By what the log's hash of the list names it: a salt, or, of one who was erased, the salted hash itself.
    #[serde(default = "plainly")]
    pub named: Named,
    /// `live`, `erasing` or `erased` when the pack was made.
    pub state: String,
    /// When it was erased.
    pub erased_at: Option<String>,
    /// Whose reference; only of the candidate of a lead.
    pub subject: Option<String>,
    /// sha256 of its picture; only of the candidate of a lead.
    pub image_sha256: Option<String>,
}

impl Candidate {
    /// As the log binds it.
    #[must_use]
    pub fn listed(&self) -> Listed {
        let Self { rank, template, score_bits: score, named, .. } = *self;
        Listed { rank, template, score, named }
    }
}

const fn plainly() -> Named {
    Named::Plainly
}

/// `list.json`: the whole list, whatever was decided.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListFile {
    /// What stands on everything that shows candidates.
    pub notice: String,
    /// By rank.
    pub candidates: Vec<Candidate>,
}

impl ListFile {
    /// As the log binds them.
    #[must_use]
    pub fn listed(&self) -> Vec<Listed> {
        self.candidates.iter().map(Candidate::listed).collect()
    }
}

/// Something that was made of the picture of a probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// From 1.
    pub number: i64,
    /// sha256 of the picture that was made; `None` once that is erased.
    pub sha256: Option<String>,
    /// Its length.
    pub bytes: u64,
    /// With what it was made; `None` as `sha256`.
    pub tool: Option<String>,
    /// How; `None` as `sha256`.
    pub parameters: Option<String>,
    /// By whom.
    pub person: String,
    /// When, RFC 3339.
    pub made_at: String,
}

/// What there is of a probe's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// None was kept.
    NotKept,
    /// It is kept.
    Kept,
    /// Its period is over, and it is to be erased.
    Ended,
    /// It is erased, and all that was made of it.
    Erased,
}

/// `probe.json`: the picture that was searched with, without the picture.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProbeFile {
    /// sha256 of the picture as it came.
    pub original: String,
    /// What there is of it.
    pub picture: Picture,
    /// Its number, where it was kept.
    pub probe: Option<i64>,
    /// Its length in bytes, where it was kept.
    pub bytes: Option<u64>,
    /// Since when, where it was kept.
    pub kept_at: Option<String>,
    /// Until when.
    pub expires_at: Option<String>,
    /// What was made of it, in order; searches are made with the original.
    pub edits: Vec<Edit>,
}

/// Something that was decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// 1, 2 or 3.
    pub stage: i64,
    /// Who.
    pub person: String,
    /// What.
    pub finding: String,
    /// The candidate, where one was named.
    pub template: Option<u64>,
    /// When.
    pub at: String,
    /// When they were first shown the candidates.
    pub seen_at: Option<String>,
    /// sha256 of what they were shown.
    pub seen_sha256: Option<String>,
}

/// Something that somebody wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Who.
    pub person: String,
    /// What; or what stands in its place after an erasure.
    pub text: String,
    /// When.
    pub at: String,
}

/// A lead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lead {
    /// Its number.
    pub lead: i64,
    /// Which candidate.
    pub template: u64,
    /// The two who named it.
    pub named_by: [String; 2],
    /// Who did not.
    pub dissent: Option<String>,
    /// When.
    pub made_at: String,
    /// What came of it: word, who said so, when.
    pub outcomes: Vec<(String, String, String)>,
}

/// `decisions.json`: the review, if there was one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decisions {
    /// The review's number.
    pub review: Option<i64>,
    /// Its state.
    pub state: Option<String>,
    /// Who opened it.
    pub opened_by: Option<String>,
    /// When.
    pub opened_at: Option<String>,
    /// Hash of the policy that it is under.
    pub policy_sha256: Option<String>,
    /// In their order.
    pub decisions: Vec<Decision>,
    /// What people wrote.
    pub said: Vec<Said>,
    /// The lead, if it became one.
    pub lead: Option<Lead>,
}
