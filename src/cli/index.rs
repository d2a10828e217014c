//! `bertillon gallery index`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use crate::base::ids::GalleryName;
use crate::cli::{desk, print, progress};
use crate::gallery::{Access, IndexOutcome, IndexRequest};
use crate::graph::audit::Extent;
use crate::graph::build::{Plan, Step};
use crate::settings::Settings;

/// What was typed.
pub struct Figures {
    /// Neighbours on upper levels.
    pub m: usize,
    /// Templates in view while building.
    pub ef_construction: usize,
    /// Probes of the audit at each difficulty.
    pub audit_probes: usize,
    /// Builds graphs that are there already.
    pub again: bool,
}

/// Builds the graphs of a gallery, with progress, until done or Ctrl-C.
///
/// # Errors
/// When the gallery is not there, another process writes, memory is short, or it was stopped.
pub async fn run(settings: Settings, gallery: &GalleryName, figures: Figures) -> Result<()> {
    let desk = desk(settings, Access::Writer).await?;
    let threads = desk.scoring_threads();
    let Figures { m, ef_construction, audit_probes, again } = figures;
    let plan = Plan { m, ef_construction, threads };
    let snapshot = desk.vault.snapshot(gallery).await?;
    let largest = snapshot.segment_rows().into_iter().max().unwrap_or(0);
    let wanted = plan.bytes_wanted(largest, snapshot.dimension().get());
    drop(snapshot);
    if largest == 0 {
        return print::line("no segment to index: templates that are still in the tail are compared exactly, and fast");
    }
    eprintln!("building takes up to about {} of memory; Ctrl-C stops it", print::bytes(wanted));
    let cancel = Arc::new(AtomicBool::new(false));
    let bar = progress::bar(1, "templates");
    let (shown, stopped) = (bar.clone(), Arc::clone(&cancel));
    let request = IndexRequest {
        plan,
        extent: Extent { probes: audit_probes, threads, ..Extent::default() },
        again,
        exhaustive: Arc::clone(&desk.engine.scorer),
        cancel,
        progress: Arc::new(move |_segment, step| show(&shown, step)),
    };
    let stopper = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stopped.store(true, Ordering::Relaxed);
        }
    });
    let outcomes = desk.vault.index(gallery, request).await;
    stopper.abort();
    bar.finish_and_clear();
    for (segment, outcome) in outcomes.context("not every graph was built")? {
        let said = match outcome {
            IndexOutcome::Built => "its graph is built",
            IndexOutcome::Kept => "it has a graph already (--again builds it anew)",
            IndexOutcome::Changed => "it was changed meanwhile: run the command again",
            IndexOutcome::Empty => "it has no live template",
        };
        print::line(&format!("segment {segment}: {said}"))?;
    }
    print::line(&format!("`bertillon gallery show {gallery}` prints what the graphs find and miss"))
}

fn show(bar: &indicatif::ProgressBar, step: Step) {
    let (done, total, what) = match step {
        Step::Linking { done, rows } => (done, rows, "linking"),
        Step::Mending => (0, 1, "mending"),
        Step::Auditing { done, probes } => (done, probes, "auditing"),
    };
    bar.set_length(total);
    bar.set_position(done);
    bar.set_message(what);
}
