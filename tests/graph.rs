//! Graphs in a gallery: built beside it, used when asked for, ignored when stale, gone when their segment is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bertillon::base::ids::{GalleryName, ModelId, TemplateId};
use bertillon::base::random::Stream;
use bertillon::gallery::{Access, Erase, GalleryError, IndexOutcome, IndexRequest, Vault, VaultOptions};
use bertillon::graph::audit::Extent;
use bertillon::graph::build::{Plan, Step};
use bertillon::graph::{GraphError, Policy};
use bertillon::identify::{Approach, Filter, Identification, IdentifyError, ListRule, Mode, Question, identify};
use bertillon::kernel;
use bertillon::scoring::batcher::{BatchOptions, Batcher};
use bertillon::scoring::{CertifiedScorer, CpuPass};
use bertillon::segment::Precision;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;

const D: usize = 32;
const ROWS: u64 = 3000;

fn template(stream: u64) -> Template {
    let mut stream = Stream::new(21, stream);
    Template::from_raw(&(0..D).map(|_| stream.normal()).collect::<Vec<f32>>()).unwrap()
}

fn model() -> ModelId {
    ModelId { name: "made-up".to_owned(), hash: [1; 32] }
}

fn name() -> GalleryName {
    "custody".parse().unwrap()
}

fn scorer() -> Arc<dyn Scorer> {
    Arc::new(CertifiedScorer::new(Arc::new(CpuPass::new(kernel::best(), 2)), 2))
}

fn options() -> VaultOptions {
    VaultOptions { import_segment_rows: ROWS / 2, ..VaultOptions::default() }
}

/// A gallery of two synthetic segments.
async fn filled(folder: &Path) -> Vault {
    let vault = Vault::open(folder, Access::Writer, options()).await.unwrap();
    vault.create_gallery(&name(), &model(), Dimension::new(D).unwrap(), Precision::F32, "tests").await.unwrap();
    let fill = |row: u64, out: &mut [f32]| out.copy_from_slice(template(row).values());
    vault.import_synthetic(&name(), ROWS, fill, |_| ()).await.unwrap();
    vault
}

fn request(cancel: &Arc<AtomicBool>) -> IndexRequest {
    IndexRequest {
        plan: Plan { m: 8, ef_construction: 64, threads: 2 },
        extent: Extent { probes: 200, seed: 1, threads: 2 },
        again: false,
        rows_min: 0,
        exhaustive: scorer(),
        cancel: Arc::clone(cancel),
        progress: Arc::new(|_: u64, _: Step| ()),
    }
}

async fn index(vault: &Vault) -> Vec<(u64, IndexOutcome)> {
    vault.index(&name(), request(&Arc::default())).await.unwrap()
}

fn mode(ef: Option<u32>, recall_min: f64) -> Mode {
    let policy = Policy { recall_min, mate_cosine: 0.34 };
    Mode::Approximate(Approach { ef, policy, threads: 2, exhaustive: scorer() })
}

async fn ask(vault: &Vault, probe: &Template, mode: &Mode) -> Result<Identification, IdentifyError> {
    let rule = ListRule { people: 10, threshold: None };
    let (filter, mode) = (Filter::default(), mode.clone());
    let question = Question { gallery: name(), model: model(), probes: vec![probe.clone()], rule, filter, mode };
    let batcher = Batcher::start(scorer(), BatchOptions { gather: Duration::ZERO, probes_per_pass: 64 }).unwrap();
    identify(vault, &batcher, question).await
}

fn ids(found: &Identification) -> Vec<(u64, f32)> {
    found.lists[0].iter().map(|one| (one.template.0, one.score)).collect()
}

fn graphs(folder: &Path) -> Vec<PathBuf> {
    let files = fs_err::read_dir(folder.join("gallery").join("custody")).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.to_string_lossy().contains("graph-"));
    paths.sort();
    paths
}

#[tokio::test]
async fn an_approximate_answer_is_asked_for_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let vault = filled(folder.path()).await;
    let refused = ask(&vault, &template(1), &mode(None, 0.5)).await.unwrap_err();
    assert!(matches!(refused, IdentifyError::Graph(GraphError::NoGraph)), "{refused}");
    assert_eq!(index(&vault).await, [(1, IndexOutcome::Built), (2, IndexOutcome::Built)]);
    assert_eq!(graphs(folder.path()).len(), 2);
    assert_eq!(index(&vault).await, [(1, IndexOutcome::Kept), (2, IndexOutcome::Kept)]);

    let exact = ask(&vault, &template(1), &Mode::Exact).await.unwrap();
    assert!(exact.approximate.is_none() && !exact.work.back_end.contains("APPROXIMATE"));
    // All rows in view: the exact list, and still called approximate.
    let found = ask(&vault, &template(1), &mode(Some(6400), 0.9)).await.unwrap();
    assert_eq!(ids(&found), ids(&exact));
    let how = found.approximate.unwrap();
    assert_eq!((how.promise.ef, how.coverage.graph_rows, how.coverage.exhaustive_rows), (6400, ROWS, 0));
    assert!(found.work.back_end.contains("APPROXIMATE: ef 6400, audited recall"), "{}", found.work.back_end);
    // A small ef is refused under a strict policy, with one that would do; left open, that one is taken.
    let refused = ask(&vault, &template(1), &mode(Some(50), 0.98)).await.unwrap_err().to_string();
    assert!(refused.contains("would do (--ef ") && refused.contains("search exactly"), "{refused}");
    let taken = ask(&vault, &template(1), &mode(None, 0.98)).await.unwrap().approximate.unwrap();
    assert!(taken.promise.audit.interval().0 >= 0.98 && taken.promise.ef > 50);
    assert!(ask(&vault, &template(1), &mode(None, 1.0)).await.unwrap_err().to_string().contains("none up to 6400"));

    // A new process opens the same graphs.
    vault.close().await;
    let vault = Vault::open(folder.path(), Access::Reader, options()).await.unwrap();
    assert_eq!(vault.galleries().await.unwrap()[0].graphs.len(), 2);
    assert_eq!(ids(&ask(&vault, &template(1), &mode(Some(6400), 0.9)).await.unwrap()), ids(&exact));
}

#[tokio::test]
async fn what_is_erased_is_in_no_approximate_list() {
    let folder = tempfile::tempdir().unwrap();
    let vault = filled(folder.path()).await;
    index(&vault).await;
    for row in [0_u64, 17, 1600] {
        let probe = template(row);
        let mode = mode(Some(3200), 0.1);
        let before = ids(&ask(&vault, &probe, &mode).await.unwrap());
        assert_eq!(before[0].0, row + 1, "ids begin at 1");
        vault.erase(&name(), Erase::Template(TemplateId(row + 1)), |_| ()).await.unwrap();
        let after = ids(&ask(&vault, &probe, &mode).await.unwrap());
        assert_eq!(after, ids(&ask(&vault, &probe, &Mode::Exact).await.unwrap()));
        assert!(after.iter().all(|one| one.0 != row + 1));
    }
    // The same after a restart, when the bytes are gone too.
    vault.close().await;
    let vault = Vault::open(folder.path(), Access::Writer, options()).await.unwrap();
    let found = ask(&vault, &template(17), &mode(Some(3200), 0.1)).await.unwrap();
    assert_eq!(ids(&found), ids(&ask(&vault, &template(17), &Mode::Exact).await.unwrap()));
}

#[tokio::test]
async fn a_stopped_build_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let vault = filled(folder.path()).await;
    let cancel = Arc::new(AtomicBool::new(false));
    let stopper = Arc::clone(&cancel);
    let progress = move |_: u64, step: Step| {
        if let Step::Auditing { .. } = step {
            stopper.store(true, Ordering::Relaxed);
        }
    };
    let extent = Extent { probes: 5_000, seed: 1, threads: 1 };
    let request = IndexRequest { progress: Arc::new(progress), extent, ..request(&cancel) };
    let stopped = vault.index(&name(), request).await.unwrap_err();
    assert!(matches!(stopped, GalleryError::Graph(GraphError::Cancelled)), "{stopped}");
    assert!(graphs(folder.path()).is_empty());
    assert!(ask(&vault, &template(1), &Mode::Exact).await.is_ok());
}

#[tokio::test]
async fn an_erasure_goes_before_a_build() {
    let folder = tempfile::tempdir().unwrap();
    let vault = filled(folder.path()).await;
    let (began, heard) = tokio::sync::mpsc::unbounded_channel();
    let mut heard = heard;
    let progress = move |_: u64, step: Step| {
        if let Step::Auditing { .. } = step {
            let _ = began.send(());
        }
    };
    let extent = Extent { probes: 5_000, seed: 1, threads: 1 };
    let request = IndexRequest { progress: Arc::new(progress), extent, ..request(&Arc::default()) };
    let building = tokio::spawn({
        let vault = vault.clone();
        async move { vault.index(&name(), request).await }
    });
    heard.recv().await.unwrap();
    vault.erase(&name(), Erase::Template(TemplateId(5)), |_| ()).await.unwrap();
    // And from the other segment, whenever its turn is: the outcome is told, and no graph of older rows is kept.
    building.abort();
    assert!(graphs(folder.path()).is_empty());
}

#[tokio::test]
async fn damaged_and_stale_graphs_are_no_graphs() {
    let folder = tempfile::tempdir().unwrap();
    let vault = filled(folder.path()).await;
    index(&vault).await;
    assert!(vault.verify(&name(), |_, _| ()).await.unwrap().graph_faults.is_empty());
    let exact = ids(&ask(&vault, &template(2), &Mode::Exact).await.unwrap());
    vault.close().await;
    let paths = graphs(folder.path());
    // The first damaged in its edges, the second another segment's.
    let mut bytes = fs_err::read(&paths[0]).unwrap();
    bytes[4096 + 40] ^= 1;
    fs_err::write(&paths[1], &bytes).unwrap();
    fs_err::write(&paths[0], &bytes).unwrap();
    // One of a segment that never was.
    let orphan = paths[0].with_file_name("graph-99.hnsw");
    fs_err::write(&orphan, &bytes).unwrap();
    let vault = Vault::open(folder.path(), Access::Writer, options()).await.unwrap();
    assert!(!orphan.exists(), "swept at the start");
    assert_eq!(vault.verify(&name(), |_, _| ()).await.unwrap().graph_faults.len(), 2);
    let found = ask(&vault, &template(2), &mode(Some(50), 0.0)).await.unwrap();
    assert_eq!(ids(&found), exact, "both segments were searched exhaustively");
    assert_eq!(found.approximate.unwrap().coverage.exhaustive_rows, ROWS);
    // Building again mends it.
    let again = IndexRequest { again: true, ..request(&Arc::default()) };
    vault.index(&name(), again).await.unwrap();
    assert!(vault.verify(&name(), |_, _| ()).await.unwrap().graph_faults.is_empty());
}
