//! Dot products of one probe with single rows picked from anywhere, for walks over a graph. Rows lie one after another
//! here, component after component: in the blocks of [`crate::vector::layout`] one row is spread over as many cache lines
//! as there are components in a quarter of it, and a walk touches its rows one by one.
//!
//! Exact integers, the same from every kernel, as in the rest of this room.

use std::sync::Arc;

/// One way of multiplying a probe with picked rows.
pub trait RowKernel: Send + Sync {
    /// What people call it, such as `avx2`.
    fn name(&self) -> &'static str;

    /// Sum of the products of two rows of equal length; what the longer one has more is not read.
    fn dot(&self, a: &[i8], b: &[i8]) -> i32;

    /// The product of `probe` with row `picks[i]` of `rows` (each as long as the probe) into `out[i]`, fetching rows ahead of
    /// their use. A row that is not there gives 0; picks past the end of `out` are left out.
    fn dots(&self, probe: &[i8], rows: &[i8], picks: &[u32], out: &mut [i32]);
}

impl std::fmt::Debug for dyn RowKernel + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowKernel({})", self.name())
    }
}

/// The kernels that this machine can run, fastest first; never empty.
#[must_use]
pub fn all() -> Vec<Arc<dyn RowKernel>> {
    let mut kernels: Vec<Arc<dyn RowKernel>> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(kernel) = x86::Vnni::new() {
            kernels.push(Arc::new(kernel));
        }
        if let Some(kernel) = x86::Avx512::new() {
            kernels.push(Arc::new(kernel));
        }
        if let Some(kernel) = x86::Avx2::new() {
            kernels.push(Arc::new(kernel));
        }
    }
    kernels.push(Arc::new(Plain));
    kernels
}

/// The fastest kernel that this machine can run.
#[must_use]
pub fn best() -> Arc<dyn RowKernel> {
    all().into_iter().next().unwrap_or_else(|| Arc::new(Plain))
}

/// Portable code, which compilers turn into whatever vectors the target has.
#[derive(Debug, Clone, Copy, Default)]
pub struct Plain;

impl RowKernel for Plain {
    fn name(&self) -> &'static str {
        "plain"
    }

    fn dot(&self, a: &[i8], b: &[i8]) -> i32 {
        a.iter().zip(b).map(|(&a, &b)| i32::from(a) * i32::from(b)).sum()
    }

    fn dots(&self, probe: &[i8], rows: &[i8], picks: &[u32], out: &mut [i32]) {
        for (&pick, out) in picks.iter().zip(out) {
            *out = row_of(rows, pick, probe.len()).map_or(0, |row| self.dot(probe, row));
        }
    }
}

/// Row `pick` of rows of `length` codes.
#[inline]
fn row_of(rows: &[i8], pick: u32, length: usize) -> Option<&[i8]> {
    let start = (pick as usize).checked_mul(length)?;
    rows.get(start..start.checked_add(length)?)
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m256i, __m512i, _MM_HINT_T0, _mm_loadu_si128, _mm_prefetch, _mm256_add_epi32, _mm256_cvtepi8_epi16,
        _mm256_loadu_si256, _mm256_madd_epi16, _mm256_setzero_si256, _mm256_storeu_si256, _mm512_add_epi32,
        _mm512_cvtepi8_epi16, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_madd_epi16, _mm512_reduce_add_epi32,
        _mm512_set1_epi8, _mm512_setzero_si512, _mm512_sub_epi32, _mm512_xor_si512,
    };

    use super::{Plain, RowKernel, row_of};

    /// How many rows ahead of the one in work are fetched: enough to hide memory behind four products.
    const AHEAD: usize = 4;

    /// A kernel for x86-64 that exists only where its instructions do.
    macro_rules! row_kernel {
        ($kernel:ident, $name:literal, $features:literal, $detected:expr, $sum:ident, $doc:literal) => {
            #[doc = $doc]
            #[derive(Debug, Clone, Copy)]
            pub(super) struct $kernel {
                _detected: (),
            }

            impl $kernel {
                /// `None` when this machine lacks the instructions.
                pub(super) fn new() -> Option<Self> {
                    $detected.then_some(Self { _detected: () })
                }

                #[target_feature(enable = $features)]
                fn all(probe: &[i8], rows: &[i8], picks: &[u32], out: &mut [i32]) {
                    for &pick in picks.iter().take(AHEAD) {
                        fetch(rows, pick, probe.len());
                    }
                    for (place, (&pick, out)) in picks.iter().zip(out).enumerate() {
                        if let Some(&later) = picks.get(place + AHEAD) {
                            fetch(rows, later, probe.len());
                        }
                        *out = row_of(rows, pick, probe.len()).map_or(0, |row| $sum(probe, row));
                    }
                }
            }

            impl RowKernel for $kernel {
                fn name(&self) -> &'static str {
                    $name
                }

                fn dot(&self, a: &[i8], b: &[i8]) -> i32 {
                    // SAFETY: `self` exists only where the instructions were detected, which is all that it asks.
                    unsafe { $sum(a, b) }
                }

                fn dots(&self, probe: &[i8], rows: &[i8], picks: &[u32], out: &mut [i32]) {
                    // SAFETY: as above.
                    unsafe { Self::all(probe, rows, picks, out) }
                }
            }
        };
    }

    row_kernel!(
        Vnni,
        "avx512-vnni",
        "avx512f,avx512bw,avx512vnni",
        is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512bw"),
        sum_vnni,
        "Sixty-four products an instruction (Intel since 2019, AMD since 2022)."
    );
    row_kernel!(
        Avx512,
        "avx512",
        "avx512f,avx512bw",
        is_x86_feature_detected!("avx512bw"),
        sum_avx512,
        "Thirty-two products an instruction (Intel servers since 2017)."
    );
    row_kernel!(
        Avx2,
        "avx2",
        "avx2",
        is_x86_feature_detected!("avx2"),
        sum_avx2,
        "Sixteen products an instruction (Intel since 2013, AMD since 2015)."
    );

    /// Asks for a row's cache lines; does nothing for a row that is not there.
    #[inline]
    fn fetch(rows: &[i8], pick: u32, length: usize) {
        if let Some(row) = row_of(rows, pick, length) {
            for line in row.chunks(64) {
                // SAFETY: the address is inside `row`; a prefetch reads nothing that could be seen.
                unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr()) };
            }
        }
    }

    /// The instruction multiplies unsigned with signed codes. `a` is made unsigned by adding 128, and 128 times the sum of
    /// `b` taken off again; four products of at most 255 * 128 fit its 32-bit sums for any dimension here.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
    fn sum_vnni(a: &[i8], b: &[i8]) -> i32 {
        let (a, a_rest) = a.as_chunks::<64>();
        let (b, b_rest) = b.as_chunks::<64>();
        let high = _mm512_set1_epi8(-128);
        let (mut shifted, mut surplus) = (_mm512_setzero_si512(), _mm512_setzero_si512());
        for (a, b) in a.iter().zip(b) {
            let (a, b) = (load512(a), load512(b));
            shifted = _mm512_dpbusd_epi32(shifted, _mm512_xor_si512(a, high), b);
            surplus = _mm512_dpbusd_epi32(surplus, high, b);
        }
        _mm512_reduce_add_epi32(_mm512_sub_epi32(shifted, surplus)) + Plain.dot(a_rest, b_rest)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn sum_avx512(a: &[i8], b: &[i8]) -> i32 {
        let (a, a_rest) = a.as_chunks::<32>();
        let (b, b_rest) = b.as_chunks::<32>();
        let mut sums = _mm512_setzero_si512();
        for (a, b) in a.iter().zip(b) {
            let (x, y) = (_mm512_cvtepi8_epi16(load256(a)), _mm512_cvtepi8_epi16(load256(b)));
            sums = _mm512_add_epi32(sums, _mm512_madd_epi16(x, y));
        }
        _mm512_reduce_add_epi32(sums) + Plain.dot(a_rest, b_rest)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn sum_avx2(a: &[i8], b: &[i8]) -> i32 {
        let (a, a_rest) = a.as_chunks::<16>();
        let (b, b_rest) = b.as_chunks::<16>();
        let mut sums = _mm256_setzero_si256();
        for (a, b) in a.iter().zip(b) {
            // SAFETY: each is 16 readable bytes, and this load asks for no alignment.
            let (x, y) = unsafe { (_mm_loadu_si128(a.as_ptr().cast()), _mm_loadu_si128(b.as_ptr().cast())) };
            sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_cvtepi8_epi16(x), _mm256_cvtepi8_epi16(y)));
        }
        let mut lanes = [0_i32; 8];
        // SAFETY: 32 writable bytes, and this store asks for no alignment.
        unsafe { _mm256_storeu_si256(lanes.as_mut_ptr().cast(), sums) };
        lanes.iter().sum::<i32>() + Plain.dot(a_rest, b_rest)
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load512(codes: &[i8; 64]) -> __m512i {
        // SAFETY: 64 readable bytes, and this load asks for no alignment.
        unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load256(codes: &[i8; 32]) -> __m256i {
        // SAFETY: 32 readable bytes, and this load asks for no alignment.
        unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn codes(length: usize) -> impl Strategy<Value = Vec<i8>> {
        // The extremes are common, so that sums that would overflow something narrow do.
        prop_oneof![
            6 => proptest::collection::vec(prop_oneof![4 => any::<i8>(), 1 => Just(127_i8), 1 => Just(-128_i8)], length),
            1 => Just(vec![127; length]),
            1 => Just(vec![-128; length]),
        ]
    }

    fn problem() -> impl Strategy<Value = (Vec<i8>, Vec<i8>, Vec<u32>)> {
        (1_usize..=128, 1_usize..=9).prop_flat_map(|(steps, rows)| {
            let picks = proptest::collection::vec(prop_oneof![9 => 0..rows as u32 + 1, 1 => any::<u32>()], 0..40);
            (codes(steps * 16), codes(steps * 16 * rows), picks)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_kernel_equals_the_naive_sum((probe, rows, picks) in problem()) {
            let naive = |pick: u32| -> i32 {
                let row = rows.chunks_exact(probe.len()).nth(pick as usize);
                row.map_or(0, |row| row.iter().zip(&probe).map(|(x, q)| i32::from(*x) * i32::from(*q)).sum())
            };
            for kernel in all() {
                let mut out = vec![7; picks.len()];
                kernel.dots(&probe, &rows, &picks, &mut out);
                for (&pick, &dot) in picks.iter().zip(&out) {
                    prop_assert_eq!(dot, naive(pick), "{} row {}", kernel.name(), pick);
                }
                prop_assert_eq!(kernel.dot(&probe, &rows[..probe.len()]), naive(0));
            }
        }
    }

    #[test]
    fn the_fastest_comes_first() {
        assert_eq!(best().name(), all()[0].name());
        assert_eq!(all().last().unwrap().name(), "plain");
    }
}
