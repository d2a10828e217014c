//! How far a coarse score can be from the comparison score.
//!
//! With `x` a stored template, `x'` = scale times code, `e_x = x - x'`, and the same for the probe `q`:
//! `<x,q> - <x',q'> = <e_x,q> + <x',e_q>`, so by Cauchy and Schwarz
//! `|<x,q> - <x',q'>| <= |e_x||q| + (|x| + |e_x|)|e_q|`. Lengths are 1 within [`UNIT_TOLERANCE`], error norms are measured
//! when a row is coded and rounded up, and a margin covers the rounding of both scores.

use crate::vector::template::UNIT_TOLERANCE;

/// Covers the rounding of `exact_score` and of the coarse score together, for dimensions up to 2048.
pub const ROUNDING_MARGIN: f32 = 2e-5;

/// Upper bound of `|comparison score - coarse score|` over rows whose error norm is at most `row_error_max`, for a probe
/// with error norm `probe_error`. Both in units of the score (a cosine).
#[must_use]
pub fn coarse_error_max(row_error_max: f32, probe_error: f32) -> f32 {
    let length_max = 1.0 + UNIT_TOLERANCE as f32;
    row_error_max * length_max + (length_max + row_error_max) * probe_error + ROUNDING_MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::codec::Code;
    use crate::vector::score::exact_score;
    use crate::vector::template::Template;
    use proptest::prelude::*;

    fn unit() -> impl Strategy<Value = Template> {
        // A few large components among small ones are the hard case for one scale a row.
        proptest::collection::vec(prop_oneof![9 => -0.01_f32..0.01, 1 => -1.0_f32..1.0], 64)
            .prop_filter_map("no direction", |raw| Template::from_raw(&raw).ok())
    }

    proptest! {
        #[test]
        fn holds_for_any_pair(x in unit(), q in unit()) {
            let (cx, cq) = (Code::of(x.values()), Code::of(q.values()));
            let dot: i32 = cx.codes.iter().zip(&cq.codes).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum();
            let coarse = dot as f32 * cx.scale * cq.scale;
            let bound = coarse_error_max(cx.error_norm, cq.error_norm);
            prop_assert!((exact_score(x.values(), q.values()) - coarse).abs() <= bound);
        }
    }
}
