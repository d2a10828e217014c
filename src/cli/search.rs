//! `bertillon search`.

use anyhow::{Context, Result};

use crate::base::limits::{IMAGE_BYTES_MAX, PROBES_PER_SEARCH_MAX};
use crate::base::text::printable;
use crate::casework::operating_points::{Scope, ThresholdChoice};
use crate::casework::search::{ModeChoice, ProbePicture, SearchRequest, search};
use crate::cli::args::Search;
use crate::cli::as_whom::caller;
use crate::cli::{desk, print, progress};
use crate::gallery::Access;
use crate::http::shapes::SearchAnswerShape;
use crate::identify::Filter;
use crate::policy::Stated;
use crate::settings::Settings;

/// What for, on what basis, of which case. Nothing need be stated yet; what is stated is held against the policy.
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
    let filter: Filter = command.filter.join(";").parse()?;
    let (gallery, faces) = (command.gallery, command.faces);
    let StatedArgs { purpose, lawful_basis, seriousness, case_ref, reason } = command.stated;
    let stated = Stated { purpose, lawful_basis, seriousness, case_ref, reason };
    let request = SearchRequest { gallery, pictures, faces, people, threshold, filter, mode, stated, caller: caller() };
    let answer = search(&desk, request, || ()).await.context("no candidate list")?;
    spinner.finish_and_clear();
    if command.json { print::json(&SearchAnswerShape::from(&answer)) } else { print::answer(&answer) }
}
