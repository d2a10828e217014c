//! Models through the public surface: the catalogue, the installation with its real tools, loaded models on real faces.
//!
//! The tests need a models folder: `BERTILLON_MODELS`, else `data/models` in the project; the default set is installed there
//! when it is missing (pip is needed then). Several test processes may do so at once: the installation has a lock.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]
#![allow(clippy::wildcard_enum_match_arm)] // a test panics on whatever it did not expect

mod catalogue;
mod conversion;
mod download;
mod installation;
mod sessions;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use bertillon::base::hex;
use bertillon::vision::catalogue::{Catalogue, DEFAULT_SET, FileSpec, ModelSet, Source};
use bertillon::vision::install::progress::Progress;
use bertillon::vision::install::{self, Options};
use bertillon::vision::runtime::Runtime;
use sha2::{Digest, Sha256};

/// Marks a process that a test has started to run another test of this binary.
const CHILD: &str = "BERTILLON_TEST_CHILD";

/// The project's folder.
fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn default_set() -> ModelSet {
    Catalogue::builtin().unwrap().set(DEFAULT_SET).unwrap().clone()
}

/// The models folder, with the default set in it.
fn models_dir() -> PathBuf {
    static DIR: OnceLock<PathBuf> = OnceLock::new();
    let dir = DIR.get_or_init(|| {
        let dir = std::env::var_os("BERTILLON_MODELS").map_or_else(|| project().join("data/models"), PathBuf::from);
        install::install(&default_set(), &dir, &Options::default(), &Print).unwrap();
        dir
    });
    dir.clone()
}

fn runtime() -> Runtime {
    Runtime::load(None, &models_dir()).unwrap()
}

/// Prints each step on a line, for people and for the test that kills installations.
struct Print;

impl Progress for Print {
    fn plan(&self, _steps: usize) {}
    fn begin(&self, step: &str, _bytes: Option<u64>) {
        println!("step {step}");
    }
    fn advance(&self, _bytes: u64) {}
    fn end(&self) {}
}

/// A file entry for these bytes, to be found under `source`.
fn spec(file: &str, bytes: &[u8], source: Source) -> FileSpec {
    let sha256 = hex::encode(&Sha256::digest(bytes));
    FileSpec { file: file.to_owned(), bytes: bytes.len() as u64, sha256, licence: "none".to_owned(), source }
}

/// A set of two files: the default set's embedder made over.
fn set_of(detector: FileSpec, embedder: FileSpec) -> ModelSet {
    let mut set = Catalogue::builtin().unwrap().set("yunet-omz").unwrap().clone();
    set.embedder.model = embedder;
    if let bertillon::vision::catalogue::Detector::YuNet { model, .. } = &mut set.detector {
        *model = detector;
    }
    set
}

/// A command that runs one ignored test of this binary in a process of its own.
fn child_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--ignored", "--nocapture"]).env(CHILD, "1").stdin(Stdio::null());
    command
}
