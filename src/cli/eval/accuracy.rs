//! `bertillon eval accuracy`.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::base::program::Program;
use crate::casework::CaseworkError;
use crate::casework::evaluate::Watch;
use crate::casework::evaluate::finished::{Done, Wording, evaluate_pictures};
use crate::casework::evaluate::pairs::run as run_pairs;
use crate::casework::evaluate::pictures::PicturePlan;
use crate::cli::eval::{Accuracy, Pairs, print_figures};
use crate::cli::{print, progress};
use crate::evaluation::manifest::Manifest;
use crate::evaluation::protocol::{Protocol, usual_sizes};
use crate::evaluation::results::Evaluation;
use crate::settings::Settings;
use crate::vision::degrade::Preset;

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// Measures, writes everything into the folder, and prints what was found.
///
/// # Errors
/// When pictures, model or folder can't be used; when it was stopped.
pub(super) async fn run(mut settings: Settings, asked: Accuracy, program: Program) -> Result<()> {
    if let Some(set) = &asked.model {
        settings.models.set.clone_from(set);
    }
    let plan = Arc::new(plan(&asked, program)?);
    let watch = Watch::default();
    let said = Wording { title: asked.title.clone(), data: asked.data_source.clone() };
    let working = evaluate_pictures(&settings, &plan, &said, asked.keep, &watch);
    let evaluation = told(with_a_bar(working, &watch, &plan.folder).await?);
    if asked.json {
        return print::json(&evaluation);
    }
    print_figures::evaluation(&evaluation)?;
    print::line(&format!(
        "\neverything is in {}: evaluation.json, candidates.csv (every list), probes.csv (every search), {}failures.csv",
        asked.out.display(),
        if asked.calibrate { "pairs.csv (pairs of calibration), " } else { "" }
    ))
}

/// The evaluation, with a remark where it was there before.
pub(super) fn told(done: Done) -> Evaluation {
    let Done { evaluation, before } = done;
    if before {
        let made = &evaluation.identity.made_at;
        eprintln!("this evaluation was finished before, at {made}: nothing was measured or written again");
    }
    evaluation
}

fn plan(asked: &Accuracy, program: Program) -> Result<PicturePlan> {
    let mut manifest = match (&asked.manifest, &asked.images) {
        (Some(path), _) => Manifest::read(path)?,
        (None, Some(folder)) => Manifest::of_folders(folder, asked.groups.as_deref())?,
        (None, None) => bail!("say which pictures: --manifest or --images"),
    };
    let mut bounds = BTreeMap::new();
    for text in &asked.classes {
        let (column, list) =
            text.split_once('=').with_context(|| format!("{text:?}: give a column and bounds, as age=25,40"))?;
        let list: Result<Vec<f64>, _> = list.split(',').map(|bound| bound.trim().parse::<f64>()).collect();
        let list = list.with_context(|| format!("{text:?}: a bound is no number"))?;
        anyhow::ensure!(list.is_sorted() && list.iter().all(|bound| bound.is_finite()), "{text:?}: bounds ascend");
        bounds.insert(column.trim().to_owned(), list);
    }
    manifest.put_into_classes(&bounds).map_err(anyhow::Error::msg)?;
    let sizes = asked.sizes.clone().unwrap_or_default();
    let mut protocol = Protocol { enrolment: asked.enrol, non_mated_share: asked.non_mated, sizes, seed: asked.seed };
    let enrolled = protocol.split(&manifest)?.enrolled.len();
    if asked.sizes.is_none() {
        protocol.sizes = usual_sizes(enrolled);
    }
    Ok(PicturePlan {
        manifest,
        protocol,
        degraded: without_repeats(&asked.degrade),
        list_length: asked.list as usize,
        approximate: asked.approximate,
        calibrate: asked.calibrate,
        folder: asked.out.clone(),
        program,
    })
}

/// Each once, in the order in which they first came: a probe that is searched with twice says nothing new, and two lists under one name
/// could not be told apart.
fn without_repeats(asked: &[Preset]) -> Vec<Preset> {
    let mut once = Vec::new();
    for &preset in asked {
        if !once.contains(&preset) {
            once.push(preset);
        }
    }
    once
}

/// Compares pairs and prints what was found.
///
/// # Errors
/// As [`run`].
pub(super) async fn pairs(mut settings: Settings, asked: Pairs) -> Result<()> {
    if let Some(set) = &asked.model {
        settings.models.set.clone_from(set);
    }
    let Pairs { images, pairs, out, keep, json, .. } = asked;
    let watch = Watch::default();
    let running = run_pairs(&settings, &images, &pairs, &out, keep, &watch);
    let (found, model) = with_a_bar(running, &watch, &out).await?;
    if json { print::json(&found) } else { print_figures::verification(&found, &model) }
}

/// Does it with a bar; ctrl-C ends it where it is.
pub(super) async fn with_a_bar<T>(
    running: impl Future<Output = Result<T, CaseworkError>>,
    watch: &Watch,
    folder: &Path,
) -> Result<T> {
    let bar = progress::bar(0, "beginning");
    let mut running = std::pin::pin!(running);
    let done = loop {
        tokio::select! {
            done = &mut running => break done,
            _ = tokio::signal::ctrl_c() => watch.stop.store(true, Ordering::Relaxed),
            () = tokio::time::sleep(LOOK) => {
                let (step, done, total) = watch.progress.now();
                bar.set_length(total);
                bar.set_position(done);
                if !step.is_empty() {
                    bar.set_message(step);
                }
            }
        }
    };
    bar.finish_and_clear();
    match done {
        Err(error) if error.is_stop() => {
            bail!("stopped; the same command goes on from here ({} has what is done)", folder.display())
        }
        Err(error @ CaseworkError::Vision(_)) => Err(error).context("the model can't be used"),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Args, Command};
    use crate::cli::eval::EvalCommand;

    /// The plan of `eval accuracy` with these flags, over 40 people with two pictures each.
    fn planned(more: &[&str]) -> Result<PicturePlan> {
        let folder = tempfile::tempdir()?;
        for file in (0..40).flat_map(|person| [format!("{person}/a.jpg"), format!("{person}/b.jpg")]) {
            let path = folder.path().join(file);
            fs_err::create_dir_all(path.parent().unwrap_or(folder.path()))?;
            fs_err::write(path, "")?;
        }
        let images = folder.path().to_string_lossy();
        let command = ["bertillon", "eval", "accuracy", "--out", "found", "--images", &*images];
        let Command::Eval(EvalCommand::Accuracy(asked)) = Args::try_parse_from([&command[..], more].concat())?.command
        else {
            bail!("another command");
        };
        plan(&asked, Program::default())
    }

    #[test]
    fn sizes_are_those_asked_for_or_of_the_people_who_are_enrolled() {
        assert_eq!(planned(&["--non-mated", "0"]).unwrap().protocol.sizes, [0_usize; 0], "a tenth of 40 is no gallery");
        assert_eq!(planned(&["--sizes", "10,20"]).unwrap().protocol.sizes, [10, 20]);
        let refused = planned(&["--sizes", "10,21"]).unwrap_err().to_string();
        assert!(refused.contains("a gallery of 21 people") && refused.contains("10 to 20"), "{refused}");
    }

    #[test]
    fn a_degradation_that_is_asked_for_again_is_searched_with_once() {
        let asked = ["mild", "night", "mild", "cctv", "night"].map(|preset| ["--degrade", preset]).concat();
        assert_eq!(planned(&asked).unwrap().degraded, [Preset::Mild, Preset::Night, Preset::Cctv]);
    }
}
