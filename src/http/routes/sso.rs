//! Sign-in at the provider of the settings: a browser is sent there, and comes back with a code.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::base::limits::SSO_PASS_S;
use crate::casework::access::sso::{self, Came};
use crate::crypto::tokens::Secret;
use crate::http::client::{not_strange, strange};
use crate::http::identity::cookie_named;
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;
use crate::http::routes::session::{SessionShape, as_whom, check_encrypted, secure, welcome};
use crate::sso::Provider;
use crate::sso::provider::Brought;

/// What a browser carries meanwhile.
const PASS: &str = "bertillon-sso";
const PLACE: &str = "/api/v1/sso";

/// What the provider sends a browser back with.
#[derive(Deserialize)]
pub struct Back {
    code: Option<String>,
    state: Option<String>,
    iss: Option<String>,
    error: Option<String>,
}

/// Sends a browser to the provider.
#[utoipa::path(get, path = "/api/v1/sso/begin", operation_id = "begin_sso", tag = "server", security(()), responses(
    (status = 303, description = "To the provider; sets a cookie for the way back", headers(("Location" = String, description = "The provider"))),
    (status = 404, description = "The settings name no provider", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn begin(reception: Data<Reception>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    // Anybody may, so nobody may often: each leaves an event. Who comes back as somebody gets it back.
    strange(&reception, &request)?;
    let provider = provider(&reception)?;
    check_encrypted(&reception)?;
    let (address, pass) = reception.run(async move { sso::begin(&provider).await }).await?;
    // Lax, since the way back begins at the provider's page.
    let cookie = format!(
        "{PASS}={}; Path={PLACE}; Max-Age={SSO_PASS_S}; HttpOnly; SameSite=Lax{}",
        pass.reveal(),
        secure(&reception)
    );
    let answer = HttpResponse::SeeOther()
        .insert_header((header::LOCATION, address))
        .insert_header((header::SET_COOKIE, cookie))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish();
    Ok(answer)
}

/// Opens a session for who comes back from the provider.
///
/// The same session as a password opens, with the same cookie. Only for who an administrator said is who the provider says
/// (`bertillon user sso`).
#[utoipa::path(get, path = "/api/v1/sso/end", operation_id = "end_sso", tag = "server", security(()), params(
    ("code" = Option<String>, Query, description = "What its token is asked for with"),
    ("state" = Option<String>, Query, description = "What the browser was sent with"),
    ("iss" = Option<String>, Query, description = "The provider"),
    ("error" = Option<String>, Query, description = "Why there is no code"),
), responses(
    (status = 201, description = "Opened", body = SessionShape, headers(("Set-Cookie" = String, description = "For this server only"))),
    (status = 401, description = "Begun elsewhere or too long ago, refused by the provider, or known to it alone", body = ProblemShape, content_type = "application/problem+json"),
    (status = 404, description = "The settings name no provider", body = ProblemShape, content_type = "application/problem+json"),
    (status = 503, description = "The provider does not answer as one does", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn end(reception: Data<Reception>, request: HttpRequest, back: Query<Back>) -> Result<HttpResponse, Problem> {
    // Before the provider is asked anything, and whatever comes of it: only a session gives it back.
    strange(&reception, &request)?;
    let provider = provider(&reception)?;
    check_encrypted(&reception)?;
    let brought =
        brought_by(&request, back.into_inner()).map_err(|detail| Problem::not_signed_in("sso-refused", detail))?;
    let (desk, who) = (Arc::clone(&reception.desk), as_whom(&reception, &request));
    let came = reception.run(async move { sso::end(&desk, &provider, brought, who).await }).await?;
    match came {
        Came::Done(opened) => {
            // That of the beginning too, so that a house behind one address can sign in as often as it has people.
            not_strange(&reception, &request, 2);
            let mut answer = welcome(&reception, &request, *opened);
            let gone = format!("{PASS}=; Path={PLACE}; Max-Age=0; HttpOnly; SameSite=Lax");
            if let Ok(gone) = header::HeaderValue::try_from(gone) {
                answer.headers_mut().append(header::SET_COOKIE, gone);
            }
            Ok(answer)
        }
        Came::Stranger => Err(Problem::not_signed_in(
            "sso-stranger",
            "The provider knows you, and no user here who may come in is who it says: ask an administrator \
             (`bertillon user sso`).",
        )),
        Came::FactorWanted => Err(Problem::not_signed_in(
            "no-second-factor",
            "The policy wants a second factor for one of your roles, and the provider does not say that you showed one.",
        )),
    }
}

fn provider(reception: &Reception) -> Result<Arc<Provider>, Problem> {
    let none = || {
        let detail = "This server signs nobody in by a provider: POST /api/v1/session takes a name and a password.";
        Problem::not_found("no-sso", "No sign-in by a provider", detail)
    };
    reception.sso.clone().ok_or_else(none)
}

fn brought_by(request: &HttpRequest, back: Back) -> Result<Brought, &'static str> {
    let again = "This is not the end of a sign-in that was begun in this browser in the last ten minutes: begin again at \
                 /api/v1/sso/begin.";
    match back {
        Back { error: Some(_), .. } => Err("The provider let nobody in: begin again at /api/v1/sso/begin."),
        Back { code: Some(code), state: Some(state), iss: issuer, error: None } => {
            let pass = cookie_named(request.headers(), PASS).ok_or(again)?;
            Ok(Brought { code: Secret::new(code), state, issuer, pass })
        }
        Back { .. } => Err(again),
    }
}
