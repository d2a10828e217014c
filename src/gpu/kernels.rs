//! Which shader scores a round, by its number of probes and what the device can do.

use crate::gpu::template::Multiply;

/// Most probes that K1 takes; above it arithmetic costs more than reading the codes.
pub(super) const ROWS_PROBES_MAX: usize = 8;
/// Fewest probes for K3, whose workgroups work for 64 whether there are so many or not. Half of them; not measured.
pub(super) const MATRIX_PROBES_MIN: usize = 32;
/// Largest dimension for K3: 1024 products of two codes of -128 sum to 2^24, up to where f32 has every integer.
pub(super) const MATRIX_DIMENSION_MAX: usize = 1024;

/// A shader that scores rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Kernel {
    /// K1, `rows.wgsl`, for this many probes a workgroup: 1, 2, 4 or 8.
    Rows {
        /// Probes of a workgroup.
        tile: usize,
    },
    /// K2, `tiles.wgsl`.
    Tiles,
    /// K3, `matrix.wgsl`.
    Matrix(Multiply),
}

impl Kernel {
    /// The kernel for so many probes; `matrix` is how K3 multiplies where it may be used.
    pub(super) fn for_probes(probes: usize, matrix: Option<Multiply>) -> Self {
        match matrix {
            _ if probes <= ROWS_PROBES_MAX => Self::Rows { tile: probes.max(1).next_power_of_two() },
            Some(multiply) if probes >= MATRIX_PROBES_MIN => Self::Matrix(multiply),
            Some(_) | None => Self::Tiles,
        }
    }

    /// Probes of one workgroup; rounds are padded to whole tiles.
    pub(super) fn tile(self) -> usize {
        match self {
            Self::Rows { tile } => tile,
            Self::Tiles => 16,
            Self::Matrix(_) => 64,
        }
    }

    /// Blocks of rows that one workgroup scores.
    pub(super) fn blocks_per_workgroup(self) -> usize {
        match self {
            Self::Rows { .. } | Self::Tiles => 4,
            Self::Matrix(_) => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_probes_and_the_device_decide() {
        let matrix = Some(Multiply::Cooperative);
        for (probes, tile) in [(1, 1), (2, 2), (3, 4), (5, 8), (8, 8)] {
            assert_eq!(Kernel::for_probes(probes, matrix), Kernel::Rows { tile });
        }
        for probes in [9, 31] {
            assert_eq!(Kernel::for_probes(probes, matrix), Kernel::Tiles);
        }
        assert_eq!(Kernel::for_probes(32, matrix), Kernel::Matrix(Multiply::Cooperative));
        assert_eq!(Kernel::for_probes(64, None), Kernel::Tiles);
    }
}
