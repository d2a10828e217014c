//! Jobs: long work that the server does in the background. Imports and restoring are asked for on the server's own command
//! line, since they name files there; everything else here too.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::{Data, Json, Path, Query};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::base::ids::GalleryName;
use crate::base::limits::JOBS_KEPT_MAX;
use crate::casework::access::require;
use crate::casework::jobs::{self, Work};
use crate::gallery::GraphPlan;
use crate::http::identity::Sender;
use crate::http::job_shapes::JobShape;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;
use crate::http::routes::length;
use crate::rights::Permission;

/// Jobs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobsShape {
    /// Newest first.
    pub jobs: Vec<JobShape>,
}

/// How graphs are to be built.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewGraphsShape {
    /// Most neighbours of a template on an upper level, 4 to 64; twice as many on the lowest.
    #[schema(example = 16)]
    pub m: usize,
    /// Templates kept in view while one is added, m to 2048.
    #[schema(example = 128)]
    pub ef_construction: usize,
    /// Probes of the recall audit at each difficulty, 1 to 100000.
    #[schema(example = 1000)]
    pub audit_probes: usize,
    /// Builds graphs again that are there already.
    pub again: bool,
    /// From now on large segments that are sealed or merged get theirs by themselves; false: from now on they don't.
    pub keep: bool,
}

impl Default for NewGraphsShape {
    fn default() -> Self {
        Self { m: 16, ef_construction: 128, audit_probes: 1000, again: false, keep: true }
    }
}

/// How a gallery is to be compacted.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NewCompactionShape {
    /// Rewrites every segment that has an erased row, not only those with many.
    pub all: bool,
}

/// Which jobs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsAsked {
    /// At most so many, 1 to 1000; 50 unless said.
    pub last: Option<u32>,
}

/// Jobs, newest first, without what came of them: ask for one to see that.
#[utoipa::path(get, path = "/api/v1/jobs", operation_id = "list_jobs", tag = "jobs", params(("last" = Option<u32>, Query, description = "At most so many, 1 to 1000; 50 unless said")), responses(
    (status = 200, description = "The last that were asked for", body = JobsShape),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn list(
    reception: Data<Reception>,
    Sender(caller): Sender,
    asked: Query<JobsAsked>,
) -> Result<Json<JobsShape>, Problem> {
    let last = length(asked.last, JOBS_KEPT_MAX)?;
    let desk = Arc::clone(&reception.desk);
    let mut found = reception.run(async move { jobs::newest(&desk, last).await }).await?;
    found.retain(|job| caller.may(Permission::JobRead, Some(&job.asked.gallery)));
    Ok(Json(JobsShape { jobs: found.iter().map(JobShape::in_short).collect() }))
}

/// One job.
#[utoipa::path(get, path = "/api/v1/jobs/{job}", operation_id = "show_job", tag = "jobs", params(("job" = i64, Path, description = "Its number")), responses(
    (status = 200, description = "The job, and how far it is", body = JobShape),
    (status = 404, description = "There is none of that number", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn show(
    reception: Data<Reception>,
    Sender(caller): Sender,
    job: Path<String>,
) -> Result<Json<JobShape>, Problem> {
    let (desk, id) = (Arc::clone(&reception.desk), number(&job)?);
    let found = reception.run(async move { jobs::one(&desk, id).await }).await?;
    require(&caller, Permission::JobRead, Some(&found.asked.gallery))?;
    Ok(Json(JobShape::for_clients(&found)))
}

/// Cancels a job.
///
/// One that waits is cancelled at once, one that runs ends shortly: follow it. An import first takes away what it has recorded,
/// which takes about as long as recording it did. One that has ended stays as it is.
#[utoipa::path(delete, path = "/api/v1/jobs/{job}", operation_id = "cancel_job", tag = "jobs", params(("job" = i64, Path, description = "Its number")), responses(
    (status = 202, description = "The job as it is now", body = JobShape),
    (status = 404, description = "There is none of that number", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn cancel(
    reception: Data<Reception>,
    Sender(caller): Sender,
    job: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (desk, id) = (Arc::clone(&reception.desk), number(&job)?);
    let found = reception.run(async move {
        // A key may be for some galleries only, and the address names none.
        require(&caller, Permission::JobCancel, Some(&jobs::one(&desk, id).await?.asked.gallery))?;
        jobs::cancel(&desk, &caller, id).await
    });
    let found = found.await?;
    Ok(HttpResponse::Accepted().json(JobShape::for_clients(&found)))
}

/// Builds graphs for approximate searches, in the background.
///
/// The gallery is searched exactly meanwhile, as ever. Approximate searches use the graphs once they are built and audited.
#[utoipa::path(post, path = "/api/v1/galleries/{name}/graphs", operation_id = "build_graphs", tag = "jobs", params(("name" = String, Path, description = "The gallery")), request_body = NewGraphsShape, responses(
    (status = 202, description = "The job that does it", body = JobShape, headers(("Location" = String, description = "The job's address"))),
    (status = 404, description = "There is no such gallery", body = ProblemShape, content_type = "application/problem+json"),
    (status = 409, description = "Too many jobs wait", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn graphs(
    reception: Data<Reception>,
    sender: Sender,
    name: Path<String>,
    new: Json<NewGraphsShape>,
) -> Result<HttpResponse, Problem> {
    let NewGraphsShape { m, ef_construction, audit_probes, again, keep } = new.into_inner();
    let plan = GraphPlan { m, ef_construction, audit_probes };
    ask(&reception, sender, &name, Work::Index { plan, again, rows_min: 0, keep: Some(keep) }).await
}

/// Keeps graphs up no more.
///
/// Those there are stay in use. A job that builds some now goes on; cancelling it does the same as this.
#[utoipa::path(delete, path = "/api/v1/galleries/{name}/graphs", operation_id = "keep_no_graphs", tag = "jobs", params(("name" = String, Path, description = "The gallery")), responses(
    (status = 204, description = "From now on segments that are sealed or merged get none by themselves"),
    (status = 404, description = "There is no such gallery", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn graphs_off(
    reception: Data<Reception>,
    Sender(caller): Sender,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let (desk, name) = (Arc::clone(&reception.desk), name.parse::<GalleryName>()?);
    reception.run(async move { Ok(desk.vault.acting_for(&caller).keep_graphs(&name, None).await?) }).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Merges a gallery's segments and drops erased rows, in the background.
///
/// The server does this by itself as far as it is worth while.
#[utoipa::path(post, path = "/api/v1/galleries/{name}/compactions", operation_id = "compact_gallery", tag = "jobs", params(("name" = String, Path, description = "The gallery")), request_body = NewCompactionShape, responses(
    (status = 202, description = "The job that does it", body = JobShape, headers(("Location" = String, description = "The job's address"))),
    (status = 404, description = "There is no such gallery", body = ProblemShape, content_type = "application/problem+json"),
    (status = 409, description = "Too many jobs wait", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn compact(
    reception: Data<Reception>,
    sender: Sender,
    name: Path<String>,
    new: Json<NewCompactionShape>,
) -> Result<HttpResponse, Problem> {
    ask(&reception, sender, &name, Work::Compact { all: new.all }).await
}

async fn ask(reception: &Reception, sender: Sender, name: &str, work: Work) -> Result<HttpResponse, Problem> {
    let (desk, name) = (Arc::clone(&reception.desk), name.parse::<GalleryName>()?);
    let Sender(caller) = sender;
    let job = reception.run(async move { jobs::ask(&desk, &name, &work, &caller).await }).await?;
    let address = format!("/api/v1/jobs/{}", job.id);
    Ok(HttpResponse::Accepted().insert_header((header::LOCATION, address)).json(JobShape::for_clients(&job)))
}

fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(40).collect();
        Problem::malformed(format!("{shown:?} is no job's number: those are whole numbers."))
    })
}
