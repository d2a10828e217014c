//! `bertillon bench`: how fast this machine searches. Everything it makes is synthetic and says so.

mod report;
mod worker;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use fs_err as fs;
use indicatif::ProgressBar;

use crate::base::limits::IMPORT_ROWS_MAX;
use crate::cli::{print, progress};
use crate::evaluation::latency::measure::{Plan, Scoring, measure};
use crate::evaluation::latency::recipe::Recipe;
use crate::evaluation::latency::scratch::Scratch;
use crate::evaluation::latency::{LatencyError, Stop};
use crate::evaluation::synthetic::Preset;
use crate::gallery::Snapshot;
use crate::scoring::compose::compose;
use crate::scoring::threads_here;
use crate::settings::Settings;
use crate::vector::dimension::Dimension;

/// How long a search under way may hold up the end after ctrl-C.
const LAST_SEARCH: Duration = Duration::from_secs(1);
/// Rows between two looks at the clock and at ctrl-C.
const BAR_ROWS: usize = 1 << 13;

/// What can be measured.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Time exact searches of a synthetic gallery in real files, beside the machine's own reading speed.
    ///
    /// Makes the gallery first, 3 bytes a number: one of 10,000,000 templates of 512 numbers takes 15.4 GB of disk. It is removed
    /// afterwards, unless --keep says otherwise; a kept one is found again by any run with the same figures.
    Latency(Latency),
    /// Writes gallery and probes as raw f32, for other programs to be compared with.
    #[command(hide = true)]
    Export(Export),
    /// Answers searches given as JSON lines on standard input, for comparisons.
    #[command(hide = true)]
    Worker(Worker),
}

/// Which synthetic gallery.
#[derive(Debug, Clone, clap::Args)]
pub struct GalleryArgs {
    /// Templates in the gallery.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=IMPORT_ROWS_MAX))]
    pub gallery_size: u64,
    /// Numbers in a template: a multiple of 16, up to 2048.
    #[arg(long, value_name = "D", default_value_t = 512)]
    pub dimension: usize,
    /// Seed of the gallery and its probes: the same seed gives the same bits everywhere.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Synthetic people of a preset of `eval synthetic` (mugshot, mugshot_median, webcam, profile, aged, lfr_npl, cctv) instead of noise;
    /// they take longer to make, and 160 numbers at least.
    #[arg(long, value_name = "PRESET")]
    pub preset: Option<Preset>,
    /// Folder for the gallery; `bench` in the data folder when not given.
    #[arg(long, value_name = "FOLDER")]
    pub scratch: Option<PathBuf>,
    /// Leave the gallery there for the next run.
    #[arg(long)]
    pub keep: bool,
}

/// Time exact searches.
#[derive(Debug, clap::Args)]
pub struct Latency {
    /// Which gallery.
    #[command(flatten)]
    pub gallery: GalleryArgs,
    /// Probes searched at once, up to 512: a sample is the time of one such search.
    #[arg(long, value_name = "Q", default_value_t = 1)]
    pub probes: u64,
    /// Length of the candidate lists, in templates.
    #[arg(long, value_name = "K", default_value_t = 100)]
    pub k: u64,
    /// Searches to time, each with new probes.
    #[arg(long, value_name = "R", default_value_t = 100)]
    pub repeat: u64,
    /// Begin no new search after so many seconds, once three are done.
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    pub seconds: u64,
    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

/// Write gallery and probes for other programs.
#[derive(Debug, clap::Args)]
pub struct Export {
    /// Which gallery.
    #[command(flatten)]
    pub gallery: GalleryArgs,
    /// Probes to write, from the first.
    #[arg(long, value_name = "Q", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub probes: u64,
    /// Folder for `gallery.f32` and `probes.f32`: numbers of 4 bytes, little-endian, row after row.
    #[arg(long, value_name = "FOLDER")]
    pub out: PathBuf,
}

/// Answer searches on standard input.
#[derive(Debug, clap::Args)]
pub struct Worker {
    /// Which gallery.
    #[command(flatten)]
    pub gallery: GalleryArgs,
    /// Build a graph first, and answer approximate searches too.
    #[arg(long)]
    pub graph: bool,
}

impl GalleryArgs {
    fn recipe(&self) -> Result<Recipe> {
        let dimension = Dimension::new(self.dimension).context("--dimension")?;
        Ok(Recipe { rows: self.gallery_size, dimension, seed: self.seed, preset: self.preset })
    }

    fn parent(&self, settings: &Settings) -> PathBuf {
        self.scratch.clone().unwrap_or_else(|| settings.data.folder.join("bench"))
    }
}

/// Carries out one of the benchmarks. Ctrl-C ends it and leaves nothing behind.
///
/// # Errors
/// For figures that can't be measured, a full disk, and whatever else is in the way.
pub async fn run(settings: Settings, command: BenchCommand) -> Result<()> {
    match command {
        BenchCommand::Latency(latency) => run_latency(&settings, &latency).await,
        BenchCommand::Export(export) => run_export(&settings, &export).await,
        BenchCommand::Worker(worker) => worker::run(&settings, &worker).await,
    }
}

fn scoring(settings: &Settings) -> Result<(Scoring, Option<String>)> {
    let engine = compose(&settings.scoring)?;
    let threads = if settings.scoring.threads == 0 { threads_here() } else { settings.scoring.threads };
    Ok((Scoring { scorer: engine.scorer, threads }, engine.remark))
}

async fn run_latency(settings: &Settings, command: &Latency) -> Result<()> {
    let Latency { gallery, probes, k, repeat, seconds, json } = command;
    let plan = Plan { probes: *probes, k: *k, repeat: *repeat, seconds_max: *seconds };
    plan.check()?;
    let stop = Arc::new(Stop::default());
    let scratch = prepare(settings, gallery, &stop).await?;
    let (scoring, remark) = scoring(settings)?;
    let bar = progress::bar(plan.repeat, "searching");
    let shown = bar.clone();
    let tick = Arc::new(move |done| shown.set_position(done));
    let generator = scratch.recipe().generator()?;
    let measuring = measure(&scratch, &generator, plan, &scoring, &stop, tick);
    let report = tokio::select! {
        report = measuring => report,
        () = asked_to_stop() => {
            // A search under way can't be cut short; the gallery's files can go without waiting for it.
            stop.ask();
            tokio::time::sleep(LAST_SEARCH).await;
            Err(LatencyError::Stopped)
        }
    };
    bar.finish_and_clear();
    let kept = scratch.is_kept().then(|| scratch.folder().to_owned());
    drop(scratch);
    let report = report?;
    if *json {
        return print::json(&report);
    }
    report::print(&report, remark.as_deref(), kept.as_deref())
}

/// Finds or makes the gallery, with a bar for whoever waits.
async fn prepare(settings: &Settings, gallery: &GalleryArgs, stop: &Arc<Stop>) -> Result<Scratch> {
    let recipe = gallery.recipe()?;
    let (parent, keep) = (gallery.parent(settings), gallery.keep);
    let bar = progress::bar(recipe.rows, "gallery");
    let shown: ProgressBar = bar.clone();
    let progress = Arc::new(move |done| shown.set_position(done));
    let making = Scratch::prepare(&parent, recipe, keep, threads_here(), stop, progress);
    tokio::pin!(making);
    let scratch = tokio::select! {
        scratch = &mut making => scratch,
        () = asked_to_stop() => {
            stop.ask();
            making.await.and_then(|_| Err(LatencyError::Stopped))
        }
    };
    bar.finish_and_clear();
    Ok(scratch?)
}

/// Ends at ctrl-C or a polite kill.
async fn asked_to_stop() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => if interrupted.is_err() { std::future::pending().await },
        () = terminated => {}
    }
}

async fn run_export(settings: &Settings, command: &Export) -> Result<()> {
    let stop = Arc::new(Stop::default());
    let scratch = prepare(settings, &command.gallery, &stop).await?;
    let watch = Arc::clone(&stop);
    tokio::spawn(async move {
        asked_to_stop().await;
        watch.ask();
    });
    fs::create_dir_all(&command.out)?;
    let (vault, snapshot) = scratch.open().await?;
    let generator = scratch.recipe().generator()?;
    let written = tokio::task::block_in_place(|| {
        write_numbers(&command.out.join("gallery.f32"), |file| write_rows(file, &snapshot, &stop))?;
        write_numbers(&command.out.join("probes.f32"), |file| {
            let mut probes = (0..command.probes).map(|index| generator.probe(index));
            probes.try_for_each(|probe| Ok(file.write_all(bytemuck::cast_slice(probe?.values()))?))
        })
    });
    drop(snapshot);
    vault.close().await;
    written?;
    print::line(&format!("SYNTHETIC templates written to {}", command.out.display()))
}

fn write_rows(file: &mut dyn Write, snapshot: &Snapshot, stop: &Stop) -> Result<()> {
    let bar = progress::bar(snapshot.live(), "writing");
    let mut row = vec![0.0; snapshot.dimension().get()];
    for run in snapshot.rows() {
        for number in 0..run.len() {
            run.original(number, &mut row);
            file.write_all(bytemuck::cast_slice(&row))?;
            if number.is_multiple_of(BAR_ROWS) {
                bar.inc(BAR_ROWS as u64);
                if stop.asked() {
                    return Err(LatencyError::Stopped.into());
                }
            }
        }
    }
    bar.finish_and_clear();
    Ok(())
}

/// Numbers lie in the file as they lie in memory, which is little-endian on every machine that this program is built for.
fn write_numbers(path: &Path, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    if cfg!(target_endian = "big") {
        bail!("raw numbers are written on little-endian machines only");
    }
    let draft = path.with_extension("f32.tmp");
    let mut file = std::io::BufWriter::with_capacity(1 << 20, fs::File::create(&draft)?);
    let written = write(&mut file).and_then(|()| Ok(file.flush()?));
    if written.is_err() {
        fs::remove_file(&draft)?;
        return written;
    }
    Ok(fs::rename(&draft, path)?)
}
