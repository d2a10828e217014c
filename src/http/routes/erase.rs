//! Erasure over HTTP: physical, at once, without a way back.

use std::sync::Arc;

use actix_web::web::{Data, Json, Path};
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::hex;
use crate::base::ids::{SubjectRef, TemplateId};
use crate::casework::certificate::{self, Certified, NotReached};
use crate::gallery::Erase;
use crate::http::identity::Sender;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;

/// What was erased.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ErasedShape {
    /// The gallery.
    pub gallery: String,
    /// How many templates.
    pub erased: usize,
    /// Which templates, ascending; those of earlier erasures that were finished now included.
    pub templates: Vec<u64>,
    /// Number of the deletion certificate (`bertillon retention certificate`); none where only earlier erasures were finished.
    pub certificate: Option<i64>,
    /// With it and the subject's reference anybody can check whom the certificate is about. Shown this once, and kept nowhere.
    pub salt: Option<String>,
    /// What other galleries here still have of it, restored from one backup: erase there too.
    pub not_erased: Vec<NotErasedShape>,
}

/// Something that an erasure did not reach.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct NotErasedShape {
    /// What.
    pub what: String,
    /// Why not, and what to do.
    pub why: String,
}

/// Erases every template of a subject.
///
/// When this is answered the templates are in no search and their bytes in no file of the data folder.
#[utoipa::path(delete, path = "/api/v1/galleries/{name}/subjects/{subject}", operation_id = "erase_subject", tag = "galleries",
    params(
        ("name" = String, Path, description = "The gallery"),
        ("subject" = String, Path, description = "The subject, as given at enrolment"),
    ),
    responses(
        (status = 200, description = "What was erased", body = ErasedShape),
        (status = 404, description = "No such gallery or subject", body = ProblemShape, content_type = "application/problem+json"),
        (status = 503, description = "Out of every search, but not overwritten yet: erase again to finish", body = ProblemShape, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
    ))]
pub async fn subject(
    reception: Data<Reception>,
    sender: Sender,
    path: Path<(String, String)>,
) -> Result<Json<ErasedShape>, Problem> {
    let (gallery, subject) = path.into_inner();
    let subject: SubjectRef = subject.parse()?;
    erase(&reception, &sender, &gallery, Erase::Subject(subject)).await
}

/// Erases one template.
///
/// When this is answered the template is in no search and its bytes in no file of the data folder.
#[utoipa::path(delete, path = "/api/v1/galleries/{name}/references/{template}", operation_id = "erase_reference", tag = "galleries",
    params(
        ("name" = String, Path, description = "The gallery"),
        ("template" = u64, Path, description = "The template's id"),
    ),
    responses(
        (status = 200, description = "What was erased", body = ErasedShape),
        (status = 404, description = "No such gallery or template", body = ProblemShape, content_type = "application/problem+json"),
        (status = 503, description = "Out of every search, but not overwritten yet: erase again to finish", body = ProblemShape, content_type = "application/problem+json"),
        (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
    ))]
pub async fn template(
    reception: Data<Reception>,
    sender: Sender,
    path: Path<(String, String)>,
) -> Result<Json<ErasedShape>, Problem> {
    let (gallery, template) = path.into_inner();
    let id = template.parse().map_err(|_| {
        let shown: String = template.chars().take(40).collect();
        Problem::malformed(format!("{shown:?} is no template's id: those are whole numbers."))
    })?;
    erase(&reception, &sender, &gallery, Erase::Template(TemplateId(id))).await
}

async fn erase(
    reception: &Reception,
    sender: &Sender,
    gallery: &str,
    what: Erase,
) -> Result<Json<ErasedShape>, Problem> {
    let name = gallery.parse()?;
    let desk = Arc::clone(&reception.desk);
    let caller = sender.0.clone();
    let erased = reception.run(async move { certificate::erase(&desk, &caller, &name, what).await });
    let Certified { erased, certificate, left } = erased.await?;
    let templates: Vec<u64> = erased.templates.iter().map(|id| id.0).collect();
    let salt = erased.begun.and_then(|begun| begun.salt).map(|salt| hex::encode(&salt));
    let not_erased = left.into_iter().map(|NotReached { what, why }| NotErasedShape { what, why }).collect();
    let gallery = gallery.to_owned();
    Ok(Json(ErasedShape { gallery, erased: templates.len(), templates, certificate, salt, not_erased }))
}
