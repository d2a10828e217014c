//! Sweeps of runs that are on the device.

use crate::gpu::GpuOptions;
use crate::gpu::card::Card;
use crate::gpu::key::{KEEP_ALL, sortable, unsortable};
use crate::gpu::pipeline::Pipelines;
use crate::gpu::plan::{self, Bounds, Step};
use crate::gpu::residency::{Copies, RunCopy, Shard};
use crate::gpu::round::{self, Found, Mark, Numbered, Round, Workspace};
use crate::gpu::tiling::TILED_ROWS;
use crate::vector::coarse::{CoarseError, Cut, Survivor, Sweep};
use crate::vector::codec::Code;
use crate::vector::rows::GalleryRows;

/// Lists have at least this room, and [`ROOM_PER_RANK`] entries for each rank asked for, as far as the options allow.
const ROOM_MIN: usize = 16_384;
const ROOM_PER_RANK: usize = 32;
/// Widest slack: scores are far below it, and the difference stays finite.
const SLACK_MAX: f32 = 1e30;
/// Ids of rows are 32 bits wide.
const BLOCKS_MAX: usize = (1 << 32) / TILED_ROWS;

/// What the device holds for sweeps.
pub(super) struct Engine {
    pub(super) copies: Copies,
    pub(super) pipelines: Pipelines,
    space: Workspace,
}

/// A run to sweep: its place in the gallery, and its copy.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    run: u32,
    first_block: usize,
    copy: &'a RunCopy,
}

impl Engine {
    /// Compiles what does not depend on the dimension. No limit to copies until one is set.
    pub(super) fn new(card: &Card) -> Result<Self, CoarseError> {
        Ok(Self { copies: Copies::new(u64::MAX), pipelines: Pipelines::new(card)?, space: Workspace::default() })
    }

    /// Sweeps the runs of `gallery` whose numbers are in `resident`, all of which have a copy here. One result a probe.
    pub(super) fn sweep(
        &mut self,
        card: &Card,
        options: &GpuOptions,
        gallery: &GalleryRows,
        resident: &[u32],
        (probes, cuts): (&[Code], &[Cut]),
    ) -> Result<Vec<Sweep>, CoarseError> {
        let targets = targets(&self.copies, gallery, resident);
        let mut sweeps = Vec::with_capacity(probes.len());
        let at_once = options.probes_per_round_max.max(1);
        for (probes, cuts) in probes.chunks(at_once).zip(cuts.chunks(at_once)) {
            let codes: Vec<&[i8]> = probes.iter().map(|probe| probe.codes.as_slice()).collect();
            let marks: Vec<Mark> = cuts.iter().map(mark_of).collect();
            let room = room(options, &marks);
            let mut attempt = Attempt {
                card,
                pipelines: &mut self.pipelines,
                space: &mut self.space,
                gallery,
                targets: &targets,
                room,
            };
            sweeps.extend(attempt.until_complete(&codes, marks)?);
        }
        Ok(sweeps)
    }
}

/// Whether so many more blocks can be numbered after `blocks`.
pub(super) fn can_number(blocks: usize, more: usize) -> bool {
    blocks.saturating_add(more) <= BLOCKS_MAX
}

fn targets<'a>(copies: &'a Copies, gallery: &GalleryRows, resident: &[u32]) -> Vec<Target<'a>> {
    let mut targets = Vec::with_capacity(resident.len());
    let mut first_block = 0;
    for &run in resident {
        let copy = gallery.get(run as usize).and_then(|rows| copies.of(rows.as_ref()));
        if let Some(copy) = copy {
            targets.push(Target { run, first_block, copy });
            first_block += copy.blocks();
        }
    }
    targets
}

fn mark_of(cut: &Cut) -> Mark {
    match *cut {
        Cut::Within { k, slack } => {
            // A slack that is no number keeps everything.
            let slack = if slack.is_nan() { SLACK_MAX } else { slack.clamp(0.0, SLACK_MAX) };
            Mark { level: KEEP_ALL, k: u32::try_from(k.max(1)).unwrap_or(u32::MAX), slack, overflowed: 0 }
        }
        // Adding zero makes a negative zero positive: the two are equal as scores, not as keys.
        Cut::AtLeast(level) => Mark { level: sortable(level + 0.0), k: 0, slack: 0.0, overflowed: 0 },
    }
}

fn room(options: &GpuOptions, marks: &[Mark]) -> usize {
    let k = marks.iter().map(|mark| mark.k as usize).max().unwrap_or(0);
    k.saturating_mul(ROOM_PER_RANK)
        .checked_next_power_of_two()
        .unwrap_or(usize::MAX)
        .max(ROOM_MIN)
        .min(options.survivors_max)
        .max(1)
}

/// Rounds over the same probes until all are complete or hopeless.
struct Attempt<'a> {
    card: &'a Card,
    pipelines: &'a mut Pipelines,
    space: &'a mut Workspace,
    gallery: &'a GalleryRows,
    targets: &'a [Target<'a>],
    room: usize,
}

impl Attempt<'_> {
    /// Sweeps of all probes. A probe that overflows is swept once more by the careful plan, from the level that was found,
    /// which is a lower bound of the right one. A given level can't be raised, so it gets no second sweep.
    fn until_complete(&mut self, codes: &[&[i8]], mut marks: Vec<Mark>) -> Result<Vec<Sweep>, CoarseError> {
        let mut sweeps = vec![Sweep::Overflowed; codes.len()];
        let mut open: Vec<usize> = (0..codes.len()).collect();
        for careful in [false, true] {
            let these: Vec<&[i8]> = open.iter().filter_map(|&probe| codes.get(probe).copied()).collect();
            let found = self.once(&these, &marks, careful)?;
            marks.clear();
            for (probe, found) in std::mem::take(&mut open).into_iter().zip(found) {
                if found.mark.overflowed == 0 {
                    if let Some(sweep) = sweeps.get_mut(probe) {
                        *sweep = complete(self.gallery, self.targets, &found);
                    }
                } else if (1..=self.room).contains(&(found.mark.k as usize)) {
                    open.push(probe);
                    marks.push(Mark { overflowed: 0, ..found.mark });
                }
            }
            if open.is_empty() {
                break;
            }
        }
        Ok(sweeps)
    }

    /// One round.
    fn once(&mut self, codes: &[&[i8]], marks: &[Mark], careful: bool) -> Result<Vec<Found>, CoarseError> {
        let shards: Vec<Numbered<'_>> =
            self.targets.iter().flat_map(|target| target.copy.shards.iter().map(number(target))).collect();
        let Some(dimension) = codes.first().map(|codes| codes.len()) else { return Ok(Vec::new()) };
        let tile = Pipelines::tile(codes.len());
        let score = self.pipelines.score(self.card, dimension, tile)?;
        let padded = codes.len().next_multiple_of(tile);
        let steps = self.steps(
            &shards,
            marks,
            careful,
            plan::dispatch_blocks(self.card.products_per_submission, dimension, padded),
        );
        let (room, steps, shards) = (self.room, steps.as_slice(), shards.as_slice());
        let round = Round { score: &score, dimension, tile, probes: codes, marks, room, steps, shards };
        self.card.guarded(|| round::run(self.card, self.pipelines, self.space, &round))
    }

    fn steps(&self, shards: &[Numbered<'_>], marks: &[Mark], careful: bool, dispatch_blocks: usize) -> Vec<Step> {
        let blocks: Vec<usize> = shards.iter().map(|numbered| numbered.shard.blocks).collect();
        let bounds = Bounds {
            room: self.room,
            k: marks.iter().map(|mark| mark.k as usize).max().filter(|&k| k > 0),
            dispatch_blocks,
            careful,
        };
        plan::steps(&blocks, &bounds)
    }
}

fn number<'a>(target: &Target<'_>) -> impl Fn(&'a Shard) -> Numbered<'a> {
    let run_block = target.first_block;
    // At most 2^32 rows are numbered (`can_number`), so the first id of a shard fits.
    move |shard| Numbered { shard, first_id: ((run_block + shard.first_block) * TILED_ROWS) as u32 }
}

/// The sweep that a list stands for. Rows that the host knows to be dead are left out, should the copy not know it yet.
fn complete(gallery: &GalleryRows, targets: &[Target<'_>], found: &Found) -> Sweep {
    let survivors = found.kept.iter().filter_map(|&[key, id]| {
        let at = targets.partition_point(|target| target.first_block * TILED_ROWS <= id as usize);
        let target = targets.get(at.checked_sub(1)?)?;
        let row = id - (target.first_block * TILED_ROWS) as u32;
        let live = gallery.get(target.run as usize).is_some_and(|run| run.is_live(row as usize));
        live.then_some(Survivor { run: target.run, row, coarse: unsortable(key) })
    });
    Sweep::Complete { survivors: survivors.collect(), cut: unsortable(found.mark.level) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_become_marks() {
        assert_eq!(
            mark_of(&Cut::Within { k: 0, slack: f32::NAN }),
            Mark { level: 0, k: 1, slack: 1e30, overflowed: 0 }
        );
        assert_eq!(mark_of(&Cut::Within { k: 7, slack: -1.0 }).slack, 0.0);
        assert_eq!(mark_of(&Cut::AtLeast(-0.0)).level, sortable(0.0));
    }

    #[test]
    fn room_follows_the_rank_within_the_options() {
        let options = GpuOptions::default();
        let mark = |k| [mark_of(&Cut::Within { k, slack: 0.0 })];
        assert_eq!(room(&options, &mark(1)), 16_384);
        assert_eq!(room(&options, &mark(1000)), 32_768);
        assert_eq!(room(&options, &mark(16_384)), 65_536);
        assert_eq!(room(&GpuOptions { survivors_max: 100, ..options }, &mark(1000)), 100);
    }
}
