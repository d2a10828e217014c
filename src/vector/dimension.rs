//! The number of components of a template.

use crate::base::limits::{DIMENSION_MAX, DIMENSION_STEP};
use crate::vector::VectorError;

/// A checked dimension: a multiple of 16 from 16 to 2048.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dimension(u16);

impl Dimension {
    /// Checks `components`.
    ///
    /// # Errors
    /// [`VectorError::Dimension`] when the layouts can't hold it.
    pub fn new(components: usize) -> Result<Self, VectorError> {
        if components == 0 || components > DIMENSION_MAX || !components.is_multiple_of(DIMENSION_STEP) {
            return Err(VectorError::Dimension(components));
        }
        u16::try_from(components).map(Self).map_err(|_| VectorError::Dimension(components))
    }

    /// Components of one template.
    #[must_use]
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

impl std::fmt::Display for Dimension {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_multiples_of_sixteen_up_to_the_limit() {
        for good in [16, 128, 256, 512, 2048] {
            assert_eq!(Dimension::new(good).map(Dimension::get), Ok(good));
        }
        for bad in [0, 1, 8, 100, 2064, 65_536 + 16] {
            assert_eq!(Dimension::new(bad), Err(VectorError::Dimension(bad)));
        }
    }
}
