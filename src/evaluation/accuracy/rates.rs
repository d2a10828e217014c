//! Error rates of identification (NIST FRTE 1:N; ISO/IEC 19795-1).
//!
//! * FNIR(N, R, T): share of mated searches whose mate is not both within rank R and at or above T. Failures to extract or to
//!   enrol are misses. TPIR = 1 - FNIR.
//! * FPIR(N, T): share of non-mated searches with any candidate at or above T. A failure to extract gives no candidate.
//! * Selectivity SEL(N, T): candidates at or above T in a mean non-mated search.
//! * CMC: TPIR(N, R, no threshold) by R. DET: FNIR against FPIR by T.

use serde::Serialize;

use super::trials::{Rank, Search, Threshold, View};
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::bootstrap::{self, Resampled, Resampling};
use crate::evaluation::arithmetic::intervals::Proportion;

/// FNIR(N, R, T).
///
/// # Errors
/// [`EvaluationError::Empty`] without mated searches, [`EvaluationError::RankBeyondList`].
pub fn fnir(view: &View, rank: Rank, threshold: Threshold) -> Result<Proportion, EvaluationError> {
    view.check_rank(rank)?;
    Proportion::count(view.mated(), |search| !search.hit(rank, threshold))
}

/// FPIR(N, T).
///
/// # Errors
/// [`EvaluationError::Empty`] without non-mated searches.
pub fn fpir(view: &View, threshold: Threshold) -> Result<Proportion, EvaluationError> {
    Proportion::count(view.non_mated(), |search| search.returns(threshold))
}

/// FNIR with a bootstrap interval over probe subjects.
///
/// # Errors
/// Those of [`fnir`], and [`EvaluationError::ZeroCount`] where nothing or everything was missed.
pub fn fnir_resampled(
    view: &View,
    rank: Rank,
    threshold: Threshold,
    resampling: Resampling,
) -> Result<Resampled, EvaluationError> {
    fnir(view, rank, threshold)?;
    resampled(&view.filter(|_, search| is_mated(search)), |search| !search.hit(rank, threshold), resampling)
}

/// FPIR with a bootstrap interval over probe subjects. What a gallery subject that attracts many probes adds to the
/// uncertainty is not in it.
///
/// # Errors
/// Those of [`fpir`], and [`EvaluationError::ZeroCount`] where no search or every search returned a candidate.
pub fn fpir_resampled(view: &View, threshold: Threshold, resampling: Resampling) -> Result<Resampled, EvaluationError> {
    fpir(view, threshold)?;
    resampled(&view.filter(|_, search| !is_mated(search)), |search| search.returns(threshold), resampling)
}

fn is_mated(search: &Search) -> bool {
    search.kind == super::trials::Kind::Mated
}

fn resampled(
    view: &View,
    event: impl Fn(&Search) -> bool,
    resampling: Resampling,
) -> Result<Resampled, EvaluationError> {
    let subjects = view.by_subject(|_, search| Some([f64::from(u8::from(event(search))), 1.0]));
    let sums: Vec<[f64; 2]> = subjects.into_values().collect();
    bootstrap::rate(&sums, resampling)
}

/// Selectivity, and whether lists were long enough to see it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Selectivity {
    /// Candidates at or above the threshold, over all non-mated searches.
    pub candidates: u64,
    /// Non-mated searches.
    pub searches: u64,
    /// Searches all of whose list is at or above the threshold: there may be more beyond, and the mean is a lower bound.
    pub cut_lists: u64,
}

impl Selectivity {
    /// Candidates a search.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.candidates as f64 / self.searches as f64
    }
}

/// Whether a list ends at its length though all of it is at or above the threshold and the gallery has more.
#[must_use]
pub fn is_cut(view: &View, search: &Search, threshold: Threshold) -> bool {
    let length = u64::from(view.trials().list_length());
    length < view.trials().enrolled_templates() && search.returned(threshold) as u64 >= length
}

/// SEL(N, T).
///
/// # Errors
/// [`EvaluationError::Empty`] without non-mated searches.
pub fn selectivity(view: &View, threshold: Threshold) -> Result<Selectivity, EvaluationError> {
    let mut found = Selectivity { candidates: 0, searches: 0, cut_lists: 0 };
    for search in view.non_mated() {
        found.searches += 1;
        found.candidates += search.returned(threshold) as u64;
        found.cut_lists += u64::from(is_cut(view, search, threshold));
    }
    if found.searches == 0 { Err(EvaluationError::Empty("non-mated searches")) } else { Ok(found) }
}

/// What failed before any comparison; FNIR and FPIR have these in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Failures {
    /// Mated searches.
    pub mated: u64,
    /// Mated searches whose probe gave no template (failure to extract).
    pub mated_not_extracted: u64,
    /// Mated searches whose mate could not be enrolled (failure to enrol), whether or not the probe gave a template.
    pub mate_not_enrolled: u64,
    /// Non-mated searches.
    pub non_mated: u64,
    /// Non-mated searches whose probe gave no template.
    pub non_mated_not_extracted: u64,
}

/// Counts failures.
#[must_use]
pub fn failures(view: &View) -> Failures {
    let (mut mated, mut mated_not_extracted, mut mate_not_enrolled) = (0, 0, 0);
    for search in view.mated() {
        mated += 1;
        mated_not_extracted += u64::from(!search.extracted);
        mate_not_enrolled += u64::from(search.mate_enrolled_failed);
    }
    let (mut non_mated, mut non_mated_not_extracted) = (0, 0);
    for search in view.non_mated() {
        non_mated += 1;
        non_mated_not_extracted += u64::from(!search.extracted);
    }
    Failures { mated, mated_not_extracted, mate_not_enrolled, non_mated, non_mated_not_extracted }
}

/// CMC: TPIR by rank, element r-1 for rank r, to the end of the lists.
///
/// # Errors
/// [`EvaluationError::Empty`] without mated searches.
pub fn cmc(view: &View) -> Result<Vec<Proportion>, EvaluationError> {
    let mut at_rank = vec![0_u64; view.trials().list_length() as usize];
    let mut searches = 0;
    for search in view.mated() {
        searches += 1;
        let place = search.mate.and_then(|mate| mate.rank).and_then(|rank| at_rank.get_mut(rank as usize - 1));
        if let Some(count) = place {
            *count += 1;
        }
    }
    let mut found = 0;
    let so_far = at_rank.iter().map(|count| {
        found += count;
        Proportion::new(found, searches)
    });
    so_far.collect()
}

/// A point of a DET curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DetPoint {
    /// Threshold; what is at or above it counts.
    pub threshold: f32,
    /// FNIR there.
    pub fnir: Proportion,
    /// FPIR there.
    pub fpir: Proportion,
}

/// DET curve: FNIR and FPIR at every score at which one of them changes, highest threshold first. These are the top scores of
/// non-mated searches and the mates' scores; between two of them both rates stay as they are at the upper.
///
/// # Errors
/// [`EvaluationError::Empty`] without mated or without non-mated searches, [`EvaluationError::RankBeyondList`].
pub fn det(view: &View, rank: Rank) -> Result<Vec<DetPoint>, EvaluationError> {
    view.check_rank(rank)?;
    let descending = |mut scores: Vec<f32>| {
        scores.sort_unstable_by(|a, b| b.total_cmp(a));
        scores
    };
    let found = view.mated().filter(|search| search.hit(rank, Threshold::NONE));
    let mates = descending(found.filter_map(|search| search.mate.map(|mate| mate.score)).collect());
    let tops = descending(view.non_mated().filter_map(Search::top_score).collect());
    let (mated, non_mated) = (view.mated().count() as u64, view.non_mated().count() as u64);
    let mut thresholds = descending(mates.iter().chain(&tops).copied().collect());
    // 0.0 and -0.0 are one threshold.
    thresholds.dedup_by(|a, b| a == b);
    let reached = |scores: &[f32], threshold: f32| scores.partition_point(|&score| score >= threshold) as u64;
    let points = thresholds.into_iter().map(|threshold| {
        let fnir = Proportion::new(mated - reached(&mates, threshold), mated)?;
        Ok(DetPoint { threshold, fnir, fpir: Proportion::new(reached(&tops, threshold), non_mated)? })
    });
    let points: Vec<DetPoint> = points.collect::<Result<_, EvaluationError>>()?;
    // Without any score there is no threshold to refuse the empty sets by.
    Proportion::new(0, mated)?;
    Proportion::new(0, non_mated)?;
    Ok(points)
}

/// At most about `most` points for a drawing on a logarithmic FPIR axis: of each run of points within 1/`most` of the axis
/// the first and the last stay.
#[must_use]
pub fn thinned(points: &[DetPoint], most: usize) -> Vec<DetPoint> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let axis = |point: &DetPoint| (point.fpir.events().max(1) as f64).ln();
    let across = |point: &DetPoint| point.fnir.rate();
    let (width, height) = (axis(last) - axis(first), across(first) - across(last));
    let cells = (most.max(4) / 4) as f64;
    let share = |value: f64, whole: f64| if whole > 0.0 { (value / whole * cells) as u64 } else { 0 };
    let cell =
        |point: &DetPoint| (share(axis(point) - axis(first), width), share(across(first) - across(point), height));
    let keep = |index: usize| {
        let neighbour = |other: Option<&DetPoint>| other.is_none_or(|other| cell(other) != cell(&points[index]));
        neighbour(index.checked_sub(1).and_then(|before| points.get(before))) || neighbour(points.get(index + 1))
    };
    (0..points.len()).filter(|&index| keep(index)).map(|index| points[index]).collect()
}

#[cfg(test)]
mod tests;
