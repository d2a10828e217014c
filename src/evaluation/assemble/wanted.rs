//! How many searches a rate wants, and lists that end before their threshold.

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::rates::is_cut;
use crate::evaluation::accuracy::thresholds::searches_needed;
use crate::evaluation::accuracy::trials::{Threshold, View};
use crate::evaluation::arithmetic::intervals::{rule_of_thirty, rule_of_three};
use crate::evaluation::results::{CutLists, SearchesNeeded};

/// Searches that a target wants.
pub(super) fn needed(target: f64) -> Result<SearchesNeeded, EvaluationError> {
    Ok(SearchesNeeded {
        without_errors: rule_of_three(target)?,
        for_thirty: rule_of_thirty(target)?,
        for_a_threshold: searches_needed(target),
    })
}

/// Lists that were full of candidates above the threshold.
pub(super) fn cut_lists(view: &View, threshold: Threshold) -> CutLists {
    CutLists {
        mated: view.mated().filter(|search| is_cut(view, search, threshold)).count() as u64,
        non_mated: view.non_mated().filter(|search| is_cut(view, search, threshold)).count() as u64,
        length: view.trials().list_length(),
    }
}
