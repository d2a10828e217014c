//! Who sends a request, and the event that each request leaves in the audit log: that of the use case where one changed or
//! searched something, else one that is made here, before the answer goes out.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{Payload, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::audit::{Caller, Happening, Kind, Outcome};
use crate::base::ids::GalleryName;
use crate::http::problem::Problem;
use crate::http::reception::Reception;
use crate::http::routes;

/// Who sends this request.
pub struct Sender(pub Caller);

impl FromRequest for Sender {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let caller = request.extensions().get::<Caller>().cloned();
        ready(caller.map(Self).ok_or_else(|| unrecorded("nobody said who sends it".to_owned())))
    }
}

/// Sees to it that there is an event of a request. Where there can be none, the answer is not given.
pub async fn recorded(
    reception: &Reception,
    caller: &Caller,
    response: ServiceResponse<BoxBody>,
) -> ServiceResponse<BoxBody> {
    let Some(kind) = kind_of(&response) else { return response };
    let outcome = outcome_of(response.status());
    if caller.recorded() > 0 {
        return response;
    }
    let mut happening = Happening::new(kind).ended(outcome);
    let gallery = response.request().match_info().get("name").and_then(|name| name.parse::<GalleryName>().ok());
    // Only of galleries that there are: anything may stand in an address.
    if let Some(gallery) = gallery
        && reception.desk.vault.snapshot(&gallery).await.is_ok()
    {
        happening = happening.of(&gallery);
    }
    let vault = Arc::clone(&reception.desk).vault.acting_for(caller);
    match reception.run(async move { Ok(vault.tell(&happening).await?) }).await {
        Ok(()) => response,
        Err(problem) => {
            let cause = problem.cause().unwrap_or("no event could be added").to_owned();
            ServiceResponse::from_err(unrecorded(cause), response.into_parts().0)
        }
    }
}

fn kind_of(response: &ServiceResponse<BoxBody>) -> Option<Kind> {
    let pattern = response.request().match_pattern()?;
    routes::kind(&pattern, response.request().method().as_str())
}

fn outcome_of(status: StatusCode) -> Outcome {
    if status.is_client_error() {
        Outcome::Refused
    } else if status.is_server_error() {
        Outcome::Failed
    } else {
        Outcome::Ok
    }
}

fn unrecorded(cause: String) -> Problem {
    let (title, detail) =
        ("Not recorded", "What was asked for could not be recorded, so the answer is not given. The log says why.");
    Problem::own_fault(StatusCode::INTERNAL_SERVER_ERROR, title, detail, cause)
}
