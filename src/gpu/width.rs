//! How many probes a round takes, and how many a search is best asked for at once.
//!
//! What a sweep of n probes over N rows of d numbers takes, on a device that reads `B` bytes a second and does `P` products of
//! codes a second: at least `N d / B` for the codes and `N d n / P` for the arithmetic, whichever is longer, since a round
//! reads each code from memory once and its workgroups share what they read through the cache. So a batch costs the same in
//! one round or in six as long as `n > P / B`, and a round of fewer probes pays for reading again. Reckoned from data sheets
//! (an H100: 3.3 TB/s, 59 T products/s by dp4a, 495 T by f16 matrices; peaks, nothing of it measured here), `P / B` is 18
//! for K2 and 150 for K3, and about half of that at the share of the peaks that is usual. So 64 probes a round are enough for
//! K2, while K3 would read ten million templates six times for 360 probes, 10 ms, where the arithmetic takes 4 to 10 ms.
//! What else a round costs (a select for each chunk, submitting, reading back) is paid once for all its probes too.
//!
//! The other side: a round can't be interrupted, and a search that comes meanwhile waits for it. So the width is bounded
//!
//! * by the lists: room for all of them in one buffer that a shader sees, and in the host's memory;
//! * by time: no more than the device does in about a tenth of a second, as measured from round to round ([`crate::gpu::pace`]),
//!   but never fewer than the CPU takes. A fast card takes 360 probes of ten million in one round, a slow one 64 as before.

use crate::base::limits::{PROBES_PER_SWEEP_MAX, SURVIVORS_PER_SWEEP_MAX};
use crate::gpu::GpuOptions;
use crate::gpu::card::Card;
use crate::gpu::kernels::MATRIX_TILE;
use crate::vector::rows::GalleryRows;

/// Submissions' worth of work in one round: a tenth of a second.
const SUBMISSIONS: u64 = 2;

/// Most probes of one round whose lists have so much room each.
pub(super) fn probes_of_round(card: &Card, options: &GpuOptions, room: usize) -> usize {
    let lists = lists(card.binding_max_bytes, room);
    options.probes_per_round_max.min(lists).max(1)
}

/// Lists of so much room that fit a buffer of `bytes`, and the host's memory when they come back. Whole tiles of the widest
/// kernel where there are so many, since rounds are padded to whole tiles.
fn lists(bytes: u64, room: usize) -> usize {
    let entry = size_of::<[u32; 2]>() as u64;
    let bound = usize::try_from(bytes / (entry * room.max(1) as u64)).unwrap_or(usize::MAX);
    let most = bound.min(SURVIVORS_PER_SWEEP_MAX / room.max(1));
    // Below a tile the rounds are those of K1 and K2, whose tiles are 16 or a power of two below.
    if most >= MATRIX_TILE {
        most / MATRIX_TILE * MATRIX_TILE
    } else {
        most.checked_ilog2().map_or(1, |log| 1 << log.min(4))
    }
}

/// Probes that are best swept at once over `gallery`: as many as `products`, what a submission may ask for, allow in a round,
/// within `most`.
pub(super) fn probes_at_once(gallery: &GalleryRows, products: u64, most: usize) -> usize {
    let row_products = |run: &std::sync::Arc<dyn crate::vector::rows::Rows>| (run.len() * run.dimension().get()) as u64;
    let all = gallery.iter().map(row_products).fold(0, u64::saturating_add);
    let probes = usize::try_from(products.saturating_mul(SUBMISSIONS) / all.max(1)).unwrap_or(usize::MAX);
    (probes / MATRIX_TILE * MATRIX_TILE).max(PROBES_PER_SWEEP_MAX).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TemplateId;
    use crate::base::limits::{GPU_SURVIVORS_MAX, PROBES_PER_SEARCH_MAX};
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;
    use crate::vector::rows::Rows;
    use std::sync::Arc;

    const MIB: u64 = 1 << 20;

    #[test]
    fn lists_fit_the_binding_and_the_hosts_memory() {
        for bytes in [MIB, 16 * MIB, 128 * MIB, 1 << 31] {
            for room in [1, 64, 300, 16_384, 32_768, GPU_SURVIVORS_MAX] {
                let lists = lists(bytes, room);
                let padded = if lists > 16 { lists.next_multiple_of(64) } else { lists };
                assert!(
                    (padded * room * 8) as u64 <= bytes && lists * room <= SURVIVORS_PER_SWEEP_MAX,
                    "{bytes} {room}"
                );
            }
        }
        // What WebGPU grants everywhere takes the longest batch for the usual lists, and half of it for the longest.
        assert!(lists(128 * MIB, 16_384) >= PROBES_PER_SEARCH_MAX);
        assert_eq!(lists(128 * MIB, GPU_SURVIVORS_MAX), 256);
        assert_eq!((lists(MIB, 16_384), lists(1, 64)), (8, 1));
    }

    #[test]
    fn a_round_takes_what_the_device_does_in_a_tenth_of_a_second() {
        let mut run = MemoryRows::new(Dimension::new(64).unwrap());
        (0..1000).for_each(|id| run.push(TemplateId(id), &[0.125; 64]));
        let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(run)];
        let of_all = |probes: u64| 64_000 * probes / 2;
        assert_eq!(probes_at_once(&gallery, of_all(384), 512), 384);
        assert_eq!(probes_at_once(&gallery, of_all(383), 512), 320);
        // Never fewer than the CPU's, nor more than there is room for.
        assert_eq!(probes_at_once(&gallery, of_all(1), 512), 64);
        assert_eq!(probes_at_once(&gallery, u64::MAX, 256), 256);
        assert_eq!(probes_at_once(&gallery, of_all(1), 3), 3);
    }
}
