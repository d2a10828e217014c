//! Reviews by two people, and leads. Who may do what next is decided by the machine of `casework::review`.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::audit::Caller;
use crate::base::ids::TemplateId;
use crate::base::limits::REVIEW_PAGE_MAX;
use crate::casework::CaseworkError;
use crate::casework::review::{Finding, Outcome, ReviewRoom, State};
use crate::http::identity::Sender;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;
use crate::http::review_shapes::{LeadShape, LeadsShape, ReviewShape, StandShape, ViewShape};
use crate::http::routes::length;

/// Reviews.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReviewsShape {
    /// Newest first, without their candidates.
    pub reviews: Vec<ReviewShape>,
}

/// Which search is to be reviewed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewReviewShape {
    /// Its number, from the answer to the search.
    pub search: i64,
}

/// A review that was just opened.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OpenedShape {
    /// Its number.
    pub review: i64,
    /// Of which search.
    pub search: i64,
}

/// A decision: a candidate, or a finding that names nobody.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewDecisionShape {
    /// The probe may show the person of this template.
    pub possible: Option<u64>,
    /// Or nobody is named: exclusion, inconclusive or not_suitable.
    #[schema(example = "exclusion")]
    pub finding: Option<String>,
    /// Why, in words: name nobody there.
    #[schema(max_length = 1024)]
    pub reason: Option<String>,
}

/// Why a review is taken back.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWithdrawalShape {
    /// In words: name nobody there.
    #[schema(max_length = 1024)]
    pub reason: String,
}

/// What came of a lead.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewOutcomeShape {
    /// arrest, charge, eliminated, no_further_action, denied_code_d or other.
    #[schema(example = "eliminated")]
    pub outcome: String,
}

/// Which reviews.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewsAsked {
    /// Only in this state.
    pub state: Option<String>,
    /// At most so many, 1 to 500; 50 unless said.
    pub last: Option<u32>,
}

/// Which leads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LeadsAsked {
    /// At most so many, 1 to 500; 50 unless said.
    pub last: Option<u32>,
}

/// Reviews of the galleries that one may see, newest first. Shows no candidates.
#[utoipa::path(get, path = "/api/v1/reviews", operation_id = "list_reviews", tag = "reviews",
    params(
        ("state" = Option<String>, Query, description = "Only in this state: open, first, awaiting_second, second, conflict, third, lead, closed_negative, closed_conflict or withdrawn"),
        ("last" = Option<u32>, Query, description = "At most so many, 1 to 500; 50 unless said"),
    ),
    responses(
        (status = 200, description = "The newest", body = ReviewsShape),
        (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
    ))]
pub async fn list(
    reception: Data<Reception>,
    Sender(caller): Sender,
    asked: Query<ReviewsAsked>,
) -> Result<Json<ReviewsShape>, Problem> {
    let ReviewsAsked { state, last } = asked.into_inner();
    let last = length(last, REVIEW_PAGE_MAX)?;
    let wrong = |known| Problem::malformed(format!("No such state: {known}."));
    let state = state.map(|word| State::word(&word).map_err(wrong)).transpose()?;
    let found = within(&reception, caller, move |room: ReviewRoom| async move { room.list(state, last).await }).await?;
    Ok(Json(ReviewsShape { reviews: found.iter().map(ReviewShape::from).collect() }))
}

/// Opens the review of a search. A search has one.
#[utoipa::path(post, path = "/api/v1/reviews", operation_id = "open_review", tag = "reviews", request_body = NewReviewShape, responses(
    (status = 201, description = "Opened", body = OpenedShape, headers(("Location" = String, description = "Its address"))),
    (status = 404, description = "No such search", body = ProblemShape, content_type = "application/problem+json"),
    (status = 409, description = "Under review already", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn open(
    reception: Data<Reception>,
    Sender(caller): Sender,
    new: Json<NewReviewShape>,
) -> Result<HttpResponse, Problem> {
    let search = new.search;
    let review = within(&reception, caller, move |room: ReviewRoom| async move { room.open(search).await }).await?;
    let address = format!("/api/v1/reviews/{review}");
    Ok(HttpResponse::Created().insert_header((header::LOCATION, address)).json(OpenedShape { review, search }))
}

/// The candidates of a review.
///
/// To whoever has claimed it or has decided in it, and to all who review once it is a lead. Until somebody has decided, scores,
/// ranks and subjects are hidden from them as the policy says, and the order of candidates says nothing. That it was shown is
/// recorded: nobody decides about candidates whom they did not look at.
#[utoipa::path(get, path = "/api/v1/reviews/{review}", operation_id = "show_review", tag = "reviews", params(("review" = i64, Path, description = "Its number")), responses(
    (status = 200, description = "What they may see of it", body = ViewShape),
    (status = 404, description = "There is none of that number", body = ProblemShape, content_type = "application/problem+json"),
    (status = 409, description = "Not claimed by whoever asks", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn show(
    reception: Data<Reception>,
    Sender(caller): Sender,
    review: Path<String>,
) -> Result<Json<ViewShape>, Problem> {
    let review = number(&review)?;
    let view = within(&reception, caller, move |room: ReviewRoom| async move { room.see(review).await }).await?;
    Ok(Json(ViewShape::from(&view)))
}

/// Takes a review, to decide it. Again: for longer.
#[utoipa::path(post, path = "/api/v1/reviews/{review}/claims", operation_id = "claim_review", tag = "reviews", params(("review" = i64, Path, description = "Its number")), responses(
    (status = 200, description = "Taken", body = StandShape),
    (status = 404, description = "There is none of that number", body = ProblemShape, content_type = "application/problem+json"),
    (status = 409, description = "Somebody else has it, or whoever asks has decided in it", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn claim(
    reception: Data<Reception>,
    Sender(caller): Sender,
    review: Path<String>,
) -> Result<Json<StandShape>, Problem> {
    let review = number(&review)?;
    let state = within(&reception, caller, move |room: ReviewRoom| async move { room.claim(review).await }).await?;
    Ok(Json(StandShape::new(review, &state)))
}

/// Decides. Decisions stay.
#[utoipa::path(post, path = "/api/v1/reviews/{review}/decisions", operation_id = "decide_review", tag = "reviews", params(("review" = i64, Path, description = "Its number")), request_body = NewDecisionShape, responses(
    (status = 200, description = "Decided", body = StandShape),
    (status = 404, description = "There is none of that number", body = ProblemShape, content_type = "application/problem+json"),
    (status = 409, description = "Not claimed, not looked at, or decided already by the same person", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn decide(
    reception: Data<Reception>,
    Sender(caller): Sender,
    review: Path<String>,
    new: Json<NewDecisionShape>,
) -> Result<Json<StandShape>, Problem> {
    let review = number(&review)?;
    let NewDecisionShape { possible, finding, reason } = new.into_inner();
    let finding = match (possible, finding) {
        (Some(template), None) => Some(Finding::Possible(TemplateId(template))),
        (None, Some(word)) => Finding::parse(&word, None),
        (Some(_), Some(_)) | (None, None) => None,
    };
    let wanted = "Name a candidate in \"possible\", or say exclusion, inconclusive or not_suitable in \"finding\".";
    let finding = finding.ok_or_else(|| Problem::malformed(wanted))?;
    let decided = move |room: ReviewRoom| async move { room.decide(review, finding, reason.as_deref()).await };
    let state = within(&reception, caller, decided).await?;
    Ok(Json(StandShape::new(review, &state)))
}

/// Takes a review back that is not over.
#[utoipa::path(post, path = "/api/v1/reviews/{review}/withdrawals", operation_id = "withdraw_review", tag = "reviews", params(("review" = i64, Path, description = "Its number")), request_body = NewWithdrawalShape, responses(
    (status = 200, description = "Taken back", body = StandShape),
    (status = 404, description = "There is none of that number", body = ProblemShape, content_type = "application/problem+json"),
    (status = 409, description = "It is over", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn withdraw(
    reception: Data<Reception>,
    Sender(caller): Sender,
    review: Path<String>,
    new: Json<NewWithdrawalShape>,
) -> Result<Json<StandShape>, Problem> {
    let (review, reason) = (number(&review)?, new.into_inner().reason);
    let state =
        within(&reception, caller, move |room: ReviewRoom| async move { room.withdraw(review, &reason).await }).await?;
    Ok(Json(StandShape::new(review, &state)))
}

/// Leads of the galleries that one may see, newest first.
#[utoipa::path(get, path = "/api/v1/leads", operation_id = "list_leads", tag = "reviews", params(("last" = Option<u32>, Query, description = "At most so many, 1 to 500; 50 unless said")), responses(
    (status = 200, description = "The newest", body = LeadsShape),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn leads(
    reception: Data<Reception>,
    Sender(caller): Sender,
    asked: Query<LeadsAsked>,
) -> Result<Json<LeadsShape>, Problem> {
    let last = length(asked.last, REVIEW_PAGE_MAX)?;
    let found = within(&reception, caller, move |room: ReviewRoom| async move { room.leads(last).await }).await?;
    Ok(Json(LeadsShape::new(&found)))
}

/// Says what came of a lead.
#[utoipa::path(post, path = "/api/v1/leads/{lead}/outcomes", operation_id = "add_outcome", tag = "reviews", params(("lead" = i64, Path, description = "Its number")), request_body = NewOutcomeShape, responses(
    (status = 200, description = "The lead as it is now", body = LeadShape),
    (status = 404, description = "There is none of that number", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn outcome(
    reception: Data<Reception>,
    Sender(caller): Sender,
    lead: Path<String>,
    new: Json<NewOutcomeShape>,
) -> Result<Json<LeadShape>, Problem> {
    let lead = number(&lead)?;
    let outcome =
        Outcome::parse(&new.outcome).map_err(|known| Problem::malformed(format!("No such outcome: {known}.")))?;
    let found =
        within(&reception, caller, move |room: ReviewRoom| async move { room.outcome(lead, outcome).await }).await?;
    Ok(Json(LeadShape::from(&found)))
}

/// Does something with reviews as whoever asks.
async fn within<T, F>(
    reception: &Reception,
    caller: Caller,
    act: impl FnOnce(ReviewRoom) -> F + Send + 'static,
) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Future<Output = Result<T, CaseworkError>> + Send + 'static,
{
    let desk = Arc::clone(&reception.desk);
    let case = async move {
        let room = ReviewRoom::enter(&desk.vault, &caller).await?;
        act(room).await
    };
    reception.run(case).await
}

fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        Problem::malformed(format!("{shown:?} is no number of a review or lead: those are whole numbers."))
    })
}
