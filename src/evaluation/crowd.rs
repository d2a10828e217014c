//! A crowd of synthetic templates with a model's own statistics, to search against when no real gallery is at hand.
//!
//! Member `n` is drawn around the model's mean direction with the model's covariance, from a counter-based generator: any
//! member can be made alone, with the same bits on every machine. Isotropic noise would be no crowd: real faces share a
//! direction and vary mostly along some, which is why strangers score as high as they do. The covariance of few people
//! is blurred towards the isotropic one just so far that two members score, in mean and spread, as two strangers did.

use crate::evaluation::EvaluationError;
use crate::evaluation::random::Stream;
use crate::evaluation::statistics::{ImpostorScores, Statistics};
use crate::vector::template::Template;

/// Members whose scores are looked at while the blur is sought: 79,800 pairs.
const CALIBRATION_MEMBERS: u64 = 400;
/// Seed of those members, apart from any crowd's own.
const CALIBRATION_SEED: u64 = 0x000C_A11B;
/// How finely the blur is sought.
const BLUR_STEP: f64 = 1.0 / 512.0;

/// A source of synthetic templates.
#[derive(Debug, Clone)]
pub struct Crowd {
    seed: u64,
    /// Unit vector along the mean template.
    direction: Vec<f32>,
    mean_length: f64,
    /// Lower-triangular factor, row by row, rows of full length.
    factor: Vec<f32>,
    blur: f64,
}

impl Crowd {
    /// Prepares the crowd that `statistics` describes.
    ///
    /// # Errors
    /// [`EvaluationError::Shape`] or [`EvaluationError::NotPositive`] for statistics that were damaged.
    pub fn new(statistics: &Statistics, seed: u64) -> Result<Self, EvaluationError> {
        let dimension = statistics.mean.len();
        if dimension < 2 || statistics.covariance.len() != dimension * (dimension + 1) / 2 {
            let cells = statistics.covariance.len();
            return Err(EvaluationError::Shape(format!("{dimension} means and {cells} covariances")));
        }
        let sampled = square(&statistics.covariance, dimension);
        // Never quite zero: the covariance of fewer people than dimensions has directions without any spread.
        let (mut low, mut high) = (1e-3, 1.0);
        while high - low > BLUR_STEP {
            let middle = f64::midpoint(low, high);
            let trial = Self::with_blur(&statistics.mean, &sampled, middle, CALIBRATION_SEED)?;
            if trial.impostor_scores()?.deviation > statistics.impostor.deviation {
                low = middle;
            } else {
                high = middle;
            }
        }
        Self::with_blur(&statistics.mean, &sampled, low, seed)
    }

    fn with_blur(mean: &[f32], sampled: &[f64], blur: f64, seed: u64) -> Result<Self, EvaluationError> {
        let squares: f64 = mean.iter().map(|&value| f64::from(value).powi(2)).sum();
        let mean_length = squares.sqrt().max(f64::MIN_POSITIVE);
        let direction: Vec<f64> = mean.iter().map(|&value| f64::from(value) / mean_length).collect();
        let factor = cholesky(&blurred(sampled, &direction, blur), mean.len())?;
        let narrow = |wide: &[f64]| wide.iter().map(|&value| value as f32).collect();
        Ok(Self { seed, direction: narrow(&direction), mean_length, factor: narrow(&factor), blur })
    }

    /// Scores between members of this crowd: what searches will meet, to be held against real people's.
    ///
    /// # Errors
    /// [`EvaluationError::Shape`] when a member is no template, which statistics of real faces do not lead to.
    pub fn impostor_scores(&self) -> Result<ImpostorScores, EvaluationError> {
        let member = |index| {
            let mut values = vec![0.0; self.dimension()];
            self.member(index, &mut values);
            Template::from_unit(values).map_err(|error| EvaluationError::Shape(error.to_string()))
        };
        let members: Vec<Template> = (0..CALIBRATION_MEMBERS).map(member).collect::<Result<_, _>>()?;
        Ok(ImpostorScores::of(&members))
    }

    /// Components of a member.
    #[must_use]
    pub fn dimension(&self) -> usize {
        self.direction.len()
    }

    /// How much of the covariance is the isotropic one, from 0 to 1.
    #[must_use]
    pub fn blur(&self) -> f64 {
        self.blur
    }

    /// Writes member `index` into `out`, a unit vector of [`dimension`](Self::dimension) components.
    pub fn member(&self, index: u64, out: &mut [f32]) {
        let mut stream = Stream::new(self.seed, index);
        let normals: Vec<f32> = (0..self.direction.len()).map(|_| stream.normal()).collect();
        let rows = self.factor.chunks_exact(self.direction.len());
        for (row, (value, factors)) in out.iter_mut().zip(rows).enumerate() {
            *value = ordered_dot(&factors[..=row], &normals[..=row]);
        }
        self.onto_sphere(out);
    }

    /// Turns a draw `r` around the mean into a unit vector. What `r` says along the mean direction is kept as it is (how
    /// typical a face is decides its scores with strangers), and the rest is scaled to fill up the length. Scaling the
    /// whole vector would crush the spread along the mean.
    fn onto_sphere(&self, r: &mut [f32]) {
        let along: f64 = r.iter().zip(&self.direction).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
        let squares: f64 = r.iter().map(|&value| f64::from(value).powi(2)).sum();
        let across = (squares - along * along).max(f64::MIN_POSITIVE).sqrt();
        let cosine = (self.mean_length + along).clamp(-0.999, 0.999);
        let scale = (1.0 - cosine * cosine).sqrt() / across;
        for (value, &direction) in r.iter_mut().zip(&self.direction) {
            let direction = f64::from(direction);
            *value = (cosine * direction + scale * (f64::from(*value) - along * direction)) as f32;
        }
    }
}

/// Dot product in eight running sums: fast, and in the same order everywhere.
fn ordered_dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0_f32; 8];
    let (a_body, a_rest) = a.as_chunks::<8>();
    let (b_body, b_rest) = b.as_chunks::<8>();
    for (x, y) in a_body.iter().zip(b_body) {
        for ((sum, x), y) in sums.iter_mut().zip(x).zip(y) {
            *sum += x * y;
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    sums.iter().sum::<f32>() + rest
}

fn square(triangle: &[f32], dimension: usize) -> Vec<f64> {
    let mut full = vec![0.0; dimension * dimension];
    let mut cells = triangle.iter();
    for row in 0..dimension {
        for (column, &cell) in cells.by_ref().take(row + 1).enumerate() {
            full[row * dimension + column] = f64::from(cell);
            full[column * dimension + row] = f64::from(cell);
        }
    }
    full
}

/// Mixes the covariance with the one that spreads evenly in all directions across the mean. Along the mean the spread
/// stays what it was: it was measured well, and blurring it would change how much the members differ in typicality.
fn blurred(covariance: &[f64], direction: &[f64], blur: f64) -> Vec<f64> {
    let dimension = direction.len();
    let rows = || covariance.chunks_exact(dimension).zip(direction);
    let along: f64 = rows().map(|(row, d)| d * row.iter().zip(direction).map(|(c, e)| c * e).sum::<f64>()).sum();
    let trace: f64 = covariance.iter().step_by(dimension + 1).sum();
    let across = (trace - along) / (dimension - 1) as f64;
    let mut out = Vec::with_capacity(covariance.len());
    for (row, (cells, d)) in rows().enumerate() {
        for (column, (cell, e)) in cells.iter().zip(direction).enumerate() {
            let even = (along - across) * d * e + if row == column { across } else { 0.0 };
            out.push((1.0 - blur) * cell + blur * even);
        }
    }
    out
}

/// Lower-triangular `L` with `L L^T = covariance` (Cholesky and Banachiewicz).
fn cholesky(covariance: &[f64], dimension: usize) -> Result<Vec<f64>, EvaluationError> {
    let mut factor = vec![0.0; dimension * dimension];
    for row in 0..dimension {
        for column in 0..=row {
            let done: f64 = (0..column).map(|k| factor[row * dimension + k] * factor[column * dimension + k]).sum();
            let left = covariance[row * dimension + column] - done;
            factor[row * dimension + column] = if row == column {
                if !left.is_finite() || left <= 0.0 {
                    return Err(EvaluationError::NotPositive(row));
                }
                left.sqrt()
            } else {
                left / factor[column * dimension + column]
            };
        }
    }
    Ok(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::statistics::tests::{model, people};

    fn crowd() -> (Statistics, Crowd) {
        let statistics = Statistics::measure(&model(), "made up", &people(102, 128)).unwrap();
        let crowd = Crowd::new(&statistics, 1).unwrap();
        (statistics, crowd)
    }

    #[test]
    fn members_score_like_the_people_they_imitate() {
        let (statistics, crowd) = crowd();
        let members: Vec<Template> = (0..600)
            .map(|index| {
                let mut member = vec![0.0; 128];
                crowd.member(index, &mut member);
                Template::from_unit(member).unwrap()
            })
            .collect();
        let scores = ImpostorScores::of(&members);
        let real = statistics.impostor;
        assert!((scores.mean - real.mean).abs() < 0.01, "{scores:?} {real:?}");
        assert!((scores.deviation / real.deviation - 1.0).abs() < 0.05, "{scores:?} {real:?}");
        assert!(crowd.blur() > 0.0 && crowd.blur() < 1.0);
    }

    #[test]
    fn any_member_can_be_made_alone() {
        let (_, crowd) = crowd();
        let (mut one, mut again) = (vec![0.0; 128], vec![0.0; 128]);
        crowd.member(41, &mut again);
        crowd.member(7, &mut one);
        crowd.member(41, &mut one);
        assert_eq!(one, again);
    }

    #[test]
    fn damaged_statistics_are_refused() {
        let (mut statistics, _) = crowd();
        statistics.covariance[0] = -1.0;
        assert!(matches!(Crowd::new(&statistics, 1), Err(EvaluationError::NotPositive(0))));
        statistics.covariance.pop();
        assert!(matches!(Crowd::new(&statistics, 1), Err(EvaluationError::Shape(_))));
    }
}
