//! Sweeps of runs that are on the device, or pass through it.

use wgpu::BindGroupLayout;

use crate::base::limits::SURVIVORS_PER_SWEEP_MAX;
use crate::gpu::GpuOptions;
use crate::gpu::attempt::{Attempt, Target};
use crate::gpu::card::Card;
use crate::gpu::kernels::Kernel;
use crate::gpu::key::{KEEP_ALL, sortable};
use crate::gpu::matrix::Matrices;
use crate::gpu::pace::{Pace, Worker};
use crate::gpu::pipeline::Pipelines;
use crate::gpu::residency::{Copies, bytes_of, is_whole};
use crate::gpu::round::{Mark, Workspace};
use crate::gpu::stream::{Slots, slot_blocks};
use crate::gpu::tiling::{TILED_ROWS, tiled_blocks};
use crate::gpu::width::probes_of_round;
use crate::vector::coarse::{CoarseError, Cut, Sweep};
use crate::vector::codec::Code;
use crate::vector::rows::{GalleryRows, Residency, Rows};

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
    pub(super) slots: Slots,
    pub(super) matrices: Matrices,
    pub(super) pace: Pace,
    /// Rounds begun, each of which reads every code of its gallery.
    pub(super) rounds: u64,
    space: Workspace,
}

/// What status says of an engine.
#[derive(Debug, Clone, Default)]
pub(super) struct Figures {
    pub(super) resident_bytes: u64,
    pub(super) resident_runs: usize,
    pub(super) resident_rows: u64,
    pub(super) rounds: u64,
    pub(super) streamed_rows: u64,
    pub(super) cooperative_matrices: String,
}

/// How a run that the device scores gets there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It has a copy.
    Held,
    /// Through the slots.
    Streamed,
}

/// What the device is to hold of a gallery.
pub(super) struct Plan<'a> {
    /// Runs that the device may score, and how.
    ways: Vec<(u32, &'a dyn Rows, Way)>,
    /// Tokens of those that are to be held.
    pub(super) wanted: Vec<*const Residency>,
    dimension: usize,
    /// Blocks of a slot for the rest, and the memory that the slots take.
    slot: usize,
    pub(super) reserved: u64,
}

impl<'a> Plan<'a> {
    /// Runs that are to be held, in their order.
    pub(super) fn held(&self) -> impl Iterator<Item = &'a dyn Rows> {
        self.ways.iter().filter(|way| way.2 == Way::Held).map(|way| way.1)
    }
}

impl Engine {
    /// Compiles what does not depend on the dimension. No limit to copies until one is set, and no matrices: the self-test is
    /// of K1 and K2, to which K3 is held afterwards.
    pub(super) fn new(card: &Card) -> Result<Self, CoarseError> {
        Ok(Self {
            copies: Copies::new(u64::MAX),
            pipelines: Pipelines::new(card)?,
            slots: Slots::default(),
            matrices: Matrices::none_yet(),
            pace: Pace::new(card.info.device_type),
            rounds: 0,
            space: Workspace::default(),
        })
    }

    /// Decides which runs of `gallery` the device is to hold. Where all fit the budget all get copies, and those of other
    /// galleries make room. Where they don't, the first ones do. `None` when none of them is the device's business.
    pub(super) fn plan<'a>(&mut self, card: &Card, options: &GpuOptions, gallery: &'a GalleryRows) -> Option<Plan<'a>> {
        self.copies.forget_gone(card);
        self.copies.begin();
        let candidates = candidates(gallery);
        let dimension = candidates.first().map(|(_, run)| run.dimension().get())?;
        let budget = self.copies.memory_max_bytes();
        let all: u64 = candidates.iter().map(|(_, run)| bytes_of(*run)).fold(0, u64::saturating_add);
        let mut slot = 0;
        if all > budget {
            slot = slot_blocks(options.stream_bytes_max, card.shard_max_bytes, budget, dimension);
        }
        let reserved = Slots::bytes_for(slot, dimension);
        if slot == 0 {
            self.slots.drop_all(card);
        }
        let (mut room, mut wanted) = (budget.saturating_sub(reserved), Vec::new());
        let mut ways = Vec::with_capacity(candidates.len());
        for &(number, run) in &candidates {
            let refused = run.residency().is_some_and(|token| self.copies.is_refused(token));
            let fits = bytes_of(run) <= room && !refused;
            if fits {
                room -= bytes_of(run);
                wanted.extend(run.residency().map(std::sync::Arc::as_ptr));
            }
            ways.push((number, run, if fits { Way::Held } else { Way::Streamed }));
        }
        Some(Plan { ways, wanted, dimension, slot, reserved })
    }

    /// Brings what the device is to hold there, for a search for so many probes, and says how the device gets each run that
    /// it scores. What it does not hold passes through the slots when there are enough probes for that to be worth it. All
    /// others are the host's.
    pub(super) fn arrange(
        &mut self,
        card: &Card,
        options: &GpuOptions,
        gallery: &GalleryRows,
        probes: usize,
    ) -> Result<Vec<(u32, Way)>, CoarseError> {
        let Some(mut plan) = self.plan(card, options, gallery) else { return Ok(Vec::new()) };
        let streamed = |plan: &Plan<'_>| plan.ways.iter().any(|way| way.2 == Way::Streamed);
        let streams = plan.slot > 0 && probes >= options.stream_probes_min && streamed(&plan);
        let layout = self.pipelines.shard_layout.clone();
        self.hold(card, &layout, &mut plan)?;
        if streams && self.copies.make_room(card, plan.reserved, &plan.wanted) {
            card.guarded(|| {
                self.slots.make(card, &layout, plan.dimension, plan.slot);
                Ok(())
            })?;
        }
        let streams = streams && self.slots.bytes() > 0;
        Ok(plan
            .ways
            .into_iter()
            .filter(|&(_, _, way)| way == Way::Held || streams)
            .map(|(number, _, way)| (number, way))
            .collect())
    }

    /// What the device scores of `gallery` while somebody else brings the rest: the runs that it holds, up to date.
    pub(super) fn present(&mut self, card: &Card, gallery: &GalleryRows) -> Result<Vec<(u32, Way)>, CoarseError> {
        self.copies.begin();
        let layout = self.pipelines.shard_layout.clone();
        let mut ways = Vec::new();
        for (number, run) in candidates(gallery) {
            if self.copies.of(run).is_some() && self.copies.ensure(card, &layout, run)? {
                ways.push((number, Way::Held));
            }
        }
        Ok(ways)
    }

    /// Whether `run` is still to be brought: it is not there, and there is room beside what is reserved, perhaps made.
    pub(super) fn wants(
        &mut self,
        card: &Card,
        run: &dyn Rows,
        wanted: &[*const Residency],
        reserved: u64,
    ) -> Result<bool, CoarseError> {
        if self.copies.of(run).is_some() {
            let layout = self.pipelines.shard_layout.clone();
            return self.copies.ensure(card, &layout, run).map(|_held| false);
        }
        Ok(self.copies.make_room(card, bytes_of(run).saturating_add(reserved), wanted))
    }

    /// For status.
    pub(super) fn figures(&self) -> Figures {
        let (resident_runs, resident_rows) = self.copies.count();
        Figures {
            resident_bytes: self.copies.bytes() + self.slots.bytes(),
            resident_runs,
            resident_rows,
            rounds: self.rounds,
            streamed_rows: self.slots.rows_sent(),
            cooperative_matrices: self.matrices.describe(),
        }
    }

    /// Gives back all that rows are in.
    pub(super) fn forget_all(&mut self, card: &Card) {
        self.copies.forget_all(card);
        self.slots.drop_all(card);
    }

    /// Brings the runs that are to be held onto the device; those that the driver refuses are streamed instead.
    fn hold(&mut self, card: &Card, layout: &BindGroupLayout, plan: &mut Plan<'_>) -> Result<(), CoarseError> {
        for (_, run, way) in plan.ways.iter_mut().filter(|(_, _, way)| *way == Way::Held) {
            let more = if self.copies.of(*run).is_some() { 0 } else { bytes_of(*run) };
            let held = self.copies.make_room(card, more.saturating_add(plan.reserved), &plan.wanted)
                && self.copies.ensure(card, layout, *run)?;
            if !held {
                *way = Way::Streamed;
            }
        }
        Ok(())
    }

    /// Products that a submission of a long round may ask for, by the kernel that scores it.
    pub(super) fn long_products(&self) -> u64 {
        self.pace.products(Worker::Score(self.matrices.in_use().map_or(Kernel::Tiles, Kernel::Matrix)))
    }

    /// Most probes of one round for lists of `k`.
    pub(super) fn probes_of_round(card: &Card, options: &GpuOptions, k: usize) -> usize {
        probes_of_round(card, options, room(options, &[mark_of(&Cut::Within { k, slack: 0.0 })]))
    }

    /// Sweeps runs of `gallery` that [`Self::arrange`] named. One result a probe.
    pub(super) fn sweep(
        &mut self,
        card: &Card,
        options: &GpuOptions,
        gallery: &GalleryRows,
        arranged: &[(u32, Way)],
        (probes, cuts): (&[Code], &[Cut]),
    ) -> Result<Vec<Sweep>, CoarseError> {
        let targets = targets(&self.copies, gallery, arranged);
        let mut sweeps = Vec::with_capacity(probes.len());
        let all: Vec<Mark> = cuts.iter().map(mark_of).collect();
        let at_once = probes_of_round(card, options, room(options, &all));
        // All survivors of all probes are kept until the end.
        let survivors_total_max = options.survivors_total_max.min(SURVIVORS_PER_SWEEP_MAX / probes.len().max(1));
        for (probes, cuts) in probes.chunks(at_once).zip(cuts.chunks(at_once)) {
            let codes: Vec<&[i8]> = probes.iter().map(|probe| probe.codes.as_slice()).collect();
            let marks: Vec<Mark> = cuts.iter().map(mark_of).collect();
            let room = room(options, &marks).min(survivors_total_max.max(TILED_ROWS));
            let mut attempt = Attempt {
                card,
                options,
                pipelines: &mut self.pipelines,
                space: &mut self.space,
                slots: &mut self.slots,
                matrices: &mut self.matrices,
                pace: &mut self.pace,
                gallery,
                targets: &targets,
                room,
                survivors_total_max,
            };
            self.rounds += 1;
            sweeps.extend(attempt.until_complete(&codes, &marks)?);
        }
        Ok(sweeps)
    }
}

/// Runs that the device may score: with a token, with rows, whole, and as many as row ids can number.
fn candidates(gallery: &GalleryRows) -> Vec<(u32, &dyn Rows)> {
    let mut blocks = 0_usize;
    let mut candidates = Vec::new();
    for (number, run) in (0_u32..).zip(gallery) {
        let more = tiled_blocks(run.len());
        let fits = blocks.saturating_add(more) <= BLOCKS_MAX;
        if run.residency().is_some() && !run.is_empty() && is_whole(run.as_ref()) && fits {
            blocks += more;
            candidates.push((number, run.as_ref()));
        }
    }
    candidates
}

fn targets<'a>(copies: &'a Copies, gallery: &'a GalleryRows, arranged: &[(u32, Way)]) -> Vec<Target<'a>> {
    let mut targets = Vec::with_capacity(arranged.len());
    let mut first_block = 0;
    for &(number, way) in arranged {
        let Some(run) = gallery.get(number as usize).map(AsRef::as_ref) else { continue };
        let copy = match way {
            Way::Held => copies.of(run),
            Way::Streamed => None,
        };
        targets.push(Target { number, first_block, run, copy });
        first_block += tiled_blocks(run.len());
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
