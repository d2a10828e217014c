//! Templates of synthetic people. See [the room's page](super) for the model and docs/SYNTHETIC.md for each step.

use crate::evaluation::random::{Stream, mix};
use crate::evaluation::synthetic::SyntheticError;
use crate::evaluation::synthetic::draws::{beta, normal};
use crate::evaluation::synthetic::parameters::{Group, Parameters};
use crate::evaluation::synthetic::people::{People, Person, Purpose, Relation};
use crate::evaluation::synthetic::spectrum::Spectrum;
use crate::vector::dimension::Dimension;

/// Images from here on are probes; those below are for enrolment.
pub const PROBE_IMAGES: u64 = 1 << 32;
/// Fidelity below which a template drifts towards the direction of very poor ones.
const POOR: f64 = 0.6;
/// Mean fidelities stay between these whatever goats and years do to them.
const MEAN_LEAST: f64 = 0.02;
const MEAN_MOST: f64 = 0.999;
/// Number of the group of everybody.
const EVERYBODY: u64 = 1 << 32;
const LANES: usize = 8;

/// An image of a person, as far as it is known without its template.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Place among the types of probes; 0 for an enrolled image.
    pub kind: usize,
    /// Years since enrolment.
    pub years: f64,
    /// Cosine of the template with the person's centroid.
    pub fidelity: f64,
    /// What a measure of quality would say: the fidelity and noise, from 0 to 1.
    pub quality: f64,
    /// Whether no template could be made of it.
    pub failed: bool,
}

/// Makes templates.
#[derive(Debug, Clone)]
pub struct Generator {
    parameters: Parameters,
    seed: u64,
    people: People,
    spectrum: Spectrum,
    /// Direction of each group.
    groups: Vec<Vec<f64>>,
    /// Direction of everybody.
    common: Vec<f64>,
    /// Direction of very poor templates.
    poor: Vec<f64>,
}

/// Room to make templates in, so that none is asked for each.
#[derive(Debug, Clone)]
pub struct Room {
    centroid: Vec<f64>,
    noise: Vec<f64>,
}

impl Generator {
    /// A generator of templates of `dimension` components, for `enrolled` people and any number of others.
    ///
    /// # Errors
    /// [`SyntheticError`] for parameters that nothing can be made from, or too few components.
    pub fn new(
        parameters: &Parameters,
        dimension: Dimension,
        seed: u64,
        enrolled: u32,
    ) -> Result<Self, SyntheticError> {
        parameters.check()?;
        let spectrum = Spectrum::new(dimension, parameters.effective_dimension, parameters.strongest)?;
        let groups = (0..parameters.groups.len()).map(|group| group_direction(seed, group as u64, &spectrum));
        let groups = groups.collect();
        let common = group_direction(seed, EVERYBODY, &spectrum);
        let mut poor = vec![0.0; dimension.get()];
        let mut stream = Purpose::PoorDirection.stream(seed, 0);
        for value in &mut poor {
            *value = f64::from(stream.normal());
        }
        unit(&mut poor);
        let people = People::new(parameters, seed, enrolled);
        Ok(Self { parameters: parameters.clone(), seed, people, spectrum, groups, common, poor })
    }

    /// Who `identity` is: from 0 the enrolled, from [`OUTSIDERS`](super::people::OUTSIDERS) the others.
    #[must_use]
    pub fn person(&self, identity: u64) -> Person {
        self.people.person(identity)
    }

    /// What it makes templates by.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// How directions differ in strength.
    #[must_use]
    pub fn spectrum(&self) -> &Spectrum {
        &self.spectrum
    }

    /// Room for [`template`](Self::template).
    #[must_use]
    pub fn room(&self) -> Room {
        let room = vec![0.0; self.poor.len()];
        Room { centroid: room.clone(), noise: room }
    }

    /// An image of somebody: below [`PROBE_IMAGES`] one for enrolment, else a probe.
    #[must_use]
    pub fn sample(&self, identity: u64, image: u64) -> Sample {
        let Parameters { gallery, probes, goats, ageing_per_year, years_max, quality_noise, failures, .. } =
            &self.parameters;
        let mut stream = Purpose::Sample.stream(self.seed, mix(identity) ^ image);
        let (type_at, age, luck) = (stream.uniform(), stream.uniform(), stream.uniform());
        let noise = normal(&mut stream);
        let (mut kind, mut years, mut fidelity) = (0, 0.0, *gallery);
        if image >= PROBE_IMAGES {
            let mut below = 0.0;
            let place = probes.iter().position(|probe| {
                below += probe.share;
                type_at < below
            });
            kind = place.unwrap_or(probes.len() - 1);
            years = age * years_max;
            fidelity = probes.get(kind).map_or(fidelity, |probe| probe.fidelity);
        }
        let mut mean = fidelity.mean;
        if *goats > 0.0 {
            mean *= 1.0 + goats * self.people.person(identity).goat;
        }
        mean = (mean * (1.0 - ageing_per_year * years)).clamp(MEAN_LEAST, MEAN_MOST);
        // A shifted mean keeps the distribution's form: both parameters stay at 1 or above.
        let least = 1.0 / mean.min(1.0 - mean);
        let fidelity = beta(&mut stream, mean, fidelity.concentration.max(least));
        let quality = (fidelity + quality_noise * noise).clamp(0.0, 1.0);
        let missing = 1.0 - fidelity;
        Sample { kind, years, fidelity, quality, failed: luck < failures * missing * missing }
    }

    /// Writes the template of an image, of length 1 but for rounding. An image of which none could be made has one too, which
    /// nobody should ask for.
    pub fn template(&self, identity: u64, image: u64, room: &mut Room, out: &mut [f32]) {
        let Room { centroid, noise } = room;
        self.centroid(identity, centroid, noise);
        let fidelity = self.sample(identity, image).fidelity;
        let mut stream = Purpose::SampleDirection.stream(self.seed, mix(identity) ^ image);
        self.direction(&mut stream, noise);
        let drift = self.parameters.drift * ((POOR - fidelity) / POOR).max(0.0);
        if drift > 0.0 {
            noise.iter_mut().zip(&self.poor).for_each(|(value, poor)| *value += drift * poor);
        }
        lean(centroid, fidelity, noise);
        self.spectrum.onto_components(centroid, noise, out);
    }

    /// The centroid of somebody, by direction. Goes from an outsider to an enrolled person to that one's elder: three deep at most.
    fn centroid(&self, identity: u64, out: &mut [f64], work: &mut [f64]) {
        let Person { group, goat: _, relation } = self.people.person(identity);
        let mut stream = Purpose::PersonDirection.stream(self.seed, identity);
        let cosine = match relation {
            Relation::None => return self.of_group(group, &mut stream, out),
            Relation::Duplicate { of } => return self.centroid(of, out, work),
            Relation::Cluster { cluster, cosine } => {
                self.of_group(group, &mut Purpose::ClusterDirection.stream(self.seed, cluster), out);
                cosine
            }
            Relation::Relative { kin: _, of, cosine } => {
                self.centroid(of, out, work);
                cosine
            }
        };
        self.direction(&mut stream, work);
        // Relatives are that much closer than two of the group are anyway.
        let closeness = self.parameters.groups.get(group).map_or(0.0, |group| group.closeness);
        let anyway = self.parameters.common + closeness;
        lean(out, anyway + (1.0 - anyway) * cosine, work);
    }

    /// A direction of a group: parts of everybody's, of the group's and of `stream`'s own, scaled to length 1.
    fn of_group(&self, group: usize, stream: &mut Stream, out: &mut [f64]) {
        self.direction(stream, out);
        let Some((Group { closeness, .. }, direction)) = self.parameters.groups.get(group).zip(self.groups.get(group))
        else {
            return;
        };
        let common = self.parameters.common;
        if common + closeness == 0.0 {
            return;
        }
        let (everybody, ours, own) = (common.sqrt(), closeness.sqrt(), (1.0 - (common + closeness)).sqrt());
        for ((value, direction), common) in out.iter_mut().zip(direction).zip(&self.common) {
            *value = (everybody * common + ours * direction) + own * *value;
        }
        unit(out);
    }

    /// A direction with the spectrum.
    fn direction(&self, stream: &mut Stream, out: &mut [f64]) {
        for (value, spread) in out.iter_mut().zip(&self.spectrum.spread) {
            *value = f64::from(stream.normal()) * spread;
        }
        unit(out);
    }
}

/// A group's direction has the spectrum's strengths with random signs, so that a person's closeness to it varies as a stranger's,
/// whatever is drawn.
fn group_direction(seed: u64, group: u64, spectrum: &Spectrum) -> Vec<f64> {
    let mut stream = Purpose::GroupDirection.stream(seed, group);
    let sign = |bits: u64| if bits & 1 == 0 { 1.0 } else { -1.0 };
    let mut direction: Vec<f64> = spectrum.spread.iter().map(|spread| spread * sign(stream.bits())).collect();
    unit(&mut direction);
    direction
}

/// Turns `vector`, of length 1, away by an angle whose cosine is given, towards `noise`, of which the part along `vector` is dropped.
fn lean(vector: &mut [f64], cosine: f64, noise: &mut [f64]) {
    let along = dot(vector, noise);
    noise.iter_mut().zip(vector.iter()).for_each(|(noise, value)| *noise -= along * value);
    unit(noise);
    let rest = (1.0 - cosine * cosine).sqrt();
    vector.iter_mut().zip(noise).for_each(|(value, noise)| *value = cosine * *value + rest * *noise);
}

fn unit(vector: &mut [f64]) {
    let length = dot(vector, vector).sqrt();
    if length > 0.0 {
        for value in vector {
            *value /= length;
        }
    }
}

/// In eight running sums, added two by two: fast, and in the same order everywhere.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let [a, b, c, d, e, f, g, h] = sums;
    ((a + b) + (c + d)) + ((e + f) + (g + h))
}
