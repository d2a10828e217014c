//! Which shader scores a round, by its number of probes and what the device can do, and how large its tiles are.

use crate::gpu::round::Mark;
use crate::gpu::template::{CODES_PER_CHUNK, Multiply, PIECE_CHUNKS_MAX, matrix_step_chunks, matrix_stride};

/// Most probes that K1 takes; above it arithmetic costs more than reading the codes.
pub(super) const ROWS_PROBES_MAX: usize = 8;
/// Largest dimension for K3: 1024 products of two codes of -128 sum to 2^24, up to where f32 has every integer.
pub(super) const MATRIX_DIMENSION_MAX: usize = 1024;
/// Workgroup memory without which no device is used: K2's, at every dimension. K1 and the histogram can do with less.
pub(super) const WORKGROUP_BYTES_MIN: usize = TILES_TILE * (PIECE_CHUNKS_MAX * CODES_PER_CHUNK + size_of::<u32>());
/// Probes of a workgroup of K2.
const TILES_TILE: usize = 16;
/// Probes of a workgroup of K3; its rows; its subgroups.
pub(super) const MATRIX_TILE: usize = 64;
const MATRIX_ROWS: usize = 128;
const MATRIX_SUBGROUPS: usize = 4;
/// Probes and values counted for each by a workgroup of the histogram shader.
const HISTOGRAM_TILE_MAX: usize = 8;
const HISTOGRAM_BINS: usize = 256;

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

/// How K3 multiplies where it may be used, and from how many probes on.
pub(super) type MatrixUse = (Multiply, usize);

impl Kernel {
    /// The kernel for so many probes of `dimension` numbers on a device with so much workgroup memory.
    pub(super) fn for_probes(
        probes: usize,
        dimension: usize,
        workgroup_bytes: usize,
        matrix: Option<MatrixUse>,
    ) -> Self {
        match matrix {
            _ if probes <= ROWS_PROBES_MAX => {
                let fits = |tile: &usize| Self::Rows { tile: *tile }.workgroup_bytes(dimension) <= workgroup_bytes;
                let tile = halves(probes.max(1).next_power_of_two()).find(fits).unwrap_or(1);
                Self::Rows { tile }
            }
            Some((multiply, least)) if probes >= least => Self::Matrix(multiply),
            Some(_) | None => Self::Tiles,
        }
    }

    /// Probes of one workgroup; rounds are padded to whole tiles.
    pub(super) fn tile(self) -> usize {
        match self {
            Self::Rows { tile } => tile,
            Self::Tiles => TILES_TILE,
            Self::Matrix(_) => MATRIX_TILE,
        }
    }

    /// Blocks of rows that one workgroup scores.
    pub(super) fn blocks_per_workgroup(self) -> usize {
        match self {
            Self::Rows { .. } | Self::Tiles => 4,
            Self::Matrix(_) => 2,
        }
    }

    /// Workgroup memory that it takes, with its smallest steps.
    pub(super) fn workgroup_bytes(self, dimension: usize) -> usize {
        match self {
            Self::Rows { tile } => tile * (dimension + size_of::<u32>()),
            Self::Tiles => WORKGROUP_BYTES_MIN,
            Self::Matrix(_) => matrix_bytes(matrix_stride(matrix_step_chunks(dimension, 0))),
        }
    }
}

/// Workgroup memory of K3 when a row of its tiles takes `stride` half-precision numbers.
pub(super) fn matrix_bytes(stride: usize) -> usize {
    let (halves, singles) = ((MATRIX_ROWS + MATRIX_TILE) * stride, MATRIX_SUBGROUPS * 256 + MATRIX_ROWS + MATRIX_TILE);
    halves * size_of::<u16>() + singles * size_of::<f32>()
}

/// Probes of a workgroup of the histogram shader on a device with so much workgroup memory: as many as fit, up to 8.
pub(super) fn histogram_tile(dimension: usize, workgroup_bytes: usize) -> usize {
    let bytes = dimension + HISTOGRAM_BINS * size_of::<u32>() + size_of::<Mark>();
    halves(HISTOGRAM_TILE_MAX).find(|tile| tile * bytes <= workgroup_bytes).unwrap_or(1)
}

fn halves(from: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(from), |tile| Some(tile / 2).filter(|&tile| tile > 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::limits::DIMENSION_MAX;

    const KIB: usize = 1 << 10;

    #[test]
    fn the_number_of_probes_and_the_device_decide() {
        let kernel = |probes, matrix| Kernel::for_probes(probes, 512, 32 * KIB, matrix);
        let matrix = Some((Multiply::Cooperative, 17));
        for (probes, tile) in [(1, 1), (2, 2), (3, 4), (5, 8), (8, 8)] {
            assert_eq!(kernel(probes, matrix), Kernel::Rows { tile });
        }
        for probes in [9, 16] {
            assert_eq!(kernel(probes, matrix), Kernel::Tiles);
        }
        assert_eq!(kernel(17, matrix), Kernel::Matrix(Multiply::Cooperative));
        assert_eq!(kernel(360, None), Kernel::Tiles);
    }

    #[test]
    fn tiles_shrink_until_they_fit() {
        for dimension in (16..=DIMENSION_MAX).step_by(16) {
            for (bytes, rows, counted) in [(16 * KIB, [4, 8], [4, 8]), (32 * KIB, [8, 8], [8, 8])] {
                let Kernel::Rows { tile } = Kernel::for_probes(8, dimension, bytes, None) else { panic!("not K1") };
                assert!(tile * (dimension + 4) <= bytes && rows.contains(&tile), "{dimension}: {tile}");
                let tile = histogram_tile(dimension, bytes);
                assert!(tile * (dimension + 1024 + 16) <= bytes && counted.contains(&tile), "{dimension}: {tile}");
            }
        }
        // The longest templates at 16 KiB are where it matters.
        assert_eq!(Kernel::for_probes(8, DIMENSION_MAX, 16 * KIB, None), Kernel::Rows { tile: 4 });
        assert_eq!(histogram_tile(DIMENSION_MAX, 16 * KIB), 4);
        assert_eq!(histogram_tile(512, 16 * KIB), 8);
        assert_eq!((matrix_bytes(40), matrix_bytes(24)), (20_224, 14_080));
    }
}
