//! Two buffers through which the rows of runs without a copy pass: while the device scores what is in one, the host tiles
//! the next rows and hands them over for the other.
//!
//! A buffer is filled in the order of the device's queue, after the work handed over before that reads it; so nothing waits
//! but the host, and only when it is several pieces ahead. What passed through is overwritten before an erasure is
//! acknowledged.

use wgpu::{BindGroup, BindGroupLayout, SubmissionIndex};

use crate::gpu::card::Card;
use crate::gpu::residency::{blocks_at_once, give_back};
use crate::gpu::shard::{Shard, clear, new_shard, shard_bytes, write_blocks};
use crate::vector::coarse::CoarseError;
use crate::vector::rows::Rows;

/// Buffers: one being read, one being filled.
const SLOTS: u64 = 2;

/// Consecutive blocks of a run that are scored by way of a slot.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    /// The run.
    pub(super) run: &'a dyn Rows,
    /// First of its blocks.
    pub(super) first_block: usize,
    /// How many.
    pub(super) blocks: usize,
}

/// The buffers of one device.
#[derive(Default)]
pub(super) struct Slots {
    both: Vec<Slot>,
    /// Of the templates that the slots are made for.
    dimension: usize,
    next: usize,
    used: bool,
    rows_sent: u64,
}

struct Slot {
    shard: Shard,
    /// Which shard of the round is in it.
    holding: Option<usize>,
}

/// Blocks of one slot: as the options say, within what the device binds at once and a quarter of the memory for copies; 0
/// when not even one fits.
pub(super) fn slot_blocks(
    stream_bytes_max: u64,
    shard_max_bytes: u64,
    memory_max_bytes: u64,
    dimension: usize,
) -> usize {
    let bytes = stream_bytes_max.min(shard_max_bytes).min(memory_max_bytes / (2 * SLOTS));
    usize::try_from(bytes / shard_bytes(1, dimension)).unwrap_or(usize::MAX)
}

impl Slots {
    /// Device memory of all slots of so many blocks each.
    pub(super) fn bytes_for(blocks: usize, dimension: usize) -> u64 {
        SLOTS * shard_bytes(blocks, dimension)
    }

    /// Device memory that they take now.
    pub(super) fn bytes(&self) -> u64 {
        self.both.iter().map(|slot| shard_bytes(slot.shard.blocks, self.dimension)).sum()
    }

    /// Blocks of one slot; 0 when there are none.
    pub(super) fn blocks(&self) -> usize {
        self.both.first().map_or(0, |slot| slot.shard.blocks)
    }

    /// Rows that passed through so far.
    pub(super) fn rows_sent(&self) -> u64 {
        self.rows_sent
    }

    /// Sees to it that there are slots of so many blocks. Call inside [`Card::guarded`].
    pub(super) fn make(&mut self, card: &Card, layout: &BindGroupLayout, dimension: usize, blocks: usize) {
        let fits = |slot: &Slot| slot.shard.blocks == blocks;
        if self.dimension != dimension || self.both.is_empty() || !self.both.iter().all(fits) {
            self.drop_all(card);
            self.dimension = dimension;
            let slot = |_| Slot { shard: new_shard(card, layout, dimension, 0, blocks), holding: None };
            self.both = (0..SLOTS).map(slot).collect();
        }
    }

    /// Gives the memory back, overwritten.
    pub(super) fn drop_all(&mut self, card: &Card) {
        if std::mem::take(&mut self.used) {
            give_back(card, self.both.iter().map(|slot| &slot.shard));
        }
        self.both.clear();
    }

    /// Forgets what the slots hold: rows may have been erased since.
    pub(super) fn forget(&mut self) {
        for slot in &mut self.both {
            slot.holding = None;
        }
    }

    /// Group 1 of the shaders if shard `number` of the round is in a slot.
    pub(super) fn held(&self, number: usize) -> Option<&BindGroup> {
        self.both.iter().find(|slot| slot.holding == Some(number)).map(|slot| &slot.shard.bind)
    }

    /// Puts shard `number` of the round into the next slot. What reads the slot must have been handed over before.
    pub(super) fn fill(
        &mut self,
        card: &Card,
        number: usize,
        part: &Part<'_>,
        in_flight: &mut Vec<SubmissionIndex>,
    ) -> Result<(), CoarseError> {
        let at = self.next % self.both.len().max(1);
        self.next += 1;
        let Some(slot) = self.both.get_mut(at).filter(|slot| slot.shard.blocks >= part.blocks) else {
            return Err(card.trouble("no buffer to stream rows through"));
        };
        slot.holding = Some(number);
        slot.shard.first_block = part.first_block;
        self.used = true;
        self.rows_sent += (part.blocks * crate::gpu::tiling::TILED_ROWS) as u64;
        let piece = blocks_at_once(card, part.run);
        let end = part.first_block + part.blocks;
        let is_dead = |row: usize| !part.run.is_live(row);
        for first in (part.first_block..end).step_by(piece) {
            write_blocks(card, part.run, &is_dead, &slot.shard, first..end.min(first + piece));
            card.submit_nothing(in_flight)?;
        }
        Ok(())
    }

    /// Overwrites what passed through.
    pub(super) fn wipe(&mut self, card: &Card) -> Result<(), CoarseError> {
        self.forget();
        if self.used {
            clear(card, self.both.iter().map(|slot| &slot.shard))?;
            self.used = false;
        }
        Ok(())
    }

    /// Bytes other than zero in the slots' codes: for tests of what an erasure leaves.
    #[cfg(test)]
    pub(super) fn bytes_left(&self, card: &Card) -> Result<usize, CoarseError> {
        let mut left = 0;
        for slot in &self.both {
            left += slot.shard.read_codes(card)?.iter().filter(|&&word| word != 0).count();
        }
        Ok(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TemplateId;
    use crate::gpu::pipeline::Pipelines;
    use crate::gpu::test_card;
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;

    #[test]
    fn slots_are_given_back_overwritten() {
        let Some(card) = test_card::open() else { return };
        let layout = Pipelines::new(&card).unwrap().shard_layout;
        let mut run = MemoryRows::new(Dimension::new(64).unwrap());
        (0..100).for_each(|id| run.push(TemplateId(id), &[0.125; 64]));
        let mut slots = Slots::default();
        // For templates of another dimension, and for good.
        let another: fn(&mut Slots, &Card, &BindGroupLayout) = |slots, card, layout| slots.make(card, layout, 128, 2);
        for give_back in [another, |slots, card, _layout| slots.drop_all(card)] {
            slots.make(&card, &layout, 64, 2);
            slots.fill(&card, 0, &Part { run: &run, first_block: 0, blocks: 2 }, &mut Vec::new()).unwrap();
            let shards: Vec<Shard> = slots.both.iter().map(|slot| slot.shard.again()).collect();
            let left =
                || shards.iter().flat_map(|shard| shard.read_codes(&card).unwrap()).filter(|&word| word != 0).count();
            assert_eq!(left(), 100 * 64 / size_of::<u32>());
            give_back(&mut slots, &card, &layout);
            assert_eq!(left(), 0);
        }
    }

    #[test]
    fn slots_keep_within_every_bound() {
        let block = shard_bytes(1, 128);
        assert_eq!(slot_blocks(10 * block, u64::MAX, u64::MAX, 128), 10);
        assert_eq!(slot_blocks(10 * block, 3 * block, u64::MAX, 128), 3);
        assert_eq!(slot_blocks(10 * block, u64::MAX, 8 * block, 128), 2);
        assert_eq!(slot_blocks(10 * block, u64::MAX, 3 * block, 128), 0);
        assert!(Slots::bytes_for(2, 128) <= 8 * block);
    }
}
