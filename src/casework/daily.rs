//! Retention by itself, where the settings want it: each day, as long as a server runs, what was decided to go or has expired is erased,
//! and candidate lists whose period is over are emptied, as `bertillon retention run` does it for one gallery.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::audit::Caller;
use crate::base::day::Day;
use crate::base::ids::GalleryName;
use crate::base::limits::RETENTION_BY_ITSELF_AT_ONCE;
use crate::casework::subjects::SubjectRoom;
use crate::casework::{CaseworkError, Desk};

/// How often the day is looked at.
const LOOK_EVERY: Duration = Duration::from_mins(10);

/// What a day's runs came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct DayDone {
    /// Templates that were erased.
    pub erased: u64,
    /// Candidate lists that were emptied.
    pub lists: u64,
    /// Images that were due to go and are under legal hold.
    pub held: u64,
}

/// Retention that nobody has to begin.
pub struct Daily {
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Daily {
    /// Begins with today, if the settings want it at all.
    #[must_use]
    pub fn start(desk: &Arc<Desk>) -> Self {
        let (stop, told) = watch::channel(false);
        let (desk, wanted) = (Arc::clone(desk), desk.settings.retention.daily);
        let task = wanted.then(|| tokio::spawn(async move { days(&desk, told).await }));
        Self { stop, task }
    }

    /// Ends, after the erasures under way: those that are left are for the next start.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task
            && task.await.is_err()
        {
            tracing::error!("retention by itself ended in a bug");
        }
    }
}

async fn days(desk: &Desk, mut stop: watch::Receiver<bool>) {
    let mut done_on = None;
    while !*stop.borrow() {
        let today = Day::today();
        if done_on != Some(today) {
            done_on = Some(today);
            match run_all(desk, today, || *stop.borrow()).await {
                Ok(DayDone { erased, lists, held }) => tracing::info!(%today, erased, lists, held, "retention has run"),
                // Tried again tomorrow, and by hand at any time: what was erased stays so.
                Err(error) => tracing::error!(%today, %error, "retention could not run to its end"),
            }
        }
        // Told, or whoever tells is gone.
        if tokio::time::timeout(LOOK_EVERY, stop.changed()).await.is_ok() {
            return;
        }
    }
}

/// Runs retention in every gallery, until it is done or is to stop: where the policy has no periods for references, of its lists.
///
/// # Errors
/// What a gallery or the records say: the others are done first.
pub async fn run_all(desk: &Desk, today: Day, stops: impl Fn() -> bool) -> Result<DayDone, CaseworkError> {
    let (mut done, mut failed) = (DayDone::default(), None);
    for gallery in desk.vault.galleries().await? {
        if let Err(error) = run_one(desk, &gallery.record.name, (today, &stops), &mut done).await {
            tracing::error!(gallery = %gallery.record.name, %error, "retention could not run");
            failed.get_or_insert(error);
        }
    }
    failed.map_or(Ok(done), Err)
}

/// In pieces, so that a stopping server waits for few erasures.
async fn run_one(
    desk: &Desk,
    gallery: &GalleryName,
    (today, stops): (Day, &impl Fn() -> bool),
    done: &mut DayDone,
) -> Result<(), CaseworkError> {
    let room = SubjectRoom::enter(&desk.vault, &Caller::itself("the policy's periods"), gallery).await?;
    let mut held = 0;
    while !stops() {
        let ran = room.run_retention(desk, today, RETENTION_BY_ITSELF_AT_ONCE).await?;
        done.erased += ran.erased.len() as u64;
        done.lists += ran.lists;
        held = held.max(ran.held_in_all);
        if !ran.more {
            break;
        }
    }
    done.held += held;
    Ok(())
}
