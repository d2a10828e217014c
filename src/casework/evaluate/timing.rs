//! How long batches of an evaluation's own probes take, few of them together and many: the searches themselves all come in batches of
//! one size.

use std::sync::Arc;
use std::time::Instant;

use crate::base::ids::GalleryName;
use crate::base::limits::PROBES_PER_SEARCH_MAX;
use crate::casework::evaluate::Watch;
use crate::casework::evaluate::samples::Samples;
use crate::casework::evaluate::searches::{Series, depth};
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::random::Stream;
use crate::evaluation::results::TimedBatches;
use crate::identify::search::best_templates;
use crate::vector::template::Template;

/// Probes scored together.
const BATCHES: [usize; 4] = [1, 8, 64, PROBES_PER_SEARCH_MAX];
/// Seconds for all galleries of an evaluation; one batch of each kind is timed however long it takes.
const SECONDS: f64 = 8.0;
/// Batches of one kind that are timed at most.
const REPEATS_MAX: usize = 25;
/// Keeps these draws apart from others of the same seed.
const TIMING: u64 = 0x71_4E55_714E_5571;

/// Times batches of probes drawn by `seed` against a gallery, `of` of which share the time there is. Lists are as long as those of the
/// evaluation.
///
/// # Errors
/// What scoring says; that it is to end.
pub(super) async fn time(
    desk: &Desk,
    samples: &Arc<dyn Samples>,
    gallery: &GalleryName,
    series: &Series,
    (seed, of): (u64, usize),
    watch: &Watch,
) -> Result<Vec<TimedBatches>, CaseworkError> {
    let snapshot = desk.vault.snapshot(gallery).await?;
    let depth = depth(samples.as_ref(), series)?;
    let templates = drawn(samples.as_ref(), seed)?;
    let share = SECONDS / (of.max(1) * BATCHES.len()) as f64;
    let people = samples.enrolled_of(series.people);
    let mut found = Vec::new();
    for (done, probes) in (0..).zip(BATCHES) {
        let Some(most) = templates.len().checked_sub(probes).map(|others| others + 1) else { break };
        let (began, mut all) = (Instant::now(), Vec::new());
        // The first batch of all finds memory and device cold: it is not counted.
        let cold = usize::from(done == 0);
        for turn in (0..REPEATS_MAX + cold).take_while(|turn| *turn <= cold || began.elapsed().as_secs_f64() < share) {
            watch.at("timing batches", done, BATCHES.len() as u64)?;
            let first = turn * probes % most;
            let asked: Arc<[Template]> = templates.iter().skip(first).take(probes).cloned().collect();
            let asked_at = Instant::now();
            best_templates(&desk.engine.batcher, &snapshot, &series.mode, asked, depth).await?;
            if turn >= cold {
                all.push(asked_at.elapsed().as_secs_f64() * 1e3);
            }
        }
        all.sort_by(f64::total_cmp);
        if let Some(&median_ms) = all.get(all.len() / 2) {
            found.push(TimedBatches { people, probes, batches: all.len() as u64, median_ms });
        }
    }
    Ok(found)
}

/// Templates of as many probes as the largest batch has, drawn with replacement among those that gave one.
fn drawn(samples: &dyn Samples, seed: u64) -> Result<Vec<Template>, CaseworkError> {
    let (mut stream, probes) = (Stream::new(seed, TIMING), u64::from(samples.probes()));
    let mut templates = Vec::with_capacity(PROBES_PER_SEARCH_MAX);
    // Where hardly any probe gave a template, those that did are not sought for ever.
    for _ in 0..8 * PROBES_PER_SEARCH_MAX {
        if templates.len() == PROBES_PER_SEARCH_MAX {
            break;
        }
        let probe = u32::try_from(stream.bits() % probes.max(1)).unwrap_or_default();
        templates.extend(samples.probe(probe)?);
    }
    Ok(templates)
}
