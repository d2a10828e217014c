//! The search itself: score, join people, ask for more templates when a person with many references crowds others out.

use std::collections::HashMap;
use std::sync::Arc;

use crate::base::clock::Stopwatch;
use crate::base::ids::{GalleryName, ModelId, TemplateId};
use crate::base::limits::{CANDIDATES_MAX, TOP_K_MAX};
use crate::gallery::{Reference, Snapshot, Vault};
use crate::identify::mode::{self, Approximation, Mode};
use crate::identify::people::{Candidate, best_per_person, count_people};
use crate::identify::{Filter, IdentifyError};
use crate::records::GallerySeen;
use crate::scoring::batcher::{Ask, Batcher, Lane};
use crate::vector::scorer::{Scoring, Work};
use crate::vector::template::Template;
use crate::vector::topk::Scored;

/// Who belongs on a candidate list.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ListRule {
    /// Longest list, in people.
    pub people: usize,
    /// Lowest comparison score shown; `None` shows whatever is best.
    pub threshold: Option<f32>,
}

/// Candidate lists for the probes of one search.
#[derive(Debug, Clone)]
pub struct Identification {
    /// One list a probe, best first.
    pub lists: Vec<Vec<Candidate>>,
    /// What the scoring took.
    pub work: Work,
    /// Number of the gallery snapshot that was searched.
    pub snapshot: u64,
    /// What was in it.
    pub seen: GallerySeen,
    /// How it was approximate; `None` for an exact search.
    pub approximate: Option<Approximation>,
    /// Milliseconds spent on scoring.
    pub scoring_ms: f64,
    /// Milliseconds spent on joining templates into people.
    pub people_ms: f64,
}

/// What is asked of a gallery.
#[derive(Clone)]
pub struct Question {
    /// Which gallery.
    pub gallery: GalleryName,
    /// Which model made the probes.
    pub model: ModelId,
    /// The probes.
    pub probes: Vec<Template>,
    /// Who belongs on a list.
    pub rule: ListRule,
    /// Which part of the gallery; all of it without conditions.
    pub filter: Filter,
    /// Exact, or what an approximate answer is held to.
    pub mode: Mode,
}

/// The best templates for each probe, best first: what every search is made of.
///
/// # Errors
/// [`IdentifyError`]; a list is never silently short.
pub async fn best_templates(
    batcher: &Batcher,
    snapshot: &Arc<Snapshot>,
    mode: &Mode,
    probes: Arc<[Template]>,
    k: usize,
) -> Result<Scoring, IdentifyError> {
    let lane = Lane::of(probes.len());
    let ask = Ask { view: Arc::<Snapshot>::clone(snapshot), probes, k, lane };
    match mode::admit(mode, snapshot)? {
        None => Ok(batcher.top_k(ask).await?),
        Some(promise) => Ok(mode::score(&promise, Arc::clone(snapshot), ask).await?.0),
    }
}

/// Searches for each probe. Unless an approximate answer is asked for, exact: every live template of the part asked for is scored, and each person stands where
/// their best reference there puts them.
///
/// # Errors
/// [`IdentifyError`]; a list is never silently short.
pub async fn identify(vault: &Vault, batcher: &Batcher, question: Question) -> Result<Identification, IdentifyError> {
    let Question { gallery, model, probes, rule, filter, mode } = question;
    let gallery = &gallery;
    check_rule(rule)?;
    let snapshot = vault.snapshot(gallery).await?;
    check_model(gallery, snapshot.model(), &model)?;
    let promise = mode::admit(&mode, &snapshot)?;
    let mut approximate = None;
    let view = filter.view(vault, gallery, Arc::clone(&snapshot)).await?;
    let probes: Arc<[Template]> = probes.into();
    let lane = Lane::of(probes.len());
    let mut asked = (rule.people + rule.people / 2 + 8).min(TOP_K_MAX);
    let (mut scoring_ms, mut people_ms) = (0.0, 0.0);
    loop {
        let mut watch = Stopwatch::start();
        let ask = Ask { view: Arc::clone(&view), probes: Arc::clone(&probes), k: asked, lane };
        let scoring = match &promise {
            None => batcher.top_k(ask).await?,
            Some(promise) => {
                let (scoring, how) = mode::score(promise, Arc::clone(&snapshot), ask).await?;
                approximate = Some(how);
                scoring
            }
        };
        scoring_ms += watch.lap_ms();
        let references = references_of(vault, gallery, &scoring.lists).await?;
        let fewest = fewest_people_of_cut_lists(&scoring.lists, &references, asked, rule);
        people_ms += watch.lap_ms();
        if let Some(found) = fewest {
            if asked == TOP_K_MAX {
                return Err(IdentifyError::TooManyReferences { found, looked_at: asked, wanted: rule.people });
            }
            asked = (asked * 4).min(TOP_K_MAX);
            continue;
        }
        let list = |scored: &Vec<Scored>| best_per_person(scored, &references, rule.people, rule.threshold);
        let lists = scoring.lists.iter().map(list).collect();
        people_ms += watch.lap_ms();
        let seen = GallerySeen { last_template: snapshot.last_template(), live: snapshot.live() };
        let (work, snapshot) = (scoring.work, snapshot.number());
        return Ok(Identification { lists, work, snapshot, seen, approximate, scoring_ms, people_ms });
    }
}

fn check_rule(rule: ListRule) -> Result<(), IdentifyError> {
    if !(1..=CANDIDATES_MAX).contains(&rule.people) {
        return Err(IdentifyError::ListLength { asked: rule.people, most: CANDIDATES_MAX });
    }
    match rule.threshold {
        Some(threshold) if !(-1.0..=1.0).contains(&threshold) => Err(IdentifyError::Threshold(threshold)),
        Some(_) | None => Ok(()),
    }
}

/// Refuses to compare what two different models made.
///
/// # Errors
/// [`IdentifyError::OtherModel`], naming both.
pub fn check_model(gallery: &GalleryName, theirs: &ModelId, probe: &ModelId) -> Result<(), IdentifyError> {
    if theirs.hash == probe.hash {
        return Ok(());
    }
    let gallery = gallery.to_string();
    Err(IdentifyError::OtherModel { gallery, theirs: theirs.clone(), probe: probe.clone() })
}

/// Who is behind the templates of these lists, asked for in portions of the size that the vault allows.
pub(super) async fn references_of(
    vault: &Vault,
    gallery: &GalleryName,
    lists: &[Vec<Scored>],
) -> Result<HashMap<TemplateId, Reference>, IdentifyError> {
    let mut ids: Vec<TemplateId> = lists.iter().flatten().map(|scored| scored.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut references = HashMap::with_capacity(ids.len());
    for portion in ids.chunks(TOP_K_MAX) {
        references.extend(vault.references(gallery, portion).await?);
    }
    Ok(references)
}

/// Fewest people on any list that was cut off before it had enough of them above the threshold; `None` when none was.
fn fewest_people_of_cut_lists(
    lists: &[Vec<Scored>],
    references: &HashMap<TemplateId, Reference>,
    asked: usize,
    rule: ListRule,
) -> Option<usize> {
    let goes_on = |list: &&Vec<Scored>| {
        let above = |last: &Scored| rule.threshold.is_none_or(|threshold| last.score >= threshold);
        list.len() == asked && list.last().is_some_and(above)
    };
    let counts = lists.iter().filter(goes_on).map(|list| count_people(list, references));
    counts.filter(|&people| people < rule.people).min()
}
