//! Sessions for pages of this server: a name and a password become a cookie. Programs take keys.

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Data, Json};
use actix_web::{Error, HttpMessage as _, HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::audit::{Caller, Identity};
use crate::casework::access::passwords::Typed;
use crate::casework::access::sessions::{self, Known, Opened, SignIn};
use crate::crypto::tokens::Secret;
use crate::http::client::{address, not_strange, strange};
use crate::http::identity::{COOKIE, Sender, cookie};
use crate::http::problem::{Problem, ProblemShape};
use crate::http::reception::Reception;
use crate::records::{SessionRecord, UserRecord};
use crate::rights::{Grant, Permission, Rights};

/// Who wants to come in.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSessionShape {
    /// The user's name.
    #[schema(example = "una")]
    pub name: String,
    /// Their password.
    #[schema(format = Password)]
    pub password: String,
    /// A code of their second factor, or one on paper, where they have one.
    #[serde(default)]
    #[schema(example = "287082")]
    pub code: Option<String>,
}

/// A session.
#[derive(Serialize, ToSchema)]
pub struct SessionShape {
    /// The user's name.
    pub name: String,
    /// Their full name.
    pub display: String,
    /// Their roles, each with the gallery where it is not for all.
    #[schema(example = json!(["examiner:custody"]))]
    pub roles: Vec<String>,
    /// What they may do, in some gallery at least.
    pub permissions: Vec<&'static str>,
    /// To be sent as `X-Bertillon-Token` with whatever changes something.
    pub token: String,
    /// The session ends then at the latest, and after half an hour in which nothing is asked.
    pub expires_at: String,
}

impl SessionShape {
    fn new(session: &SessionRecord, user: &UserRecord, token: &str) -> Self {
        let rights = Rights { grants: user.grants.clone(), limits: None };
        let permissions = Permission::ALL.into_iter().filter(|permission| rights.allow(*permission, None));
        Self {
            name: user.name.to_string(),
            display: user.display.clone(),
            roles: user.grants.iter().map(Grant::to_string).collect(),
            permissions: permissions.map(Permission::as_str).collect(),
            token: sessions::page_token(token),
            expires_at: session.expires_at.clone(),
        }
    }
}

/// Opens a session.
///
/// The answer sets a cookie that scripts can't read. Wrong passwords and codes lock a user for a while, which is answered like a wrong password.
/// `second-factor` asks for a code; it is said only to who knows the password.
#[utoipa::path(post, path = "/api/v1/session", operation_id = "open_session", tag = "server", security(()), request_body = NewSessionShape, responses(
    (status = 201, description = "Opened", body = SessionShape, headers(("Set-Cookie" = String, description = "For this server only"))),
    (status = 401, description = "Name, password or code are wrong, or none counts now; or a second factor is wanted", body = ProblemShape, content_type = "application/problem+json"),
    (status = 409, description = "The connection could be listened to", body = ProblemShape, content_type = "application/problem+json"),
    (status = 429, description = "Too many from this address that did not end in a session", body = ProblemShape, content_type = "application/problem+json"),
    (status = 503, description = "Too many sign in at once", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn open(
    reception: Data<Reception>,
    request: HttpRequest,
    new: Result<Json<NewSessionShape>, Error>,
) -> Result<HttpResponse, Error> {
    // Before anything is done for them, and whatever comes of it: only a session gives it back.
    strange(&reception, &request)?;
    check_encrypted(&reception)?;
    let NewSessionShape { name, password, code } = new?.into_inner();
    let typed = Typed { name, password: Secret::new(password), code: code.map(Secret::new) };
    let (desk, who) = (Arc::clone(&reception.desk), as_whom(&reception, &request));
    let problem = match reception.run(async move { sessions::open(&desk, typed, who).await }).await? {
        SignIn::Welcome(opened) => {
            not_strange(&reception, &request, 1);
            return Ok(welcome(&reception, &request, *opened));
        }
        SignIn::Wrong | SignIn::Later(_) => Problem::not_signed_in(
            "wrong-password",
            "Name, password or code are wrong, or there were too many wrong ones: wait some minutes, or ask an administrator.",
        ),
        SignIn::CodeWanted => Problem::not_signed_in(
            "second-factor",
            "A code of your second factor is wanted too: send it as \"code\", with name and password.",
        ),
        SignIn::FactorWanted => Problem::not_signed_in(
            "no-second-factor",
            "The policy wants a second factor for one of your roles, and you have none: ask an administrator to enrol one \
             (`bertillon user totp`).",
        ),
    };
    Err(problem.into())
}

/// Refuses passwords and tokens where others may listen.
pub(super) fn check_encrypted(reception: &Reception) -> Result<(), Problem> {
    if reception.encrypted || reception.desk.settings.server.behind_proxy || reception.bound.ip().is_loopback() {
        return Ok(());
    }
    let detail = "Passwords are not taken over a connection that others may listen to. Give the server a certificate, bind it to \
                  a loopback address behind a proxy that encrypts, or use a key.";
    Err(Problem::conflict("not-encrypted", "Not encrypted", detail))
}

/// Makes a caller of who comes in by this request.
pub(super) fn as_whom(reception: &Reception, request: &HttpRequest) -> impl Fn(Identity) -> Caller + Send + use<> {
    let peer = address(reception, request.headers(), request.peer_addr());
    let number = request.extensions().get::<Caller>().and_then(|caller| caller.who().request).unwrap_or(0);
    move |identity| Caller::user(identity, peer, number)
}

/// What ends a cookie's attributes where connections are encrypted.
pub(super) fn secure(reception: &Reception) -> &'static str {
    if reception.encrypted || reception.desk.settings.server.behind_proxy { "; Secure" } else { "" }
}

/// The answer to who came in, with the cookie.
pub(super) fn welcome(reception: &Reception, request: &HttpRequest, opened: Opened) -> HttpResponse {
    let Opened { record, token, user, caller } = opened;
    // Its event was told by them.
    request.extensions_mut().insert(caller);
    let shape = SessionShape::new(&record, &user, token.reveal());
    let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict{}", token.reveal(), secure(reception));
    HttpResponse::Created().insert_header((header::SET_COOKIE, cookie)).json(shape)
}

/// The session that one is in.
#[utoipa::path(get, path = "/api/v1/session", operation_id = "show_session", tag = "server", responses(
    (status = 200, description = "Who one is, and what one may do", body = SessionShape),
    (status = 401, description = "There is none", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn show(reception: Data<Reception>, request: HttpRequest) -> Result<Json<SessionShape>, Problem> {
    let Some(token) = cookie(request.headers()) else { return Err(none()) };
    let (desk, own) = (Arc::clone(&reception.desk), token.clone());
    match reception.run(async move { sessions::recognise(&desk, &own).await }).await? {
        Known::Yes(session, user) => Ok(Json(SessionShape::new(&session, &user, &token))),
        Known::FactorWanted(_) => Err(without_factor()),
        Known::Over => Err(none()),
    }
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", operation_id = "end_session", tag = "server", responses(
    (status = 204, description = "Ended; the cookie counts no more"),
    (status = 401, description = "There is none", body = ProblemShape, content_type = "application/problem+json"),
    (status = "default", description = "Refused", body = ProblemShape, content_type = "application/problem+json"),
))]
pub async fn end(
    reception: Data<Reception>,
    Sender(caller): Sender,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let Some(token) = cookie(request.headers()) else { return Err(none()) };
    let desk = Arc::clone(&reception.desk);
    reception.run(async move { sessions::end(&desk, &caller, &token).await }).await?;
    let gone = format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
    Ok(HttpResponse::NoContent().insert_header((header::SET_COOKIE, gone)).finish())
}

/// The answer to who comes by a session that was opened without what their roles take by now.
#[must_use]
pub fn without_factor() -> Problem {
    Problem::not_signed_in(
        "second-factor",
        "One of your roles takes a second factor by now, and none was shown when this session was opened: sign in again with a \
         code (POST /api/v1/session). Who has no second factor yet has one enrolled first (`bertillon user totp`).",
    )
}

fn none() -> Problem {
    Problem::not_signed_in(
        "no-session",
        "There is no session: POST /api/v1/session with a name and a password opens one.",
    )
}
