//! One round: some probes ([`crate::gpu::width`] says how many) against all shards, without waiting for the device between steps.

use std::time::{Duration, Instant};

use bytemuck::{Pod, Zeroable};
use wgpu::{
    BindGroup, BindGroupDescriptor, BindGroupEntry, BindingResource, Buffer, BufferBinding, BufferUsages,
    ComputePassDescriptor, ComputePipeline,
};

use crate::gpu::card::Card;
use crate::gpu::pipeline::{PARAMS_BYTES, Pipelines};
use crate::gpu::plan::Step;
use crate::gpu::shard::Shard;
use crate::gpu::stream::{Part, Slots};
use crate::gpu::tiling::block_bytes;
use crate::vector::coarse::CoarseError;

/// Distance of the params of two steps: the largest alignment that any device asks for.
const PARAMS_STRIDE: usize = 256;
/// A slack below which there is no score.
const KEEPS_EVERYTHING: f32 = 1e30;

/// What sets a probe's level; the shaders' `Mark`.
#[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
#[repr(C)]
pub(super) struct Mark {
    /// Rows at or above this are kept, as a sortable score.
    pub(super) level: u32,
    /// The rank that raises the level; 0 for a level that stays.
    pub(super) k: u32,
    /// How far below the k-th best the level is.
    pub(super) slack: f32,
    /// 1 once a list was longer than its room.
    pub(super) overflowed: u32,
}

/// The shaders' `Params`.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Params {
    block_begin: u32,
    block_end: u32,
    first_id: u32,
    room: u32,
}

/// Where the rows of a shard are.
pub(super) enum Place<'a> {
    /// On the device.
    Held(&'a Shard),
    /// On the host; they pass through a slot.
    Streamed(Part<'a>),
}

/// A shard and the id of its first row: rows are numbered through all shards of a sweep, whole blocks each.
pub(super) struct Numbered<'a> {
    /// The shard.
    pub(super) place: Place<'a>,
    /// Id of its first row.
    pub(super) first_id: u32,
}

impl Numbered<'_> {
    /// Its blocks.
    pub(super) fn blocks(&self) -> usize {
        match &self.place {
            Place::Held(shard) => shard.blocks,
            Place::Streamed(part) => part.blocks,
        }
    }
}

/// What is asked of a round.
pub(super) struct Round<'a> {
    /// A pipeline for `dimension` that scores rows, or counts them.
    pub(super) pipeline: &'a ComputePipeline,
    /// Components of a template.
    pub(super) dimension: usize,
    /// Probes of a workgroup.
    pub(super) tile: usize,
    /// Blocks of rows of a workgroup.
    pub(super) blocks_per_workgroup: usize,
    /// Words that are counted for each probe: 1 when scoring.
    pub(super) counts_per_probe: usize,
    /// Products of two codes that a submission may ask for.
    pub(super) products_per_submission: u64,
    /// Codes of each probe.
    pub(super) probes: &'a [&'a [i8]],
    /// One mark a probe.
    pub(super) marks: &'a [Mark],
    /// Entries of a list.
    pub(super) room: usize,
    /// The steps.
    pub(super) steps: &'a [Step],
    /// What the steps' shards are.
    pub(super) shards: &'a [Numbered<'a>],
}

/// A probe's mark after the round, and its list of (sortable score, row id).
pub(super) struct Found {
    /// The mark.
    pub(super) mark: Mark,
    /// The list; empty when the probe overflowed.
    pub(super) kept: Vec<[u32; 2]>,
}

/// Buffers that rounds use one after the other; they grow when a round needs more.
#[derive(Default)]
pub(super) struct Workspace {
    params: Option<Buffer>,
    probes: Option<Buffer>,
    marks: Option<Buffer>,
    counts: Option<Buffer>,
    kept: Option<Buffer>,
    staging: Option<Buffer>,
}

/// Handles of the buffers of one round.
pub(super) struct Bound {
    pub(super) marks: Buffer,
    pub(super) counts: Buffer,
    pub(super) kept: Buffer,
    pub(super) group: BindGroup,
}

impl Round<'_> {
    /// Probes padded to whole tiles. The padding has all-zero codes and a level that nothing reaches.
    fn padded(&self) -> usize {
        self.probes.len().next_multiple_of(self.tile.max(1))
    }
}

/// Does a round that scores. Call inside [`Card::guarded`].
pub(super) fn run(
    card: &Card,
    pipelines: &Pipelines,
    space: &mut Workspace,
    slots: &mut Slots,
    round: &Round<'_>,
) -> Result<Vec<Found>, CoarseError> {
    let bound = bind(card, pipelines, space, round);
    score_and_select(card, pipelines, slots, &bound, round)?;
    let (marks, counts) = read_marks(card, space, &bound, round.probes.len())?;
    read_lists(card, space, &bound, round.room, marks, &counts)
}

/// Does a round that counts; the counts of each probe. Call inside [`Card::guarded`].
pub(super) fn count(
    card: &Card,
    pipelines: &Pipelines,
    space: &mut Workspace,
    slots: &mut Slots,
    round: &Round<'_>,
) -> Result<Vec<Vec<u32>>, CoarseError> {
    let bound = bind(card, pipelines, space, round);
    score_and_select(card, pipelines, slots, &bound, round)?;
    let bytes = (round.probes.len() * round.counts_per_probe * size_of::<u32>()) as u64;
    let staging = staging(space, card, bytes);
    let mut encoder = card.encoder("counts");
    encoder.copy_buffer_to_buffer(&bound.counts, 0, &staging, 0, bytes);
    let words = card.read(&staging, bytes, encoder)?;
    Ok(words.chunks(round.counts_per_probe.max(1)).map(<[u32]>::to_vec).collect())
}

/// Fills the buffers and binds them as group 0.
fn bind(card: &Card, pipelines: &Pipelines, space: &mut Workspace, round: &Round<'_>) -> Bound {
    let mut params = Vec::with_capacity(round.steps.len() * PARAMS_STRIDE);
    for step in round.steps {
        let (blocks, first_id) = match step {
            Step::Score { shard, blocks } => {
                (blocks.clone(), round.shards.get(*shard).map_or(0, |shard| shard.first_id))
            }
            Step::Select => (0..0, 0),
        };
        let one = Params { block_begin: blocks.start, block_end: blocks.end, first_id, room: round.room as u32 };
        params.extend_from_slice(bytemuck::bytes_of(&one));
        params.resize(params.len().next_multiple_of(PARAMS_STRIDE), 0);
    }
    let mut probes = Vec::with_capacity(round.padded() * round.dimension);
    for codes in round.probes {
        probes.extend_from_slice(bytemuck::cast_slice(codes));
    }
    probes.resize(round.padded() * round.dimension, 0);
    let mut marks = round.marks.to_vec();
    marks.resize(round.padded(), Mark { level: crate::gpu::key::KEEP_NONE, k: 0, slack: 0.0, overflowed: 0 });
    let counts_per_probe = round.counts_per_probe.max(1);
    let data = Data { params: &params, probes: &probes, marks: &marks, room: round.room, counts_per_probe };
    bind_data(card, pipelines, space, &data)
}

/// What goes into the buffers of a round.
pub(super) struct Data<'a> {
    pub(super) params: &'a [u8],
    pub(super) probes: &'a [u8],
    pub(super) marks: &'a [Mark],
    pub(super) room: usize,
    pub(super) counts_per_probe: usize,
}

/// Writes `data` into buffers that are long enough for the shaders, and binds them.
pub(super) fn bind_data(card: &Card, pipelines: &Pipelines, space: &mut Workspace, data: &Data<'_>) -> Bound {
    let (storage, source) = (BufferUsages::STORAGE | BufferUsages::COPY_DST, BufferUsages::COPY_SRC);
    let count = data.marks.len();
    let params =
        grown(&mut space.params, card, "params", data.params.len(), BufferUsages::UNIFORM | BufferUsages::COPY_DST);
    let probes = grown(&mut space.probes, card, "probes", data.probes.len(), storage);
    let marks = grown(&mut space.marks, card, "marks", size_of_val(data.marks), storage | source);
    let count_bytes = count * data.counts_per_probe * size_of::<u32>();
    let counts = grown(&mut space.counts, card, "counts", count_bytes, storage | source);
    let kept = grown(&mut space.kept, card, "kept", count * data.room * size_of::<[u32; 2]>(), storage | source);
    card.queue.write_buffer(&params, 0, data.params);
    card.queue.write_buffer(&probes, 0, data.probes);
    card.queue.write_buffer(&marks, 0, bytemuck::cast_slice(data.marks));
    card.queue.write_buffer(&counts, 0, &vec![0; count_bytes]);
    let window = BufferBinding { buffer: &params, offset: 0, size: std::num::NonZeroU64::new(PARAMS_BYTES) };
    let group = card.device.create_bind_group(&BindGroupDescriptor {
        label: Some("round"),
        layout: &pipelines.round_layout,
        entries: &[
            BindGroupEntry { binding: 0, resource: BindingResource::Buffer(window) },
            BindGroupEntry { binding: 1, resource: probes.as_entire_binding() },
            BindGroupEntry { binding: 2, resource: marks.as_entire_binding() },
            BindGroupEntry { binding: 3, resource: counts.as_entire_binding() },
            BindGroupEntry { binding: 4, resource: kept.as_entire_binding() },
        ],
    });
    Bound { marks, counts, kept, group }
}

/// Hands all steps to the device, in submissions of bounded work.
fn score_and_select(
    card: &Card,
    pipelines: &Pipelines,
    slots: &mut Slots,
    bound: &Bound,
    round: &Round<'_>,
) -> Result<(), CoarseError> {
    slots.forget();
    let (mut in_flight, mut products) = (Vec::new(), 0_u64);
    let mut encoder = card.encoder("round");
    for (number, step) in round.steps.iter().enumerate() {
        let offset = [(number * PARAMS_STRIDE) as u32];
        match step {
            Step::Score { shard, blocks } => {
                let Some(numbered) = round.shards.get(*shard) else { continue };
                let missing = match &numbered.place {
                    Place::Held(_) => None,
                    Place::Streamed(part) => Some(part).filter(|_| slots.held(*shard).is_none()),
                };
                let work = (blocks.len() * block_bytes(round.dimension) * round.padded()) as u64;
                if missing.is_some() || (products > 0 && products + work > round.products_per_submission) {
                    // What is written to a buffer arrives before the commands that are handed over next, so those that
                    // read a slot go first.
                    card.submit(std::mem::replace(&mut encoder, card.encoder("round")), &mut in_flight)?;
                    products = 0;
                }
                if let Some(part) = missing {
                    slots.fill(card, *shard, part, &mut in_flight)?;
                }
                products += work;
                let rows = match &numbered.place {
                    Place::Held(shard) => &shard.bind,
                    Place::Streamed(_) => {
                        slots.held(*shard).ok_or_else(|| card.trouble("a streamed shard is in no slot"))?
                    }
                };
                let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
                pass.set_pipeline(round.pipeline);
                pass.set_bind_group(0, &bound.group, &offset);
                pass.set_bind_group(1, rows, &[]);
                let tiles = (round.padded() / round.tile.max(1)) as u32;
                pass.dispatch_workgroups(tiles, blocks.len().div_ceil(round.blocks_per_workgroup.max(1)) as u32, 1);
            }
            Step::Select => {
                let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
                pass.set_pipeline(&pipelines.select);
                pass.set_bind_group(0, &bound.group, &offset);
                pass.dispatch_workgroups(round.probes.len() as u32, 1, 1);
            }
        }
    }
    card.submit(encoder, &mut in_flight)
}

/// Marks and counts of the first `probes` probes.
pub(super) fn read_marks(
    card: &Card,
    space: &mut Workspace,
    bound: &Bound,
    probes: usize,
) -> Result<(Vec<Mark>, Vec<u32>), CoarseError> {
    let (mark_bytes, count_bytes) = ((probes * size_of::<Mark>()) as u64, (probes * size_of::<u32>()) as u64);
    let staging = staging(space, card, mark_bytes + count_bytes);
    let mut encoder = card.encoder("marks");
    encoder.copy_buffer_to_buffer(&bound.marks, 0, &staging, 0, mark_bytes);
    encoder.copy_buffer_to_buffer(&bound.counts, 0, &staging, mark_bytes, count_bytes);
    let words = card.read(&staging, mark_bytes + count_bytes, encoder)?;
    let (marks, counts) = words.split_at(words.len() - probes);
    Ok((bytemuck::pod_collect_to_vec(marks), counts.to_vec()))
}

/// Lists of all probes, those of overflowed ones left out.
pub(super) fn read_lists(
    card: &Card,
    space: &mut Workspace,
    bound: &Bound,
    room: usize,
    marks: Vec<Mark>,
    counts: &[u32],
) -> Result<Vec<Found>, CoarseError> {
    let entry = size_of::<[u32; 2]>();
    let lengths: Vec<usize> = (marks.iter().zip(counts))
        .map(|(mark, &count)| if mark.overflowed == 0 { room.min(count as usize) } else { 0 })
        .collect();
    let total = lengths.iter().sum::<usize>() * entry;
    let mut words = Vec::new();
    if total > 0 {
        let staging = staging(space, card, total as u64);
        let mut encoder = card.encoder("lists");
        let mut at = 0;
        for (probe, &length) in lengths.iter().enumerate().filter(|&(_, &length)| length > 0) {
            let from = (probe * room * entry) as u64;
            encoder.copy_buffer_to_buffer(&bound.kept, from, &staging, at, (length * entry) as u64);
            at += (length * entry) as u64;
        }
        words = card.read(&staging, total as u64, encoder)?;
    }
    let mut pairs = words.as_chunks::<2>().0.iter().copied();
    let found = marks.into_iter().zip(lengths);
    Ok(found.map(|(mark, length)| Found { mark, kept: pairs.by_ref().take(length).collect() }).collect())
}

/// What `times` selects of full lists take, with nothing scored: for benches. No entry is dropped, so that each select finds
/// what the one before it found.
pub(super) fn time_selects(
    card: &Card,
    pipelines: &Pipelines,
    (probes, room, k, times): (usize, usize, u32, usize),
) -> Result<Duration, CoarseError> {
    let mut space = Workspace::default();
    let params = Params { block_begin: 0, block_end: 0, first_id: 0, room: room as u32 };
    let mark = Mark { level: crate::gpu::key::KEEP_ALL, k, slack: KEEPS_EVERYTHING, overflowed: 0 };
    let marks = vec![mark; probes];
    let data = Data { params: bytemuck::bytes_of(&params), probes: &[0; 16], marks: &marks, room, counts_per_probe: 1 };
    let bound = bind_data(card, pipelines, &mut space, &data);
    // Scores between 0 and 1 in no order.
    let score = |id: u32| crate::gpu::key::sortable((id.wrapping_mul(2_654_435_761) >> 8) as f32 / 16_777_216.0);
    let list: Vec<[u32; 2]> = (0..room as u32).map(|id| [score(id), id]).collect();
    for probe in 0..probes {
        card.queue.write_buffer(
            &bound.kept,
            (probe * room * size_of::<[u32; 2]>()) as u64,
            bytemuck::cast_slice(&list),
        );
    }
    card.queue.write_buffer(&bound.counts, 0, bytemuck::cast_slice(&vec![room as u32; probes]));
    card.flush()?;
    let begun = Instant::now();
    let mut encoder = card.encoder("selects");
    for _ in 0..times {
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
        pass.set_pipeline(&pipelines.select);
        pass.set_bind_group(0, &bound.group, &[0]);
        pass.dispatch_workgroups(probes as u32, 1, 1);
    }
    card.submit(encoder, &mut Vec::new())?;
    let (marks, counts) = read_marks(card, &mut space, &bound, probes)?;
    let took = begun.elapsed();
    let whole = marks.iter().all(|mark| mark.overflowed == 0) && counts.iter().all(|&count| count as usize == room);
    if whole { Ok(took) } else { Err(card.trouble("a select dropped what it should keep")) }
}

fn staging(space: &mut Workspace, card: &Card, bytes: u64) -> Buffer {
    let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
    grown(&mut space.staging, card, "staging", usize::try_from(bytes).unwrap_or(usize::MAX), usage)
}

/// The buffer of `slot`, made anew when it is shorter than `bytes`.
fn grown(slot: &mut Option<Buffer>, card: &Card, label: &str, bytes: usize, usage: BufferUsages) -> Buffer {
    match slot {
        Some(ready) if ready.size() >= bytes as u64 => ready.clone(),
        Some(_) | None => slot.insert(card.buffer(label, bytes as u64, usage)).clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::key::{KEEP_ALL, sortable, unsortable};
    use crate::gpu::test_card;

    /// A list as the score shader leaves it: keys, how many passed, and the mark.
    struct List {
        name: &'static str,
        keys: Vec<u32>,
        passed: usize,
        mark: Mark,
    }

    fn list(name: &'static str, scores: Vec<f32>, k: u32, slack: f32) -> List {
        let keys: Vec<u32> = scores.into_iter().map(sortable).collect();
        List { name, passed: keys.len(), keys, mark: Mark { level: KEEP_ALL, k, slack, overflowed: 0 } }
    }

    fn lists(room: usize) -> Vec<List> {
        let random =
            |count: usize| (0..count as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 8) as f32 / 1e4 - 800.0);
        let mut too_many = list("more than there is room", random(room).collect(), 10, 0.0);
        too_many.passed = room + 5;
        let mut given = list("a given level", random(500).collect(), 0, 0.0);
        given.mark.level = sortable(0.0);
        let mut held = list("a level above the k-th", random(500).collect(), 400, 0.0);
        held.mark.level = sortable(100.0);
        vec![
            list("random", random(700).collect(), 37, 0.0),
            list("random with slack", random(room).collect(), 20, 25.0),
            list("ties around the k-th", (0..600).map(|i| f32::from(i as u16 % 7)).collect(), 100, 0.0),
            list("all equal", vec![0.25; 300], 5, 0.0),
            list("all equal and negative", vec![-3.0; 300], 300, 0.0),
            list("fewer than k", random(30).collect(), 31, 1.0),
            list("exactly k", random(31).collect(), 31, 0.0),
            list("k is one", random(513).collect(), 1, 0.5),
            list("empty", Vec::new(), 3, 0.0),
            list("a slack that keeps all", random(400).collect(), 3, 1e30),
            too_many,
            given,
            held,
        ]
    }

    /// Level and rows that stay, by sorting.
    fn expected(list: &List) -> (u32, Vec<[u32; 2]>) {
        let mut sorted = list.keys.clone();
        sorted.sort_unstable_by(|a, b| b.cmp(a));
        let rank = list.mark.k as usize;
        let kth = rank.checked_sub(1).and_then(|at| sorted.get(at));
        let level = kth.map_or(KEEP_ALL, |&key| sortable(unsortable(key) - list.mark.slack)).max(list.mark.level);
        let ids = list.keys.iter().zip(0..).filter(|&(&key, _)| key >= level);
        (level, ids.map(|(&key, id)| [key, id]).collect())
    }

    #[test]
    fn select_agrees_with_sorting() {
        let Some(card) = test_card::open() else { return };
        let (room, mut space) = (1000, Workspace::default());
        let lists = lists(room);
        let found = card.guarded(|| {
            let pipelines = Pipelines::new(&card)?;
            let marks: Vec<Mark> = lists.iter().map(|list| list.mark).collect();
            let params = Params { block_begin: 0, block_end: 0, first_id: 0, room: room as u32 };
            let data = Data {
                params: bytemuck::bytes_of(&params),
                probes: &[0; 16],
                marks: &marks,
                room,
                counts_per_probe: 1,
            };
            let bound = bind_data(&card, &pipelines, &mut space, &data);
            for (probe, list) in lists.iter().enumerate() {
                let pairs: Vec<[u32; 2]> = list.keys.iter().copied().zip(0..).map(|(key, id)| [key, id]).collect();
                card.queue.write_buffer(&bound.kept, (probe * room * 8) as u64, bytemuck::cast_slice(&pairs));
                card.queue.write_buffer(&bound.counts, probe as u64 * 4, &(list.passed as u32).to_le_bytes());
            }
            let mut encoder = card.encoder("test");
            let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
            pass.set_pipeline(&pipelines.select);
            pass.set_bind_group(0, &bound.group, &[0]);
            pass.dispatch_workgroups(lists.len() as u32, 1, 1);
            drop(pass);
            card.submit(encoder, &mut Vec::new())?;
            let (mut marks, counts) = read_marks(&card, &mut space, &bound, lists.len())?;
            let overflowed: Vec<u32> = marks.iter_mut().map(|mark| std::mem::take(&mut mark.overflowed)).collect();
            Ok((overflowed, read_lists(&card, &mut space, &bound, room, marks, &counts)?))
        });
        let (overflowed, found) = found.unwrap();
        for ((list, found), overflowed) in lists.iter().zip(found).zip(overflowed) {
            let mut kept = found.kept;
            kept.sort_unstable_by_key(|pair| pair[1]);
            let (level, wanted) = expected(list);
            assert_eq!(unsortable(found.mark.level).to_bits(), unsortable(level).to_bits(), "{}", list.name);
            assert_eq!(kept, wanted, "{}", list.name);
            assert_eq!(overflowed, u32::from(list.passed > room), "{}", list.name);
        }
    }
}
