//! Reviews of candidate lists, their decisions, and leads. What may be done is decided above; here it is kept, each change
//! in one transaction with the event that tells of it, and only for whoever has read the latest version.

mod read;
mod write;

pub(in crate::records) use read::listed;

use crate::audit::Caller;
use crate::base::ids::{GalleryName, TemplateId};
use crate::records::{FaceBox, RecordedCandidate, Records};

/// The reviews of a data folder, for one caller. Clones share them.
#[derive(Debug, Clone)]
pub struct ReviewBook {
    records: Records,
    caller: Caller,
}

impl Records {
    /// Reviews, for `caller`: the audit log names them for what is done.
    #[must_use]
    pub fn review_book(&self, caller: &Caller) -> ReviewBook {
        ReviewBook { records: self.clone(), caller: caller.clone() }
    }
}

/// What a review is about: a search as it was recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchFacts {
    /// Its number.
    pub search: i64,
    /// Which gallery.
    pub gallery: GalleryName,
    /// Who asked for it.
    pub actor: String,
    /// Who handed its picture in, where it is of a submission, or made anew of a search that was.
    pub submitter: Option<String>,
    /// When, RFC 3339.
    pub at: String,
    /// sha256 of the probe's picture, in hexadecimal digits.
    pub probe_sha256: String,
    /// Where the face stands in it.
    pub face: FaceBox,
    /// What it showed, by rank.
    pub candidates: Vec<RecordedCandidate>,
}

/// Whether a search can be reviewed.
#[derive(Debug, Clone, PartialEq)]
pub enum Reviewable {
    /// There is no such search.
    NoSearch,
    /// It is under review.
    Reviewed(i64),
    /// It can.
    Yes(SearchFacts),
}

/// A claim of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRecord {
    /// Whose.
    pub by: String,
    /// Until when, RFC 3339.
    pub until: String,
    /// When they were first shown the candidates, and the sha256 of what they were shown, in hexadecimal digits.
    pub seen: Option<(String, String)>,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DecisionRecord {
    /// 1, 2 or 3.
    pub stage: i64,
    /// Who.
    pub person: String,
    /// What, in the machine's word.
    pub finding: String,
    /// The candidate, where one was named.
    pub template: Option<TemplateId>,
    /// When they were first shown the candidates, and the sha256 of what they were shown.
    pub seen: Option<(String, String)>,
    /// When they decided, RFC 3339.
    pub at: String,
}

/// A review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewRecord {
    /// Its number.
    pub id: i64,
    /// Which search.
    pub search: i64,
    /// Which gallery.
    pub gallery: GalleryName,
    /// The machine's word for its state.
    pub state: String,
    /// Rises with every change.
    pub version: i64,
    /// Who opened it.
    pub opened_by: String,
    /// When, RFC 3339.
    pub opened_at: String,
    /// sha256 of the policy it is reviewed under, in hexadecimal digits.
    pub policy_sha256: String,
    /// Who has taken it.
    pub claim: Option<ClaimRecord>,
    /// When it changed last.
    pub changed_at: String,
    /// Decisions so far, in their order.
    pub decisions: Vec<DecisionRecord>,
}

/// A lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeadRecord {
    /// Its number.
    pub id: i64,
    /// Of which review.
    pub review: i64,
    /// Of which search.
    pub search: i64,
    /// In which gallery.
    pub gallery: GalleryName,
    /// Which candidate.
    pub template: TemplateId,
    /// The two who named it.
    pub named_by: [String; 2],
    /// Who did not, where there was a third.
    pub dissent: Option<String>,
    /// When, RFC 3339.
    pub made_at: String,
    /// What came of it: word, who said so, when.
    pub outcomes: Vec<(String, String, String)>,
}

/// A lead to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLead {
    /// Which candidate.
    pub template: TemplateId,
    /// The two who named it.
    pub named_by: [String; 2],
    /// Who did not.
    pub dissent: Option<String>,
}

/// A change of a review.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advance {
    /// Which.
    pub review: i64,
    /// The version that was read: where there is a later one, nothing changes.
    pub version: i64,
    /// The new state, in the machine's word.
    pub state: &'static str,
    /// Who has taken it then.
    pub claim: Option<ClaimRecord>,
    /// A decision that was made.
    pub decision: Option<DecisionRecord>,
    /// What was said, by whom.
    pub said: Option<(String, String)>,
    /// The lead that it becomes.
    pub lead: Option<NewLead>,
    /// What they looked at who say something: where somebody on it was erased since, nothing is decided and nothing said.
    pub shown: Option<Looked>,
}

/// What somebody looked at before they say something of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The list of this search.
    pub search: i64,
    /// When, RFC 3339, if they did.
    pub at: Option<String>,
    /// Candidates that were not erased when it was read to be changed.
    pub shown: Vec<TemplateId>,
}
