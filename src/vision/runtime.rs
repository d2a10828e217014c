//! Finds ONNX Runtime's library and loads it, once a process. `ort` panics when it has to look for the library itself, so
//! nothing of `ort` is touched before a path is known to exist and to load.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::logging::LogLevel;

use crate::vision::error::VisionError;
use crate::vision::install;

/// The library's name without a version.
const LIBRARY: &str = "libonnxruntime.so";
/// Folders of the system that may hold the library.
const SYSTEM_FOLDERS: [&str; 5] =
    ["/opt/onnxruntime/lib", "/usr/local/lib", "/usr/lib", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];

/// ONNX Runtime, loaded. Copies are free: there is one library in a process.
#[derive(Debug, Clone, Copy)]
pub struct Runtime {
    loaded: &'static Loaded,
}

#[derive(Debug)]
struct Loaded {
    environment: Environment,
    library: PathBuf,
    version: String,
}

static LOADED: OnceLock<Loaded> = OnceLock::new();
/// Held while loading, so that two threads don't both try.
static LOADING: Mutex<()> = Mutex::new(());

impl Runtime {
    /// Finds and loads the library; see [`find`] for where. After the first success every call gives that same library,
    /// whatever it asks for: a process can hold one only. After a failure (nothing installed yet) it may be called again.
    ///
    /// # Errors
    /// [`VisionError::RuntimeMissing`] with every path tried; [`VisionError::RuntimeRefused`] when a file is no such library;
    /// [`VisionError::Damaged`] when the installed one has changed since.
    pub fn load(explicit: Option<&Path>, models_dir: &Path) -> Result<Self, VisionError> {
        // A poisoned lock guards no data: the one who panicked left LOADED unset.
        let _guard = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = LOADED.get() {
            return Ok(Self { loaded });
        }
        let library = find(explicit, models_dir)?;
        if library == install::runtime_path(models_dir) {
            // Loading a library runs it, and one cut short can kill the process: ours must be the one installed.
            install::examine_runtime(models_dir)?;
        }
        let refused = |problem: String| VisionError::RuntimeRefused { path: library.clone(), problem };
        let environment = ort::init_from(&library)
            .map_err(|error| refused(error.to_string()))?
            .with_name("bertillon")
            .with_telemetry(false)
            .with_logger(Arc::new(log))
            .build()
            .map_err(|error| refused(error.to_string()))?;
        environment.set_log_level(LogLevel::Warning);
        let version = version_of(ort::info(), &library);
        tracing::info!(library = %library.display(), version, "ONNX Runtime loaded");
        Ok(Self { loaded: LOADED.get_or_init(|| Loaded { environment, library, version }) })
    }

    /// Its version, such as `1.31.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.loaded.version
    }

    /// The library's path.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.loaded.library
    }

    /// What sessions are made in.
    pub(super) fn environment(self) -> &'static Environment {
        &self.loaded.environment
    }
}

/// Where the library is. An explicit path, and after it `ORT_DYLIB_PATH`, stand alone: if one is given and nothing is there,
/// that is an error and no other place is tried. Otherwise the first of: `runtime` in the models folder, beside this
/// program, `../lib` from there, and the usual folders of the system. Each may be a folder with `libonnxruntime.so` or a
/// versioned `libonnxruntime.so.*` (the highest is taken).
///
/// # Errors
/// [`VisionError::RuntimeMissing`] with every path tried.
pub fn find(explicit: Option<&Path>, models_dir: &Path) -> Result<PathBuf, VisionError> {
    let program = std::env::current_exe().ok().and_then(|path| path.parent().map(Path::to_owned));
    find_in(explicit, std::env::var_os("ORT_DYLIB_PATH"), models_dir, program.as_deref())
}

fn find_in(
    explicit: Option<&Path>,
    variable: Option<OsString>,
    models_dir: &Path,
    program_dir: Option<&Path>,
) -> Result<PathBuf, VisionError> {
    let set = explicit.map(Path::to_owned).or_else(|| variable.filter(|value| !value.is_empty()).map(PathBuf::from));
    let places = match set {
        Some(path) => vec![path],
        None => [models_dir.join("runtime")]
            .into_iter()
            .chain(program_dir.into_iter().flat_map(|dir| [dir.to_owned(), dir.join("../lib")]))
            .chain(SYSTEM_FOLDERS.map(PathBuf::from))
            .collect(),
    };
    let mut tried = Vec::new();
    for place in places {
        if place.is_file() {
            return Ok(place);
        }
        if let Some(found) = newest_in(&place) {
            return Ok(found);
        }
        tried.push(if place.is_dir() || place.extension().is_none() {
            place.join(format!("{LIBRARY}*"))
        } else {
            place
        });
    }
    Err(VisionError::RuntimeMissing { tried })
}

/// The library in a folder: the unversioned name, else the highest version.
fn newest_in(folder: &Path) -> Option<PathBuf> {
    let plain = folder.join(LIBRARY);
    if plain.is_file() {
        return Some(plain);
    }
    let version = |path: &PathBuf| -> Option<Vec<u32>> {
        let rest = path.file_name()?.to_str()?.strip_prefix(LIBRARY)?.strip_prefix('.')?;
        rest.split('.').map(|part| part.parse().ok()).collect()
    };
    let names = fs_err::read_dir(folder).ok()?.flatten().map(|entry| entry.path());
    names.filter(|path| version(path).is_some() && path.is_file()).max_by_key(version)
}

/// The version in ONNX Runtime's build description (`... git-branch=rel-1.31.1, ...`), else the library's file name.
fn version_of(info: &str, library: &Path) -> String {
    let branch = info.split("git-branch=rel-").nth(1).and_then(|rest| rest.split(',').next());
    let name = library.file_name().and_then(|name| name.to_str()).unwrap_or("unknown");
    branch.map_or_else(|| name.trim_start_matches(LIBRARY).trim_start_matches('.').to_owned(), str::to_owned)
}

/// ONNX Runtime's own messages, passed on.
fn log(level: LogLevel, _category: &str, _id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Verbose | LogLevel::Info => tracing::trace!(place, "{message}"),
        LogLevel::Warning => tracing::debug!(place, "{message}"),
        LogLevel::Error | LogLevel::Fatal => tracing::warn!(place, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_lists_every_path_tried() {
        let folder = tempfile::tempdir().unwrap();
        let error = find_in(None, None, folder.path(), Some(Path::new("/nowhere/bin"))).unwrap_err().to_string();
        for part in ["models install", "/runtime/libonnxruntime.so*", "/nowhere/bin/libonnx", "/nowhere/bin/../lib/"] {
            assert!(error.contains(part), "{part} not in {error}");
        }
        for part in SYSTEM_FOLDERS {
            assert!(error.contains(part), "{part} not in {error}");
        }
    }

    #[test]
    fn what_is_set_stands_alone_and_explicit_wins() {
        let folder = tempfile::tempdir().unwrap();
        let runtime = folder.path().join("runtime");
        fs_err::create_dir(&runtime).unwrap();
        fs_err::write(runtime.join("libonnxruntime.so.1.9.0"), b"").unwrap();
        fs_err::write(runtime.join("libonnxruntime.so.1.31.1"), b"").unwrap();
        fs_err::write(runtime.join("libonnxruntime.so.1.31.1.partial"), b"").unwrap();
        let found = find_in(None, Some(OsString::new()), folder.path(), None).unwrap();
        assert_eq!(found, runtime.join("libonnxruntime.so.1.31.1"));
        let wrong = Path::new("/nowhere/libonnxruntime.so.7");
        for (explicit, variable) in [(Some(wrong), None), (None, Some(wrong.into())), (Some(wrong), Some("/x".into()))]
        {
            match find_in(explicit, variable, folder.path(), None) {
                Err(VisionError::RuntimeMissing { tried }) => assert_eq!(tried, [wrong]),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn the_version_is_read_from_the_build() {
        let info = "ORT Build Info: git-branch=rel-1.31.1, git-commit-id=x, build type=Release";
        assert_eq!(version_of(info, Path::new("/x/libonnxruntime.so")), "1.31.1");
        assert_eq!(version_of("other", Path::new("/x/libonnxruntime.so.1.30.0")), "1.30.0");
    }
}
