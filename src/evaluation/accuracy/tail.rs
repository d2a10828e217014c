//! FPIR at gallery sizes that were not measured: a model-based prediction, to be labelled so.
//!
//! Of each non-mated search the k best scores are its tail. Probes differ more in the width of their tails than in shape, so each
//! probe keeps a scale of its own, and all share one generalised Pareto shape: excesses over the k-th score are divided by their
//! mean for that probe, pooled, and fitted by maximum likelihood. The probability that one more comparison of probe p reaches T is
//! then P_p(T) = k/(N+1) times the tail's survival at T, and
//!
//! FPIR(N', T) = mean over probes of 1 - exp(-N' P_p(T)).
//!
//! Beside it stands the binomial reckoning 1 - (1 - f)^N' from the pooled share f of comparisons at or above T, which takes all
//! comparisons for independent and of one kind, and its value at the one-sided 95 % upper bound of f: an upper bound by
//! experience, not by proof. ISO/IEC 5152 excludes such predictions for identification; [`Tails::validate`] says how far off they
//! are on galleries that were measured. (Tried on a simulated crowd with groups and mixed quality, 2,000 probes, from 5,000 to
//! 50,000 templates, tails of 50: 0.83 to 1.14 of the measured FPIR from 0.3 down to 0.003; the binomial figure 1.8 to 0.5 of it.)

use serde::Serialize;

use super::rates::fpir;
use super::trials::{Threshold, View};
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::bootstrap::{Resampling, between};
use crate::evaluation::arithmetic::intervals::{Coverage, Interval, Proportion, clopper_pearson, upper_bound};
use crate::evaluation::arithmetic::pareto::{Pareto, Terms};
use crate::evaluation::random::Stream;

/// Fewest scores of a tail.
pub const DEPTH_MIN: u32 = 5;
/// Fewest probe subjects.
pub const SUBJECTS_MIN: usize = 20;

/// One search's tail.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Tail {
    /// Its k-th best score.
    level: f64,
    /// Mean excess of the better ones; 0 when all are equal.
    width: f64,
}

/// What a subject's searches add to a replicate.
#[derive(Debug, Clone)]
struct Subject {
    tails: Vec<Tail>,
    /// Searches in all, those without a template included.
    searches: f64,
    /// Slope and curvature of the likelihood of their excesses at the fitted shape.
    terms: Terms,
}

/// Tails of non-mated searches of one gallery, with their common shape.
#[derive(Debug, Clone)]
pub struct Tails {
    gallery: u64,
    depth: u32,
    /// Of excesses in units of each probe's mean.
    shape: Pareto,
    subjects: Vec<Subject>,
    /// Scores of all lists at or above their k-th, descending, for the pooled share.
    pooled: Vec<f64>,
    highest_level: f64,
}

/// A prediction, and what to hold against it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prediction {
    /// Templates in the gallery that is predicted for.
    pub gallery: u64,
    /// Templates in the gallery that was measured.
    pub measured_gallery: u64,
    /// Threshold.
    pub threshold: Threshold,
    /// Model-based prediction of FPIR.
    pub fpir: f64,
    /// Bootstrap interval of it over probe subjects, the shape fitted anew by one Newton step a replicate. It holds the sampling of
    /// probes, not what the model gets wrong.
    pub interval: Interval,
    /// Replicates whose shape could not be fitted, left out.
    pub undefined: u32,
    /// Binomial figure; `None` where some list ends above the threshold, so that comparisons were not all seen.
    pub binomial: Option<f64>,
    /// The same at the upper bound of the share of comparisons.
    pub binomial_upper: Option<f64>,
    /// Comparisons seen at or above the threshold: with few of them the binomial figure says little.
    pub comparisons: u64,
}

/// A prediction against what was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Validation {
    /// The prediction from the smaller gallery.
    pub prediction: Prediction,
    /// FPIR counted at the larger.
    pub measured: Proportion,
    /// 95 % interval of the count (searches taken as independent).
    pub measured_interval: Interval,
    /// Predicted over measured; `None` where nothing was measured.
    pub ratio: Option<f64>,
    /// Binomial over measured.
    pub binomial_ratio: Option<f64>,
}

fn check_gallery(gallery: u64) -> Result<(), EvaluationError> {
    if gallery == 0 { Err(EvaluationError::Empty("templates in the gallery to predict for")) } else { Ok(()) }
}

impl Tails {
    /// Fits the tails of the `depth` best scores of each non-mated search.
    ///
    /// # Errors
    /// [`EvaluationError::Figure`] for a depth below [`DEPTH_MIN`], [`EvaluationError::RankBeyondList`] for one above the list
    /// length, [`EvaluationError::Search`] for a list that is shorter, [`EvaluationError::Empty`] for fewer than
    /// [`SUBJECTS_MIN`] subjects, and those of [`Pareto::fit`].
    pub fn fit(view: &View, depth: u32) -> Result<Self, EvaluationError> {
        let list_length = view.trials().list_length();
        if depth < DEPTH_MIN {
            return Err(EvaluationError::Figure {
                what: "a tail's depth",
                found: f64::from(depth),
                wanted: "5 or more",
            });
        }
        if depth > list_length {
            return Err(EvaluationError::RankBeyondList { rank: depth, list_length });
        }
        let mut all = std::collections::BTreeMap::new();
        let mut pooled = Vec::new();
        let mut highest_level = f64::NEG_INFINITY;
        for (index, search) in view.searches().filter(|(_, search)| search.kind == super::trials::Kind::NonMated) {
            let (tails, searches) = all.entry(search.subject).or_insert_with(|| (Vec::new(), 0.0));
            *searches += 1.0;
            if !search.extracted {
                continue;
            }
            let best = search.candidates.get(..depth as usize).ok_or(EvaluationError::Search {
                index,
                probe: search.probe,
                what: "its list is shorter than the tail that is fitted: search again without a threshold",
            })?;
            let scores: Vec<f64> = best.iter().map(|candidate| f64::from(candidate.score)).collect();
            let level = scores.last().copied().unwrap_or(0.0);
            let width = scores.iter().map(|score| score - level).sum::<f64>() / f64::from(depth - 1);
            highest_level = highest_level.max(level);
            tails.push((Tail { level, width }, scores.clone()));
            pooled.extend(scores);
        }
        if all.len() < SUBJECTS_MIN {
            return Err(EvaluationError::Empty("twenty non-mated subjects to predict from"));
        }
        pooled.sort_unstable_by(|a, b| b.total_cmp(a));
        let all: Vec<_> = all.into_values().collect();
        let scaled: Vec<f64> = all.iter().flat_map(|(tails, _)| tails).flat_map(excesses).collect();
        let shape = Pareto::fit(&scaled)?;
        let subjects = all.into_iter().map(|(tails, searches)| {
            let mut terms = Terms::default();
            tails.iter().flat_map(excesses).for_each(|excess| terms.add(&shape.terms(excess)));
            Subject { tails: tails.into_iter().map(|(tail, _)| tail).collect(), searches, terms }
        });
        let (gallery, subjects) = (view.trials().enrolled_templates(), subjects.collect());
        Ok(Self { gallery, depth, shape, subjects, pooled, highest_level })
    }

    /// The common shape, of excesses in units of each probe's mean.
    #[must_use]
    pub fn shape(&self) -> Pareto {
        self.shape
    }

    /// Mean over a subject's searches times their number.
    fn expected(&self, subject: &Subject, shape: Pareto, threshold: f64, gallery: f64) -> f64 {
        let at_level = f64::from(self.depth) / (self.gallery as f64 + 1.0);
        let returns = |tail: &Tail| {
            let survival = if threshold <= tail.level {
                1.0
            } else if tail.width > 0.0 {
                shape.survival((threshold - tail.level) / tail.width)
            } else {
                0.0
            };
            -(-gallery * at_level * survival).exp_m1()
        };
        subject.tails.iter().map(returns).sum()
    }

    fn mean(&self, threshold: f64, gallery: f64) -> f64 {
        let expected = |subject| self.expected(subject, self.shape, threshold, gallery);
        let searches: f64 = self.subjects.iter().map(|subject| subject.searches).sum();
        self.subjects.iter().map(expected).sum::<f64>() / searches
    }

    /// One replicate: subjects drawn anew, one Newton step from the fitted shape to theirs.
    fn replicate(&self, threshold: f64, gallery: f64, seed: u64, index: u64) -> Option<f64> {
        let mut stream = Stream::new(seed, index);
        let count = self.subjects.len();
        let mut drawn = vec![0_u32; count];
        for _ in 0..count {
            let at = ((u128::from(stream.bits()) * count as u128) >> 64) as usize;
            *drawn.get_mut(at)? += 1;
        }
        let mut terms = Terms::default();
        for (subject, &times) in self.subjects.iter().zip(&drawn) {
            (0..times).for_each(|_| terms.add(&subject.terms));
        }
        let [shape, scale] = terms.step()?;
        let shape = Pareto { shape: self.shape.shape + shape, scale: self.shape.scale * scale.exp() };
        let (mut sum, mut searches) = (0.0, 0.0);
        for (subject, &times) in self.subjects.iter().zip(&drawn).filter(|(_, times)| **times > 0) {
            sum += f64::from(times) * self.expected(subject, shape, threshold, gallery);
            searches += f64::from(times) * subject.searches;
        }
        Some(sum / searches)
    }

    /// Predicts FPIR at `threshold` in a gallery of so many templates.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] for a gallery of none, [`EvaluationError::Figure`] for an infinite threshold or a number of
    /// replicates that is none, [`EvaluationError::NotSettled`] when no replicate could be fitted.
    pub fn predict(
        &self,
        threshold: Threshold,
        gallery: u64,
        resampling: Resampling,
    ) -> Result<Prediction, EvaluationError> {
        self.predict_told(threshold, gallery, resampling, &|_| Ok(()))
    }

    /// The same for whoever is told each replicate, and may end it: with a hundred thousand searches one takes milliseconds.
    ///
    /// # Errors
    /// Those of [`Tails::predict`] and of `tell`.
    pub fn predict_told(
        &self,
        threshold: Threshold,
        gallery: u64,
        resampling: Resampling,
        tell: &dyn Fn(u64) -> Result<(), EvaluationError>,
    ) -> Result<Prediction, EvaluationError> {
        check_gallery(gallery)?;
        resampling.check()?;
        let at = crate::evaluation::arithmetic::finite("the threshold", f64::from(threshold.get()))?;
        let size = gallery as f64;
        let mut values = Vec::with_capacity(resampling.replicates as usize);
        for index in 0..u64::from(resampling.replicates) {
            tell(index)?;
            values.extend(self.replicate(at, size, resampling.seed, index));
        }
        let undefined = resampling.replicates - values.len() as u32;
        let unsettled = EvaluationError::NotSettled("the resampled tail");
        let interval = between(&mut values, resampling.coverage).ok_or(unsettled)?;
        let comparisons = self.pooled.partition_point(|&score| score >= at) as u64;
        let searches = (self.pooled.len() / self.depth as usize) as u64;
        let share = Proportion::new(comparisons, searches.saturating_mul(self.gallery))?;
        let seen = at > self.highest_level;
        // ln1p and expm1: shares are of the order of 1e-10.
        let of = |share: f64| seen.then(|| -(size * (-share).ln_1p()).exp_m1() * self.extracted());
        let (binomial, binomial_upper) = (of(share.rate()), of(upper_bound(share, Coverage::USUAL)));
        let (fpir, measured_gallery) = (self.mean(at, size), self.gallery);
        Ok(Prediction {
            gallery,
            measured_gallery,
            threshold,
            fpir,
            interval,
            undefined,
            binomial,
            binomial_upper,
            comparisons,
        })
    }

    /// Share of the searches whose probe gave a template.
    fn extracted(&self) -> f64 {
        let tails: usize = self.subjects.iter().map(|subject| subject.tails.len()).sum();
        tails as f64 / self.subjects.iter().map(|subject| subject.searches).sum::<f64>()
    }

    /// The threshold whose predicted FPIR in a gallery of so many templates is `target`; `None` where the model cannot reach it
    /// with a finite score.
    ///
    /// # Errors
    /// [`EvaluationError::Empty`] for a gallery of none, [`EvaluationError::Figure`] for a target that is no rate.
    pub fn threshold_for(&self, target: f64, gallery: u64) -> Result<Option<f64>, EvaluationError> {
        check_gallery(gallery)?;
        if !(target > 0.0 && target < 1.0) {
            let wanted = "between 0 and 1, exclusive";
            return Err(EvaluationError::Figure { what: "a target FPIR", found: target, wanted });
        }
        let size = gallery as f64;
        let widest = self.subjects.iter().flat_map(|subject| &subject.tails).map(|tail| tail.width).fold(0.0, f64::max);
        let (mut low, mut reach) = (self.highest_level - 1.0, widest.max(1e-9));
        while self.mean(low, size) < target {
            if low < self.highest_level - 1e6 {
                return Ok(None);
            }
            low -= 10.0 * (self.highest_level - low);
        }
        while self.mean(self.highest_level + reach, size) > target {
            if reach > 1e9 {
                return Ok(None);
            }
            reach *= 2.0;
        }
        let mut high = self.highest_level + reach;
        for _ in 0..200 {
            let middle = f64::midpoint(low, high);
            if middle == low || middle == high {
                break;
            }
            if self.mean(middle, size) > target {
                low = middle;
            } else {
                high = middle;
            }
        }
        Ok(Some(high))
    }

    /// Predicts the FPIR of a larger, nested gallery that was measured too, and compares.
    ///
    /// # Errors
    /// Those of [`Tails::predict`] and [`fpir`]; [`EvaluationError::NotPaired`] unless `larger` is larger.
    pub fn validate(
        &self,
        larger: &View,
        threshold: Threshold,
        resampling: Resampling,
    ) -> Result<Validation, EvaluationError> {
        let gallery = larger.trials().enrolled_templates();
        if gallery <= self.gallery {
            let smaller = self.gallery;
            return Err(EvaluationError::NotPaired(format!("a prediction from {smaller} templates for {gallery}")));
        }
        let prediction = self.predict(threshold, gallery, resampling)?;
        let measured = fpir(larger, threshold)?;
        let over = |predicted: f64| (measured.events() > 0).then(|| predicted / measured.rate());
        Ok(Validation {
            prediction,
            measured,
            measured_interval: clopper_pearson(measured, Coverage::USUAL),
            ratio: over(prediction.fpir),
            binomial_ratio: prediction.binomial.and_then(over),
        })
    }
}

/// Excesses of a tail in units of their mean, the k-th score's own left out.
fn excesses((tail, scores): &(Tail, Vec<f64>)) -> impl Iterator<Item = f64> {
    let usable = if tail.width > 0.0 { scores.len().saturating_sub(1) } else { 0 };
    scores.iter().take(usable).map(|score| (score - tail.level) / tail.width)
}

#[cfg(test)]
mod tests;
