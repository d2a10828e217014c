//! Evaluations that are finished: the same command answers from what it wrote, and nothing is measured or written again. An
//! operating point cites its evaluation by hash, so that file stays as it is.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::casework::CaseworkError;
use crate::casework::enrol::blocking;
use crate::casework::evaluate::extract::{looks_of, sha256_of};
use crate::casework::evaluate::figures::{self, EVALUATION, PICTURES};
use crate::casework::evaluate::pictures::{self, PicturePlan};
use crate::casework::evaluate::{RunFolder, RunKey, Watch};
use crate::evaluation::protocol::Split;
use crate::evaluation::results::Evaluation;
use crate::settings::Settings;

/// An evaluation, and whether it was finished before.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// What was found.
    pub evaluation: Evaluation,
    /// Whether it was there already: nothing was measured again.
    pub before: bool,
}

/// What a run's folder says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RunFile {
    #[serde(flatten)]
    pub(super) key: RunKey,
    /// What else was asked for, by its flag: it changes no search, but what is written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Value>,
    /// What the pictures looked like, without reading them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    looks: Option<String>,
}

impl RunFile {
    pub(super) fn new(key: RunKey) -> Self {
        Self { key, asked: None, looks: None }
    }
}

/// What a report says that no search depends on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// Title of the report.
    pub title: String,
    /// Where the pictures came from.
    pub data: String,
}

/// Measures on pictures and works the figures out, or answers from an evaluation that was finished before. Galleries and templates
/// are removed at the end unless they are to be kept.
///
/// # Errors
/// [`CaseworkError`]; after an interruption the same call goes on. [`CaseworkError::OtherRun`] where another evaluation, or one of
/// other pictures, was finished in the folder.
pub async fn evaluate_pictures(
    settings: &Settings,
    plan: &Arc<PicturePlan>,
    said: &Wording,
    keep: bool,
    watch: &Watch,
) -> Result<Done, CaseworkError> {
    let (run, split) = pictures::begin(settings, plan, watch).await?;
    let asked = json!({ "--title": said.title, "--data-source": said.data, "--calibrate": plan.calibrate });
    let done = if let Some(evaluation) = run.finished(&asked)? {
        let (run, plan, watch, pictures) = (run.clone(), Arc::clone(plan), watch.clone(), evaluation.clone());
        blocking(move || same_pictures(&run, &plan, &split, &pictures, &watch)).await??;
        Done { evaluation, before: true }
    } else {
        let found = pictures::run(settings, plan, split, run.clone(), watch).await?;
        run.record(&asked, Some(found.pictures.looks.clone()))?;
        let evaluation = figures::of_pictures(settings, plan, found, said, watch).await?;
        Done { evaluation, before: false }
    };
    if !keep {
        run.remove_work()?;
    }
    Ok(done)
}

/// Refuses to answer for pictures that were replaced since. They are read only where one looks different.
fn same_pictures(
    run: &RunFolder,
    plan: &PicturePlan,
    split: &Split,
    found: &Evaluation,
    watch: &Watch,
) -> Result<(), CaseworkError> {
    let paths = pictures::paths(plan, split);
    if run.read()?.looks == Some(looks_of(&paths, watch)?) {
        return Ok(());
    }
    let theirs = found.identity.protocol.iter().find(|(name, _)| name == PICTURES).map(|(_, sha256)| sha256.as_str());
    if theirs == Some(sha256_of(&paths, watch)?.as_str()) {
        return Ok(());
    }
    Err(run.other("it holds a finished evaluation of other pictures: one of them was replaced since"))
}

impl RunFolder {
    /// The evaluation that was finished here; `None` where none was.
    ///
    /// # Errors
    /// [`CaseworkError::OtherRun`] for one that can't be read, or that was asked for in other words.
    pub fn finished(&self, asked: &Value) -> Result<Option<Evaluation>, CaseworkError> {
        if !self.file(EVALUATION).exists() {
            return Ok(None);
        }
        let (evaluation, _) = figures::read(&self.file(""))?;
        let Some(theirs) = self.read()?.asked.filter(|theirs| theirs != asked) else { return Ok(Some(evaluation)) };
        let flags = asked.as_object().into_iter().flatten().filter(|(flag, value)| theirs.get(flag) != Some(value));
        let flags: Vec<&str> = flags.map(|(flag, _)| flag.as_str()).collect();
        Err(self.other(&format!(
            "it holds a finished evaluation that was asked for with another {}, and what is finished is never written over",
            flags.join(", ")
        )))
    }

    /// Keeps what was asked for beside the rules, for whoever finds the evaluation finished.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn record(&self, asked: &Value, looks: Option<String>) -> Result<(), CaseworkError> {
        let RunFile { key, .. } = self.read()?;
        self.write(&RunFile { key, asked: Some(asked.clone()), looks })
    }
}
