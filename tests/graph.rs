//! Graphs in a gallery: built beside it, used when asked for, ignored when stale, gone when their segment is.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bertillon::audit::Caller;
use bertillon::base::ids::{GalleryName, ModelId, TemplateId};
use bertillon::base::random::Stream;
use bertillon::casework::subjects::SubjectRoom;
use bertillon::gallery::{
    Access, Erase, GalleryError, ImportedReference, IndexOutcome, IndexRequest, TemplateImport, Vault, VaultOptions,
};
use bertillon::graph::audit::{Extent, audit};
use bertillon::graph::build::{Plan, Step, Watch};
use bertillon::graph::codes::RowMajor;
use bertillon::graph::curve::{Curve, Measured};
use bertillon::graph::file::{Facts, file_name, write};
use bertillon::graph::links::{Flat, NONE, head};
use bertillon::graph::search::{Indexed, top_k};
use bertillon::graph::walk::Terrain;
use bertillon::graph::{Graph, GraphError, Policy, SegmentIdentity};
use bertillon::identify::{Approach, Filter, Identification, IdentifyError, ListRule, Mode, Question, identify};
use bertillon::kernel::{self, rowdot};
use bertillon::policy::DatedFacts;
use bertillon::scoring::batcher::{BatchOptions, Batcher};
use bertillon::scoring::{CertifiedScorer, CpuPass};
use bertillon::segment::Precision;
use bertillon::settings::master_key::MasterKey;
use bertillon::settings::storage::Storage;
use bertillon::store::disk::DiskFolder;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::Rows;
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
    filled_as(folder, options(), Storage::Mapped).await
}

async fn filled_as(folder: &Path, options: VaultOptions, storage: Storage) -> Vault {
    let vault = Vault::open(folder, Access::Writer, options).await.unwrap();
    let model = (&model(), Dimension::new(D).unwrap());
    vault.create_gallery_as(&name(), model, Precision::F32, storage, "tests").await.unwrap();
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

/// With all rows in view a walk finds what the exact search does, and so it does without whoever is restricted.
#[tokio::test]
async fn who_is_restricted_is_in_no_approximate_list() {
    let folder = tempfile::tempdir().unwrap();
    let vault = Vault::open(folder.path(), Access::Writer, options()).await.unwrap();
    vault.create_gallery(&name(), &model(), Dimension::new(D).unwrap(), Precision::F32, "tests").await.unwrap();
    let fill = |row: u64, out: &mut [f32]| {
        out.copy_from_slice(template(row).values());
        Ok(())
    };
    let describe = |row: u64| {
        let (subject, source) = (format!("person {row}").parse().unwrap(), "a test".to_owned());
        Ok(ImportedReference { subject, source, attributes: Vec::new(), about: DatedFacts::default() })
    };
    let import = TemplateImport { gallery: name(), model: model(), count: ROWS, job: None };
    vault.import_templates(import, fill, describe, |_| ()).await.unwrap();
    index(&vault).await;
    let room = SubjectRoom::enter(&vault, &Caller::itself("a test"), &name()).await.unwrap();
    let mode = mode(Some(3200), 0.1);
    for row in [4, 17, ROWS / 2 + 9] {
        let (probe, who) = (template(row), format!("person {row}").parse().unwrap());
        let before = ids(&ask(&vault, &probe, &mode).await.unwrap());
        assert_eq!(before[0].0, row + 1);
        room.restrict(&who, true, "a complaint").await.unwrap();
        let found = ask(&vault, &probe, &mode).await.unwrap();
        assert!(found.approximate.is_some());
        let after = ids(&found);
        assert_eq!(after, ids(&ask(&vault, &probe, &Mode::Exact).await.unwrap()));
        assert_eq!((after.len(), &after[..9]), (10, &before[1..]), "full, and the same but for them");
        room.restrict(&who, false, "settled").await.unwrap();
        assert_eq!(ids(&ask(&vault, &probe, &mode).await.unwrap()), before);
    }
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

/// There is no template in a graph, but who is like whom: that of a sealed gallery is sealed.
#[tokio::test]
async fn a_graph_of_a_sealed_gallery_is_sealed_and_walked_like_any() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let key = outside.path().join("master");
    fs_err::write(&key, "a".repeat(64)).unwrap();
    let options = || VaultOptions { master_key: Some(MasterKey::File(key.clone())), ..options() };
    let mut vault = filled_as(folder.path(), options(), Storage::Sealed).await;
    assert_eq!(index(&vault).await, [(1, IndexOutcome::Built), (2, IndexOutcome::Built)]);
    for _opened in 0..2 {
        let exact = ask(&vault, &template(1), &Mode::Exact).await.unwrap();
        let found = ask(&vault, &template(1), &mode(Some(6400), 0.9)).await.unwrap();
        assert_eq!((ids(&found), found.approximate.unwrap().coverage.graph_rows), (ids(&exact), ROWS));
        vault.close().await;
        assert_eq!(graphs(folder.path()).len(), 2);
        for graph in graphs(folder.path()) {
            assert!(fs_err::read(graph).unwrap().starts_with(b"BERTENC\n"));
        }
        vault = Vault::open(folder.path(), Access::Writer, options()).await.unwrap();
    }
    vault.close().await;
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

/// Rows of the kept graph; row [`POINTLESS`] was erased before it was built.
const KEPT_ROWS: u32 = 40;
const POINTLESS: u32 = 3;

/// What `fixtures/graph-5.hnsw` holds. Rows lead to those 1, 2, 7 and 13 further on either side, round a ring, those of
/// three classes to 8, 7 or 6 of them; rows 0, 10, 20 and 30 stand on level 1 and know each other, row 20 alone on level 2.
fn kept_graph() -> (Flat, Facts) {
    let m = 4;
    let mut base = Vec::new();
    for row in 0..KEPT_ROWS {
        let near = [1, 39, 2, 38, 7, 33, 13, 27].map(|step| (row + step) % KEPT_ROWS);
        let near = near.into_iter().filter(|&other| row != POINTLESS && other != POINTLESS).take(8 - row as usize % 3);
        base.extend(near.chain(std::iter::repeat(NONE)).take(2 * m));
    }
    let (mut heads, mut upper) = (Vec::new(), Vec::new());
    for row in 0..KEPT_ROWS {
        let level = usize::from(row % 10 == 0) + usize::from(row == 20);
        heads.push(head(level, if level == 0 { 0 } else { (upper.len() / m) as u32 }));
        for at in 1..=level {
            let near = [0, 10, 20, 30].into_iter().filter(|&other| other != row && at == 1);
            upper.extend(near.chain(std::iter::repeat(NONE)).take(m));
        }
    }
    let rows = u64::from(KEPT_ROWS);
    let segment =
        SegmentIdentity { number: 5, rows, first_id: 100, last_id: 178, dimension: 16, header_crc: 0x5eed_cafe };
    let line = |ef, mate_cosine, agreed| Measured { ef, mate_cosine, agreed, probes: 1000 };
    let curve = Curve { seed: 11, lines: vec![line(50, 0.6, 999), line(200, 0.6, 1000), line(50, 0.34, 421)] };
    let plan = Plan { m, ef_construction: 40, threads: 1 };
    (
        Flat { m, top: 2, entry: 20, base, heads, upper },
        Facts { segment, plan, points: rows - 1, unreachable: 2, curve },
    )
}

#[test]
fn graphs_of_version_1_open_for_ever() {
    let kept = DiskFolder::open(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")).unwrap();
    let (flat, facts) = kept_graph();
    if std::env::var_os("BERTILLON_WRITE_FIXTURES").is_some() {
        write(&kept, &flat, &facts).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    write(&DiskFolder::open(folder.path()).unwrap(), &flat, &facts).unwrap();
    let graph = Graph::open(&kept, &facts.segment).unwrap();
    let (today, then) = (fs_err::read(folder.path().join(file_name(5))), fs_err::read(graph.path()));
    assert!(today.unwrap() == then.unwrap(), "today's writer makes other bytes");
    graph.verify().unwrap();
    assert_eq!(graph.facts(), facts);
    let links = graph.links();
    assert_eq!((links.m, links.top, links.entry), (4, 2, 20));
    assert_eq!((links.base, links.heads, links.upper), (&flat.base[..], &flat.heads[..], &flat.upper[..]));

    // It is walked, and audited: with everything in view it finds what there is.
    let mut rows = MemoryRows::new(Dimension::new(16).unwrap());
    for row in 0..u64::from(KEPT_ROWS) {
        let mut stream = Stream::new(5, row);
        let raw: Vec<f32> = (0..16).map(|_| stream.normal()).collect();
        rows.push(TemplateId(100 + 2 * row), Template::from_raw(&raw).unwrap().values());
    }
    rows.erase(POINTLESS as usize);
    let gallery: [Arc<dyn Rows>; 1] = [Arc::new(rows)];
    let codes = RowMajor::of(gallery[0].as_ref());
    let probe = Template::from_raw(&[0.25; 16]).unwrap();
    let (probes, indexed) = ([probe], [Some(Indexed { graph: &graph, codes: &codes })]);
    let (found, coverage) = top_k(&gallery, &indexed, &probes, 39, 39, 1, &NaiveScorer).unwrap();
    assert_eq!(found.lists, NaiveScorer.top_k(&gallery, &probes, 39).unwrap().lists);
    assert_eq!((coverage.graph_rows, coverage.exhaustive_rows, coverage.given_up), (40, 0, 0));
    let kernel = rowdot::best();
    let terrain = Terrain { links, codes: &codes, kernel: kernel.as_ref() };
    let watch = Watch { progress: &|_| (), cancel: &AtomicBool::new(false), rest: &|| () };
    let extent = Extent { probes: 20, seed: 1, threads: 2 };
    let curve = audit(&gallery, terrain, &NaiveScorer, extent, &watch).unwrap();
    assert!(curve.lines.iter().all(|line| (line.agreed, line.probes) == (20, 20)), "{:?}", curve.lines);
}
