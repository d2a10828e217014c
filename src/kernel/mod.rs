//! Dot products of 8-bit codes on the CPU: one block of sixteen rows against a few probes at a time, exact integers.
//!
//! Every kernel gives the same integers, so it is a matter of speed only which one runs. [`best`] looks at the machine
//! and takes the fastest; [`by_name`] forces one. Another instruction set is another file that implements [`Kernel`]
//! (with a layout of its own in [`Tile`], should it want one), and a line in [`all`].

#[cfg(target_arch = "x86_64")]
pub mod avx2;
pub mod rowdot;
pub mod scalar;
mod tile;

use std::sync::Arc;

use crate::vector::layout::BLOCK_ROWS;

pub use tile::Tile;

/// Most probes of one [`Tile`]: room for kernels with many registers.
pub const TILE_PROBES_MAX: usize = 16;

/// Dot products of one block: a row of sixteen for each probe of the tile, one number for each row of the gallery. What
/// stands past the tile's probes means nothing.
pub type Dots = [[i32; BLOCK_ROWS]; TILE_PROBES_MAX];

/// One way of computing dot products.
pub trait Kernel: Send + Sync {
    /// What people call it, such as `avx2`: for settings, status and benchmarks.
    fn name(&self) -> &'static str;

    /// Probes of a tile with which it is fastest, from 1 to [`TILE_PROBES_MAX`].
    fn tile_probes(&self) -> usize;

    /// Multiplies each row of `block` with each probe of `tile` into `out`. `block` is one block in the order of
    /// [`crate::vector::layout`]: 16 codes for each number of the tile's dimension.
    fn dots(&self, block: &[i8], tile: &Tile, out: &mut Dots);
}

impl std::fmt::Debug for dyn Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Kernel({})", self.name())
    }
}

/// Why a kernel can't be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// No kernel of that name, or this machine lacks its instructions.
    #[error("this machine has no kernel {wanted:?}: it has {}", .here.join(", "))]
    NotHere {
        /// The name asked for.
        wanted: String,
        /// The names that would do.
        here: Vec<&'static str>,
    },
}

/// The kernels that this machine can run, fastest first; never empty.
#[must_use]
pub fn all() -> Vec<Arc<dyn Kernel>> {
    let mut kernels: Vec<Arc<dyn Kernel>> = Vec::new();
    #[cfg(target_arch = "x86_64")]
    if let Some(kernel) = avx2::Avx2::new() {
        kernels.push(Arc::new(kernel));
    }
    kernels.push(Arc::new(scalar::Scalar));
    kernels
}

/// The fastest kernel that this machine can run.
#[must_use]
pub fn best() -> Arc<dyn Kernel> {
    all().into_iter().next().unwrap_or_else(|| Arc::new(scalar::Scalar))
}

/// The kernel of that name.
///
/// # Errors
/// [`KernelError::NotHere`] with the names that there are.
pub fn by_name(wanted: &str) -> Result<Arc<dyn Kernel>, KernelError> {
    let kernels = all();
    let here = kernels.iter().map(|kernel| kernel.name()).collect();
    kernels
        .into_iter()
        .find(|kernel| kernel.name() == wanted)
        .ok_or_else(|| KernelError::NotHere { wanted: wanted.to_owned(), here })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::layout;
    use proptest::prelude::*;

    fn codes(dimension: usize) -> impl Strategy<Value = Vec<i8>> {
        // The extremes are common, so that sums that would overflow something narrow do.
        let code = prop_oneof![4 => -127_i8..=127, 1 => Just(127_i8), 1 => Just(-127_i8), 1 => Just(-128_i8)];
        prop_oneof![
            6 => proptest::collection::vec(code, dimension),
            1 => Just(vec![127; dimension]),
            1 => Just(vec![-127; dimension]),
            1 => Just(vec![-128; dimension]),
        ]
    }

    fn problem() -> impl Strategy<Value = (Vec<Vec<i8>>, Vec<Vec<i8>>)> {
        let steps = prop_oneof![1_usize..=32, Just(64), Just(128), 1_usize..=128];
        (steps, 1..=TILE_PROBES_MAX, 1..=BLOCK_ROWS).prop_flat_map(|(step, probes, rows)| {
            let dimension = step * 16;
            let vectors = |count| proptest::collection::vec(codes(dimension), count);
            (vectors(rows), vectors(probes))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn every_kernel_equals_the_naive_sum((rows, probes) in problem()) {
            let dimension = rows[0].len();
            let mut block = vec![0; layout::code_bytes(rows.len(), dimension)];
            for (row, codes) in rows.iter().enumerate() {
                layout::put_row(&mut block, row, codes);
            }
            let naive = |row: &[i8], probe: &[i8]| -> i32 {
                row.iter().zip(probe).map(|(x, q)| i32::from(*x) * i32::from(*q)).sum()
            };
            let padding = vec![0; dimension];
            for kernel in all() {
                for width in 1..=TILE_PROBES_MAX {
                    let mut at = 0;
                    for tile in Tile::pack(&probes.iter().map(Vec::as_slice).collect::<Vec<_>>(), width) {
                        let mut out = [[7; BLOCK_ROWS]; TILE_PROBES_MAX];
                        kernel.dots(&block, &tile, &mut out);
                        for dots in &out[..tile.probes()] {
                            for (row, &dot) in dots.iter().enumerate() {
                                let codes = rows.get(row).unwrap_or(&padding);
                                prop_assert_eq!(dot, naive(codes, &probes[at]), "{} row {} probe {}", kernel.name(), row, at);
                            }
                            at += 1;
                        }
                    }
                    prop_assert_eq!(at, probes.len());
                }
            }
        }
    }

    #[test]
    fn a_kernel_is_found_by_name_or_the_names_are_told() {
        for kernel in all() {
            assert_eq!(by_name(kernel.name()).unwrap().name(), kernel.name());
        }
        assert_eq!(best().name(), all()[0].name());
        let error = by_name("abacus").unwrap_err().to_string();
        assert!(error.contains("abacus") && error.contains("scalar"), "{error}");
    }
}
