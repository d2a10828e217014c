//! A face as a unit vector.

use crate::vector::VectorError;
use crate::vector::dimension::Dimension;

/// How far a stored template's length may be from 1: half precision keeps 11 bits a component.
pub const UNIT_TOLERANCE: f64 = 1e-3;

/// A unit vector made by one model from one face. `Debug` shows the dimension only: templates never reach a log.
#[derive(Clone, PartialEq)]
pub struct Template {
    values: Box<[f32]>,
    dimension: Dimension,
}

impl Template {
    /// Scales a model's raw output to length 1 (length in f64, one rounding a component: the same bits everywhere).
    ///
    /// # Errors
    /// [`VectorError::Dimension`] for a length that can't be stored, [`VectorError::NoDirection`] when a component is
    /// not finite or all are zero.
    pub fn from_raw(raw: &[f32]) -> Result<Self, VectorError> {
        let dimension = Dimension::new(raw.len())?;
        let length = length(raw);
        if !length.is_finite() || length < 1e-12 {
            return Err(VectorError::NoDirection(length));
        }
        let values = raw.iter().map(|&value| (f64::from(value) / length) as f32).collect();
        Ok(Self { values, dimension })
    }

    /// Takes components that are a unit vector already, as read from a file.
    ///
    /// # Errors
    /// [`VectorError::Dimension`], or [`VectorError::NotUnit`] when the length is not 1 within [`UNIT_TOLERANCE`].
    pub fn from_unit(values: Vec<f32>) -> Result<Self, VectorError> {
        let dimension = Dimension::new(values.len())?;
        let length = length(&values);
        if !length.is_finite() || (length - 1.0).abs() > UNIT_TOLERANCE {
            return Err(VectorError::NotUnit(length));
        }
        Ok(Self { values: values.into_boxed_slice(), dimension })
    }

    /// The components.
    #[must_use]
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// How many components.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }
}

impl std::fmt::Debug for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Template({} numbers)", self.dimension)
    }
}

fn length(values: &[f32]) -> f64 {
    values.iter().map(|&value| f64::from(value) * f64::from(value)).sum::<f64>().sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_output_becomes_a_unit_vector() {
        let template = Template::from_raw(&[3.0; 16]).unwrap();
        assert!(template.values().iter().all(|&value| value == 0.25));
        assert!(Template::from_unit(template.values().to_vec()).is_ok());
    }

    #[test]
    fn vectors_without_direction_are_refused() {
        for bad in [0.0, f32::NAN, f32::INFINITY] {
            assert!(matches!(Template::from_raw(&[bad; 16]), Err(VectorError::NoDirection(_))), "{bad}");
        }
        assert!(matches!(Template::from_unit(vec![0.3; 16]), Err(VectorError::NotUnit(_))));
    }

    #[test]
    fn debug_shows_no_component() {
        let template = Template::from_raw(&[3.0; 16]).unwrap();
        assert_eq!(format!("{template:?}"), "Template(16 numbers)");
    }
}
