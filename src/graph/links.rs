//! The edges of a graph, wherever they lie: built ones in memory, or mapped from a file that nobody need trust.

use crate::base::limits::GRAPH_LEVEL_MAX;

/// Ends a list of neighbours that is not full.
pub const NONE: u32 = u32::MAX;
/// Bits of a head below the level: where the point's upper lists begin.
pub const FIRST_BITS: u32 = 28;

/// A view of a graph. Nothing in it is believed: a neighbour that is no row, or a list that is not there, is passed over,
/// so no bytes can lead a walk out of range.
#[derive(Debug, Clone, Copy)]
pub struct Links<'a> {
    /// Most neighbours on an upper level; twice as many on the lowest.
    pub m: usize,
    /// Highest level.
    pub top: usize,
    /// Where a walk begins.
    pub entry: u32,
    /// `2 m` neighbours a row.
    pub base: &'a [u32],
    /// A row's level and the number of its first upper list ([`head`]).
    pub heads: &'a [u32],
    /// Lists of `m` neighbours: of each row in turn, from level 1 up to its own.
    pub upper: &'a [u32],
}

/// A row's level and the number of its first upper list in one number.
#[must_use]
pub fn head(level: usize, first: u32) -> u32 {
    (level as u32) << FIRST_BITS | first
}

/// Level and number of the first upper list.
#[must_use]
pub fn parted(head: u32) -> (usize, u32) {
    ((head >> FIRST_BITS) as usize, head & ((1 << FIRST_BITS) - 1))
}

impl<'a> Links<'a> {
    /// Rows of the segment, those without a point included.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.heads.len()
    }

    /// Neighbours of a row on the lowest level.
    #[must_use]
    pub fn below(&self, row: u32) -> &'a [u32] {
        filled(self.places_below(row))
    }

    /// The whole list of a row on the lowest level, with [`NONE`] behind the neighbours; not looked at by this.
    #[must_use]
    pub fn places_below(&self, row: u32) -> &'a [u32] {
        let start = row as usize * 2 * self.m;
        self.base.get(start..start + 2 * self.m).unwrap_or_default()
    }

    /// Neighbours of a row on an upper level, from 1; none where the row does not reach so high.
    #[must_use]
    pub fn above(&self, row: u32, level: usize) -> &'a [u32] {
        let (own, first) = self.heads.get(row as usize).map_or((0, 0), |&head| parted(head));
        if level == 0 || level > own {
            return &[];
        }
        let start = (first as usize + level - 1) * self.m;
        filled(self.upper.get(start..start + self.m).unwrap_or_default())
    }

    /// What is wrong with the graph, if anything: every edge leads to a row that reaches the edge's level, no row to
    /// itself, lists end where they end, heads follow each other, and the entry is on the top level.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let level = |row: u32| self.heads.get(row as usize).map(|&head| parted(head).0);
        if self.top > GRAPH_LEVEL_MAX || level(self.entry) != Some(self.top) {
            return Some(format!("its entry {} is not on its top level {}", self.entry, self.top));
        }
        let mut next = 0;
        for (row, &head) in (0_u32..).zip(self.heads) {
            let (own, first) = parted(head);
            if own > self.top || first != if own == 0 { 0 } else { next } {
                return Some(format!("row {row} has a wrong head"));
            }
            next += own as u32;
            for at in 0..=own {
                let list = if at == 0 { self.places_below(row) } else { self.raw_above(first, at) };
                let (used, rest) = list.split_at(filled(list).len());
                let good = |&other: &u32| other != row && level(other).is_some_and(|other| other >= at);
                if list.is_empty() || !used.iter().all(good) || rest.iter().any(|&other| other != NONE) {
                    return Some(format!("row {row} has a wrong neighbour on level {at}"));
                }
            }
        }
        (next as usize * self.m != self.upper.len()).then(|| "it has upper lists that belong to no row".to_owned())
    }

    fn raw_above(&self, first: u32, level: usize) -> &'a [u32] {
        let start = (first as usize + level - 1) * self.m;
        self.upper.get(start..start + self.m).unwrap_or_default()
    }
}

fn filled(list: &[u32]) -> &[u32] {
    let end = list.iter().position(|&other| other == NONE).unwrap_or(list.len());
    &list[..end]
}

/// A graph in memory: built, not yet written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flat {
    /// See [`Links::m`].
    pub m: usize,
    /// See [`Links::top`].
    pub top: usize,
    /// See [`Links::entry`].
    pub entry: u32,
    /// See [`Links::base`].
    pub base: Vec<u32>,
    /// See [`Links::heads`].
    pub heads: Vec<u32>,
    /// See [`Links::upper`].
    pub upper: Vec<u32>,
}

impl Flat {
    /// The edges.
    #[must_use]
    pub fn links(&self) -> Links<'_> {
        let Self { m, top, entry, base, heads, upper } = self;
        Links { m: *m, top: *top, entry: *entry, base, heads, upper }
    }

    /// A row's list on the lowest level, for changing.
    pub(super) fn below_mut(&mut self, row: u32) -> &mut [u32] {
        let (start, length) = (row as usize * 2 * self.m, 2 * self.m);
        self.base.get_mut(start..start + length).unwrap_or_default()
    }
}
