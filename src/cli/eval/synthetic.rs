//! `bertillon eval synthetic` and `eval fit`.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::base::program::Program;
use crate::casework::evaluate::Watch;
use crate::casework::evaluate::crowd::{CrowdPlan, run as run_crowd};
use crate::casework::evaluate::fit::of_files;
use crate::casework::evaluate::lists::CANDIDATES;
use crate::casework::evaluate::synthetic::{Options, read_parameters};
use crate::cli::eval::accuracy::{told, with_a_bar};
use crate::cli::eval::print_figures;
use crate::cli::print;
use crate::evaluation::synthetic::fit::Compared;
use crate::evaluation::synthetic::presets::Preset;
use crate::settings::Settings;

/// Measure accuracy on synthetic people.
#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub struct Synthetic {
    /// Which published point is met: mugshot, mugshot_median, webcam, profile, aged, lfr_npl or cctv.
    #[arg(long, value_name = "PRESET", required_unless_present = "parameters")]
    pub preset: Option<Preset>,
    /// A file that `eval fit` wrote, instead of a preset.
    #[arg(long, value_name = "FILE.json", conflicts_with = "preset")]
    pub parameters: Option<PathBuf>,
    /// People in the gallery.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub people: u32,
    /// Sizes of smaller, nested galleries; a tenth of the people when not given.
    #[arg(long, value_name = "PEOPLE", value_delimiter = ',')]
    pub sizes: Option<Vec<u32>>,
    /// Images of each person that are enrolled.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub images: u32,
    /// Probes of people who are enrolled.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub mated: u32,
    /// Probes of people who are not.
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    pub non_mated: u32,
    /// Numbers in a template.
    #[arg(long, value_name = "D", default_value_t = 512)]
    pub dimension: usize,
    /// Groups of people, and relatives, duplicates, failures and people hard to recognise beside: assumptions, none of them measured.
    #[arg(long, value_name = "N")]
    pub groups: Option<usize>,
    /// Longest candidate list.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub list: u32,
    /// Seed: the same seed gives the same templates on every machine.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Calibrate scores as likelihood ratios, too.
    #[arg(long)]
    pub calibrate: bool,
    /// Write every candidate list to candidates.csv, however many lines that takes: 50 a probe and size. Up to 3,000,000 lines are
    /// written without this.
    #[arg(long, conflicts_with = "no_lists")]
    pub lists: bool,
    /// Write no candidate list: what only they tell can't be recomputed then.
    #[arg(long)]
    pub no_lists: bool,
    /// Title of the report.
    #[arg(long, default_value = "Synthetic identification")]
    pub title: String,
    /// Folder for everything that is found; a run that was cut short goes on there.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Leave the galleries in the folder.
    #[arg(long)]
    pub keep: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Fit the generator to real templates.
#[derive(Debug, clap::Args)]
pub struct Fit {
    /// Templates, one a row, of f32 or f16: NumPy's .npz with the members templates and subjects (whole numbers or text), or .npy.
    #[arg(long, value_name = "FILE.npz")]
    pub templates: PathBuf,
    /// CSV file with the column subject: row n is row n of the templates. A .npy file needs one.
    #[arg(long, value_name = "FILE.csv")]
    pub subjects: Option<PathBuf>,
    /// Member of the archive, or column of that file, with people's groups.
    #[arg(long, value_name = "NAME")]
    pub group: Option<String>,
    /// File to write. It has a few figures, and no template.
    #[arg(long, value_name = "FILE.json")]
    pub out: PathBuf,
    /// Print everything as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Measures and prints.
///
/// # Errors
/// For figures out of range, and whatever stopped it.
pub(super) async fn run(settings: Settings, asked: Synthetic, program: Program) -> Result<()> {
    let parameters = match (&asked.preset, &asked.parameters) {
        (Some(preset), _) => preset.parameters(),
        (None, Some(path)) => read_parameters(path)?,
        (None, None) => bail!("say what people are like: --preset or --parameters"),
    };
    let parameters = match asked.groups {
        Some(groups) => parameters.lifelike(groups)?,
        None => parameters,
    };
    let Synthetic { people, images, mated, non_mated, dimension, seed, .. } = asked;
    let sizes = asked.sizes.unwrap_or_else(|| Some(people / 10).filter(|&size| size > 0).into_iter().collect());
    // So that every smaller gallery has all mated searches.
    let mates_among = sizes.iter().copied().filter(|&size| size > 0).min().unwrap_or(people).min(people).max(1);
    let plan = CrowdPlan {
        options: Options { parameters, people, images, mated, mates_among, non_mated, dimension, seed },
        sizes,
        list_length: asked.list as usize,
        calibrate: asked.calibrate,
        lists: if asked.no_lists { Some(false) } else { asked.lists.then_some(true) },
        title: asked.title,
        folder: asked.out,
        keep: asked.keep,
        program,
    };
    let watch = Watch::default();
    let found = told(Box::pin(with_a_bar(run_crowd(&settings, &plan, &watch), &watch, &plan.folder)).await?);
    if asked.json {
        return print::json(&found);
    }
    print_figures::evaluation(&found)?;
    let calibrated = if found.calibration.is_some() { ", pairs.csv (pairs of calibration)" } else { "" };
    let lists = if plan.folder.join(CANDIDATES).is_file() {
        "candidates.csv (every list)"
    } else {
        "no candidates.csv (--lists writes every list)"
    };
    print::line(&format!(
        "\neverything is in {}: evaluation.json, probes.csv (every search){calibrated}, {lists}; `bertillon eval report` makes a page of it",
        plan.folder.display()
    ))
}

/// Fits, writes the figures, and says how far they imitate.
///
/// # Errors
/// For templates that can't be read or fitted.
pub(super) fn fit(asked: &Fit) -> Result<()> {
    if asked.out.exists() {
        bail!("{}: is there already", asked.out.display());
    }
    let fitted = of_files(&asked.templates, asked.subjects.as_deref(), asked.group.as_deref())?;
    fs_err::write(&asked.out, fitted.parameters.to_json()?)?;
    if asked.json {
        return print::json(&fitted);
    }
    print::line(&format!("{} people, {} templates", fitted.people, fitted.templates))?;
    compared("mated", &fitted.mated)?;
    compared("non-mated", &fitted.non_mated)?;
    print::line(&format!("written to {}: for `bertillon eval synthetic --parameters`", asked.out.display()))
}

fn compared(kind: &str, found: &Compared) -> Result<()> {
    let ((mean, deviation), (their_mean, their_deviation)) = (found.real_moments, found.synthetic_moments);
    print::line(&format!(
        "{kind} scores: real {mean:.4} ± {deviation:.4}, synthetic {their_mean:.4} ± {their_deviation:.4}, Kolmogorov-Smirnov distance {:.3}",
        found.distance
    ))?;
    found.tail.iter().try_for_each(|tail| {
        print::line(&format!(
            "    at a share of {}: real {:.4}, synthetic {:.4}",
            tail.share, tail.real, tail.synthetic
        ))
    })
}
