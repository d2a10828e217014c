//! Evaluations: images or synthetic samples through the product's own vision, gallery and exact scoring, and what came of each
//! search. Everything long is kept in a folder as it is done, so that a run that was cut short goes on where it was.

mod bounds;
mod columns;
pub mod crowd;
pub mod extract;
pub mod figures;
pub mod finished;
pub mod fit;
pub mod lists;
pub mod pairs;
pub mod pictures;
pub mod points;
mod present;
pub mod samples;
pub mod searches;
mod stamp;
pub mod synthetic;
mod timing;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::base::hex;
use crate::casework::evaluate::finished::RunFile;
use crate::casework::jobs::Progress;
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::EvaluationError;
use crate::gallery::{Access, GalleryError};
use crate::settings::Settings;
use crate::store::StoreError;
use crate::store::disk::{DiskFolder, keep_private};

/// Marks a folder as an evaluation's, and says of which.
const RUN: &str = "run.json";
/// Locked by the run that is at work; never removed, since whoever waits for it would then hold another file.
const LOCK: &str = "run.lock";
/// The data folder inside: a vault like any other, with galleries that nobody else uses.
const WORK: &str = "work";
const RUN_BYTES_MAX: usize = 64 << 10;
/// In the key of each run: changes whenever records of journals mean something else, so that no run goes on with those of before.
const JOURNALS: u32 = 2;

/// What makes two runs the same: a run goes on only in a folder of its own kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunKey {
    /// sha256 of the manifest, or of a generator's recipe.
    pub data_sha256: String,
    /// Hash of the model.
    pub model_sha256: String,
    /// Everything else that changes what is searched or found, as JSON.
    pub settings: serde_json::Value,
}

/// The folder of a run, which no other process takes meanwhile.
#[derive(Debug, Clone)]
pub struct RunFolder {
    path: PathBuf,
    /// Held until the last copy of this is gone: the vault inside has a lock of its own, but is closed before the run is at its end.
    _lock: Arc<fs::File>,
}

impl RunFolder {
    /// Takes the folder, makes it where it isn't there, or finds the run that was begun in it.
    ///
    /// # Errors
    /// [`CaseworkError::OtherRun`] where it holds something else, [`CaseworkError::RunInUse`] where a run is at work in it; what the
    /// system says.
    pub fn take(path: &Path, key: &RunKey) -> Result<Self, CaseworkError> {
        DiskFolder::create(path).map_err(GalleryError::from)?;
        keep_private(path).map_err(GalleryError::from)?;
        // Nothing is put into somebody else's folder, not even a lock. A run has its lock before anything else is in the folder, so
        // that where there is one, only whoever holds it knows what is being made.
        if holds_something_else(path)? && !path.join(LOCK).is_file() {
            return Err(not_empty(path));
        }
        let run = Self { path: path.to_owned(), _lock: Arc::new(lock(path)?) };
        // Under the lock: whoever had it may just have begun.
        if run.file(RUN).is_file() {
            if run.read()?.key != *key {
                return Err(run.other("it holds an evaluation of other data, of another model or by other rules"));
            }
        } else if holds_something_else(path)? {
            return Err(not_empty(path));
        } else {
            run.write(&RunFile::new(key.clone()))?;
        }
        Ok(run)
    }

    fn read(&self) -> Result<RunFile, CaseworkError> {
        let folder = DiskFolder::open(&self.path).map_err(store)?;
        let text = crate::store::read_small(&folder, RUN, RUN_BYTES_MAX).map_err(store)?;
        serde_json::from_slice(&text).map_err(|_| self.other("its run.json can't be read"))
    }

    fn write(&self, file: &RunFile) -> Result<(), CaseworkError> {
        let folder = DiskFolder::open(&self.path).map_err(store)?;
        let text = serde_json::to_string_pretty(file).map_err(|error| CaseworkError::Stopped(error.to_string()))?;
        crate::store::replace_small(&folder, RUN, text.as_bytes()).map_err(store)
    }

    fn other(&self, what: &str) -> CaseworkError {
        CaseworkError::OtherRun { path: self.path.clone(), what: what.to_owned() }
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Opens a desk of the run's own: its galleries lie in the folder, and the models are the user's.
    ///
    /// # Errors
    /// As [`Desk::open`].
    pub async fn desk(&self, settings: &Settings) -> Result<Desk, CaseworkError> {
        let mut own = settings.clone();
        own.models.folder = Some(settings.models_folder());
        own.data.folder = self.path.join(WORK);
        // In a file, which goes with the folder.
        own.records.url = None;
        Desk::open(own, Access::Writer).await
    }

    /// Removes the galleries and the templates that the run made: biometric data that nobody needs any more.
    ///
    /// # Errors
    /// What the system says.
    pub fn remove_work(&self) -> Result<(), CaseworkError> {
        let (work, templates) = (self.path.join(WORK), self.path.join(extract::JOURNAL));
        if work.exists() {
            fs::remove_dir_all(work).map_err(io)?;
        }
        // Lists name rows, and rows are those of these templates: they go together.
        for journal in [templates, self.path.join(searches::JOURNAL)] {
            if journal.exists() {
                fs::remove_file(journal).map_err(io)?;
            }
        }
        Ok(())
    }
}

/// Whether there is anything in a folder in which no run was begun.
fn holds_something_else(folder: &Path) -> Result<bool, CaseworkError> {
    let mut entries = fs::read_dir(folder).map_err(io)?.filter_map(Result::ok);
    Ok(!folder.join(RUN).is_file() && entries.any(|entry| entry.file_name() != LOCK))
}

fn not_empty(folder: &Path) -> CaseworkError {
    let what = "it is not empty, and no evaluation was begun in it".to_owned();
    CaseworkError::OtherRun { path: folder.to_owned(), what }
}

fn lock(folder: &Path) -> Result<fs::File, CaseworkError> {
    let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(folder.join(LOCK)).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(CaseworkError::RunInUse(folder.to_owned())),
        Err(std::fs::TryLockError::Error(error)) => Err(io(error)),
    }
}

pub(super) fn io(error: std::io::Error) -> CaseworkError {
    GalleryError::from(StoreError::from(error)).into()
}

pub(super) fn store(error: StoreError) -> CaseworkError {
    GalleryError::from(error).into()
}

/// sha256 of a text, in hexadecimal.
#[must_use]
pub fn sha256_of(text: &str) -> String {
    hex::encode(&crate::casework::enrol::hash(text.as_bytes()))
}

/// How far a run is, and whether it is to end.
#[derive(Clone, Default)]
pub struct Watch {
    /// Told each step.
    pub progress: Arc<Progress>,
    /// Set to end it; what is done is kept.
    pub stop: Arc<AtomicBool>,
}

impl Watch {
    /// Says how far it is; ends it where that is wanted.
    ///
    /// # Errors
    /// [`GalleryError::Interrupted`].
    pub fn at(&self, step: &'static str, done: u64, total: u64) -> Result<(), CaseworkError> {
        self.progress.tell(step, done, total);
        if self.stop.load(Ordering::Relaxed) { Err(GalleryError::Interrupted.into()) } else { Ok(()) }
    }

    /// The same for the statistics, which know no galleries.
    ///
    /// # Errors
    /// [`EvaluationError::Interrupted`].
    pub fn figures_at(&self, step: &'static str, done: u64, total: u64) -> Result<(), EvaluationError> {
        self.at(step, done, total).map_err(|_| EvaluationError::Interrupted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> RunKey {
        RunKey { data_sha256: "d".to_owned(), model_sha256: "m".to_owned(), settings: serde_json::json!({}) }
    }

    #[test]
    fn whoever_comes_while_a_run_is_begun_hears_of_the_run() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run");
        fs::create_dir(&path).unwrap();
        // As a run leaves it between its lock and its run.json.
        let at_work = lock(&path).unwrap();
        fs::write(path.join("run.json.draft"), "{").unwrap();
        let refused = RunFolder::take(&path, &key()).unwrap_err();
        assert!(matches!(refused, CaseworkError::RunInUse(_)), "{refused}");
        drop(at_work);
        // Nobody is at work, and no run was begun: what is there is somebody's.
        let refused = RunFolder::take(&path, &key()).unwrap_err();
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        fs::remove_file(path.join("run.json.draft")).unwrap();
        drop(RunFolder::take(&path, &key()).unwrap());
        RunFolder::take(&path, &key()).unwrap();
    }

    #[test]
    fn of_many_that_begin_at_once_one_is_at_work_and_others_hear_of_it() {
        let folder = tempfile::tempdir().unwrap();
        for turn in 0..20 {
            let path = folder.path().join(format!("run {turn}"));
            let gate = std::sync::Barrier::new(8);
            let take = || {
                gate.wait();
                RunFolder::take(&path, &key())
            };
            let all: Vec<Result<RunFolder, CaseworkError>> = std::thread::scope(|scope| {
                let started: Vec<_> = (0..8).map(|_| scope.spawn(take)).collect();
                started.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(all.iter().filter(|one| one.is_ok()).count(), 1);
            for refused in all.into_iter().filter_map(Result::err) {
                assert!(matches!(refused, CaseworkError::RunInUse(_)), "{refused}");
            }
        }
    }

    #[test]
    fn nothing_is_put_into_a_folder_of_somebody_elses() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("letter.txt"), "dear").unwrap();
        let refused = RunFolder::take(folder.path(), &key()).unwrap_err();
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        assert!(!folder.path().join(LOCK).exists());
    }
}
