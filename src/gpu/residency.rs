//! Copies of runs in the device's memory: uploaded once, overwritten where rows are erased, dropped when the run is gone.
//!
//! A run whose token ([`Residency`]) is unknown is tiled anew and uploaded in shards, none larger than the device binds at
//! once. Where memory is short, the copies that were used longest ago make room; a gallery that is larger than the budget
//! keeps copies of its first runs, and the rest is streamed ([`crate::gpu::stream`]) or left to the host. A row of a copy is
//! dead once its scale or the run's erased rows say so, and stays dead: its codes are zeros and its scale -1 on the device too.
//!
//! Memory is given back overwritten: who erases a row later finds no copy of it to overwrite, and nobody else keeps account.

use std::sync::{Arc, Weak};

use wgpu::BindGroupLayout;

use crate::gpu::card::Card;
use crate::gpu::shard::{Shard, clear, new_shard, shard_bytes, write_blocks};
use crate::gpu::tiling::{TILED_ROWS, block_bytes, tiled_blocks};
use crate::vector::coarse::{CoarseError, GoesOn};
use crate::vector::layout;
use crate::vector::rows::{Residency, Rows};

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
    pub(super) fn forget_gone(&mut self, card: &Card) {
        let gone: Vec<RunCopy> = self.kept.extract_if(.., |copy| copy.token.strong_count() == 0).collect();
        self.refused.retain(|token| token.strong_count() > 0);
        self.give_back(card, &gone);
    }

    /// Drops everything.
    pub(super) fn forget_all(&mut self, card: &Card) {
        let all = std::mem::take(&mut self.kept);
        self.refused.clear();
        self.give_back(card, &all);
    }

    fn give_back(&mut self, card: &Card, copies: &[RunCopy]) {
        if copies.is_empty() {
            return;
        }
        give_back(card, copies.iter().flat_map(|copy| &copy.shards));
        // There may be memory again for what the driver refused.
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
    pub(super) fn make_room(&mut self, card: &Card, more: u64, wanted: &[*const Residency]) -> bool {
        while self.bytes().saturating_add(more) > self.memory_max_bytes {
            let others = self.kept.iter().enumerate().filter(|(_, copy)| !wanted.contains(&copy.token.as_ptr()));
            let Some((oldest, _)) = others.min_by_key(|(_, copy)| copy.used) else { return false };
            let dropped = self.kept.swap_remove(oldest);
            tracing::info!(rows = dropped.rows, bytes = dropped.bytes, "a copy on the GPU made room for others");
            self.give_back(card, &[dropped]);
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
                self.add(card, copy);
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
    pub(super) fn add(&mut self, card: &Card, copy: RunCopy) {
        if self.kept.iter().all(|kept| !kept.token.ptr_eq(&copy.token)) {
            self.kept.push(RunCopy { used: self.now, ..copy });
        } else {
            self.give_back(card, &[copy]);
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
        let at_once = blocks_at_once(card, run);
        card.guarded(|| {
            let is_dead = |row: usize| self.dead.contains(row);
            for some in blocks.chunks(at_once) {
                for &block in some {
                    if let Some(shard) = self.shards.iter().find(|shard| block < shard.first_block + shard.blocks) {
                        write_blocks(card, run, &is_dead, shard, block..block + 1);
                    }
                }
                // The last ones may stay with the device until it is given other work.
                if some.len() == at_once {
                    card.flush()?;
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
    goes_on: &GoesOn<'_>,
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
    if !send(card, run, &dead, &shards, goes_on)? {
        return Ok(Upload::Stopped);
    }
    let copy = RunCopy { token: Arc::downgrade(token), shards, rows: run.len(), bytes: bytes_of(run), dead, used: 0 };
    tracing::debug!(rows = copy.rows, bytes = copy.bytes, shards = copy.shards.len(), "a run is on the GPU");
    Ok(Upload::Whole(copy))
}

/// Uploads all blocks of all shards of a run. When it is told to stop, which is the answer false, or fails, nothing of the
/// run is left in them.
fn send(
    card: &Card,
    run: &dyn Rows,
    dead: &DeadRows,
    shards: &[Shard],
    goes_on: &GoesOn<'_>,
) -> Result<bool, CoarseError> {
    for shard in shards {
        match write_shard(card, run, dead, shard, goes_on) {
            Ok(true) => {}
            Ok(false) => return clear(card, shards.iter()).map(|()| false),
            Err(error) => {
                give_back(card, shards.iter());
                return Err(error);
            }
        }
    }
    Ok(true)
}

/// Overwrites shards whose memory is given back. Of a lost device there is nothing left that could be reached.
pub(super) fn give_back<'a>(card: &Card, shards: impl Iterator<Item = &'a Shard>) {
    if card.lost_reason().is_none()
        && let Err(error) = clear(card, shards)
    {
        tracing::warn!(%error, "memory of the GPU could not be overwritten before it was given back");
    }
}

/// Blocks that are written before the device is given time to take them: what wgpu stages meanwhile is host memory.
pub(super) fn blocks_at_once(card: &Card, run: &dyn Rows) -> usize {
    usize::try_from(card.upload_max_bytes / block_bytes(run.dimension().get()) as u64).unwrap_or(usize::MAX).max(1)
}

/// Uploads all blocks of a shard, and waits for the device now and then; false when told to stop.
fn write_shard(
    card: &Card,
    run: &dyn Rows,
    dead: &DeadRows,
    shard: &Shard,
    goes_on: &GoesOn<'_>,
) -> Result<bool, CoarseError> {
    let blocks_at_once = blocks_at_once(card, run);
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
    use crate::base::ids::TemplateId;
    use crate::gpu::pipeline::Pipelines;
    use crate::gpu::{AdapterChoice, GpuOptions, test_card};
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const DIMENSION: usize = 64;
    /// Two shards of five blocks each, sent block by block.
    const ROWS: u64 = 640;

    fn card() -> Option<Card> {
        test_card::open_with(&GpuOptions {
            adapter: AdapterChoice::Software,
            shard_max_bytes: 5 * (TILED_ROWS * DIMENSION) as u64,
            upload_bytes_max: 1,
            ..GpuOptions::default()
        })
    }

    fn run() -> MemoryRows {
        let mut run = MemoryRows::new(Dimension::new(DIMENSION).unwrap());
        (0..ROWS).for_each(|id| run.push(TemplateId(id), &[0.125; DIMENSION]));
        run.resident()
    }

    /// Bytes other than zero in the buffers of shards, whoever owns these by now.
    fn left(card: &Card, shards: &[Shard]) -> usize {
        shards.iter().flat_map(|shard| shard.read_codes(card).unwrap()).filter(|&word| word != 0).count()
    }

    #[test]
    fn nothing_is_left_of_a_load_that_was_stopped_at_any_piece() {
        let Some(card) = card() else { return };
        let layout = Pipelines::new(&card).unwrap().shard_layout;
        let (run, dead) = (run(), DeadRows::new(ROWS as usize));
        let shards = card.guarded(|| Ok([0, 5].map(|first| new_shard(&card, &layout, DIMENSION, first, 5)))).unwrap();
        for pieces in [1, 3, 5, 6, 10] {
            let asked = AtomicUsize::new(0);
            let goes_on = || asked.fetch_add(1, Ordering::Relaxed) + 1 < pieces;
            assert!(!send(&card, &run, &dead, &shards, &goes_on).unwrap());
            assert_eq!((asked.into_inner(), left(&card, &shards)), (pieces, 0));
        }
        assert!(send(&card, &run, &dead, &shards, &|| true).unwrap());
        assert_eq!(left(&card, &shards), ROWS as usize * DIMENSION / size_of::<u32>());
    }

    #[test]
    fn memory_is_given_back_overwritten() {
        let Some(card) = card() else { return };
        let layout = Pipelines::new(&card).unwrap().shard_layout;
        let mut copies = Copies::new(u64::MAX);
        let brought = |copies: &mut Copies| {
            let run = run();
            assert!(copies.ensure(&card, &layout, &run).unwrap());
            let shards: Vec<Shard> = copies.of(&run).unwrap().shards.iter().map(Shard::again).collect();
            assert!(shards.len() == 2 && left(&card, &shards) > 0);
            (run, shards)
        };
        let (run, shards) = brought(&mut copies);
        copies.forget_gone(&card);
        assert!(left(&card, &shards) > 0 && copies.count().0 == 1);
        drop(run);
        copies.forget_gone(&card);
        assert_eq!((left(&card, &shards), copies.count().0), (0, 0), "the run is gone");
        let (_run, shards) = brought(&mut copies);
        copies.forget_all(&card);
        assert_eq!((left(&card, &shards), copies.count().0), (0, 0), "the device is in trouble");
        let (_run, shards) = brought(&mut copies);
        copies.memory_max_bytes = 0;
        assert!(copies.make_room(&card, 0, &[]));
        assert_eq!((left(&card, &shards), copies.count().0), (0, 0), "others want the memory");
    }

    #[test]
    fn dead_rows_are_remembered_once() {
        let mut dead = DeadRows::new(130);
        assert!(dead.insert(129) && !dead.insert(129) && dead.insert(0));
        assert!(dead.contains(129) && dead.contains(0) && !dead.contains(128) && !dead.contains(10_000));
        assert!(!dead.insert(10_000));
    }
}
