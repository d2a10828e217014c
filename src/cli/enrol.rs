//! `bertillon enrol`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, bail};

use crate::base::ids::GalleryName;
use crate::base::limits::REPORT_LINES_MAX;
use crate::casework::enrol::{Enrolled, Outcome, enrol_folder, ensure_gallery};
use crate::casework::folder::plan;
use crate::casework::governing::in_force;
use crate::cli::as_whom::caller;
use crate::cli::{desk, print, progress};
use crate::gallery::Access;
use crate::http::shapes::EnrolAnswerShape;
use crate::settings::Settings;

/// Enrol a folder of pictures of known people.
///
/// The subject of a picture is the name of its subfolder, or of the file when it lies directly in FOLDER. With --subjects, a
/// CSV file with the columns `file` and `subject` says so instead, and only files in it are enrolled. The gallery is made
/// when it is not there. Running the command again enrols nothing twice; what was interrupted goes on where it stopped.
#[derive(Debug, clap::Args)]
pub struct Enrol {
    /// Gallery to enrol into.
    pub gallery: GalleryName,
    /// Folder of pictures: JPEG, PNG, WebP, BMP or TIFF.
    pub folder: PathBuf,
    /// CSV file with the columns `file` (path inside FOLDER) and `subject`. Further columns (`capture_year`, `disposal`, any
    /// of a-z, 0-9 and '_') are kept as attributes, by which searches can be restricted with --where.
    #[arg(long, value_name = "FILE.csv")]
    pub subjects: Option<PathBuf>,
    /// Take only files whose path contains this text.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// What the gallery is for; kept with a new gallery.
    #[arg(long, default_value = "not stated")]
    pub purpose: String,
    /// Keep the pictures too, encrypted (docs/SEALED_FORMAT.md), until their references are erased. Those enrolled before are not.
    #[arg(long)]
    pub keep_images: bool,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Enrols a folder and reports.
///
/// # Errors
/// When the folder, the gallery or the model can't be used, or no picture at all could be enrolled.
pub async fn run(settings: Settings, command: Enrol) -> Result<()> {
    // Before a data folder is made for nothing.
    anyhow::ensure!(command.folder.is_dir(), "{}: no such folder", command.folder.display());
    let desk = desk(settings, Access::Writer).await?;
    let policy = in_force(&desk.vault).await?.policy;
    let plan = plan(&command.folder, command.subjects.as_deref(), command.only.as_deref(), &policy)?;
    let caller = caller();
    if ensure_gallery(&desk, &caller, &command.gallery, &command.purpose).await? {
        eprintln!("made the gallery {}", command.gallery);
    }
    let stop = stop_on_ctrl_c();
    let bar = progress::bar(plan.pictures.len() as u64, "enrolling");
    let mut settled: Vec<Enrolled> = Vec::new();
    enrol_folder(&desk, &caller, &command.gallery, &plan, command.keep_images, &stop, |one| {
        bar.inc(1);
        settled.push(one);
    })
    .await?;
    bar.finish_and_clear();
    let report = EnrolAnswerShape::new(command.gallery.as_str(), &settled);
    if command.json {
        print::json(&report)?;
    } else {
        print_report(&report, &settled, &plan.passed_over)?;
    }
    if stop.load(Ordering::Relaxed) {
        bail!(
            "stopped after {} of {} pictures; what is enrolled is safe, and running this again goes on",
            settled.len(),
            plan.pictures.len()
        );
    }
    if report.enrolled + report.already_enrolled == 0 {
        bail!("no picture could be enrolled");
    }
    Ok(())
}

/// Ctrl-C once lets the chunk under way be committed; twice ends at once, which loses nothing that was reported either.
fn stop_on_ctrl_c() -> Arc<AtomicBool> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    tokio::spawn(async move {
        while tokio::signal::ctrl_c().await.is_ok() {
            if flag.swap(true, Ordering::Relaxed) {
                std::process::exit(130);
            }
            eprintln!("stopping after the pictures under way (ctrl-C again ends at once)");
        }
    });
    stop
}

fn print_report(report: &EnrolAnswerShape, settled: &[Enrolled], passed_over: &[(String, String)]) -> Result<()> {
    let failed = settled.iter().filter_map(|one| match &one.outcome {
        Outcome::Failed { reason } => Some(format!("  failed  {}: {reason}", one.source)),
        Outcome::Already { subject, .. } if *subject != one.subject => {
            Some(format!("  WRONG?  {}: enrolled already for the subject {subject}, not {}", one.source, one.subject))
        }
        Outcome::Enrolled { remarks, .. } if !remarks.is_empty() => {
            Some(format!("  weak    {}: {}", one.source, remarks.join("; ")))
        }
        Outcome::Already { .. } | Outcome::Enrolled { .. } => None,
    });
    let passed_over = passed_over.iter().map(|(file, reason)| format!("  passed  {file}: {reason}"));
    let mut lines = failed.chain(passed_over);
    for text in lines.by_ref().take(REPORT_LINES_MAX) {
        print::line(&text)?;
    }
    let more = lines.count();
    if more > 0 {
        print::line(&format!("  ... and {more} more (--json has all)"))?;
    }
    print::line(&format!(
        "{}: {} enrolled, {} enrolled before, {} enrolled for another subject, {} failed",
        report.gallery, report.enrolled, report.already_enrolled, report.enrolled_for_another, report.failed
    ))
}
