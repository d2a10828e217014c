//! The OpenAPI document, and a page to browse it. The page comes with the program: it needs no network.

use std::sync::{Arc, LazyLock};

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Json, Path};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::Config;

use crate::http::openapi::Document;
use crate::http::problem::Problem;
use crate::http::routes::{DOCS, OPENAPI};

static DOCUMENT: LazyLock<OpenApi> = LazyLock::new(Document::openapi);

/// The page's settings. Without "none" it would show every document to a validator on the internet.
static PAGE: LazyLock<Arc<Config<'static>>> =
    LazyLock::new(|| Arc::new(Config::new([OPENAPI]).validator_url("none").display_request_duration(true)));

/// The OpenAPI document of this API.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "server", responses((status = 200, description = "This document", body = Object)))]
pub async fn openapi() -> Json<&'static OpenApi> {
    Json(&*DOCUMENT)
}

/// Sends people with a browser to the page.
pub async fn home() -> HttpResponse {
    HttpResponse::TemporaryRedirect().insert_header((header::LOCATION, DOCS)).finish()
}

/// The files of the page.
pub async fn page(file: Path<String>) -> Result<HttpResponse, Problem> {
    let served = utoipa_swagger_ui::serve(&file, Arc::clone(&PAGE));
    let Ok(Some(file)) = served else { return Err(Problem::no_route()) };
    let mut answer = HttpResponse::Ok();
    if file.gzpipped {
        answer.insert_header(header::ContentEncoding::Gzip);
    }
    Ok(answer.content_type(file.content_type).body(file.bytes.into_owned()))
}
