//! One gallery inside the writing process: its files behind a lock, and the snapshot that searches take.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::base::ids::GalleryName;
use crate::gallery::GalleryError;
use crate::gallery::shelf::Shelf;
use crate::gallery::snapshot::Snapshot;

/// The lock on a gallery's files. Held through a whole change, so changes of one gallery follow each other.
pub(super) type Guard = OwnedMutexGuard<Shelf>;

pub(super) struct Room {
    pub(super) name: GalleryName,
    pub(super) path: PathBuf,
    /// Whether a task is sealing the tail.
    pub(super) sealing: AtomicBool,
    /// Whether an import has the gallery to itself: other changes are refused meanwhile, and not kept waiting for minutes.
    pub(super) importing: AtomicBool,
    /// Erasures that wait until nobody reads what they overwrite, or are under way after that: long readers give way.
    erasures: AtomicUsize,
    shelf: Arc<Mutex<Shelf>>,
    current: RwLock<Arc<Snapshot>>,
}

impl Room {
    pub(super) fn new(name: GalleryName, path: PathBuf, shelf: Shelf, number: u64) -> Self {
        let current = RwLock::new(Arc::new(shelf.snapshot(number)));
        Self {
            name,
            path,
            sealing: AtomicBool::new(false),
            importing: AtomicBool::new(false),
            erasures: AtomicUsize::new(0),
            shelf: Arc::new(Mutex::new(shelf)),
            current,
        }
    }

    /// Waits for the change before; refuses while an import goes on.
    pub(super) async fn lock(&self) -> Result<Guard, GalleryError> {
        if self.importing.load(Ordering::Acquire) {
            return Err(GalleryError::Importing(self.name.clone()));
        }
        self.lock_to_import().await
    }

    /// Waits for the change before, also while an import goes on: for that import.
    pub(super) async fn lock_to_import(&self) -> Result<Guard, GalleryError> {
        let guard = self.lock_anyhow().await;
        if guard.unsettled { Err(GalleryError::Unsettled(self.name.clone())) } else { Ok(guard) }
    }

    /// Waits for the change before, however it ended.
    pub(super) async fn lock_anyhow(&self) -> Guard {
        Arc::clone(&self.shelf).lock_owned().await
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether somebody but us holds the present snapshot: a search is under way.
    pub(super) fn is_read(&self) -> bool {
        Arc::strong_count(&self.current.read().unwrap_or_else(PoisonError::into_inner)) > 1
    }

    /// Asks long readers to give way to an erasure, until the answer is dropped.
    pub(super) fn press(&self) -> Pressing<'_> {
        self.erasures.fetch_add(1, Ordering::AcqRel);
        Pressing(self)
    }

    /// Whether long readers are to give way.
    pub(super) fn erasure_waits(&self) -> bool {
        self.erasures.load(Ordering::Acquire) > 0
    }

    /// Shows searches the present state of the files.
    pub(super) fn publish(&self, guard: &Guard, number: u64) {
        let snapshot = Arc::new(guard.snapshot(number));
        // The older snapshot may be the last owner of much memory: dropped after the lock.
        let older = std::mem::replace(&mut *self.current.write().unwrap_or_else(PoisonError::into_inner), snapshot);
        drop(older);
    }
}

/// See [`Room::press`].
pub(super) struct Pressing<'a>(&'a Room);

impl Drop for Pressing<'_> {
    fn drop(&mut self) {
        self.0.erasures.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Does file work on a thread that may block. If it panics the gallery stays unsettled, since files and memory may differ.
pub(super) async fn blocking<T: Send + 'static>(
    mut guard: Guard,
    work: impl FnOnce(&mut Shelf) -> T + Send + 'static,
) -> Result<(Guard, T), GalleryError> {
    let done = tokio::task::spawn_blocking(move || {
        guard.unsettled = true;
        let result = work(&mut guard);
        guard.unsettled = guard.doubtful;
        (guard, result)
    });
    done.await.map_err(|_| GalleryError::Interrupted)
}

/// Runs a change to its end even when nobody waits for it any more, as when an HTTP client has gone away.
pub(super) async fn detached<T: Send + 'static>(
    work: impl Future<Output = Result<T, GalleryError>> + Send + 'static,
) -> Result<T, GalleryError> {
    tokio::spawn(work).await.unwrap_or(Err(GalleryError::Interrupted))
}
