//! What runs here: version, models, back end, galleries, limits.

use std::sync::Arc;

use actix_web::web::{Data, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::base::limits::{CANDIDATES_MAX, IMAGE_BYTES_MAX, IMAGE_PIXELS_MAX, PROBES_PER_SEARCH_MAX};
use crate::casework::Desk;
use crate::gpu::GpuInfo;
use crate::http::identity::Sender;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;
use crate::http::shapes::{GalleryShape, ModelShape};
use crate::rights::Permission;

/// What runs here.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StatusShape {
    /// Version of the program.
    pub version: &'static str,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Models.
    pub models: ModelsShape,
    /// What compares templates.
    pub scoring: ScoringShape,
    /// Every gallery that one may see.
    pub galleries: Vec<GalleryShape>,
    /// Enrolments and searches under way.
    pub requests: RequestsShape,
    /// What a request may be.
    pub limits: LimitsShape,
}

/// Models.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelsShape {
    /// The model set that new galleries get.
    #[schema(example = "mtcnn-dlib")]
    pub default: String,
    /// Models in memory; each is loaded when a picture first needs it.
    pub loaded: Vec<ModelShape>,
}

/// What compares templates.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ScoringShape {
    /// What answers.
    pub back_end: String,
    /// What the settings ask for.
    #[schema(example = "auto")]
    pub asked_for: String,
    /// Why something else than asked for answers.
    pub remark: Option<String>,
    /// Why the GPU is out of order and the CPU answers for it.
    pub fell_back: Option<String>,
    /// The GPU in use.
    pub gpu: Option<GpuShape>,
}

/// A GPU in use.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GpuShape {
    /// Its name.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `other` or `software`.
    pub device_type: &'static str,
    /// Programming interface and driver.
    pub driver: String,
    /// Bytes of templates in its memory.
    pub resident_bytes: u64,
    /// Templates in its memory.
    pub resident_rows: u64,
    /// Templates that passed through it without a copy so far.
    pub streamed_rows: u64,
    /// Whether cooperative matrices score long rounds, or why not.
    pub cooperative_matrices: String,
    /// Why it is lost.
    pub lost: Option<String>,
}

impl From<GpuInfo> for GpuShape {
    fn from(info: GpuInfo) -> Self {
        Self {
            name: info.name,
            device_type: info.device_type,
            driver: format!("{} {}", info.backend, info.driver),
            resident_bytes: info.resident_bytes,
            resident_rows: info.resident_rows,
            streamed_rows: info.streamed_rows,
            cooperative_matrices: info.cooperative_matrices,
            lost: info.lost,
        }
    }
}

/// Enrolments and searches under way.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestsShape {
    /// Being worked on.
    pub running: usize,
    /// Being received, or waiting for their turn.
    pub waiting: usize,
}

/// What a request may be.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LimitsShape {
    /// Largest body, in bytes.
    pub request_bytes_max: usize,
    /// Most pictures of a request.
    pub images_max: usize,
    /// Largest picture file, in bytes.
    pub image_bytes_max: usize,
    /// Largest picture, in pixels.
    pub image_pixels_max: u64,
    /// Longest candidate list, in people.
    pub candidates_max: usize,
    /// Most faces searched for in one request.
    pub probes_max: usize,
    /// Enrolments and searches worked on at once.
    pub running_max: usize,
    /// Enrolments and searches that may wait.
    pub waiting_max: usize,
}

/// What runs here.
#[utoipa::path(get, path = "/api/v1/status", tag = "server", responses(
    (status = 200, description = "Version, models, back end, galleries and limits", body = StatusShape),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn status(reception: Data<Reception>, Sender(caller): Sender) -> Result<Json<StatusShape>, Problem> {
    let desk = Arc::clone(&reception.desk);
    let mut galleries = reception.run(async move { Ok(desk.vault.galleries().await?) }).await?;
    galleries.retain(|gallery| caller.may(Permission::GalleryRead, Some(&gallery.record.name)));
    let crowd = reception.admission.crowd();
    Ok(Json(StatusShape {
        version: env!("CARGO_PKG_VERSION"),
        uptime_s: reception.uptime_s(),
        models: models(&reception.desk),
        scoring: scoring(&reception.desk),
        galleries: galleries.iter().map(GalleryShape::from).collect(),
        requests: RequestsShape { running: crowd.running, waiting: crowd.waiting },
        limits: limits(&reception),
    }))
}

fn models(desk: &Desk) -> ModelsShape {
    let loaded = desk.loaded_models().iter().map(ModelShape::from).collect();
    ModelsShape { default: desk.settings.models.set.clone(), loaded }
}

fn scoring(desk: &Desk) -> ScoringShape {
    let engine = &desk.engine;
    ScoringShape {
        back_end: engine.scorer.name(),
        asked_for: engine.asked_for.to_string(),
        remark: engine.remark.clone(),
        fell_back: engine.fell_back(),
        gpu: engine.gpu().map(GpuShape::from),
    }
}

fn limits(reception: &Reception) -> LimitsShape {
    let server = &reception.desk.settings.server;
    LimitsShape {
        request_bytes_max: server.request_bytes_max(),
        images_max: server.images_max,
        image_bytes_max: IMAGE_BYTES_MAX,
        image_pixels_max: IMAGE_PIXELS_MAX,
        candidates_max: CANDIDATES_MAX,
        probes_max: PROBES_PER_SEARCH_MAX,
        running_max: reception.admission.at_once(),
        waiting_max: server.waiting_max,
    }
}
