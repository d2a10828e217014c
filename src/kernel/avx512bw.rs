//! The kernel for x86-64 processors with AVX-512BW but no VNNI (Intel servers since 2017): AVX2's steps, twice as wide.

use std::arch::x86_64::{
    _mm512_add_epi32, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_set1_epi32, _mm512_setzero_si512,
    _mm512_slli_epi16, _mm512_srai_epi16, _mm512_storeu_si512,
};

use crate::kernel::fetch::Fetch;
use crate::kernel::{Block, Dots, Tile, strip_kernel};

// Multiplication and addition are what limits it: more than 8 probes save nothing, and were measured slower from 16 on.
strip_kernel!(
    Avx512Bw "avx512bw" ["avx512f" "avx512bw"] Pairs [1 2 3 4 5 6 7 8] 8 reached_512
);

/// Dot products of `PROBES` probes: a register of sixteen sums for each.
#[target_feature(enable = "avx512f,avx512bw")]
fn strip<const PROBES: usize>(block: Block<'_>, tile: &Tile, out: &mut Dots) {
    let mut sums = [_mm512_setzero_si512(); PROBES];
    let groups = tile.words().as_chunks::<PROBES>().0.as_chunks::<2>().0;
    let fetch = Fetch::during(block);
    for (number, (line, [even, odd])) in block.lines().iter().zip(groups).enumerate() {
        fetch.line(number);
        // SAFETY: 64 readable bytes, and this load asks for no alignment.
        let codes = unsafe { _mm512_loadu_si512(line.as_ptr().cast()) };
        let rows = _mm512_srai_epi16::<8>(_mm512_slli_epi16::<8>(codes));
        for n in 0..PROBES {
            sums[n] = _mm512_add_epi32(sums[n], _mm512_madd_epi16(rows, _mm512_set1_epi32(even[n])));
        }
        let rows = _mm512_srai_epi16::<8>(codes);
        for n in 0..PROBES {
            sums[n] = _mm512_add_epi32(sums[n], _mm512_madd_epi16(rows, _mm512_set1_epi32(odd[n])));
        }
    }
    for (out, sums) in out.0.iter_mut().zip(sums) {
        // SAFETY: sixteen writable numbers, and this store asks for no alignment.
        unsafe { _mm512_storeu_si512(out.as_mut_ptr().cast(), sums) };
    }
}
