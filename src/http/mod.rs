//! The HTTP server: translates requests into use cases and their answers into JSON, and decides nothing itself.
//!
//! The way of a request: [`around`] numbers it, refuses what no honest client sends and has [`identity`] see to its event; the table in [`routes`] finds who
//! answers, and [`identity`] who asks and whether they may, from where ([`client`]); [`admission`] gives it a seat before its body is read by [`upload`]; the use case runs in [`reception`]; an
//! error becomes problem details by [`refusals`] and [`problem`].

pub mod admission;
pub mod around;
pub mod client;
pub mod graph_shapes;
pub mod guard;
pub mod identity;
pub mod job_shapes;
pub mod openapi;
pub mod problem;
pub mod rate;
pub mod reception;
pub mod refusals;
pub mod review_shapes;
pub mod routes;
pub mod shapes;
pub mod submission_shapes;
pub mod tls;
pub mod upload;

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::base::limits::CONNECTIONS_PER_WORKER_MAX;
use crate::casework::Desk;
use crate::http::around::around;
use crate::http::reception::Reception;
use crate::http::tls::{Certificate, TlsError};
use crate::settings::sections;
use crate::sso::{Provider, SsoError};

/// Time for a request's head to arrive.
const HEAD_S_MAX: u64 = 10;
/// Time for which a connection without requests is kept.
const KEEP_ALIVE_S: u64 = 15;
/// Time for which the rest of a refused body is read and thrown away, so that the client gets to read the refusal.
const LINGER_S: u64 = 10;

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// Another program has the address.
    #[error("{0} is taken by another program: stop it, or choose another port with `--port` or `server.port`")]
    AddressTaken(SocketAddr),
    /// The address can't be had.
    #[error("can't listen on {address}: choose another with `--bind`, `--port` or `server` in the configuration")]
    Bind {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Other machines would send keys and pictures for all to read.
    #[error(
        "{0} can be reached from other machines, and nothing encrypts what they send: give a certificate (`server.certificate`, \
         `server.certificate_key`), or say that a proxy in front does it (`server.behind_proxy = true`)"
    )]
    Unencrypted(SocketAddr),
    /// A certificate without its key, or the other way round.
    #[error("`server.certificate` and `server.certificate_key` go together: give both, or neither")]
    HalfACertificate,
    /// The certificate, or its key.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Where users sign in, if not here.
    #[error(transparent)]
    Sso(#[from] SsoError),
    /// The server ended by itself, or signals can't be had.
    #[error("the server failed")]
    Failed(#[source] std::io::Error),
}

/// Serves until SIGINT or SIGTERM, then lets running requests finish, at most as long as the settings allow. A second
/// signal ends it at once. `ready` is told the address as soon as clients can connect. Use cases run on the runtime that
/// this is awaited on.
///
/// # Errors
/// [`HttpError`] when the address can't be had.
pub async fn serve(desk: Arc<Desk>, ready: impl FnOnce(SocketAddr)) -> Result<(), HttpError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(HttpError::Failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(HttpError::Failed)?;
    let (tell, told) = oneshot::channel::<()>();
    let shutdown_s = desk.settings.server.shutdown_s;
    let twice = async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!(shutdown_s, "stopping: running requests are finished first");
        drop(tell);
        either(&mut interrupt, &mut terminate).await;
    };
    let server = serve_until(desk, ready, async move { told.await.unwrap_or_default() });
    tokio::select! {
        ended = server => ended,
        () = twice => {
            tracing::warn!("stopped at once: requests that were running have no answer");
            Ok(())
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

/// Serves until `stop` is ready, then lets running requests finish, at most as long as the settings allow.
///
/// # Errors
/// [`HttpError`] when the address can't be had.
pub async fn serve_until(
    desk: Arc<Desk>,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), HttpError> {
    let settings = desk.settings.server.clone();
    let certificate = certificate(&settings)?;
    if !settings.bind.is_loopback() && certificate.is_none() && !settings.behind_proxy {
        return Err(HttpError::Unencrypted(settings.address()));
    }
    let sso = Provider::of(&desk.settings.sso)?.map(Arc::new);
    let listener = listen(settings.address())?;
    let bound = listener.local_addr().map_err(HttpError::Failed)?;
    let reception = Reception::new(desk, bound, certificate.is_some(), sso);
    match reception.is_founding().await {
        Ok(false) => {}
        Ok(true) => tracing::warn!(
            "there are no users yet, so every program on this machine may do everything: `bertillon user add` makes the first one"
        ),
        Err(problem) => tracing::error!(cause = problem.cause(), "whether there are users is not known"),
    }
    let reception = web::Data::new(reception);
    let app = move || App::new().app_data(reception.clone()).wrap(from_fn(around)).configure(routes::configure);
    let workers = match settings.workers {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        workers => workers,
    };
    let server = HttpServer::new(app)
        .workers(workers)
        .max_connections(CONNECTIONS_PER_WORKER_MAX)
        .client_request_timeout(Duration::from_secs(HEAD_S_MAX))
        .client_disconnect_timeout(Duration::from_secs(LINGER_S))
        .keep_alive(Duration::from_secs(KEEP_ALIVE_S))
        // A client that closes its end has gone: its search is given up.
        .h1_allow_half_closed(false)
        .shutdown_signal(stop)
        .shutdown_timeout(settings.shutdown_s);
    let server = match &certificate {
        Some(certificate) => server.listen_rustls_0_23(listener, certificate.config()?),
        None => server.listen(listener),
    };
    let server = server.map_err(HttpError::Failed)?.run();
    let renewing = certificate.map(renewed).transpose().map_err(HttpError::Failed)?;
    tracing::info!(%bound, workers, encrypted = renewing.is_some(), "serving");
    ready(bound);
    let ended = server.await.map_err(HttpError::Failed);
    if let Some(renewing) = renewing {
        renewing.abort();
    }
    ended
}

/// The server's certificate, where the settings name one.
fn certificate(settings: &sections::Server) -> Result<Option<Arc<Certificate>>, HttpError> {
    match (&settings.certificate, &settings.certificate_key) {
        (Some(certificate), Some(key)) => Ok(Some(Certificate::load(certificate, key)?)),
        (None, None) => Ok(None),
        (Some(_), None) | (None, Some(_)) => Err(HttpError::HalfACertificate),
    }
}

/// Reads the certificate again at each SIGHUP: whoever renews it need not stop the server.
fn renewed(certificate: Arc<Certificate>) -> std::io::Result<JoinHandle<()>> {
    let mut hangup = signal(SignalKind::hangup())?;
    Ok(tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            match certificate.reload() {
                Ok(()) => tracing::info!("the certificate was read again: new connections have it"),
                Err(error) => tracing::error!(%error, "the certificate is the one of before"),
            }
        }
    }))
}

fn listen(address: SocketAddr) -> Result<std::net::TcpListener, HttpError> {
    std::net::TcpListener::bind(address).map_err(|source| {
        let taken = source.kind() == ErrorKind::AddrInUse;
        if taken { HttpError::AddressTaken(address) } else { HttpError::Bind { address, source } }
    })
}
