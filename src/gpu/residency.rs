//! Copies of runs in the device's memory: uploaded once, overwritten where rows are erased, dropped when the run is gone.
//!
//! A run whose token ([`Residency`]) is unknown is tiled anew and uploaded in shards, none larger than the device binds at
//! once. Where memory is short, the copies that were used longest ago make room; a gallery that is larger than the budget
//! keeps copies of its first runs, and the rest is streamed ([`crate::gpu::stream`]) or left to the host. A row of a copy is
//! dead once its scale or the run's erased rows say so, and stays dead: its codes are zeros and its scale -1 on the device too.

use std::ops::Range;
use std::sync::{Arc, Weak};
use std::thread;

use wgpu::{BindGroup, BindGroupDescriptor, BindGroupEntry, BindGroupLayout, Buffer, BufferUsages, CommandEncoder};

use crate::gpu::card::Card;
use crate::gpu::tiling::{TILED_ROWS, block_bytes, tile_block, tiled_blocks};
use crate::vector::coarse::CoarseError;
use crate::vector::codec::DEAD_SCALE;
use crate::vector::layout;
use crate::vector::rows::{Residency, Rows};

/// Bytes written before the device is given time to take them: what wgpu stages meanwhile is host memory.
pub(super) const UPLOAD_BYTES_MAX: usize = 32 << 20;
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

/// One run on the device.
pub(super) struct RunCopy {
    token: Weak<Residency>,
    /// Its shards in the order of its rows.
    pub(super) shards: Vec<Shard>,
    rows: usize,
    bytes: u64,
    dead: DeadRows,
    /// When a sweep last used it.
    used: u64,
}

/// All copies of one device.
pub(super) struct Copies {
    memory_max_bytes: u64,
    kept: Vec<RunCopy>,
    /// What the driver had no memory for, whatever the budget says.
    refused: Vec<Weak<Residency>>,
    now: u64,
}

impl Copies {
    /// No copies yet; they may take `memory_max_bytes` together.
    pub(super) fn new(memory_max_bytes: u64) -> Self {
        Self { memory_max_bytes, kept: Vec::new(), refused: Vec::new(), now: 0 }
    }

    /// Bytes that the copies take.
    pub(super) fn bytes(&self) -> u64 {
        self.kept.iter().map(|copy| copy.bytes).sum()
    }

    /// Copies, and their rows.
    pub(super) fn count(&self) -> (usize, u64) {
        (self.kept.len(), self.kept.iter().map(|copy| copy.rows as u64).sum())
    }

    /// The copy of `run`, if there is one.
    pub(super) fn of(&self, run: &dyn Rows) -> Option<&RunCopy> {
        self.kept.get(self.position(run)?)
    }

    /// Drops the copies of runs that are gone.
    pub(super) fn forget_gone(&mut self) {
        let before = self.kept.len();
        self.kept.retain(|copy| copy.token.strong_count() > 0);
        self.refused.retain(|token| token.strong_count() > 0);
        if self.kept.len() < before {
            // There may be memory again for what the driver refused.
            self.refused.clear();
        }
    }

    /// Drops everything.
    pub(super) fn forget_all(&mut self) {
        self.kept.clear();
        self.refused.clear();
    }

    /// Bytes that copies may take.
    pub(super) fn memory_max_bytes(&self) -> u64 {
        self.memory_max_bytes
    }

    /// Begins a sweep: copies that it uses count as used later than all others.
    pub(super) fn begin(&mut self) {
        self.now += 1;
    }

    /// Drops copies that this sweep does not use, those used longest ago first, until all and `more` bytes fit the budget.
    /// False when they don't even so.
    pub(super) fn make_room(&mut self, more: u64, wanted: &[*const Residency]) -> bool {
        while self.bytes().saturating_add(more) > self.memory_max_bytes {
            let others = self.kept.iter().enumerate().filter(|(_, copy)| !wanted.contains(&copy.token.as_ptr()));
            let Some((oldest, _)) = others.min_by_key(|(_, copy)| copy.used) else { return false };
            let dropped = self.kept.swap_remove(oldest);
            tracing::info!(rows = dropped.rows, bytes = dropped.bytes, "a copy on the GPU made room for others");
            // There may be memory again for what the driver refused.
            self.refused.clear();
        }
        true
    }

    /// Whether the driver has refused memory for `run`.
    pub(super) fn is_refused(&self, token: &Arc<Residency>) -> bool {
        self.refused.iter().any(|refused| refused.as_ptr() == Arc::as_ptr(token))
    }

    /// Sees to it that `run` is on the device with its erased rows overwritten there. False when it is the host's
    /// business: it has no token, or does not fit.
    pub(super) fn ensure(
        &mut self,
        card: &Card,
        layout: &BindGroupLayout,
        run: &dyn Rows,
    ) -> Result<bool, CoarseError> {
        let Some(token) = run.residency().filter(|_| !run.is_empty()) else { return Ok(false) };
        if let Some(at) = self.position(run) {
            if let Some(copy) = self.kept.get_mut(at) {
                copy.used = self.now;
                copy.overwrite(card, run, &erased(run))?;
            }
            return Ok(true);
        }
        let room = self.memory_max_bytes.saturating_sub(self.bytes());
        if self.is_refused(token) || bytes_of(run) > room || !is_whole(run) {
            return Ok(false);
        }
        match upload(card, layout, run, token, &|| true)? {
            Upload::Whole(copy) => {
                self.add(copy);
                Ok(true)
            }
            Upload::NoMemory => {
                self.refuse(run, token);
                Ok(false)
            }
            Upload::Stopped => Ok(false),
        }
    }

    /// Takes a copy that is complete; one of a run that has a copy by now is dropped.
    pub(super) fn add(&mut self, copy: RunCopy) {
        if self.kept.iter().all(|kept| !kept.token.ptr_eq(&copy.token)) {
            self.kept.push(RunCopy { used: self.now, ..copy });
        }
    }

    /// Remembers that the driver has no memory for `run`.
    pub(super) fn refuse(&mut self, run: &dyn Rows, token: &Arc<Residency>) {
        tracing::warn!(rows = run.len(), "the GPU has no memory for a run: it is streamed, or the CPU scores it");
        self.refused.push(Arc::downgrade(token));
    }

    /// Overwrites in the copy of `run`, if there is one, every row that is dead by its scale or was erased. The caller
    /// flushes.
    pub(super) fn bury(&mut self, card: &Card, run: &dyn Rows) -> Result<(), CoarseError> {
        let Some(at) = self.position(run) else { return Ok(()) };
        let Some(copy) = self.kept.get_mut(at) else { return Ok(()) };
        let by_scale = run.scales().iter().take(copy.rows).enumerate().filter(|&(_, &scale)| scale <= 0.0);
        let mut dead: Vec<usize> = by_scale.map(|(row, _)| row).collect();
        dead.extend(erased(run));
        copy.overwrite(card, run, &dead)
    }

    fn position(&self, run: &dyn Rows) -> Option<usize> {
        let address = Arc::as_ptr(run.residency()?);
        self.kept.iter().position(|copy| copy.token.as_ptr() == address)
    }
}

impl RunCopy {
    /// Blocks of all its shards.
    pub(super) fn blocks(&self) -> usize {
        tiled_blocks(self.rows)
    }

    /// Writes zeros and a dead scale over those of `rows` that are alive on the device.
    fn overwrite(&mut self, card: &Card, run: &dyn Rows, rows: &[usize]) -> Result<(), CoarseError> {
        let mut blocks: Vec<usize> = Vec::new();
        for &row in rows {
            if row < self.rows && self.dead.insert(row) {
                blocks.push(row / TILED_ROWS);
            }
        }
        blocks.sort_unstable();
        blocks.dedup();
        if blocks.is_empty() {
            return Ok(());
        }
        card.guarded(|| {
            let is_dead = |row: usize| self.dead.contains(row);
            for block in blocks {
                if let Some(shard) = self.shards.iter().find(|shard| block < shard.first_block + shard.blocks) {
                    write_blocks(card, run, &is_dead, shard, block..block + 1);
                }
            }
            Ok(())
        })
    }
}

fn erased(run: &dyn Rows) -> Vec<usize> {
    run.erased().as_slice().iter().map(|&row| row as usize).collect()
}

/// Bytes that a copy of `run` takes on the device.
pub(super) fn bytes_of(run: &dyn Rows) -> u64 {
    shard_bytes(tiled_blocks(run.len()), run.dimension().get())
}

/// Bytes that codes and scales of so many blocks take.
pub(super) fn shard_bytes(blocks: usize, dimension: usize) -> u64 {
    blocks as u64 * (block_bytes(dimension) + TILED_ROWS * size_of::<f32>()) as u64
}

/// Whether the run has the codes and scales that it should have; a run that has not is left to the host.
pub(super) fn is_whole(run: &dyn Rows) -> bool {
    let bytes = layout::code_bytes(run.len(), run.dimension().get());
    run.codes().len() >= bytes && run.scales().len() >= run.len()
}

/// What came of sending a run to the device.
pub(super) enum Upload {
    /// All of it is there.
    Whole(RunCopy),
    /// The device has no memory for it after all.
    NoMemory,
    /// Told to stop; what was sent is overwritten.
    Stopped,
}

/// Copies a run, for as long as `goes_on` says so.
pub(super) fn upload(
    card: &Card,
    layout: &BindGroupLayout,
    run: &dyn Rows,
    token: &Arc<Residency>,
    goes_on: &dyn Fn() -> bool,
) -> Result<Upload, CoarseError> {
    let mut dead = DeadRows::new(run.len());
    for row in (0..run.len()).filter(|&row| !run.is_live(row)) {
        dead.insert(row);
    }
    let blocks = tiled_blocks(run.len());
    let shard_blocks =
        usize::try_from(card.shard_max_bytes / block_bytes(run.dimension().get()) as u64).unwrap_or(usize::MAX);
    let mut shards = Vec::new();
    for first_block in (0..blocks).step_by(shard_blocks.max(1)) {
        let shard_blocks = shard_blocks.max(1).min(blocks - first_block);
        let made = card.guarded(|| Ok(new_shard(card, layout, run.dimension().get(), first_block, shard_blocks)));
        match made {
            Ok(shard) => shards.push(shard),
            // Out of memory is no trouble as long as the device lives: the host scores the run.
            Err(_) if card.lost_reason().is_none() => return Ok(Upload::NoMemory),
            Err(error) => return Err(error),
        }
    }
    for shard in &shards {
        if !write_shard(card, run, &dead, shard, goes_on)? {
            card.guarded(|| {
                let mut encoder = card.encoder("stopped");
                for shard in &shards {
                    shard.clear(&mut encoder);
                }
                card.queue.submit([encoder.finish()]);
                card.flush()
            })?;
            return Ok(Upload::Stopped);
        }
    }
    let copy = RunCopy { token: Arc::downgrade(token), shards, rows: run.len(), bytes: bytes_of(run), dead, used: 0 };
    tracing::debug!(rows = copy.rows, bytes = copy.bytes, shards = copy.shards.len(), "a run is on the GPU");
    Ok(Upload::Whole(copy))
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

/// Uploads all blocks of a shard, and waits for the device now and then; false when told to stop.
fn write_shard(
    card: &Card,
    run: &dyn Rows,
    dead: &DeadRows,
    shard: &Shard,
    goes_on: &dyn Fn() -> bool,
) -> Result<bool, CoarseError> {
    let blocks_at_once = (UPLOAD_BYTES_MAX / block_bytes(run.dimension().get())).max(1);
    let end = shard.first_block + shard.blocks;
    let is_dead = |row: usize| dead.contains(row);
    for first in (shard.first_block..end).step_by(blocks_at_once) {
        card.guarded(|| {
            write_blocks(card, run, &is_dead, shard, first..end.min(first + blocks_at_once));
            card.flush()
        })?;
        // Asked after each piece, the last too: whoever stopped the load must find nothing of it.
        if !goes_on() {
            return Ok(false);
        }
    }
    Ok(true)
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

impl Shard {
    /// Overwrites everything with zeros, which are dead rows.
    pub(super) fn clear(&self, encoder: &mut CommandEncoder) {
        encoder.clear_buffer(&self.codes, 0, None);
        encoder.clear_buffer(&self.scales, 0, None);
    }

    /// The codes as words: for tests.
    #[cfg(test)]
    pub(super) fn read_codes(&self, card: &Card) -> Result<Vec<u32>, CoarseError> {
        let bytes = self.codes.size();
        let staging = card.buffer("codes", bytes, BufferUsages::MAP_READ | BufferUsages::COPY_DST);
        let mut encoder = card.encoder("codes");
        encoder.copy_buffer_to_buffer(&self.codes, 0, &staging, 0, bytes);
        card.read(&staging, bytes, encoder)
    }
}

/// Which rows of a copy are dead: a bit a row.
struct DeadRows {
    words: Vec<u64>,
}

impl DeadRows {
    fn new(rows: usize) -> Self {
        Self { words: vec![0; rows.div_ceil(64)] }
    }

    fn contains(&self, row: usize) -> bool {
        self.words.get(row / 64).is_some_and(|word| word >> (row % 64) & 1 == 1)
    }

    /// False when the row was dead before, or is none.
    fn insert(&mut self, row: usize) -> bool {
        let Some(word) = self.words.get_mut(row / 64) else { return false };
        let before = *word;
        *word |= 1 << (row % 64);
        *word != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dead_rows_are_remembered_once() {
        let mut dead = DeadRows::new(130);
        assert!(dead.insert(129) && !dead.insert(129) && dead.insert(0));
        assert!(dead.contains(129) && dead.contains(0) && !dead.contains(128) && !dead.contains(10_000));
        assert!(!dead.insert(10_000));
    }
}
