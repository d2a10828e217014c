//! The order of candidates, and the best k of many.

use std::cmp::Ordering;

use crate::base::ids::TemplateId;

/// A template and its comparison score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scored {
    /// Comparison score: cosine, from -1 to 1.
    pub score: f32,
    /// Whose.
    pub id: TemplateId,
}

/// Score descending, then template id ascending: a total order, so a candidate list has one right answer.
#[must_use]
pub fn rank_order(a: &Scored, b: &Scored) -> Ordering {
    b.score.total_cmp(&a.score).then(a.id.cmp(&b.id))
}

/// Keeps the best `k` of whatever is offered, in memory for about `2k`.
#[derive(Debug, Clone)]
pub struct TopK {
    k: usize,
    kept: Vec<Scored>,
    worst: Option<Scored>,
}

impl TopK {
    /// An empty list that will hold at most `k`.
    #[must_use]
    pub fn new(k: usize) -> Self {
        Self { k, kept: Vec::new(), worst: None }
    }

    /// Takes `candidate` if it is among the best `k` so far. The order of offers does not matter.
    pub fn offer(&mut self, candidate: Scored) {
        let too_late = self.worst.is_some_and(|worst| rank_order(&candidate, &worst) == Ordering::Greater);
        if self.k == 0 || too_late {
            return;
        }
        self.kept.push(candidate);
        if self.kept.len() >= 2 * self.k {
            self.shrink();
        }
    }

    /// The best `k`, in rank order.
    #[must_use]
    pub fn into_sorted(mut self) -> Vec<Scored> {
        self.kept.sort_unstable_by(rank_order);
        self.kept.truncate(self.k);
        self.kept
    }

    fn shrink(&mut self) {
        self.kept.select_nth_unstable_by(self.k - 1, rank_order);
        self.kept.truncate(self.k);
        self.worst = self.kept.last().copied();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_sorting_everything(scores in proptest::collection::vec(-3_i8..3, 0..200), k in 0_usize..30) {
            let all: Vec<Scored> = scores.iter().enumerate()
                .map(|(id, &score)| Scored { score: f32::from(score), id: TemplateId(id as u64 * 7 % 211) }).collect();
            let mut top = TopK::new(k);
            for &candidate in &all {
                top.offer(candidate);
            }
            let mut sorted = all;
            sorted.sort_by(rank_order);
            sorted.truncate(k);
            prop_assert_eq!(top.into_sorted(), sorted);
        }
    }
}
