//! Dot products of one probe with single rows picked from anywhere, for walks over a graph. Rows lie one after another
//! here, component after component: in the blocks of [`crate::vector::layout`] one row is spread over as many cache lines
//! as there are components in a quarter of it, and a walk touches its rows one by one.
//!
//! Exact integers, the same from every kernel, as in the rest of this room.

use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

#[cfg(target_arch = "x86_64")]
use crate::kernel::rowdot_x86 as x86;

/// Codes of a [`Line`].
pub const LINE_CODES: usize = 64;

/// A cache line of codes. Rows fill whole lines, the last one with zeros: a row that begins anywhere lies on one line more
/// than it has bytes for.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C, align(64))]
pub struct Line(pub [i8; LINE_CODES]);

/// One way of multiplying a probe with picked rows.
pub trait RowKernel: Send + Sync {
    /// What people call it, such as `avx2`.
    fn name(&self) -> &'static str;

    /// Sum of the products of two rows of equal length; what the longer one has more is not read.
    fn dot(&self, a: &[i8], b: &[i8]) -> i32;

    /// The product of `probe` with row `picks[i]` of `rows` (each as many lines as the probe) into `out[i]`, fetching rows
    /// ahead of their use. A row that is not there gives 0; picks past the end of `out` are left out.
    fn dots(&self, probe: &[Line], rows: &[Line], picks: &[u32], out: &mut [i32]);
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
        if let Some(kernel) = x86::AvxVnni::new() {
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

/// Asks for the cache lines of a list that may be read before long. Changes no result.
#[inline]
pub fn fetch_list(list: &[u32]) {
    #[cfg(target_arch = "x86_64")]
    x86::fetch(bytemuck::cast_slice(list));
    #[cfg(not(target_arch = "x86_64"))]
    let _ = list;
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

    fn dots(&self, probe: &[Line], rows: &[Line], picks: &[u32], out: &mut [i32]) {
        let probe_codes: &[i8] = bytemuck::cast_slice(probe);
        for (&pick, out) in picks.iter().zip(out) {
            let row = row_of(rows, pick, probe.len());
            *out = row.map_or(0, |row| self.dot(probe_codes, bytemuck::cast_slice(row)));
        }
    }
}

/// Row `pick` of rows of `lines` lines.
#[inline]
fn row_of(rows: &[Line], pick: u32, lines: usize) -> Option<&[Line]> {
    let start = (pick as usize).checked_mul(lines)?;
    rows.get(start..start.checked_add(lines)?)
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
        // Below a stretch of lines, several of them, and some lines over; lists of all remainders by four.
        (1_usize..=32, 1_usize..=9).prop_flat_map(|(lines, rows)| {
            let picks = prop_oneof![
                4 => proptest::collection::vec(0..rows as u32, 0..40),
                1 => proptest::collection::vec(prop_oneof![9 => 0..rows as u32 + 1, 1 => any::<u32>()], 0..40),
            ];
            (codes(lines * LINE_CODES), codes(lines * LINE_CODES * rows), picks)
        })
    }

    fn lines(codes: &[i8]) -> Vec<Line> {
        codes.as_chunks().0.iter().map(|&codes| Line(codes)).collect()
    }

    fn naive(a: &[i8], b: &[i8]) -> i32 {
        a.iter().zip(b).map(|(x, y)| i32::from(*x) * i32::from(*y)).sum()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn every_kernel_equals_the_naive_sum((probe, rows, picks) in problem(), room in 0_usize..50) {
            for kernel in all() {
                let mut out = vec![7; room.min(picks.len() + 1)];
                kernel.dots(&lines(&probe), &lines(&rows), &picks, &mut out);
                for (&pick, &dot) in picks.iter().zip(&out) {
                    let row = rows.chunks_exact(probe.len()).nth(pick as usize);
                    prop_assert_eq!(dot, row.map_or(0, |row| naive(&probe, row)), "{} row {}", kernel.name(), pick);
                }
                prop_assert!(out.iter().skip(picks.len()).all(|&untouched| untouched == 7), "{}", kernel.name());
            }
        }

        #[test]
        fn single_products_equal_the_naive_sum_at_any_length_and_place(
            a in (0_usize..700).prop_flat_map(codes), b in (0_usize..700).prop_flat_map(codes), skipped in 0_usize..3,
        ) {
            let (a, b) = (a.get(skipped..).unwrap_or_default(), &b[..]);
            for kernel in all() {
                prop_assert_eq!(kernel.dot(a, b), naive(a, b), "{}", kernel.name());
            }
        }
    }

    #[test]
    fn no_line_and_no_row_is_no_product() {
        for kernel in all() {
            let mut out = [7; 3];
            kernel.dots(&[], &[], &[0, 1], &mut out);
            assert_eq!(out, [0, 0, 7], "{}", kernel.name());
            kernel.dots(&[Line([1; LINE_CODES])], &[], &[0], &mut out);
            assert_eq!(out, [0, 0, 7], "{}", kernel.name());
        }
    }

    #[test]
    fn the_fastest_comes_first() {
        assert_eq!(best().name(), all()[0].name());
        assert_eq!(all().last().unwrap().name(), "plain");
    }
}
