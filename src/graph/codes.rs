//! A segment's codes for walking: row after row, in memory.
//!
//! In the segment the codes of sixteen rows are interwoven, which suits a scan and spreads a single row over a cache line
//! for every four components. A walk over a graph reads rows one by one, so it works on this copy (dimension plus 4 bytes a
//! row, the dimension rounded up to whole cache lines), made when a graph is first searched. The copy holds templates: it belongs to one run of a snapshot and is dropped
//! with it, which an erasure waits for, and rows that are erased by then are not copied.

use crate::kernel::rowdot::{LINE_CODES, Line};
use crate::store::pages::Pages;
use crate::vector::bound::coarse_error_max;
use crate::vector::codec::{Code, DEAD_SCALE};
use crate::vector::layout::{code_bytes, take_row};
use crate::vector::rows::Rows;
use crate::vector::template::Template;

/// Rows one after another, each in whole cache lines.
pub struct RowMajor {
    dimension: usize,
    codes: Pages,
    scales: Vec<f32>,
    error_norm_max: f32,
}

impl RowMajor {
    /// Copies the codes of all live rows; those of dead ones become zeros with a dead scale.
    #[must_use]
    pub fn of(rows: &dyn Rows) -> Self {
        let (dimension, count) = (rows.dimension().get(), rows.len());
        let source = rows.codes();
        let stride = stride(dimension);
        let mut copy = Pages::zeroed(count * stride);
        let mut scales = vec![DEAD_SCALE; count];
        let complete = source.len() >= code_bytes(count, dimension);
        let codes: &mut [i8] = bytemuck::cast_slice_mut(copy.bytes_mut());
        for (row, (codes, scale)) in codes.chunks_exact_mut(stride).zip(&mut scales).enumerate() {
            let own = rows.scales().get(row).copied().filter(|own| own.is_finite());
            if let (true, true, Some(own), Some(codes)) = (complete, rows.is_live(row), own, codes.get_mut(..dimension))
            {
                take_row(source, row, codes);
                *scale = own;
            }
        }
        Self { dimension, codes: copy, scales, error_norm_max: rows.error_norm_max() }
    }

    /// Rows, dead ones included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.scales.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.scales.is_empty()
    }

    /// Components of a row.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// All codes, for [`crate::kernel::rowdot`].
    #[must_use]
    pub fn lines(&self) -> &[Line] {
        // Memory of this type begins on a cache line.
        bytemuck::try_cast_slice(self.codes.bytes()).unwrap_or_default()
    }

    /// The codes of one row; empty for a row that is not there.
    #[must_use]
    pub fn row(&self, row: u32) -> &[i8] {
        let start = row as usize * stride(self.dimension);
        bytemuck::cast_slice(self.codes.bytes().get(start..start + self.dimension).unwrap_or_default())
    }

    /// Where walks find their scales: one a row.
    #[must_use]
    pub fn scales(&self) -> &[f32] {
        &self.scales
    }

    /// What one step of a row's codes is worth; [`DEAD_SCALE`] for a dead row and one that is not there.
    #[must_use]
    pub fn scale(&self, row: u32) -> f32 {
        self.scales.get(row as usize).copied().unwrap_or(DEAD_SCALE)
    }

    /// Bytes that a copy of so many rows takes.
    #[must_use]
    pub fn bytes_wanted(rows: u64, dimension: usize) -> u64 {
        rows * (stride(dimension) as u64 + 4)
    }
}

impl std::fmt::Debug for RowMajor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RowMajor({} rows of {} numbers)", self.len(), self.dimension)
    }
}

/// Codes from one row to the next.
fn stride(dimension: usize) -> usize {
    dimension.next_multiple_of(LINE_CODES)
}

/// A probe ready to walk.
#[derive(Debug, Clone)]
pub struct CodedProbe<'a> {
    /// Itself.
    pub template: &'a Template,
    /// Its codes.
    pub code: Code,
}

impl<'a> CodedProbe<'a> {
    /// Codes a probe.
    #[must_use]
    pub fn of(template: &'a Template) -> Self {
        Self { template, code: Code::of(template.values()) }
    }

    /// Upper bound of the difference between a comparison score and the coarse score times the probe's scale.
    #[must_use]
    pub fn bound(&self, codes: &RowMajor) -> f32 {
        coarse_error_max(codes.error_norm_max, self.code.error_norm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TemplateId;
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;

    #[test]
    fn live_rows_are_copied_and_erased_ones_are_not() {
        let mut rows = MemoryRows::new(Dimension::new(16).unwrap());
        for id in 0..20 {
            let raw: Vec<f32> = (0..16).map(|i| ((id * 7 + i) as f32).sin()).collect();
            rows.push(TemplateId(id), Template::from_raw(&raw).unwrap().values());
        }
        // Marked only: the bytes are still there, and must not be copied.
        rows.mark_erased(vec![4]);
        rows.erase(17);
        let copy = RowMajor::of(&rows);
        for row in 0..20_u32 {
            let mut wanted = vec![0; 16];
            if row != 4 {
                take_row(rows.codes(), row as usize, &mut wanted);
            }
            assert_eq!(copy.row(row), wanted, "row {row}");
            assert_eq!(copy.lines()[row as usize].0[16..], [0; 48], "row {row} ends in zeros");
            assert_eq!(copy.scale(row) > 0.0, row != 4 && row != 17);
        }
        assert_eq!((copy.row(20), copy.scale(20)), ([].as_slice(), DEAD_SCALE));
    }
}
