//! The generator's few figures from real templates, and how far its scores then are from theirs.
//!
//! What comes out is a handful of numbers about scores; no template can be read out of it. Each figure answers to one thing
//! that was measured: mean and deviation of mated scores to the fidelity, mean non-mated score between and within groups to
//! what everybody and a group have in common, its deviation to the effective dimensions, its kurtosis to the
//! strongest direction. The closed form gives the first guess; then a population is made, its scores are held against the real ones, and
//! each figure is moved by what its measure is off. That is repeated a fixed number of times, with the same seed each time, so
//! the same templates give the same figures.
//!
//! The fidelity is one beta distribution: real scores of several kinds of images together have more than one hump, which
//! the reported distance will show.

use serde::{Deserialize, Serialize};

use crate::base::limits::{FIT_TEMPLATES_MAX, SYNTHETIC_GROUPS_MAX};
use crate::evaluation::synthetic::generator::PROBE_IMAGES;
use crate::evaluation::synthetic::parameters::{Fidelity, Group, Parameters, ProbeType, figure};
use crate::evaluation::synthetic::{Generator, SyntheticError};
use crate::vector::score::exact_score;
use crate::vector::template::Template;

/// Fewest people, and people with two images.
pub const PEOPLE_MIN: usize = 30;
/// Most scores of each kind: beyond, every n-th pair is looked at.
const SCORES_MAX: usize = 1 << 18;
const ROUNDS: usize = 16;
/// People that are made in each round, of so many images each.
const MADE: u64 = 300;
const IMAGES: u64 = 3;
const FIT_SEED: u64 = 0x4649_5454;
/// People whose scores are compared in the end, made by another seed.
const CHECK_SEED: u64 = 0x4348_4543;
/// Shares of non-mated scores above, and of mated scores below, at which quantiles are given, as far as ten scores lie beyond.
const TAILS: [f64; 5] = [0.5, 0.1, 0.01, 0.001, 0.000_1];
const BEYOND_MIN: f64 = 10.0;

/// A real template, as the fit sees it.
#[derive(Debug, Clone)]
pub struct Labelled {
    /// Number of the subject.
    pub subject: u32,
    /// Place among the groups.
    pub group: usize,
    /// The template.
    pub template: Template,
}

/// A quantile.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quantile {
    /// Share of scores beyond: above for non-mated ones, below for mated ones.
    pub share: f64,
    /// Of real scores.
    pub real: f64,
    /// Of synthetic ones.
    pub synthetic: f64,
}

/// Real scores of one kind beside synthetic ones.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// Real scores looked at; they hang together, since one template is in many.
    pub real: usize,
    /// Synthetic ones.
    pub synthetic: usize,
    /// Mean and deviation of real scores.
    pub real_moments: (f64, f64),
    /// Mean and deviation of synthetic ones.
    pub synthetic_moments: (f64, f64),
    /// Kolmogorov and Smirnov's distance: the largest difference of the two distribution functions.
    pub distance: f64,
    /// Quantiles of the tail that matters.
    pub tail: Vec<Quantile>,
}

/// How well the generator imitates the templates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fitted {
    /// The figures.
    pub parameters: Parameters,
    /// People they were fitted to.
    pub people: usize,
    /// Their templates.
    pub templates: usize,
    /// Scores of one person's images.
    pub mated: Compared,
    /// Scores of different people's.
    pub non_mated: Compared,
}

/// What scores say.
#[derive(Debug, Clone, PartialEq)]
struct Scores {
    mated: Vec<f64>,
    non_mated: Vec<f64>,
    /// Mean non-mated score within each group; none with fewer than two people.
    within: Vec<Option<f64>>,
    /// Mean non-mated score between groups; of all where there is one group.
    between: f64,
}

/// Mean, deviation, excess kurtosis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moments {
    mean: f64,
    deviation: f64,
    kurtosis: f64,
}

/// Fits the generator to real templates, whose groups have `names`.
///
/// # Errors
/// [`SyntheticError`]: too few or too many templates, of differing dimension, or with scores that it can't imitate.
pub fn fit(templates: &[Labelled], names: &[String], source: &str) -> Result<Fitted, SyntheticError> {
    figure("templates", templates.len() as f64, PEOPLE_MIN as f64, FIT_TEMPLATES_MAX as f64)?;
    figure("groups", names.len() as f64, 1.0, SYNTHETIC_GROUPS_MAX as f64)?;
    let dimension = templates.first().map_or(0, |one| one.template.dimension().get());
    if let Some(other) = templates.iter().find(|one| one.template.dimension().get() != dimension) {
        return Err(SyntheticError::Mixed(dimension, other.template.dimension().get()));
    }
    let mut people: Vec<(u32, usize)> = templates.iter().map(|one| (one.subject, one.group)).collect();
    people.sort_unstable();
    people.dedup_by_key(|(subject, _)| *subject);
    let too_few = |what, found| Err(SyntheticError::TooFew { what, found, wanted: PEOPLE_MIN });
    if people.len() < PEOPLE_MIN {
        return too_few("people", people.len());
    }
    let real = scores(templates, names.len());
    if real.mated.len() < PEOPLE_MIN {
        return too_few("pairs of images of one person", real.mated.len());
    }
    let mut parameters = first_guess(&real, &people, names, source, dimension)?;
    for round in 0..ROUNDS {
        let made = scores(&make(&parameters, templates, FIT_SEED)?, names.len());
        // Smaller steps later: figures that pull at each other come to rest.
        adjust(&mut parameters, &real, &made, dimension, 1.0 / (1.0 + round as f64 / 6.0));
    }
    parameters.check().map_err(|error| SyntheticError::Unlike(error.to_string()))?;
    let made = scores(&make(&parameters, templates, CHECK_SEED)?, names.len());
    Ok(Fitted {
        people: people.len(),
        templates: templates.len(),
        mated: compare(real.mated, made.mated, |share| share),
        non_mated: compare(real.non_mated, made.non_mated, |share| 1.0 - share),
        parameters,
    })
}

fn first_guess(
    real: &Scores,
    people: &[(u32, usize)],
    names: &[String],
    source: &str,
    dimension: usize,
) -> Result<Parameters, SyntheticError> {
    let (mated, non_mated) = (moments(&real.mated), moments(&real.non_mated));
    if mated.mean <= non_mated.mean.max(0.01) || mated.deviation <= 0.0 || non_mated.deviation <= 0.0 {
        return Err(SyntheticError::Unlike(format!(
            "mated scores have a mean of {:.3}, non-mated ones of {:.3}",
            mated.mean, non_mated.mean
        )));
    }
    let mean = mated.mean.sqrt().clamp(0.05, 0.995);
    // Of two independent fidelities: Var(a b) = (m^2 + v)^2 - m^4.
    let variance = (mated.deviation.powi(2) + mean.powi(4)).sqrt() - mean.powi(2);
    let fidelity = shaped(mean, mean * (1.0 - mean) / variance - 1.0);
    let source = format!("fitted to scores of real templates ({source}); what is made by it is synthetic");
    let effective = (1.0 / non_mated.deviation.powi(2)).clamp(2.0, 0.9 * dimension as f64);
    let probe = ProbeType { name: "synthetic, fitted".to_owned(), share: 1.0, fidelity };
    let mut parameters = Parameters::plain(source, effective, 5.0 / effective.max(10.0), fidelity, probe);
    parameters.common = (real.between / mated.mean).clamp(0.0, 0.9);
    let share = |place: usize| people.iter().filter(|(_, group)| *group == place).count() as f64 / people.len() as f64;
    let group = |(place, name): (usize, &String)| Group { name: name.clone(), share: share(place), closeness: 0.0 };
    parameters.groups = names.iter().enumerate().map(group).collect();
    parameters.check()?;
    Ok(parameters)
}

/// A fidelity that the generator takes.
fn shaped(mean: f64, concentration: f64) -> Fidelity {
    let least = 1.0 / mean.min(1.0 - mean);
    Fidelity {
        mean,
        concentration: if concentration.is_finite() { concentration.clamp(least.max(2.0), 1e5) } else { 1e5 },
    }
}

/// Moves each figure by what its measure is off.
fn adjust(parameters: &mut Parameters, real: &Scores, made: &Scores, dimension: usize, step: f64) {
    let (real_mated, made_mated) = (moments(&real.mated), moments(&made.mated));
    let (real_other, made_other) = (moments(&real.non_mated), moments(&made.non_mated));
    let Fidelity { mean, concentration } = parameters.gallery;
    let mean = mean * (real_mated.mean / made_mated.mean.max(1e-3)).clamp(0.8, 1.25).powf(0.5 * step);
    let mean = mean.clamp(0.05, 0.998);
    let ratio = (made_mated.deviation / real_mated.deviation).powi(2).clamp(0.5, 2.0);
    parameters.gallery = shaped(mean, concentration * ratio.powf(step));
    for probe in &mut parameters.probes {
        probe.fidelity = parameters.gallery;
    }
    let square = mean * mean;
    let off = (real.between - made.between) / square;
    parameters.common = (parameters.common + step * off).clamp(0.0, 0.9);
    for (place, group) in parameters.groups.iter_mut().enumerate() {
        let within = |scores: &Scores| scores.within.get(place).copied().flatten();
        if let (Some(real_within), Some(made_within)) = (within(real), within(made)) {
            let off = ((real_within - real.between) - (made_within - made.between)) / square;
            group.closeness = (group.closeness + step * off).clamp(0.0, 0.95 - parameters.common);
        }
    }
    let ratio = (made_other.deviation / real_other.deviation).powi(2).clamp(0.5, 2.0);
    parameters.effective_dimension =
        (parameters.effective_dimension * ratio.powf(step)).clamp(2.0, 0.9 * dimension as f64);
    let off = (real_other.kurtosis - made_other.kurtosis).clamp(-1.0, 1.0);
    parameters.strongest = (parameters.strongest * (0.5 * step * off).exp()).clamp(1.0 / dimension as f64, 0.6);
}

/// Makes people in the groups' shares.
fn make(parameters: &Parameters, like: &[Labelled], seed: u64) -> Result<Vec<Labelled>, SyntheticError> {
    let Some(dimension) = like.first().map(|one| one.template.dimension()) else { return Ok(Vec::new()) };
    let unlike = |reason: String| SyntheticError::Unlike(reason);
    let generator = Generator::new(parameters, dimension, seed, MADE as u32).map_err(|e| unlike(e.to_string()))?;
    let (mut room, mut values) = (generator.room(), vec![0.0; dimension.get()]);
    let mut made = Vec::with_capacity((IMAGES * MADE) as usize);
    for identity in 0..MADE {
        for image in PROBE_IMAGES..PROBE_IMAGES + IMAGES {
            generator.template(identity, image, &mut room, &mut values);
            let template = Template::from_raw(&values).map_err(|error| unlike(error.to_string()))?;
            made.push(Labelled { subject: identity as u32, group: generator.person(identity).group, template });
        }
    }
    Ok(made)
}

/// Comparison scores of all pairs, or of every n-th.
fn scores(templates: &[Labelled], groups: usize) -> Scores {
    let pairs = templates.len() * templates.len().saturating_sub(1) / 2;
    let every = pairs.div_ceil(SCORES_MAX).max(1);
    let (mut mated, mut non_mated) = (Vec::new(), Vec::new());
    let mut sums = vec![(0.0, 0_u64); groups];
    let mut between = (0.0, 0_u64);
    let mut counted = 0;
    for (place, one) in templates.iter().enumerate() {
        for other in templates.get(..place).unwrap_or_default() {
            let same = one.subject == other.subject;
            counted += usize::from(!same);
            if !same && counted % every != 0 {
                continue;
            }
            let score = f64::from(exact_score(one.template.values(), other.template.values()));
            if same {
                mated.push(score);
                continue;
            }
            non_mated.push(score);
            let sum = match sums.get_mut(one.group) {
                Some(sum) if one.group == other.group && groups > 1 => sum,
                _between => &mut between,
            };
            *sum = (sum.0 + score, sum.1 + 1);
        }
    }
    let mean = |(sum, count): (f64, u64)| (count > 0).then(|| sum / count as f64);
    let all = moments(&non_mated).mean;
    Scores { within: sums.into_iter().map(mean).collect(), between: mean(between).unwrap_or(all), mated, non_mated }
}

fn moments(scores: &[f64]) -> Moments {
    let count = scores.len().max(1) as f64;
    let mean = scores.iter().sum::<f64>() / count;
    let power = |n| scores.iter().map(|score| (score - mean).powi(n)).sum::<f64>() / count;
    let variance = power(2);
    let kurtosis = if variance > 0.0 { power(4) / (variance * variance) - 3.0 } else { 0.0 };
    Moments { mean, deviation: variance.sqrt(), kurtosis }
}

/// `place` turns a share beyond into a share below.
fn compare(mut real: Vec<f64>, mut made: Vec<f64>, place: impl Fn(f64) -> f64) -> Compared {
    real.sort_unstable_by(f64::total_cmp);
    made.sort_unstable_by(f64::total_cmp);
    let quantile = |scores: &[f64], share: f64| {
        let last = scores.len().saturating_sub(1);
        scores.get((share * last as f64).round() as usize).copied().unwrap_or_default()
    };
    let fewest = real.len().min(made.len()) as f64;
    let supported = TAILS.into_iter().filter(|share| share * fewest >= BEYOND_MIN);
    let tail = supported.map(|share| {
        let below = place(share);
        Quantile { share, real: quantile(&real, below), synthetic: quantile(&made, below) }
    });
    let both = |scores: &[f64]| {
        let Moments { mean, deviation, kurtosis: _ } = moments(scores);
        (mean, deviation)
    };
    Compared {
        tail: tail.collect(),
        real_moments: both(&real),
        synthetic_moments: both(&made),
        distance: distance(&real, &made),
        real: real.len(),
        synthetic: made.len(),
    }
}

/// Kolmogorov and Smirnov's distance of two ascending lists.
fn distance(one: &[f64], other: &[f64]) -> f64 {
    let (mut at, mut other_at, mut largest) = (0, 0, 0.0_f64);
    while let (Some(a), Some(b)) = (one.get(at), other.get(other_at)) {
        let score = a.min(*b);
        at += one[at..].iter().take_while(|next| **next <= score).count();
        other_at += other[other_at..].iter().take_while(|next| **next <= score).count();
        largest = largest.max((at as f64 / one.len() as f64 - other_at as f64 / other.len() as f64).abs());
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::synthetic::Preset;
    use crate::vector::dimension::Dimension;

    /// Made by known figures, by a seed of its own.
    fn made_by(parameters: &Parameters, dimension: usize, people: u64) -> Vec<Labelled> {
        let generator = Generator::new(parameters, Dimension::new(dimension).unwrap(), 99, 1_000).unwrap();
        let (mut room, mut values) = (generator.room(), vec![0.0; dimension]);
        let mut all = Vec::new();
        for identity in 0..people {
            for image in 0..3 {
                generator.template(identity, image, &mut room, &mut values);
                let template = Template::from_raw(&values).unwrap();
                all.push(Labelled { subject: identity as u32, group: generator.person(identity).group, template });
            }
        }
        all
    }

    fn names(count: usize) -> Vec<String> {
        (0..count).map(|place| format!("group {place}")).collect()
    }

    #[test]
    fn figures_that_templates_were_made_by_are_found_again() {
        let mut wanted = Preset::Mugshot.parameters().lifelike(2).unwrap();
        (wanted.relatives, wanted.goats, wanted.drift) = (<_>::default(), 0.0, 0.0);
        (wanted.effective_dimension, wanted.strongest, wanted.common) = (40.0, 0.1, 0.2);
        wanted.groups[1].closeness = 0.15;
        wanted.gallery = Fidelity { mean: 0.85, concentration: 60.0 };
        let fitted = fit(&made_by(&wanted, 128, 300), &names(2), "test").unwrap();
        let found = &fitted.parameters;
        assert!((found.gallery.mean - 0.85).abs() < 0.01, "{found:?}");
        assert!((found.gallery.concentration / 60.0 - 1.0).abs() < 0.35, "{found:?}");
        assert!((found.common - 0.2).abs() < 0.04 && (found.groups[1].closeness - 0.15).abs() < 0.04, "{found:?}");
        assert!(found.groups[0].closeness < 0.03, "{found:?}");
        assert!((found.effective_dimension / 40.0 - 1.0).abs() < 0.15, "{found:?}");
        // Directions of groups are not at right angles, and other seeds have other angles: that moves the non-mated mean.
        assert!(fitted.mated.distance < 0.06 && fitted.non_mated.distance < 0.08, "{fitted:?}");
        assert!(found.to_json().unwrap().contains("synthetic"));
        for Quantile { share, real, synthetic } in fitted.non_mated.tail {
            assert!((real - synthetic).abs() < 0.06, "{share}: {real} {synthetic}");
        }
    }

    #[test]
    fn the_same_templates_give_the_same_figures() {
        let templates = made_by(&Preset::LfrNpl.parameters(), 192, 60);
        let one = fit(&templates, &names(1), "test").unwrap();
        assert_eq!(fit(&templates, &names(1), "test").unwrap(), one);
    }

    #[test]
    fn what_can_not_be_fitted_is_refused() {
        let templates = made_by(&Preset::Mugshot.parameters(), 192, 40);
        let refused = |templates: &[Labelled]| fit(templates, &names(1), "test").unwrap_err();
        assert!(matches!(refused(&templates[..60]), SyntheticError::TooFew { what: "people", found: 20, .. }));
        let single: Vec<Labelled> = templates.iter().step_by(3).cloned().collect();
        assert!(matches!(refused(&single), SyntheticError::TooFew { what: "pairs of images of one person", .. }));
        let mut mixed = templates.clone();
        mixed[7].template = Template::from_raw(&[1.0; 32]).unwrap();
        assert!(matches!(refused(&mixed), SyntheticError::Mixed(192, 32)));
        // Labels that have nothing to do with the templates.
        let mut shuffled = templates.clone();
        for (place, one) in shuffled.iter_mut().enumerate() {
            one.subject = (place * 7 % 40) as u32;
        }
        assert!(matches!(refused(&shuffled), SyntheticError::Unlike(_)));
    }

    #[test]
    fn the_distance_is_the_largest_difference() {
        assert_eq!(distance(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert_eq!(distance(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        // scipy.stats.ks_2samp([1, 2, 2, 5], [2, 3, 4]).statistic
        assert!((distance(&[1.0, 2.0, 2.0, 5.0], &[2.0, 3.0, 4.0]) - 5.0 / 12.0).abs() < 1e-12);
    }
}
