//! The coarse pass on the CPU: a kernel of [`crate::kernel`], a few threads, and rows in pieces that stay in the cache
//! while every probe has its turn.

use std::sync::Arc;

use crate::base::limits::{SURVIVORS_MAX, TOP_K_MAX};
use crate::kernel::{Blocks, Hit, Kernel, Levels, TILE_PROBES_MAX, Tile};
use crate::scoring::collector::{Block, Collector, SharedLevel, merge};
use crate::scoring::parallel;
use crate::vector::coarse::{CoarseError, CoarsePass, Cut, Sweep};
use crate::vector::codec::Code;
use crate::vector::layout::{BLOCK_ROWS, blocks, code_bytes};
use crate::vector::rows::{GalleryRows, Rows};

/// Codes of one piece: small enough for half of the second-level cache of an older core.
const PIECE_BYTES: usize = 128 << 10;

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
            for piece in jobs.filter_map(|job| pieces.get(job)) {
                scan(self.kernel.as_ref(), piece, &tiles, &mut collectors);
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
            for first_block in (0..blocks(count)).step_by(step) {
                let blocks = step.min(blocks(count) - first_block);
                pieces.push(Piece { rows: rows.as_ref(), run, first_block, blocks });
            }
        }
        Ok(pieces)
    }
}

/// Offers every row of `piece` to every probe's collector: tile by tile, so that the rows come from the cache.
fn scan(kernel: &dyn Kernel, piece: &Piece<'_>, tiles: &[Tile], collectors: &mut [Collector<'_>]) {
    let block_codes = BLOCK_ROWS * piece.rows.dimension().get();
    let end = piece.first_block + piece.blocks;
    let codes = piece.rows.codes().get(piece.first_block * block_codes..end * block_codes);
    let scales = piece.rows.scales().as_chunks::<BLOCK_ROWS>().0.get(piece.first_block..end);
    // Cut from these very slices, after a look at their lengths.
    let (Some(codes), Some(scales)) = (codes, scales) else { return };
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
            for (number, ((collector, dots), level)) in mine.iter_mut().zip(&hit.dots.0).zip(levels).enumerate() {
                if hit.probes >> number & 1 != 0 {
                    collector.offer(Block { rows: piece.rows, run: piece.run, row }, dots, scales);
                    *level = collector.level();
                }
            }
        };
        kernel.scan(Blocks { codes, scales }, tile, &mut levels, &mut on_hit);
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
