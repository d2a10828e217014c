//! The recall audit: members of the segment are made into probes of known difficulty, and the graph's best candidate is
//! held against the exhaustive search's.
//!
//! A probe has a given cosine to its member (its mate) and leans away from it in a direction mixed at random from other
//! members, so that it varies as the gallery's templates do and not evenly in all directions. Three difficulties: near
//! frontal pictures, ordinary ones, and such as surveillance cameras give; a graph loses the last first
//! (`docs/GRAPH_FORMAT.md` has figures). What is counted is the first candidate: a graph that misses the mate did not come
//! by it at all, so a longer list would not have helped.

use crate::base::limits::PROBES_PER_SEARCH_MAX;
use crate::base::random::Stream;
use crate::graph::GraphError;
use crate::graph::build::{Step, Watch};
use crate::graph::codes::CodedProbe;
use crate::graph::curve::{Curve, Measured};
use crate::graph::search::best_of;
use crate::graph::walk::{Scratch, Terrain};
use crate::scoring::apart;
use crate::vector::rows::GalleryRows;
use crate::vector::scorer::Scorer;
use crate::vector::template::Template;
use crate::vector::topk::Scored;

/// Cosines between probe and mate: middles of what good pictures, ordinary ones and surveillance cameras give.
pub const MATE_COSINES: [f32; 3] = [0.60, 0.42, 0.34];
/// The ef that are audited, ascending.
pub const EFS: [u32; 8] = [50, 100, 200, 400, 800, 1600, 3200, 6400];
/// Members that noise is mixed from.
const NOISE_MEMBERS: u64 = 512;
/// Probes between two looks at the cancellation.
const ROUND: usize = 256;

/// How much is audited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// Probes at each difficulty.
    pub probes: usize,
    /// Seed of members and noise.
    pub seed: u64,
    /// Threads, at least 1.
    pub threads: usize,
}

impl Default for Extent {
    fn default() -> Self {
        Self { probes: 1000, seed: 1, threads: 1 }
    }
}

/// Measures a graph over the one run of `gallery`.
///
/// # Errors
/// [`GraphError::Cancelled`], [`GraphError::Score`] when the exhaustive search fails, [`GraphError::Empty`].
pub fn audit(
    gallery: &GalleryRows,
    terrain: Terrain<'_>,
    exhaustive: &dyn Scorer,
    extent: Extent,
    watch: &Watch<'_>,
) -> Result<Curve, GraphError> {
    let maker = ProbeMaker::new(gallery, extent.seed)?;
    let mut lines = Vec::new();
    let total = (extent.probes * MATE_COSINES.len()) as u64;
    let mut done = 0;
    for (number, mate_cosine) in (0_u64..).zip(MATE_COSINES) {
        let mut agreed = [0_u32; EFS.len()];
        for first in (0..extent.probes).step_by(ROUND.min(PROBES_PER_SEARCH_MAX)) {
            watch.check()?;
            let count = ROUND.min(extent.probes - first) as u64;
            let streams = (0..count).map(|probe| number << 32 | (first as u64 + probe));
            let probes: Vec<Template> = streams.filter_map(|stream| maker.probe(stream, mate_cosine)).collect();
            let right = exhaustive.top_k(gallery, &probes, 1)?.lists;
            let counts = compare(gallery, terrain, &probes, &right, extent.threads);
            agreed.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
            done += count;
            (watch.progress)(Step::Auditing { done, probes: total });
        }
        let probes = extent.probes as u32;
        lines.extend(EFS.iter().zip(agreed).map(|(&ef, agreed)| Measured { ef, mate_cosine, agreed, probes }));
    }
    Ok(Curve { seed: extent.seed, lines })
}

/// For how many probes the graph's first candidate is the right one, at each ef.
fn compare(
    gallery: &GalleryRows,
    terrain: Terrain<'_>,
    probes: &[Template],
    right: &[Vec<Scored>],
    threads: usize,
) -> [u32; EFS.len()] {
    let parts = apart(threads, probes.len().min(right.len()), |jobs| {
        let mut agreed = [0; EFS.len()];
        let mut scratch = Scratch::default();
        for (probe, right) in jobs.filter_map(|job| Some((probes.get(job)?, right.get(job)?))) {
            let coded = CodedProbe::of(probe);
            for (ef, sum) in EFS.iter().zip(&mut agreed) {
                let best = gallery.first().and_then(|run| best_of(run.as_ref(), terrain, &coded, *ef, &mut scratch));
                // By score, not by id: of two equal templates either will do.
                let same = right.first().is_none_or(|right| best.is_some_and(|best| best.score >= right.score));
                *sum += u32::from(same);
            }
        }
        agreed
    });
    let mut sums = [0; EFS.len()];
    for part in parts {
        sums.iter_mut().zip(part).for_each(|(sum, count)| *sum += count);
    }
    sums
}

/// Makes probes out of members.
struct ProbeMaker<'a> {
    gallery: &'a GalleryRows,
    seed: u64,
    live: Vec<u32>,
    noise: Vec<Vec<f32>>,
}

impl<'a> ProbeMaker<'a> {
    fn new(gallery: &'a GalleryRows, seed: u64) -> Result<Self, GraphError> {
        let run = gallery.first().ok_or(GraphError::Empty)?;
        let live: Vec<u32> = (0..run.len() as u32).filter(|&row| run.is_live(row as usize)).collect();
        if live.is_empty() {
            return Err(GraphError::Empty);
        }
        let mut maker = Self { gallery, seed, live, noise: Vec::new() };
        let mut stream = Stream::new(seed, u64::MAX);
        maker.noise = (0..NOISE_MEMBERS).map(|_| maker.member(&mut stream)).collect();
        Ok(maker)
    }

    fn member(&self, stream: &mut Stream) -> Vec<f32> {
        let place = (stream.uniform() * self.live.len() as f64) as usize;
        let row = self.live.get(place).copied().unwrap_or(0) as usize;
        let Some(run) = self.gallery.first() else { return Vec::new() };
        let mut original = vec![0.0; run.dimension().get()];
        run.original(row, &mut original);
        original
    }

    /// A probe at `cosine` from a member; both depend on `number` only. `None` when the member is no direction.
    fn probe(&self, number: u64, cosine: f32) -> Option<Template> {
        let mut stream = Stream::new(self.seed, number);
        let mate = Template::from_raw(&self.member(&mut stream)).ok()?;
        // A little of every direction, in case all members lie in a few.
        let mut away: Vec<f32> = mate.values().iter().map(|_| 0.01 * stream.normal()).collect();
        for other in &self.noise {
            let weight = stream.normal();
            away.iter_mut().zip(other).for_each(|(sum, value)| *sum += weight * value);
        }
        let along: f32 = away.iter().zip(mate.values()).map(|(a, b)| a * b).sum();
        away.iter_mut().zip(mate.values()).for_each(|(value, mate)| *value -= along * mate);
        let away = Template::from_raw(&away).ok()?;
        let across = (1.0 - cosine * cosine).sqrt();
        let mixed = mate.values().iter().zip(away.values()).map(|(mate, away)| cosine * mate + across * away);
        Template::from_raw(&mixed.collect::<Vec<f32>>()).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::base::ids::TemplateId;
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;
    use crate::vector::rows::Rows;
    use crate::vector::score::exact_score;

    #[test]
    fn probes_have_the_cosine_that_was_asked_for() {
        let mut rows = MemoryRows::new(Dimension::new(64).unwrap());
        for id in 0..300 {
            let mut stream = Stream::new(5, id);
            let raw: Vec<f32> = (0..64).map(|_| stream.normal()).collect();
            rows.push(TemplateId(id), Template::from_raw(&raw).unwrap().values());
        }
        let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(rows)];
        let maker = ProbeMaker::new(&gallery, 3).unwrap();
        for cosine in MATE_COSINES {
            for number in 0..50 {
                let probe = maker.probe(number, cosine).unwrap();
                let mate = maker.member(&mut Stream::new(3, number));
                assert!((exact_score(probe.values(), &mate) - cosine).abs() < 1e-4);
                assert_eq!(maker.probe(number, cosine).unwrap(), probe, "the same probe every time");
            }
        }
    }
}
