//! Enrolment over HTTP: pictures of one subject become references.

use std::sync::Arc;

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::ids::SubjectRef;
use crate::casework::enrol::{Bytes, NewPicture, attributes_of, enrol_pictures};
use crate::http::identity::Sender;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::{Arrival, Reception};
use crate::http::shapes::EnrolAnswerShape;
use crate::http::upload::{self, Upload};
use crate::policy::ImageFacts;

const SUBJECT: &str = "subject";
const ATTRIBUTES: &str = "attributes";

/// Pictures of one subject.
#[derive(ToSchema)]
#[allow(dead_code, reason = "describes a multipart body")]
pub struct NewReferencesShape {
    /// Who they show, as the enrolling organisation calls them: 1 to 128 characters.
    #[schema(example = "2026-000123")]
    pub subject: String,
    /// By what searches may be restricted to these pictures: `name=value` joined by `;`. Usual names are `capture_year`
    /// and `disposal`.
    #[schema(example = "capture_year=2019;disposal=charged")]
    pub attributes: Option<String>,
    /// JPEG, PNG, WebP, BMP or TIFF files; the field is repeated for each.
    #[schema(value_type = Vec<String>, format = Binary)]
    pub image: Vec<String>,
}

/// The refusal of an enrolment: a problem, and what became of each picture.
#[derive(Serialize, ToSchema)]
pub struct EnrolProblemShape {
    /// The problem.
    #[serde(flatten)]
    pub problem: ProblemShape,
    /// What became of each picture.
    #[serde(flatten)]
    pub answer: EnrolAnswerShape,
}

/// Enrols pictures of one subject.
///
/// Each picture ends as enrolled, enrolled before, or failed with a reason. What is reported as enrolled is on disk.
#[utoipa::path(post, path = "/api/v1/galleries/{name}/references", tag = "galleries",
    params(("name" = String, Path, description = "The gallery")),
    request_body(content = NewReferencesShape, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "At least one picture is enrolled now", body = EnrolAnswerShape),
        (status = 404, description = "No such gallery", body = ProblemShape, content_type = "application/problem+json"),
        (status = 413, description = "Too many pictures, or too large", body = ProblemShape, content_type = "application/problem+json"),
        (status = 422, description = "No picture could be enrolled", body = EnrolProblemShape, content_type = "application/problem+json"),
        (status = 503, description = "Too many requests at once: try again", body = ProblemShape, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
    ))]
pub async fn enrol(
    reception: Data<Reception>,
    name: Path<String>,
    Sender(caller): Sender,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, Problem> {
    let arrival = reception.receive(&name, &request, payload, &[SUBJECT, ATTRIBUTES]).await?;
    let Arrival { gallery, upload, visitor } = arrival;
    let pictures = pictures(upload)?;
    let turn = visitor.turn().await;
    let (desk, into) = (Arc::clone(&reception.desk), gallery.clone());
    let settled = reception.run(async move {
        let settled = enrol_pictures(&desk, &caller, &into, pictures).await;
        drop(turn);
        settled
    });
    let answer = EnrolAnswerShape::new(gallery.as_str(), &settled.await?);
    if answer.enrolled + answer.already_enrolled > 0 {
        return Ok(HttpResponse::Ok().json(answer));
    }
    let detail = "None of the pictures could be enrolled; each has its reason.";
    Err(Problem::unusable("nothing-enrolled", "Nothing was enrolled", detail).with(&answer))
}

fn pictures(upload: Upload) -> Result<Vec<NewPicture>, Problem> {
    let Some(subject) = upload.text(SUBJECT) else {
        return Err(Problem::malformed(format!("Who do the pictures show? Send the field {SUBJECT:?}.")));
    };
    let subject = SubjectRef::of_person(subject)?;
    let attributes = attributes_of(upload.text(ATTRIBUTES).unwrap_or_default());
    let attributes = attributes.map_err(|error| Problem::malformed(error.to_string()))?;
    let picture = |picture: upload::Picture| NewPicture {
        source: picture.name,
        subject: subject.clone(),
        bytes: Bytes::Memory(picture.bytes),
        attributes: attributes.clone(),
        facts: ImageFacts::default(),
        keep: false,
    };
    Ok(upload.pictures.into_iter().map(picture).collect())
}
