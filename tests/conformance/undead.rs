//! Rows that come back from the dead: what a scorer must not be taken in by, and the battery must notice.

use std::sync::Arc;

use bertillon::base::ids::TemplateId;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::rows::{ErasedRows, Residency, Rows};

/// Rows that deny that any of them was erased.
pub struct Undead(Arc<dyn Rows>, ErasedRows);

impl Undead {
    pub fn new(run: Arc<dyn Rows>) -> Self {
        Self(run, ErasedRows::default())
    }
}

impl Rows for Undead {
    fn dimension(&self) -> Dimension {
        self.0.dimension()
    }
    fn len(&self) -> usize {
        self.0.len()
    }
    fn codes(&self) -> &[i8] {
        self.0.codes()
    }
    fn scales(&self) -> &[f32] {
        self.0.scales()
    }
    fn error_norm_max(&self) -> f32 {
        self.0.error_norm_max()
    }
    fn template_id(&self, row: usize) -> TemplateId {
        self.0.template_id(row)
    }
    fn original(&self, row: usize, out: &mut [f32]) {
        self.0.original(row, out);
    }
    fn erased(&self) -> &ErasedRows {
        &self.1
    }
    fn residency(&self) -> Option<&Arc<Residency>> {
        self.0.residency()
    }
}
