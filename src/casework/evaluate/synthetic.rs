//! Synthetic people as the gallery and the probes of an evaluation. Nothing made here is anybody's face.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::base::limits::{
    IMPORT_ROWS_MAX, SYNTHETIC_IMAGES_MAX, SYNTHETIC_PARAMETERS_BYTES_MAX, SYNTHETIC_PEOPLE_MAX, SYNTHETIC_PROBES_MAX,
};
use crate::casework::CaseworkError;
use crate::casework::evaluate::samples::Samples;
use crate::casework::evaluate::sha256_of;
use crate::evaluation::ahead::{CHUNK_ROWS, RowSource};
use crate::evaluation::assemble::{Column, PairScore, QualityMeasure};
use crate::evaluation::random::mix;
use crate::evaluation::synthetic::generator::{PROBE_IMAGES, Sample};
use crate::evaluation::synthetic::people::{OUTSIDERS, Relation};
use crate::evaluation::synthetic::{Generator, Parameters, SyntheticError, VERSION};
use crate::vector::dimension::Dimension;
use crate::vector::score::exact_score;
use crate::vector::template::Template;
use crate::vision::VisionError;

/// Sets the people of random pairs apart from everything else.
const PAIRS: u64 = 0x5041_4952_5300;

/// Images between two looks at whether anybody still waits.
const IMAGES_AT_ONCE: usize = 1 << 16;

/// What is to be made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// What people and images are like.
    pub parameters: Parameters,
    /// People in the gallery.
    pub people: u32,
    /// Images of each that are enrolled.
    pub images: u32,
    /// Probes of people in the gallery.
    pub mated: u32,
    /// Those are of the first so many people, so that nested galleries have mated searches too.
    pub mates_among: u32,
    /// Probes of people who are not, each of somebody else.
    pub non_mated: u32,
    /// Components of a template.
    pub dimension: usize,
    /// Seed of everything.
    pub seed: u64,
}

impl Options {
    /// One number for all that shapes the templates: sha256 in hexadecimal, for the key of a run.
    ///
    /// # Errors
    /// [`CaseworkError::Stopped`] where they can't be written down, which checked parameters can.
    pub fn sha256(&self) -> Result<String, CaseworkError> {
        let text = serde_json::to_string(self).map_err(|error| CaseworkError::Stopped(error.to_string()))?;
        Ok(sha256_of(&format!("synthetic templates, generator {VERSION}: {text}")))
    }

    /// Refuses what can't be made, before anything is.
    ///
    /// # Errors
    /// [`CaseworkError::Synthetic`], and [`CaseworkError::Vision`] for a dimension that no template has.
    pub(super) fn check(&self) -> Result<Dimension, CaseworkError> {
        let Self { parameters, people, images, mated, mates_among, non_mated, dimension, seed } = self;
        let within = |what, found: u64, least: u32, most: u64| {
            let figure = |number: u64| number as f64;
            if (u64::from(least)..=most).contains(&found) {
                return Ok(());
            }
            Err(SyntheticError::Figure { what, found: figure(found), least: f64::from(least), most: figure(most) })
        };
        within("people", u64::from(*people), 1, u64::from(SYNTHETIC_PEOPLE_MAX))?;
        within("images of each", u64::from(*images), 1, u64::from(SYNTHETIC_IMAGES_MAX))?;
        within("enrolled images", u64::from(*people) * u64::from(*images), 1, IMPORT_ROWS_MAX)?;
        within("people with probes", u64::from(*mates_among), 1, u64::from(*people))?;
        within("probes", u64::from(*mated) + u64::from(*non_mated), 1, u64::from(SYNTHETIC_PROBES_MAX))?;
        let dimension = Dimension::new(*dimension).map_err(VisionError::Vector)?;
        // Looks at the parameters, and at whether so many components have room for them.
        Generator::new(parameters, dimension, *seed, *people)?;
        Ok(dimension)
    }
}

/// Reads a file of parameters.
///
/// # Errors
/// [`CaseworkError::Unreadable`], [`CaseworkError::Synthetic`].
pub fn read_parameters(path: &std::path::Path) -> Result<Parameters, CaseworkError> {
    let unreadable = |reason: String| CaseworkError::Unreadable { path: path.to_owned(), reason };
    let bytes = fs_err::metadata(path).map_err(|error| unreadable(error.to_string()))?.len();
    if bytes > SYNTHETIC_PARAMETERS_BYTES_MAX as u64 {
        return Err(unreadable(format!("it has {bytes} bytes, at most {SYNTHETIC_PARAMETERS_BYTES_MAX} are read")));
    }
    let text = fs_err::read(path).map_err(|error| unreadable(error.to_string()))?;
    Ok(Parameters::from_json(&text)?)
}

/// The gallery and the probes.
pub struct SyntheticSamples {
    made: Arc<Made>,
    /// Distance of one mated probe's person from the next's: shares no divisor with `mates_among`, so that everybody has one
    /// probe before anybody has two.
    step: u64,
    ahead: Mutex<Ahead>,
    threads: usize,
}

/// What threads need to make rows.
struct Made {
    options: Options,
    dimension: Dimension,
    generator: Generator,
    /// Images that failed to enrol, ascending: person times images plus image.
    missing: Vec<u64>,
}

/// Rows that are made before they are asked for, where they are asked for in order.
#[derive(Default)]
struct Ahead {
    next: u64,
    source: Option<RowSource>,
}

impl Made {
    /// The image that is row `row`.
    fn image_of(&self, row: u64) -> u64 {
        // Before row r stand all missing images m_j with m_j - j <= r.
        let (mut low, mut high) = (0, self.missing.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            match self.missing.get(middle) {
                Some(image) if image - middle as u64 <= row => low = middle + 1,
                _missing_is_later => high = middle,
            }
        }
        row + low as u64
    }

    fn row(&self, row: u64, out: &mut [f32]) {
        let (images, image) = (u64::from(self.options.images), self.image_of(row));
        self.generator.template(image / images, image % images, &mut self.generator.room(), out);
    }
}

impl SyntheticSamples {
    /// Prepares them; `threads` make rows where they are asked for in order.
    ///
    /// # Errors
    /// [`CaseworkError::Synthetic`] for figures out of range.
    pub fn new(options: Options, threads: usize) -> Result<Self, CaseworkError> {
        Self::told(options, threads, &|_, _| Ok(()))
    }

    /// The same for whoever is told how many images were looked at, and may end it.
    ///
    /// # Errors
    /// Those of [`new`](Self::new) and of `tell`.
    pub fn told(
        options: Options,
        threads: usize,
        tell: &dyn Fn(u64, u64) -> Result<(), CaseworkError>,
    ) -> Result<Self, CaseworkError> {
        let dimension = options.check()?;
        let generator = Generator::new(&options.parameters, dimension, options.seed, options.people)?;
        let images = u64::from(options.images);
        let all = if options.parameters.failures > 0.0 { u64::from(options.people) * images } else { 0 };
        let mut missing = Vec::new();
        for first in (0..all).step_by(IMAGES_AT_ONCE) {
            tell(first, all)?;
            let some = first..all.min(first + IMAGES_AT_ONCE as u64);
            missing.extend(some.filter(|image| generator.sample(image / images, image % images).failed));
        }
        let among = u64::from(options.mates_among);
        // Near the golden section, which spreads few people evenly.
        let near = among * 987 / 1_597;
        let step = (near.max(1)..=near + among).find(|step| common_divisor(*step, among) == 1).unwrap_or(1);
        let made = Arc::new(Made { options, dimension, generator, missing });
        Ok(Self { made, step, ahead: Mutex::default(), threads })
    }

    /// What was asked for.
    #[must_use]
    pub fn options(&self) -> &Options {
        &self.made.options
    }

    /// Images of the gallery of which no template could be made.
    #[must_use]
    pub fn failures_to_enrol(&self) -> u64 {
        self.made.missing.len() as u64
    }

    /// Number of the person behind a probe: that of the gallery, or one beyond them.
    #[must_use]
    pub fn subject_of(&self, probe: u32) -> u32 {
        self.mate_of(probe).unwrap_or_else(|| self.made.options.people + (probe - self.made.options.mated))
    }

    /// The other identity of a person of the gallery who is enrolled twice: as a candidate, no error of anybody's.
    #[must_use]
    pub fn duplicate_of(&self, person: u32) -> Option<u32> {
        let earlier = |person: u32| match self.made.generator.person(u64::from(person)).relation {
            Relation::Duplicate { of } => u32::try_from(of).ok(),
            Relation::None | Relation::Cluster { .. } | Relation::Relative { .. } => None,
        };
        // A duplicate is the next identity after the one that it doubles.
        let later = || Some(person + 1).filter(|&next| next < self.people() && earlier(next) == Some(person));
        earlier(person).or_else(later)
    }

    /// A probe without its template.
    #[must_use]
    pub fn sample(&self, probe: u32) -> Sample {
        let (identity, image) = self.identity_and_image(probe);
        self.made.generator.sample(identity, image)
    }

    /// Group of the person behind a probe, by its place.
    #[must_use]
    pub fn group_of(&self, probe: u32) -> usize {
        self.made.generator.person(self.identity_and_image(probe).0).group
    }

    /// Types of the probes of searches.
    #[must_use]
    pub fn kinds(&self, probes: &[u32]) -> Column {
        let kinds = &self.made.options.parameters.probes;
        Column {
            name: "type of probe (synthetic)".to_owned(),
            values: kinds.iter().map(|kind| kind.name.clone()).collect(),
            of_searches: probes.iter().map(|probe| u16::try_from(self.sample(*probe).kind).ok()).collect(),
            of_subjects: BTreeMap::new(),
            templates: Vec::new(),
        }
    }

    /// Groups of the probes of searches and of the people enrolled, where there is more than one.
    #[must_use]
    pub fn groups(&self, probes: &[u32]) -> Option<Column> {
        let groups = &self.made.options.parameters.groups;
        let of_person = |person: u32| u16::try_from(self.made.generator.person(u64::from(person)).group).ok();
        (groups.len() > 1).then(|| Column {
            name: "group (synthetic)".to_owned(),
            values: groups.iter().map(|group| group.name.clone()).collect(),
            of_searches: probes.iter().map(|probe| u16::try_from(self.group_of(*probe)).ok()).collect(),
            of_subjects: (0..self.made.options.people)
                .filter_map(|person| Some((person, of_person(person)?)))
                .collect(),
            templates: Vec::new(),
        })
    }

    /// Observed quality of the probes of searches, and their age where they have one.
    #[must_use]
    pub fn measures(&self, probes: &[u32]) -> Vec<QualityMeasure> {
        let samples: Vec<Sample> = probes.iter().map(|probe| self.sample(*probe)).collect();
        let measure = |name: &str, of: &dyn Fn(&Sample) -> f64| QualityMeasure {
            name: name.to_owned(),
            of_searches: samples.iter().map(|sample| (!sample.failed).then(|| of(sample))).collect(),
        };
        let mut measures = vec![measure("observed quality (synthetic)", &|sample| sample.quality)];
        if self.made.options.parameters.years_max > 0.0 {
            // Less is worse, as with the others.
            measures.push(measure("years since enrolment, negative (synthetic)", &|sample| -sample.years));
        }
        measures
    }

    /// `count` random pairs of a probe and an enrolled image of another person: for calibration.
    ///
    /// # Errors
    /// As [`Samples::probe`].
    pub fn non_mated_pairs(&self, count: u32) -> Result<Vec<PairScore>, CaseworkError> {
        let mut scores = Vec::with_capacity(count.min(SYNTHETIC_PROBES_MAX) as usize);
        let mut row = vec![0.0; self.made.dimension.get()];
        let rows = self.rows_of(self.made.options.people);
        for pair in 0..count.min(SYNTHETIC_PROBES_MAX) {
            let drawn = mix(mix(self.made.options.seed ^ PAIRS) ^ u64::from(pair));
            let (Some(at), Some(probe)) = (mix(drawn).checked_rem(rows), drawn.checked_rem(u64::from(self.probes())))
            else {
                break;
            };
            let probe = probe as u32;
            let person = self.person_of(at);
            if self.mate_of(probe) == Some(person) {
                continue;
            }
            if let Some(template) = self.probe(probe)? {
                self.made.row(at, &mut row);
                let row = Template::from_raw(&row).map_err(VisionError::Vector)?;
                scores.push(PairScore { probe, score: exact_score(template.values(), row.values()) });
            }
        }
        Ok(scores)
    }

    fn identity_and_image(&self, probe: u32) -> (u64, u64) {
        let image = PROBE_IMAGES + u64::from(probe);
        match self.mate_of(probe) {
            Some(person) => (u64::from(person), image),
            None => (OUTSIDERS + u64::from(probe - self.made.options.mated), image),
        }
    }
}

fn common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

impl Samples for SyntheticSamples {
    fn dimension(&self) -> Dimension {
        self.made.dimension
    }

    fn people(&self) -> u32 {
        self.made.options.people
    }

    fn rows_of(&self, people: u32) -> u64 {
        let images = u64::from(people.min(self.made.options.people)) * u64::from(self.made.options.images);
        images - self.made.missing.partition_point(|missing| *missing < images) as u64
    }

    fn person_of(&self, row: u64) -> u32 {
        (self.made.image_of(row) / u64::from(self.made.options.images)) as u32
    }

    fn rows_of_person(&self, person: u32) -> Range<u64> {
        self.rows_of(person)..self.rows_of(person.saturating_add(1))
    }

    fn row(&self, row: u64, out: &mut [f32]) -> Result<(), CaseworkError> {
        let mut ahead = self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
        if row != ahead.next {
            *ahead = Ahead::default();
        }
        // Somebody who took a thousand rows in order is likely to go on.
        if ahead.source.is_none() && row > 0 && row == ahead.next && row.is_multiple_of(CHUNK_ROWS) {
            let made = Arc::clone(&self.made);
            let maker = move || {
                let made = Arc::clone(&made);
                move |row: u64, out: &mut [f32]| made.row(row, out)
            };
            let rows = row..self.rows_of(self.made.options.people);
            ahead.source = Some(RowSource::start(rows, out.len(), self.threads, maker));
        }
        ahead.next = row + 1;
        match &mut ahead.source {
            Some(source) => source.take(row, out),
            None => self.made.row(row, out),
        }
        Ok(())
    }

    fn probes(&self) -> u32 {
        self.made.options.mated + self.made.options.non_mated
    }

    fn mate_of(&self, probe: u32) -> Option<u32> {
        let mated = probe < self.made.options.mated;
        mated.then(|| (u64::from(probe) * self.step % u64::from(self.made.options.mates_among)) as u32)
    }

    fn probe(&self, probe: u32) -> Result<Option<Template>, CaseworkError> {
        if self.sample(probe).failed {
            return Ok(None);
        }
        let (identity, image) = self.identity_and_image(probe);
        let mut values = vec![0.0; self.made.dimension.get()];
        self.made.generator.template(identity, image, &mut self.made.generator.room(), &mut values);
        Ok(Some(Template::from_raw(&values).map_err(VisionError::Vector)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::synthetic::Preset;

    fn options(people: u32, images: u32) -> Options {
        let mut parameters = Preset::Cctv.parameters().lifelike(3).unwrap();
        (parameters.effective_dimension, parameters.strongest, parameters.failures) = (24.0, 0.1, 0.2);
        parameters.gallery.mean = 0.6;
        let (mated, non_mated, mates_among) = (people, 50, people);
        Options { parameters, people, images, mated, mates_among, non_mated, dimension: 48, seed: 3 }
    }

    #[test]
    fn rows_stand_in_nested_order_without_the_failures() {
        for images in [1, 3] {
            let samples = SyntheticSamples::new(options(2_000, images), 2).unwrap();
            assert!(samples.failures_to_enrol() > 20);
            assert_eq!(samples.rows_of(2_000) + samples.failures_to_enrol(), 2_000 * u64::from(images));
            let mut row = 0;
            for person in 0..2_000 {
                let rows = samples.rows_of_person(person);
                assert_eq!(rows.start, row, "nested");
                row = rows.end;
                assert_eq!(samples.is_enrolled(person), !rows.is_empty());
                assert!(rows.clone().all(|row| samples.person_of(row) == person));
                let failed = |image| samples.made.generator.sample(u64::from(person), u64::from(image)).failed;
                assert_eq!((rows.end - rows.start) as usize, (0..images).filter(|image| !failed(*image)).count());
            }
        }
    }

    #[test]
    fn rows_made_ahead_are_those_made_alone() {
        let samples = SyntheticSamples::new(options(5_000, 1), 3).unwrap();
        let rows = samples.rows_of(5_000);
        let (mut row, mut alone) = (vec![0.0; 48], vec![0.0; 48]);
        for from in [0, 2_000] {
            for at in 0..rows - from {
                samples.row(at, &mut row).unwrap();
                if at % 331 == 0 || at + 1 == rows {
                    samples.made.row(at, &mut alone);
                    assert_eq!(row, alone, "row {at}");
                }
            }
        }
    }

    #[test]
    fn everybody_has_a_probe_before_anybody_has_two_and_the_others_have_no_mate() {
        let samples = SyntheticSamples::new(options(999, 1), 1).unwrap();
        let mut mates: Vec<u32> = (0..999).map(|probe| samples.mate_of(probe).unwrap()).collect();
        let first_hundred = mates[..100].iter().filter(|mate| **mate < 333).count();
        assert!((25..=42).contains(&first_hundred), "spread over nested galleries: {first_hundred}");
        mates.sort_unstable();
        assert_eq!(mates, (0..999).collect::<Vec<u32>>());
        let mut others: Vec<u32> = (999..samples.probes()).map(|probe| samples.subject_of(probe)).collect();
        assert!((999..samples.probes()).all(|probe| samples.mate_of(probe).is_none()));
        others.dedup();
        assert_eq!(others.len(), 50);
        assert!(others.iter().all(|person| *person >= 999));
        let failed = (0..samples.probes()).filter(|probe| samples.probe(*probe).unwrap().is_none()).count();
        assert!(failed > 20 && failed < 200, "{failed}");
        assert!(samples.non_mated_pairs(300).unwrap().len() > 200);
    }

    #[test]
    fn columns_say_synthetic_and_fit_the_searches() {
        let samples = SyntheticSamples::new(options(600, 1), 1).unwrap();
        let probes: Vec<u32> = (0..samples.probes()).step_by(3).collect();
        let kinds = samples.kinds(&probes);
        assert_eq!((kinds.values.len(), kinds.of_searches.len()), (1, probes.len()), "one type only");
        let groups = samples.groups(&probes).unwrap();
        assert!(groups.name.contains("synthetic") && groups.values.len() == 3);
        assert_eq!((groups.of_searches.len(), groups.of_subjects.len()), (probes.len(), 600));
        for (probe, group) in probes.iter().zip(&groups.of_searches) {
            if let Some(mate) = samples.mate_of(*probe) {
                assert_eq!(*group, Some(groups.of_subjects[&mate]));
            }
        }
        let measures = samples.measures(&probes);
        assert!(measures[0].name.contains("synthetic") && measures[0].of_searches.len() == probes.len());
    }

    #[test]
    fn what_can_not_be_made_is_refused() {
        let refused = |change: &dyn Fn(&mut Options)| {
            let mut options = options(100, 1);
            change(&mut options);
            assert!(SyntheticSamples::new(options, 1).is_err());
        };
        refused(&|o| o.people = 0);
        refused(&|o| o.images = 65);
        refused(&|o| o.mates_among = 101);
        refused(&|o| (o.mated, o.non_mated) = (0, 0));
        refused(&|o| o.non_mated = u32::MAX);
        refused(&|o| o.dimension = 50);
        refused(&|o| o.dimension = 16);
        assert_ne!(options(100, 1).sha256().unwrap(), options(101, 1).sha256().unwrap());
    }
}
