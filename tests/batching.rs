//! Requests scored together: each gets the oracle's lists, none starves, refusals and withdrawals harm nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conformance;

use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

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

/// Answers nonsense, when it is let; remembers the sizes of its passes.
#[derive(Default)]
struct Slow {
    gate: Mutex<Gate>,
    opened: Condvar,
    sizes: Mutex<Vec<usize>>,
    panics_at: Option<usize>,
    at_once: usize,
}

#[derive(Default)]
struct Gate {
    held: bool,
    /// Passes that may go while it is held.
    may_go: usize,
    /// Whether a pass has begun and is kept from its end.
    keeps: bool,
}

impl Slow {
    fn hold(&self) {
        self.gate.lock().unwrap().held = true;
    }

    fn let_go(&self) {
        self.gate.lock().unwrap().held = false;
        self.opened.notify_all();
    }

    fn let_one_go(&self) {
        self.gate.lock().unwrap().may_go += 1;
        self.opened.notify_all();
    }

    /// Whether a pass is being held.
    fn keeps(&self) -> bool {
        let gate = self.gate.lock().unwrap();
        gate.keeps && gate.may_go == 0
    }

    fn pass_by(&self) {
        let mut gate = self.gate.lock().unwrap();
        gate.keeps = true;
        let mut gate = self.opened.wait_while(gate, |gate| gate.held && gate.may_go == 0).unwrap();
        gate.may_go = gate.may_go.saturating_sub(1);
        gate.keeps = false;
    }
}

/// Waits, however long it takes here, until it is so.
async fn until(is_so: impl Fn() -> bool) {
    let waits = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), waits).await.expect("it never comes to that");
}

impl Scorer for Slow {
    fn name(&self) -> String {
        "slow".to_owned()
    }

    fn top_k(&self, _gallery: &GalleryRows, probes: &[Template], _k: usize) -> Result<Scoring, ScoreError> {
        self.pass_by();
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
    let slow = Arc::new(Slow::default());
    slow.hold();
    let batcher = Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap();
    let view = gallery(3, 16);
    let first = batcher.top_k(ask(&view, 0, 1, 5));
    let others = async {
        until(|| slow.keeps()).await;
        futures_util::future::join_all((1..9).map(|seed| batcher.top_k(ask(&view, seed, 2, 5)))).await
    };
    let opens = async {
        until(|| batcher.waiting() == 17).await;
        slow.let_go();
    };
    let (first, others, ()) = tokio::join!(first, others, opens);
    assert!(first.is_ok() && others.iter().all(Result::is_ok));
    assert_eq!(*slow.sizes.lock().unwrap(), [1, 16]);
    assert_eq!(others[0].as_ref().unwrap().work.shared_with, 14);
}

/// The bounds of the plan, with real threads: an urgent search during a batch waits for at most two passes of
/// others, and a batch under a stream of urgent searches is done within twice its quarters.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_and_urgent_searches_do_not_starve_each_other() {
    let slow = Arc::new(Slow::default());
    slow.hold();
    let batcher = Arc::new(Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap());
    let (custody, watchlist) = (gallery(4, 16), gallery(5, 16));
    let batch = tokio::spawn({
        let (batcher, custody) = (Arc::clone(&batcher), Arc::clone(&custody));
        async move { batcher.top_k(ask(&custody, 1, 360, 5)).await.unwrap() }
    });
    let mut slowest = 0;
    loop {
        until(|| slow.keeps() || batch.is_finished()).await;
        if batch.is_finished() {
            break;
        }
        let (ended, waiting) = (slow.sizes.lock().unwrap().len(), batcher.waiting());
        let urgent = tokio::spawn({
            let (batcher, watchlist) = (Arc::clone(&batcher), Arc::clone(&watchlist));
            async move { batcher.top_k(ask(&watchlist, 2, 1, 5)).await.unwrap() }
        });
        until(|| batcher.waiting() == waiting + 1).await;
        // The one search alone in a pass is the urgent one.
        let served = || slow.sizes.lock().unwrap()[ended..].iter().position(|&size| size == 1);
        while served().is_none() {
            slow.let_one_go();
            until(|| slow.keeps() || served().is_some()).await;
        }
        slowest = slowest.max(served().unwrap() + 1);
        urgent.await.unwrap();
    }
    // The running pass, one that the batch leads, and its own.
    assert!((1..=3).contains(&slowest), "an urgent search waited for {slowest} passes");
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
    let slow = Arc::new(Slow::default());
    slow.hold();
    let batcher = Arc::new(Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap());
    let view = gallery(6, 16);
    let running = tokio::spawn({
        let (batcher, view) = (Arc::clone(&batcher), Arc::clone(&view));
        async move { batcher.top_k(ask(&view, 0, 1, 5)).await }
    });
    until(|| slow.keeps()).await;
    let withdrawn = tokio::time::timeout(Duration::from_millis(10), batcher.top_k(ask(&view, 1, 500, 5))).await;
    assert!(withdrawn.is_err(), "the caller gave up");
    slow.let_go();
    assert!(running.await.unwrap().is_ok());
    assert!(batcher.top_k(ask(&view, 2, 2, 5)).await.is_ok());
    assert_eq!(*slow.sizes.lock().unwrap(), [1, 2]);
    // Neither the queue nor the owner holds the gallery now: an erasure need not wait.
    assert_eq!(Arc::strong_count(&view), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_bounded_and_bad_requests_never_enter_it() {
    let slow = Arc::new(Slow::default());
    slow.hold();
    let batcher = Arc::new(Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap());
    let view = gallery(7, 16);
    let requests: Vec<_> = (0..10)
        .map(|seed| {
            let (batcher, ask) = (Arc::clone(&batcher), ask(&view, seed, 512, 5));
            tokio::spawn(async move { batcher.top_k(ask).await })
        })
        .collect();
    until(|| slow.keeps() && batcher.waiting() > SCORING_WAITING_PROBES_MAX - 512).await;
    until(|| requests.iter().any(tokio::task::JoinHandle::is_finished)).await;
    assert!(batcher.waiting() <= SCORING_WAITING_PROBES_MAX);
    assert!(matches!(batcher.top_k(ask(&view, 0, 512, 5)).await, Err(BatchError::Full { waiting }) if waiting > 3000));
    assert!(matches!(batcher.top_k(ask(&view, 0, 1, 0)).await, Err(BatchError::Score(ScoreError::ListLength(0)))));
    let other = Ask { probes: [Template::from_raw(&[1.0; 16]).unwrap()].into(), ..ask(&view, 0, 1, 5) };
    assert!(matches!(batcher.top_k(other).await, Err(BatchError::Score(ScoreError::Coarse(_)))));
    for request in requests {
        request.abort();
        let _ = request.await;
    }
    slow.let_go();
    assert!(batcher.top_k(ask(&view, 0, 1, 5)).await.is_ok());
    let sizes = slow.sizes.lock().unwrap();
    assert!(matches!(sizes[..], [_running, 1]), "aborted requests were scored all the same: {sizes:?}");
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
    let slow = Arc::new(Slow::default());
    slow.hold();
    let batcher = Batcher::start(Arc::<Slow>::clone(&slow), OPTIONS).unwrap();
    let view = gallery(9, 16);
    let both = async { tokio::join!(batcher.top_k(ask(&view, 0, 1, 5)), batcher.top_k(ask(&view, 1, 400, 5))) };
    tokio::select! {
        ended = both => panic!("nothing ends while it is held: {ended:?}"),
        () = until(|| slow.keeps() && batcher.waiting() == 401) => {}
    }
    let opens = std::thread::spawn({
        let slow = Arc::clone(&slow);
        move || {
            std::thread::sleep(Duration::from_millis(50));
            slow.let_go();
        }
    });
    drop(batcher);
    assert_eq!(slow.sizes.lock().unwrap().len(), 1);
    opens.join().unwrap();
}
