//! What all requests share: the desk, the door, and the runtime on which use cases run.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::web::Payload;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

use crate::base::ids::GalleryName;
use crate::casework::{CaseworkError, Desk};
use crate::gallery::GalleryError;
use crate::http::admission::{Admission, Visitor};
use crate::http::problem::Problem;
use crate::http::rate::Rate;
use crate::http::upload::{self, Rules, Upload};
use crate::sso::Provider;

/// A request with pictures that was let in, and what it brought.
pub struct Arrival {
    /// The gallery that it is about; it was there when the request came.
    pub gallery: GalleryName,
    /// Its body.
    pub upload: Upload,
    /// Its seat, and the memory that its body takes.
    pub visitor: Visitor,
}

/// What all requests share.
pub struct Reception {
    /// Where the use cases work.
    pub desk: Arc<Desk>,
    /// Who is let in.
    pub admission: Admission,
    /// The address that was bound.
    pub bound: SocketAddr,
    /// Whether connections are encrypted here.
    pub encrypted: bool,
    /// Where users sign in, if not here.
    pub sso: Option<Arc<Provider>>,
    /// How often each key asks, by its number.
    pub keys: Rate<i64>,
    /// How often each session's owner asks, by their number.
    pub sessions: Rate<i64>,
    /// How often each address sends what nobody known sends.
    pub unknown: Rate<IpAddr>,
    founded: AtomicBool,
    started: Instant,
    requests: AtomicU64,
    runtime: Handle,
}

impl Reception {
    /// For a server at `bound`, with encrypted connections or without; use cases run on the runtime that this is called on.
    #[must_use]
    pub fn new(desk: Arc<Desk>, bound: SocketAddr, encrypted: bool, sso: Option<Arc<Provider>>) -> Self {
        let admission = Admission::new(desk.vision_threads(), desk.settings.server.waiting_max);
        let (started, requests, runtime) = (Instant::now(), AtomicU64::new(0), Handle::current());
        Self {
            desk,
            admission,
            bound,
            encrypted,
            sso,
            keys: Rate::default(),
            sessions: Rate::default(),
            unknown: Rate::default(),
            founded: AtomicBool::new(false),
            started,
            requests,
            runtime,
        }
    }

    /// Whether there are no users yet. Once there was one, there always is.
    ///
    /// # Errors
    /// What the records say, as a [`Problem`].
    pub async fn is_founding(&self) -> Result<bool, Problem> {
        if self.founded.load(Ordering::Acquire) {
            return Ok(false);
        }
        let book = self.desk.vault.people_book();
        let any = self.run(async move { Ok(book.any().await.map_err(GalleryError::from)?) }).await?;
        self.founded.store(any, Ordering::Release);
        Ok(!any)
    }

    /// The number of a request: it joins an answer to its line in the log.
    pub fn next_number(&self) -> u64 {
        self.requests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Seconds since the start.
    #[must_use]
    pub fn uptime_s(&self) -> u64 {
        self.started.elapsed().as_secs()
    }

    /// Lets a request with pictures in and reads its body, which may have the text fields `texts`. What can be told before
    /// the pictures are sent is told before.
    ///
    /// # Errors
    /// A [`Problem`]: a gallery that is not there, a full house, a body that breaks the [`Rules`].
    pub async fn receive(
        &self,
        gallery: &str,
        request: &HttpRequest,
        payload: Payload,
        texts: &'static [&'static str],
    ) -> Result<Arrival, Problem> {
        let gallery: GalleryName = gallery.parse()?;
        let rules = Rules::of(&self.desk.settings.server, texts);
        let visitor = self.admission.enter(upload::announced(request.headers(), &rules)?)?;
        self.desk.vault.snapshot(&gallery).await?;
        let upload = upload::read(request.headers(), payload, &rules).await?;
        Ok(Arrival { gallery, upload, visitor })
    }

    /// The same of a request that is about no gallery, with so many pictures at most.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub async fn receive_of_none(
        &self,
        request: &HttpRequest,
        payload: Payload,
        (texts, pictures_max): (&'static [&'static str], usize),
    ) -> Result<(Upload, Visitor), Problem> {
        let rules = Rules::of(&self.desk.settings.server, texts);
        let rules = Rules { pictures_max: rules.pictures_max.min(pictures_max), ..rules };
        let visitor = self.admission.enter(upload::announced(request.headers(), &rules)?)?;
        Ok((upload::read(request.headers(), payload, &rules).await?, visitor))
    }

    /// Runs a use case to its end, also when the client goes away meanwhile: what it began it finishes, and whatever it
    /// holds (its turn, for one) is held until then. The threads that talk to clients stay free.
    ///
    /// # Errors
    /// What the use case says, as a [`Problem`]; one of status 500 if it panicked.
    pub async fn run<T, F>(&self, case: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CaseworkError>> + Send + 'static,
    {
        settled(self.runtime.spawn(case).await)
    }

    /// Runs a use case that changes nothing, and gives it up when the client goes away.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn run_while_wanted<T, F>(&self, case: F) -> Result<T, Problem>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, CaseworkError>> + Send + 'static,
    {
        let mut wanted = Wanted(self.runtime.spawn(case));
        settled((&mut wanted.0).await)
    }
}

/// A task that ends with whoever waits for it.
struct Wanted<T>(JoinHandle<T>);

impl<T> Drop for Wanted<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn settled<T>(ended: Result<Result<T, CaseworkError>, JoinError>) -> Result<T, Problem> {
    match ended {
        Ok(ended) => Ok(ended?),
        Err(error) => {
            let (title, detail) =
                ("The server failed", "The work stopped unexpectedly; the log of the server says more.");
            Err(Problem::own_fault(StatusCode::INTERNAL_SERVER_ERROR, title, detail, error.to_string()))
        }
    }
}
