//! Work shared out among threads: of a pool, which live as long as the process, or of its own, for what takes minutes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Numbers of jobs, each handed out once to whichever thread asks next; ascending for each thread.
#[derive(Debug)]
pub struct Jobs<'a> {
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

/// Runs `worker` on up to `threads` threads of the pool of that size over jobs `0..count`, and returns when all are done;
/// one result a worker. With less than two jobs, or one thread, everything happens on the caller's thread. Callers share
/// the pool: their jobs take turns on its threads, and there are never more of these than `threads`. A worker asks for
/// no pool itself, nor for a scorer, which does: while it waited, its thread could take up another caller's worker, and
/// that one wait for what the first holds.
///
/// # Panics
/// A bug in a worker is the caller's panic, as if it had happened here; the pool lives on.
pub fn share<R: Send>(threads: usize, count: usize, worker: impl Fn(Jobs<'_>) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let jobs = || Jobs { next: &next, count };
    let workers = threads.min(count);
    let Some(pool) = (workers > 1).then(|| pool_of(threads)).flatten() else { return vec![worker(jobs())] };
    let results = Mutex::new(Vec::with_capacity(workers));
    pool.scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|_| {
                let result = worker(jobs());
                results.lock().unwrap_or_else(PoisonError::into_inner).push(result);
            });
        }
    });
    results.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// The same on threads that end with the call, the caller's among them: for work that takes minutes, which searches must not
/// wait for behind it on their pool. Its workers may ask for what they like.
///
/// # Panics
/// A bug in a worker is the caller's panic, as above.
pub fn apart<R: Send>(threads: usize, count: usize, worker: impl Fn(Jobs<'_>) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || worker(Jobs { next: &next, count });
    std::thread::scope(|scope| {
        let running: Vec<_> = (1..threads.min(count)).map(|_| scope.spawn(work)).collect();
        let mut results = vec![work()];
        for handle in running {
            match handle.join() {
                Ok(result) => results.push(result),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        results
    })
}

/// The pool of that size, made when it is first asked for. A process has one size by its settings; tests have a few.
/// `None` when the system gives no threads: then the caller's has to do.
fn pool_of(threads: usize) -> Option<Arc<ThreadPool>> {
    static POOLS: Mutex<Vec<Arc<ThreadPool>>> = Mutex::new(Vec::new());
    let mut pools = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(pool) = pools.iter().find(|pool| pool.current_num_threads() == threads) {
        return Some(Arc::clone(pool));
    }
    match ThreadPoolBuilder::new().num_threads(threads).thread_name(|number| format!("scoring-{number}")).build() {
        Ok(pool) => {
            let pool = Arc::new(pool);
            pools.push(Arc::clone(&pool));
            Some(pool)
        }
        Err(error) => {
            tracing::warn!(%error, threads, "no threads for scoring: the caller's does it alone");
            None
        }
    }
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
            let shared = share(threads, count, |jobs| jobs.collect::<Vec<_>>());
            let alone = apart(threads, count, |jobs| jobs.collect::<Vec<_>>());
            for workers in [shared, alone] {
                let mut done: Vec<usize> = workers.concat();
                done.sort_unstable();
                assert_eq!(done, (0..count).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn a_worker_has_its_jobs_in_order() {
        for jobs in share(3, 50, |jobs| jobs.collect::<Vec<_>>()) {
            assert!(jobs.is_sorted());
        }
    }

    #[test]
    fn a_workers_panic_is_the_callers_and_the_pool_survives_it() {
        let fails = || share(2, 10, |mut jobs| assert!(jobs.all(|job| job != 5), "job 5"));
        for _ in 0..3 {
            std::panic::catch_unwind(fails).unwrap_err();
            assert_eq!(share(2, 10, |jobs| jobs.count()).iter().sum::<usize>(), 10);
        }
    }

    #[test]
    fn a_panic_apart_is_the_callers_too() {
        std::panic::catch_unwind(|| apart(2, 10, |mut jobs| assert!(jobs.all(|job| job != 5), "job 5"))).unwrap_err();
    }

    #[test]
    fn callers_share_the_threads_of_a_pool() {
        let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = |jobs: Jobs<'_>| {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            jobs.for_each(|_| std::thread::sleep(std::time::Duration::from_millis(1)));
            now.fetch_sub(1, Ordering::SeqCst);
        };
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| share(2, 10, work));
            }
        });
        assert_eq!(most.into_inner(), 2);
    }
}
