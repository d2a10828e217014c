//! The synthetic gallery and its probes, the same bits on every machine; any row can be made alone.
//!
//! With a preset, rows are enrolled images of the synthetic people of evaluations, and probes are their probes and those of others:
//! what is timed is then what `eval synthetic` measures. Without one they are noise, which is made faster and is what all records
//! so far rest on: a row is noise with a falling spectrum, turned by a Walsh-Hadamard transform so that every component has the same spread, as
//! a trained network's have. The spectrum is chosen so that strangers score 0 with a deviation of 0.06 at 512
//! components, which is what face models show: neither the easy case of few directions nor the flat one of pure noise.
//! Only integer operations and single IEEE additions, multiplications, divisions and square roots are used, in a fixed
//! order.

use crate::evaluation::latency::LatencyError;
use crate::evaluation::random::{Stream, mix};
use crate::evaluation::synthetic::generator::PROBE_IMAGES;
use crate::evaluation::synthetic::people::OUTSIDERS;
use crate::evaluation::synthetic::{self, Preset};
use crate::evaluation::turn::turn;
use crate::vector::VectorError;
use crate::vector::dimension::Dimension;
use crate::vector::template::Template;

/// Changes whenever the same seed gives other bits; part of the name of each kept gallery.
pub const VERSION: u32 = 1;
/// How steeply the spectrum falls: variance `1 / (1 + 15 u)` for u from 0 to 1, which is an effective dimension of 0.547 d.
const FALL: f32 = 15.0;
/// Sets the noise of probes apart from every row.
const PROBE_SEED: u64 = 0x9E0B_E500;
/// Cosines between a probe and its mate in the gallery, in turn: a good still, a poor one, a very poor one, and a person who
/// is not enrolled.
const MATES: [Option<f64>; 4] = [Some(0.60), Some(0.42), Some(0.34), None];

/// What gallery is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recipe {
    /// Rows.
    pub rows: u64,
    /// Components of each.
    pub dimension: Dimension,
    /// Seed of everything random in it.
    pub seed: u64,
    /// Synthetic people of that kind; noise where there is none.
    pub preset: Option<Preset>,
}

impl Recipe {
    /// A name for a folder that holds this gallery and no other.
    #[must_use]
    pub fn name(&self) -> String {
        let kind = self.preset.map(|preset| format!("-{}", preset.name())).unwrap_or_default();
        format!("synthetic-v{}{kind}-{}x{}-seed{}", self.version(), self.rows, self.dimension, self.seed)
    }

    /// Version of what makes its rows.
    #[must_use]
    pub fn version(&self) -> u32 {
        if self.preset.is_some() { synthetic::VERSION } else { VERSION }
    }

    /// What makes its rows.
    ///
    /// # Errors
    /// [`LatencyError::Synthetic`] for fewer numbers than the preset's people need.
    pub fn generator(&self) -> Result<Generator, LatencyError> {
        let made = match self.preset {
            None => Made::Noise(self.noise()),
            Some(preset) => {
                // No import has more rows than that.
                let people = u32::try_from(self.rows).unwrap_or(u32::MAX);
                let people = synthetic::Generator::new(&preset.parameters(), self.dimension, self.seed, people)?;
                Made::People(Box::new(people))
            }
        };
        Ok(Generator { recipe: *self, made })
    }

    fn noise(&self) -> Noise {
        let dimension = self.dimension.get();
        let side = 1_usize << dimension.trailing_zeros();
        let sides = dimension / side;
        let spread = |component: usize| {
            // Strong and weak directions are dealt out evenly among the parts that are turned together.
            let place = component % side * sides + component / side;
            (1.0 / (1.0 + FALL * place as f32 / dimension as f32)).sqrt()
        };
        Noise { side, spread: (0..dimension).map(spread).collect() }
    }
}

/// Makes rows and probes.
#[derive(Debug, Clone)]
pub struct Generator {
    recipe: Recipe,
    made: Made,
}

/// What rows are made by.
#[derive(Debug, Clone)]
enum Made {
    Noise(Noise),
    People(Box<synthetic::Generator>),
}

/// Noise with a falling spectrum.
#[derive(Debug, Clone)]
struct Noise {
    /// Components that are turned together: the largest power of two in the dimension.
    side: usize,
    spread: Vec<f32>,
}

impl Noise {
    fn write(&self, seed: u64, index: u64, out: &mut [f32]) {
        let mut stream = Stream::new(seed, index);
        for (four, spread) in out.chunks_mut(4).zip(self.spread.chunks(4)) {
            let bits = stream.bits();
            for ((value, spread), part) in four.iter_mut().zip(spread).zip(0..4_u32) {
                let uniform = (bits >> (16 * part) & 0xFFFF) as f32 - 32_767.5;
                *value = uniform * spread;
            }
        }
        out.chunks_exact_mut(self.side).for_each(turn);
    }
}

impl Generator {
    /// Writes row `index` into `out`, of the recipe's dimension and of no particular length.
    pub fn row(&self, index: u64, out: &mut [f32]) {
        match &self.made {
            Made::Noise(noise) => noise.write(self.recipe.seed, index, out),
            Made::People(people) => people.template(index, 0, &mut people.room(), out),
        }
    }

    /// Probe `index`. Of each four, three have a mate among the rows, and one has none. With noise, their cosines fall.
    ///
    /// # Errors
    /// [`VectorError`] if noise had no direction, which a seed would have to be searched for.
    pub fn probe(&self, index: u64) -> Result<Template, VectorError> {
        let mut values = vec![0.0; self.recipe.dimension.get()];
        let noise = match &self.made {
            Made::Noise(noise) => noise,
            Made::People(people) => {
                let identity = self.mate(index).unwrap_or(OUTSIDERS + index);
                people.template(identity, PROBE_IMAGES + index, &mut people.room(), &mut values);
                return Template::from_raw(&values);
            }
        };
        noise.write(mix(self.recipe.seed ^ PROBE_SEED), index, &mut values);
        let own = Template::from_raw(&values)?;
        let (Some(cosine), Some(mate)) = (MATES[(index % MATES.len() as u64) as usize], self.mate(index)) else {
            return Ok(own);
        };
        self.row(mate, &mut values);
        let mate = Template::from_raw(&values)?;
        let rest = (1.0 - cosine * cosine).sqrt();
        let mixed = |(mate, own): (&f32, &f32)| (cosine * f64::from(*mate) + rest * f64::from(*own)) as f32;
        Template::from_raw(&mate.values().iter().zip(own.values()).map(mixed).collect::<Vec<f32>>())
    }

    /// The row that is probe `index`'s mate; `None` for a probe without one.
    #[must_use]
    pub fn mate(&self, index: u64) -> Option<u64> {
        MATES[(index % MATES.len() as u64) as usize]?;
        mix(mix(self.recipe.seed ^ PROBE_SEED) ^ index).checked_rem(self.recipe.rows)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vector::score::exact_score;

    fn recipe(rows: u64, dimension: usize) -> Recipe {
        Recipe { rows, dimension: Dimension::new(dimension).unwrap(), seed: 1, preset: None }
    }

    fn row(generator: &Generator, index: u64) -> Vec<f32> {
        let mut out = vec![0.0; generator.recipe.dimension.get()];
        generator.row(index, &mut out);
        out
    }

    /// FNV-1a over the bits of many rows and probes: one number that stands for all of them.
    fn fingerprint(dimension: usize) -> u64 {
        let generator = recipe(1_000_000, dimension).generator().unwrap();
        let rows = (0..50).flat_map(|index| row(&generator, index * 19_997));
        let probes = (0..8).flat_map(|index| generator.probe(index).unwrap().values().to_vec());
        let bits = rows.chain(probes).flat_map(|value| value.to_bits().to_le_bytes());
        bits.fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
    }

    #[test]
    fn the_same_bits_on_every_machine() {
        // A second implementation, in another language and from this page alone, gave the same.
        assert_eq!(fingerprint(512), 4_797_556_610_783_887_356);
        assert_eq!(fingerprint(48), 16_257_068_508_190_500_317);
    }

    #[test]
    fn any_row_can_be_made_alone() {
        let generator = recipe(100, 64).generator().unwrap();
        let seventh = row(&generator, 7);
        row(&generator, 8);
        assert_eq!(seventh, row(&recipe(9, 64).generator().unwrap(), 7));
        assert_ne!(seventh, row(&generator, 8));
    }

    #[test]
    fn strangers_score_like_strangers_and_mates_like_mates() {
        let generator = recipe(400, 512).generator().unwrap();
        let rows: Vec<Template> = (0..400).map(|index| Template::from_raw(&row(&generator, index)).unwrap()).collect();
        let mut scores = Vec::new();
        for (index, one) in rows.iter().enumerate() {
            scores.extend(rows[..index].iter().map(|other| f64::from(exact_score(one.values(), other.values()))));
        }
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let deviation = (scores.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / scores.len() as f64).sqrt();
        assert!(mean.abs() < 0.002 && (deviation - 0.06).abs() < 0.002, "mean {mean}, deviation {deviation}");
        for index in 0..40 {
            let probe = generator.probe(index).unwrap();
            let Some(mate) = generator.mate(index) else {
                assert_eq!(index % 4, 3);
                continue;
            };
            let score = f64::from(exact_score(probe.values(), rows[mate as usize].values()));
            let wanted = MATES[(index % 4) as usize].unwrap();
            assert!((score - wanted).abs() < 0.2, "probe {index}: {score}, not about {wanted}");
        }
    }

    #[test]
    fn with_a_preset_rows_and_probes_are_those_of_evaluations() {
        let plain = recipe(300, 192);
        let recipe = Recipe { preset: Some(Preset::LfrNpl), ..plain };
        assert_ne!(recipe.name(), plain.name(), "one is never found where the other was kept");
        let generator = recipe.generator().unwrap();
        let people =
            synthetic::Generator::new(&Preset::LfrNpl.parameters(), recipe.dimension, recipe.seed, 300).unwrap();
        let mut made = vec![0.0; 192];
        people.template(17, 0, &mut people.room(), &mut made);
        assert_eq!(row(&generator, 17), made);
        let mut mated = Vec::new();
        for index in 0..80 {
            let probe = generator.probe(index).unwrap();
            let identity = generator.mate(index).unwrap_or(OUTSIDERS + index);
            people.template(identity, PROBE_IMAGES + index, &mut people.room(), &mut made);
            assert_eq!(probe, Template::from_raw(&made).unwrap());
            let Some(mate) = generator.mate(index) else { continue };
            let mate = Template::from_raw(&row(&generator, mate)).unwrap();
            mated.push(f64::from(exact_score(probe.values(), mate.values())));
        }
        let mean = mated.iter().sum::<f64>() / mated.len() as f64;
        assert!(mated.len() == 60 && (mean - 0.577).abs() < 0.06, "{mean}");
        let few = Recipe { dimension: Dimension::new(64).unwrap(), ..recipe };
        assert!(matches!(few.generator(), Err(LatencyError::Synthetic(_))));
    }

    #[test]
    fn components_have_one_spread_whatever_the_dimension() {
        for dimension in [48, 512] {
            let generator = recipe(1, dimension).generator().unwrap();
            let mut squares = vec![0.0_f64; dimension];
            for index in 0..2_000 {
                for (sum, value) in squares.iter_mut().zip(row(&generator, index)) {
                    *sum += f64::from(value).powi(2);
                }
            }
            let (least, most) = squares.iter().fold((f64::MAX, 0.0_f64), |(l, m), &s| (l.min(s), m.max(s)));
            assert!(most / least < 1.6, "dimension {dimension}: {}", most / least);
        }
    }
}
