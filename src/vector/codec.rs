//! Eight-bit codes of a template, with the length of what they lose; and half precision for stored originals.

use half::f16;
use half::slice::HalfFloatSliceExt as _;

/// Scale of a row that takes part in no search: padding, or an erased row. Live scales are always above zero.
pub const DEAD_SCALE: f32 = -1.0;

/// A vector as `scale * codes`, component by component, one scale for the whole vector.
#[derive(Clone, PartialEq)]
pub struct Code {
    /// One signed byte a component, from -127 to 127.
    pub codes: Vec<i8>,
    /// What one step of a code is worth; above zero.
    pub scale: f32,
    /// `|vector - scale * codes|`, rounded up: the input of [`crate::vector::bound::coarse_error_max`].
    pub error_norm: f32,
}

impl Code {
    /// Codes `values` by their largest magnitude. A zero vector, which no template is, gets all-zero codes.
    #[must_use]
    pub fn of(values: &[f32]) -> Self {
        let largest = values.iter().fold(0.0_f32, |most, value| most.max(value.abs()));
        let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
        let codes: Vec<i8> = values.iter().map(|&value| nearest(value / scale)).collect();
        let lost: f64 = values.iter().zip(&codes).map(|(&value, &code)| squared_loss(value, code, scale)).sum();
        // Two units in the last place upwards: the square root and the narrowing each lose at most half of one.
        let error_norm = (lost.sqrt() as f32).next_up().next_up();
        Self { codes, scale, error_norm }
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Code({} numbers, error {:.4})", self.codes.len(), self.error_norm)
    }
}

/// `value.round().clamp(-127.0, 127.0)`, without a call: halves go away from zero. The largest number below a half is what is
/// added, so that the sum of it and the number below a half is below one.
fn nearest(value: f32) -> i8 {
    (value + 0.5_f32.next_down().copysign(value)).clamp(-127.0, 127.0) as i8
}

fn squared_loss(value: f32, code: i8, scale: f32) -> f64 {
    let loss = f64::from(value) - f64::from(code) * f64::from(scale);
    loss * loss
}

/// Rounds to half precision and back: what a gallery that stores f16 originals really keeps of `values`.
#[must_use]
pub fn through_f16(values: &[f32]) -> Vec<f32> {
    values.iter().map(|&value| f16::from_f32(value).to_f32()).collect()
}

/// Little-endian bytes of `values` in half precision, appended to `out`: 2 bytes each.
pub fn put_f16(values: &[f32], out: &mut Vec<u8>) {
    for &value in values {
        out.extend_from_slice(&f16::from_f32(value).to_le_bytes());
    }
}

/// Little-endian bytes of `values` in single precision, appended to `out`: 4 bytes each.
pub fn put_f32(values: &[f32], out: &mut Vec<u8>) {
    for &value in values {
        out.extend_from_slice(&value.to_le_bytes());
    }
}

/// Reads half precision: 2 bytes of `bytes` for each number of `out`; what is missing leaves the rest of `out` as it was.
pub fn take_f16(bytes: &[u8], out: &mut [f32]) {
    // So many at a time that the conversion's look at what the processor has costs nothing.
    const AT_ONCE: usize = 64;
    let mut halves = [f16::ZERO; AT_ONCE];
    for (values, pairs) in out.chunks_mut(AT_ONCE).zip(bytes.as_chunks::<2>().0.chunks(AT_ONCE)) {
        let count = values.len().min(pairs.len());
        for (half, pair) in halves.iter_mut().zip(pairs) {
            *half = f16::from_le_bytes(*pair);
        }
        halves[..count].convert_to_f32_slice(&mut values[..count]);
    }
}

/// Reads single precision: 4 bytes of `bytes` for each number of `out`; what is missing leaves the rest of `out` as it was.
pub fn take_f32(bytes: &[u8], out: &mut [f32]) {
    for (value, four) in out.iter_mut().zip(bytes.as_chunks::<4>().0) {
        *value = f32::from_le_bytes(*four);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn error_norm_is_not_below_the_true_loss(values in proptest::collection::vec(-1.0_f32..1.0, 1..200)) {
            let code = Code::of(&values);
            let lost: f64 = values.iter().zip(&code.codes).map(|(v, c)| squared_loss(*v, *c, code.scale)).sum();
            prop_assert!(f64::from(code.error_norm) >= lost.sqrt());
            prop_assert!(values.iter().zip(&code.codes).all(|(v, c)| (v - f32::from(*c) * code.scale).abs() <= code.scale * 0.51));
        }

        #[test]
        fn f16_bytes_round_trip(values in proptest::collection::vec(-1.0_f32..1.0, 1..64)) {
            let mut bytes = Vec::new();
            put_f16(&values, &mut bytes);
            let mut back = vec![9.0; values.len()];
            take_f16(&bytes, &mut back);
            prop_assert_eq!(back, through_f16(&values));
        }
    }

    #[test]
    fn codes_are_the_nearest_integers() {
        let reference = |value: f32| value.round().clamp(-127.0, 127.0) as i8;
        for half in -260..=260 {
            let value = half as f32 / 2.0;
            for near in
                [value.next_down().next_down(), value.next_down(), value, value.next_up(), value.next_up().next_up()]
            {
                assert_eq!(nearest(near), reference(near), "{near}");
            }
        }
        for step in -1_300_000..1_300_000 {
            let value = step as f32 / 9999.0;
            assert_eq!(nearest(value), reference(value), "{value}");
        }
        assert_eq!((nearest(f32::INFINITY), nearest(f32::NEG_INFINITY), nearest(f32::NAN)), (127, -127, 0));
    }

    #[test]
    fn f32_bytes_round_trip_and_short_input_is_harmless() {
        let mut bytes = Vec::new();
        put_f32(&[1.5, -2.25], &mut bytes);
        let mut back = [0.0; 3];
        take_f32(&bytes, &mut back);
        assert_eq!(back, [1.5, -2.25, 0.0]);
    }
}
