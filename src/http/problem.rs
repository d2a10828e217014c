//! Refusals as problem details (RFC 9457). Handlers return a [`Problem`]; [`around`](crate::http::around) turns it into
//! an answer in one place, so that every refusal, the framework's own ones too, has the same form.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

/// Media type of a refusal.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// How one says who one is (RFC 6750).
const CHALLENGE: &str = "Bearer realm=\"bertillon\"";

/// Seconds after which a client that was turned away may ask again.
const RETRY_AFTER_S: u64 = 5;

/// A refusal: what a client is told, and what only the log is told.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    kind: &'static str,
    title: &'static str,
    detail: String,
    more: Map<String, Value>,
    allow: Option<String>,
    wait_s: Option<u64>,
    cause: Option<String>,
}

/// The JSON of a refusal (RFC 9457, "application/problem+json").
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemShape {
    /// What kind of problem: a name for programs that never changes.
    #[serde(rename = "type")]
    #[schema(example = "urn:bertillon:problem:no-gallery")]
    pub kind: String,
    /// The kind in words.
    #[schema(example = "No such gallery")]
    pub title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    pub status: u16,
    /// What is wrong this time, and what to do.
    pub detail: String,
    /// This one refusal; the server's log has its number.
    #[schema(example = "urn:bertillon:request:17")]
    pub instance: String,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let (detail, more) = (detail.into(), Map::new());
        Self { status, kind, title, detail, more, allow: None, wait_s: None, cause: None }
    }

    /// The request can't be understood. 400.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "malformed", "The request can't be understood", detail)
    }

    /// Asked through a name that is not this server's. 421.
    pub fn wrong_host(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::MISDIRECTED_REQUEST, "wrong-host", "Not the name of this server", detail)
    }

    /// Another web site's page sent this. 403.
    pub fn cross_site(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "cross-site", "Refused to another web site", detail)
    }

    /// Nobody knows who sends this, so nothing is answered. 401.
    pub fn not_signed_in(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, kind, "Say who you are", detail)
    }

    /// Whoever sends this may not. 403.
    pub fn not_allowed(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "not-allowed", "Not allowed", detail)
    }

    /// More than somebody may ask in a while. 429.
    pub fn too_often(wait_s: u64, detail: impl Into<String>) -> Self {
        let problem = Self::new(StatusCode::TOO_MANY_REQUESTS, "too-often", "Too many requests from you", detail);
        Self { wait_s: Some(wait_s), ..problem }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The kind, as events tell it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Known by name, and not allowed. 403.
    pub fn forbidden(kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, kind, title, detail)
    }

    /// Something that is not there. 404.
    pub fn not_found(kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, kind, title, detail)
    }

    /// No such address. 404.
    #[must_use]
    pub fn no_route() -> Self {
        let detail = "There is nothing at this address. /api/docs/ lists what there is.";
        Self::not_found("no-route", "No such address", detail)
    }

    /// An address that knows other methods only. 405.
    #[must_use]
    pub fn wrong_method(allow: String) -> Self {
        let detail = format!("This address takes {allow}.");
        let problem = Self::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", "Wrong method", detail);
        Self { allow: Some(allow), ..problem }
    }

    /// Against the state of things. 409.
    pub fn conflict(kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, kind, title, detail)
    }

    /// The body is of a type that is not read here. 415.
    #[must_use]
    pub fn media_type(wanted: &str) -> Self {
        let detail = format!("Send the body as {wanted}.");
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", "Wrong media type", detail)
    }

    /// More than is taken. 413.
    pub fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", "Too much for one request", detail)
    }

    /// The body did not arrive in time. 408.
    pub fn too_slow(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::REQUEST_TIMEOUT, "too-slow", "The body did not arrive in time", detail)
    }

    /// Well formed, and yet nothing could be done with it. 422.
    pub fn unusable(kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, kind, title, detail)
    }

    /// All places are taken. 503, to be tried again.
    pub fn busy(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", "Too many requests at once", detail)
    }

    /// The server can't work, for a reason that its operator must see to. 503 or 500; `cause` goes to the log only.
    pub fn own_fault(status: StatusCode, title: &'static str, detail: impl Into<String>, cause: String) -> Self {
        Self { cause: Some(cause), ..Self::new(status, "own-fault", title, detail) }
    }

    /// For an answer that the framework made by itself.
    #[must_use]
    pub fn of_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::no_route(),
            StatusCode::PAYLOAD_TOO_LARGE => Self::too_large("The body is larger than this address takes."),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Self::media_type("the type that /api/docs/ names for this address"),
            status if status.is_client_error() => {
                Self { status, ..Self::malformed("See /api/docs/ for what is taken.") }
            }
            status => {
                let detail = "The log of the server says more.";
                Self::own_fault(status, "The server failed", detail, format!("answered {status} without saying why"))
            }
        }
    }

    /// Adds members to the JSON: an answer that a client can use although it is a refusal. Its own members keep their
    /// meaning: a name that is taken is not added.
    #[must_use]
    pub fn with(mut self, more: &impl Serialize) -> Self {
        if let Ok(Value::Object(members)) = serde_json::to_value(more) {
            self.more = members;
        }
        self
    }

    /// What the log is told and the client is not.
    #[must_use]
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The answer to request number `number`.
    #[must_use]
    pub fn answer(&self, number: u64) -> HttpResponse {
        let shape = ProblemShape {
            kind: format!("urn:bertillon:problem:{}", self.kind),
            title: self.title.to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            instance: format!("urn:bertillon:request:{number}"),
        };
        let mut members = self.more.clone();
        if let Ok(Value::Object(own)) = serde_json::to_value(&shape) {
            members.extend(own);
        }
        let mut answer = HttpResponse::build(self.status);
        if let Some(allow) = &self.allow {
            answer.insert_header((header::ALLOW, allow.as_str()));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.insert_header((header::WWW_AUTHENTICATE, CHALLENGE));
        }
        if let Some(wait_s) = self.wait_s {
            answer.insert_header((header::RETRY_AFTER, wait_s));
        } else if self.status == StatusCode::SERVICE_UNAVAILABLE && self.cause.is_none() {
            answer.insert_header((header::RETRY_AFTER, RETRY_AFTER_S));
        }
        answer.content_type(MEDIA_TYPE).body(Value::Object(members).to_string())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.title, self.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;

    use super::*;

    async fn json(problem: &Problem) -> Value {
        let body = to_bytes(problem.answer(7).into_body()).await.unwrap();
        serde_json::from_slice(&body).unwrap()
    }

    #[actix_web::test]
    async fn the_five_members_and_more() {
        let more = serde_json::json!({"failed": 2, "status": "not this one"});
        let problem = Problem::unusable("nothing-enrolled", "Nothing enrolled", "why").with(&more);
        let json = json(&problem).await;
        assert_eq!(json["type"], "urn:bertillon:problem:nothing-enrolled");
        assert_eq!((&json["status"], &json["failed"]), (&422.into(), &2.into()));
        assert_eq!((&json["title"], &json["detail"]), (&"Nothing enrolled".into(), &"why".into()));
        assert_eq!(json["instance"], "urn:bertillon:request:7");
    }

    #[actix_web::test]
    async fn causes_stay_in_the_house() {
        let cause = "/srv/secret/place is full".to_owned();
        let problem = Problem::own_fault(StatusCode::INTERNAL_SERVER_ERROR, "Failed", "ask the operator", cause);
        assert!(!json(&problem).await.to_string().contains("secret"));
        assert!(problem.cause().unwrap().contains("secret"));
    }

    #[test]
    fn headers_of_405_and_503() {
        let answer = Problem::wrong_method("GET, HEAD".to_owned()).answer(1);
        assert_eq!(answer.headers().get(header::ALLOW).unwrap(), "GET, HEAD");
        assert_eq!(Problem::busy("full").answer(1).headers().get(header::RETRY_AFTER).unwrap(), "5");
        assert_eq!(answer.headers().get(header::CONTENT_TYPE).unwrap(), MEDIA_TYPE);
    }
}
