//! `bertillon models`.

use std::sync::Mutex;

use anyhow::{Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::casework::desk::catalogue_of;
use crate::cli::args::ModelsCommand;
use crate::cli::{print, progress};
use crate::settings::Settings;
use crate::vision::catalogue::ModelSet;
use crate::vision::install::{self, FileState, Options, Progress, State};

/// Carries out one of the models commands.
///
/// # Errors
/// When a set is unknown, can't be installed, or does not verify.
pub fn run(settings: &Settings, command: ModelsCommand) -> Result<()> {
    let catalogue = catalogue_of(settings)?;
    let named = |set: Option<String>| set.unwrap_or_else(|| settings.models.set.clone());
    match command {
        ModelsCommand::Install { set, from } => {
            let set = catalogue.set(&named(set))?;
            let without_runtime = settings.models.runtime.is_some();
            install_set(settings, set, &Options { from, without_runtime })?;
            print::line(&format!("{} is installed in {}", set.name, settings.models_folder().display()))
        }
        ModelsCommand::List { json } => list(settings, &catalogue.sets, json),
        ModelsCommand::Verify { set } => verify(settings, catalogue.set(&named(set))?),
    }
}

/// Installs a set with its progress on the terminal; at once done when everything is there.
///
/// # Errors
/// The step that failed.
pub fn install_set(settings: &Settings, set: &ModelSet, options: &Options) -> Result<()> {
    let steps = Steps::default();
    install::install(set, &settings.models_folder(), options, &steps)?;
    steps.finish();
    Ok(())
}

#[derive(Serialize)]
struct Listed<'a> {
    set: &'a str,
    title: &'a str,
    default: bool,
    state: String,
    dimension: usize,
    bytes: u64,
    hash: String,
    licences: Vec<&'a str>,
}

fn list(settings: &Settings, sets: &[ModelSet], json: bool) -> Result<()> {
    let listed: Vec<Listed<'_>> = sets.iter().map(|set| listed(settings, set)).collect();
    if json {
        return print::json(&listed);
    }
    print::line(&format!("{:<16} {:<10} {:>9} {:>10}  licences", "set", "state", "dimension", "size"))?;
    for one in &listed {
        let mark = if one.default { "*" } else { "" };
        let (name, size) = (format!("{}{mark}", one.set), print::bytes(one.bytes));
        print::line(&format!(
            "{name:<16} {:<10} {:>9} {size:>10}  {}",
            one.state,
            one.dimension,
            one.licences.join(", ")
        ))?;
        print::line(&format!("  {}", one.title))?;
    }
    print::line("* default (`models.set`). `bertillon models install SET` installs one.")
}

fn listed<'a>(settings: &Settings, set: &'a ModelSet) -> Listed<'a> {
    let mut licences: Vec<&str> = set.files().map(|file| file.licence.as_str()).collect();
    licences.sort_unstable();
    licences.dedup();
    let state = match install::summary(&install::verify(set, &settings.models_folder())) {
        State::Installed => "installed".to_owned(),
        State::Missing => "missing".to_owned(),
        State::Damaged(_) => "damaged".to_owned(),
    };
    Listed {
        set: &set.name,
        title: &set.title,
        default: set.name == settings.models.set,
        state,
        dimension: set.embedder.dimension,
        bytes: set.files().map(|file| file.bytes).sum(),
        hash: set.id().hash_hex(),
        licences,
    }
}

fn verify(settings: &Settings, set: &ModelSet) -> Result<()> {
    let folder = settings.models_folder();
    let mut files = install::verify(set, &folder);
    if settings.models.runtime.is_none() {
        files.push(install::verify_runtime(&folder)?);
    }
    for FileState { path, bytes, state } in &files {
        let state = match state {
            State::Installed => "ok".to_owned(),
            State::Missing => "missing".to_owned(),
            State::Damaged(what) => format!("damaged: {what}"),
        };
        print::line(&format!("{state:<9} {:>10}  {}", print::bytes(*bytes), path.display()))?;
    }
    match install::summary(&files) {
        State::Installed => print::line(&format!("{} is whole", set.name)),
        State::Missing | State::Damaged(_) => {
            bail!("{} is not whole: `bertillon models install {}`", set.name, set.name)
        }
    }
}

/// Steps of an installation as bars, one after the other.
#[derive(Default)]
pub struct Steps {
    state: Mutex<(usize, usize, Option<ProgressBar>)>,
}

impl Steps {
    /// Removes the last bar.
    pub fn finish(&self) {
        if let Ok(mut state) = self.state.lock()
            && let Some(bar) = state.2.take()
        {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Steps {
    fn plan(&self, steps: usize) {
        if let Ok(mut state) = self.state.lock() {
            state.1 = steps;
        }
    }

    fn begin(&self, step: &str, bytes: Option<u64>) {
        let Ok(mut state) = self.state.lock() else { return };
        state.0 += 1;
        let label = format!("[{}/{}] {step}", state.0, state.1.max(state.0));
        let bar = progress::spinner(label.clone());
        if bar.is_hidden() {
            eprintln!("{label}");
        }
        if let Some(bytes) = bytes {
            bar.set_length(bytes);
            let style = ProgressStyle::with_template("{spinner} {msg} {wide_bar:.cyan} {bytes}/{total_bytes}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        }
        if let Some(before) = state.2.replace(bar) {
            before.finish_and_clear();
        }
    }

    fn advance(&self, bytes: u64) {
        if let Ok(state) = self.state.lock()
            && let Some(bar) = &state.2
        {
            bar.set_position(bytes);
        }
    }

    fn end(&self) {
        self.finish();
    }
}
