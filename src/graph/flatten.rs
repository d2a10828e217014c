//! From hnsw_rs's linked points to flat lists, and the mending of what its insertion leaves behind.
//!
//! hnsw_rs drops the farthest of too many neighbours without looking whether anything else leads there, so a few rows in a
//! thousand can end up with no way to them at all: no search would ever find these. Mending gives each such row an edge
//! from one of its own neighbours.

use std::collections::VecDeque;

use hnsw_rs::hnsw::Hnsw;

use crate::base::limits::GRAPH_LEVEL_MAX;
use crate::graph::GraphError;
use crate::graph::build::{CodeDistance, Watch};
use crate::graph::codes::RowMajor;
use crate::graph::links::{FIRST_BITS, Flat, NONE, head, parted};
use crate::graph::walk::{Scratch, Terrain, Walked};
use crate::kernel::rowdot;

/// How often mending starts again: an edge that makes room for another may itself have been needed.
const ROUNDS_MAX: usize = 4;
/// Rows in view while a row without any neighbour is given some.
const MEND_EF: usize = 64;

/// Copies the edges. Those above a point's own level, which hnsw_rs keeps for its own ends, are left out, as are edges from
/// a point to itself and what is past the end of a list.
pub(super) fn flatten(hnsw: &Hnsw<'_, i8, CodeDistance>, rows: usize, m: usize) -> Result<Flat, GraphError> {
    let points = hnsw.get_point_indexation();
    let mut levels = vec![0_usize; rows];
    for point in points {
        let level = usize::from(point.get_point_id().0);
        let own = levels.get_mut(point.get_origin_id()).filter(|_| level <= GRAPH_LEVEL_MAX);
        *own.ok_or_else(|| GraphError::Edges(format!("level {level} of row {}", point.get_origin_id())))? = level;
    }
    let mut lists = 0_usize;
    let mut heads = vec![0; rows];
    for (own, &level) in heads.iter_mut().zip(&levels).filter(|(_, level)| **level > 0) {
        *own = head(level, lists as u32);
        lists += level;
    }
    if lists >= 1 << FIRST_BITS {
        return Err(GraphError::Edges(format!("{lists} lists on upper levels")));
    }
    let top = usize::from(points.get_max_level_observed());
    let entry = points.get_layer_iterator(top).next().map_or(NONE, |point| point.get_origin_id() as u32);
    let mut flat = Flat { m, top, entry, base: vec![NONE; rows * 2 * m], heads, upper: vec![NONE; lists * m] };
    for point in points {
        let row = point.get_origin_id() as u32;
        let (own, first) = flat.heads.get(row as usize).map_or((0, 0), |&head| parted(head));
        for (level, neighbours) in point.get_neighborhood_id().iter().enumerate().take(own + 1) {
            let reaches = |other: usize| levels.get(other).is_some_and(|&other| other >= level);
            let kept = neighbours.iter().map(|one| one.d_id).filter(|&other| other != row as usize && reaches(other));
            let list = if level == 0 {
                flat.below_mut(row)
            } else {
                let start = (first as usize + level - 1) * m;
                flat.upper.get_mut(start..start + m).unwrap_or_default()
            };
            for (to, other) in list.iter_mut().zip(kept) {
                *to = other as u32;
            }
        }
    }
    Ok(flat)
}

/// Leads an edge to every live row that has none; how many are left without.
pub(super) fn mend(flat: &mut Flat, codes: &RowMajor, watch: &Watch<'_>) -> Result<u64, GraphError> {
    let mut lost = Vec::new();
    for _round in 0..ROUNDS_MAX {
        let mut reach = Reach::of(flat);
        lost = (0..codes.len() as u32).filter(|&row| codes.scale(row) > 0.0 && !reach.has(row)).collect();
        if lost.is_empty() {
            break;
        }
        for &row in &lost {
            watch.check()?;
            if !reach.has(row) {
                adopt(flat, codes, row, &mut reach);
            }
        }
        let reach = Reach::of(flat);
        lost.retain(|&row| !reach.has(row));
    }
    Ok(lost.len() as u64)
}

/// Leads an edge to `row` from a neighbour that can be reached.
fn adopt(flat: &mut Flat, codes: &RowMajor, row: u32, reach: &mut Reach) {
    if !flat.links().below(row).iter().any(|&other| reach.has(other)) {
        let near = nearest(flat, codes, row);
        for (to, other) in flat.below_mut(row).iter_mut().zip(near) {
            *to = other;
        }
    }
    let hosts: Vec<u32> = flat.links().below(row).iter().copied().filter(|&other| reach.has(other)).collect();
    let free = |&&host: &&u32| flat.links().below(host).len() < 2 * flat.m;
    let room = hosts.iter().find(free).copied().map(|host| (host, flat.links().below(host).len()));
    // No host with room: the farthest neighbour that others lead to as well gives up its place.
    let place = room.or_else(|| {
        hosts.iter().find_map(|&host| {
            let spare = |other: &u32| reach.ways.get(*other as usize).is_some_and(|&ways| ways > 1);
            flat.links().below(host).iter().rposition(spare).map(|at| (host, at))
        })
    });
    if let Some((host, at)) = place
        && let Some(slot) = flat.below_mut(host).get_mut(at)
    {
        let before = std::mem::replace(slot, row);
        if let Some(ways) = reach.ways.get_mut(before as usize) {
            *ways -= 1;
        }
        if let Some(ways) = reach.ways.get_mut(row as usize) {
            *ways += 1;
        }
        reach.spread(flat, row);
    }
}

/// Rows near `row` that a walk leads to.
fn nearest(flat: &Flat, codes: &RowMajor, row: u32) -> Vec<u32> {
    let kernel = rowdot::best();
    let terrain = Terrain { links: flat.links(), codes, kernel: kernel.as_ref() };
    match terrain.walk(codes.row(row), MEND_EF, u64::MAX, |other| other != row, &mut Scratch::default()) {
        Walked::Found(found) => found.iter().take(2 * flat.m).map(|one| one.row).collect(),
        Walked::TooFar => Vec::new(),
    }
}

/// Which rows a walk over the lowest level can come to from the entry, and how many edges lead to each.
struct Reach {
    reached: Vec<bool>,
    ways: Vec<u32>,
}

impl Reach {
    fn of(flat: &Flat) -> Self {
        let rows = flat.heads.len();
        let mut reach = Self { reached: vec![false; rows], ways: vec![0; rows] };
        for &other in flat.base.iter().filter(|&&other| other != NONE) {
            if let Some(ways) = reach.ways.get_mut(other as usize) {
                *ways += 1;
            }
        }
        reach.spread(flat, flat.entry);
        reach
    }

    fn has(&self, row: u32) -> bool {
        self.reached.get(row as usize).copied().unwrap_or(false)
    }

    fn spread(&mut self, flat: &Flat, from: u32) {
        let mut open = VecDeque::from([from]);
        while let Some(row) = open.pop_front() {
            match self.reached.get_mut(row as usize) {
                Some(reached) if !*reached => *reached = true,
                Some(_) | None => continue,
            }
            open.extend(flat.links().below(row).iter().copied().filter(|&other| !self.has(other)));
        }
    }
}
