//! The Walsh-Hadamard transform, by which the generators of templates spread strong and weak directions over all components.

use std::ops::{Add, Sub};

/// The transform of a power of two of numbers, in place and not scaled. Additions and subtractions only, in a fixed order.
pub(in crate::evaluation) fn turn<T: Copy + Add<Output = T> + Sub<Output = T>>(values: &mut [T]) {
    let mut half = 1;
    while half < values.len() {
        for pair in values.chunks_exact_mut(2 * half) {
            let (low, high) = pair.split_at_mut(half);
            for (a, b) in low.iter_mut().zip(high) {
                (*a, *b) = (*a + *b, *a - *b);
            }
        }
        half *= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turning_twice_only_scales() {
        let before: Vec<f64> = (0..64).map(|i| f64::from(i * i % 37) - 11.0).collect();
        let mut turned = before.clone();
        turn(&mut turned);
        assert!(turned.iter().zip(&before).any(|(a, b)| a != b));
        turn(&mut turned);
        assert!(turned.iter().zip(&before).all(|(a, b)| *a == 64.0 * b));
    }
}
