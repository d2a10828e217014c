//! Scores by group of people.

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::diagnostics::histogram;
use crate::evaluation::accuracy::trials::{Kind, Search, View};
use crate::evaluation::assemble::{Column, subjects_of};
use crate::evaluation::results::{GroupHistograms, GroupScores, Histograms};

/// Bins: half as many as those of all searches, since groups have fewer.
const BINS: usize = 40;

/// Counts of each group that has searches, over the range of all scores.
pub(super) fn by_group(view: &View, column: &Column, all: &Histograms) -> Result<GroupHistograms, EvaluationError> {
    let all_bins = all.mated.len().max(all.non_mated_best.len());
    let (from, to) = (all.from, all.from + all.width * all_bins as f64);
    let mut rows = Vec::new();
    for (number, value) in column.values.iter().enumerate() {
        // Searches that have a score: the others are failures, which table 6 counts.
        let part = view.filter(|place, search| {
            let scored = match search.kind {
                Kind::Mated => search.mate.is_some(),
                Kind::NonMated => search.top_score().is_some(),
            };
            scored && column.of_searches.get(place).copied().flatten().map(usize::from) == Some(number)
        });
        if all_bins == 0 || part.searches().next().is_none() {
            continue;
        }
        // Clamped: the last edge of all bins may be off by rounding.
        let counts = |scores: Vec<f64>| {
            let within = scores.into_iter().map(|score| score.clamp(from, to));
            histogram(within, from, to, BINS).map(|found| found.counts)
        };
        let mates = part.mated().filter_map(|search| search.mate).map(|mate| f64::from(mate.score));
        let best = part.non_mated().filter_map(Search::top_score).map(f64::from);
        rows.push(GroupScores {
            value: value.clone(),
            mated: counts(mates.collect())?,
            mated_subjects: subjects_of(&part, Kind::Mated),
            non_mated_best: counts(best.collect())?,
            non_mated_subjects: subjects_of(&part, Kind::NonMated),
        });
    }
    Ok(GroupHistograms { column: column.name.clone(), from, width: (to - from) / BINS as f64, rows })
}
