//! The coarse pass on the CPU: a kernel of [`crate::kernel`], a few threads, and rows in pieces that stay in the cache
//! while every probe has its turn.

use std::ops::Range;
use std::sync::Arc;

use crate::base::limits::{SURVIVORS_MAX, TOP_K_MAX};
use crate::kernel::{Blocks, Hit, Kernel, Levels, TILE_PROBES_MAX, Tile};
use crate::scoring::collector::{Block, Collector, SharedLevel, merge};
use crate::scoring::parallel;
use crate::vector::coarse::{CoarseError, CoarsePass, Cut, Sweep};
use crate::vector::codec::Code;
use crate::vector::layout::{BLOCK_ROWS, blocks, code_bytes};
use crate::vector::rows::{GalleryRows, Rows};

/// Codes of one piece. This and the one being fetched fit the second-level cache of servers since 2017 (1 MiB).
const PIECE_BYTES: usize = 256 << 10;

/// Scans codes with a CPU kernel.
#[derive(Debug, Clone)]
pub struct CpuPass {
    kernel: Arc<dyn Kernel>,
    threads: usize,
}

impl CpuPass {
    /// Scans with `kernel` on `threads` threads (at least one).
    #[must_use]
    pub fn new(kernel: Arc<dyn Kernel>, threads: usize) -> Self {
        Self { kernel, threads: threads.max(1) }
    }

    /// Survivors that one thread may keep of one probe. Rows lie unevenly, so a thread's share is never less than
    /// what a long candidate list needs.
    fn limit(&self) -> usize {
        (SURVIVORS_MAX / self.threads).max(4 * TOP_K_MAX)
    }
}

/// Some blocks of one run.
struct Piece<'a> {
    rows: &'a dyn Rows,
    run: u32,
    first_block: usize,
    blocks: usize,
}

impl<'a> Piece<'a> {
    /// Cut from the very slices whose lengths were looked at; empty otherwise.
    fn codes(&self) -> &'a [i8] {
        let block_codes = BLOCK_ROWS * self.rows.dimension().get();
        let end = self.first_block + self.blocks;
        self.rows.codes().get(self.first_block * block_codes..end * block_codes).unwrap_or_default()
    }

    fn scales(&self) -> &'a [[f32; BLOCK_ROWS]] {
        let lines = self.rows.scales().as_chunks::<BLOCK_ROWS>().0;
        lines.get(self.first_block..self.first_block + self.blocks).unwrap_or_default()
    }
}

impl CoarsePass for CpuPass {
    fn name(&self) -> String {
        let threads = if self.threads == 1 { "thread" } else { "threads" };
        format!("cpu {} x {} {threads}", self.kernel.name(), self.threads)
    }

    fn sweep(&self, gallery: &GalleryRows, probes: &[Code], cuts: &[Cut]) -> Result<Vec<Sweep>, CoarseError> {
        debug_assert_eq!(probes.len(), cuts.len());
        let pieces = self.pieces(gallery, probes)?;
        let codes: Vec<&[i8]> = probes.iter().map(|probe| probe.codes.as_slice()).collect();
        let tiles = Tile::pack(&codes, self.kernel.as_ref());
        let levels: Vec<SharedLevel> = cuts.iter().map(|_| SharedLevel::new()).collect();
        let workers = parallel::share(self.threads, pieces.len(), |jobs| {
            let start = |(&cut, level)| Collector::new(cut, self.limit(), level);
            let mut collectors: Vec<Collector<'_>> = cuts.iter().zip(&levels).map(start).collect();
            let mut mine = jobs.filter_map(|job| pieces.get(job)).peekable();
            while let Some(piece) = mine.next() {
                let ahead = mine.peek().map_or(&[][..], |next| next.codes());
                scan(self.kernel.as_ref(), piece, ahead, &tiles, &mut collectors);
            }
            collectors
        });
        Ok(turned(workers, cuts.len())
            .into_iter()
            .zip(cuts)
            .map(|(parts, &cut)| merge(cut, SURVIVORS_MAX, parts))
            .collect())
    }

    fn refresh(&self, _gallery: &GalleryRows) -> Result<(), CoarseError> {
        // Reads the gallery in place and keeps no copy.
        Ok(())
    }
}

impl CpuPass {
    /// Cuts the gallery into pieces, after looking that everything fits together.
    fn pieces<'a>(&self, gallery: &'a GalleryRows, probes: &[Code]) -> Result<Vec<Piece<'a>>, CoarseError> {
        let mut pieces = Vec::new();
        for (run, rows) in (0_u32..).zip(gallery) {
            let (dimension, count) = (rows.dimension(), rows.len());
            if let Some(probe) = probes.iter().find(|probe| probe.codes.len() != dimension.get()) {
                return Err(CoarseError::Dimension { probe: probe.codes.len(), gallery: dimension });
            }
            let whole = blocks(count) * BLOCK_ROWS;
            if rows.codes().len() < code_bytes(count, dimension.get()) || rows.scales().len() < whole {
                let reason = format!("run {run} of the gallery has {count} rows, but not as many codes or scales");
                return Err(CoarseError::Device { back_end: self.name(), reason });
            }
            let step = (PIECE_BYTES / (BLOCK_ROWS * dimension.get())).max(1);
            let piece = |at: Range<usize>| Piece { rows: rows.as_ref(), run, first_block: at.start, blocks: at.len() };
            pieces.extend(stretches(rows.as_ref(), step).into_iter().map(piece));
        }
        Ok(pieces)
    }
}

/// Consecutive blocks of a run, at most `step` at a time: all of them, or with a filter those in which it lets a row through.
fn stretches(rows: &dyn Rows, step: usize) -> Vec<Range<usize>> {
    let count = blocks(rows.len());
    let Some(allowed) = rows.allowed() else {
        return (0..count).step_by(step).map(|first| first..count.min(first + step)).collect();
    };
    let mut stretches: Vec<Range<usize>> = Vec::new();
    for block in (0..count).filter(|&block| allowed.block(block) != 0) {
        match stretches.last_mut() {
            Some(last) if last.end == block && last.len() < step => last.end += 1,
            Some(_) | None => stretches.push(block..block + 1),
        }
    }
    stretches
}

/// Offers every row of `piece` to every probe's collector: tile by tile, so that the rows come from the cache, and with
/// each tile its part of what is `ahead`.
fn scan(kernel: &dyn Kernel, piece: &Piece<'_>, ahead: &[i8], tiles: &[Tile], collectors: &mut [Collector<'_>]) {
    let (codes, scales) = (piece.codes(), piece.scales());
    let mut ahead = ahead.chunks(ahead.len().div_ceil(tiles.len().max(1)).max(1));
    let mut rest = collectors;
    for tile in tiles {
        let (mine, others) = rest.split_at_mut(tile.probes().min(rest.len()));
        let mut levels: Levels = [f32::INFINITY; TILE_PROBES_MAX];
        for (collector, level) in mine.iter_mut().zip(&mut levels) {
            collector.catch_up();
            *level = collector.level();
        }
        let mut on_hit = |hit: &Hit<'_>, levels: &mut Levels| {
            let row = ((piece.first_block + hit.block) * BLOCK_ROWS) as u32;
            let Some(scales) = scales.get(hit.block) else { return };
            let block = Block { run: piece.run, row, scales, rows: piece.rows };
            let mut probes = hit.probes;
            while probes != 0 {
                let number = probes.trailing_zeros() as usize;
                probes &= probes - 1;
                // A bit past the tile's probes would be a kernel's mistake: there is nobody to tell.
                if let (Some(collector), Some(level)) = (mine.get_mut(number), levels.get_mut(number)) {
                    collector.offer(block, hit.rows[number], &hit.dots.0[number]);
                    *level = collector.level();
                }
            }
        };
        let blocks = Blocks { codes, scales, ahead: ahead.next().unwrap_or_default() };
        kernel.scan(blocks, tile, &mut levels, &mut on_hit);
        rest = others;
    }
}

/// From one list a worker, with one collector a probe, to one list a probe.
fn turned<T>(workers: Vec<Vec<T>>, probes: usize) -> Vec<Vec<T>> {
    let mut turned: Vec<Vec<T>> = (0..probes).map(|_| Vec::new()).collect();
    for worker in workers {
        for (list, part) in turned.iter_mut().zip(worker) {
            list.push(part);
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TemplateId;
    use crate::vector::dimension::Dimension;
    use crate::vector::filter::restrict;
    use crate::vector::memory::MemoryRows;

    #[test]
    fn blocks_without_a_row_that_is_let_through_are_not_read() -> Result<(), crate::vector::VectorError> {
        let mut rows = MemoryRows::new(Dimension::new(16)?);
        for id in 0..100 {
            rows.push(TemplateId(id), &[0.25; 16]);
        }
        let run: Arc<dyn Rows> = Arc::new(rows);
        assert_eq!(stretches(run.as_ref(), 3), [0..3, 3..6, 6..7]);
        let ids: Vec<TemplateId> = [5, 20, 40, 60, 99].map(TemplateId).to_vec();
        let part = restrict(&[run], &ids);
        assert_eq!(stretches(part[0].as_ref(), 3), [0..3, 3..4, 6..7]);
        assert_eq!(stretches(part[0].as_ref(), 9), [0..4, 6..7]);
        Ok(())
    }
}
