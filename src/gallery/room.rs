//! One gallery inside the writing process: its files behind a lock, and the snapshot that searches take.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::base::ids::GalleryName;
use crate::gallery::GalleryError;
use crate::gallery::shelf::Shelf;
use crate::gallery::snapshot::Snapshot;
use crate::store::Folder;

/// The lock on a gallery's files. Held through a whole change, so changes of one gallery follow each other.
pub(super) type Guard = OwnedMutexGuard<Shelf>;

pub(super) struct Room {
    pub(super) name: GalleryName,
    pub(super) path: PathBuf,
    /// Its files, for whoever reads them beside the shelf.
    pub(super) folder: Arc<dyn Folder>,
    /// Whether a task is sealing the tail.
    pub(super) sealing: AtomicBool,
    /// Erasures that wait until nobody reads what they overwrite, or are under way after that: long readers give way.
    erasures: AtomicUsize,
    /// Imports that have the gallery to themselves or wait for it: other changes are refused meanwhile, and not kept waiting
    /// for minutes.
    imports: AtomicUsize,
    shelf: Arc<Mutex<Shelf>>,
    current: RwLock<Arc<Snapshot>>,
}

impl Room {
    pub(super) fn new(name: GalleryName, path: PathBuf, shelf: Shelf, number: u64) -> Self {
        let current = RwLock::new(Arc::new(shelf.snapshot(number)));
        Self {
            name,
            path,
            folder: Arc::clone(&shelf.folder),
            sealing: AtomicBool::new(false),
            erasures: AtomicUsize::new(0),
            imports: AtomicUsize::new(0),
            shelf: Arc::new(Mutex::new(shelf)),
            current,
        }
    }

    /// Waits for the change before; refuses while an import goes on.
    pub(super) async fn lock(&self) -> Result<Guard, GalleryError> {
        if self.is_kept_for_import() {
            return Err(GalleryError::Importing(self.name.clone()));
        }
        self.lock_to_import().await
    }

    /// Keeps the gallery for an import as long as what this gives lives.
    pub(super) fn keep_for_import(&self) -> KeptForImport<'_> {
        self.imports.fetch_add(1, Ordering::AcqRel);
        KeptForImport(self)
    }

    /// Whether an import goes on, or waits.
    pub(super) fn is_kept_for_import(&self) -> bool {
        self.imports.load(Ordering::Acquire) > 0
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

/// The gallery is kept for an import as long as this lives; others may wait to be the next.
pub(super) struct KeptForImport<'a>(&'a Room);

impl Drop for KeptForImport<'_> {
    fn drop(&mut self) {
        self.0.imports.fetch_sub(1, Ordering::AcqRel);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::ModelId;
    use crate::gallery::manifest::GallerySpec;
    use crate::gallery::tail::Committed;
    use crate::segment::Precision;
    use crate::store::memory::MemoryFolder;
    use crate::vector::dimension::Dimension;

    #[tokio::test]
    async fn the_end_of_one_import_leaves_the_gallery_to_the_next() {
        let model = ModelId { name: "numbers".to_owned(), hash: [3; 32] };
        let spec = GallerySpec { model, dimension: Dimension::new(16).unwrap(), originals: Precision::F32 };
        let folder = MemoryFolder::default();
        Shelf::create(&folder, &spec).unwrap();
        let shelf = Shelf::open(Arc::new(folder), &Committed::default()).unwrap();
        let room = Room::new("custody".parse().unwrap(), PathBuf::new(), shelf, 0);
        drop(room.lock().await.unwrap());
        let (first, second) = (room.keep_for_import(), room.keep_for_import());
        let going_on = room.lock_to_import().await.unwrap();
        assert!(matches!(room.lock().await, Err(GalleryError::Importing(_))));
        drop((going_on, first));
        assert!(matches!(room.lock().await, Err(GalleryError::Importing(_))), "the second goes on, or is about to");
        drop(second);
        drop(room.lock().await.unwrap());
    }
}
