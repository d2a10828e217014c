//! The owner thread: takes what waits, makes passes, answers.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::scoring::batcher::plan::{Shape, lead, plan};
use crate::scoring::batcher::{Ask, BatchError, BatchOptions, Lane, Shared, View};
use crate::vector::scorer::{Scorer, Scoring, Work};
use crate::vector::template::Template;
use crate::vector::topk::Scored;

/// For how many gathering times after a pass a newcomer is taken for a sign of more to come.
const COMPANY_TIMES: u32 = 10;

/// A request that waits.
pub(super) struct Job {
    /// Tells it from all others.
    number: u64,
    ask: Ask,
    /// Lists of the probes scored so far, from the first.
    lists: Vec<Vec<Scored>>,
    work: Work,
    reply: oneshot::Sender<Result<Scoring, BatchError>>,
}

impl Job {
    pub(super) fn new(ask: Ask, reply: oneshot::Sender<Result<Scoring, BatchError>>) -> Self {
        Self { number: 0, ask, lists: Vec::new(), work: Work::default(), reply }
    }

    fn left(&self) -> usize {
        self.ask.probes.len() - self.lists.len()
    }

    fn shape(&self) -> Shape {
        Shape { view: Arc::as_ptr(&self.ask.view).cast::<()>().addr(), left: self.left(), k: self.ask.k }
    }

    /// Takes its part of a pass. Other probes of the pass made its lists longer than asked, perhaps.
    fn receive(&mut self, lists: Vec<Vec<Scored>>, work: &Work, others: u32) {
        let k = self.ask.k;
        self.lists.extend(lists.into_iter().map(|mut list| {
            list.truncate(k);
            list
        }));
        self.work.add(work);
        self.work.shared_with += others;
    }

    fn answer(self, failure: Option<BatchError>) {
        let Self { number: _, ask, lists, work, reply } = self;
        // The view goes before the answer: who has an answer may erase without waiting for us.
        drop(ask);
        // The caller may have gone: then nobody wants to know.
        let _ = reply.send(failure.map_or(Ok(Scoring { lists, work }), Err));
    }
}

/// The queue.
#[derive(Default)]
pub(super) struct Waiting {
    urgent: VecDeque<Job>,
    batch: VecDeque<Job>,
    last_number: u64,
    stopping: bool,
}

impl Waiting {
    pub(super) fn push(&mut self, mut job: Job) {
        self.last_number += 1;
        job.number = self.last_number;
        match job.ask.lane {
            Lane::Urgent => self.urgent.push_back(job),
            Lane::Batch => self.batch.push_back(job),
        }
    }

    pub(super) fn stop(&mut self) {
        self.stopping = true;
    }

    /// Probes that are not answered.
    pub(super) fn probes(&self) -> usize {
        self.urgent.iter().chain(&self.batch).map(Job::left).sum()
    }

    fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.batch.is_empty()
    }

    /// Drops requests whose callers went away.
    pub(super) fn forget_the_gone(&mut self) {
        self.urgent.retain(|job| !job.reply.is_closed());
        self.batch.retain(|job| !job.reply.is_closed());
    }

    /// What a pass is to score, of as many places as `places_for` says for the request that leads it. The jobs stay in the
    /// queue meanwhile.
    fn pass(&mut self, places_for: impl Fn(&Ask) -> usize, batch_leads: &mut bool) -> Option<Pass> {
        self.forget_the_gone();
        let places = places_for(&lead(self.urgent.front(), self.batch.front(), *batch_leads)?.ask);
        let shapes = |lane: &VecDeque<Job>| lane.iter().map(Job::shape).collect::<Vec<_>>();
        let plan = plan(&shapes(&self.urgent), &shapes(&self.batch), places, *batch_leads);
        *batch_leads = !*batch_leads;
        let urgent = plan.urgent.iter().filter_map(|take| Some((self.urgent.get(take.place)?, take.probes)));
        let batch = plan.batch.iter().filter_map(|take| Some((self.batch.get(take.place)?, take.probes)));
        let mut pass: Option<Pass> = None;
        for (job, count) in urgent.chain(batch) {
            let pass = pass.get_or_insert_with(|| Pass {
                view: Arc::clone(&job.ask.view),
                probes: Vec::new(),
                k: 0,
                parts: Vec::new(),
            });
            let done = job.lists.len();
            pass.k = pass.k.max(job.ask.k);
            pass.probes.extend(job.ask.probes.iter().skip(done).take(count).cloned());
            pass.parts.push(Part { lane: job.ask.lane, number: job.number, probes: count });
        }
        pass
    }

    /// Hands out what a pass found, in the order in which its probes were taken.
    fn deliver(&mut self, parts: &[Part], found: Result<Scoring, BatchError>) {
        let all: usize = parts.iter().map(|part| part.probes).sum();
        let (lists, work, failure) = match found {
            Ok(scoring) => (scoring.lists, scoring.work, None),
            Err(error) => (Vec::new(), Work::default(), Some(error)),
        };
        let mut lists = lists.into_iter();
        for part in parts {
            let mine: Vec<Vec<Scored>> = lists.by_ref().take(part.probes).collect();
            let lane = match part.lane {
                Lane::Urgent => &mut self.urgent,
                Lane::Batch => &mut self.batch,
            };
            // Not there any more: its caller went away while it was scored.
            let Some(place) = lane.iter().position(|job| job.number == part.number) else { continue };
            let Some(job) = lane.get_mut(place) else { continue };
            job.receive(mine, &work, (all - part.probes) as u32);
            if (failure.is_some() || job.left() == 0)
                && let Some(job) = lane.remove(place)
            {
                job.answer(failure.clone());
            }
        }
    }
}

/// Some probes of one request in a pass.
#[derive(Debug, Clone, Copy)]
struct Part {
    lane: Lane,
    number: u64,
    probes: usize,
}

/// What is scored together.
struct Pass {
    view: Arc<dyn View>,
    probes: Vec<Template>,
    k: usize,
    parts: Vec<Part>,
}

/// The owner of a scorer.
pub(super) struct Owner {
    scorer: Arc<dyn Scorer>,
    options: BatchOptions,
    shared: Arc<Shared>,
}

impl Owner {
    pub(super) fn new(scorer: Arc<dyn Scorer>, options: BatchOptions, shared: Arc<Shared>) -> Self {
        Self { scorer, options, shared }
    }

    /// Works until told to stop.
    pub(super) fn run(self) {
        let mut batch_leads = false;
        let mut last_pass: Option<Instant> = None;
        while let Some(pass) = self.next(&mut batch_leads, last_pass) {
            let found = self.score(&pass);
            last_pass = Some(Instant::now());
            let Pass { view, probes: _, k: _, parts } = pass;
            drop(view);
            self.shared.lock().deliver(&parts, found);
        }
    }

    /// Waits for work and for company; `None` at the end.
    fn next(&self, batch_leads: &mut bool, last_pass: Option<Instant>) -> Option<Pass> {
        let mut waiting = self.shared.lock();
        loop {
            if waiting.stopping {
                // Dropped, their futures are told.
                waiting.urgent.clear();
                waiting.batch.clear();
                return None;
            }
            if !waiting.is_empty() {
                if let Some(pass) = waiting.pass(|ask| self.places(ask), batch_leads) {
                    return Some(pass);
                }
                continue;
            }
            waiting = self.shared.wake.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner);
            let gather = self.options.gather;
            if last_pass.is_some_and(|ended| ended.elapsed() < gather * COMPANY_TIMES) {
                let begun = Instant::now();
                while let Some(rest) = gather.checked_sub(begun.elapsed()).filter(|rest| *rest > Duration::ZERO) {
                    if waiting.stopping || waiting.probes() >= self.options.probes_per_pass {
                        break;
                    }
                    let woken = self.shared.wake.wait_timeout(waiting, rest);
                    waiting = woken.unwrap_or_else(std::sync::PoisonError::into_inner).0;
                }
            }
        }
    }

    /// Probes of a pass that `ask` leads. Asked under the queue's lock, so a scorer must answer at once.
    fn places(&self, ask: &Ask) -> usize {
        self.options.probes_per_pass.max(self.scorer.probes_at_once(ask.view.rows(), ask.k))
    }

    fn score(&self, pass: &Pass) -> Result<Scoring, BatchError> {
        let scored = catch_unwind(AssertUnwindSafe(|| self.scorer.top_k(pass.view.rows(), &pass.probes, pass.k)));
        let Ok(scored) = scored else {
            tracing::error!("a pass panicked: its requests have no answer");
            return Err(BatchError::Stopped);
        };
        Ok(scored?)
    }
}
