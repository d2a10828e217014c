//! The kernels of [`crate::kernel::rowdot`] for x86-64.
//!
//! Rows lie anywhere in memory, and memory is what they take their time from: a processor waits for as many cache lines at
//! once as its window of some hundred instructions asks for. So little is asked between the products, and all of it at once.

use std::arch::x86_64::{
    __m128i, __m256i, __m512i, _MM_HINT_T0, _mm_add_epi32, _mm_loadu_si128, _mm_prefetch, _mm_storeu_si128,
    _mm256_add_epi32, _mm256_castsi256_si128, _mm256_cvtepi8_epi16, _mm256_dpbusd_avx_epi32, _mm256_extracti128_si256,
    _mm256_hadd_epi32, _mm256_loadu_si256, _mm256_madd_epi16, _mm256_set1_epi8, _mm256_setzero_si256, _mm256_xor_si256,
    _mm512_add_epi32, _mm512_castsi512_si256, _mm512_cvtepi8_epi16, _mm512_dpbusd_epi32, _mm512_extracti64x4_epi64,
    _mm512_loadu_si512, _mm512_madd_epi16, _mm512_set1_epi8, _mm512_setzero_si512, _mm512_xor_si512,
};

use crate::kernel::rowdot::{LINE_CODES, Line, Plain, RowKernel};

/// Rows at a time: their running sums don't wait for each other, and are added up together.
const TOGETHER: usize = 4;

/// Lines in a stretch without a question: 512 codes, which is what most models give.
const STRETCH: usize = 8;

/// A kernel for x86-64 that exists only where its instructions do. `$zero`, `$step` and `$totals` are its running
/// sums; `$surplus` is what they come to too much, for a probe.
macro_rules! row_kernel {
    ($kernel:ident, $name:literal, $features:literal, $detected:expr,
     [$zero:ident $step:ident $totals:ident $surplus:ident], $doc:literal) => {
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
            fn all(probe: &[Line], rows: &[Line], picks: &[u32], out: &mut [i32]) {
                let count = picks.len().min(out.len());
                let (picks, out) = (&picks[..count], &mut out[..count]);
                let Some(rows) = Present::of(rows, probe.len(), picks) else {
                    return Plain.dots(probe, rows, picks, out);
                };
                let surplus = $surplus(bytemuck::cast_slice(probe));
                rows.fetch(&picks[..count.min(TOGETHER)]);
                for (number, (some, out)) in picks.chunks(TOGETHER).zip(out.chunks_mut(TOGETHER)).enumerate() {
                    let next = (number + 1) * TOGETHER;
                    rows.fetch(&picks[next.min(count)..(next + TOGETHER).min(count)]);
                    // Places without a pick repeat the first.
                    let four = some.first_chunk().copied().unwrap_or_else(|| {
                        let mut four = [some[0]; TOGETHER];
                        four[..some.len()].copy_from_slice(some);
                        four
                    });
                    let dots = Self::four(probe, rows.four(four));
                    out.iter_mut().zip(dots).for_each(|(out, dot)| *out = dot - surplus);
                }
            }

            #[inline]
            #[target_feature(enable = $features)]
            fn four(probe: &[Line], [a, b, c, d]: [&[Line]; TOGETHER]) -> [i32; TOGETHER] {
                let mut sums = [$zero(); TOGETHER];
                // Most lines are multiplied without a look at how many are left.
                let (many, few) = probe.as_chunks::<STRETCH>();
                let ((a, a_few), (b, b_few)) = (a.as_chunks::<STRETCH>(), b.as_chunks::<STRETCH>());
                let ((c, c_few), (d, d_few)) = (c.as_chunks::<STRETCH>(), d.as_chunks::<STRETCH>());
                for ((((probe, a), b), c), d) in many.iter().zip(a).zip(b).zip(c).zip(d) {
                    for n in 0..STRETCH {
                        let [w, x, y, z] = sums;
                        let p = &probe[n].0;
                        sums = [$step(w, p, &a[n].0), $step(x, p, &b[n].0), $step(y, p, &c[n].0), $step(z, p, &d[n].0)];
                    }
                }
                for ((((Line(p), Line(a)), Line(b)), Line(c)), Line(d)) in
                    few.iter().zip(a_few).zip(b_few).zip(c_few).zip(d_few)
                {
                    let [w, x, y, z] = sums;
                    sums = [$step(w, p, a), $step(x, p, b), $step(y, p, c), $step(z, p, d)];
                }
                $totals(sums)
            }

            /// Of rows of equal length.
            #[target_feature(enable = $features)]
            fn one(a: &[i8], b: &[i8]) -> i32 {
                let (a, a_rest) = a.as_chunks::<LINE_CODES>();
                let (b, b_rest) = b.as_chunks::<LINE_CODES>();
                let mut sums = [$zero(); TOGETHER];
                for (a, b) in a.chunks(TOGETHER).zip(b.chunks(TOGETHER)) {
                    for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
                        *sum = $step(*sum, a, b);
                    }
                }
                $totals(sums).into_iter().sum::<i32>() - $surplus(a) + Plain.dot(a_rest, b_rest)
            }
        }

        impl RowKernel for $kernel {
            fn name(&self) -> &'static str {
                $name
            }

            fn dot(&self, a: &[i8], b: &[i8]) -> i32 {
                let length = a.len().min(b.len());
                let (a, b) = (a.get(..length).unwrap_or(a), b.get(..length).unwrap_or(b));
                // SAFETY: `self` exists only where the instructions were detected, which is all that it asks.
                unsafe { Self::one(a, b) }
            }

            fn dots(&self, probe: &[Line], rows: &[Line], picks: &[u32], out: &mut [i32]) {
                // SAFETY: as above.
                unsafe { Self::all(probe, rows, picks, out) }
            }
        }
    };
}

row_kernel!(
    Vnni,
    "avx512-vnni",
    "avx512f,avx512bw,avx512vnni,avx2",
    is_x86_feature_detected!("avx512vnni") && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx2"),
    [zero_512 step_vnni totals_512 surplus_vnni],
    "Sixty-four products an instruction (Intel since 2019, AMD since 2022)."
);
row_kernel!(
    AvxVnni,
    "avx-vnni",
    "avx2,avxvnni",
    is_x86_feature_detected!("avxvnni") && is_x86_feature_detected!("avx2"),
    [zero_256 step_avx_vnni totals_256 surplus_avx_vnni],
    "Thirty-two products an instruction, and no more to do (Intel since 2021, AMD since 2024)."
);
row_kernel!(
    Avx512,
    "avx512",
    "avx512f,avx512bw,avx2",
    is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx2"),
    [zero_512 step_512 totals_512 no_surplus],
    "Thirty-two products an instruction, after codes are made wider (Intel servers since 2017)."
);
row_kernel!(
    Avx2,
    "avx2",
    "avx2",
    is_x86_feature_detected!("avx2"),
    [zero_256 step_256 totals_256 no_surplus],
    "Sixteen products an instruction, after codes are made wider (Intel since 2013, AMD since 2015)."
);

/// Rows, all of whose picks were looked at once: what is asked between the products of one row and of the next keeps the
/// processor from asking memory for the rows after these.
#[derive(Clone, Copy)]
struct Present<'a> {
    rows: &'a [Line],
    lines: usize,
}

impl<'a> Present<'a> {
    /// `None` when one of `picks` is not there.
    #[inline]
    fn of(rows: &'a [Line], lines: usize, picks: &[u32]) -> Option<Self> {
        let count = rows.len().checked_div(lines)?;
        picks.iter().all(|&pick| (pick as usize) < count).then_some(Self { rows, lines })
    }

    #[inline]
    fn row(self, pick: u32) -> &'a [Line] {
        let start = pick as usize * self.lines;
        self.rows.get(start..start + self.lines).unwrap_or_default()
    }

    #[inline]
    fn four(self, [a, b, c, d]: [u32; TOGETHER]) -> [&'a [Line]; TOGETHER] {
        [self.row(a), self.row(b), self.row(c), self.row(d)]
    }

    /// Asks for the cache lines of rows.
    #[inline]
    fn fetch(self, picks: &[u32]) {
        for &pick in picks {
            let (many, few) = self.row(pick).as_chunks::<STRETCH>();
            for stretch in many {
                for line in stretch {
                    fetch_line(line.0.as_ptr());
                }
            }
            for line in few {
                fetch_line(line.0.as_ptr());
            }
        }
    }
}

#[inline]
fn fetch_line(at: *const i8) {
    // SAFETY: a prefetch reads nothing that could be seen, whatever the address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(at) };
}

#[inline]
pub(super) fn fetch(bytes: &[i8]) {
    for line in bytes.chunks(LINE_CODES) {
        fetch_line(line.as_ptr());
    }
}

/// The instruction multiplies unsigned with signed codes. The row's are made unsigned by adding 128, which gives
/// [`surplus_vnni`] too much; four products of at most 255 * 128 fit its 32-bit sums for any dimension here.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni")]
fn step_vnni(sum: __m512i, probe: &[i8; LINE_CODES], row: &[i8; LINE_CODES]) -> __m512i {
    _mm512_dpbusd_epi32(sum, _mm512_xor_si512(load_512(row), _mm512_set1_epi8(i8::MIN)), load_512(probe))
}

/// 128 times the sum of the probe's codes, once for many rows.
#[inline]
#[target_feature(enable = "avx512f,avx512vnni,avx2")]
fn surplus_vnni(probe: &[[i8; LINE_CODES]]) -> i32 {
    let mut sums = [zero_512(); TOGETHER];
    for lines in probe.chunks(TOGETHER) {
        for (sum, line) in sums.iter_mut().zip(lines) {
            *sum = _mm512_dpbusd_epi32(*sum, _mm512_set1_epi8(i8::MIN), load_512(line));
        }
    }
    totals_512(sums).into_iter().sum()
}

/// As [`step_vnni`].
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn step_avx_vnni(mut sum: __m256i, probe: &[i8; LINE_CODES], row: &[i8; LINE_CODES]) -> __m256i {
    for (probe, row) in probe.as_chunks::<32>().0.iter().zip(row.as_chunks::<32>().0) {
        let shifted = _mm256_xor_si256(load_256(row), _mm256_set1_epi8(i8::MIN));
        sum = _mm256_dpbusd_avx_epi32(sum, shifted, load_256(probe));
    }
    sum
}

/// As [`surplus_vnni`].
#[inline]
#[target_feature(enable = "avx2,avxvnni")]
fn surplus_avx_vnni(probe: &[[i8; LINE_CODES]]) -> i32 {
    let mut sums = [zero_256(); TOGETHER];
    for halves in probe.as_flattened().as_chunks::<32>().0.chunks(TOGETHER) {
        for (sum, half) in sums.iter_mut().zip(halves) {
            *sum = _mm256_dpbusd_avx_epi32(*sum, _mm256_set1_epi8(i8::MIN), load_256(half));
        }
    }
    totals_256(sums).into_iter().sum()
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx2")]
fn step_512(mut sum: __m512i, probe: &[i8; LINE_CODES], row: &[i8; LINE_CODES]) -> __m512i {
    for (probe, row) in probe.as_chunks::<32>().0.iter().zip(row.as_chunks::<32>().0) {
        let (probe, row) = (_mm512_cvtepi8_epi16(load_256(probe)), _mm512_cvtepi8_epi16(load_256(row)));
        sum = _mm512_add_epi32(sum, _mm512_madd_epi16(probe, row));
    }
    sum
}

#[inline]
#[target_feature(enable = "avx2")]
fn step_256(mut sum: __m256i, probe: &[i8; LINE_CODES], row: &[i8; LINE_CODES]) -> __m256i {
    for (probe, row) in probe.as_chunks::<16>().0.iter().zip(row.as_chunks::<16>().0) {
        let (probe, row) = (_mm256_cvtepi8_epi16(load_128(probe)), _mm256_cvtepi8_epi16(load_128(row)));
        sum = _mm256_add_epi32(sum, _mm256_madd_epi16(probe, row));
    }
    sum
}

fn no_surplus(_probe: &[[i8; LINE_CODES]]) -> i32 {
    0
}

#[inline]
#[target_feature(enable = "avx512f")]
fn zero_512() -> __m512i {
    _mm512_setzero_si512()
}

#[inline]
#[target_feature(enable = "avx2")]
fn zero_256() -> __m256i {
    _mm256_setzero_si256()
}

/// The sum of each one's sixteen.
#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn totals_512([a, b, c, d]: [__m512i; TOGETHER]) -> [i32; TOGETHER] {
    totals_256([folded(a), folded(b), folded(c), folded(d)])
}

#[inline]
#[target_feature(enable = "avx512f,avx2")]
fn folded(sums: __m512i) -> __m256i {
    _mm256_add_epi32(_mm512_castsi512_si256(sums), _mm512_extracti64x4_epi64::<1>(sums))
}

/// The sum of each one's eight: neighbours are added twice, then the halves.
#[inline]
#[target_feature(enable = "avx2")]
fn totals_256([a, b, c, d]: [__m256i; TOGETHER]) -> [i32; TOGETHER] {
    let quarters = _mm256_hadd_epi32(_mm256_hadd_epi32(a, b), _mm256_hadd_epi32(c, d));
    let sums = _mm_add_epi32(_mm256_castsi256_si128(quarters), _mm256_extracti128_si256::<1>(quarters));
    let mut totals = [0; TOGETHER];
    // SAFETY: 16 writable bytes, and this store asks for no alignment.
    unsafe { _mm_storeu_si128(totals.as_mut_ptr().cast(), sums) };
    totals
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_512(codes: &[i8; LINE_CODES]) -> __m512i {
    // SAFETY: 64 readable bytes, and this load asks for no alignment.
    unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_256(codes: &[i8; 32]) -> __m256i {
    // SAFETY: 32 readable bytes, and this load asks for no alignment.
    unsafe { _mm256_loadu_si256(codes.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn load_128(codes: &[i8; 16]) -> __m128i {
    // SAFETY: 16 readable bytes, and this load asks for no alignment.
    unsafe { _mm_loadu_si128(codes.as_ptr().cast()) }
}
