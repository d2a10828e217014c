//! The kernel for x86-64 processors with AVX-VNNI (Intel since 2021, also without AVX-512; AMD since 2024).

use std::arch::x86_64::{_mm256_dpbusd_avx_epi32, _mm256_set1_epi8, _mm256_set1_epi32, _mm256_xor_si256};

use crate::kernel::avx2::{load, store};
use crate::kernel::fetch::Fetch;
use crate::kernel::{Block, Dots, Tile, strip_kernel};

// Two registers of sums a probe, two of rows, one of a probe, one of the sign bits: all sixteen with 6 probes.
strip_kernel!(
    AvxVnni "avxvnni" ["avx2" "avxvnni"] Quads [1 2 3 4 5 6] 6 reached_256
);

/// Dot products of `PROBES` probes: two registers of eight sums for each. The instruction multiplies unsigned with signed
/// bytes. Flipping the sign bit adds 128 to a code, and the sums begin that much lower.
#[target_feature(enable = "avx2,avxvnni")]
fn strip<const PROBES: usize>(block: Block<'_>, tile: &Tile, out: &mut Dots) {
    let Some(starts) = tile.starts().first_chunk::<PROBES>() else { return };
    let mut upper = starts.map(|start| _mm256_set1_epi32(start));
    let mut lower = upper;
    let flip = _mm256_set1_epi8(i8::MIN);
    let fetch = Fetch::during(block);
    for (number, (line, words)) in block.lines().iter().zip(tile.words().as_chunks::<PROBES>().0).enumerate() {
        fetch.line(number);
        let (top, bottom) = load(line);
        let (x, y) = (_mm256_xor_si256(top, flip), _mm256_xor_si256(bottom, flip));
        for n in 0..PROBES {
            let probe = _mm256_set1_epi32(words[n]);
            upper[n] = _mm256_dpbusd_avx_epi32(upper[n], x, probe);
            lower[n] = _mm256_dpbusd_avx_epi32(lower[n], y, probe);
        }
    }
    for ((sums, upper), lower) in out.0.iter_mut().zip(upper).zip(lower) {
        store(sums, upper, lower);
    }
}
