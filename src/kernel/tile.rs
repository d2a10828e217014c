//! Probes in the order in which kernels read them.

use crate::kernel::TILE_PROBES_MAX;
use crate::vector::layout::GROUP;

/// A few probes, packed once per search: for each group of four components first components 0 and 2 of each probe, then
/// components 1 and 3 of each, two 16-bit numbers a word. A block's 32-bit lane holds four codes of a row: shifting them
/// apart into 16 bits leaves these pairs, and one multiply-add serves both.
#[derive(Clone)]
pub struct Tile {
    probes: usize,
    words: Vec<i32>,
}

impl Tile {
    /// Packs probes of equal, positive length, a multiple of 4, into tiles of at most `width` (and at most
    /// [`TILE_PROBES_MAX`]) each, in order.
    #[must_use]
    pub fn pack(probes: &[&[i8]], width: usize) -> Vec<Self> {
        debug_assert!(probes.windows(2).all(|pair| pair[0].len() == pair[1].len()));
        probes.chunks(width.clamp(1, TILE_PROBES_MAX)).map(Self::of).collect()
    }

    fn of(probes: &[&[i8]]) -> Self {
        let dimension = probes.iter().map(|probe| probe.len()).min().unwrap_or(0);
        let mut words = Vec::with_capacity(dimension / 2 * probes.len());
        for group in 0..dimension / GROUP {
            for first in [group * GROUP, group * GROUP + 1] {
                words.extend(probes.iter().map(|probe| pair(probe[first], probe[first + 2])));
            }
        }
        Self { probes: probes.len(), words }
    }

    /// How many probes.
    #[must_use]
    pub fn probes(&self) -> usize {
        self.probes
    }

    /// Groups of four components of each probe.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.words.len() / (2 * self.probes.max(1))
    }

    /// The packed words: `2 * probes` for each group.
    pub(super) fn words(&self) -> &[i32] {
        &self.words
    }
}

fn pair(low: i8, high: i8) -> i32 {
    let sixteen = |code: i8| u32::from(i16::from(code).cast_unsigned());
    (sixteen(low) | sixteen(high) << 16).cast_signed()
}
