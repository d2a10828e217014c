//! Joins what the device and the host found in their parts of a gallery.
//!
//! Let `g` and `h` be the cuts of the two parts. A live row with a coarse score of at least `max(g, h)` lies in one part,
//! has at least that part's cut, and so is among that part's survivors: `max(g, h)` is a cut of the whole. And it is no
//! higher than asked: the k-th best of the whole is at least the k-th best of either part, so for `Within` every row at
//! most `slack` below it is at least `max(g, h)`; when the whole has fewer than k live rows both parts have, and both cuts
//! are minus infinity. For `AtLeast` both cuts are the given level.

use crate::vector::coarse::{Survivor, Sweep};

/// One probe's sweep of the whole from those of the two parts.
pub(super) fn merge(device: Sweep, host: Sweep) -> Sweep {
    match (device, host) {
        (Sweep::Complete { survivors: mut all, cut: g }, Sweep::Complete { survivors: more, cut: h }) => {
            let cut = g.max(h);
            all.extend(more);
            all.retain(|survivor| survivor.coarse >= cut);
            Sweep::Complete { survivors: all, cut }
        }
        (Sweep::Overflowed, Sweep::Overflowed | Sweep::Complete { .. })
        | (Sweep::Complete { .. }, Sweep::Overflowed) => Sweep::Overflowed,
    }
}

/// Gives the survivors of a sweep of some runs their run numbers in the whole gallery.
pub(super) fn renumber(sweep: Sweep, runs: &[u32]) -> Sweep {
    match sweep {
        Sweep::Overflowed => Sweep::Overflowed,
        Sweep::Complete { survivors, cut } => {
            let renumbered = survivors
                .into_iter()
                .filter_map(|survivor| runs.get(survivor.run as usize).map(|&run| Survivor { run, ..survivor }));
            Sweep::Complete { survivors: renumbered.collect(), cut }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What any honest back end may answer for `Within { k, slack }` over these scores.
    fn part(run: u32, scores: &[i8], k: usize, slack: f32) -> Sweep {
        let mut sorted: Vec<f32> = scores.iter().map(|&score| f32::from(score)).collect();
        sorted.sort_by(|a, b| b.total_cmp(a));
        let cut = sorted.get(k - 1).map_or(f32::NEG_INFINITY, |kth| kth - slack);
        let rows = scores.iter().enumerate().map(|(row, &score)| (row as u32, f32::from(score)));
        let survivors = rows.filter(|&(_, coarse)| coarse >= cut);
        Sweep::Complete { survivors: survivors.map(|(row, coarse)| Survivor { run, row, coarse }).collect(), cut }
    }

    proptest! {
        #[test]
        fn the_union_keeps_the_contract(
            a in proptest::collection::vec(-20_i8..20, 0..60), b in proptest::collection::vec(-20_i8..20, 0..60),
            k in 1_usize..40, slack in 0_u8..6,
        ) {
            let slack = f32::from(slack);
            let Sweep::Complete { survivors, cut } = merge(part(0, &a, k, slack), part(1, &b, k, slack)) else {
                return Err(TestCaseError::fail("overflowed"));
            };
            let both = [(0, &a), (1, &b)];
            let all: Vec<(u32, u32, f32)> = both.iter().flat_map(|&(run, scores)| {
                scores.iter().enumerate().map(move |(row, &score)| (run, row as u32, f32::from(score)))
            }).collect();
            let found: Vec<(u32, u32, f32)> = survivors.iter().map(|s| (s.run, s.row, s.coarse)).collect();
            for row in &all {
                prop_assert_eq!(row.2 >= cut, found.contains(row));
            }
            let mut sorted: Vec<f32> = all.iter().map(|row| row.2).collect();
            sorted.sort_by(|x, y| y.total_cmp(x));
            let asked = sorted.get(k - 1).map_or(f32::NEG_INFINITY, |kth| kth - slack);
            prop_assert!(cut <= asked, "{} {}", cut, asked);
        }
    }

    #[test]
    fn an_overflow_on_either_side_is_an_overflow() {
        let complete = || part(0, &[1, 2], 1, 0.0);
        assert_eq!(merge(complete(), Sweep::Overflowed), Sweep::Overflowed);
        assert_eq!(merge(Sweep::Overflowed, complete()), Sweep::Overflowed);
    }

    #[test]
    fn runs_get_their_numbers_back() {
        let Sweep::Complete { survivors, .. } = renumber(part(1, &[5], 1, 0.0), &[3, 7]) else { panic!("overflowed") };
        assert_eq!(survivors, [Survivor { run: 7, row: 0, coarse: 5.0 }]);
    }
}
