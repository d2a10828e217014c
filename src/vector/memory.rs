//! Rows in plain memory: the gallery's tail, and the galleries of tests.

use std::sync::Arc;

use crate::base::ids::TemplateId;
use crate::vector::codec::{Code, DEAD_SCALE};
use crate::vector::dimension::Dimension;
use crate::vector::layout;
use crate::vector::rows::{ErasedRows, Residency, Rows, touch};

/// A growing run of rows in memory. Cloned when a snapshot still reads the older state.
#[derive(Clone)]
pub struct MemoryRows {
    dimension: Dimension,
    ids: Vec<TemplateId>,
    codes: Vec<i8>,
    scales: Vec<f32>,
    originals: Vec<f32>,
    error_norm_max: f32,
    erased: ErasedRows,
    residency: Option<Arc<Residency>>,
}

impl MemoryRows {
    /// No rows yet, of `dimension` components each.
    #[must_use]
    pub fn new(dimension: Dimension) -> Self {
        Self {
            dimension,
            ids: Vec::new(),
            codes: Vec::new(),
            scales: Vec::new(),
            originals: Vec::new(),
            error_norm_max: 0.0,
            erased: ErasedRows::default(),
            residency: None,
        }
    }

    /// Declares that no row will be added any more, so that devices may keep a copy.
    #[must_use]
    pub fn resident(mut self) -> Self {
        self.residency = Some(Arc::new(Residency::default()));
        self
    }

    /// Adds a row. `original` has as many numbers as the dimension; `id` is above every id so far.
    pub fn push(&mut self, id: TemplateId, original: &[f32]) {
        self.push_coded(id, original, &Code::of(original));
    }

    /// Adds a row whose code is known already.
    pub fn push_coded(&mut self, id: TemplateId, original: &[f32], code: &Code) {
        debug_assert_eq!(original.len(), self.dimension.get());
        debug_assert!(self.ids.last().is_none_or(|&last| last < id));
        let row = self.ids.len();
        if row.is_multiple_of(layout::BLOCK_ROWS) {
            self.codes.resize(layout::code_bytes(row + 1, self.dimension.get()), 0);
            self.scales.resize(row + layout::BLOCK_ROWS, DEAD_SCALE);
        }
        layout::put_row(&mut self.codes, row, &code.codes);
        self.scales[row] = code.scale;
        self.error_norm_max = self.error_norm_max.max(code.error_norm);
        self.ids.push(id);
        self.originals.extend_from_slice(original);
    }

    /// Overwrites a row: codes and original become zeros, its scale dead. A row that is not there changes nothing.
    pub fn erase(&mut self, row: usize) {
        if row >= self.ids.len() {
            return;
        }
        let dimension = self.dimension.get();
        layout::put_row(&mut self.codes, row, &vec![0; dimension]);
        self.scales[row] = DEAD_SCALE;
        self.originals[row * dimension..(row + 1) * dimension].fill(0.0);
    }

    /// Marks rows as erased without touching their bytes, as a snapshot does until the bytes are overwritten.
    pub fn mark_erased(&mut self, rows: Vec<u32>) {
        self.erased = ErasedRows::new(rows);
    }

    /// Ids of all rows, ascending.
    #[must_use]
    pub fn ids(&self) -> &[TemplateId] {
        &self.ids
    }
}

impl Rows for MemoryRows {
    fn dimension(&self) -> Dimension {
        self.dimension
    }

    fn len(&self) -> usize {
        self.ids.len()
    }

    fn codes(&self) -> &[i8] {
        &self.codes
    }

    fn scales(&self) -> &[f32] {
        &self.scales
    }

    fn error_norm_max(&self) -> f32 {
        self.error_norm_max
    }

    fn template_id(&self, row: usize) -> TemplateId {
        self.ids[row]
    }

    fn original(&self, row: usize, out: &mut [f32]) {
        let dimension = self.dimension.get();
        out.copy_from_slice(&self.originals[row * dimension..(row + 1) * dimension]);
    }

    fn will_want(&self, rows: &[usize]) {
        let dimension = self.dimension.get();
        for &row in rows {
            let original = self.originals.get(row * dimension..(row + 1) * dimension).unwrap_or_default();
            touch(bytemuck::cast_slice(original));
        }
    }

    fn erased(&self) -> &ErasedRows {
        &self.erased
    }

    fn residency(&self) -> Option<&Arc<Residency>> {
        self.residency.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(count: u64) -> MemoryRows {
        let mut rows = MemoryRows::new(Dimension::new(16).unwrap());
        for id in 0..count {
            let mut original = vec![0.0; 16];
            original[id as usize % 16] = 1.0;
            rows.push(TemplateId(id), &original);
        }
        rows
    }

    #[test]
    fn padding_is_dead() {
        let rows = rows(17);
        assert_eq!((rows.len(), rows.scales().len(), rows.codes().len()), (17, 32, 512));
        assert!(rows.scales()[17..].iter().all(|&scale| scale == DEAD_SCALE));
        assert!(rows.is_live(16) && !rows.is_live(17));
    }

    #[test]
    fn erasing_leaves_zeros() {
        let mut rows = rows(3);
        rows.erase(1);
        let mut original = vec![9.0; 16];
        rows.original(1, &mut original);
        assert!(original.iter().all(|&value| value == 0.0));
        assert!(!rows.is_live(1) && rows.is_live(0) && rows.is_live(2));
    }

    #[test]
    fn marked_rows_are_dead_before_their_bytes_are() {
        let mut rows = rows(3);
        rows.mark_erased(vec![2]);
        assert!(!rows.is_live(2) && rows.scales()[2] > 0.0);
    }
}
