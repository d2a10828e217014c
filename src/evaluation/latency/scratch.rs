//! The synthetic gallery on disk: made by the vault as real segments, kept only when asked for, found again by its recipe.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use fs_err as fs;

use crate::base::ids::{GalleryName, ModelId};
use crate::base::limits::IMPORT_ROWS_MAX;
use crate::evaluation::ahead::RowSource;
use crate::evaluation::latency::recipe::Recipe;
use crate::evaluation::latency::{LatencyError, Stop};
use crate::gallery::{Access, Snapshot, Vault, VaultOptions};
use crate::segment::Precision;
use crate::store::disk::DiskFolder;
use crate::store::space::free_bytes;

/// Written first: what has it may be removed.
const MARK: &str = "SYNTHETIC";
/// Written last: what has it is complete.
const COMPLETE: &str = "RECIPE";
/// Held while a run uses the folder.
const LOCK_SUFFIX: &str = ".lock";
/// The gallery inside.
const GALLERY: &str = "synthetic";
/// Bytes left free beside the gallery, for records and journals.
const SPARE_BYTES: u64 = 256 << 20;

/// Told how many rows are written.
pub type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// How the gallery came to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Origin {
    /// Made now, in so many seconds.
    Made(f64),
    /// Found complete, kept by an earlier run.
    Found,
}

/// The folder of a synthetic gallery, a data folder of its own. Removed when dropped, unless it is kept.
#[derive(Debug)]
pub struct Scratch {
    folder: PathBuf,
    recipe: Recipe,
    keep: bool,
    /// The folder above, where this run made it.
    made_parent: Option<PathBuf>,
    /// How the gallery came to be.
    pub origin: Origin,
    lock: fs::File,
}

impl Scratch {
    /// Finds or makes the gallery of `recipe` in a folder of its own below `parent`. One found there stays there afterwards;
    /// one made now stays when `keep` says so.
    ///
    /// # Errors
    /// [`LatencyError::Space`] before anything is written; [`LatencyError::Stopped`] with nothing left behind; the folder in
    /// use or in the way; what vault and files say.
    pub async fn prepare(
        parent: &Path,
        recipe: Recipe,
        keep: bool,
        threads: usize,
        stop: &Arc<Stop>,
        progress: Progress,
    ) -> Result<Self, LatencyError> {
        check_rows(recipe.rows)?;
        // Refused before anything is written.
        recipe.generator()?;
        let made_parent = (!parent.exists()).then(|| parent.to_owned());
        DiskFolder::create(parent)?;
        let folder = parent.join(recipe.name());
        let lock = take_lock(&folder)?;
        let mut scratch = Self { folder, recipe, keep: true, made_parent, origin: Origin::Found, lock };
        if scratch.folder.join(COMPLETE).is_file() {
            return Ok(scratch);
        }
        scratch.clear()?;
        let (need, free) = (bytes_needed(&recipe), free_bytes(parent)?);
        if need > free {
            return Err(LatencyError::Space { need, free, folder: parent.to_owned() });
        }
        let begun = Instant::now();
        // Whatever ends this early takes the folder with it.
        scratch.keep = false;
        scratch.make(threads, stop, progress).await?;
        (scratch.keep, scratch.origin) = (keep, Origin::Made(begun.elapsed().as_secs_f64()));
        Ok(scratch)
    }

    /// Removes what an interrupted run left; refuses what no run made.
    fn clear(&self) -> Result<(), LatencyError> {
        if !self.folder.exists() {
            return Ok(());
        }
        if !self.folder.join(MARK).is_file() {
            return Err(LatencyError::InTheWay(self.folder.clone()));
        }
        Ok(fs::remove_dir_all(&self.folder)?)
    }

    async fn make(&self, threads: usize, stop: &Arc<Stop>, progress: Progress) -> Result<(), LatencyError> {
        DiskFolder::create(&self.folder)?;
        fs::write(
            self.folder.join(MARK),
            "A gallery of synthetic templates for benchmarks; nobody's face. May be removed.\n",
        )?;
        let vault = Vault::open(&self.folder, Access::Writer, VaultOptions::default()).await?;
        let made = self.import(&vault, threads, stop, progress).await;
        vault.close().await;
        match made {
            // A row without direction is how an import is told to end.
            Err(_) if stop.asked() => Err(LatencyError::Stopped),
            Err(error) => Err(error),
            Ok(()) => Ok(fs::write(self.folder.join(COMPLETE), format!("{}\n", self.recipe.name()))?),
        }
    }

    async fn import(
        &self,
        vault: &Vault,
        threads: usize,
        stop: &Arc<Stop>,
        progress: Progress,
    ) -> Result<(), LatencyError> {
        let (name, recipe) = (gallery_name()?, self.recipe);
        let purpose = "synthetic templates for benchmarks";
        vault.create_gallery(&name, &model(), recipe.dimension, Precision::F16, purpose).await?;
        let generator = recipe.generator()?;
        let maker = move || {
            let generator = generator.clone();
            move |row: u64, out: &mut [f32]| generator.row(row, out)
        };
        let mut rows = RowSource::start(0..recipe.rows, recipe.dimension.get(), threads, maker);
        let stop = Arc::clone(stop);
        let fill = move |row: u64, out: &mut [f32]| {
            if !stop.asked() {
                rows.take(row, out);
            }
        };
        vault.import_synthetic(&name, recipe.rows, fill, move |done| progress(done)).await?;
        Ok(())
    }

    /// Opens the gallery as the server does at its start. The vault is to be closed before it is opened again.
    ///
    /// # Errors
    /// What vault and files say; [`LatencyError::NotTheRecipe`] when the folder holds something else.
    pub async fn open(&self) -> Result<(Vault, Arc<Snapshot>), LatencyError> {
        let vault = Vault::open(&self.folder, Access::Writer, VaultOptions::default()).await?;
        let snapshot = vault.snapshot(&gallery_name()?).await?;
        let (rows, dimension) = (snapshot.live_synthetic(), snapshot.dimension());
        if (rows, dimension) != (self.recipe.rows, self.recipe.dimension) {
            let what = format!("{rows} rows of {dimension} numbers");
            return Err(LatencyError::NotTheRecipe { folder: self.folder.clone(), what });
        }
        Ok((vault, snapshot))
    }

    /// Removes the folder now, unless it is kept: what a process does that ends without dropping anything.
    pub fn remove(&self) {
        let mut lock_file = self.folder.clone().into_os_string();
        lock_file.push(LOCK_SUFFIX);
        if !self.keep {
            // A folder that was never made is no failure, and there is nobody to tell about another.
            drop(fs::remove_dir_all(&self.folder));
        }
        drop(fs::remove_file(PathBuf::from(lock_file)));
        if let Some(parent) = &self.made_parent {
            // Stays where there is something in it.
            drop(fs::remove_dir(parent));
        }
    }

    /// Whether the gallery stays after the run.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        self.keep
    }

    /// What it holds.
    #[must_use]
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Where it lies.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
        drop(self.lock.unlock());
    }
}

fn check_rows(rows: u64) -> Result<(), LatencyError> {
    if (1..=IMPORT_ROWS_MAX).contains(&rows) {
        return Ok(());
    }
    Err(LatencyError::Figure { what: "gallery size", found: rows, least: 1, most: IMPORT_ROWS_MAX })
}

fn take_lock(folder: &Path) -> Result<fs::File, LatencyError> {
    let mut path = folder.to_path_buf().into_os_string();
    path.push(LOCK_SUFFIX);
    let file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(PathBuf::from(path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(LatencyError::InUse(folder.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Code, original in half precision, id, scale, error norm and checksum of each row, and something to spare.
fn bytes_needed(recipe: &Recipe) -> u64 {
    let row = 3 * recipe.dimension.get() as u64 + 20;
    recipe.rows.saturating_mul(row).saturating_add(SPARE_BYTES)
}

/// The name of the gallery inside each scratch folder.
///
/// # Errors
/// None: the name is a good one.
pub fn gallery_name() -> Result<GalleryName, LatencyError> {
    GALLERY.parse().map_err(|_| LatencyError::Interrupted)
}

/// Synthetic templates belong to a model of their own, so that no real one is ever compared with them.
fn model() -> ModelId {
    ModelId { name: "synthetic-benchmark".to_owned(), hash: *b"bertillon: benchmark templates 1" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::ahead::CHUNK_ROWS;
    use crate::vector::dimension::Dimension;
    use crate::vector::template::Template;

    fn recipe(rows: u64) -> Recipe {
        Recipe { rows, dimension: Dimension::new(32).unwrap(), seed: 5, preset: None }
    }

    async fn prepare(parent: &Path, rows: u64, keep: bool, stop: &Arc<Stop>) -> Result<Scratch, LatencyError> {
        Scratch::prepare(parent, recipe(rows), keep, 3, stop, Arc::new(|_| ())).await
    }

    fn left(parent: &Path) -> usize {
        fs::read_dir(parent).unwrap().count()
    }

    #[tokio::test]
    async fn rows_on_disk_are_the_recipes_in_order() {
        let parent = tempfile::tempdir().unwrap();
        let rows = 2 * CHUNK_ROWS + 77;
        let scratch = prepare(parent.path(), rows, false, &Arc::default()).await.unwrap();
        let (vault, snapshot) = scratch.open().await.unwrap();
        let generator = recipe(rows).generator().unwrap();
        let (mut made, mut stored) = (vec![0.0; 32], vec![0.0; 32]);
        let run = &snapshot.rows()[0];
        for row in [0, 1, CHUNK_ROWS - 1, CHUNK_ROWS, 2 * CHUNK_ROWS, rows - 1] {
            generator.row(row, &mut made);
            run.original(row as usize, &mut stored);
            let wanted = Precision::F16.round(Template::from_raw(&made).unwrap().values());
            assert_eq!(stored, wanted, "row {row}");
        }
        vault.close().await;
        assert_eq!(left(parent.path()), 2);
        drop((snapshot, scratch));
        assert_eq!(left(parent.path()), 0, "nothing is left");
    }

    #[tokio::test]
    async fn what_is_kept_is_found_again() {
        let parent = tempfile::tempdir().unwrap();
        let stop = Arc::default();
        let first = prepare(parent.path(), 40, true, &stop).await.unwrap();
        assert!(matches!(first.origin, Origin::Made(_)));
        let busy = prepare(parent.path(), 40, false, &stop).await.unwrap_err();
        assert!(matches!(busy, LatencyError::InUse(_)), "{busy}");
        drop(first);
        let again = prepare(parent.path(), 40, false, &stop).await.unwrap();
        assert_eq!((again.origin, again.is_kept()), (Origin::Found, true));
        drop(again);
        // Interrupted by a power cut: made again.
        let folder = parent.path().join(recipe(40).name());
        fs::remove_file(folder.join(COMPLETE)).unwrap();
        assert!(matches!(prepare(parent.path(), 40, true, &stop).await.unwrap().origin, Origin::Made(_)));
        // Somebody else's folder is left alone.
        fs::remove_file(folder.join(COMPLETE)).unwrap();
        fs::remove_file(folder.join(MARK)).unwrap();
        let error = prepare(parent.path(), 40, false, &stop).await.unwrap_err();
        assert!(matches!(error, LatencyError::InTheWay(_)) && folder.exists(), "{error}");
    }

    #[tokio::test]
    async fn a_stop_leaves_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let stop = Arc::new(Stop::default());
        stop.ask();
        let error = prepare(parent.path(), 5_000, true, &stop).await.unwrap_err();
        assert!(matches!(error, LatencyError::Stopped), "{error}");
        assert_eq!(left(parent.path()), 0);
    }

    #[tokio::test]
    async fn too_large_a_gallery_is_refused_before_anything_is_written() {
        let parent = tempfile::tempdir().unwrap();
        let dimension = Dimension::new(2048).unwrap();
        let huge = Recipe { rows: IMPORT_ROWS_MAX, dimension, seed: 1, preset: None };
        // 614 GB: more than a test machine has left. Where it has, nothing is written either, since the end was asked for.
        let stop = Arc::new(Stop::default());
        stop.ask();
        match Scratch::prepare(parent.path(), huge, true, 1, &stop, Arc::new(|_| ())).await {
            Err(LatencyError::Space { need, free, .. }) => assert!(need > free),
            Err(LatencyError::Stopped) => {}
            other => panic!("{other:?}"),
        }
        assert_eq!(left(parent.path()), 0);
        for rows in [0, IMPORT_ROWS_MAX + 1] {
            let error = prepare(parent.path(), rows, false, &Arc::default()).await.unwrap_err();
            assert!(matches!(error, LatencyError::Figure { .. }), "{error}");
        }
    }
}
