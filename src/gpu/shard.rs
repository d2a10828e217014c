//! Consecutive blocks of one run in the device's memory: made, written by several threads, cleared.

use std::ops::Range;
use std::thread;

use wgpu::{BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, Buffer, BufferUsages};

use crate::gpu::card::Card;
use crate::gpu::tiling::{TILED_ROWS, block_bytes, tile_block};
use crate::vector::coarse::CoarseError;
use crate::vector::codec::DEAD_SCALE;
use crate::vector::rows::Rows;

/// Blocks are tiled by several threads when there are more bytes than this, and by no more threads than this.
const TILE_ALONE_BYTES_MAX: usize = 1 << 20;
const TILE_THREADS_MAX: usize = 4;

/// Consecutive blocks of one run, small enough to be bound at once.
pub(super) struct Shard {
    /// First block of the run in this shard.
    pub(super) first_block: usize,
    /// Blocks.
    pub(super) blocks: usize,
    /// Group 1 of the score shader.
    pub(super) bind: BindGroup,
    codes: Buffer,
    scales: Buffer,
}

/// Bytes that codes and scales of so many blocks take.
pub(super) fn shard_bytes(blocks: usize, dimension: usize) -> u64 {
    blocks as u64 * (block_bytes(dimension) + TILED_ROWS * size_of::<f32>()) as u64
}

/// Buffers for so many blocks, and the group that binds them. Call inside [`Card::guarded`].
pub(super) fn new_shard(
    card: &Card,
    layout: &BindGroupLayout,
    dimension: usize,
    first_block: usize,
    blocks: usize,
) -> Shard {
    // The source of copies in tests alone.
    let usage = BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC;
    let codes = card.buffer("codes", (blocks * block_bytes(dimension)) as u64, usage);
    let scales = card.buffer("scales", (blocks * TILED_ROWS * size_of::<f32>()) as u64, usage);
    let bind = card.device.create_bind_group(&BindGroupDescriptor {
        label: Some("shard"),
        layout,
        entries: &[
            BindGroupEntry { binding: 0, resource: codes.as_entire_binding() },
            BindGroupEntry { binding: 1, resource: scales.as_entire_binding() },
        ],
    });
    Shard { first_block, blocks, bind, codes, scales }
}

/// Writes codes and scales of some of the shard's blocks, dead rows as zeros and a dead scale. Blocks count from the run's
/// first.
pub(super) fn write_blocks(
    card: &Card,
    run: &dyn Rows,
    is_dead: &(dyn Fn(usize) -> bool + Sync),
    shard: &Shard,
    blocks: Range<usize>,
) {
    let block_bytes = block_bytes(run.dimension().get());
    let mut tiled = vec![0; blocks.len() * block_bytes];
    let mut scales = vec![DEAD_SCALE; blocks.len() * TILED_ROWS];
    let several = thread::available_parallelism().map_or(1, usize::from).min(TILE_THREADS_MAX);
    let threads = if tiled.len() > TILE_ALONE_BYTES_MAX { several } else { 1 };
    let share = blocks.len().div_ceil(threads).max(1);
    let tile = |first: usize, tiled: &mut [u8], scales: &mut [f32]| {
        for (block, (tiled, scales)) in (first..).zip(tiled.chunks_mut(block_bytes).zip(scales.chunks_mut(TILED_ROWS)))
        {
            tile_block(run.codes(), run.dimension().get(), block, is_dead, tiled);
            for (row, scale) in (block * TILED_ROWS..run.len()).zip(scales).filter(|&(row, _)| !is_dead(row)) {
                *scale = run.scales().get(row).copied().unwrap_or(DEAD_SCALE);
            }
        }
    };
    let parts = tiled.chunks_mut(share * block_bytes).zip(scales.chunks_mut(share * TILED_ROWS));
    if threads == 1 {
        parts.for_each(|(tiled, scales)| tile(blocks.start, tiled, scales));
    } else {
        thread::scope(|scope| {
            for (first, (tiled, scales)) in blocks.clone().step_by(share).zip(parts) {
                scope.spawn(move || tile(first, tiled, scales));
            }
        });
    }
    let at = (blocks.start - shard.first_block) as u64;
    card.queue.write_buffer(&shard.codes, at * block_bytes as u64, &tiled);
    card.queue.write_buffer(&shard.scales, at * (TILED_ROWS * size_of::<f32>()) as u64, bytemuck::cast_slice(&scales));
}

/// Overwrites whole shards with zeros, which are dead rows, and waits until that has arrived: what is to be erased later may
/// be in none that nobody keeps account of, its memory given back included.
///
/// # Errors
/// [`CoarseError::Device`] when the device refuses.
pub(super) fn clear<'a>(card: &Card, shards: impl Iterator<Item = &'a Shard>) -> Result<(), CoarseError> {
    card.guarded(|| {
        let mut encoder = card.encoder("clear");
        for shard in shards {
            encoder.clear_buffer(&shard.codes, 0, None);
            encoder.clear_buffer(&shard.scales, 0, None);
        }
        card.queue.submit([encoder.finish()]);
        card.flush()
    })
}

#[cfg(test)]
impl Shard {
    /// The codes as words: for tests.
    pub(super) fn read_codes(&self, card: &Card) -> Result<Vec<u32>, CoarseError> {
        let bytes = self.codes.size();
        let staging = card.buffer("codes", bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST);
        let mut encoder = card.encoder("codes");
        encoder.copy_buffer_to_buffer(&self.codes, 0, &staging, 0, bytes);
        card.read(&staging, bytes, encoder)
    }

    /// The same buffers: for tests of what is left in them when the shard itself is gone.
    pub(super) fn again(&self) -> Self {
        let (bind, codes, scales) = (self.bind.clone(), self.codes.clone(), self.scales.clone());
        Self { first_block: self.first_block, blocks: self.blocks, bind, codes, scales }
    }
}
