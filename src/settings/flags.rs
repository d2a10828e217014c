//! Settings given on the command line.

use std::net::IpAddr;
use std::path::PathBuf;

use confique::{Config, Layer};

use crate::settings::back_end::BackEnd;
use crate::settings::{Settings, SettingsError, check};

/// What the command line set; `None` leaves the value to the environment, the file and the default. The names follow
/// the flags: `--models-folder` is `models_folder`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags {
    /// `--data`
    pub data: Option<PathBuf>,
    /// `--models-folder`
    pub models_folder: Option<PathBuf>,
    /// `--model-set`
    pub model_set: Option<String>,
    /// `--catalogue`
    pub catalogue: Option<PathBuf>,
    /// `--runtime`
    pub runtime: Option<PathBuf>,
    /// `--back-end`
    pub back_end: Option<BackEnd>,
    /// `--threads`
    pub threads: Option<usize>,
    /// `--top`
    pub candidates: Option<usize>,
    /// `--bind`
    pub bind: Option<IpAddr>,
    /// `--port`
    pub port: Option<u16>,
    /// `--workers`
    pub workers: Option<usize>,
    /// `--vision-threads`
    pub vision_threads: Option<usize>,
    /// `--log`
    pub log: Option<String>,
}

impl Flags {
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        hold("--data", self.data.as_ref(), check::path)?;
        hold("--models-folder", self.models_folder.as_ref(), check::path)?;
        hold("--model-set", self.model_set.as_ref(), check::model_set)?;
        hold("--catalogue", self.catalogue.as_ref(), check::path)?;
        hold("--runtime", self.runtime.as_ref(), check::path)?;
        hold("--threads", self.threads.as_ref(), check::threads)?;
        hold("--top", self.candidates.as_ref(), check::candidates)?;
        hold("--workers", self.workers.as_ref(), check::threads)?;
        hold("--vision-threads", self.vision_threads.as_ref(), check::threads)?;
        hold("--log", self.log.as_ref(), check::filter)
    }

    pub(super) fn into_layer(self) -> <Settings as Config>::Layer {
        // Every field by name: a flag that is added and forgotten here does not compile.
        let Self {
            data,
            models_folder,
            model_set,
            catalogue,
            runtime,
            back_end,
            threads,
            candidates,
            bind,
            port,
            workers,
            vision_threads,
            log,
        } = self;
        let mut layer = <Settings as Config>::Layer::empty();
        layer.data.folder = data;
        layer.models.folder = models_folder;
        layer.models.set = model_set;
        layer.models.catalogue = catalogue;
        layer.models.runtime = runtime;
        layer.scoring.back_end = back_end;
        layer.scoring.threads = threads;
        layer.scoring.candidates = candidates;
        layer.server.bind = bind;
        layer.server.port = port;
        layer.server.workers = workers;
        layer.vision.threads = vision_threads;
        layer.log.filter = log;
        layer
    }
}

fn hold<T>(flag: &'static str, given: Option<&T>, allowed: fn(&T) -> Result<(), String>) -> Result<(), SettingsError> {
    given.map_or(Ok(()), allowed).map_err(|detail| SettingsError::Flag { flag, detail })
}
