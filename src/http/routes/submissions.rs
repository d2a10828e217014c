//! Submissions over HTTP: stills come in, receipts go out. There is no address by which one gets a picture back, or more than is its
//! submitter's business.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Data, Json, Path, Payload, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::audit::Caller;
use crate::base::limits::{SUBMISSION_IMAGES_MAX, SUBMISSIONS_PAGE_MAX};
use crate::casework::CaseworkError;
use crate::casework::submissions::{State, SubmissionRoom};
use crate::http::identity::Sender;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;
use crate::http::routes::length;
use crate::http::submission_shapes::{HandedInShape, SubmissionShape, SubmissionsShape};
use crate::records::submissions::Told;

const REFERENCE: &str = "reference";
const PLACE: &str = "place";
const TIME: &str = "time";

/// Stills of one offence.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes a multipart body")]
pub struct NewSubmissionShape {
    /// Your own reference of the case or offence.
    #[schema(max_length = 1024, example = "SHOP/8/26")]
    pub reference: String,
    /// Where it was, if known. Name nobody there.
    #[schema(max_length = 1024)]
    pub place: Option<String>,
    /// When it was, if known.
    #[schema(max_length = 1024, example = "2026-11-22 about 14:30")]
    pub time: Option<String>,
    /// JPEG, PNG, WebP, BMP or TIFF files, at most 8; the field is repeated for each.
    #[schema(value_type = Vec<String>, format = Binary)]
    pub image: Vec<String>,
}

/// Which submissions.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmissionsAsked {
    /// Only in this state.
    pub state: Option<String>,
    /// Numbers below this one: the last of the page before.
    pub before: Option<i64>,
    /// At most so many, 1 to 100; 50 unless said.
    pub last: Option<u32>,
}

/// Hands stills in.
///
/// The answer is a receipt, signed with the key of the data folder: `bertillon submission verify-receipt` checks it anywhere. The same
/// pictures with the same words again are the same submission (200); a picture that is in another one of yours is refused (409).
#[utoipa::path(post, path = "/api/v1/submissions", operation_id = "hand_in", tag = "submissions",
    request_body(content = NewSubmissionShape, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "Handed in before: the same submission, with its receipt", body = HandedInShape),
        (status = 201, description = "Received", body = HandedInShape, headers(("Location" = String, description = "Its address"))),
        (status = 409, description = "A picture of it was handed in before, too many wait, or the policy keeps none", body = ProblemShape, content_type = "application/problem+json"),
        (status = 413, description = "Too many pictures, or too large", body = ProblemShape, content_type = "application/problem+json"),
        (status = 422, description = "A file is no picture", body = ProblemShape, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
    ))]
pub async fn hand_in(
    reception: Data<Reception>,
    Sender(caller): Sender,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let fields = (&[REFERENCE, PLACE, TIME][..], SUBMISSION_IMAGES_MAX);
    let (upload, visitor) = reception.receive_of_none(&request, payload, fields).await?;
    let text = |field| upload.text(field).map(str::to_owned);
    let told = Told { reference: text(REFERENCE).unwrap_or_default(), place: text(PLACE), time: text(TIME) };
    let pictures = upload.pictures.into_iter().map(|picture| picture.bytes).collect();
    let turn = visitor.turn().await;
    let case = move |room: SubmissionRoom| async move {
        let done = room.hand_in(pictures, told).await;
        drop(turn);
        done
    };
    let done = within(&reception, caller, case).await?;
    let mut answer = if done.again { HttpResponse::Ok() } else { HttpResponse::Created() };
    let address = format!("/api/v1/submissions/{}", done.shown.record.id);
    Ok(answer.insert_header((header::LOCATION, address)).json(HandedInShape::from(&done)))
}

/// Submissions, newest first: one's own to who hands in, all to who works on them. Shows no pictures.
#[utoipa::path(get, path = "/api/v1/submissions", operation_id = "list_submissions", tag = "submissions",
    params(
        ("state" = Option<String>, Query, description = "Only in this state: received, taken or closed"),
        ("before" = Option<i64>, Query, description = "Numbers below this one: the last of the page before"),
        ("last" = Option<u32>, Query, description = "At most so many, 1 to 100; 50 unless said"),
    ),
    responses(
        (status = 200, description = "The newest", body = SubmissionsShape),
        (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
    ))]
pub async fn list(
    reception: Data<Reception>,
    Sender(caller): Sender,
    asked: Query<SubmissionsAsked>,
) -> Result<Json<SubmissionsShape>, Problem> {
    let SubmissionsAsked { state, before, last } = asked.into_inner();
    let last = length(last, SUBMISSIONS_PAGE_MAX)?;
    let none = || Problem::malformed("\"state\" is received, taken or closed.");
    let state = state.map(|word| State::parse(&word).ok_or_else(none)).transpose()?;
    let case = move |room: SubmissionRoom| async move { room.list(state, before, last).await };
    let found = within(&reception, caller, case).await?;
    Ok(Json(SubmissionsShape { submissions: found.iter().map(SubmissionShape::from).collect() }))
}

/// A submission with its receipt. Somebody else's is not there for who only hands in.
#[utoipa::path(get, path = "/api/v1/submissions/{submission}", operation_id = "show_submission", tag = "submissions", params(("submission" = i64, Path, description = "Its number")), responses(
    (status = 200, description = "What they may see of it", body = SubmissionShape),
    (status = 404, description = "There is none of that number, or it is somebody else's", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn show(
    reception: Data<Reception>,
    Sender(caller): Sender,
    submission: Path<String>,
) -> Result<Json<SubmissionShape>, Problem> {
    let wrong = |_| Problem::malformed("The number of a submission is a whole number.");
    let id: i64 = submission.parse().map_err(wrong)?;
    let shown = within(&reception, caller, move |room: SubmissionRoom| async move { room.show(id).await }).await?;
    Ok(Json(SubmissionShape::from(&shown)))
}

/// Does something with submissions as whoever asks.
async fn within<T, F>(
    reception: &Reception,
    caller: Caller,
    act: impl FnOnce(SubmissionRoom) -> F + Send + 'static,
) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Future<Output = Result<T, CaseworkError>> + Send + 'static,
{
    let desk = Arc::clone(&reception.desk);
    reception.run(async move { act(SubmissionRoom::enter(&desk, &caller).await?).await }).await
}
