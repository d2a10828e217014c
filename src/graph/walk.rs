//! The walk: from the entry greedily down the upper levels, then over the lowest with `ef` rows in view (algorithm 5 of
//! Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small world
//! graphs", 2018). Coarse scores of 8-bit codes decide where to go.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::graph::codes::RowMajor;
use crate::graph::links::Links;
use crate::kernel::rowdot::{LINE_CODES, Line, RowKernel, fetch_list};

/// A row that was found, with its coarse score: dot product times the row's scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Found {
    /// Which row.
    pub row: u32,
    /// Its coarse score.
    pub coarse: f32,
}

/// How a walk ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Walked {
    /// The best rows that it came by, best first.
    Found(Vec<Found>),
    /// It came by more rows than it was allowed: looking at all of them is the better way.
    TooFar,
}

/// What a walk needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Terrain<'a> {
    /// Where it may go.
    pub links: Links<'a>,
    /// What stands there.
    pub codes: &'a RowMajor,
    /// How to multiply.
    pub kernel: &'a dyn RowKernel,
}

/// Room for one walk after another.
#[derive(Default)]
pub struct Scratch {
    /// A bit a row: come by already.
    seen: Vec<u64>,
    /// The rows whose bit is set: those are cleared for the next walk, and not a bit for each row of the gallery.
    came: Vec<u32>,
    /// The probe's codes, in whole lines.
    probe: Vec<Line>,
    dots: Vec<i32>,
    scales: Vec<f32>,
    /// Rows that are good enough for now: keys, and whether their codes are still there.
    reach: Vec<(u64, bool)>,
    open: BinaryHeap<u64>,
    best: BinaryHeap<Reverse<u64>>,
    /// Rows that the last walk multiplied with the probe.
    pub visited: u64,
}

impl Scratch {
    fn begin(&mut self, rows: usize, ef: usize, probe: &[i8]) {
        for row in self.came.drain(..) {
            if let Some(word) = self.seen.get_mut(row as usize / 64) {
                *word = 0;
            }
        }
        self.seen.resize(rows.div_ceil(64), 0);
        self.probe.clear();
        self.probe.resize(probe.len().div_ceil(LINE_CODES), Line([0; LINE_CODES]));
        for (to, code) in bytemuck::cast_slice_mut::<Line, i8>(&mut self.probe).iter_mut().zip(probe) {
            *to = *code;
        }
        self.open.clear();
        self.best.clear();
        self.visited = 0;
        // What most walks come to.
        self.came.reserve((32 * ef).min(rows));
        self.open.reserve((4 * ef).min(rows));
        self.best.reserve(ef.min(rows));
    }

    /// Marks those of `list` that are rows and were not marked before, and adds them to `came`.
    fn come_by(&mut self, list: &[u32], rows: usize) {
        let mut end = self.came.len();
        self.came.resize(end + list.len(), 0);
        for &row in list {
            let place = if (row as usize) < rows { self.seen.get_mut(row as usize / 64) } else { None };
            if let (Some(word), Some(to)) = (place, self.came.get_mut(end)) {
                // Written in any case and counted if it is new: whether it is can't be foreseen, and a branch would be.
                *to = row;
                end += usize::from(*word >> (row % 64) & 1 == 0);
                *word |= 1 << (row % 64);
            }
        }
        self.came.truncate(end);
    }
}

/// A coarse score and a row as one number: higher scores are greater, and of equal scores the earlier row.
fn key(coarse: f32, row: u32) -> u64 {
    let bits = coarse.to_bits();
    // The usual turn of IEEE 754 bits into integers of the same order.
    let ordered = if bits >> 31 == 0 { bits | 1 << 31 } else { !bits };
    u64::from(ordered) << 32 | u64::from(!row)
}

fn found(key: u64) -> Found {
    let ordered = (key >> 32) as u32;
    let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered };
    Found { row: !(key as u32), coarse: f32::from_bits(bits) }
}

/// The key that a row must reach to be among the best `ef`.
fn level(best: &BinaryHeap<Reverse<u64>>, ef: usize) -> u64 {
    if best.len() < ef { 0 } else { best.peek().map_or(0, |worst| worst.0) }
}

impl Terrain<'_> {
    /// The best `ef` rows that `wanted` accepts (asked of rows with codes only), as far as the graph leads to them. Rows that are not wanted are walked
    /// through: by their own score where their codes are still there, else (erased rows) by the score of the row that led
    /// to them. Gives up after `visits_max` rows.
    pub fn walk(
        &self,
        probe: &[i8],
        ef: usize,
        visits_max: u64,
        wanted: impl Fn(u32) -> bool,
        scratch: &mut Scratch,
    ) -> Walked {
        let rows = self.rows();
        scratch.begin(rows, ef, probe);
        let (start, coarse) = self.descend(scratch);
        scratch.come_by(&[start], rows);
        if scratch.came.is_empty() {
            return Walked::Found(Vec::new());
        }
        scratch.open.push(key(coarse, start));
        if wanted(start) && self.codes.scale(start) > 0.0 {
            scratch.best.push(Reverse(key(coarse, start)));
        }
        while let Some(next) = scratch.open.pop() {
            if next < level(&scratch.best, ef) {
                break;
            }
            if scratch.visited > visits_max {
                return Walked::TooFar;
            }
            self.expand(found(next), ef, &wanted, scratch);
        }
        let mut list: Vec<u64> = scratch.best.drain().map(|reverse| reverse.0).collect();
        list.sort_unstable_by(|a, b| b.cmp(a));
        Walked::Found(list.into_iter().map(found).collect())
    }

    fn rows(&self) -> usize {
        self.links.rows().min(self.codes.len())
    }

    /// Looks at the neighbours of `from` that were not come by yet.
    fn expand(&self, from: Found, ef: usize, wanted: &impl Fn(u32) -> bool, scratch: &mut Scratch) {
        let first = scratch.came.len();
        scratch.come_by(self.links.places_below(from.row), self.rows());
        let Scratch { came, probe, dots, scales, reach, open, best, visited, seen: _ } = scratch;
        let new = came.get(first..).unwrap_or_default();
        // Asked for before the products are made, so that nothing waits for them afterwards.
        scales.clear();
        scales.extend(new.iter().map(|&row| self.codes.scale(row)));
        dots.resize(new.len(), 0);
        self.kernel.dots(probe, self.codes.lines(), new, dots);
        *visited += new.len() as u64;
        let mut least = level(best, ef);
        // Which of them are good enough can't be foreseen: they are written in any case, and counted if they are.
        reach.resize(new.len(), (0, false));
        let mut count = 0;
        for ((&row, &dot), &scale) in new.iter().zip(&*dots).zip(&*scales) {
            let alive = scale > 0.0;
            let key = key(if alive { dot as f32 * scale } else { from.coarse }, row);
            if let Some(to) = reach.get_mut(count) {
                *to = (key, alive);
            }
            count += usize::from(key >= least);
        }
        for &(new, alive) in reach.iter().take(count) {
            if new < least {
                continue;
            }
            open.push(new);
            let row = found(new).row;
            // It may be the next to be looked at.
            fetch_list(self.links.places_below(row));
            if alive && wanted(row) {
                if best.len() < ef {
                    best.push(Reverse(new));
                } else if let Some(mut worst) = best.peek_mut() {
                    *worst = Reverse(new);
                }
                least = level(best, ef);
            }
        }
    }

    /// Down to level 1: always to the best neighbour, until there is none better. Every step has a higher score than the
    /// one before, so it ends whatever the edges are.
    fn descend(&self, scratch: &mut Scratch) -> (u32, f32) {
        let mut here = self.links.entry;
        let own = self.codes.scale(here);
        let Scratch { probe, dots, visited, .. } = scratch;
        dots.resize(1, 0);
        self.kernel.dots(probe, self.codes.lines(), &[here], dots);
        let first = dots.first().copied().unwrap_or(0);
        let mut score = if own > 0.0 { first as f32 * own } else { f32::NEG_INFINITY };
        for level in (1..=self.links.top).rev() {
            loop {
                let before = here;
                let near = self.links.above(here, level);
                dots.resize(near.len(), 0);
                self.kernel.dots(probe, self.codes.lines(), near, dots);
                *visited += near.len() as u64;
                for (&row, &dot) in near.iter().zip(&*dots) {
                    let scale = self.codes.scale(row);
                    let coarse = dot as f32 * scale;
                    if scale > 0.0 && coarse > score {
                        (here, score) = (row, coarse);
                    }
                }
                if here == before {
                    break;
                }
            }
        }
        (here, score)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_order_as_scores_then_rows(a in any::<f32>(), b in any::<f32>(), x in any::<u32>(), y in any::<u32>()) {
            let (a, b) = (if a.is_nan() { 0.5 } else { a }, if b.is_nan() { 0.5 } else { b });
            prop_assert_eq!(found(key(a, x)), Found { row: x, coarse: a });
            prop_assert_eq!(key(a, x).cmp(&key(b, y)), a.total_cmp(&b).then(y.cmp(&x)));
        }
    }
}
