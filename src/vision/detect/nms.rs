//! Non-maximum suppression: of boxes that cover the same thing the best stays.

use crate::vision::geometry::Bounds;

/// What the shared area is measured against.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Against {
    /// The area that both cover together (intersection over union).
    Union,
    /// The smaller box: a box inside another counts as the same.
    Smaller,
}

/// Indices of the boxes that stay, best score first; of equal scores the earlier box goes first. A box goes when its
/// overlap with a better one that stays is above `overlap_max`. Quadratic: callers bound the number of boxes.
pub(super) fn suppress(boxes: &[(Bounds, f32)], overlap_max: f32, against: Against) -> Vec<usize> {
    let mut order: Vec<usize> = (0..boxes.len()).collect();
    order.sort_by(|&a, &b| boxes[b].1.total_cmp(&boxes[a].1).then(a.cmp(&b)));
    let mut kept: Vec<usize> = Vec::new();
    for index in order {
        let candidate = &boxes[index].0;
        if kept.iter().all(|&better| overlap(&boxes[better].0, candidate, against) <= overlap_max) {
            kept.push(index);
        }
    }
    kept
}

/// Shared area in relation to the whole, 0 to 1.
pub(super) fn overlap(a: &Bounds, b: &Bounds, against: Against) -> f32 {
    let shared = a.shared_area(b);
    let whole = match against {
        Against::Union => a.area() + b.area() - shared,
        Against::Smaller => a.area().min(b.area()),
    };
    if whole > 0.0 { shared / whole } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounds() -> impl Strategy<Value = (Bounds, f32)> {
        (0.0_f32..50.0, 0.0_f32..50.0, 1.0_f32..30.0, 1.0_f32..30.0, 0_u8..9)
            .prop_map(|(x, y, width, height, score)| (Bounds { x, y, width, height }, f32::from(score)))
    }

    proptest! {
        #[test]
        fn what_stays_is_apart_and_what_goes_had_a_better(boxes in proptest::collection::vec(bounds(), 0..40)) {
            let kept = suppress(&boxes, 0.3, Against::Union);
            for (rank, &index) in kept.iter().enumerate() {
                prop_assert!(kept[..rank].iter().all(|&other| boxes[other].1 >= boxes[index].1));
                prop_assert!(kept[..rank].iter().all(|&other| overlap(&boxes[other].0, &boxes[index].0, Against::Union) <= 0.3));
            }
            for gone in (0..boxes.len()).filter(|index| !kept.contains(index)) {
                let for_it = |other: usize| {
                    boxes[other].1 >= boxes[gone].1 && overlap(&boxes[other].0, &boxes[gone].0, Against::Union) > 0.3
                };
                prop_assert!(kept.iter().any(|&other| for_it(other)));
            }
        }
    }

    #[test]
    fn a_box_inside_another_goes_only_against_the_smaller() {
        let outer = (Bounds::from_corners([0.0, 0.0, 10.0, 10.0]), 0.9);
        let inner = (Bounds::from_corners([4.0, 4.0, 6.0, 6.0]), 0.8);
        assert_eq!(suppress(&[outer, inner], 0.7, Against::Union), [0, 1]);
        assert_eq!(suppress(&[inner, outer], 0.7, Against::Smaller), [1]);
    }
}
