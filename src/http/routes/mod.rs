//! The addresses of the API. One table says which there are; the server is built from it, and a test holds the OpenAPI
//! document to it.
#![allow(
    clippy::missing_errors_doc,
    reason = "what is said at a route stands in the OpenAPI document, refusals included"
)]

pub mod audit;
pub mod docs;
pub mod erase;
pub mod galleries;
pub mod health;
pub mod jobs;
pub mod references;
pub mod reviews;
pub mod searches;
pub mod session;
pub mod sso;
pub mod status;
pub mod submissions;

use actix_web::error::JsonPayloadError;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, HttpResponse, Responder, Route, guard};

use crate::audit::Kind;
use crate::base::limits::JSON_BYTES_MAX;
use crate::http::identity;
use crate::http::problem::Problem;
use crate::rights::Permission;

/// How many of a list are shown: those asked for, from one to `most`.
fn length(asked: Option<u32>, most: usize) -> Result<usize, Problem> {
    let last = asked.unwrap_or(50) as usize;
    if (1..=most).contains(&last) {
        Ok(last)
    } else {
        Err(Problem::malformed(format!("\"last\" is from 1 to {most}.")))
    }
}

/// Where the browsable page is.
pub const DOCS: &str = "/api/docs/";
/// Where the OpenAPI document is.
pub const OPENAPI: &str = "/api/v1/openapi.json";

/// An address and what it takes.
pub struct Address {
    /// Its pattern, as OpenAPI writes it.
    pub path: &'static str,
    /// Methods, as OpenAPI writes them, who answers, what that takes, and what the audit log calls it.
    pub methods: &'static [(&'static str, Answers, Need, Event)],
}

/// Makes the route that answers.
pub type Answers = fn() -> Route;

/// What it takes to be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: nobody is asked who they are.
    Nobody,
    /// Somebody, whatever they may do.
    Anybody,
    /// This permission: in the gallery that the address names, or where it names none, in any. The handler sees to what
    /// an address can't say.
    May(Permission),
}

use Permission::{
    AuditRead, GalleryCreate, GalleryMaintain, GalleryRead, JobCancel, JobRead, ReferenceEnrol, ReferenceErase,
    ReviewDecide, ReviewRead, SearchRun, StatusRead, SubmissionHandIn, SubmissionRead,
};

/// What the audit log calls a request; `None` for what shows nothing of anybody.
pub type Event = Option<Kind>;

/// Every address of the API.
pub const API: &[Address] = &[
    Address { path: "/api/v1/health", methods: &[("get", || read(health::health), Need::Nobody, None)] },
    Address {
        path: "/api/v1/status",
        methods: &[("get", || read(status::status), Need::May(StatusRead), Some(Kind::StatusRead))],
    },
    Address {
        path: "/api/v1/galleries",
        methods: &[
            ("get", || read(galleries::list), Need::May(GalleryRead), Some(Kind::GalleryListed)),
            ("post", || web::post().to(galleries::create), Need::May(GalleryCreate), Some(Kind::GalleryCreated)),
        ],
    },
    Address {
        path: "/api/v1/galleries/{name}",
        methods: &[("get", || read(galleries::show), Need::May(GalleryRead), Some(Kind::GalleryRead))],
    },
    Address {
        path: "/api/v1/galleries/{name}/references",
        methods: &[(
            "post",
            || web::post().to(references::enrol),
            Need::May(ReferenceEnrol),
            Some(Kind::ReferenceEnrolled),
        )],
    },
    Address {
        path: "/api/v1/galleries/{name}/searches",
        methods: &[("post", || web::post().to(searches::search), Need::May(SearchRun), Some(Kind::SearchRun))],
    },
    Address {
        path: "/api/v1/galleries/{name}/subjects/{subject}",
        methods: &[(
            "delete",
            || web::delete().to(erase::subject),
            Need::May(ReferenceErase),
            Some(Kind::SubjectErased),
        )],
    },
    Address {
        path: "/api/v1/galleries/{name}/references/{template}",
        methods: &[(
            "delete",
            || web::delete().to(erase::template),
            Need::May(ReferenceErase),
            Some(Kind::ReferenceErased),
        )],
    },
    Address {
        path: "/api/v1/galleries/{name}/graphs",
        methods: &[
            ("post", || web::post().to(jobs::graphs), Need::May(GalleryMaintain), Some(Kind::GraphAsked)),
            ("delete", || web::delete().to(jobs::graphs_off), Need::May(GalleryMaintain), Some(Kind::GraphEnded)),
        ],
    },
    Address {
        path: "/api/v1/galleries/{name}/compactions",
        methods: &[("post", || web::post().to(jobs::compact), Need::May(GalleryMaintain), Some(Kind::CompactionAsked))],
    },
    Address {
        path: "/api/v1/reviews",
        methods: &[
            ("get", || read(reviews::list), Need::May(ReviewRead), Some(Kind::ReviewListed)),
            ("post", || web::post().to(reviews::open), Need::May(ReviewDecide), Some(Kind::ReviewOpened)),
        ],
    },
    Address {
        path: "/api/v1/reviews/{review}",
        methods: &[("get", || read(reviews::show), Need::May(ReviewRead), Some(Kind::ReviewRead))],
    },
    Address {
        path: "/api/v1/reviews/{review}/claims",
        methods: &[("post", || web::post().to(reviews::claim), Need::May(ReviewDecide), Some(Kind::ReviewClaimed))],
    },
    Address {
        path: "/api/v1/reviews/{review}/decisions",
        methods: &[("post", || web::post().to(reviews::decide), Need::May(ReviewDecide), Some(Kind::ReviewDecided))],
    },
    Address {
        path: "/api/v1/reviews/{review}/withdrawals",
        methods: &[(
            "post",
            || web::post().to(reviews::withdraw),
            Need::May(ReviewDecide),
            Some(Kind::ReviewWithdrawn),
        )],
    },
    Address {
        path: "/api/v1/leads",
        methods: &[("get", || read(reviews::leads), Need::May(ReviewRead), Some(Kind::LeadListed))],
    },
    Address {
        path: "/api/v1/leads/{lead}/outcomes",
        methods: &[("post", || web::post().to(reviews::outcome), Need::May(ReviewDecide), Some(Kind::LeadOutcome))],
    },
    Address {
        path: "/api/v1/submissions",
        methods: &[
            ("get", || read(submissions::list), Need::May(SubmissionRead), Some(Kind::SubmissionListed)),
            (
                "post",
                || web::post().to(submissions::hand_in),
                Need::May(SubmissionHandIn),
                Some(Kind::SubmissionHandedIn),
            ),
        ],
    },
    Address {
        path: "/api/v1/submissions/{submission}",
        methods: &[("get", || read(submissions::show), Need::May(SubmissionRead), Some(Kind::SubmissionRead))],
    },
    Address {
        path: "/api/v1/audit/events",
        methods: &[("get", || read(audit::events), Need::May(AuditRead), Some(Kind::AuditRead))],
    },
    Address {
        path: "/api/v1/audit/checkpoint",
        methods: &[("get", || read(audit::checkpoint), Need::May(AuditRead), Some(Kind::AuditRead))],
    },
    Address {
        path: "/api/v1/session",
        methods: &[
            ("get", || read(session::show), Need::Anybody, Some(Kind::SessionRead)),
            ("post", || web::post().to(session::open), Need::Nobody, Some(Kind::SessionOpened)),
            ("delete", || web::delete().to(session::end), Need::Anybody, Some(Kind::SessionEnded)),
        ],
    },
    Address { path: "/api/v1/sso/begin", methods: &[("get", || read(sso::begin), Need::Nobody, Some(Kind::SsoBegun))] },
    Address {
        path: "/api/v1/sso/end",
        methods: &[("get", || read(sso::end), Need::Nobody, Some(Kind::SessionOpened))],
    },
    Address {
        path: "/api/v1/jobs",
        methods: &[("get", || read(jobs::list), Need::May(JobRead), Some(Kind::JobListed))],
    },
    Address {
        path: "/api/v1/jobs/{job}",
        methods: &[
            ("get", || read(jobs::show), Need::May(JobRead), Some(Kind::JobRead)),
            ("delete", || web::delete().to(jobs::cancel), Need::May(JobCancel), Some(Kind::JobCancelled)),
        ],
    },
    Address { path: OPENAPI, methods: &[("get", || read(docs::openapi), Need::Nobody, None)] },
];

/// Addresses for people with a browser.
const PAGES: &[Address] = &[
    Address { path: "/", methods: &[("get", || read(docs::home), Need::Nobody, None)] },
    Address { path: "/api/docs", methods: &[("get", || read(docs::home), Need::Nobody, None)] },
    Address { path: "/api/docs/{file:.*}", methods: &[("get", || read(docs::page), Need::Nobody, None)] },
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
        for (_, route, ..) in address.methods {
            resource = resource.route(route());
        }
        config.service(resource.wrap(from_fn(identity::admitted)));
    }
    config.default_service(web::to(|| async { Err::<HttpResponse, Problem>(Problem::no_route()) }));
}

/// What the audit log calls a request to an address of this pattern.
#[must_use]
pub fn kind(pattern: &str, method: &str) -> Event {
    row(pattern, method).and_then(|(_, event)| event)
}

/// What a request to an address of this pattern takes; `None` for a method that the address does not have.
#[must_use]
pub fn need(pattern: &str, method: &str) -> Option<Need> {
    row(pattern, method).map(|(need, _)| need)
}

fn row(pattern: &str, method: &str) -> Option<(Need, Event)> {
    let method = if method == "HEAD" { "get" } else { &method.to_ascii_lowercase() };
    let address = API.iter().chain(PAGES).find(|address| address.path == pattern)?;
    let found = address.methods.iter().find(|(name, ..)| *name == method);
    found.map(|(.., need, event)| (*need, *event))
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
