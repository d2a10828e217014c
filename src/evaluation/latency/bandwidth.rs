//! The machine's own reading speed: a plain loop over the same mapped bytes that a search reads, on as many threads.

use std::hint::black_box;
use std::time::Instant;

use crate::scoring::parallel::share;
use crate::vector::rows::GalleryRows;

/// Bytes that a thread takes at a time.
const PIECE_BYTES: usize = 1 << 20;
/// Running sums side by side, so that the loop waits for memory and for nothing else.
const LANES: usize = 16;

/// One reading of all codes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// Bytes read.
    pub bytes: u64,
    /// Seconds it took.
    pub seconds: f64,
}

impl Reading {
    /// Bytes a second.
    #[must_use]
    pub fn bytes_a_second(&self) -> f64 {
        self.bytes as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }
}

/// Reads every code of `gallery` once on `threads` threads, those that searches are scored on.
#[must_use]
pub fn read_codes(gallery: &GalleryRows, threads: usize) -> Reading {
    let pieces: Vec<&[i8]> = gallery.iter().flat_map(|run| run.codes().chunks(PIECE_BYTES)).collect();
    let bytes = pieces.iter().map(|piece| piece.len() as u64).sum();
    let begun = Instant::now();
    let totals = share(threads, pieces.len(), |mine| {
        let mine = mine.filter_map(|number| pieces.get(number));
        mine.fold(0_u64, |total, piece| total.wrapping_add(sum(bytemuck::cast_slice(piece))))
    });
    black_box(totals);
    Reading { bytes, seconds: begun.elapsed().as_secs_f64() }
}

/// The fastest of `times` readings: what the machine can do when nothing is in the way.
#[must_use]
pub fn best_of(times: usize, gallery: &GalleryRows, threads: usize) -> Reading {
    let readings = (0..times.max(1)).map(|_| read_codes(gallery, threads));
    readings.min_by(|a, b| a.seconds.total_cmp(&b.seconds)).unwrap_or(Reading { bytes: 0, seconds: 0.0 })
}

/// Sum of the bytes as 64-bit words, whatever their alignment.
fn sum(bytes: &[u8]) -> u64 {
    let (before, words, after) = bytemuck::pod_align_to::<u8, u64>(bytes);
    let mut sums = [0_u64; LANES];
    let (whole, rest) = words.as_chunks::<LANES>();
    for lanes in whole {
        for (sum, word) in sums.iter_mut().zip(lanes) {
            *sum = sum.wrapping_add(*word);
        }
    }
    let edges = before.iter().chain(after).map(|&byte| u64::from(byte)).fold(0, u64::wrapping_add);
    sums.iter().chain(rest).copied().fold(edges, u64::wrapping_add)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use crate::base::ids::TemplateId;
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;
    use crate::vector::rows::Rows;

    #[test]
    fn every_byte_is_read_once() {
        let bytes: Vec<u8> = (0..1000).map(|i| (i % 251) as u8).collect();
        // Whole words are summed as words: a change of any byte must show.
        let all = sum(&bytes);
        for at in [0, 7, 8, 500, 999] {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert_ne!(sum(&other), all, "byte {at}");
        }
    }

    #[test]
    fn a_reading_counts_the_codes_of_all_runs() {
        let mut rows = MemoryRows::new(Dimension::new(16).unwrap());
        for id in 0..100 {
            rows.push(TemplateId(id), &[0.25; 16]);
        }
        let run: Arc<dyn Rows> = Arc::new(rows);
        let gallery = [Arc::clone(&run), run];
        for threads in [0, 1, 3] {
            let reading = read_codes(&gallery, threads);
            assert_eq!(reading.bytes, 2 * 112 * 16);
            assert!(reading.bytes_a_second() > 0.0);
        }
        assert_eq!(best_of(0, &[], 2).bytes, 0);
    }
}
