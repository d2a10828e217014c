//! Rounds over the same probes until each is complete or has more survivors than anyone keeps.

use std::time::Instant;

use crate::gpu::GpuOptions;
use crate::gpu::card::Card;
use crate::gpu::kernels::{Kernel, ROWS_PROBES_MAX};
use crate::gpu::key::{sortable, unsortable};
use crate::gpu::matrix::Matrices;
use crate::gpu::pace::{Pace, Worker};
use crate::gpu::pipeline::Pipelines;
use crate::gpu::plan::{self, Bounds, Step};
use crate::gpu::residency::RunCopy;
use crate::gpu::round::{self, Found, Mark, Numbered, Place, Round, Workspace};
use crate::gpu::shard::Shard;
use crate::gpu::stream::{Part, Slots};
use crate::gpu::tiling::{TILED_ROWS, block_bytes, tiled_blocks};
use crate::vector::coarse::{CoarseError, Survivor, Sweep};
use crate::vector::layout;
use crate::vector::rows::{GalleryRows, Rows};

/// Survivors of one probe whose scores the host works out again after a round of K3.
const AUDITED_MAX: usize = 16;

/// A run to sweep: its place in the gallery and among the rows of the sweep, and its copy; without one it is streamed.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) number: u32,
    pub(super) first_block: usize,
    pub(super) run: &'a dyn Rows,
    pub(super) copy: Option<&'a RunCopy>,
}

/// Some probes and all that is needed to sweep them.
pub(super) struct Attempt<'a> {
    pub(super) card: &'a Card,
    pub(super) options: &'a GpuOptions,
    pub(super) pipelines: &'a mut Pipelines,
    pub(super) space: &'a mut Workspace,
    pub(super) slots: &'a mut Slots,
    pub(super) matrices: &'a mut Matrices,
    pub(super) pace: &'a mut Pace,
    pub(super) gallery: &'a GalleryRows,
    pub(super) targets: &'a [Target<'a>],
    pub(super) room: usize,
    /// Survivors of one probe, at most, in this sweep.
    pub(super) survivors_total_max: usize,
}

impl<'a> Attempt<'a> {
    /// Sweeps of all probes; those that overflow the quick way are repaired.
    pub(super) fn until_complete(&mut self, codes: &[&[i8]], marks: &[Mark]) -> Result<Vec<Sweep>, CoarseError> {
        let k = marks.iter().map(|mark| mark.k as usize).max().filter(|&k| k > 0);
        let room = self.room;
        let found = self.score(codes, marks, room, |blocks, dispatch_blocks| {
            plan::steps(blocks, &Bounds { room, k, dispatch_blocks })
        })?;
        let mut sweeps = Vec::with_capacity(codes.len());
        let mut open = Vec::new();
        let mut open_marks = Vec::new();
        for (&codes, found) in codes.iter().zip(found) {
            if found.mark.overflowed == 0 {
                sweeps.push(Some(self.complete(found.mark.level, &found.kept)));
            } else {
                sweeps.push(None);
                open.push(codes);
                open_marks.push(Mark { overflowed: 0, ..found.mark });
            }
        }
        let mut repaired = self.repair(&open, open_marks)?.into_iter();
        Ok(sweeps.into_iter().map(|sweep| sweep.or_else(|| repaired.next()).unwrap_or(Sweep::Overflowed)).collect())
    }

    /// One round that scores, by the kernel for so many probes. What K3 finds is audited, and scored again by K2 if it fails.
    pub(super) fn score(
        &mut self,
        codes: &[&[i8]],
        marks: &[Mark],
        room: usize,
        steps: impl Fn(&[usize], usize) -> Vec<Step>,
    ) -> Result<Vec<Found>, CoarseError> {
        let Some(dimension) = codes.first().map(|codes| codes.len()) else { return Ok(Vec::new()) };
        let matrix = if codes.len() > ROWS_PROBES_MAX {
            self.matrices.for_dimension(self.card, self.pipelines, dimension)?
        } else {
            None
        };
        let kernel = Kernel::for_probes(codes.len(), dimension, self.card.workgroup_bytes, matrix);
        let found = self.score_by(kernel, codes, marks, room, &steps)?;
        if !matches!(kernel, Kernel::Matrix(_)) || self.audited(codes, &found) {
            return Ok(found);
        }
        self.matrices.give_up(self.card, "gave another score than the host in use".to_owned());
        self.score_by(Kernel::Tiles, codes, marks, room, &steps)
    }

    fn score_by(
        &mut self,
        kernel: Kernel,
        codes: &[&[i8]],
        marks: &[Mark],
        room: usize,
        steps: &impl Fn(&[usize], usize) -> Vec<Step>,
    ) -> Result<Vec<Found>, CoarseError> {
        let Some(dimension) = codes.first().map(|codes| codes.len()) else { return Ok(Vec::new()) };
        let pipeline = self.pipelines.score(self.card, dimension, kernel)?;
        let shards = self.shards();
        let products = self.pace.products(Worker::Score(kernel));
        let (tile, blocks_per_workgroup) = (kernel.tile(), kernel.blocks_per_workgroup());
        let padded = codes.len().next_multiple_of(tile);
        let dispatch_blocks = plan::dispatch_blocks(products, dimension, padded, blocks_per_workgroup);
        let steps = steps(&blocks_of(&shards), dispatch_blocks);
        let round = Round {
            pipeline: &pipeline,
            dimension,
            tile,
            blocks_per_workgroup,
            counts_per_probe: 1,
            products_per_submission: products,
            probes: codes,
            marks,
            room,
            steps: &steps,
            shards: &shards,
        };
        let start = Instant::now();
        let found = self.card.guarded(|| round::run(self.card, self.pipelines, self.space, self.slots, &round))?;
        self.learn(Worker::Score(kernel), &steps, dimension * padded, start);
        Ok(found)
    }

    /// Takes note of how long some steps took. Those that were streamed waited for the host.
    pub(super) fn learn(&mut self, worker: Worker, steps: &[Step], products_per_row: usize, start: Instant) {
        if self.targets.iter().all(|target| target.copy.is_some()) {
            let blocks: usize = steps.iter().map(step_blocks).sum();
            self.pace.learn(worker, (blocks * block_bytes(products_per_row)) as u64, start.elapsed());
        }
    }

    /// All shards of the sweep, numbered.
    pub(super) fn shards(&self) -> Vec<Numbered<'a>> {
        let mut shards = Vec::new();
        // At most 2^32 rows are numbered (engine.rs), so the first id of a shard fits.
        let id = |target: &Target<'_>, block: usize| ((target.first_block + block) * TILED_ROWS) as u32;
        for target in self.targets {
            let blocks = tiled_blocks(target.run.len());
            if let Some(copy) = target.copy {
                let held =
                    |shard: &'a Shard| Numbered { place: Place::Held(shard), first_id: id(target, shard.first_block) };
                shards.extend(copy.shards.iter().map(held));
            } else {
                let step = self.slots.blocks().max(1);
                shards.extend((0..blocks).step_by(step).map(|first_block| {
                    let part = Part { run: target.run, first_block, blocks: step.min(blocks - first_block) };
                    Numbered { place: Place::Streamed(part), first_id: id(target, first_block) }
                }));
            }
        }
        shards
    }

    /// The sweep that a list stands for.
    fn complete(&self, level: u32, kept: &[[u32; 2]]) -> Sweep {
        Sweep::Complete { survivors: self.survivors(kept).collect(), cut: unsortable(level) }
    }

    /// Rows of a list by run. Those that the host knows to be dead are left out, should the copy not know it yet.
    pub(super) fn survivors(&self, kept: &[[u32; 2]]) -> impl Iterator<Item = Survivor> {
        kept.iter().filter_map(|&[key, id]| {
            let (target, row) = self.locate(id)?;
            let live = self.gallery.get(target.number as usize).is_some_and(|run| run.is_live(row as usize));
            live.then_some(Survivor { run: target.number, row, coarse: unsortable(key) })
        })
    }

    fn locate(&self, id: u32) -> Option<(&Target<'a>, u32)> {
        let at = self.targets.partition_point(|target| target.first_block * TILED_ROWS <= id as usize);
        let target = self.targets.get(at.checked_sub(1)?)?;
        Some((target, id - (target.first_block * TILED_ROWS) as u32))
    }

    /// Whether the scores of some survivors of each probe are those of plain integers.
    fn audited(&self, codes: &[&[i8]], found: &[Found]) -> bool {
        let mut row_codes = vec![0; codes.first().map_or(0, |codes| codes.len())];
        codes.iter().zip(found).all(|(probe, found)| {
            let step = found.kept.len().div_ceil(AUDITED_MAX).max(1);
            found.kept.iter().step_by(step).all(|&[key, id]| {
                let Some((target, row)) = self.locate(id) else { return false };
                let Some(scale) = target.run.scales().get(row as usize) else { return false };
                if !target.run.is_live(row as usize) {
                    // Overwritten here, perhaps not there yet.
                    return true;
                }
                layout::take_row(target.run.codes(), row as usize, &mut row_codes);
                let dot: i32 = row_codes.iter().zip(*probe).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
                sortable(dot as f32 * scale) == key
            })
        })
    }
}

/// Blocks of each shard.
pub(super) fn blocks_of(shards: &[Numbered<'_>]) -> Vec<usize> {
    shards.iter().map(Numbered::blocks).collect()
}

fn step_blocks(step: &Step) -> usize {
    match step {
        Step::Score { shard: _, blocks } => blocks.len(),
        Step::Select => 0,
    }
}
