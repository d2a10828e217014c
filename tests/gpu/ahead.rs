//! Runs that are brought to the device while searches and erasures go on.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use bertillon::base::ids::{GalleryName, ModelId, TemplateId};
use bertillon::gallery::{Access, Erase, Vault, VaultOptions};
use bertillon::gpu::{GpuOptions, GpuPass};
use bertillon::scoring::CertifiedScorer;
use bertillon::segment::Precision;
use bertillon::vector::coarse::{CoarsePass, GoesOn};
use bertillon::vector::dimension::Dimension;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::{ErasedRows, GalleryRows, Residency, Rows};
use bertillon::vector::scorer::{ScoreError, Scorer, Scoring};
use bertillon::vector::template::Template;

use super::conformance::data;
use super::conformance::undead::Undead;
use super::{all_found, certified, gpu, missing, probes, random_run};

/// A run whose codes can't be read until the gate is open; whoever waits at it is seen.
struct Gated {
    run: Arc<dyn Rows>,
    gate: Arc<Gate>,
}

#[derive(Default)]
struct Gate {
    open: Mutex<bool>,
    opened: Condvar,
    somebody_waits: AtomicBool,
}

impl Gate {
    fn pass(&self) {
        self.somebody_waits.store(true, Ordering::SeqCst);
        drop(self.opened.wait_while(self.open.lock().unwrap(), |open| !*open).unwrap());
    }

    fn open(&self) {
        *self.open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait_for_somebody(&self) {
        while !self.somebody_waits.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Rows for Gated {
    fn dimension(&self) -> Dimension {
        self.run.dimension()
    }
    fn len(&self) -> usize {
        self.run.len()
    }
    fn codes(&self) -> &[i8] {
        self.run.codes()
    }
    fn scales(&self) -> &[f32] {
        self.run.scales()
    }
    fn error_norm_max(&self) -> f32 {
        self.run.error_norm_max()
    }
    fn template_id(&self, row: usize) -> TemplateId {
        self.run.template_id(row)
    }
    fn original(&self, row: usize, out: &mut [f32]) {
        self.run.original(row, out);
    }
    fn erased(&self) -> &ErasedRows {
        self.run.erased()
    }
    fn residency(&self) -> Option<&Arc<Residency>> {
        self.run.residency()
    }
    fn is_live(&self, row: usize) -> bool {
        // What an upload asks first of each row.
        if row == 0 {
            self.gate.pass();
        }
        self.run.is_live(row)
    }
}

/// Loads two runs, the second behind a gate, and does `meanwhile` while the load stands before it.
fn load_gated(pass: &GpuPass, runs: [&Arc<dyn Rows>; 2], meanwhile: impl FnOnce(&Gate)) {
    let gate = Arc::new(Gate::default());
    let gated: Arc<dyn Rows> = Arc::new(Gated { run: runs[1].clone(), gate: gate.clone() });
    let gallery = [runs[0].clone(), gated];
    std::thread::scope(|scope| {
        scope.spawn(|| pass.load(&gallery, &|| true).unwrap());
        gate.wait_for_somebody();
        meanwhile(&gate);
        gate.open();
    });
}

#[test]
fn a_search_during_a_load_is_answered_without_what_is_not_there_yet() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let runs: [Arc<dyn Rows>; 2] = [Arc::new(random_run(300, 128, 0)), Arc::new(random_run(500, 128, 1_000))];
    let probes = probes(128);
    let wanted = NaiveScorer.top_k(&runs, &probes, 60).unwrap().lists;
    load_gated(&pass, [&runs[0], &runs[1]], |_gate| {
        // The gate is shut: a search that waited for the load would never come back.
        assert_eq!(certified(&pass).top_k(&runs, &probes, 60).unwrap().lists, wanted);
        assert_eq!(pass.info().resident_rows, 300);
    });
    assert_eq!(pass.info().resident_rows, 800);
    assert_eq!(certified(&pass).top_k(&runs, &probes, 60).unwrap().lists, wanted);
}

#[test]
fn an_erasure_during_a_load_leaves_nothing_of_the_row_on_the_device() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let mut rows = random_run(500, 128, 0);
    let whole: Arc<dyn Rows> = Arc::new(rows.clone());
    let other: Arc<dyn Rows> = Arc::new(random_run(100, 128, 1_000));
    rows.erase(200);
    let erased: Arc<dyn Rows> = Arc::new(rows);
    std::thread::scope(|scope| {
        load_gated(&pass, [&other, &whole], |gate| {
            let refreshed = scope.spawn(|| pass.refresh(&[other.clone(), erased.clone()]).unwrap());
            std::thread::sleep(Duration::from_millis(50));
            assert!(!refreshed.is_finished(), "acknowledged while the row was on its way");
            gate.open();
            refreshed.join().unwrap();
            // The load had read the row before: it ended, and took nothing in.
            assert_eq!(pass.info().resident_rows, 100);
        });
    });
    pass.load(&[other, erased.clone()], &|| true).unwrap();
    assert_eq!(pass.info().resident_rows, 600);
    let liar: Arc<dyn Rows> = Arc::new(Undead::new(whole.clone()));
    assert_eq!(missing(&all_found(&pass, &liar)), [200]);
}

#[test]
fn a_refresh_of_another_gallery_does_not_wait_for_a_load() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let runs: [Arc<dyn Rows>; 2] = [Arc::new(random_run(300, 128, 0)), Arc::new(random_run(500, 128, 1_000))];
    let elsewhere: Arc<dyn Rows> = Arc::new(random_run(70, 128, 5_000));
    load_gated(&pass, [&runs[0], &runs[1]], |_gate| {
        // The gate is shut: a refresh that waited for the run would never come back.
        pass.refresh(&[elsewhere]).unwrap();
    });
    assert_eq!(pass.info().resident_rows, 800, "and the load went on");
}

#[test]
fn a_search_after_a_load_gave_way_does_not_do_its_work_instead() {
    let Some(pass) = gpu(&GpuOptions { upload_bytes_max: 8 << 10, ..GpuOptions::default() }) else { return };
    let runs: [Arc<dyn Rows>; 2] = [Arc::new(random_run(300, 128, 0)), Arc::new(random_run(500, 128, 1_000))];
    let probes = probes(128);
    let wanted = NaiveScorer.top_k(&runs, &probes, 60).unwrap().lists;
    let asked = AtomicUsize::new(0);
    // The first run has five pieces: the load is told to end in the second.
    pass.load(&runs, &|| asked.fetch_add(1, Ordering::SeqCst) < 8).unwrap();
    assert_eq!((asked.into_inner(), pass.info().resident_rows), (9, 300));
    assert_eq!(certified(&pass).top_k(&runs, &probes, 60).unwrap().lists, wanted);
    assert_eq!(pass.info().resident_rows, 300);
    pass.load(&runs, &|| true).unwrap();
    assert_eq!(pass.info().resident_rows, 800);
    assert_eq!(certified(&pass).top_k(&runs, &probes, 60).unwrap().lists, wanted);
}

#[test]
fn status_does_not_wait_for_the_device() {
    let Some(pass) = gpu(&GpuOptions::default()) else { return };
    let gate = Arc::new(Gate::default());
    let run: Arc<dyn Rows> = Arc::new(random_run(300, 128, 0));
    let gallery: [Arc<dyn Rows>; 1] = [Arc::new(Gated { run, gate: gate.clone() })];
    std::thread::scope(|scope| {
        // Nobody loads for this search: it brings the run itself, and stands before the gate with the device to itself.
        scope.spawn(|| certified(&pass).top_k(&gallery, &probes(128), 9).unwrap());
        gate.wait_for_somebody();
        assert_eq!(pass.info().resident_rows, 0);
        gate.open();
    });
    assert_eq!(pass.info().resident_rows, 300);
}

/// Rows in a gallery of its own, and pieces of one block in which they are sent.
const ROWS: u64 = 6_400;
const PIECES: usize = 100;

/// A scorer whose loads rest before each piece, so that they take seconds.
struct Slow {
    scorer: CertifiedScorer,
    rest: Duration,
    /// Pieces that loads were let go on with, and whether they rest no longer.
    pieces: AtomicUsize,
    hurry: AtomicBool,
}

impl Scorer for Slow {
    fn name(&self) -> String {
        self.scorer.name()
    }
    fn top_k(&self, gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<Scoring, ScoreError> {
        self.scorer.top_k(gallery, probes, k)
    }
    fn load(&self, gallery: &GalleryRows, goes_on: &GoesOn<'_>) {
        self.scorer.load(gallery, &|| {
            if !self.hurry.load(Ordering::SeqCst) {
                std::thread::sleep(self.rest);
            }
            goes_on() && self.pieces.fetch_add(1, Ordering::SeqCst) < usize::MAX
        });
    }
    fn refresh(&self, gallery: &GalleryRows) {
        self.scorer.refresh(gallery);
    }
}

/// A run as one sees it who has not heard of any erasure.
struct Unaware {
    run: Arc<dyn Rows>,
    scales: Vec<f32>,
    nothing: ErasedRows,
}

impl Rows for Unaware {
    fn dimension(&self) -> Dimension {
        self.run.dimension()
    }
    fn len(&self) -> usize {
        self.run.len()
    }
    fn codes(&self) -> &[i8] {
        self.run.codes()
    }
    fn scales(&self) -> &[f32] {
        &self.scales
    }
    fn error_norm_max(&self) -> f32 {
        self.run.error_norm_max()
    }
    fn template_id(&self, row: usize) -> TemplateId {
        self.run.template_id(row)
    }
    fn original(&self, row: usize, out: &mut [f32]) {
        self.run.original(row, out);
    }
    fn erased(&self) -> &ErasedRows {
        &self.nothing
    }
    fn residency(&self) -> Option<&Arc<Residency>> {
        self.run.residency()
    }
}

async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_mins(1), "{what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[test]
fn an_erasure_does_not_wait_for_a_load_and_its_row_comes_back_nowhere() {
    let Some(pass) = gpu(&GpuOptions { upload_bytes_max: 8 << 10, ..GpuOptions::default() }) else { return };
    let home = tempfile::tempdir().unwrap();
    let name: GalleryName = "custody".parse().unwrap();
    let model = ModelId { name: "numbers".to_owned(), hash: [1; 32] };
    let scorer = Arc::new(Slow {
        scorer: certified(&pass),
        rest: Duration::from_millis(40),
        pieces: AtomicUsize::new(0),
        hurry: AtomicBool::new(false),
    });
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let vault = Vault::open(home.path(), Access::Writer, VaultOptions::default()).await.unwrap();
        let dimension = Dimension::new(128).unwrap();
        vault.create_gallery(&name, &model, dimension, Precision::F16, "a test").await.unwrap();
        let fill = |row: u64, out: &mut [f32]| {
            out.iter_mut().zip(0..).for_each(|(out, i)| *out = data::mix(row, i) as f32 / 9.2e18 - 1.0);
        };
        vault.import_synthetic(&name, ROWS, fill, |_| ()).await.unwrap();
        let scales = vault.snapshot(&name).await.unwrap().rows()[0].scales().to_vec();
        let serving: Arc<dyn Scorer> = scorer.clone();
        vault.maintain(serving);

        // The row that is erased has been sent.
        wait_until("a load", || scorer.pieces.load(Ordering::SeqCst) >= 10).await;
        let erase = |id: u64| {
            let (scorer, what) = (scorer.clone(), Erase::Template(TemplateId(id)));
            vault.erase(&name, what, move |rows| scorer.refresh(rows))
        };
        let before = scorer.pieces.load(Ordering::SeqCst);
        erase(200).await.unwrap();
        let after = scorer.pieces.load(Ordering::SeqCst);
        assert!(after - before < PIECES / 4, "the erasure waited for {before} to {after} of {PIECES} pieces");
        assert_eq!(pass.info().resident_rows, 0, "the load had not been over before");

        // The load comes again by itself, without the row.
        scorer.hurry.store(true, Ordering::SeqCst);
        wait_until("another load", || pass.info().resident_rows == ROWS).await;
        erase(300).await.unwrap();
        let run = vault.snapshot(&name).await.unwrap().rows()[0].clone();
        let unaware: Arc<dyn Rows> = Arc::new(Unaware { run, scales, nothing: ErasedRows::default() });
        let found = all_found(&pass, &unaware);
        let missing: Vec<u32> = (0..ROWS as u32).filter(|row| found.binary_search(row).is_err()).collect();
        // Ids begin at 1.
        assert_eq!(missing, [199, 299]);
        drop(unaware);
        vault.close().await;
    });
}
