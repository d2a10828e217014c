//! `bertillon eval`: accuracy as evaluators measure it, reports of it, and the operating points that searches then use.

mod accuracy;
mod print_figures;
mod synthetic;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Subcommand, ValueEnum};

use crate::base::program::Program;
use crate::casework::evaluate::figures::read;
use crate::casework::evaluate::points::{NewPoint, Probes, take};
use crate::casework::operating_points::{all, install};
use crate::cli::print;
use crate::evaluation::protocol::Enrolment;
use crate::evaluation::report::html;
use crate::settings::Settings;
use crate::vision::degrade::Preset;

/// What can be evaluated, and what can be made of it.
#[derive(Debug, Subcommand)]
pub enum EvalCommand {
    /// Measure identification accuracy on pictures: FNIR, FPIR, CMC, DET, by group, kind and quality.
    ///
    /// Pictures come from a CSV file (--manifest) with the columns image and subject, perhaps session, type, capture_date and role
    /// (gallery or probe), and any others, which are groups; or from a folder with one subfolder a person (--layout lfw), as
    /// Labeled Faces in the Wild has them. A share of the people, drawn by the seed, is not enrolled: their searches are the
    /// non-mated ones. Everything goes through the product's own vision, gallery and exact scoring. A run that was cut short
    /// goes on when the same command is given again.
    Accuracy(Box<Accuracy>),
    /// Measure the same on synthetic people, made by a seeded generator: for galleries that nobody has, and for testing the evaluator.
    ///
    /// Presets meet published points by construction (mugshot, mugshot_median, webcam, profile, aged, lfr_npl, cctv); they are
    /// evidence about no model. docs/SYNTHETIC.md has the generator to the bit.
    Synthetic(synthetic::Synthetic),
    /// Fit the generator's few figures to a real model's templates, and say how well it then imitates them.
    Fit(synthetic::Fit),
    /// Write the report of a finished evaluation: one HTML file, to be read in any browser and printed to PDF from there.
    Report {
        /// Folder of the evaluation.
        folder: PathBuf,
        /// File to write; report.html in the folder when not given.
        #[arg(long, value_name = "FILE.html")]
        out: Option<PathBuf>,
        /// Print the figures as JSON instead.
        #[arg(long)]
        json: bool,
    },
    /// Compare pictures in pairs, one to one, by the protocol of Labeled Faces in the Wild (pairs.txt, folds).
    ///
    /// It says little about identification: thousands of pairs where a gallery makes millions of comparisons a search.
    Pairs(Pairs),
    /// List the operating points of the data folder, or make one of an evaluation: a threshold that searches can ask for.
    #[command(name = "operating-points")]
    Points {
        /// Print as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make an operating point of an evaluation: a threshold that searches can ask for by name or by false positive rate.
    #[command(name = "operating-point")]
    Point(Point),
}

/// How a folder is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Layout {
    /// One subfolder a person.
    Lfw,
}

/// Measure identification accuracy.
#[derive(Debug, clap::Args)]
pub struct Accuracy {
    /// CSV file of the pictures.
    #[arg(long, value_name = "FILE.csv", required_unless_present = "images")]
    pub manifest: Option<PathBuf>,
    /// Folder of the pictures, laid out as --layout says.
    #[arg(long, value_name = "FOLDER", conflicts_with = "manifest")]
    pub images: Option<PathBuf>,
    /// How that folder is laid out.
    #[arg(long, value_enum, default_value = "lfw", requires = "images")]
    pub layout: Layout,
    /// CSV file of the people in that folder: the first column is the subfolder's name, the others are groups.
    #[arg(long, value_name = "FILE.csv", requires = "images")]
    pub groups: Option<PathBuf>,
    /// Put a column of numbers into classes, as age=25,40,60. May be repeated.
    #[arg(long, value_name = "COLUMN=BOUNDS")]
    pub classes: Vec<String>,
    /// Model set; the one of the settings when not given.
    #[arg(long, value_name = "SET")]
    pub model: Option<String>,
    /// Folder for everything that is found; a run that was cut short goes on there.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// How people are enrolled: one (their earliest gallery image), consolidated (all gallery images, one identity) or unconsolidated
    /// (each by itself). Without roles, the first enrols the earliest image, the others all but the latest.
    #[arg(long, value_name = "HOW", default_value = "one", value_parser = enrolment)]
    pub enrol: Enrolment,
    /// Share of the people who are not enrolled.
    #[arg(long, value_name = "SHARE", default_value_t = 0.5)]
    pub non_mated: f64,
    /// Sizes of smaller, nested galleries, as 100,1000; a tenth and a hundredth of the people when not given.
    #[arg(long, value_name = "PEOPLE", value_delimiter = ',')]
    pub sizes: Option<Vec<usize>>,
    /// Longest candidate list.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub list: u32,
    /// Search with each probe once more, made poor: mild, cctv or night. May be repeated.
    #[arg(long, value_name = "PRESET")]
    pub degrade: Vec<Preset>,
    /// Search by graphs as well, with so many templates in view (50 or more), and list the mates that the exact search found and they lost.
    #[arg(long, value_name = "EF", value_parser = clap::value_parser!(u32).range(50..=16_384))]
    pub approximate: Option<u32>,
    /// Calibrate scores as likelihood ratios, too.
    #[arg(long)]
    pub calibrate: bool,
    /// Seed of whatever is drawn: the same seed, data and model give the same figures.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Title of the report.
    #[arg(long, default_value = "Identification accuracy")]
    pub title: String,
    /// Where the pictures came from, for the report.
    #[arg(long, value_name = "TEXT", default_value = "not said")]
    pub data_source: String,
    /// Leave templates and galleries in the folder. They are biometric data; without this they are removed at the end.
    #[arg(long)]
    pub keep: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    pub json: bool,
}

fn enrolment(text: &str) -> Result<Enrolment, String> {
    match text {
        "one" => Ok(Enrolment::OneImage),
        "consolidated" => Ok(Enrolment::Consolidated),
        "unconsolidated" => Ok(Enrolment::Unconsolidated),
        _ => Err("use one, consolidated or unconsolidated".to_owned()),
    }
}

/// Compare pictures in pairs.
#[derive(Debug, clap::Args)]
pub struct Pairs {
    /// Folder with one subfolder a person: NAME/NAME_0001.jpg.
    #[arg(long, value_name = "FOLDER")]
    pub images: PathBuf,
    /// The list of pairs: pairs.txt of Labeled Faces in the Wild, or one like it.
    #[arg(long, value_name = "FILE.txt")]
    pub pairs: PathBuf,
    /// Model set; the one of the settings when not given.
    #[arg(long, value_name = "SET")]
    pub model: Option<String>,
    /// Folder for what is done; a run that was cut short goes on there.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
    /// Leave templates in the folder. They are biometric data; without this they are removed at the end.
    #[arg(long)]
    pub keep: bool,
    /// Print the figures as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Make an operating point.
#[derive(Debug, clap::Args)]
pub struct Point {
    /// Folder of a finished evaluation.
    pub folder: PathBuf,
    /// Its name: a-z, 0-9, '-' and '_'. A threshold is never changed under its name.
    #[arg(long)]
    pub name: String,
    /// False positive identification rate; one of those in the evaluation's table.
    #[arg(long, value_name = "RATE")]
    pub target_fpir: f64,
    /// For galleries of which kind, in words.
    #[arg(long, value_name = "TEXT")]
    pub gallery_class: String,
    /// Kind of probe that it is for, as the report names it ("as it is", "degraded: cctv"); needed where there are several.
    #[arg(long, value_name = "KIND", conflicts_with = "mixture")]
    pub probe_kind: Option<String>,
    /// Take the threshold over all kinds of probe together. No operation has this very mixture; the point says what it is.
    #[arg(long)]
    pub mixture: bool,
    /// Take a rate that the evaluation's searches do not support, too; the point then says so wherever it is cited.
    #[arg(long)]
    pub unsupported: bool,
    /// Write it there instead of into the data folder.
    #[arg(long, value_name = "FILE.json")]
    pub out: Option<PathBuf>,
    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Carries out one of the evaluation commands.
///
/// # Errors
/// For the person at the terminal.
pub async fn run(settings: Settings, command: EvalCommand, program: Program) -> Result<()> {
    match command {
        EvalCommand::Accuracy(accuracy) => Box::pin(accuracy::run(settings, *accuracy, program)).await,
        EvalCommand::Synthetic(asked) => Box::pin(synthetic::run(settings, asked, program)).await,
        EvalCommand::Fit(asked) => synthetic::fit(&asked),
        EvalCommand::Report { folder, out, json } => {
            let (evaluation, _) = read(&folder)?;
            if json {
                return print::json(&evaluation);
            }
            let path = out.unwrap_or_else(|| folder.join("report.html"));
            fs_err::write(&path, html(&evaluation)?)?;
            print::line(&format!("{}: open it in a browser; print it from there", path.display()))
        }
        EvalCommand::Pairs(pairs) => accuracy::pairs(settings, pairs).await,
        EvalCommand::Points { json } => {
            let points = all(&settings)?;
            if json {
                return print::json(&points);
            }
            if points.is_empty() {
                return print::line("no operating points: `bertillon eval operating-point` makes one of an evaluation");
            }
            points.iter().try_for_each(print_figures::point)
        }
        EvalCommand::Point(point) => make_point(&settings, point),
    }
}

fn make_point(settings: &Settings, asked: Point) -> Result<()> {
    let Point { folder, name, target_fpir, gallery_class, probe_kind, mixture, unsupported, out, json } = asked;
    let probes = match probe_kind {
        Some(kind) => Probes::Kind(kind),
        None if mixture => Probes::Mixture,
        None => Probes::OnlyKind,
    };
    let point = take(&folder, &NewPoint { name, target_fpir, gallery_class, probes, unsupported })?;
    let path = match out {
        Some(path) if path.exists() => bail!("{}: is there already", path.display()),
        Some(path) => {
            fs_err::write(&path, point.to_json().context("the operating point can't be written")?)?;
            path
        }
        None => install(settings, &point)?,
    };
    if json {
        return print::json(&point);
    }
    print_figures::point(&point)?;
    print::line(&format!("written to {}", path.display()))
}
