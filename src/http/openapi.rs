//! The OpenAPI document, put together from the notes at each route.

use utoipa::openapi::OpenApi as Written;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::http::identity::COOKIE;
use crate::http::routes::{
    audit, docs, erase, galleries, health, jobs, references, reviews, searches, session, sso, status, submissions,
};

/// The document. Its version is that of the program.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Bertillon",
        description = "Searches pictures of faces in galleries of references. An answer shows possible leads for a trained \
                       examiner, not evidence of identity. Scores are comparison scores: cosines from -1 to 1.",
        license(name = "MIT OR Apache-2.0"),
        contact(),
    ),
    paths(
        health::health,
        status::status,
        galleries::list,
        galleries::create,
        galleries::show,
        references::enrol,
        searches::search,
        erase::subject,
        erase::template,
        jobs::list,
        jobs::show,
        jobs::cancel,
        jobs::graphs,
        jobs::graphs_off,
        jobs::compact,
        reviews::list,
        reviews::open,
        reviews::show,
        reviews::claim,
        reviews::decide,
        reviews::withdraw,
        reviews::leads,
        reviews::outcome,
        submissions::list,
        submissions::hand_in,
        submissions::show,
        audit::events,
        audit::checkpoint,
        session::open,
        session::show,
        session::end,
        sso::begin,
        sso::end,
        docs::openapi,
    ),
    modifiers(&Keys),
    security(("key" = []), ("session" = [])),
    tags(
        (name = "server", description = "What runs here."),
        (name = "galleries", description = "References and the galleries that hold them."),
        (name = "jobs", description = "Long work that the server does in the background."),
        (name = "searches", description = "Candidate lists for pictures."),
        (name = "submissions", description = "Stills that somebody from outside hands in, and receipts for them."),
        (name = "audit", description = "Who did what, when, to what: for auditors."),
        (name = "reviews", description = "Candidate lists looked at by two people, and the leads that come of it."),
    ),
)]
pub struct Document;

/// Says how one says who one is.
struct Keys;

impl Modify for Keys {
    fn modify(&self, written: &mut Written) {
        let about = "An API key, from `bertillon key create`. As long as there are no users, none is needed on the server's own machine.";
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(about)).build();
        let components = written.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
        let cookie = ApiKeyValue::with_description(COOKIE, "From POST /api/v1/session, or /api/v1/sso/end.");
        components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    }
}
