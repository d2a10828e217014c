//! Requests scored together: each gets the oracle's lists, none starves, refusals and withdrawals harm nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conformance;

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bertillon::base::ids::TemplateId;
use bertillon::base::limits::SCORING_WAITING_PROBES_MAX;
use bertillon::kernel;
use bertillon::scoring::batcher::{Ask, BatchError, BatchOptions, Batcher, Lane, View};
use bertillon::scoring::{CertifiedScorer, CpuPass};
use bertillon::vector::dimension::Dimension;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::naive::NaiveScorer;
use bertillon::vector::rows::{GalleryRows, Rows};
use bertillon::vector::scorer::{ScoreError, Scorer, Scoring};
use bertillon::vector::template::Template;
use conformance::data::mix;

const D: usize = 32;
const OPTIONS: BatchOptions = BatchOptions { gather: Duration::from_millis(2), probes_per_pass: 64 };

struct Gallery(Vec<Arc<dyn Rows>>);

impl View for Gallery {
    fn rows(&self) -> &GalleryRows {
        &self.0
    }
}

fn vector(seed: u64) -> Template {
    let raw: Vec<f32> = (0..D).map(|at| (mix(seed, at as u64) >> 40) as f32 - 8_388_608.0).collect();
    Template::from_raw(&raw).unwrap()
}

fn gallery(seed: u64, rows: u64) -> Arc<Gallery> {
    let mut run = MemoryRows::new(Dimension::new(D).unwrap());
    for row in 0..rows {
        run.push(TemplateId(row + 1), vector(seed ^ mix(seed, row)).values());
    }
    Arc::new(Gallery(vec![Arc::new(run)]))
}

fn probes(seed: u64, count: usize) -> Arc<[Template]> {
    (0..count as u64).map(|number| vector(mix(seed, 1_000_000 + number))).collect()
}

fn ask(view: &Arc<Gallery>, seed: u64, count: usize, k: usize) -> Ask {
    Ask { view: Arc::<Gallery>::clone(view), probes: probes(seed, count), k, lane: Lane::of(count) }
}

fn certified() -> Arc<dyn Scorer> {
    Arc::new(CertifiedScorer::new(Arc::new(CpuPass::new(kernel::best(), 2)), 2))
}

/// Answers nonsense slowly, and remembers the sizes of its passes.
#[derive(Default)]
struct Slow {
    pass: Duration,
    sizes: Mutex<Vec<usize>>,
    panics_at: Option<usize>,
    at_once: usize,
}

impl Scorer for Slow {
    fn name(&self) -> String {
        "slow".to_owned()
    }

    fn top_k(&self, _gallery: &GalleryRows, probes: &[Template], _k: usize) -> Result<Scoring, ScoreError> {
        std::thread::sleep(self.pass);
        self.sizes.lock().unwrap().push(probes.len());
        assert_ne!(self.panics_at, Some(probes.len()), "as the test asks");
        Ok(Scoring { lists: vec![Vec::new(); probes.len()], work: bertillon::vector::scorer::Work::default() })
    }

    fn probes_at_once(&self, _gallery: &GalleryRows, _k: usize) -> usize {
        self.at_once
    }

    fn refresh(&self, _gallery: &GalleryRows) {}
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_request_gets_the_oracles_lists_whoever_it_shares_a_pass_with() {
    let batcher = Arc::new(Batcher::start(certified(), OPTIONS).unwrap());
    let galleries = [gallery(1, 3000), gallery(2, 500)];
    let asks: Vec<Ask> = (0..40_u64)
        .map(|number| {
            let count = [1, 3, 8, 9, 100][(number % 5) as usize];
            let k = [1, 10, 30, 700][(mix(9, number) % 4) as usize];
            ask(&galleries[usize::from(number % 3 == 0)], number, count, k)
        })
        .collect();
    let running: Vec<_> = asks
        .iter()
        .cloned()
        .map(|ask| {
            let batcher = Arc::clone(&batcher);
            tokio::spawn(async move { batcher.top_k(ask).await })
        })
        .collect();
    let mut shared = 0;
    for (ask, running) in asks.iter().zip(running) {
        let found = running.await.unwrap().unwrap();
        assert_eq!(found.lists, NaiveScorer.top_k(ask.view.rows(), &ask.probes, ask.k).unwrap().lists);
        assert!(found.work.back_end.starts_with("cpu") && found.work.rows > 0);
        shared += found.work.shared_with;
    }
    assert!(shared > 0, "forty requests at once shared no pass");
    assert_eq!(batcher.waiting(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_together_are_one_pass() {
    let slow = Arc::new(Slow { pass: Duration::from_millis(100), ..Slow::default() });
    let batcher = Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap();
    let view = gallery(3, 16);
    let first = batcher.top_k(ask(&view, 0, 1, 5));
    let others = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        futures_util::future::join_all((1..9).map(|seed| batcher.top_k(ask(&view, seed, 2, 5)))).await
    };
    let (first, others) = tokio::join!(first, others);
    assert!(first.is_ok() && others.iter().all(Result::is_ok));
    assert_eq!(*slow.sizes.lock().unwrap(), [1, 16]);
    assert_eq!(others[0].as_ref().unwrap().work.shared_with, 14);
}

/// The bounds of the plan, with real threads and time: an urgent search during a batch waits for at most two passes of
/// others, and a batch under a stream of urgent searches is done within twice its quarters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_and_urgent_searches_do_not_starve_each_other() {
    let pass = Duration::from_millis(20);
    let slow = Arc::new(Slow { pass, ..Slow::default() });
    let batcher = Arc::new(Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap());
    let (custody, watchlist) = (gallery(4, 16), gallery(5, 16));
    let batch = tokio::spawn({
        let (batcher, custody) = (Arc::clone(&batcher), Arc::clone(&custody));
        async move { batcher.top_k(ask(&custody, 1, 360, 5)).await.unwrap() }
    });
    let mut slowest = 0;
    while !batch.is_finished() {
        let before = slow.sizes.lock().unwrap().len();
        batcher.top_k(ask(&watchlist, 2, 1, 5)).await.unwrap();
        slowest = slowest.max(slow.sizes.lock().unwrap().len() - before);
    }
    // The running pass, one that the batch leads, and its own.
    assert!(slowest <= 3, "an urgent search waited for {slowest} passes");
    assert_eq!(batch.await.unwrap().lists.len(), 360);
    let alone = slow.sizes.lock().unwrap().len();
    assert!(alone <= 2 * 360_usize.div_ceil(16), "the batch took {alone} passes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_is_one_pass_where_the_scorer_takes_so_many_at_once() {
    for (at_once, sizes) in [(384, vec![360]), (0, vec![64, 64, 64, 64, 64, 40])] {
        let slow = Arc::new(Slow { at_once, ..Slow::default() });
        let batcher = Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap();
        batcher.top_k(ask(&gallery(4, 16), 1, 360, 5)).await.unwrap();
        assert_eq!(*slow.sizes.lock().unwrap(), sizes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_is_withdrawn_costs_no_pass() {
    let slow = Arc::new(Slow { pass: Duration::from_millis(80), ..Slow::default() });
    let batcher = Arc::new(Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap());
    let view = gallery(6, 16);
    let running = tokio::spawn({
        let (batcher, view) = (Arc::clone(&batcher), Arc::clone(&view));
        async move { batcher.top_k(ask(&view, 0, 1, 5)).await }
    });
    tokio::time::sleep(Duration::from_millis(20)).await;
    let withdrawn = tokio::time::timeout(Duration::from_millis(10), batcher.top_k(ask(&view, 1, 500, 5))).await;
    assert!(withdrawn.is_err(), "the caller gave up");
    assert!(running.await.unwrap().is_ok());
    assert!(batcher.top_k(ask(&view, 2, 2, 5)).await.is_ok());
    assert_eq!(*slow.sizes.lock().unwrap(), [1, 2]);
    // Neither the queue nor the owner holds the gallery now: an erasure need not wait.
    assert_eq!(Arc::strong_count(&view), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_bounded_and_bad_requests_never_enter_it() {
    let slow = Arc::new(Slow { pass: Duration::from_millis(100), ..Slow::default() });
    let batcher = Arc::new(Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap());
    let view = gallery(7, 16);
    let requests: Vec<_> = (0..10)
        .map(|seed| {
            let (batcher, ask) = (Arc::clone(&batcher), ask(&view, seed, 512, 5));
            tokio::spawn(async move { batcher.top_k(ask).await })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(batcher.waiting() <= SCORING_WAITING_PROBES_MAX);
    assert!(matches!(batcher.top_k(ask(&view, 0, 512, 5)).await, Err(BatchError::Full { waiting }) if waiting > 3000));
    assert!(matches!(batcher.top_k(ask(&view, 0, 1, 0)).await, Err(BatchError::Score(ScoreError::ListLength(0)))));
    let other = Ask { probes: [Template::from_raw(&[1.0; 16]).unwrap()].into(), ..ask(&view, 0, 1, 5) };
    assert!(matches!(batcher.top_k(other).await, Err(BatchError::Score(ScoreError::Coarse(_)))));
    for request in requests {
        request.abort();
        let _ = request.await;
    }
    let begun = Instant::now();
    assert!(batcher.top_k(ask(&view, 0, 1, 5)).await.is_ok());
    assert!(begun.elapsed() < Duration::from_secs(2), "aborted requests were scored all the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_told_to_those_it_concerns_and_the_owner_lives_on() {
    let slow = Arc::new(Slow { panics_at: Some(3), ..Slow::default() });
    let batcher = Batcher::start(slow, OPTIONS).unwrap();
    let view = gallery(8, 16);
    assert_eq!(batcher.top_k(ask(&view, 0, 3, 5)).await, Err(BatchError::Stopped));
    assert!(batcher.top_k(ask(&view, 0, 2, 5)).await.is_ok());
    assert_eq!(batcher.top_k(Ask { probes: [].into(), ..ask(&view, 0, 1, 5) }).await.unwrap().lists.len(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_waits_for_the_running_pass_only() {
    let slow = Arc::new(Slow { pass: Duration::from_millis(100), ..Slow::default() });
    let batcher = Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap();
    let view = gallery(9, 16);
    let both = async { tokio::join!(batcher.top_k(ask(&view, 0, 1, 5)), batcher.top_k(ask(&view, 1, 400, 5))) };
    assert!(tokio::time::timeout(Duration::from_millis(30), both).await.is_err());
    let begun = Instant::now();
    drop(batcher);
    assert!(begun.elapsed() < Duration::from_millis(300), "{:?}", begun.elapsed());
    assert_eq!(slow.sizes.lock().unwrap().len(), 1);
}
