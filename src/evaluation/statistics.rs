//! How a model spreads real faces: the mean direction, the covariance around it, and the scores of different people.
//!
//! All of it is an aggregate over many people; no template can be read out of it. It belongs to one model and carries
//! that model's hash.

use serde::{Deserialize, Serialize};

use crate::base::ids::ModelId;
use crate::evaluation::EvaluationError;
use crate::vector::score::exact_score;
use crate::vector::template::Template;

/// Fewest people whose templates may be summed up.
pub const PEOPLE_MIN: usize = 50;

/// Statistics by model set, as `bertillon gallery statistics` wrote them.
const BUILT_IN: [(&str, &str); 1] = [("mtcnn-dlib", include_str!("../../models/statistics/mtcnn-dlib.json"))];

/// Scores between different people.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ImpostorScores {
    /// Mean cosine.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
    /// Largest seen.
    pub largest: f64,
    /// Pairs looked at.
    pub pairs: u64,
}

impl ImpostorScores {
    /// Over all pairs of `templates`, each of which shows another person.
    #[must_use]
    pub fn of(templates: &[Template]) -> Self {
        let mut scores = Vec::new();
        for (index, one) in templates.iter().enumerate() {
            scores.extend(templates[..index].iter().map(|other| f64::from(exact_score(one.values(), other.values()))));
        }
        let pairs = scores.len().max(1) as f64;
        let mean = scores.iter().sum::<f64>() / pairs;
        let variance = scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / pairs;
        let largest = scores.iter().copied().fold(-1.0, f64::max);
        Self { mean, deviation: variance.sqrt(), largest, pairs: scores.len() as u64 }
    }
}

/// A model's statistics, as kept in `models/statistics/<set>.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// The model set's name.
    pub model: String,
    /// The model's hash: statistics of one model say nothing of another.
    pub model_hash: String,
    /// Where the pictures came from, for people.
    pub source: String,
    /// How many people, one picture each.
    pub people: usize,
    /// Scores between them.
    pub impostor: ImpostorScores,
    /// Mean template, not of unit length: its squared length is about the mean impostor score.
    pub mean: Vec<f32>,
    /// Covariance around the mean, lower triangle row by row: d(d+1)/2 numbers.
    pub covariance: Vec<f32>,
}

impl Statistics {
    /// Sums up `templates`, one a person.
    ///
    /// # Errors
    /// [`EvaluationError::TooFewPeople`] below [`PEOPLE_MIN`], [`EvaluationError::Shape`] for mixed dimensions.
    pub fn measure(model: &ModelId, source: &str, templates: &[Template]) -> Result<Self, EvaluationError> {
        let people = templates.len();
        if people < PEOPLE_MIN {
            return Err(EvaluationError::TooFewPeople { found: people, wanted: PEOPLE_MIN });
        }
        let dimension = templates.first().map_or(0, |template| template.dimension().get());
        if templates.iter().any(|template| template.dimension().get() != dimension) {
            return Err(EvaluationError::Shape("templates of differing dimension".to_owned()));
        }
        let mean = mean_of(templates, dimension);
        let covariance = covariance_of(templates, &mean);
        Ok(Self {
            model: model.name.clone(),
            model_hash: model.hash_hex(),
            source: source.to_owned(),
            people,
            impostor: ImpostorScores::of(templates),
            mean: mean.iter().map(|&value| value as f32).collect(),
            covariance: covariance.iter().map(|&value| value as f32).collect(),
        })
    }

    /// The statistics that come with the program for `model`.
    ///
    /// # Errors
    /// [`EvaluationError::NoStatistics`] when there are none for it, [`EvaluationError::OtherModel`] when the set has changed
    /// since they were measured, [`EvaluationError::Shape`] when the file is damaged.
    pub fn builtin(model: &ModelId) -> Result<Self, EvaluationError> {
        let built_in = BUILT_IN.iter().find(|(name, _)| *name == model.name);
        let (_, text) = built_in.ok_or_else(|| EvaluationError::NoStatistics(model.name.clone()))?;
        let statistics: Self = serde_json::from_str(text).map_err(|error| EvaluationError::Shape(error.to_string()))?;
        statistics.check_model(model)?;
        Ok(statistics)
    }

    /// Refuses statistics of another model.
    ///
    /// # Errors
    /// [`EvaluationError::OtherModel`].
    pub fn check_model(&self, gallery: &ModelId) -> Result<(), EvaluationError> {
        if self.model_hash == gallery.hash_hex() {
            return Ok(());
        }
        let measured = format!("{} ({})", self.model, self.model_hash.get(..12).unwrap_or(&self.model_hash));
        Err(EvaluationError::OtherModel { measured, gallery: gallery.to_string() })
    }
}

fn mean_of(templates: &[Template], dimension: usize) -> Vec<f64> {
    let mut mean = vec![0.0; dimension];
    for template in templates {
        for (sum, &value) in mean.iter_mut().zip(template.values()) {
            *sum += f64::from(value) / templates.len() as f64;
        }
    }
    mean
}

fn covariance_of(templates: &[Template], mean: &[f64]) -> Vec<f64> {
    let mut triangle = vec![0.0; mean.len() * (mean.len() + 1) / 2];
    for template in templates {
        let off: Vec<f64> = template.values().iter().zip(mean).map(|(&value, mean)| f64::from(value) - mean).collect();
        let mut cells = triangle.iter_mut();
        for (row, &a) in off.iter().enumerate() {
            for (cell, &b) in cells.by_ref().take(row + 1).zip(&off) {
                *cell += a * b / (templates.len() - 1) as f64;
            }
        }
    }
    triangle
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::evaluation::random::Stream;

    /// People around a common direction, with a spread that differs from component to component.
    pub(crate) fn people(count: u64, dimension: usize) -> Vec<Template> {
        let person = |index| {
            let mut stream = Stream::new(5, index);
            let raw: Vec<f32> = (0..dimension)
                .map(|i| 0.25 * (i as f32).cos() + stream.normal() * if i % 4 == 0 { 0.2 } else { 0.05 })
                .collect();
            Template::from_raw(&raw).unwrap()
        };
        (0..count).map(person).collect()
    }

    pub(crate) fn model() -> ModelId {
        ModelId { name: "test".to_owned(), hash: [3; 32] }
    }

    #[test]
    fn impostor_mean_is_the_squared_length_of_the_mean() {
        let templates = people(200, 64);
        let statistics = Statistics::measure(&model(), "made up", &templates).unwrap();
        let squared: f64 = statistics.mean.iter().map(|&value| f64::from(value).powi(2)).sum();
        // |mean|^2 counts each template with itself as well: (n-1)/n of it is the impostor mean, 1/n is 1.
        let expected = (squared - 1.0 / 200.0) / (1.0 - 1.0 / 200.0);
        assert!((statistics.impostor.mean - expected).abs() < 1e-5);
        assert_eq!(statistics.impostor.pairs, 200 * 199 / 2);
    }

    #[test]
    fn few_people_and_other_models_are_refused() {
        assert!(matches!(
            Statistics::measure(&model(), "x", &people(49, 16)),
            Err(EvaluationError::TooFewPeople { found: 49, wanted: 50 })
        ));
        let statistics = Statistics::measure(&model(), "x", &people(50, 16)).unwrap();
        assert!(statistics.check_model(&model()).is_ok());
        let other = ModelId { name: "test".to_owned(), hash: [4; 32] };
        assert!(matches!(statistics.check_model(&other), Err(EvaluationError::OtherModel { .. })));
    }
}
