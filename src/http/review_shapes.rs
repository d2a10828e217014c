//! JSON shapes of reviews and leads. Each that shows or decides about candidates says what a candidate is not.

use serde::Serialize;
use utoipa::ToSchema;

use crate::base::hex;
use crate::base::text::NOT_EVIDENCE;
use crate::casework::review::view::Shown;
use crate::casework::review::{State, View};
use crate::records::FaceBox;
use crate::records::review::{DecisionRecord, LeadRecord, ReviewRecord};

/// A review, without its candidates.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReviewShape {
    /// Its number.
    pub review: i64,
    /// Of which search.
    pub search: i64,
    /// In which gallery.
    pub gallery: String,
    /// open, first, awaiting_second, second, conflict, third, lead, closed_negative, closed_conflict or withdrawn.
    #[schema(example = "awaiting_second")]
    pub state: String,
    /// Who opened it.
    pub opened_by: String,
    /// When, UTC.
    pub opened_at: String,
    /// sha256 of the policy that it is reviewed under.
    pub policy_sha256: String,
    /// Who has taken it.
    pub claim: Option<ClaimShape>,
    /// When it changed last, UTC.
    pub changed_at: String,
}

/// Who has taken a review.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ClaimShape {
    /// Who.
    pub by: String,
    /// Until when, UTC.
    pub until: String,
}

impl From<&ReviewRecord> for ReviewShape {
    fn from(record: &ReviewRecord) -> Self {
        let ReviewRecord { id, search, gallery, state, opened_by, opened_at, policy_sha256, claim, changed_at, .. } =
            record;
        Self {
            review: *id,
            search: *search,
            gallery: gallery.to_string(),
            state: state.clone(),
            opened_by: opened_by.clone(),
            opened_at: opened_at.clone(),
            policy_sha256: policy_sha256.clone(),
            claim: claim.as_ref().map(|claim| ClaimShape { by: claim.by.clone(), until: claim.until.clone() }),
            changed_at: changed_at.clone(),
        }
    }
}

/// Where a review stands after what was done.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StandShape {
    /// Its number.
    pub review: i64,
    /// The state that it is in now.
    #[schema(example = "first")]
    pub state: String,
    /// What a candidate is not.
    pub notice: &'static str,
}

impl StandShape {
    /// Of a review that was just changed.
    #[must_use]
    pub fn new(review: i64, state: &State) -> Self {
        Self { review, state: state.as_str().to_owned(), notice: NOT_EVIDENCE }
    }
}

/// A review as it is shown to whoever asks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ViewShape {
    /// Its number.
    pub review: i64,
    /// Of which search.
    pub search: i64,
    /// In which gallery.
    pub gallery: String,
    /// Its state.
    pub state: String,
    /// When it was searched, UTC.
    pub searched_at: String,
    /// What was searched for.
    pub probe: ProbeShownShape,
    /// Whether anything is hidden until a decision; the order of candidates says nothing then.
    pub blind: bool,
    /// The candidates that are not erased.
    pub candidates: Vec<CandidateShownShape>,
    /// How many were erased since the search.
    pub erased: usize,
    /// What was decided; none for who has yet to decide.
    pub decisions: Vec<DecisionShape>,
    /// sha256 of what is shown, as the records keep it.
    pub view_sha256: String,
    /// What a candidate is not.
    pub notice: &'static str,
}

/// What was searched for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProbeShownShape {
    /// sha256 of the picture's file.
    pub sha256: String,
    /// Where the face stands in it.
    pub face: FaceShownShape,
}

/// A face in a picture, in pixels.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FaceShownShape {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
}

/// A candidate of a review.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CandidateShownShape {
    /// Which template: what a decision names.
    pub template: u64,
    /// Its rank, unless hidden.
    pub rank: Option<u32>,
    /// Its comparison score, unless hidden.
    pub score: Option<f32>,
    /// Whose reference, unless hidden.
    pub subject: Option<String>,
    /// The name of its picture's file, unless hidden.
    pub source: Option<String>,
    /// sha256 of its picture.
    pub image_sha256: Option<String>,
}

/// A decision.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DecisionShape {
    /// 1, 2 or 3.
    pub stage: i64,
    /// Who.
    pub person: String,
    /// possible_identification, exclusion, inconclusive or not_suitable.
    pub finding: String,
    /// The candidate, where one was named.
    pub template: Option<u64>,
    /// When, UTC.
    pub at: String,
}

impl From<&View> for ViewShape {
    fn from(view: &View) -> Self {
        let FaceBox { x, y, width, height } = view.face;
        let candidate = |shown: &Shown| {
            let Shown { template, rank, score, subject, source, image_sha256 } = shown.clone();
            CandidateShownShape { template: template.0, rank, score, subject, source, image_sha256 }
        };
        let decision = |decision: &DecisionRecord| {
            let DecisionRecord { stage, person, finding, template, seen: _, at } = decision.clone();
            DecisionShape { stage, person, finding, template: template.map(|template| template.0), at }
        };
        Self {
            review: view.review,
            search: view.search,
            gallery: view.gallery.to_string(),
            state: view.state.to_owned(),
            searched_at: view.searched_at.clone(),
            probe: ProbeShownShape { sha256: view.probe_sha256.clone(), face: FaceShownShape { x, y, width, height } },
            blind: view.blind,
            candidates: view.candidates.iter().map(candidate).collect(),
            erased: view.erased,
            decisions: view.decisions.iter().map(decision).collect(),
            view_sha256: hex::encode(&view.sha256),
            notice: NOT_EVIDENCE,
        }
    }
}

/// A lead.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeadShape {
    /// Its number.
    pub lead: i64,
    /// Of which review.
    pub review: i64,
    /// Of which search.
    pub search: i64,
    /// In which gallery.
    pub gallery: String,
    /// Which candidate.
    pub template: u64,
    /// The two who named it.
    pub named_by: Vec<String>,
    /// Who did not, where there was a third.
    pub dissent: Option<String>,
    /// When, UTC.
    pub made_at: String,
    /// What came of it, in the order in which it was said.
    pub outcomes: Vec<OutcomeShape>,
}

/// What came of a lead.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OutcomeShape {
    /// arrest, charge, eliminated, no_further_action, denied_code_d or other.
    pub outcome: String,
    /// Who said so.
    pub by: String,
    /// When, UTC.
    pub at: String,
}

impl From<&LeadRecord> for LeadShape {
    fn from(record: &LeadRecord) -> Self {
        let LeadRecord { id, review, search, gallery, template, named_by, dissent, made_at, outcomes } = record.clone();
        let outcome = |(outcome, by, at)| OutcomeShape { outcome, by, at };
        Self {
            lead: id,
            review,
            search,
            gallery: gallery.to_string(),
            template: template.0,
            named_by: named_by.into(),
            dissent,
            made_at,
            outcomes: outcomes.into_iter().map(outcome).collect(),
        }
    }
}

/// Leads.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LeadsShape {
    /// Newest first.
    pub leads: Vec<LeadShape>,
    /// What a lead is not.
    pub notice: &'static str,
}

impl LeadsShape {
    /// Of these.
    #[must_use]
    pub fn new(leads: &[LeadRecord]) -> Self {
        Self { leads: leads.iter().map(LeadShape::from).collect(), notice: NOT_EVIDENCE }
    }
}
