//! Whether the server answers at all: asked often by whatever watches it, so it touches nothing.

use actix_web::web::Json;
use serde::Serialize;
use utoipa::ToSchema;

/// The answer of a server that is up.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HealthShape {
    /// Always `ok`.
    #[schema(example = "ok")]
    pub status: &'static str,
}

/// Whether the server answers.
///
/// Costs nothing, also while searches keep every core busy.
#[utoipa::path(get, path = "/api/v1/health", tag = "server", responses((status = 200, description = "It does", body = HealthShape)))]
pub async fn health() -> Json<HealthShape> {
    Json(HealthShape { status: "ok" })
}
