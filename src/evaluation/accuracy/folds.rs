//! People dealt into folds, so that what is fitted on some can be held against others.
//!
//! A person is in one fold with everything that they were searched for with. A pair of two people is in that of the person searched
//! for: the one enrolled may stand in pairs of other folds, as somebody else's stranger.

use std::collections::HashMap;

use crate::evaluation::random::Stream;

/// How many folds there are.
pub const FOLDS: u8 = 5;
/// Keeps these draws apart from others of the same seed.
const DEALING: u64 = 0x0F01_D5F0_1D5F_01D5;

/// Everybody's fold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folds(HashMap<u32, u8>);

impl Folds {
    /// Deals people out in an order drawn by `seed`, those with a mated comparison first, so that each fold has about as many of
    /// either. `people` gives the person of each search, and whether it has a mated comparison; in any order, any number of times.
    #[must_use]
    pub fn deal(people: impl Iterator<Item = (u32, bool)>, seed: u64) -> Self {
        let mut compared: HashMap<u32, bool> = HashMap::new();
        for (subject, mated) in people {
            *compared.entry(subject).or_default() |= mated;
        }
        let drawn = |subject: u32| Stream::new(seed ^ DEALING, u64::from(subject)).bits();
        let mut order: Vec<(bool, u64, u32)> =
            compared.into_iter().map(|(subject, mated)| (!mated, drawn(subject), subject)).collect();
        order.sort_unstable();
        Self(order.into_iter().zip((0..FOLDS).cycle()).map(|((_, _, subject), fold)| (subject, fold)).collect())
    }

    /// The fold of a person, from 0; `None` for somebody who was not searched for.
    #[must_use]
    pub fn of(&self, subject: u32) -> Option<u8> {
        self.0.get(&subject).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn folds_are_even_and_do_not_hang_on_the_order(mut searches in prop::collection::vec((0_u32..60, any::<bool>()), 0..200), seed in any::<u64>()) {
            let folds = Folds::deal(searches.iter().copied(), seed);
            let mated: std::collections::BTreeSet<u32> = searches.iter().filter(|one| one.1).map(|one| one.0).collect();
            let all: std::collections::BTreeSet<u32> = searches.iter().map(|one| one.0).collect();
            for people in [&mated, &all] {
                let in_fold = |fold| people.iter().filter(|person| folds.of(**person) == Some(fold)).count();
                let sizes: Vec<usize> = (0..FOLDS).map(in_fold).collect();
                prop_assert_eq!(sizes.iter().sum::<usize>(), people.len(), "everybody is in one");
                prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{:?}", sizes);
            }
            searches.reverse();
            searches.extend_from_within(..searches.len() / 2);
            prop_assert_eq!(Folds::deal(searches.into_iter(), seed), folds);
        }
    }

    #[test]
    fn another_seed_deals_otherwise() {
        let people = || (0..100).map(|person| (person, person % 2 == 0));
        assert_ne!(Folds::deal(people(), 1), Folds::deal(people(), 2));
        assert_eq!(Folds::deal(people(), 1).of(100), None);
    }
}
