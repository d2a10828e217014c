//! `bertillon search`.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::base::ids::GalleryName;
use crate::base::limits::{IMAGE_BYTES_MAX, PROBES_PER_SEARCH_MAX};
use crate::base::text::printable;
use crate::casework::faces::FaceChoice;
use crate::casework::operating_points::{Scope, ThresholdChoice};
use crate::casework::search::{ModeChoice, ProbePicture, SearchRequest, search};
use crate::cli::as_whom::person;
use crate::cli::{desk, print, progress};
use crate::gallery::Access;
use crate::http::shapes::SearchAnswerShape;
use crate::identify::Filter;
use crate::policy::Stated;
use crate::records::SearchOf;
use crate::settings::Settings;

/// What for, on what basis, of which case. Whoever owns the data folder may state nothing; what is stated is held against
/// the policy.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "What for (`bertillon policy show` has the words)")]
pub struct StatedArgs {
    /// What for, such as investigate_crime.
    #[arg(long, value_name = "WORD")]
    pub purpose: Option<String>,
    /// On what basis in law, such as law_enforcement_task.
    #[arg(long, value_name = "WORD")]
    pub lawful_basis: Option<String>,
    /// How serious, such as indictable.
    #[arg(long, value_name = "WORD")]
    pub seriousness: Option<String>,
    /// Of which case.
    #[arg(long, value_name = "TEXT")]
    pub case_ref: Option<String>,
    /// Why, in words. Kept with the search: name nobody there.
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Who authorised it: a user's name, or a person's with their rank. Not whoever asks.
    #[arg(long, value_name = "NAME")]
    pub authoriser: Option<String>,
}

/// Search a gallery for the person in a picture.
///
/// Prints one candidate list a face: rank, comparison score, subject. The largest face of each picture is searched unless
/// --faces says otherwise. Every search is recorded.
#[derive(Debug, clap::Args)]
pub struct Search {
    /// Gallery to search.
    pub gallery: GalleryName,
    /// Pictures to search with.
    #[arg(required_unless_present = "submission", value_name = "IMAGE")]
    pub images: Vec<PathBuf>,
    /// Search with the pictures of this submission instead; whoever does says what for.
    #[arg(long, value_name = "N", conflicts_with = "images")]
    pub submission: Option<i64>,
    /// Longest candidate list, in people.
    #[arg(long, value_name = "N")]
    pub top: Option<usize>,
    /// Lowest comparison score to show, from -1 to 1.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    pub threshold: Option<f32>,
    /// Threshold of this operating point (`bertillon eval operating-points` lists them); the answer cites it.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["threshold", "target_fpir"])]
    pub operating_point: Option<String>,
    /// Threshold of the operating point for this false positive identification rate, 0.003 say; refused where none was measured
    /// for the gallery's model, size and class. Needs --gallery-class.
    #[arg(long, value_name = "RATE", conflicts_with = "threshold")]
    pub target_fpir: Option<f64>,
    /// Class of the gallery, as operating points have it ("custody, frontal"): only points for this class are taken.
    #[arg(long, value_name = "TEXT")]
    pub gallery_class: Option<String>,
    /// Kind of the probes, as operating points have it ("degraded: cctv"); needed where there are points of several kinds.
    #[arg(long, value_name = "KIND")]
    pub probe_kind: Option<String>,
    /// Which faces: largest, all, or a number from 1 (largest first).
    #[arg(long, default_value = "largest")]
    pub faces: FaceChoice,
    /// Search a part of the gallery only: name=value,value or name=from..to or subject=ID,ID. May be repeated: all must
    /// hold. The list is exact within the part.
    #[arg(long = "where", value_name = "CONDITION")]
    pub filter: Vec<String>,
    /// exact: every template is compared. approximate: by graphs (`bertillon gallery index`), faster in large galleries; it
    /// misses some, the hardest first, and says how many its audit missed.
    #[arg(long, value_name = "MODE", default_value = "exact", value_parser = ["exact", "approximate"])]
    pub mode: String,
    /// Templates kept in view by an approximate search; the fewest that keep the policy when not given.
    #[arg(long, value_name = "N")]
    pub ef: Option<u32>,
    /// What for.
    #[command(flatten)]
    pub stated: StatedArgs,
    /// Print the answer as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Searches and prints the candidate lists. Works beside a running server.
///
/// # Errors
/// When a picture can't be read from disk, nothing could be searched, or the gallery is not there.
pub async fn run(settings: Settings, command: Search) -> Result<()> {
    anyhow::ensure!(
        command.images.len() <= PROBES_PER_SEARCH_MAX,
        "{} pictures: at most {PROBES_PER_SEARCH_MAX} in one search",
        command.images.len()
    );
    let mode = ModeChoice::of(Some(&command.mode), command.ef).map_err(anyhow::Error::msg)?;
    let scope = Scope { gallery_class: command.gallery_class, probe_kind: command.probe_kind };
    let threshold = ThresholdChoice::of(command.threshold, command.operating_point, command.target_fpir, scope);
    let threshold = threshold.map_err(anyhow::Error::msg)?;
    let people = settings.scoring.candidates;
    let mut pictures = Vec::with_capacity(command.images.len());
    for path in &command.images {
        let found = path.metadata().with_context(|| format!("{}: no picture there", path.display()))?;
        let length = found.len();
        anyhow::ensure!(found.is_file(), "{}: not a file; name the pictures one by one", path.display());
        anyhow::ensure!(
            length <= IMAGE_BYTES_MAX as u64,
            "{}: {length} bytes; at most {IMAGE_BYTES_MAX}",
            path.display()
        );
        pictures.push(ProbePicture { name: printable(&path.to_string_lossy()), bytes: fs_err::read(path)?.into() });
    }
    let spinner = progress::spinner("searching");
    let desk = desk(settings, Access::Reader).await?;
    let caller = person(&desk).await?;
    let filter: Filter = command.filter.join(";").parse()?;
    let (gallery, faces, of) = (command.gallery, command.faces, command.submission.map(SearchOf::Submission));
    let StatedArgs { purpose, lawful_basis, seriousness, case_ref, reason, authoriser } = command.stated;
    let stated = Stated { purpose, lawful_basis, seriousness, case_ref, reason, authoriser };
    let request = SearchRequest { gallery, pictures, of, faces, people, threshold, filter, mode, stated, caller };
    let answer = search(&desk, request, || ()).await.context("no candidate list")?;
    spinner.finish_and_clear();
    if command.json { print::json(&SearchAnswerShape::from(&answer)) } else { print::answer(&answer) }
}
