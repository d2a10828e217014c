//! Comparison scores from the stored originals: of the rows that a coarse pass left over, or of all rows.

use crate::scoring::parallel;
use crate::vector::coarse::Survivor;
use crate::vector::rows::GalleryRows;
use crate::vector::score::exact_score;
use crate::vector::template::Template;
use crate::vector::topk::{Scored, TopK};

/// Rows of one job: long enough to be worth handing out, short enough to share evenly.
const JOB_ROWS: usize = 1024;

/// Originals announced at once: they lie anywhere in memory, and waiting for one after the other was most of the time.
const FETCHED_ROWS: usize = 8;

/// The best `k` of `survivors[n]` for `probes[n]`, in rank order, for each n. Sorts the survivors first: originals are
/// read in the order in which they lie.
pub(super) fn survivors_only(
    gallery: &GalleryRows,
    probes: &[&Template],
    survivors: &mut [Vec<Survivor>],
    k: usize,
    threads: usize,
) -> Vec<Vec<Scored>> {
    for list in survivors.iter_mut() {
        list.sort_unstable_by_key(|survivor| (survivor.run, survivor.row));
    }
    let parts = |(number, list): (usize, &'_ Vec<Survivor>)| -> Vec<(usize, std::ops::Range<usize>)> {
        let ends = |start: usize| (number, start..(start + JOB_ROWS).min(list.len()));
        (0..list.len()).step_by(JOB_ROWS).map(ends).collect()
    };
    let jobs: Vec<_> = survivors.iter().enumerate().flat_map(parts).collect();
    let survivors = &*survivors;
    let workers = parallel::share(threads, jobs.len(), |numbers| {
        let mut tops: Vec<TopK> = probes.iter().map(|_| TopK::new(k)).collect();
        for (probe, range) in numbers.filter_map(|number| jobs.get(number)) {
            let rows = survivors.get(*probe).and_then(|list| list.get(range.clone()));
            if let (Some(template), Some(top), Some(rows)) = (probes.get(*probe), tops.get_mut(*probe), rows) {
                score(gallery, template, rows, top);
            }
        }
        tops
    });
    merged(workers, probes.len(), k)
}

fn score(gallery: &GalleryRows, probe: &Template, survivors: &[Survivor], top: &mut TopK) {
    let mut original = vec![0.0; probe.values().len()];
    let mut rows = Vec::with_capacity(FETCHED_ROWS);
    for run_of_rows in survivors.chunk_by(|one, next| one.run == next.run) {
        let Some(run) = run_of_rows.first().and_then(|survivor| gallery.get(survivor.run as usize)) else { continue };
        for some in run_of_rows.chunks(FETCHED_ROWS) {
            rows.clear();
            rows.extend(some.iter().map(|survivor| survivor.row as usize).filter(|&row| run.is_live(row)));
            run.will_want(&rows);
            for &row in &rows {
                run.original(row, &mut original);
                top.offer(Scored { score: exact_score(probe.values(), &original), id: run.template_id(row) });
            }
        }
    }
}

/// The best `k` of all live rows for each of `probes`, without any coarse pass: what the oracle does, on several threads.
/// Reads each original once for all probes, and needs memory for the lists only.
pub(super) fn everything(gallery: &GalleryRows, probes: &[&Template], k: usize, threads: usize) -> Vec<Vec<Scored>> {
    let starts = |(run, rows): (usize, usize)| (0..rows).step_by(JOB_ROWS).map(move |start| (run, start));
    let jobs: Vec<(usize, usize)> = gallery.iter().map(|run| run.len()).enumerate().flat_map(starts).collect();
    let workers = parallel::share(threads, jobs.len(), |numbers| {
        let mut tops: Vec<TopK> = probes.iter().map(|_| TopK::new(k)).collect();
        for &(run, start) in numbers.filter_map(|number| jobs.get(number)) {
            let Some(run) = gallery.get(run) else { continue };
            let mut original = vec![0.0; run.dimension().get()];
            let end = (start + JOB_ROWS).min(run.len());
            for row in (start..end).filter(|&row| run.is_live(row)) {
                run.original(row, &mut original);
                let id = run.template_id(row);
                for (probe, top) in probes.iter().zip(&mut tops) {
                    top.offer(Scored { score: exact_score(probe.values(), &original), id });
                }
            }
        }
        tops
    });
    merged(workers, probes.len(), k)
}

/// From one list of tops a worker to one candidate list a probe. The order of offers does not matter to a [`TopK`].
fn merged(workers: Vec<Vec<TopK>>, probes: usize, k: usize) -> Vec<Vec<Scored>> {
    let mut tops: Vec<TopK> = (0..probes).map(|_| TopK::new(k)).collect();
    for worker in workers {
        for (top, part) in tops.iter_mut().zip(worker) {
            for scored in part.into_sorted() {
                top.offer(scored);
            }
        }
    }
    tops.into_iter().map(TopK::into_sorted).collect()
}
