//! The comparison score: one function, one order of operations, the same bits on every machine.

/// Partial sums kept side by side, so that compilers can use vector registers of any width without changing the result.
const LANES: usize = 16;

/// Cosine of two unit vectors of equal dimension: products and sums in f32, sixteen running sums, added pairwise at the
/// end. Never fused, never reordered, so it is the comparison score to the bit wherever it is computed. Rounding error
/// is below 1e-5 for dimensions up to 2048 (see [`crate::vector::bound::ROUNDING_MARGIN`]).
///
/// Components past the shorter slice's end or past the last multiple of 16 are not read; [`super::dimension::Dimension`]
/// makes sure that there are none.
#[must_use]
pub fn exact_score(a: &[f32], b: &[f32]) -> f32 {
    debug_assert_eq!(a.len(), b.len());
    let mut sums = [0.0_f32; LANES];
    for (x, y) in a.chunks_exact(LANES).zip(b.chunks_exact(LANES)) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let mut width = LANES;
    while width > 1 {
        width /= 2;
        for lane in 0..width {
            sums[lane] += sums[lane + width];
        }
    }
    sums[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::bound::ROUNDING_MARGIN;
    use crate::vector::template::Template;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn agrees_with_f64_within_the_margin(raw in proptest::collection::vec((-1.0_f32..1.0, -1.0_f32..1.0), 2048)) {
            let (a, b): (Vec<f32>, Vec<f32>) = raw.into_iter().unzip();
            let (Ok(a), Ok(b)) = (Template::from_raw(&a), Template::from_raw(&b)) else { return Ok(()) };
            let wide: f64 = a.values().iter().zip(b.values()).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum();
            let score = f64::from(exact_score(a.values(), b.values()));
            prop_assert!((score - wide).abs() < f64::from(ROUNDING_MARGIN), "{score} {wide}");
        }
    }

    #[test]
    fn symmetric_to_the_bit() {
        let a: Vec<f32> = (0..128).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f32> = (0..128).map(|i| (i as f32 * 0.11).cos()).collect();
        assert_eq!(exact_score(&a, &b).to_bits(), exact_score(&b, &a).to_bits());
    }
}
