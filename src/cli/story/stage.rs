//! Where a story takes place: a folder, people with keys, and this program as each of them runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail, ensure};
use fs_err as fs;
use serde_json::Value;

use crate::cli::print;
use crate::settings::Settings;

/// Lines of an output that are shown.
const LINES_SHOWN: usize = 14;

/// A folder, people with keys, and this program.
pub(super) struct Stage {
    program: PathBuf,
    /// Where it takes place.
    pub(super) folder: PathBuf,
    environment: Vec<(&'static str, std::ffi::OsString)>,
    keys: BTreeMap<String, String>,
}

impl Stage {
    /// A new folder, with the models of `settings` and nothing else of theirs.
    pub(super) fn new(settings: &Settings, folder: &Path) -> Result<Self> {
        ensure!(!folder.exists(), "{}: there is something already; name a new folder with --folder", folder.display());
        fs::create_dir_all(folder)?;
        let folder = fs::canonicalize(folder)?;
        let models = std::path::absolute(settings.models_folder())?;
        let mut environment = vec![
            ("BERTILLON_DATA", folder.join("data").into_os_string()),
            ("BERTILLON_MODELS", models.into_os_string()),
            ("BERTILLON_MODELS_SET", settings.models.set.clone().into()),
            ("BERTILLON_SCORING_BACK_END", settings.scoring.back_end.to_string().into()),
        ];
        let further = [
            ("BERTILLON_MODELS_RUNTIME", &settings.models.runtime),
            ("BERTILLON_MODELS_CATALOGUE", &settings.models.catalogue),
        ];
        for (name, path) in further {
            if let Some(path) = path {
                environment.push((name, std::path::absolute(path)?.into_os_string()));
            }
        }
        let program = std::env::current_exe().context("where this program is, is not known")?;
        Ok(Self { program, folder, environment, keys: BTreeMap::new() })
    }

    /// Somebody who has a key from now on, with these roles.
    pub(super) fn person(&mut self, name: &str, roles: &[&str]) -> Result<()> {
        let roles: Vec<&str> = roles.iter().flat_map(|role| ["--role", *role]).collect();
        self.owner(&[&["user", "add", name][..], &roles].concat())?;
        let file = format!("{name}.key");
        self.owner(&["key", "create", name, "--days", "1", "--to", &file])?;
        let key = fs::read_to_string(self.folder.join(&file))?;
        fs::remove_file(self.folder.join(file))?;
        self.keys.insert(name.to_owned(), key.trim().to_owned());
        Ok(())
    }

    /// What a command of `who` says, which must succeed.
    pub(super) fn good(&self, who: &str, arguments: &[&str]) -> Result<String> {
        let output = self.run(Some(who), &self.folder, arguments)?;
        self.shown(who, arguments, &output)?;
        succeeded(arguments, output)
    }

    /// The same of a command whose answer is JSON; `words` say what of it is to be seen.
    pub(super) fn json(&self, who: &str, arguments: &[&str], words: impl FnOnce(&Value) -> String) -> Result<Value> {
        let output = self.run(Some(who), &self.folder, arguments)?;
        let answer: Value = serde_json::from_str(&succeeded(arguments, output)?)?;
        print::line(&format!("{who}$ {}", typed(arguments)))?;
        print::line(&format!("    {}", words(&answer)))?;
        Ok(answer)
    }

    /// A command of `who` that must be refused, and say why in these words.
    pub(super) fn refused(&self, who: &str, arguments: &[&str], because: &str) -> Result<()> {
        let output = self.run(Some(who), &self.folder, arguments)?;
        self.shown(who, arguments, &output)?;
        let said = String::from_utf8_lossy(&output.stderr);
        let right = !output.status.success() && said.contains(because);
        ensure!(right, "the story goes otherwise: this must be refused because of {because:?}");
        Ok(())
    }

    /// A command at another place, by somebody who has no data folder.
    pub(super) fn elsewhere(&self, place: &Path, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(place, arguments);
        command.env("BERTILLON_DATA", place.join("no-data"));
        let output = command.output()?;
        self.shown("elsewhere", arguments, &output)?;
        succeeded(arguments, output)
    }

    /// A command of whoever owns a data folder, another one than the story's; what became of it is for the caller to say.
    pub(super) fn on_copy(&self, data: &Path, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(&self.folder, arguments);
        let output = command.env("BERTILLON_DATA", data).output()?;
        self.shown("owner", arguments, &output)?;
        Ok(output)
    }

    /// A command of whoever owns the data folder, unseen.
    pub(super) fn owner(&self, arguments: &[&str]) -> Result<String> {
        succeeded(arguments, self.run(None, &self.folder, arguments)?)
    }

    fn run(&self, who: Option<&str>, place: &Path, arguments: &[&str]) -> Result<Output> {
        let mut command = self.command(place, arguments);
        if let Some(who) = who.filter(|who| *who != "owner") {
            let Some(key) = self.keys.get(who) else { bail!("{who} has no key in this story") };
            command.env("BERTILLON_KEY", key);
        }
        Ok(command.output()?)
    }

    fn command(&self, place: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(arguments).current_dir(place).stdin(Stdio::null()).env_remove("BERTILLON_KEY");
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    fn shown(&self, who: &str, arguments: &[&str], output: &Output) -> Result<()> {
        print::line(&format!("{who}$ {}", typed(arguments)))?;
        let said = [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat();
        let said = said.replace(&*self.folder.to_string_lossy(), ".");
        for line in said.lines().take(LINES_SHOWN) {
            print::line(&format!("    {line}"))?;
        }
        let more = said.lines().count().saturating_sub(LINES_SHOWN);
        if more > 0 { print::line(&format!("    ... and {more} lines")) } else { Ok(()) }
    }
}

/// Says what comes.
pub(super) fn heading(text: &str) -> Result<()> {
    print::line(&format!("\n== {text}"))
}

/// A command as one would type it.
fn typed(arguments: &[&str]) -> String {
    let word = |word: &&str| {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=+".contains(letter);
        if word.chars().all(plain) { (*word).to_owned() } else { format!("'{word}'") }
    };
    let words: Vec<String> = arguments.iter().map(word).collect();
    format!("bertillon {}", words.join(" "))
}

fn succeeded(arguments: &[&str], output: Output) -> Result<String> {
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        bail!("the story goes otherwise: {} must succeed, and says: {said}", typed(arguments));
    }
    Ok(String::from_utf8(output.stdout)?)
}
