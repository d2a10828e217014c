//! Coarse scores as unsigned integers whose order is the order of the scores; the shaders have the same two functions.

/// Below the key of every finite score: keeps everything.
pub(super) const KEEP_ALL: u32 = 0;
/// Above the key of every finite score: keeps nothing.
pub(super) const KEEP_NONE: u32 = u32::MAX;

const SIGN: u32 = 1 << 31;

/// The key of a score.
pub(super) fn sortable(score: f32) -> u32 {
    let bits = score.to_bits();
    if bits & SIGN == 0 { bits | SIGN } else { !bits }
}

/// The score of a key; minus infinity for [`KEEP_ALL`] and all else that is below every number.
pub(super) fn unsortable(key: u32) -> f32 {
    let score = f32::from_bits(if key & SIGN == 0 { !key } else { key & !SIGN });
    if score.is_nan() { f32::NEG_INFINITY } else { score }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn order_is_kept_and_scores_come_back(a in -1e9_f32..1e9, b in -1e9_f32..1e9) {
            prop_assert_eq!(a.total_cmp(&b), sortable(a).cmp(&sortable(b)));
            prop_assert_eq!(unsortable(sortable(a)).to_bits(), a.to_bits());
            prop_assert!(sortable(a) > KEEP_ALL && sortable(a) < KEEP_NONE);
        }
    }

    #[test]
    fn the_ends() {
        assert_eq!(unsortable(KEEP_ALL), f32::NEG_INFINITY);
        assert!(sortable(f32::NEG_INFINITY) > KEEP_ALL && sortable(f32::MIN) > sortable(f32::NEG_INFINITY));
        assert!(sortable(f32::INFINITY) < KEEP_NONE);
    }
}
