//! One measurement: a gallery opened, searched again and again with new probes, and everything that the figures rest on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::base::limits::{PROBES_PER_SEARCH_MAX, TOP_K_MAX};
use crate::evaluation::latency::recipe::Generator;
use crate::evaluation::latency::scratch::{Origin, Scratch};
use crate::evaluation::latency::{LatencyError, Stop, bandwidth, memory, percentiles};
use crate::evaluation::synthetic::Preset;
use crate::gallery::{Snapshot, Vault};
use crate::vector::scorer::Scorer;
use crate::vector::template::Template;

/// Readings of the whole gallery of which the fastest counts.
const READINGS: usize = 3;
/// First answers and readings that are timed, in turn, each through maps that nobody touched; the medians count.
const OPENING_ROUNDS: usize = 5;
/// Searches before the clock counts: pages are mapped, frequencies have settled.
const WARM_UP: u64 = 2;
/// Fewest searches that are timed, however long they take.
const SAMPLES_LEAST: usize = 3;
/// Most searches that are timed.
pub const REPEAT_MAX: u64 = 1_000_000;

/// What to measure.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Plan {
    /// Probes searched at once; one sample is one such search.
    pub probes: u64,
    /// Length of each candidate list.
    pub k: u64,
    /// Searches that are timed.
    pub repeat: u64,
    /// After so many seconds no new search is begun, once three are done.
    pub seconds_max: u64,
}

impl Plan {
    /// Refuses what can't be measured.
    ///
    /// # Errors
    /// [`LatencyError::Figure`] naming the figure and its bounds.
    pub fn check(&self) -> Result<(), LatencyError> {
        let figures = [
            ("probes at once", self.probes, PROBES_PER_SEARCH_MAX as u64),
            ("length of the lists", self.k, TOP_K_MAX as u64),
            ("repetitions", self.repeat, REPEAT_MAX),
        ];
        let bad = figures.into_iter().find(|(_, found, most)| !(1..=*most).contains(found));
        bad.map_or(Ok(()), |(what, found, most)| Err(LatencyError::Figure { what, found, least: 1, most }))
    }
}

/// What scores, and on how many threads.
#[derive(Clone)]
pub struct Scoring {
    /// The engine.
    pub scorer: Arc<dyn Scorer>,
    /// Threads that score; the reading loop gets as many.
    pub threads: usize,
}

/// The gallery that was searched.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GalleryFigures {
    /// Always true: nobody's face is in it.
    pub synthetic: bool,
    /// Rows.
    pub rows: u64,
    /// Components of each.
    pub dimension: usize,
    /// Seed of the recipe.
    pub seed: u64,
    /// Version of the recipe.
    pub recipe_version: u32,
    /// Synthetic people of that kind; noise where there is none.
    pub preset: Option<&'static str>,
    /// Bytes of all codes: what one search reads at least.
    pub code_bytes: u64,
    /// Rows made, coded and written a second; `None` when the gallery was there.
    pub made_rows_a_second: Option<f64>,
}

/// Opening, in milliseconds, medians of some rounds. The files' pages are in the system's cache as far as it has room, since
/// the same was done before: what is timed is our work, not the disk's.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct OpeningFigures {
    /// From nothing to a snapshot that can be searched.
    pub open_ms: f64,
    /// The first search after that, one probe, with every page of the map yet untouched.
    pub first_answer_ms: f64,
    /// Reading all codes once through a map as untouched.
    pub first_read_ms: f64,
    /// How many rounds.
    pub rounds: usize,
}

/// Memory, in bytes; `None` where the system doesn't say.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MemoryFigures {
    /// Beyond mapped files, before the gallery was opened.
    pub before_open: Option<u64>,
    /// Beyond mapped files, with the gallery open.
    pub open: Option<u64>,
    /// Most beyond mapped files while searching.
    pub searching_peak: Option<u64>,
    /// Pages of mapped files that were resident at the end.
    pub mapped: Option<u64>,
}

/// How the certificate fared, over all timed searches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct WorkFigures {
    /// Probes.
    pub probes: u64,
    /// Rows scored again in full precision, a probe on average.
    pub rescored_a_probe: f64,
    /// Probes proven by the first pass.
    pub certified_at_once: u64,
    /// Probes that needed a second one.
    pub repeated: u64,
    /// Probes for which every row was scored in full precision.
    pub exhaustive: u64,
}

/// Times of searches, in milliseconds, and what follows from them.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SearchFigures {
    /// Searches timed.
    pub samples: usize,
    /// Smallest.
    pub least_ms: f64,
    /// Mean.
    pub mean_ms: f64,
    /// Largest.
    pub most_ms: f64,
    /// p50, p95, p99 and p99.9, as far as the samples reach.
    pub percentiles_ms: Vec<percentiles::Percentile>,
    /// Probes a second, over all timed searches.
    pub probes_a_second: f64,
    /// Comparisons (probe with row) a second.
    pub comparisons_a_second: f64,
    /// Bytes of codes a second, each code counted once a search however often it was read.
    pub code_bytes_a_second: f64,
    /// Bytes a second of a plain loop over the same mapped bytes on as many threads, the best of three.
    pub read_bytes_a_second: f64,
    /// The share of that which searching reaches.
    pub share_of_reading: f64,
}

/// A whole measurement.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Version of this shape.
    pub schema: u32,
    /// What was searched.
    pub gallery: GalleryFigures,
    /// What was asked for.
    pub plan: Plan,
    /// The engine in its own words: back end, kernel, threads.
    pub back_end: String,
    /// Why something else than the first choice answered.
    pub fell_back: Option<String>,
    /// Threads that scored.
    pub threads: usize,
    /// Opening.
    pub opening: OpeningFigures,
    /// Searching.
    pub search: SearchFigures,
    /// The certificate.
    pub work: WorkFigures,
    /// Memory.
    pub memory: MemoryFigures,
}

/// Measures the gallery in `scratch`. Told through `tick` how many timed searches are done.
///
/// # Errors
/// [`LatencyError::Stopped`], and whatever is wrong with plan, gallery or engine.
pub async fn measure(
    scratch: &Scratch,
    generator: &Generator,
    plan: Plan,
    scoring: &Scoring,
    stop: &Arc<Stop>,
    tick: Arc<dyn Fn(u64) + Send + Sync>,
) -> Result<Report, LatencyError> {
    plan.check()?;
    let before = memory::now().map(|memory| memory.beyond_mapped);
    let opening = time_opening(scratch, generator.probe(0)?, plan.k as usize, scoring, stop).await?;

    let (generator, scoring, stop) = (generator.clone(), scoring.clone(), Arc::clone(stop));
    let opened = open(scratch).await?;
    let gallery = gallery_figures(scratch, &opened.snapshot);
    let open_bytes = memory::now().map(|memory| memory.beyond_mapped);
    let done = tokio::task::spawn_blocking(move || {
        let run = || search(&opened.snapshot, &generator, plan, &scoring, &stop, tick.as_ref());
        let (timed, searching_peak) = memory::peak_beyond_mapped(run);
        let timed = timed?;
        let read = bandwidth::best_of(READINGS, opened.snapshot.rows(), scoring.threads);
        let mapped = memory::now().map(|memory| memory.mapped);
        let memory = MemoryFigures { before_open: before, open: open_bytes, searching_peak, mapped };
        Ok::<_, LatencyError>((timed, read, memory, opened, scoring))
    });
    let (timed, read, memory, opened, scoring) = done.await.map_err(|_| LatencyError::Interrupted)??;
    let search = search_figures(&timed.times_ms, plan, &gallery, read.bytes_a_second());
    opened.close().await;
    Ok(Report {
        schema: 1,
        gallery,
        plan,
        back_end: timed.back_end,
        fell_back: timed.fell_back,
        threads: scoring.threads,
        opening,
        search,
        work: timed.work,
        memory,
    })
}

/// Times openings, first answers to `probe` and readings.
async fn time_opening(
    scratch: &Scratch,
    probe: Template,
    k: usize,
    scoring: &Scoring,
    stop: &Stop,
) -> Result<OpeningFigures, LatencyError> {
    let (mut opens, mut answers, mut reads) = (Vec::new(), Vec::new(), Vec::new());
    // The first round brings codes, and the originals that this probe needs, into the system's cache; it does not count.
    for round in 0..=OPENING_ROUNDS {
        if stop.asked() {
            return Err(LatencyError::Stopped);
        }
        let (scorer, probe, threads) = (Arc::clone(&scoring.scorer), probe.clone(), scoring.threads);
        let answer = untouched(scratch, move |opened| {
            let begun = Instant::now();
            scorer.top_k(opened.snapshot.rows(), std::slice::from_ref(&probe), k)?;
            Ok::<_, LatencyError>((opened.open_ms, ms(begun.elapsed())))
        });
        let (open_ms, answer_ms) = answer.await??;
        let read_ms = untouched(scratch, move |opened| reading_ms(opened, threads)).await?;
        if round > 0 {
            opens.push(open_ms);
            answers.push(answer_ms);
            reads.push(read_ms);
        }
    }
    Ok(OpeningFigures {
        open_ms: median(opens),
        first_answer_ms: median(answers),
        first_read_ms: median(reads),
        rounds: OPENING_ROUNDS,
    })
}

fn median(mut times_ms: Vec<f64>) -> f64 {
    times_ms.sort_unstable_by(f64::total_cmp);
    times_ms.get(times_ms.len() / 2).copied().unwrap_or_default()
}

/// A gallery just opened.
struct Opened {
    vault: Vault,
    snapshot: Arc<Snapshot>,
    open_ms: f64,
}

impl Opened {
    async fn close(self) {
        drop(self.snapshot);
        self.vault.close().await;
    }
}

async fn open(scratch: &Scratch) -> Result<Opened, LatencyError> {
    let begun = Instant::now();
    let (vault, snapshot) = scratch.open().await?;
    Ok(Opened { vault, snapshot, open_ms: ms(begun.elapsed()) })
}

/// Opens the gallery, does something with its fresh maps, and closes it.
async fn untouched<R: Send + 'static>(
    scratch: &Scratch,
    work: impl FnOnce(&Opened) -> R + Send + 'static,
) -> Result<R, LatencyError> {
    let opened = open(scratch).await?;
    let done = tokio::task::spawn_blocking(move || (work(&opened), opened)).await;
    let (result, opened) = done.map_err(|_| LatencyError::Interrupted)?;
    opened.close().await;
    Ok(result)
}

fn gallery_figures(scratch: &Scratch, snapshot: &Snapshot) -> GalleryFigures {
    let recipe = scratch.recipe();
    GalleryFigures {
        synthetic: true,
        rows: recipe.rows,
        dimension: recipe.dimension.get(),
        seed: recipe.seed,
        recipe_version: scratch.recipe().version(),
        preset: scratch.recipe().preset.map(Preset::name),
        code_bytes: snapshot.rows().iter().map(|run| run.codes().len() as u64).sum(),
        made_rows_a_second: match scratch.origin {
            Origin::Made(seconds) => Some(recipe.rows as f64 / seconds.max(f64::MIN_POSITIVE)),
            Origin::Found => None,
        },
    }
}

/// What came of the timed searches.
struct Timed {
    times_ms: Vec<f64>,
    work: WorkFigures,
    back_end: String,
    fell_back: Option<String>,
}

fn search(
    snapshot: &Snapshot,
    generator: &Generator,
    plan: Plan,
    scoring: &Scoring,
    stop: &Stop,
    tick: &(dyn Fn(u64) + Send + Sync),
) -> Result<Timed, LatencyError> {
    let mut timed =
        Timed { times_ms: Vec::new(), work: WorkFigures::default(), back_end: scoring.scorer.name(), fell_back: None };
    let mut rescored = 0;
    let (begun, limit) = (Instant::now(), Duration::from_secs(plan.seconds_max));
    for number in 0..WARM_UP + plan.repeat {
        if stop.asked() {
            return Err(LatencyError::Stopped);
        }
        if timed.times_ms.len() >= SAMPLES_LEAST && begun.elapsed() > limit {
            break;
        }
        // Nobody asks the same twice: each search has probes of its own.
        let probes = (number * plan.probes..(number + 1) * plan.probes).map(|index| generator.probe(index));
        let probes: Vec<Template> = probes.collect::<Result<_, _>>()?;
        let clock = Instant::now();
        let found = scoring.scorer.top_k(snapshot.rows(), &probes, plan.k as usize)?;
        let time_ms = ms(clock.elapsed());
        let Some(sample) = number.checked_sub(WARM_UP) else { continue };
        timed.times_ms.push(time_ms);
        rescored += found.work.rescored;
        timed.work.probes += plan.probes;
        timed.work.certified_at_once += u64::from(found.work.certified_at_once);
        timed.work.repeated += u64::from(found.work.repeated);
        timed.work.exhaustive += u64::from(found.work.exhaustive);
        (timed.back_end, timed.fell_back) = (found.work.back_end, found.work.fell_back.or(timed.fell_back));
        tick(sample + 1);
    }
    timed.work.rescored_a_probe = rescored as f64 / timed.work.probes.max(1) as f64;
    Ok(timed)
}

fn search_figures(times_ms: &[f64], plan: Plan, gallery: &GalleryFigures, read_bytes_a_second: f64) -> SearchFigures {
    let (samples, sum_ms) = (times_ms.len(), times_ms.iter().sum::<f64>());
    let searches_a_second = samples as f64 / (sum_ms / 1000.0).max(f64::MIN_POSITIVE);
    let code_bytes_a_second = searches_a_second * gallery.code_bytes as f64;
    SearchFigures {
        samples,
        least_ms: times_ms.iter().copied().reduce(f64::min).unwrap_or_default(),
        mean_ms: sum_ms / samples.max(1) as f64,
        most_ms: times_ms.iter().copied().reduce(f64::max).unwrap_or_default(),
        percentiles_ms: percentiles::of(times_ms),
        probes_a_second: searches_a_second * plan.probes as f64,
        comparisons_a_second: searches_a_second * plan.probes as f64 * gallery.rows as f64,
        code_bytes_a_second,
        read_bytes_a_second,
        share_of_reading: code_bytes_a_second / read_bytes_a_second.max(f64::MIN_POSITIVE),
    }
}

fn reading_ms(opened: &Opened, threads: usize) -> f64 {
    1000.0 * bandwidth::read_codes(opened.snapshot.rows(), threads).seconds
}

fn ms(time: Duration) -> f64 {
    1000.0 * time.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::latency::recipe::Recipe;
    use crate::vector::dimension::Dimension;
    use crate::vector::naive::NaiveScorer;

    const PLAN: Plan = Plan { probes: 2, k: 5, repeat: 20, seconds_max: 60 };

    async fn run(plan: Plan, stop: &Arc<Stop>) -> Result<Report, LatencyError> {
        let parent = tempfile::tempdir().unwrap();
        let recipe = Recipe { rows: 300, dimension: Dimension::new(32).unwrap(), seed: 5, preset: None };
        let scratch = Scratch::prepare(parent.path(), recipe, false, 1, &Arc::default(), Arc::new(|_| ())).await?;
        let scoring = Scoring { scorer: Arc::new(NaiveScorer), threads: 1 };
        measure(&scratch, &recipe.generator().unwrap(), plan, &scoring, stop, Arc::new(|_| ())).await
    }

    #[tokio::test]
    async fn figures_agree_with_each_other() {
        let report = run(PLAN, &Arc::default()).await.unwrap();
        let search = &report.search;
        assert_eq!((search.samples, report.work.probes, report.gallery.rows), (20, 40, 300));
        assert_eq!(report.gallery.code_bytes, 304 * 32);
        assert!(search.least_ms <= search.mean_ms && search.mean_ms <= search.most_ms);
        let values: Vec<Option<f64>> = search.percentiles_ms.iter().map(|one| one.value).collect();
        // Twenty samples reach as far as p95.
        assert!(values[0].is_some() && values[1].is_some() && values[2..] == [None, None], "{values:?}");
        assert!((search.comparisons_a_second / search.probes_a_second - 300.0).abs() < 1e-6);
        assert!((search.share_of_reading * search.read_bytes_a_second / search.code_bytes_a_second - 1.0).abs() < 1e-9);
        assert_eq!(report.back_end, NaiveScorer.name());
        let opening = report.opening;
        assert!(opening.open_ms > 0.0 && opening.first_answer_ms > 0.0 && opening.first_read_ms > 0.0, "{opening:?}");
    }

    #[test]
    fn one_slow_round_does_not_count() {
        assert_eq!(median(vec![5.0, 900.0, 3.0, 4.0, 6.0]), 5.0);
        assert_eq!(median(Vec::new()), 0.0);
    }

    #[tokio::test]
    async fn what_cannot_be_measured_is_refused() {
        for plan in [
            Plan { probes: 0, ..PLAN },
            Plan { probes: 513, ..PLAN },
            Plan { k: 0, ..PLAN },
            Plan { k: 20_000, ..PLAN },
            Plan { repeat: 0, ..PLAN },
        ] {
            let error = run(plan, &Arc::default()).await.unwrap_err();
            assert!(matches!(error, LatencyError::Figure { .. }), "{plan:?}: {error}");
        }
        let stop = Arc::new(Stop::default());
        stop.ask();
        assert!(matches!(run(PLAN, &stop).await, Err(LatencyError::Stopped)));
    }

    #[tokio::test]
    async fn time_runs_out_after_three_samples_at_the_earliest() {
        let report = run(Plan { repeat: 1_000_000, seconds_max: 0, ..PLAN }, &Arc::default()).await.unwrap();
        assert_eq!(report.search.samples, 3);
    }
}
