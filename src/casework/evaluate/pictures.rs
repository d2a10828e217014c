//! An evaluation on pictures: which are taken, which become the gallery, which are searched with.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use crate::base::ids::ModelId;
use crate::base::program::Program;
use crate::casework::enrol::blocking;
use crate::casework::evaluate::bounds::Wanted;
use crate::casework::evaluate::extract::{self, Item, MEASURES, Pictures, Taken};
use crate::casework::evaluate::samples::{Samples, sizes_apart, sizes_joined};
use crate::casework::evaluate::searches::{self, BatchTimes, Series};
use crate::casework::evaluate::{JOURNALS, RunFolder, RunKey, Watch, present, timing};
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::assemble::PairScore;
use crate::evaluation::journal::Journal;
use crate::evaluation::manifest::Manifest;
use crate::evaluation::protocol::{Enrolment, Protocol, Split};
use crate::evaluation::results::TimedBatches;
use crate::identify::Mode;
use crate::settings::Settings;
use crate::vector::dimension::Dimension;
use crate::vector::template::Template;
use crate::vision::degrade::Preset;

/// The journal's number of the approximate searches.
pub(super) const APPROXIMATE_SERIES: u64 = 200;
/// Random non-mated pairs that calibration looks at.
const CALIBRATION_PAIRS: u32 = 50_000;
const READING: &str = "reading templates";

/// What is to be measured on pictures.
#[derive(Debug, Clone)]
pub struct PicturePlan {
    /// The pictures.
    pub manifest: Manifest,
    /// Who is enrolled, and who is searched for.
    pub protocol: Protocol,
    /// Degradations: each probe is searched with as it is, and once more for each of these.
    pub degraded: Vec<Preset>,
    /// Candidates on a list.
    pub list_length: usize,
    /// Searches the whole gallery by graphs as well, with so many rows in view.
    pub approximate: Option<u32>,
    /// Whether scores are calibrated as likelihood ratios.
    pub calibrate: bool,
    /// Where everything goes.
    pub folder: PathBuf,
    /// What measures, for the identity card.
    pub program: Program,
}

impl PicturePlan {
    /// Whether a person stands on a list once, with however many pictures.
    pub(super) fn joins_people(&self) -> bool {
        self.protocol.enrolment != Enrolment::Unconsolidated
    }
}

/// A search with a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct PictureProbe {
    /// Place in the manifest.
    pub image: usize,
    /// How it was made poor.
    pub degraded: Option<Preset>,
    /// Person of the gallery who is to be found.
    pub mate: Option<u32>,
    /// Measures of the face; `None` after a failure to extract.
    pub measures: Option<[f32; MEASURES.len()]>,
    /// Why there is no template.
    pub failure: Option<String>,
}

/// Everything that was done, before any figure is worked out.
pub struct PictureRun {
    /// Where it lies.
    pub run: RunFolder,
    /// Who did what.
    pub split: Split,
    /// Sizes of the nested galleries, as people who were meant to be in them; those that differ by somebody enrolled.
    pub sizes: Vec<u32>,
    /// The model.
    pub model: ModelId,
    /// Numbers in a template.
    pub dimension: Dimension,
    /// The searches, in order.
    pub probes: Vec<PictureProbe>,
    /// Gallery pictures that could not be enrolled: place in the manifest, and why.
    pub not_enrolled: Vec<(usize, String)>,
    /// The samples.
    pub samples: Arc<PictureSamples>,
    /// Random non-mated pairs, for calibration.
    pub non_mated_pairs: Vec<PairScore>,
    /// What each batch took, by people in the gallery; of those that were scored in this run.
    pub times: Vec<(u64, BatchTimes)>,
    /// Batches of other sizes, timed when the searches were done.
    pub timed: Vec<TimedBatches>,
    /// What scored.
    pub back_end: String,
    /// One number for the bytes of all pictures that were taken, and one for what they look like.
    pub pictures: Pictures,
}

/// Takes the run's folder, after everything that can be refused was looked at.
///
/// # Errors
/// [`CaseworkError`].
pub(super) async fn begin(
    settings: &Settings,
    plan: &Arc<PicturePlan>,
    watch: &Watch,
) -> Result<(RunFolder, Split), CaseworkError> {
    let split = plan.protocol.split(&plan.manifest)?;
    wanted(plan, &split).check()?;
    let (looked, waiting) = (Arc::clone(plan), watch.clone());
    blocking(move || present::check(&looked.manifest, &waiting)).await??;
    let catalogue = crate::casework::desk::catalogue_of(settings)?;
    let set = catalogue.set(&settings.models.set)?;
    Ok((RunFolder::take(&plan.folder, &key(plan, &set.id()))?, split))
}

/// Takes templates, makes galleries and searches, as far as that is not done yet.
///
/// # Errors
/// [`CaseworkError`]; after an interruption the same call goes on.
pub(super) async fn run(
    settings: &Settings,
    plan: &PicturePlan,
    split: Split,
    run: RunFolder,
    watch: &Watch,
) -> Result<PictureRun, CaseworkError> {
    let desk = run.desk(settings).await?;
    let done = run_at(&desk, plan, split, run, watch).await;
    desk.vault.clone().close().await;
    done
}

fn wanted(plan: &PicturePlan, split: &Split) -> Wanted {
    let most = split.gallery.iter().map(Vec::len).max().unwrap_or(1);
    let probes = (split.mated.len() + split.non_mated.len()) as u64;
    Wanted {
        sizes: split.sizes.len(),
        list_length: plan.list_length,
        images_joined: if plan.joins_people() { most } else { 1 },
        searches: probes * (1 + plan.degraded.len() as u64),
    }
}

fn key(plan: &PicturePlan, model: &ModelId) -> RunKey {
    let degraded: Vec<&str> = plan.degraded.iter().map(|preset| preset.name()).collect();
    RunKey {
        data_sha256: plan.manifest.sha256.clone(),
        model_sha256: crate::base::hex::encode(&model.hash),
        settings: json!({
            "protocol": plan.protocol, "list_length": plan.list_length, "degraded": degraded, "approximate": plan.approximate, "kind": "pictures",
            "journals": JOURNALS,
        }),
    }
}

async fn run_at(
    desk: &Desk,
    plan: &PicturePlan,
    split: Split,
    run: RunFolder,
    watch: &Watch,
) -> Result<PictureRun, CaseworkError> {
    let vision = desk.default_vision().await?;
    let (items, probes) = items(plan, &split);
    let (seed, threads) = (plan.protocol.seed, desk.vision_threads());
    let pictures = items.iter().filter(|item| item.degraded.is_none()).count();
    let journal = extract::extract(&vision, items, &run, threads, seed, watch).await?;
    let (dimension, waiting) = (vision.dimension(), watch.clone());
    let taken = blocking(move || {
        let mut probes = probes;
        let seen = extract::pictures_of(&journal, pictures, &waiting)?;
        let (samples, not_enrolled) = PictureSamples::new(journal, &split, &mut probes, dimension, &waiting)?;
        Ok::<_, CaseworkError>((split, probes, seen, Arc::new(samples), not_enrolled))
    });
    let (mut split, probes, pictures, samples, not_enrolled) = taken.await??;
    let model = vision.model().clone();
    let (mut times, mut timed, mut non_mated_pairs) = (Vec::new(), Vec::new(), Vec::new());
    let source: Arc<dyn Samples> = Arc::<PictureSamples>::clone(&samples);
    somebody_enrolled(source.as_ref(), &not_enrolled)?;
    let sizes = sizes_apart(source.as_ref(), split.sizes.iter().map(|&size| size as u32))?;
    split.exclusions.extend(sizes_joined(split.sizes.len(), sizes.len()));
    for (number, &people) in sizes.iter().enumerate() {
        let gallery = searches::gallery(desk, &model, &source, people, false, watch).await?;
        let series = Series {
            people,
            list_length: plan.list_length,
            join_people: plan.joins_people(),
            mode: Mode::Exact,
            number: number as u64,
            synthetic: false,
        };
        let enrolled = source.enrolled_of(people);
        times.push((enrolled, searches::search(desk, &source, &gallery, &series, &run, watch).await?));
        timed.extend(timing::time(desk, &source, &gallery, &series, (seed, sizes.len()), watch).await?);
        if plan.calibrate && number + 1 == sizes.len() {
            let drawn = searches::non_mated_pairs(desk, &source, &gallery, people, CALIBRATION_PAIRS, seed);
            non_mated_pairs = drawn.await?;
        }
        if let Some(ef) = plan.approximate.filter(|_| number + 1 == sizes.len()) {
            let mode = searches::approximate(desk, &gallery, ef, watch).await?;
            let series = Series { mode, number: APPROXIMATE_SERIES, ..series };
            searches::search(desk, &source, &gallery, &series, &run, watch).await?;
        }
    }
    let back_end = desk.engine.scorer.name();
    Ok(PictureRun {
        run,
        split,
        sizes,
        model,
        dimension,
        probes,
        not_enrolled,
        samples,
        non_mated_pairs,
        times,
        timed,
        back_end,
        pictures,
    })
}

fn somebody_enrolled(samples: &dyn Samples, not_enrolled: &NotEnrolled) -> Result<(), CaseworkError> {
    if samples.rows_of(samples.people()) > 0 {
        return Ok(());
    }
    Err(CaseworkError::Stopped(format!(
        "none of the {} people of the gallery could be enrolled; the first reason: {}",
        samples.people(),
        not_enrolled.first().map_or("", |(_, reason)| reason.as_str())
    )))
}

/// The pictures, in the order in which they are taken: those of the gallery, then those of the searches.
pub(super) fn paths(plan: &PicturePlan, split: &Split) -> Vec<PathBuf> {
    let (items, _) = items(plan, split);
    items.into_iter().filter(|item| item.degraded.is_none()).map(|item| item.path).collect()
}

/// Gallery pictures first, then each probe as it is, then each degradation of all.
fn items(plan: &PicturePlan, split: &Split) -> (Vec<Item>, Vec<PictureProbe>) {
    let path = |image: usize| plan.manifest.images.get(image).map(|entry| entry.path.clone()).unwrap_or_default();
    let gallery =
        split.gallery.iter().flatten().map(|&image| Item { path: path(image), gallery: true, degraded: None });
    let mut items: Vec<Item> = gallery.collect();
    let mut person_of = vec![None; plan.manifest.subjects.len()];
    for (person, subject) in split.enrolled.iter().enumerate() {
        if let Some(slot) = person_of.get_mut(*subject as usize) {
            *slot = Some(person as u32);
        }
    }
    let mut probes = Vec::new();
    for degraded in std::iter::once(None).chain(plan.degraded.iter().copied().map(Some)) {
        for &image in split.mated.iter().chain(&split.non_mated) {
            let subject = plan.manifest.images.get(image).map_or(0, |entry| entry.subject);
            let mate = person_of.get(subject as usize).copied().flatten();
            items.push(Item { path: path(image), gallery: false, degraded });
            probes.push(PictureProbe { image, degraded, mate, measures: None, failure: None });
        }
    }
    (items, probes)
}

/// Templates of pictures, as the journal has them.
pub struct PictureSamples {
    journal: Journal,
    dimension: Dimension,
    /// The journal's item of each row.
    rows: Vec<u32>,
    /// The person of each row.
    people: Vec<u32>,
    /// First row of each person, and one past the last.
    starts: Vec<u64>,
    /// The journal's item of each probe; `None` after a failure to extract.
    probes: Vec<Option<u32>>,
    mates: Vec<Option<u32>>,
}

/// Gallery pictures that could not be enrolled: place in the manifest, and why.
type NotEnrolled = Vec<(usize, String)>;

impl PictureSamples {
    fn new(
        journal: Journal,
        split: &Split,
        probes: &mut [PictureProbe],
        dimension: Dimension,
        watch: &Watch,
    ) -> Result<(Self, NotEnrolled), CaseworkError> {
        let (mut rows, mut people, mut starts, mut not_enrolled) = (Vec::new(), Vec::new(), vec![0], Vec::new());
        let mut item = 0;
        for (person, images) in split.gallery.iter().enumerate() {
            watch.at(READING, person as u64, split.gallery.len() as u64)?;
            for &image in images {
                match extract::taken(&journal, item)? {
                    Taken::Template { .. } => {
                        rows.push(item as u32);
                        people.push(person as u32);
                    }
                    Taken::Failed(reason) => not_enrolled.push((image, reason)),
                }
                item += 1;
            }
            starts.push(rows.len() as u64);
        }
        let (mut taken, all) = (Vec::with_capacity(probes.len()), probes.len() as u64);
        for probe in probes.iter_mut() {
            watch.at(READING, taken.len() as u64, all)?;
            match extract::taken(&journal, item)? {
                Taken::Template { measures, .. } => {
                    probe.measures = Some(measures);
                    taken.push(Some(item as u32));
                }
                Taken::Failed(reason) => {
                    probe.failure = Some(reason);
                    taken.push(None);
                }
            }
            item += 1;
        }
        let mates = probes.iter().map(|probe| probe.mate).collect();
        Ok((Self { journal, dimension, rows, people, starts, probes: taken, mates }, not_enrolled))
    }

    fn values(&self, item: u32) -> Result<Vec<f32>, CaseworkError> {
        match extract::taken(&self.journal, item as usize)? {
            Taken::Template { values, .. } => Ok(values),
            Taken::Failed(_) => Err(CaseworkError::Stopped(format!("picture {item} has no template"))),
        }
    }
}

impl Samples for PictureSamples {
    fn dimension(&self) -> Dimension {
        self.dimension
    }

    fn people(&self) -> u32 {
        self.starts.len() as u32 - 1
    }

    fn rows_of(&self, people: u32) -> u64 {
        self.starts.get(people as usize).copied().unwrap_or(self.rows.len() as u64)
    }

    fn person_of(&self, row: u64) -> u32 {
        self.people.get(row as usize).copied().unwrap_or(u32::MAX)
    }

    fn rows_of_person(&self, person: u32) -> Range<u64> {
        let at = |place: usize| self.starts.get(place).copied().unwrap_or(self.rows.len() as u64);
        at(person as usize)..at(person as usize + 1)
    }

    fn row(&self, row: u64, out: &mut [f32]) -> Result<(), CaseworkError> {
        let item = self.rows.get(row as usize).copied().unwrap_or(u32::MAX);
        out.copy_from_slice(&self.values(item)?);
        Ok(())
    }

    fn probes(&self) -> u32 {
        self.probes.len() as u32
    }

    fn mate_of(&self, probe: u32) -> Option<u32> {
        self.mates.get(probe as usize).copied().flatten()
    }

    fn probe(&self, probe: u32) -> Result<Option<Template>, CaseworkError> {
        let Some(item) = self.probes.get(probe as usize).copied().flatten() else { return Ok(None) };
        let template = Template::from_unit(self.values(item)?);
        template.map(Some).map_err(|error| CaseworkError::Stopped(error.to_string()))
    }
}
