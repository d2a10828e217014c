//! The searches of an evaluation: nested galleries as segments of a vault, exact scoring as for anybody else, and for each probe
//! its list and its score with the mate.

use std::sync::Arc;
use std::time::Instant;

use crate::base::ids::{GalleryName, ModelId, TemplateId};
use crate::base::limits::{PROBES_PER_SEARCH_MAX, TOP_K_MAX};
use crate::casework::enrol::blocking;
use crate::casework::evaluate::samples::Samples;
use crate::casework::evaluate::{RunFolder, Watch, bounds, store};
use crate::casework::{CaseworkError, Desk};
use crate::evaluation::assemble::PairScore;
use crate::evaluation::journal::Journal;
use crate::evaluation::random::Stream;
use crate::gallery::{GalleryError, ImportedReference, IndexRequest, Snapshot, TemplateImport};
use crate::graph::Policy;
use crate::graph::audit::Extent;
use crate::graph::build::{Plan, Step};
use crate::identify::search::best_templates;
use crate::identify::{Approach, Mode};
use crate::policy::DatedFacts;
use crate::segment::Precision;
use crate::vector::score::exact_score;
use crate::vector::template::Template;
use crate::vector::topk::Scored;

/// The file of searches.
pub const JOURNAL: &str = "searches.journal";
/// The graphs of an evaluation: those that `gallery index` builds unless asked otherwise.
const GRAPH_M: usize = 16;
const GRAPH_EF_CONSTRUCTION: usize = 128;
/// The audit is not what is asked for here, and short.
const AUDIT_PROBES: usize = 100;
/// One of the cosines that audits know; nothing is refused by it.
const AUDIT_COSINE: f32 = 0.6;
/// Bits of a journal's key for the number of a batch; those above tell gallery sizes and modes apart.
const BATCH_BITS: u32 = 40;

/// One search.
#[derive(Debug, Clone, PartialEq)]
pub struct Searched {
    /// Whether there was a template to search with.
    pub extracted: bool,
    /// Best score with a template of the mate, also past the list's end; `None` without one in the gallery.
    pub mate: Option<f32>,
    /// Row and score of each candidate, best first.
    pub candidates: Vec<(u64, f32)>,
}

/// What is searched.
#[derive(Clone)]
pub struct Series {
    /// People in the gallery.
    pub people: u32,
    /// Candidates on a list.
    pub list_length: usize,
    /// Whether a person stands on a list once, at their best template.
    pub join_people: bool,
    /// Exact or approximate.
    pub mode: Mode,
    /// Tells this series apart in the journal: 0 to 255.
    pub number: u64,
    /// Whether templates are synthetic.
    pub synthetic: bool,
}

/// How long batches took.
pub type BatchTimes = Vec<BatchTime>;

/// How long one batch took.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchTime {
    /// Searches in it.
    pub searches: usize,
    /// Those that had a template, and were scored.
    pub probes: usize,
    /// Milliseconds.
    pub ms: f64,
}

/// Makes the gallery of the first `people` people where it isn't there.
///
/// # Errors
/// What vault and samples say; that it is to end.
pub async fn gallery(
    desk: &Desk,
    model: &ModelId,
    samples: &Arc<dyn Samples>,
    people: u32,
    synthetic: bool,
    watch: &Watch,
) -> Result<GalleryName, CaseworkError> {
    let name: GalleryName = format!("people-{people}").parse()?;
    let rows = samples.rows_of(people);
    match desk.vault.snapshot(&name).await {
        Ok(snapshot) if rows_in(&snapshot) == rows => return Ok(name),
        // Made, and the import never came to count.
        Ok(_) => {}
        Err(GalleryError::NoGallery(_)) => {
            let precision = if synthetic { Precision::F16 } else { Precision::F32 };
            let purpose = "an evaluation's own gallery";
            desk.vault.create_gallery(&name, model, samples.dimension(), precision, purpose).await?;
        }
        Err(error) => return Err(error.into()),
    }
    let (source, watcher) = (Arc::clone(samples), watch.clone());
    let fill = move |row: u64, out: &mut [f32]| {
        let ended = watcher.at("making galleries", row, rows);
        ended.and_then(|()| source.row(row, out)).map_err(|error| error.to_string())
    };
    let imported = if synthetic {
        // A row that can't be made is left without a direction, which ends the import.
        desk.vault.import_synthetic(&name, rows, move |row, out| drop(fill(row, out)), |_| ()).await
    } else {
        let source = Arc::clone(samples);
        let describe = move |row: u64| {
            let subject =
                format!("person {}", source.person_of(row)).parse().map_err(|_| "a subject's number".to_owned())?;
            Ok(ImportedReference {
                subject,
                source: "evaluation".to_owned(),
                attributes: Vec::new(),
                about: DatedFacts::default(),
            })
        };
        let import = TemplateImport { gallery: name.clone(), model: model.clone(), count: rows, job: None };
        desk.vault.import_templates(import, fill, describe, |_| ()).await
    };
    match imported {
        Ok(_) => Ok(name),
        Err(error) => {
            watch.at("making galleries", rows, rows)?;
            Err(error.into())
        }
    }
}

fn rows_in(snapshot: &Snapshot) -> u64 {
    snapshot.rows().iter().map(|run| run.len() as u64).sum()
}

/// Searches with every probe that the journal has not yet. Gives what each batch took that was scored now.
///
/// # Errors
/// What scoring and journal say; that it is to end.
pub async fn search(
    desk: &Desk,
    samples: &Arc<dyn Samples>,
    gallery: &GalleryName,
    series: &Series,
    run: &RunFolder,
    watch: &Watch,
) -> Result<BatchTimes, CaseworkError> {
    let mut journal = Journal::open(&run.file(JOURNAL)).map_err(store)?;
    let snapshot = desk.vault.snapshot(gallery).await?;
    let finder = Finder::new(Arc::clone(&snapshot), Arc::clone(samples), series.people);
    let depth = depth(samples.as_ref(), series)?;
    let probes = samples.probes();
    let mut times = Vec::new();
    for (batch, first) in (0..probes).step_by(PROBES_PER_SEARCH_MAX).enumerate() {
        if let Err(stop) = watch.at("searching", u64::from(first), u64::from(probes)) {
            journal.sync().map_err(store)?;
            return Err(stop);
        }
        let key = series.number << BATCH_BITS | batch as u64;
        if journal.has(key) {
            continue;
        }
        let end = probes.min(first + PROBES_PER_SEARCH_MAX as u32);
        let templates = (first..end).map(|probe| samples.probe(probe)).collect::<Result<Vec<_>, _>>()?;
        let asked: Arc<[Template]> = templates.iter().flatten().cloned().collect();
        let (count, began) = (asked.len(), Instant::now());
        let mut lists = if count == 0 {
            Vec::new()
        } else {
            let scored = best_templates(&desk.engine.batcher, &snapshot, &series.mode, asked, depth).await;
            scored.map_err(CaseworkError::from)?.lists
        }
        .into_iter();
        times.push(BatchTime { searches: templates.len(), probes: count, ms: began.elapsed().as_secs_f64() * 1e3 });
        let searched = (first..end).zip(&templates).map(|(probe, template)| {
            let list = template.as_ref().and_then(|_| lists.next());
            finder.searched(probe, template.as_ref(), list, series)
        });
        let bytes = encode(&searched.collect::<Vec<_>>());
        journal.append(key, &bytes).map_err(store)?;
    }
    journal.sync().map_err(store)?;
    watch.at("searching", u64::from(probes), u64::from(probes))?;
    Ok(times)
}

/// Builds the gallery's graphs and gives the mode that searches by them, whatever their recall: that is what is to be measured.
///
/// # Errors
/// What building says; that it is to end.
pub async fn approximate(desk: &Desk, gallery: &GalleryName, ef: u32, watch: &Watch) -> Result<Mode, CaseworkError> {
    let threads = desk.scoring_threads();
    let progress = Arc::clone(&watch.progress);
    let request = IndexRequest {
        plan: Plan { m: GRAPH_M, ef_construction: GRAPH_EF_CONSTRUCTION, threads },
        extent: Extent { probes: AUDIT_PROBES, threads, ..Extent::default() },
        again: false,
        rows_min: 0,
        exhaustive: Arc::clone(&desk.engine.scorer),
        cancel: Arc::clone(&watch.stop),
        progress: Arc::new(move |_segment, step| match step {
            Step::Linking { done, rows } => progress.tell("linking", done, rows),
            Step::Mending => progress.tell("mending", 0, 1),
            Step::Auditing { done, probes } => progress.tell("auditing", done, probes),
        }),
    };
    desk.vault.index(gallery, request).await?;
    let policy = Policy { recall_min: 0.0, mate_cosine: AUDIT_COSINE };
    let exhaustive = Arc::clone(&desk.engine.scorer);
    Ok(Mode::Approximate(Approach { ef: Some(ef), policy, threads, exhaustive }))
}

/// `count` random pairs of a probe and somebody else in the gallery, drawn by `seed` and spread over all probes: what calibration
/// holds the mates' scores against. Probes without a template give none.
///
/// # Errors
/// What vault and samples say.
pub async fn non_mated_pairs(
    desk: &Desk,
    samples: &Arc<dyn Samples>,
    gallery: &GalleryName,
    people: u32,
    count: u32,
    seed: u64,
) -> Result<Vec<PairScore>, CaseworkError> {
    let snapshot = desk.vault.snapshot(gallery).await?;
    let finder = Finder::new(snapshot, Arc::clone(samples), people);
    let (probes, rows) = (samples.probes(), samples.rows_of(people));
    blocking(move || {
        let mut scores = Vec::with_capacity(count as usize);
        let mut held: Option<(u32, Option<Template>)> = None;
        for draw in 0..count {
            let mut stream = Stream::new(seed, u64::from(draw));
            let row = stream.bits() % rows.max(1);
            let probe = spread(draw, count, probes, stream.bits());
            // Draws come in the order of their probes, and templates of probes are read from disk.
            if held.as_ref().is_none_or(|(number, _)| *number != probe) {
                held = Some((probe, finder.samples.probe(probe)?));
            }
            let mate = finder.samples.mate_of(probe);
            let Some(template) = held.as_ref().and_then(|(_, template)| template.as_ref()) else { continue };
            if mate != Some(finder.samples.person_of(row)) {
                scores.extend(finder.score_of_row(template, row).map(|score| PairScore { probe, score }));
            }
        }
        Ok(scores)
    })
    .await?
}

/// The probe of a draw: each of `count` draws has its own stretch of the probes, in order, and one of it by chance where there
/// is more than one. Probes stand by kind, so the first ones would be of one kind.
fn spread(draw: u32, count: u32, probes: u32, chance: u64) -> u32 {
    let begin = |draw: u32| u64::from(draw) * u64::from(probes) / u64::from(count.max(1));
    let (first, end) = (begin(draw), begin(draw + 1));
    (first + chance % (end - first).max(1)) as u32
}

/// Templates to ask for, so that a list is never short of people.
pub(super) fn depth(samples: &dyn Samples, series: &Series) -> Result<usize, CaseworkError> {
    if !series.join_people {
        return Ok(series.list_length);
    }
    let rows = |person| samples.rows_of_person(person);
    let most = (0..series.people).map(|person| (rows(person).end - rows(person).start) as usize).max().unwrap_or(1);
    bounds::depth(series.list_length, most)
}

/// Puts lists in the form of the journal, and finds the mates' scores.
struct Finder {
    snapshot: Arc<Snapshot>,
    samples: Arc<dyn Samples>,
    people: u32,
    /// Template id of the first row: an import that was cut short leaves its ids unused.
    first: u64,
}

impl Finder {
    fn new(snapshot: Arc<Snapshot>, samples: Arc<dyn Samples>, people: u32) -> Self {
        let first = snapshot.rows().iter().find(|run| !run.is_empty()).map_or(1, |run| run.template_id(0).0);
        Self { snapshot, samples, people, first }
    }

    fn searched(
        &self,
        probe: u32,
        template: Option<&Template>,
        list: Option<Vec<Scored>>,
        series: &Series,
    ) -> Searched {
        let mate = self.samples.mate_of(probe).filter(|person| *person < self.people);
        let mate = template.zip(mate).and_then(|(template, person)| self.mate_score(template, person));
        let mut candidates: Vec<(u64, f32)> = Vec::with_capacity(series.list_length);
        let mut seen = Vec::new();
        for Scored { score, id } in list.unwrap_or_default() {
            if candidates.len() == series.list_length {
                break;
            }
            let row = id.0 - self.first;
            let person = self.samples.person_of(row);
            if series.join_people && seen.contains(&person) {
                continue;
            }
            seen.push(person);
            candidates.push((row, score));
        }
        // What an approximate search did not come by is not known to it.
        let approximate = !matches!(series.mode, Mode::Exact);
        let own = self.samples.mate_of(probe);
        let listed = || candidates.iter().find(|(row, _)| Some(self.samples.person_of(*row)) == own).map(|one| one.1);
        let mate = if approximate { mate.and_then(|_| listed()) } else { mate };
        Searched { extracted: template.is_some(), mate, candidates }
    }

    /// The best score with any template of a person, by the same arithmetic as the lists.
    fn mate_score(&self, probe: &Template, person: u32) -> Option<f32> {
        let scores = self.samples.rows_of_person(person).filter_map(|row| self.score_of_row(probe, row));
        scores.max_by(f32::total_cmp)
    }

    fn score_of_row(&self, probe: &Template, row: u64) -> Option<f32> {
        let mut before = 0;
        for run in self.snapshot.rows() {
            let inside = (row - before) as usize;
            if inside < run.len() {
                debug_assert_eq!(run.template_id(inside), TemplateId(row + self.first));
                let mut original = vec![0.0; probe.values().len()];
                run.original(inside, &mut original);
                return Some(exact_score(probe.values(), &original));
            }
            before += run.len() as u64;
        }
        None
    }
}

fn encode(searched: &[Searched]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Searched { extracted, mate, candidates } in searched {
        bytes.push(u8::from(*extracted) | u8::from(mate.is_some()) << 1);
        bytes.extend(mate.unwrap_or_default().to_le_bytes());
        bytes.extend((candidates.len() as u32).to_le_bytes());
        for (row, score) in candidates {
            bytes.extend(row.to_le_bytes());
            bytes.extend(score.to_le_bytes());
        }
    }
    bytes
}

fn decode(mut bytes: &[u8]) -> Option<Vec<Searched>> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let kind = *bytes.split_off_first()?;
        let mate = f32::from_le_bytes(take(&mut bytes)?);
        let count = u32::from_le_bytes(take(&mut bytes)?) as usize;
        let mut candidates = Vec::with_capacity(count.min(TOP_K_MAX));
        for _ in 0..count {
            candidates.push((u64::from_le_bytes(take(&mut bytes)?), f32::from_le_bytes(take(&mut bytes)?)));
        }
        all.push(Searched { extracted: kind & 1 != 0, mate: (kind & 2 != 0).then_some(mate), candidates });
    }
    Some(all)
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (first, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*first)
}

/// Hands the searches of a series out, in the order of their probes.
///
/// # Errors
/// When one is missing or can't be read.
pub fn each(
    journal: &Journal,
    series: u64,
    probes: u32,
    mut visit: impl FnMut(u32, Searched) -> Result<(), CaseworkError>,
) -> Result<(), CaseworkError> {
    for (batch, first) in (0..probes).step_by(PROBES_PER_SEARCH_MAX).enumerate() {
        let bytes = journal.get(series << BATCH_BITS | batch as u64).map_err(store)?;
        let damaged = || CaseworkError::Stopped(format!("batch {batch} of the searches can't be read"));
        let searched = bytes.as_deref().and_then(decode).ok_or_else(damaged)?;
        for (probe, searched) in (first..).zip(searched) {
            visit(probe, searched)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn draws_are_spread_over_all_probes(count in 1_u32..500, probes in 1_u32..500, seed in any::<u64>()) {
            let drawn: Vec<u32> = (0..count).map(|draw| spread(draw, count, probes, Stream::new(seed, u64::from(draw)).bits())).collect();
            prop_assert!(drawn.is_sorted() && drawn.iter().all(|probe| *probe < probes));
            // However the probes are cut into stretches, each has its share of the draws, but for those at its ends.
            for (begin, end) in [(0, probes / 2), (probes / 3, probes)] {
                let found = drawn.iter().filter(|probe| (begin..end).contains(*probe)).count() as f64;
                let share = f64::from(count) * f64::from(end - begin) / f64::from(probes);
                let each = (f64::from(count) / f64::from(probes)).ceil() + 1.0;
                prop_assert!((found - share).abs() <= 2.0 * each, "{found} of {share}");
            }
        }

        #[test]
        fn what_the_journal_keeps_comes_back(all in prop::collection::vec(
            (any::<bool>(), prop::option::of(-1.0..1.0_f32), prop::collection::vec((any::<u64>(), -1.0..1.0_f32), 0..9)), 0..9,
        )) {
            let all: Vec<Searched> = all
                .into_iter()
                .map(|(extracted, mate, candidates)| Searched { extracted, mate, candidates })
                .collect();
            let bytes = encode(&all);
            prop_assert_eq!(decode(&bytes), Some(all));
            if bytes.len() > 1 {
                prop_assert_eq!(decode(&bytes[..bytes.len() - 1]), None);
            }
        }
    }
}
