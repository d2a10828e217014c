//! Who sends a request, whether they may, and the event that each request leaves in the audit log: that of the use case where
//! one changed or searched something, else one that is made here, before the answer goes out.

use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::{StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, web};

use crate::audit::{Caller, Detail, Happening, Kind, Object, Outcome};
use crate::base::ids::{GalleryName, TemplateId};
use crate::base::limits::{KEY_AT_ONCE_MIN, SESSION_RATE_PER_MIN};
use crate::casework::access::api_keys::{self, Known};
use crate::casework::access::{require, sessions};
use crate::crypto::tokens;
use crate::http::client::{self, Repeated, strange, too_often};
use crate::http::problem::Problem;
use crate::http::reception::Reception;
use crate::http::routes::session::without_factor;
use crate::http::routes::{self, Need};

/// The cookie of a session.
pub const COOKIE: &str = "bertillon";
/// The header in which a session's page token comes.
const PAGE_TOKEN: &str = "x-bertillon-token";

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

/// Wraps every address: goes on with who may, refuses others.
///
/// # Errors
/// None of its own: a refusal is an answer.
pub async fn admitted(
    reception: web::Data<Reception>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let pattern = request.match_pattern().unwrap_or_default();
    let admission = match routes::need(&pattern, request.method().as_str()) {
        // A method that the address does not have is refused as that.
        None | Some(Need::Nobody) => Ok(()),
        Some(need @ (Need::Anybody | Need::May(_))) => match caller_of(&reception, &request).await {
            Ok(caller) => {
                request.extensions_mut().insert(caller.clone());
                allowed(&request, &caller, need)
            }
            Err(problem) => Err(unknown(&reception, request.request(), problem)),
        },
    };
    match admission {
        Ok(()) => Ok(next.call(request).await?.map_into_boxed_body()),
        Err(problem) => Ok(request.error_response(problem)),
    }
}

/// Who sends it.
async fn caller_of(reception: &Reception, request: &ServiceRequest) -> Result<Caller, Problem> {
    let (peer, number) = (request.peer_addr(), number_of(request));
    let from = client::address(reception, request.headers(), peer);
    if reception.is_founding().await? {
        // Behind a proxy nobody is: it is on this machine perhaps, and whom it speaks for is known by its word only.
        let here = peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback());
        return if here && !reception.desk.settings.server.behind_proxy {
            Ok(Caller::founder(peer, number))
        } else {
            let detail = "This server has no users yet, and answers only programs on its own machine. `bertillon user add` \
                          makes one there.";
            Err(Problem::not_signed_in("no-users", detail))
        };
    }
    if !request.headers().contains_key(header::AUTHORIZATION)
        && let Some(token) = cookie(request.headers())
    {
        return by_session(reception, request, token).await;
    }
    let key = bearer(request)?;
    let desk = Arc::clone(&reception.desk);
    let known = reception.run(async move { api_keys::recognise(&desk, &key).await }).await?;
    let refused = |kind, detail: &str| Err(Problem::not_signed_in(kind, detail));
    let (key, identity) = match known {
        Known::Yes(key, identity) => (key, identity),
        Known::Never => return refused("no-such-key", "Nobody has this key."),
        Known::Revoked => return refused("revoked", "This key was revoked. Ask an administrator for a new one."),
        Known::Expired(at) => {
            let detail = format!("This key counted until {at}. Ask an administrator for a new one.");
            return Err(Problem::not_signed_in("expired", detail));
        }
        Known::OwnerOut => {
            return refused("locked", "The user whose key this is may not come in. Ask an administrator.");
        }
    };
    let caller = Caller::user(identity, from, number);
    let rate = (key.rate_per_min, (key.rate_per_min / 6).max(KEY_AT_ONCE_MIN));
    if let Err(refusal) = reception.keys.take(&key.id, rate, Instant::now()) {
        // It is known who asks too often, and the event says so.
        request.extensions_mut().insert(caller);
        let detail = format!("This key is for {} requests a minute.", key.rate_per_min);
        return Err(too_often(request.request(), refusal, detail));
    }
    Ok(caller)
}

/// Who comes by a session. To change something they also bring the token that only pages of this server can read.
async fn by_session(reception: &Reception, request: &ServiceRequest, token: String) -> Result<Caller, Problem> {
    let (desk, own) = (Arc::clone(&reception.desk), token.clone());
    let (user, counts) = match reception.run(async move { sessions::recognise(&desk, &own).await }).await? {
        sessions::Known::Yes(_, user) => (user, true),
        sessions::Known::FactorWanted(user) => (user, false),
        sessions::Known::Over => {
            let detail = "This session is over. POST /api/v1/session with a name and a password opens a new one.";
            return Err(Problem::not_signed_in("no-session", detail));
        }
    };
    let from = client::address(reception, request.headers(), request.peer_addr());
    let caller = Caller::user(sessions::identity(&user), from, number_of(request));
    if !counts {
        // It is known whose it is, and the event says so.
        request.extensions_mut().insert(caller);
        return Err(without_factor());
    }
    let rate = (SESSION_RATE_PER_MIN, SESSION_RATE_PER_MIN / 6);
    if let Err(refusal) = reception.sessions.take(&user.id, rate, Instant::now()) {
        request.extensions_mut().insert(caller);
        let detail = format!("A session is for {SESSION_RATE_PER_MIN} requests a minute.");
        return Err(too_often(request.request(), refusal, detail));
    }
    let brought = request.headers().get(PAGE_TOKEN).map_or(&b""[..], header::HeaderValue::as_bytes);
    let reads = request.method().is_safe();
    if reads || tokens::same(brought, sessions::page_token(&token).as_bytes()) {
        return Ok(caller);
    }
    request.extensions_mut().insert(caller);
    let detail = format!(
        "Send the session's token as {PAGE_TOKEN} with whatever changes something. GET /api/v1/session shows it."
    );
    Err(Problem::not_allowed(detail))
}

/// The token of a session in a request's cookies.
#[must_use]
pub fn cookie(headers: &header::HeaderMap) -> Option<String> {
    cookie_named(headers, COOKIE)
}

/// The value of a cookie.
#[must_use]
pub fn cookie_named(headers: &header::HeaderMap, wanted: &str) -> Option<String> {
    let texts = headers.get_all(header::COOKIE).filter_map(|value| value.to_str().ok());
    let mut pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, value)| *name == wanted && !value.is_empty()).map(|(_, value)| value.to_owned())
}

/// The number that was given to a request before its address was known.
fn number_of(request: &ServiceRequest) -> u64 {
    request.extensions().get::<Caller>().and_then(|caller| caller.who().request).unwrap_or(0)
}

/// The key that a request brings.
fn bearer(request: &ServiceRequest) -> Result<String, Problem> {
    let mut values = request.headers().get_all(header::AUTHORIZATION);
    let wanted = "Send a key with the request, as `Authorization: Bearer KEY`. An administrator makes one by `bertillon key create`.";
    let Some(value) = values.next() else { return Err(Problem::not_signed_in("no-key", wanted)) };
    if values.next().is_some() {
        return Err(Problem::malformed("The header authorization stands there more than once."));
    }
    let text = value.to_str().ok().and_then(|text| text.split_once(' '));
    match text {
        Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Ok(key.trim().to_owned()),
        Some(_) | None => Err(Problem::not_signed_in("no-key", wanted)),
    }
}

/// Whether they may: in the gallery that the address names, where it names one.
fn allowed(request: &ServiceRequest, caller: &Caller, need: Need) -> Result<(), Problem> {
    let Need::May(permission) = need else { return Ok(()) };
    // A name that can't be one is refused here: what is checked must be what the handler reads.
    let gallery = request.match_info().get("name").map(str::parse::<GalleryName>).transpose()?;
    Ok(require(caller, permission, gallery.as_ref())?)
}

/// A refusal of who is not known, or, after many of them from one address, of more of them.
fn unknown(reception: &Reception, request: &HttpRequest, problem: Problem) -> Problem {
    if problem.status() != StatusCode::UNAUTHORIZED {
        return problem;
    }
    strange(reception, request).err().unwrap_or(problem)
}

/// Sees to it that there is an event of a request. Where there can be none, the answer is not given.
pub async fn recorded(reception: &Reception, response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let Some(kind) = kind_of(&response) else { return response };
    let (caller, repeated) = {
        let extensions = response.request().extensions();
        (extensions.get::<Caller>().cloned(), extensions.contains::<Repeated>())
    };
    let Some(caller) = caller else {
        let problem = unrecorded("nobody said who sends it".to_owned());
        return ServiceResponse::from_err(problem, response.into_parts().0);
    };
    if repeated || caller.recorded() > 0 {
        return response;
    }
    let mut happening = Happening::new(kind).ended(outcome_of(response.status()));
    if let Some(problem) = response.response().error().and_then(Error::as_error::<Problem>) {
        happening = happening.with("refusal", Detail::Word(problem.kind()));
    }
    happening = happening.about(objects_of(response.request()));
    let gallery = response.request().match_info().get("name").and_then(|name| name.parse::<GalleryName>().ok());
    // Only of galleries that there are: anything may stand in an address.
    if let Some(gallery) = gallery
        && reception.desk.vault.knows(&gallery).await.is_ok_and(|there| there)
    {
        happening = happening.of(&gallery);
    }
    let vault = Arc::clone(&reception.desk).vault.acting_for(&caller);
    match reception.run(async move { Ok(vault.tell(&happening).await?) }).await {
        Ok(()) => response,
        Err(problem) if problem.status() == StatusCode::SERVICE_UNAVAILABLE => {
            ServiceResponse::from_err(problem, response.into_parts().0)
        }
        Err(problem) => {
            let cause = problem.cause().unwrap_or("no event could be added").to_owned();
            ServiceResponse::from_err(unrecorded(cause), response.into_parts().0)
        }
    }
}

/// What an address names by a number, whether it is there or not.
fn objects_of(request: &HttpRequest) -> impl Iterator<Item = Object> + use<> {
    let number = |name: &str| request.match_info().get(name).and_then(|text| text.parse::<i64>().ok());
    let template = number("template").and_then(|id| u64::try_from(id).ok()).map(TemplateId);
    let named = [
        number("job").map(Object::Job),
        template.map(|id| Object::Templates(id, id)),
        number("review").map(Object::Review),
        number("lead").map(Object::Lead),
        number("submission").map(Object::Submission),
    ];
    named.into_iter().flatten()
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
