//! Probes in the orders in which kernels read them.

use crate::kernel::{Kernel, TILE_PROBES_MAX};
use crate::vector::layout::GROUP;

/// How the probes of a tile lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packing {
    /// For each group of four components first components 0 and 2 of each probe, then components 1 and 3 of each, two
    /// 16-bit numbers a word. A block's 32-bit lane holds four codes of a row: shifting them apart into 16 bits leaves
    /// these pairs, and one multiply-add serves both.
    Pairs,
    /// For each group of four components those of each probe, four 8-bit numbers a word: what sums of four products take.
    Quads,
    /// [`Square`]s: for each sixteen groups one of each sixteen probes.
    Squares,
}

/// Sixteen probes' codes of 64 components, padded with zeros: one tile register of AMX. A probe is a cache line.
#[derive(Debug, Clone)]
#[repr(C, align(64))]
pub(super) struct Square(pub(super) [[i8; Square::CODES]; Square::PROBES]);

impl Square {
    pub(super) const PROBES: usize = 16;
    pub(super) const CODES: usize = 64;
}

/// A few probes, packed once per search for one kernel.
#[derive(Clone)]
pub struct Tile {
    probes: usize,
    groups: usize,
    words: Vec<i32>,
    starts: Vec<i32>,
    squares: Vec<Square>,
}

impl Tile {
    /// Packs probes of equal, positive length, a multiple of 4, for `kernel`: in order, into as few tiles as its width
    /// allows, all about as full as each other, since a nearly empty one would cost almost a full one's time.
    #[must_use]
    pub fn pack(probes: &[&[i8]], kernel: &dyn Kernel) -> Vec<Self> {
        Self::pack_as(probes, kernel.packing(), kernel.tile_probes())
    }

    /// As [`pack`](Self::pack), with at most `width` probes (and at most [`TILE_PROBES_MAX`]) a tile.
    pub(super) fn pack_as(probes: &[&[i8]], packing: Packing, width: usize) -> Vec<Self> {
        debug_assert!(probes.windows(2).all(|pair| pair[0].len() == pair[1].len()));
        let tiles = probes.len().div_ceil(width.clamp(1, TILE_PROBES_MAX));
        let each = probes.len().div_ceil(tiles.max(1)).max(1);
        probes.chunks(each).map(|probes| Self::of(probes, packing)).collect()
    }

    fn of(probes: &[&[i8]], packing: Packing) -> Self {
        let groups = probes.iter().map(|probe| probe.len()).min().unwrap_or(0) / GROUP;
        let sum = |probe: &&[i8]| probe.iter().map(|&code| i32::from(code)).sum::<i32>();
        // 128 * 128 * 2048 at most: an eighth of the range of an i32.
        let starts = probes.iter().map(|probe| -128 * sum(probe)).collect();
        let mut tile = Self { probes: probes.len(), groups, words: Vec::new(), starts, squares: Vec::new() };
        match packing {
            Packing::Pairs => tile.words = pairs(probes, groups),
            Packing::Quads => tile.words = quads(probes, groups),
            Packing::Squares => tile.squares = squares(probes, groups),
        }
        tile
    }

    /// How many probes.
    #[must_use]
    pub fn probes(&self) -> usize {
        self.probes
    }

    /// Groups of four components of each probe.
    #[must_use]
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// The words of [`Packing::Pairs`] (twice as many as probes for each group) or [`Packing::Quads`] (as many).
    pub(super) fn words(&self) -> &[i32] {
        &self.words
    }

    /// For each probe -128 times the sum of its codes: where a sum has to begin when the rows' codes are made unsigned by
    /// adding 128 to each.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub(super) fn starts(&self) -> &[i32] {
        &self.starts
    }

    /// The squares of [`Packing::Squares`]: for each 64 components, the last of which may be fewer, one of each sixteen
    /// probes.
    #[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
    pub(super) fn squares(&self) -> &[Square] {
        &self.squares
    }
}

fn pairs(probes: &[&[i8]], groups: usize) -> Vec<i32> {
    let mut words = Vec::with_capacity(2 * groups * probes.len());
    for group in 0..groups {
        for first in [group * GROUP, group * GROUP + 1] {
            words.extend(probes.iter().map(|probe| pair(probe[first], probe[first + 2])));
        }
    }
    words
}

fn pair(low: i8, high: i8) -> i32 {
    let sixteen = |code: i8| u32::from(i16::from(code).cast_unsigned());
    (sixteen(low) | sixteen(high) << 16).cast_signed()
}

fn quads(probes: &[&[i8]], groups: usize) -> Vec<i32> {
    let quad = |probe: &[i8], group: usize| {
        let at = group * GROUP;
        i32::from_le_bytes([probe[at], probe[at + 1], probe[at + 2], probe[at + 3]].map(i8::cast_unsigned))
    };
    (0..groups).flat_map(|group| probes.iter().map(move |probe| quad(probe, group))).collect()
}

fn squares(probes: &[&[i8]], groups: usize) -> Vec<Square> {
    let mut squares = Vec::new();
    for first in (0..groups * GROUP).step_by(Square::CODES) {
        for some in probes.chunks(Square::PROBES) {
            let mut square = Square([[0; Square::CODES]; Square::PROBES]);
            for (line, probe) in square.0.iter_mut().zip(some) {
                for (place, &code) in line.iter_mut().zip(probe.iter().skip(first)) {
                    *place = code;
                }
            }
            squares.push(square);
        }
    }
    squares
}
