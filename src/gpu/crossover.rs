//! From how many probes on K3 is the faster kernel: timed on the device itself, when K3 has passed its self-test.
//!
//! K3's workgroups work for 64 probes whether there are so many or not, K2's for 16. So K3 takes as long for 9 probes as for
//! 64, and K2 grows by steps of 16: four figures of K2 and one of K3 say where the two meet. What is timed is what differs,
//! the arithmetic: rows of zeros that lie in the device's cache, nothing kept, and enough of them over and over that
//! submitting does not count. Where K3 is not faster even for 64 probes it is not used.

use std::time::{Duration, Instant};

use wgpu::DeviceType;

use crate::gpu::card::Card;
use crate::gpu::kernels::{Kernel, MATRIX_TILE, ROWS_PROBES_MAX};
use crate::gpu::key::KEEP_NONE;
use crate::gpu::pipeline::Pipelines;
use crate::gpu::plan::Step;
use crate::gpu::round::{self, Mark, Numbered, Place, Round, Workspace};
use crate::gpu::shard::new_shard;
use crate::gpu::stream::Slots;
use crate::gpu::template::Multiply;
use crate::vector::coarse::CoarseError;

/// Codes of the rows that are scored: enough rows for all of a large device, few enough for its cache.
const CODE_BYTES: usize = 16 << 20;
/// On a software driver, which is timed in tests alone.
const SOFTWARE_CODE_BYTES: usize = 64 << 10;
/// Scored again and again until it takes so long, or so often.
const LONG_ENOUGH: Duration = Duration::from_millis(4);
const TIMES_MAX: usize = 256;
/// Timings of which the shortest counts.
const TIMINGS: usize = 3;

/// Fewest probes for which K3 is faster than K2 on templates of `dimension` numbers; `None` when that is for none.
pub(super) fn measure(
    card: &Card,
    pipelines: &mut Pipelines,
    dimension: usize,
    multiply: Multiply,
) -> Result<Option<usize>, CoarseError> {
    let mut times = 1;
    let mut timed = |kernel, probes, times| -> Result<Duration, CoarseError> {
        let mut best = Duration::MAX;
        for _ in 0..TIMINGS {
            best = best.min(time(card, pipelines, dimension, (kernel, probes, times))?);
        }
        Ok(best)
    };
    let tile = Kernel::Tiles.tile();
    let mut matrix = timed(Kernel::Matrix(multiply), MATRIX_TILE, times)?;
    while matrix < LONG_ENOUGH && times < TIMES_MAX {
        times *= 4;
        matrix = timed(Kernel::Matrix(multiply), MATRIX_TILE, times)?;
    }
    let mut tiles = Vec::new();
    for probes in (tile..=MATRIX_TILE).step_by(tile) {
        tiles.push(timed(Kernel::Tiles, probes, times)?);
    }
    let from = meeting(&tiles, matrix);
    tracing::info!(dimension, ?matrix, ?tiles, ?from, "K3 for 64 probes, and K2 for 16 and so on, were timed");
    Ok(from)
}

/// From how many probes on `matrix`, the time for a tile of K3, is below the time of as many tiles of K2 as they take.
fn meeting(tiles: &[Duration], matrix: Duration) -> Option<usize> {
    let slower = tiles.iter().position(|&tiles| matrix < tiles)?;
    // So many tiles do not suffice any more: the first probe of the next one. Few probes are K1's.
    Some((slower * Kernel::Tiles.tile()).max(ROWS_PROBES_MAX) + 1)
}

/// What scoring the rows `times` times takes.
fn time(
    card: &Card,
    pipelines: &mut Pipelines,
    dimension: usize,
    (kernel, probes, times): (Kernel, usize, usize),
) -> Result<Duration, CoarseError> {
    let bytes = if card.info.device_type == DeviceType::Cpu { SOFTWARE_CODE_BYTES } else { CODE_BYTES };
    let bytes = bytes.min(usize::try_from(card.shard_max_bytes).unwrap_or(usize::MAX));
    let block_bytes = crate::gpu::tiling::block_bytes(dimension);
    let blocks = (bytes / block_bytes).max(1).next_multiple_of(kernel.blocks_per_workgroup());
    let pipeline = pipelines.score(card, dimension, kernel)?;
    let layout = pipelines.shard_layout.clone();
    // A new buffer is zeros: rows with a scale of zero, which no kernel keeps.
    let shard = card.guarded(|| Ok(new_shard(card, &layout, dimension, 0, blocks)))?;
    let shards = [Numbered { place: Place::Held(&shard), first_id: 0 }];
    let steps: Vec<Step> = (0..times).map(|_| Step::Score { shard: 0, blocks: 0..blocks as u32 }).collect();
    let codes = vec![1_i8; dimension];
    let (codes, marks) =
        (vec![codes.as_slice(); probes], vec![Mark { level: KEEP_NONE, k: 0, slack: 0.0, overflowed: 0 }; probes]);
    let round = Round {
        pipeline: &pipeline,
        dimension,
        tile: kernel.tile(),
        blocks_per_workgroup: kernel.blocks_per_workgroup(),
        counts_per_probe: 1,
        // A step at a time on a device so slow that more would be too long.
        products_per_submission: 1 << 32,
        probes: &codes,
        marks: &marks,
        room: 1,
        steps: &steps,
        shards: &shards,
    };
    let (mut space, mut slots) = (Workspace::default(), Slots::default());
    let begun = Instant::now();
    card.guarded(|| round::run(card, pipelines, &mut space, &mut slots, &round))?;
    Ok(begun.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::test_card;

    #[test]
    fn the_first_number_of_probes_that_k2_is_slower_for() {
        let tiles = [10, 20, 30, 40].map(Duration::from_millis);
        let from = |matrix| meeting(&tiles, Duration::from_millis(matrix));
        // Faster than one tile of K2: for all that K1 does not take.
        assert_eq!(from(9), Some(9));
        assert_eq!((from(10), from(19)), (Some(17), Some(17)));
        assert_eq!((from(29), from(39)), (Some(33), Some(49)));
        assert_eq!(from(40), None);
    }

    #[test]
    fn products_that_are_written_out_are_slower_than_dp4a_for_any_number() {
        let Some(card) = test_card::open_with_written_out_matrices() else { return };
        let mut pipelines = Pipelines::new(&card).unwrap();
        assert_eq!(measure(&card, &mut pipelines, 64, Multiply::WrittenOut).unwrap(), None);
    }
}
