//! Searches over HTTP: pictures in, candidate lists out.

use std::str::FromStr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Data, Json, Path, Payload};
use utoipa::ToSchema;

use crate::base::limits::CANDIDATES_MAX;
use crate::casework::faces::FaceChoice;
use crate::casework::operating_points::{Scope, ThresholdChoice};
use crate::casework::search::{ModeChoice, ProbePicture, SearchRequest, search as search_pictures};
use crate::http::identity::Sender;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::{Arrival, Reception};
use crate::http::shapes::SearchAnswerShape;
use crate::http::upload::{self, SUBMISSION_FIELD, Upload};
use crate::identify::{Filter, IdentifyError};
use crate::policy::Stated;
use crate::records::SearchOf;

const TOP: &str = "top";
const THRESHOLD: &str = "threshold";
const OPERATING_POINT: &str = "operating_point";
const TARGET_FPIR: &str = "target_fpir";
const GALLERY_CLASS: &str = "gallery_class";
const PROBE_KIND: &str = "probe_kind";
const FACES: &str = "faces";
const WHERE: &str = "where";
const MODE: &str = "mode";
const EF: &str = "ef";
const PURPOSE: &str = "purpose";
const LAWFUL_BASIS: &str = "lawful_basis";
const SERIOUSNESS: &str = "seriousness";
const CASE_REF: &str = "case_ref";
const REASON: &str = "reason";
const AUTHORISER: &str = "authoriser";

/// Pictures to search with, and what to list.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes a multipart body")]
pub struct NewSearchShape {
    /// JPEG, PNG, WebP, BMP or TIFF files; the field is repeated for each.
    #[schema(value_type = Vec<String>, format = Binary)]
    pub image: Vec<String>,
    /// Or the number of a submission, whose pictures are searched with; for who works on these (`submission.work`).
    pub submission: Option<i64>,
    /// Longest candidate list, in people: 1 to 1000. The server's settings say what it is otherwise.
    #[schema(example = 20, minimum = 1, maximum = 1000)]
    pub top: Option<u32>,
    /// Lowest comparison score listed, from -1 to 1; for who may set one of their own (`search.threshold`). Otherwise the best are listed whatever their score.
    #[schema(minimum = -1, maximum = 1)]
    pub threshold: Option<f32>,
    /// Or the threshold of this operating point; the answer cites it. Refused (409) for another model or a larger gallery.
    pub operating_point: Option<String>,
    /// Or the threshold of the operating point for this false positive identification rate. Needs `gallery_class`.
    #[schema(example = 0.003, exclusive_minimum = 0, exclusive_maximum = 1)]
    pub target_fpir: Option<f64>,
    /// Class of the gallery, as operating points have it: only points for this class are taken (409 where there is none).
    #[schema(example = "custody, frontal")]
    pub gallery_class: Option<String>,
    /// Kind of the probes, as operating points have it; needed where points of several kinds keep the rate.
    #[schema(example = "degraded: cctv")]
    pub probe_kind: Option<String>,
    /// Which faces of each picture: `largest` (otherwise), `all`, or a number from 1, largest first.
    #[schema(example = "largest")]
    pub faces: Option<String>,
    /// Search a part of the gallery only: conditions joined by `;`, as `disposal=charged,convicted`,
    /// `capture_year=2015..2020` or `subject=A17,B22`. All must hold; the lists are exact within the part.
    #[schema(example = "capture_year=2015..2020")]
    pub r#where: Option<String>,
    /// `exact` (otherwise): every template is compared. `approximate`: by the gallery's graphs; refused (409) where there are
    /// none, or where their audited recall misses the policy.
    #[schema(example = "exact")]
    pub mode: Option<String>,
    /// Templates kept in view by an approximate search; the fewest that keep the policy otherwise.
    pub ef: Option<u32>,
    /// What for, a word of the policy. Users must state what the policy wants: refused (422) where something lacks or there is
    /// no such word, (403) where it does not allow that gallery, or so long a list, to any of their roles.
    #[schema(example = "investigate_crime")]
    pub purpose: Option<String>,
    /// On what basis in law, a word of the policy.
    #[schema(example = "law_enforcement_task")]
    pub lawful_basis: Option<String>,
    /// How serious what is investigated is, a word of the policy.
    #[schema(example = "indictable")]
    pub seriousness: Option<String>,
    /// Of which case.
    #[schema(max_length = 128)]
    pub case_ref: Option<String>,
    /// Why, in words. Kept with the search: name nobody there.
    #[schema(max_length = 1024)]
    pub reason: Option<String>,
    /// Who authorised it: a user's name, or a person's with their rank. Not whoever asks (403).
    #[schema(max_length = 128)]
    pub authoriser: Option<String>,
}

/// Searches a gallery.
///
/// Every template is compared. The lists show possible leads for a trained examiner, not evidence of identity. The search
/// is recorded before it is answered, with the client's address.
#[utoipa::path(post, path = "/api/v1/galleries/{name}/searches", tag = "searches",
    params(("name" = String, Path, description = "The gallery")),
    request_body(content = NewSearchShape, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "A candidate list for each face searched for", body = SearchAnswerShape),
        (status = 403, description = "The policy does not allow this gallery to be searched for that", body = ProblemShape, content_type = "application/problem+json"),
        (status = 404, description = "No such gallery or submission", body = ProblemShape, content_type = "application/problem+json"),
        (status = 409, description = "No approximate answer that keeps the policy, no operating point that fits, or the submission is closed", body = ProblemShape, content_type = "application/problem+json"),
        (status = 413, description = "Too many pictures, or too large", body = ProblemShape, content_type = "application/problem+json"),
        (status = 422, description = "No picture showed a face to search with, or not stated what the policy wants", body = ProblemShape, content_type = "application/problem+json"),
        (status = 503, description = "Too many requests at once: try again", body = ProblemShape, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
    ))]
pub async fn search(
    reception: Data<Reception>,
    name: Path<String>,
    Sender(caller): Sender,
    request: HttpRequest,
    payload: Payload,
) -> Result<Json<SearchAnswerShape>, Problem> {
    let fields = &[
        TOP,
        THRESHOLD,
        OPERATING_POINT,
        TARGET_FPIR,
        GALLERY_CLASS,
        PROBE_KIND,
        FACES,
        WHERE,
        MODE,
        EF,
        PURPOSE,
        LAWFUL_BASIS,
        SERIOUSNESS,
        CASE_REF,
        REASON,
        AUTHORISER,
        SUBMISSION_FIELD,
    ];
    let Arrival { gallery, upload, visitor } = reception.receive(&name, &request, payload, fields).await?;
    let people = people(&upload, reception.desk.settings.scoring.candidates)?;
    let threshold = threshold(&upload)?;
    let submission = parse(&upload, SUBMISSION_FIELD)?;
    if submission.is_none() && upload.pictures.is_empty() {
        return Err(Problem::malformed(format!("Which submission? The field {SUBMISSION_FIELD:?} is empty.")));
    }
    let faces: FaceChoice = parse(&upload, FACES)?.unwrap_or_default();
    let filter: Filter = parse(&upload, WHERE)?.unwrap_or_default();
    let mode = ModeChoice::of(upload.text(MODE).map(str::trim).filter(|text| !text.is_empty()), parse(&upload, EF)?);
    let mode = mode.map_err(|error| Problem::malformed(format!("The field {MODE:?} can't be used: {error}.")))?;
    let stated = stated(&upload);
    let picture = |picture: upload::Picture| ProbePicture { name: picture.name, bytes: picture.bytes };
    let pictures = upload.pictures.into_iter().map(picture).collect();
    let of = submission.map(SearchOf::Submission);
    let turn = visitor.turn().await;
    let asked = SearchRequest { gallery, pictures, of, faces, people, threshold, filter, mode, stated, caller };
    let desk = Arc::clone(&reception.desk);
    // The turn ends with the vision work: while one search is scored, others may come to share its pass.
    let answer = reception.run_while_wanted(async move { search_pictures(&desk, asked, move || drop(turn)).await });
    Ok(Json(SearchAnswerShape::from(&answer.await?)))
}

/// How long a list is, checked here already: a mistyped number should not cost the vision work.
fn people(upload: &Upload, usual: usize) -> Result<usize, Problem> {
    let people = parse(upload, TOP)?.unwrap_or(usual);
    if (1..=CANDIDATES_MAX).contains(&people) {
        Ok(people)
    } else {
        Err(IdentifyError::ListLength { asked: people, most: CANDIDATES_MAX }.into())
    }
}

fn stated(upload: &Upload) -> Stated {
    let text = |field| upload.text(field).map(str::to_owned);
    let (purpose, lawful_basis, seriousness) = (text(PURPOSE), text(LAWFUL_BASIS), text(SERIOUSNESS));
    let (case_ref, reason, authoriser) = (text(CASE_REF), text(REASON), text(AUTHORISER));
    Stated { purpose, lawful_basis, seriousness, case_ref, reason, authoriser }
}

fn threshold(upload: &Upload) -> Result<ThresholdChoice, Problem> {
    let score: Option<f32> = parse(upload, THRESHOLD)?;
    if let Some(score) = score.filter(|score| !(-1.0..=1.0).contains(score)) {
        return Err(IdentifyError::Threshold(score).into());
    }
    let text = |field| upload.text(field).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
    let scope = Scope { gallery_class: text(GALLERY_CLASS), probe_kind: text(PROBE_KIND) };
    let choice = ThresholdChoice::of(score, text(OPERATING_POINT), parse(upload, TARGET_FPIR)?, scope);
    choice.map_err(|error| Problem::malformed(format!("The threshold can't be used: {error}.")))
}

/// The value of a text field. Forms of browsers send fields that were left empty; those count as not sent.
fn parse<T: FromStr>(upload: &Upload, field: &str) -> Result<Option<T>, Problem>
where
    T::Err: std::fmt::Display,
{
    let Some(text) = upload.text(field).map(str::trim).filter(|text| !text.is_empty()) else { return Ok(None) };
    text.parse().map(Some).map_err(|error| {
        let shown: String = text.chars().take(40).collect();
        Problem::malformed(format!("The field {field:?} can't be {shown:?}: {error}."))
    })
}
