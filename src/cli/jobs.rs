//! `bertillon jobs`, and the commands of `bertillon gallery` that take long: done here where nobody else has the data
//! folder, handed to the server and followed where one serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::audit::{Happening, Kind, Object};
use crate::base::ids::GalleryName;
use crate::base::text::thousands;
use crate::casework::jobs::{self, Doing, GraphCounts, Outcome, Progress, Work};
use crate::casework::{CaseworkError, Desk};
use crate::cli::args::JobsCommand;
use crate::cli::as_whom::caller;
use crate::cli::{desk, print, progress};
use crate::gallery::{Access, GalleryError, Restored};
use crate::http::job_shapes::JobShape;
use crate::records::{JobRecord, JobState};
use crate::settings::Settings;

/// Between two looks at how far it is.
const LOOK: Duration = Duration::from_millis(200);

/// Carries out one of the job commands.
///
/// # Errors
/// When there is no such job or no data folder, and for `follow` when the job failed or was cancelled.
pub async fn run(settings: Settings, command: JobsCommand) -> Result<()> {
    let desk = desk(settings, Access::Reader).await?;
    match command {
        JobsCommand::List { last, json } => {
            let all = jobs::newest(&desk, last as usize).await?;
            tell(&desk, Happening::new(Kind::JobListed)).await?;
            if json {
                return print::json(&all.iter().map(JobShape::in_short).collect::<Vec<_>>());
            }
            if all.is_empty() {
                return print::line("no jobs");
            }
            all.iter().try_for_each(|job| print::line(&in_a_line(job)))
        }
        JobsCommand::Show { job, json } => show(&read(&desk, job).await?, json),
        JobsCommand::Follow { job, json } => follow(&desk, read(&desk, job).await?, json).await,
        JobsCommand::Cancel { job, json } => show(&jobs::cancel(&desk, &caller(), job).await?, json),
    }
}

async fn tell(desk: &Desk, happening: Happening) -> Result<()> {
    Ok(desk.vault.acting_for(&caller()).tell(&happening).await?)
}

async fn read(desk: &Desk, id: i64) -> Result<JobRecord> {
    let job = jobs::one(desk, id).await?;
    tell(desk, Happening::new(Kind::JobRead).about([Object::Job(id)])).await?;
    Ok(job)
}

/// Does some work where nobody has the data folder; where a server has it, hands the work over and follows it.
///
/// # Errors
/// Whatever the work says, here or there.
pub async fn here_or_there(settings: Settings, gallery: &GalleryName, work: Work, as_json: bool) -> Result<()> {
    match Desk::open(settings.clone(), Access::Writer).await {
        Ok(desk) => here(&desk, gallery, work, as_json).await,
        Err(CaseworkError::Gallery(GalleryError::InUse { address: Some(address), .. })) => {
            let desk = desk(settings, Access::Reader).await?;
            let job = jobs::ask(&desk, gallery, &work, &caller()).await?;
            eprintln!("handed to the server at {address} as job {}; ctrl-C ends the showing, not the job", job.id);
            follow(&desk, job, as_json).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn here(desk: &Desk, gallery: &GalleryName, work: Work, as_json: bool) -> Result<()> {
    let doing = Doing {
        job: None,
        caller: caller(),
        threads: desk.scoring_threads(),
        stop: Arc::default(),
        progress: Arc::<Progress>::default(),
    };
    let bar = progress::bar(0, work.kind());
    let working = jobs::work(desk, gallery, work, doing.clone());
    let mut working = std::pin::pin!(working);
    let mut stopped = false;
    let done = loop {
        tokio::select! {
            done = &mut working => break done,
            _ = tokio::signal::ctrl_c() => {
                // It takes away what it left half done.
                doing.stop.store(true, Ordering::Relaxed);
                stopped = true;
            }
            () = tokio::time::sleep(LOOK) => {
                let (step, done, total) = doing.progress.now();
                bar.set_length(total);
                bar.set_position(done);
                if !step.is_empty() {
                    bar.set_message(step);
                }
            }
        }
    };
    bar.finish_and_clear();
    let outcome = match done {
        Err(error) if stopped && error.is_stop() => bail!("stopped: what was not finished is undone"),
        done => done?,
    };
    desk.vault.clone().close().await;
    if as_json { print::json(&outcome) } else { print_outcome(gallery, &outcome) }
}

/// Shows how far a job is until it ends.
async fn follow(desk: &Desk, job: JobRecord, as_json: bool) -> Result<()> {
    let (id, mut job) = (job.id, job);
    let bar = progress::bar(0, "waiting");
    while !job.state.is_over() {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => {
                bar.finish_and_clear();
                bail!("job {id} goes on in the server: `bertillon jobs follow {id}` shows it again, `bertillon jobs cancel {id}` ends it");
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        job = jobs::one(desk, id).await?;
        bar.set_length(job.total);
        bar.set_position(job.done);
        bar.set_message(if job.step.is_empty() { job.state.as_str().to_owned() } else { job.step.clone() });
        if !job.state.is_over() && !desk.vault.writer_is_there() {
            bar.finish_and_clear();
            bail!("the server has ended; job {id} goes on when one is started again");
        }
    }
    bar.finish_and_clear();
    show(&job, as_json)?;
    match job.state {
        JobState::Failed => bail!("job {id} failed"),
        JobState::Cancelled => {
            let graphs = if job.asked.kind == "index" { ", and graphs are kept up no more" } else { "" };
            bail!("job {id} was cancelled: what was not finished is undone{graphs}")
        }
        JobState::Waiting | JobState::Running | JobState::Done => Ok(()),
    }
}

fn show(job: &JobRecord, as_json: bool) -> Result<()> {
    if as_json {
        return print::json(&JobShape::from(job));
    }
    print::line(&in_a_line(job))?;
    match (job.state, job.outcome.as_deref()) {
        (JobState::Done, Some(text)) => match serde_json::from_str(text) {
            Ok(outcome) => print_outcome(&job.asked.gallery, &outcome),
            Err(_) => print::line(text),
        },
        (JobState::Failed, Some(text)) => print::line(text),
        _other => Ok(()),
    }
}

fn in_a_line(job: &JobRecord) -> String {
    let JobRecord { id, asked, state, asked_at, step, done, total, .. } = job;
    let how_far = match (state, total) {
        (JobState::Running, 1..) => format!(", {step} {} of {}", thousands(*done), thousands(*total)),
        _other => String::new(),
    };
    let end = if job.cancel_wanted && *state == JobState::Running { ", being cancelled" } else { "" };
    format!(
        "job {id}  {asked_at}  {} {}: {}{how_far}{end}  (asked for by {}, {})",
        asked.kind,
        asked.gallery,
        state.as_str(),
        asked.actor,
        asked.origin
    )
}

fn print_outcome(gallery: &GalleryName, outcome: &Outcome) -> Result<()> {
    match outcome {
        Outcome::Imported { first, last, segments } => print::line(&format!(
            "{} templates imported into {gallery}, {first} to {last}, in {segments} segments",
            thousands(last - first + 1)
        )),
        Outcome::Compacted { segments_rewritten, erased_rows_dropped, bytes_before, bytes } => print::line(&format!(
            "{segments_rewritten} segments rewritten, {} erased rows dropped: {} now, {} before",
            thousands(*erased_rows_dropped),
            print::bytes(*bytes),
            print::bytes(*bytes_before)
        )),
        Outcome::Indexed { graphs } if *graphs == GraphCounts::default() => {
            print::line("no segment to index: templates that are still in the tail are compared exactly, and fast")
        }
        Outcome::Indexed { graphs: GraphCounts { built, kept, changed, empty, small } } => {
            let said = [
                (built, "graphs built"),
                (kept, "segments had one already (--again builds it anew)"),
                (changed, "segments were changed meanwhile: run the command again"),
                (empty, "segments have no live template"),
                (small, "segments are small: compared exactly, and fast"),
            ];
            for (count, said) in said.into_iter().filter(|(count, _)| **count > 0) {
                print::line(&format!("{count} {said}"))?;
            }
            print::line(&format!("`bertillon gallery show {gallery}` prints what the graphs find and miss"))
        }
        Outcome::Restored(restored) => print_restored(restored),
    }
}

fn print_restored(restored: &Restored) -> Result<()> {
    let Restored { gallery, last_template, erased_since, .. } = restored;
    print::line(&format!("{gallery} is back, up to template {last_template}"))?;
    print::line(&format!(
        "{} templates that are known here to have been erased since were erased in it. Repeat any other erasure made \
         after the copy was taken.",
        thousands(*erased_since)
    ))
}

/// A path that means the same to a process that was started elsewhere.
///
/// # Errors
/// When the working folder can't be read.
pub fn from_the_root(path: &Path) -> Result<PathBuf> {
    Ok(std::path::absolute(path)?)
}
