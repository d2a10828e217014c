//! What happens around every request: it gets a number, is refused if no honest client would send it, and leaves a line in
//! the log. Every refusal, also the framework's own, becomes problem details here, and every answer gets its headers.

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage as _, web};

use crate::audit::Caller;
use crate::base::clock::Stopwatch;
use crate::http::problem::Problem;
use crate::http::reception::Reception;
use crate::http::routes::DOCS;
use crate::http::{client, guard, identity};

/// The policy of answers that are no pages: nothing may be loaded from them.
const API_POLICY: &str = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";
/// The policy of the browsable page, which styles itself from scripts and carries its icons in its style sheet.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Wraps every request.
///
/// # Errors
/// None of its own: whatever goes wrong inside is an answer.
pub async fn around(
    reception: web::Data<Reception>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let mut watch = Stopwatch::start();
    let number = reception.next_number();
    let method = request.method().clone();
    let docs = request.path().starts_with(DOCS);
    let checked = guard::check(reception.bound, &method, request.uri(), request.headers());
    let from = client::address(&reception, request.headers(), request.peer_addr());
    let caller = Caller::not_signed_in(from, number);
    // Until its address is known: some need nobody's name.
    request.extensions_mut().insert(caller);
    let response = match checked {
        Ok(()) => identity::recorded(&reception, next.call(request).await?.map_into_boxed_body()).await,
        Err(problem) => request.error_response(problem),
    };
    let (mut response, cause) = explained(response, number);
    protect(response.headers_mut(), docs);
    let (status, ms) = (response.status().as_u16(), (watch.lap_ms() * 10.0).round() / 10.0);
    let pattern = response.request().match_pattern();
    // The pattern, not the path: a path may name a subject.
    let route = pattern.as_deref().unwrap_or("-");
    if let Some(cause) = cause {
        tracing::error!(number, %method, route, status, ms, cause, "request failed");
    } else {
        tracing::info!(number, %method, route, status, ms, "request");
    }
    Ok(response)
}

/// Makes problem details of a refusal; gives back also what only the log is told.
fn explained(response: ServiceResponse<BoxBody>, number: u64) -> (ServiceResponse<BoxBody>, Option<String>) {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return (response, None);
    }
    let given = response.response().error().and_then(Error::as_error::<Problem>).cloned();
    let problem = given.unwrap_or_else(|| Problem::of_status(status));
    let answer = problem.answer(number);
    let (request, _) = response.into_parts();
    (ServiceResponse::new(request, answer), problem.cause().map(str::to_owned))
}

fn protect(headers: &mut HeaderMap, docs: bool) {
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(header::CONTENT_SECURITY_POLICY, if docs { DOCS_POLICY } else { API_POLICY });
    set(header::REFERRER_POLICY, "no-referrer");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    // Answers show faces' candidates and subjects' references: no cache may keep them.
    set(header::CACHE_CONTROL, if docs { "no-cache" } else { "no-store" });
}
