//! The walk: from the entry greedily down the upper levels, then over the lowest with `ef` rows in view (algorithm 5 of
//! Malkov and Yashunin, "Efficient and robust approximate nearest neighbor search using hierarchical navigable small world
//! graphs", 2018). Coarse scores of 8-bit codes decide where to go.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::graph::codes::RowMajor;
use crate::graph::links::Links;
use crate::kernel::rowdot::RowKernel;

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
#[derive(Debug, Default)]
pub struct Scratch {
    /// A bit a row: come by already.
    seen: Vec<u64>,
    todo: Vec<u32>,
    dots: Vec<i32>,
    open: BinaryHeap<u64>,
    best: BinaryHeap<Reverse<u64>>,
    /// Rows that the last walk multiplied with the probe.
    pub visited: u64,
}

impl Scratch {
    fn begin(&mut self, rows: usize) {
        self.seen.clear();
        self.seen.resize(rows.div_ceil(64), 0);
        self.open.clear();
        self.best.clear();
        self.visited = 0;
    }

    /// Marks a row; whether it is one and was not marked before.
    fn mark(&mut self, row: u32, rows: usize) -> bool {
        let Some(word) = self.seen.get_mut(row as usize / 64).filter(|_| (row as usize) < rows) else { return false };
        let bit = 1 << (row % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
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

impl Terrain<'_> {
    /// The best `ef` rows that `wanted` accepts, as far as the graph leads to them. Rows that are not wanted are walked
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
        scratch.begin(rows);
        let (start, coarse) = self.descend(probe, scratch);
        if !scratch.mark(start, rows) {
            return Walked::Found(Vec::new());
        }
        scratch.open.push(key(coarse, start));
        if wanted(start) && self.codes.scale(start) > 0.0 {
            scratch.best.push(Reverse(key(coarse, start)));
        }
        while let Some(next) = scratch.open.pop() {
            let level = if scratch.best.len() < ef { 0 } else { scratch.best.peek().map_or(0, |worst| worst.0) };
            if next < level {
                break;
            }
            if scratch.visited > visits_max {
                return Walked::TooFar;
            }
            self.expand(found(next), probe, ef, &wanted, scratch);
        }
        let mut list: Vec<u64> = scratch.best.drain().map(|reverse| reverse.0).collect();
        list.sort_unstable_by(|a, b| b.cmp(a));
        Walked::Found(list.into_iter().map(found).collect())
    }

    fn rows(&self) -> usize {
        self.links.rows().min(self.codes.len())
    }

    /// Looks at the neighbours of `from` that were not come by yet.
    fn expand(&self, from: Found, probe: &[i8], ef: usize, wanted: &impl Fn(u32) -> bool, scratch: &mut Scratch) {
        let rows = self.rows();
        let mut todo = std::mem::take(&mut scratch.todo);
        todo.clear();
        todo.extend(self.links.below(from.row).iter().copied().filter(|&row| scratch.mark(row, rows)));
        scratch.dots.resize(todo.len(), 0);
        self.kernel.dots(probe, self.codes.codes(), &todo, &mut scratch.dots);
        scratch.visited += todo.len() as u64;
        for (&row, &dot) in todo.iter().zip(&scratch.dots) {
            let scale = self.codes.scale(row);
            let alive = scale > 0.0;
            let new = key(if alive { dot as f32 * scale } else { from.coarse }, row);
            let full = scratch.best.len() >= ef;
            if full && scratch.best.peek().is_some_and(|worst| new < worst.0) {
                continue;
            }
            scratch.open.push(new);
            if alive && wanted(row) {
                scratch.best.push(Reverse(new));
                if full {
                    scratch.best.pop();
                }
            }
        }
        scratch.todo = todo;
    }

    /// Down to level 1: always to the best neighbour, until there is none better. Every step has a higher score than the
    /// one before, so it ends whatever the edges are.
    fn descend(&self, probe: &[i8], scratch: &mut Scratch) -> (u32, f32) {
        let mut here = self.links.entry;
        let own = self.codes.scale(here);
        let first = self.kernel.dot(probe, self.codes.row(here));
        let mut score = if own > 0.0 { first as f32 * own } else { f32::NEG_INFINITY };
        for level in (1..=self.links.top).rev() {
            loop {
                let before = here;
                let near = self.links.above(here, level);
                scratch.dots.resize(near.len(), 0);
                self.kernel.dots(probe, self.codes.codes(), near, &mut scratch.dots);
                scratch.visited += near.len() as u64;
                for (&row, &dot) in near.iter().zip(&scratch.dots) {
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
