//! The addresses of the API. One table says which there are; the server is built from it, and a test holds the OpenAPI
//! document to it.
#![allow(
    clippy::missing_errors_doc,
    reason = "what is said at a route stands in the OpenAPI document, refusals included"
)]

pub mod docs;
pub mod erase;
pub mod galleries;
pub mod health;
pub mod jobs;
pub mod references;
pub mod searches;
pub mod status;

use actix_web::error::JsonPayloadError;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Responder, Route, guard};

use crate::audit::Kind;
use crate::base::limits::JSON_BYTES_MAX;
use crate::http::problem::Problem;

/// Where the browsable page is.
pub const DOCS: &str = "/api/docs/";
/// Where the OpenAPI document is.
pub const OPENAPI: &str = "/api/v1/openapi.json";

/// An address and what it takes.
pub struct Address {
    /// Its pattern, as OpenAPI writes it.
    pub path: &'static str,
    /// Methods, as OpenAPI writes them, who answers, and what the audit log calls it.
    pub methods: &'static [(&'static str, Answers, Event)],
}

/// Makes the route that answers.
pub type Answers = fn() -> Route;

/// What the audit log calls a request; `None` for what shows nothing of anybody.
pub type Event = Option<Kind>;

/// Every address of the API.
pub const API: &[Address] = &[
    Address { path: "/api/v1/health", methods: &[("get", || read(health::health), None)] },
    Address { path: "/api/v1/status", methods: &[("get", || read(status::status), Some(Kind::StatusRead))] },
    Address {
        path: "/api/v1/galleries",
        methods: &[
            ("get", || read(galleries::list), Some(Kind::GalleryListed)),
            ("post", || web::post().to(galleries::create), Some(Kind::GalleryCreated)),
        ],
    },
    Address {
        path: "/api/v1/galleries/{name}",
        methods: &[("get", || read(galleries::show), Some(Kind::GalleryRead))],
    },
    Address {
        path: "/api/v1/galleries/{name}/references",
        methods: &[("post", || web::post().to(references::enrol), Some(Kind::ReferenceEnrolled))],
    },
    Address {
        path: "/api/v1/galleries/{name}/searches",
        methods: &[("post", || web::post().to(searches::search), Some(Kind::SearchRun))],
    },
    Address {
        path: "/api/v1/galleries/{name}/subjects/{subject}",
        methods: &[("delete", || web::delete().to(erase::subject), Some(Kind::SubjectErased))],
    },
    Address {
        path: "/api/v1/galleries/{name}/references/{template}",
        methods: &[("delete", || web::delete().to(erase::template), Some(Kind::ReferenceErased))],
    },
    Address {
        path: "/api/v1/galleries/{name}/graphs",
        methods: &[
            ("post", || web::post().to(jobs::graphs), Some(Kind::GraphAsked)),
            ("delete", || web::delete().to(jobs::graphs_off), Some(Kind::GraphEnded)),
        ],
    },
    Address {
        path: "/api/v1/galleries/{name}/compactions",
        methods: &[("post", || web::post().to(jobs::compact), Some(Kind::CompactionAsked))],
    },
    Address { path: "/api/v1/jobs", methods: &[("get", || read(jobs::list), Some(Kind::JobListed))] },
    Address {
        path: "/api/v1/jobs/{job}",
        methods: &[
            ("get", || read(jobs::show), Some(Kind::JobRead)),
            ("delete", || web::delete().to(jobs::cancel), Some(Kind::JobCancelled)),
        ],
    },
    Address { path: OPENAPI, methods: &[("get", || read(docs::openapi), None)] },
];

/// Addresses for people with a browser.
const PAGES: &[Address] = &[
    Address { path: "/", methods: &[("get", || read(docs::home), None)] },
    Address { path: "/api/docs", methods: &[("get", || read(docs::home), None)] },
    Address { path: "/api/docs/{file:.*}", methods: &[("get", || read(docs::page), None)] },
];

/// Adds every address to a server.
pub fn configure(config: &mut ServiceConfig) {
    let json = web::JsonConfig::default().limit(JSON_BYTES_MAX).error_handler(|error, _| bad_json(&error).into());
    config.app_data(json);
    for address in API.iter().chain(PAGES) {
        let allow = allowed(address);
        let refuse = move || {
            let problem = Problem::wrong_method(allow.clone());
            async move { Err::<HttpResponse, Problem>(problem) }
        };
        let mut resource = web::resource(address.path).default_service(web::to(refuse));
        for (_, route, _) in address.methods {
            resource = resource.route(route());
        }
        config.service(resource);
    }
    config.default_service(web::to(|| async { Err::<HttpResponse, Problem>(Problem::no_route()) }));
}

/// What the audit log calls a request to an address of this pattern.
#[must_use]
pub fn kind(pattern: &str, method: &str) -> Event {
    let method = if method == "HEAD" { "get" } else { &method.to_ascii_lowercase() };
    let address = API.iter().chain(PAGES).find(|address| address.path == pattern)?;
    address.methods.iter().find(|(name, ..)| *name == method).and_then(|(.., event)| *event)
}

/// A route that reads: HEAD is GET without the body.
fn read<F, Args>(handler: F) -> Route
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::route().guard(guard::Any(guard::Get()).or(guard::Head())).to(handler)
}

fn allowed(address: &Address) -> String {
    let names = address.methods.iter().map(|(method, ..)| match *method {
        "get" => "GET, HEAD".to_owned(),
        method => method.to_ascii_uppercase(),
    });
    names.collect::<Vec<_>>().join(", ")
}

fn bad_json(error: &JsonPayloadError) -> Problem {
    if matches!(error, JsonPayloadError::Overflow { .. } | JsonPayloadError::OverflowKnownLength { .. }) {
        Problem::too_large(format!("A JSON body may have {JSON_BYTES_MAX} bytes."))
    } else if matches!(error, JsonPayloadError::ContentType) {
        Problem::media_type("application/json")
    } else {
        Problem::malformed(format!("The JSON body is wrong: {error}."))
    }
}
