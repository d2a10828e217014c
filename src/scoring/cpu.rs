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

/// Codes of one piece that several tiles of probes go over: this and the one being fetched fit the second-level cache of
/// servers since 2017 (1 MiB).
const PIECE_BYTES: usize = 256 << 10;
/// Codes of one piece that is gone over once, by the only tile. It needs no cache, and each piece begins with
/// [`NEAR_BYTES`] that nobody fetched ahead.
const STREAM_BYTES: usize = 1 << 20;
/// How far before the block in hand codes are fetched that are gone over once. Measured between 1 and 4 KiB, on pages of
/// either size: a tenth to a fifth faster than fetching the thread's next piece, and most so where its pages are not mapped
/// yet, since a fetch can't map one.
const NEAR_BYTES: usize = 3 << 10;
/// Pieces for each thread at least, where the gallery is large enough: none waits long for the last one.
const PIECES_A_THREAD: usize = 8;

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

    /// Codes of the run as many as the piece has, from [`NEAR_BYTES`] further on.
    fn shifted(&self) -> &'a [i8] {
        let (codes, block_codes) = (self.rows.codes(), BLOCK_ROWS * self.rows.dimension().get());
        let end = ((self.first_block + self.blocks) * block_codes + NEAR_BYTES).min(codes.len());
        codes.get(self.first_block * block_codes + NEAR_BYTES..end).unwrap_or_default()
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
        self.check(gallery, probes)?;
        let codes: Vec<&[i8]> = probes.iter().map(|probe| probe.codes.as_slice()).collect();
        let tiles = Tile::pack(&codes, self.kernel.as_ref());
        let once = tiles.len() == 1;
        let pieces = pieces(gallery, if once { stream_bytes(gallery, self.threads) } else { PIECE_BYTES });
        let levels: Vec<SharedLevel> = cuts.iter().map(|_| SharedLevel::new()).collect();
        let workers = parallel::share(self.threads, pieces.len(), |jobs| {
            let start = |(&cut, level)| Collector::new(cut, self.limit(), level);
            let mut collectors: Vec<Collector<'_>> = cuts.iter().zip(&levels).map(start).collect();
            let mut mine = jobs.filter_map(|job| pieces.get(job)).peekable();
            while let Some(piece) = mine.next() {
                // With a filter, what follows in the run may not be wanted at all.
                let ahead = if once && piece.rows.allowed().is_none() {
                    piece.shifted()
                } else {
                    mine.peek().map_or(&[][..], |next| next.codes())
                };
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
    /// Looks whether everything fits together.
    fn check(&self, gallery: &GalleryRows, probes: &[Code]) -> Result<(), CoarseError> {
        for (run, rows) in gallery.iter().enumerate() {
            let (dimension, count) = (rows.dimension(), rows.len());
            if let Some(probe) = probes.iter().find(|probe| probe.codes.len() != dimension.get()) {
                return Err(CoarseError::Dimension { probe: probe.codes.len(), gallery: dimension });
            }
            let whole = blocks(count) * BLOCK_ROWS;
            if rows.codes().len() < code_bytes(count, dimension.get()) || rows.scales().len() < whole {
                let reason = format!("run {run} of the gallery has {count} rows, but not as many codes or scales");
                return Err(CoarseError::Device { back_end: self.name(), reason });
            }
        }
        Ok(())
    }
}

/// Codes of one piece where the gallery is gone over once: as many as [`STREAM_BYTES`] if that is pieces enough.
fn stream_bytes(gallery: &GalleryRows, threads: usize) -> usize {
    let all: usize = gallery.iter().map(|rows| rows.codes().len()).sum();
    (all / (PIECES_A_THREAD * threads.max(1))).clamp(PIECE_BYTES, STREAM_BYTES)
}

/// Cuts the gallery into pieces of at most `piece_bytes` of codes, but at least a block.
fn pieces(gallery: &GalleryRows, piece_bytes: usize) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for (run, rows) in (0_u32..).zip(gallery) {
        let step = (piece_bytes / (BLOCK_ROWS * rows.dimension().get())).max(1);
        let piece = |at: Range<usize>| Piece { rows: rows.as_ref(), run, first_block: at.start, blocks: at.len() };
        pieces.extend(stretches(rows.as_ref(), step).into_iter().map(piece));
    }
    pieces
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
    fn what_is_gone_over_once_is_fetched_from_a_little_further_on() -> Result<(), crate::vector::VectorError> {
        let mut rows = MemoryRows::new(Dimension::new(512)?);
        for id in 0..100 {
            rows.push(TemplateId(id), &[0.04; 512]);
        }
        let run: Arc<dyn Rows> = Arc::new(rows);
        let gallery = [Arc::clone(&run)];
        let shifted: Vec<usize> =
            pieces(&gallery, 3 * BLOCK_ROWS * 512).iter().map(|piece| piece.shifted().len()).collect();
        let block = BLOCK_ROWS * 512;
        assert_eq!(shifted, [3 * block, 3 * block, block - NEAR_BYTES], "only the run's end is cut off");
        assert_eq!(pieces(&gallery, 0).len(), 7, "a block at least");
        let first = pieces(&gallery, block)[0].shifted().as_ptr();
        assert_eq!(first, run.codes()[NEAR_BYTES..].as_ptr());
        Ok(())
    }

    #[test]
    fn pieces_are_as_long_as_leaves_some_for_every_thread() -> Result<(), crate::vector::VectorError> {
        let mut rows = MemoryRows::new(Dimension::new(2048)?);
        for id in 0..4096 {
            rows.push(TemplateId(id), &[0.02; 2048]);
        }
        let gallery: [Arc<dyn Rows>; 1] = [Arc::new(rows)];
        assert_eq!(stream_bytes(&gallery, 1), STREAM_BYTES);
        assert_eq!(stream_bytes(&gallery, 2), 512 << 10);
        assert_eq!(stream_bytes(&gallery, 64), PIECE_BYTES);
        assert_eq!(stream_bytes(&[], 0), PIECE_BYTES);
        Ok(())
    }

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
