//! Keeping the pictures of searches, as the policy says: of searches that state what for, those pictures that gave a probe, for
//! as many days; of failed ones never. And the erasure of those, and of submissions, whose time is over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::audit::Caller;
use crate::base::clock;
use crate::base::ids::GalleryName;
use crate::base::limits::IMAGE_BYTES_MAX;
use crate::casework::search::SearchRequest;
use crate::casework::{CaseworkError, Desk};
use crate::gallery::{GalleryError, Vault};
use crate::policy::{Period, Policy};
use crate::records::{NewProbe, SearchOf, SearchRecord};

/// How often a server looks whether the time of probe images is over.
const LOOK_EVERY: Duration = Duration::from_hours(1);

/// Pictures of a search under way that are being sealed beside the work on them.
pub(super) struct Keeping {
    vault: Vault,
    gallery: GalleryName,
    task: Option<JoinHandle<Result<Vec<NewProbe>, GalleryError>>>,
}

impl Keeping {
    /// Begins to seal the pictures of a search, if the policy keeps them. One that states nothing is under no policy, and its
    /// pictures are not kept.
    pub(super) fn begin(desk: &Desk, request: &SearchRequest, policy: Option<&Policy>) -> Self {
        let (vault, gallery) = (desk.vault.acting_for(&request.caller), request.gallery.clone());
        let period = policy.map_or(Period::None, |policy| policy.retention.search.probe);
        // The picture of an unsolved probe is kept already, and no search makes that longer.
        if period == Period::None || matches!(request.of, Some(SearchOf::Unsolved(_))) {
            return Self { vault, gallery, task: None };
        }
        let days = Duration::from_hours(24) * period.days_at_least();
        let pictures = request.pictures.iter().map(|picture| Arc::clone(&picture.bytes));
        let pictures: Vec<_> = pictures.filter(|bytes| bytes.len() <= IMAGE_BYTES_MAX).collect();
        let (sealing, of) = (vault.clone(), gallery.clone());
        let task = tokio::spawn(async move { sealing.seal_probes(&of, pictures, &clock::rfc3339_in(days)).await });
        Self { vault, gallery, task: Some(task) }
    }

    /// Waits for the sealing, and records the searches with the pictures that gave a probe; lets go of the others.
    pub(super) async fn record(mut self, searches: Vec<SearchRecord>) -> Result<Vec<i64>, CaseworkError> {
        let sealed = self.sealed().await?;
        // Between these two nothing is waited for, so whoever stops waiting loses no picture.
        Ok(self.vault.record_searches_keeping(&self.gallery, searches, sealed).await?)
    }

    /// Lets go of all of them, as the search failed: to the end, even when nobody waits for it any more.
    pub(super) async fn let_go(mut self) {
        let letting_go = tokio::spawn(async move {
            match self.sealed().await {
                Ok(sealed) => self.vault.let_go(&self.gallery, &sealed).await,
                Err(error) => tracing::warn!(%error, "pictures of a search that failed were not sealed either"),
            }
        });
        if letting_go.await.is_err() {
            tracing::error!("letting go of the pictures of a search ended in a bug");
        }
    }

    async fn sealed(&mut self) -> Result<Vec<NewProbe>, CaseworkError> {
        let Some(task) = &mut self.task else { return Ok(Vec::new()) };
        let sealed = task.await;
        // Only now: whoever stops waiting before lets go of them.
        self.task = None;
        Ok(sealed.map_err(|error| CaseworkError::Stopped(error.to_string()))??)
    }
}

/// Nobody waits for the search any more.
impl Drop for Keeping {
    fn drop(&mut self) {
        let (Some(task), Ok(runtime)) = (self.task.take(), tokio::runtime::Handle::try_current()) else { return };
        let (vault, gallery) = (self.vault.clone(), self.gallery.clone());
        runtime.spawn(async move {
            if let Ok(Ok(sealed)) = task.await {
                vault.let_go(&gallery, &sealed).await;
            }
        });
    }
}

fn said(what: &'static str, erased: &Result<u64, GalleryError>) {
    match erased {
        Ok(0) => {}
        Ok(erased) => tracing::info!(erased, what, "erased what was over its time"),
        Err(error) => tracing::error!(%error, what, "what is over its time can't be erased now"),
    }
}

/// Erases probe images and submissions when their time is over, as long as a server runs.
pub struct Expiry {
    stop: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Expiry {
    /// Begins with those whose time was over before, and with erasures that were cut short.
    #[must_use]
    pub fn start(desk: &Desk) -> Self {
        let stop = Arc::new(Notify::new());
        let told = Arc::clone(&stop);
        let vault = desk.vault.acting_for(&Caller::itself("their time is over"));
        let task = tokio::spawn(async move {
            loop {
                said("probe images", &vault.erase_probes_due().await);
                said("submissions", &vault.erase_submissions_due().await);
                if tokio::time::timeout(LOOK_EVERY, told.notified()).await.is_ok() {
                    break;
                }
            }
        });
        Self { stop, task }
    }

    /// Ends, after the erasure under way.
    pub async fn stop(self) {
        self.stop.notify_one();
        if self.task.await.is_err() {
            tracing::error!("the erasing of probe images ended in a bug");
        }
    }
}
