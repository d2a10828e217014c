//! One typed configuration. A value on the command line beats one in the environment, which beats one in the file, which
//! beats the default. Unknown keys and values out of range are refused when they are read, naming where they stand.
//!
//! `Debug` shows all of it: what may hold a secret has a type that hides it (`records_url`).
#![allow(unused_qualifications, reason = "the derived layers qualify every section's type")]

pub mod back_end;
pub mod check;
pub mod flags;
pub mod master_key;
pub mod records_url;
pub mod sections;
pub mod storage;

use std::io::Read;
use std::path::{Path, PathBuf};

use confique::{Config, Layer};
use serde::Serialize;

use crate::base::limits::SETTINGS_BYTES_MAX;
use crate::settings::flags::Flags;
use crate::settings::master_key::{MasterKey, NoMasterKey};
use crate::settings::records_url::{NoRecordsUrl, RecordsUrl};
use crate::settings::sections::{Data, Encryption, Log, Models, Records, Retention, Scoring, Server, Sso, Vision};

/// The file read from the working folder when none is named.
pub const FILE_NAME: &str = "bertillon.toml";

/// Bertillon's settings. Every line here is the default: remove the `#` before those that you change.
#[derive(Debug, Clone, PartialEq, Config, Serialize)]
#[config(layer_attr(serde(deny_unknown_fields)))]
pub struct Settings {
    /// Where everything is kept.
    #[config(nested)]
    pub data: Data,
    /// Which models make templates.
    #[config(nested)]
    pub models: Models,
    /// How templates are compared.
    #[config(nested)]
    pub scoring: Scoring,
    /// The HTTP server.
    #[config(nested)]
    pub server: Server,
    /// How pictures are turned into templates.
    #[config(nested)]
    pub vision: Vision,
    /// What is logged.
    #[config(nested)]
    pub log: Log,
    /// Under which key kept pictures lie.
    #[config(nested)]
    pub encryption: Encryption,
    /// Whether what is over goes by itself.
    #[config(nested)]
    pub retention: Retention,
    /// Where records are kept.
    #[config(nested)]
    pub records: Records,
    /// Sign-in at a provider of the force's own (OpenID Connect).
    #[config(nested)]
    pub sso: Sso,
}

/// Why there is no valid configuration.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The file named on the command line is not there.
    #[error(
        "{}: no such configuration file; name one that exists, or write one with `bertillon config --template`",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file can't be read.
    #[error("{}: the configuration file can't be read", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is no configuration file.
    #[error("{}: longer than the {SETTINGS_BYTES_MAX} bytes that a configuration file may have", .0.display())]
    TooLong(PathBuf),
    /// A key or a value of the file is wrong.
    #[error("{}: {detail}\n`bertillon config --template` prints every key with its default", .path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Line, key, what stands there and what may stand there.
        detail: String,
    },
    /// A variable of the environment is wrong.
    #[error("{0}")]
    Environment(String),
    /// A flag of the command line is wrong.
    #[error("{flag}: {detail}")]
    Flag {
        /// Which flag, with its dashes.
        flag: &'static str,
        /// What stands there and what may stand there.
        detail: String,
    },
    /// A setting without default was set nowhere.
    #[error("{0}")]
    Incomplete(String),
}

/// Settings, and the file that they came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Loaded {
    /// The values in force.
    pub settings: Settings,
    /// The file that was read; `None` when there was none.
    pub file: Option<PathBuf>,
}

type SettingsLayer = <Settings as Config>::Layer;

impl Settings {
    /// The configuration from `named` (or else from [`FILE_NAME`] in `folder` if it is there), the environment and `flags`.
    ///
    /// # Errors
    /// [`SettingsError`] for a named file that is not there, and for the first unknown key or bad value.
    pub fn load(named: Option<&Path>, folder: &Path, flags: Flags) -> Result<Loaded, SettingsError> {
        let environment = SettingsLayer::from_env().map_err(|error| SettingsError::Environment(error.to_string()))?;
        Self::merge(named, folder, environment, flags)
    }

    fn merge(
        named: Option<&Path>,
        folder: &Path,
        environment: SettingsLayer,
        flags: Flags,
    ) -> Result<Loaded, SettingsError> {
        flags.check()?;
        let (from_file, file) = read_file(named, folder)?;
        let merged = flags
            .into_layer()
            .with_fallback(environment)
            .with_fallback(from_file)
            .with_fallback(SettingsLayer::default_values());
        let settings = Self::from_layer(merged).map_err(|error| SettingsError::Incomplete(error.to_string()))?;
        if settings.encryption.master_key == Some(MasterKey::Nowhere) {
            return Err(SettingsError::Incomplete(format!("encryption.master_key: {NoMasterKey}")));
        }
        if settings.records.url == Some(RecordsUrl::Nowhere) {
            return Err(SettingsError::Incomplete(format!("records.url: {NoRecordsUrl}")));
        }
        Ok(Loaded { settings, file })
    }

    /// The folder of model files: the one set, or `models` in the data folder.
    #[must_use]
    pub fn models_folder(&self) -> PathBuf {
        self.models.folder.clone().unwrap_or_else(|| self.data.folder.join("models"))
    }

    /// A configuration file with every key, what it means and its default, all commented out.
    #[must_use]
    pub fn template() -> String {
        confique::toml::template::<Self>(confique::toml::FormatOptions::default())
    }

    /// The values in force, as a configuration file.
    ///
    /// # Errors
    /// When a path is not Unicode and so can't stand in TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }
}

fn read_file(named: Option<&Path>, folder: &Path) -> Result<(SettingsLayer, Option<PathBuf>), SettingsError> {
    let path = named.map_or_else(|| folder.join(FILE_NAME), Path::to_path_buf);
    let mut text = String::new();
    let opened = fs_err::File::open(&path);
    let read = opened.and_then(|file| file.take(SETTINGS_BYTES_MAX + 1).read_to_string(&mut text));
    match read {
        Ok(length) if length as u64 > SETTINGS_BYTES_MAX => return Err(SettingsError::TooLong(path)),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return if named.is_some() {
                Err(SettingsError::Missing(path))
            } else {
                Ok((SettingsLayer::empty(), None))
            };
        }
        Err(source) => return Err(SettingsError::Read { path, source }),
    }
    match toml::from_str(&text) {
        Ok(layer) => Ok((layer, Some(path))),
        Err(error) => Err(SettingsError::File { path, detail: error.to_string() }),
    }
}

#[cfg(test)]
mod tests;
