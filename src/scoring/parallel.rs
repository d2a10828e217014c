//! Work shared out among a few threads for the length of one call.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Numbers of jobs, each handed out once to whichever thread asks next; ascending for each thread.
#[derive(Debug)]
pub(super) struct Jobs<'a> {
    next: &'a AtomicUsize,
    count: usize,
}

impl Iterator for Jobs<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        let job = self.next.fetch_add(1, Ordering::Relaxed);
        (job < self.count).then_some(job)
    }
}

/// Runs `worker` on up to `threads` threads, the caller's among them, over jobs `0..count`; one result a worker. With
/// less than two jobs, or one thread, everything happens on the caller's thread.
pub(super) fn share<R: Send>(threads: usize, count: usize, worker: impl Fn(Jobs<'_>) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let jobs = || Jobs { next: &next, count };
    let helpers = threads.min(count).saturating_sub(1);
    std::thread::scope(|scope| {
        let running: Vec<_> = (0..helpers).map(|_| scope.spawn(|| worker(jobs()))).collect();
        let mut results = vec![worker(jobs())];
        for handle in running {
            match handle.join() {
                Ok(result) => results.push(result),
                // A bug in a worker is the caller's panic, as if it had happened here.
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

/// Threads that this machine can run at once: the usual number of workers.
#[must_use]
pub fn threads_here() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_job_is_done_once() {
        for (threads, count) in [(1, 0), (4, 0), (1, 7), (3, 1), (3, 100), (0, 5)] {
            let mut done: Vec<usize> = share(threads, count, |jobs| jobs.collect::<Vec<_>>()).concat();
            done.sort_unstable();
            assert_eq!(done, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_worker_has_its_jobs_in_order() {
        for jobs in share(3, 50, |jobs| jobs.collect::<Vec<_>>()) {
            assert!(jobs.is_sorted());
        }
    }
}
