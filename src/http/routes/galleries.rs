//! Galleries: list, show, make.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Json, Path};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::ids::GalleryName;
use crate::base::limits::RECORD_TEXT_BYTES_MAX;
use crate::base::text::is_plain;
use crate::casework::access::require;
use crate::casework::enrol::ensure_gallery_as;
use crate::gallery::GallerySummary;
use crate::http::identity::Sender;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;
use crate::http::refusals::{gallery_exists, no_gallery};
use crate::http::shapes::GalleryShape;
use crate::rights::Permission;
use crate::segment::Precision;
use crate::settings::storage::Storage;

/// Every gallery.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GalleriesShape {
    /// In the order of their names.
    pub galleries: Vec<GalleryShape>,
}

/// A gallery to make.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewGalleryShape {
    /// 1 to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit.
    #[schema(example = "custody")]
    pub name: String,
    /// What it is for, and on what authority: 1 to 1024 bytes without control characters.
    #[schema(example = "Custody pictures of the district")]
    pub purpose: String,
    /// How its templates lie on disk: `mapped` or `sealed`. Not said: as the server's settings say.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "mapped")]
    pub storage: Option<Storage>,
}

/// All galleries that one may see.
#[utoipa::path(get, path = "/api/v1/galleries", operation_id = "list_galleries", tag = "galleries", responses(
    (status = 200, description = "Every gallery, summed up", body = GalleriesShape),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn list(reception: Data<Reception>, Sender(caller): Sender) -> Result<Json<GalleriesShape>, Problem> {
    let mut galleries = summaries(&reception).await?;
    galleries.retain(|gallery| caller.may(Permission::GalleryRead, Some(&gallery.record.name)));
    let galleries = galleries.iter().map(GalleryShape::from).collect();
    Ok(Json(GalleriesShape { galleries }))
}

/// One gallery.
#[utoipa::path(get, path = "/api/v1/galleries/{name}", operation_id = "show_gallery", tag = "galleries", params(("name" = String, Path, description = "The gallery")), responses(
    (status = 200, description = "The gallery, summed up", body = GalleryShape),
    (status = 404, description = "There is none of that name", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn show(reception: Data<Reception>, name: Path<String>) -> Result<Json<GalleryShape>, Problem> {
    let name = name.parse()?;
    Ok(Json(summary(&reception, &name).await?))
}

/// Makes a gallery.
///
/// All its templates will be made by the model set that is the default now.
#[utoipa::path(post, path = "/api/v1/galleries", operation_id = "create_gallery", tag = "galleries", request_body = NewGalleryShape, responses(
    (status = 201, description = "Made", body = GalleryShape, headers(("Location" = String, description = "Its address"))),
    (status = 409, description = "There is one of that name", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn create(
    reception: Data<Reception>,
    Sender(caller): Sender,
    new: Json<NewGalleryShape>,
) -> Result<HttpResponse, Problem> {
    let NewGalleryShape { name, purpose, storage } = new.into_inner();
    let name: GalleryName = name.parse()?;
    // A key may be for some galleries only, and the address names none.
    require(&caller, Permission::GalleryCreate, Some(&name))?;
    if purpose.trim().is_empty() || purpose.len() > RECORD_TEXT_BYTES_MAX || !is_plain(&purpose) {
        return Err(Problem::malformed(format!(
            "Say in \"purpose\" what the gallery is for: 1 to {RECORD_TEXT_BYTES_MAX} bytes, no control characters."
        )));
    }
    let (desk, wanted) = (Arc::clone(&reception.desk), name.clone());
    let how = (Precision::F32, storage);
    let made = reception.run(async move { ensure_gallery_as(&desk, &caller, &wanted, &purpose, how).await }).await?;
    if !made {
        return Err(gallery_exists(name.as_str()));
    }
    let shape = summary(&reception, &name).await?;
    Ok(HttpResponse::Created().insert_header((header::LOCATION, format!("/api/v1/galleries/{name}"))).json(shape))
}

async fn summaries(reception: &Reception) -> Result<Vec<GallerySummary>, Problem> {
    let desk = Arc::clone(&reception.desk);
    reception.run(async move { Ok(desk.vault.galleries().await?) }).await
}

async fn summary(reception: &Reception, name: &GalleryName) -> Result<GalleryShape, Problem> {
    let summaries = summaries(reception).await?;
    let found = summaries.iter().find(|summary| summary.record.name == *name);
    found.map(GalleryShape::from).ok_or_else(|| no_gallery(name.as_str()))
}
