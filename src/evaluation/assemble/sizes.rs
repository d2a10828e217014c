//! Galleries of growing size: figures of each, and how well a smaller one predicts the false positives of a larger.
//!
//! One gallery's searches are in memory beside those of the whole, however many sizes there are.

use std::borrow::Cow;

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::tail::{DEPTH_MIN, Tails};
use crate::evaluation::accuracy::thresholds::{TARGETS, for_target};
use crate::evaluation::accuracy::trials::{Threshold, Trials};
use crate::evaluation::arithmetic::bootstrap::Resampling;
use crate::evaluation::assemble::{Column, Tell, tables};
use crate::evaluation::results::{GalleryResult, Prediction, PredictionRow, Rate};

/// Candidates of a search that its tail is fitted to, where lists are as long.
const TAIL_DEPTH: u32 = 50;

/// Searches of nested galleries, smallest first; the last is the whole gallery. Taken into memory one by one.
pub trait Galleries {
    /// How many there are.
    fn count(&self) -> usize;

    /// The searches of one of them.
    ///
    /// # Errors
    /// When they can't be read, or nobody waits for them any more.
    fn load(&self, place: usize) -> Result<Cow<'_, Trials>, EvaluationError>;
}

impl<const N: usize> Galleries for [Trials; N] {
    fn count(&self) -> usize {
        N
    }

    fn load(&self, place: usize) -> Result<Cow<'_, Trials>, EvaluationError> {
        self.get(place).map(Cow::Borrowed).ok_or(EvaluationError::Empty("galleries"))
    }
}

/// What was found at each size.
pub(super) struct BySize {
    pub(super) galleries: Vec<GalleryResult>,
    /// Why there is no prediction stands in its place.
    pub(super) prediction: Result<Prediction, EvaluationError>,
}

/// A gallery as far as predictions are held against it.
struct Measured {
    people: u64,
    templates: u64,
    /// FPIR at each threshold of the whole gallery.
    fpir: Vec<Rate>,
}

/// Works the figures of every size out.
pub(super) fn by_size(
    galleries: &dyn Galleries,
    whole: &Trials,
    groups: &[Column],
    resampling: Resampling,
    tell: Tell<'_>,
) -> Result<BySize, EvaluationError> {
    let count = galleries.count();
    let thresholds = thresholds(whole);
    let (mut results, mut measured, mut tails) = (Vec::with_capacity(count), Vec::with_capacity(count), None);
    for place in 0..count {
        tell("gallery sizes", place as u64, count as u64)?;
        let is_whole = place + 1 == count;
        let trials = if is_whole { Cow::Borrowed(whole) } else { galleries.load(place)? };
        let (groups, often) = if is_whole { (groups, Some(resampling)) } else { (&[][..], None) };
        let how = tables::How { seed: resampling.seed, resampling: often, groups, tell };
        results.push(tables::gallery(&trials.view(), trials.enrolled_subjects(), &how)?);
        if let Ok(thresholds) = &thresholds {
            measured.push(measure(&trials, thresholds)?);
        }
        // The prediction is from the gallery before the whole one, where there is one.
        if place + 2 == count || count == 1 {
            tails = Some(fit(&trials));
        }
    }
    let prediction = match (tails, thresholds) {
        (Some(Ok(tails)), Ok(thresholds)) => predict(&tails, &thresholds, &measured, resampling, tell),
        (_, Err(error)) | (Some(Err(error)), _) => Err(error),
        (None, _) => Err(EvaluationError::Empty("galleries")),
    };
    match prediction {
        // Whoever went away is not given the rest without a prediction.
        Err(EvaluationError::Interrupted) => Err(EvaluationError::Interrupted),
        prediction => Ok(BySize { galleries: results, prediction }),
    }
}

/// Thresholds that the whole gallery's searches choose, one for each target that they allow.
fn thresholds(whole: &Trials) -> Result<Vec<Threshold>, EvaluationError> {
    let view = whole.view();
    let chosen: Result<Vec<_>, _> = TARGETS.iter().map(|&target| Ok(for_target(&view, target)?.threshold())).collect();
    let chosen: Vec<Threshold> = chosen?.into_iter().flatten().collect();
    if chosen.is_empty() { Err(EvaluationError::Empty("thresholds that these searches support")) } else { Ok(chosen) }
}

fn measure(trials: &Trials, thresholds: &[Threshold]) -> Result<Measured, EvaluationError> {
    let view = trials.view();
    let fpir: Result<Vec<Rate>, _> = thresholds.iter().map(|&at| tables::fpir_rate(&view, at, None)).collect();
    Ok(Measured { people: trials.enrolled_subjects(), templates: trials.enrolled_templates(), fpir: fpir? })
}

/// Tails of a gallery's searches, with the people in it.
fn fit(trials: &Trials) -> Result<(u64, Tails), EvaluationError> {
    // A tail is the best few of all comparisons: a tenth at most.
    let tenth = u32::try_from(trials.enrolled_templates() / 10).unwrap_or(u32::MAX).max(DEPTH_MIN);
    let depth = TAIL_DEPTH.min(trials.list_length()).min(tenth);
    Ok((trials.enrolled_subjects(), Tails::fit(&trials.view(), depth)?))
}

/// Predicts every size at every threshold, and one ten times as large as the largest, and holds it against what was measured.
fn predict(
    (fitted_at, tails): &(u64, Tails),
    thresholds: &[Threshold],
    galleries: &[Measured],
    resampling: Resampling,
    tell: Tell<'_>,
) -> Result<Prediction, EvaluationError> {
    let whole = galleries.last().ok_or(EvaluationError::Empty("galleries"))?;
    let larger = Measured { people: 10 * whole.people, templates: 10 * whole.templates, fpir: Vec::new() };
    let sizes: Vec<&Measured> = galleries.iter().chain([&larger]).collect();
    let all = (thresholds.len() * sizes.len()) as u64 * u64::from(resampling.replicates);
    let mut rows = Vec::with_capacity(thresholds.len() * sizes.len());
    for (place, &threshold) in thresholds.iter().enumerate() {
        for size in &sizes {
            let before = rows.len() as u64 * u64::from(resampling.replicates);
            let go_on = |replicate: u64| tell("predictions", before + replicate, all);
            let predicted = tails.predict_told(threshold, size.templates, resampling, &go_on)?;
            rows.push(PredictionRow {
                people: size.people,
                threshold: f64::from(threshold.get()),
                predicted: predicted.fpir,
                interval: Some((predicted.interval.low, predicted.interval.high)),
                // Where comparisons were not all seen there is no such figure.
                binomial: predicted.binomial,
                measured: size.fpir.get(place).copied(),
            });
        }
    }
    Ok(Prediction { fitted_at: *fitted_at, shape: tails.shape().shape, rows })
}
