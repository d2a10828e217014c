//! Searching: pictures in, candidate lists out, a record of it before anything is shown.

use std::sync::Arc;

use crate::audit::{Caller, Detail, Happening, Kind, Outcome, Who};
use crate::base::clock::{Stopwatch, now_rfc3339};
use crate::base::ids::{GalleryName, ModelId};
use crate::base::text::printable;
use crate::casework::access::require;
use crate::casework::enrol::{blocking, hash, in_parallel, in_words};
use crate::casework::eyes::Eyes;
use crate::casework::faces::{FaceChoice, choose};
use crate::casework::governing::{InForce, in_force};
use crate::casework::operating_points::{Cited, Scope, ThresholdChoice, resolve};
use crate::casework::probes::Keeping;
use crate::casework::submissions::{self, SubmissionError};
use crate::casework::unsolved;
use crate::casework::{CaseworkError, Desk};
use crate::identify::{Approximation, Candidate, Filter, Identification, ListRule, Question, identify};
use crate::policy::{NotAdmitted, Policy, Stated, TwoPersonAct};
use crate::records::{FaceBox, GallerySeen, RecordedCandidate, SearchOf, SearchRecord, Statement};
use crate::rights::Permission;
use crate::vector::scorer::Work;
use crate::vector::template::Template;
use crate::vision::pipeline::{Analysis, Face, Stages};

/// A picture to search with.
#[derive(Debug, Clone)]
pub struct ProbePicture {
    /// File name or the like.
    pub name: String,
    /// The picture.
    pub bytes: Arc<[u8]>,
}

/// Who asks for what.
#[derive(Debug, Clone)]
pub struct SearchRequest {
    /// Gallery to search.
    pub gallery: GalleryName,
    /// Probe pictures.
    pub pictures: Vec<ProbePicture>,
    /// Or whose they are that are searched with.
    pub of: Option<SearchOf>,
    /// Which faces of each.
    pub faces: FaceChoice,
    /// Longest list, in people.
    pub people: usize,
    /// What decides the lowest score shown.
    pub threshold: ThresholdChoice,
    /// Which part of the gallery.
    pub filter: Filter,
    /// Exact unless asked otherwise.
    pub mode: ModeChoice,
    /// What for, on what basis, of which case.
    pub stated: Stated,
    /// Who asks.
    pub caller: Caller,
}

/// What a request says about exactness; the settings say what an approximate answer is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ModeChoice {
    /// Every template is compared.
    #[default]
    Exact,
    /// Graphs may answer, with so many rows in view; `None` for the fewest that keep the policy.
    Approximate(Option<u32>),
}

impl ModeChoice {
    /// From the name of a mode and an ef, as flags and fields have them.
    ///
    /// # Errors
    /// In words, when there is no such mode or the exact one is given an ef.
    pub fn of(mode: Option<&str>, ef: Option<u32>) -> Result<Self, String> {
        match (mode.unwrap_or("exact"), ef) {
            ("approximate", ef) => Ok(Self::Approximate(ef)),
            ("exact", None) => Ok(Self::Exact),
            ("exact", Some(_)) => Err("an ef belongs to the mode approximate: an exact search has none".to_owned()),
            (other, _) => {
                let shown: String = other.chars().take(40).collect();
                Err(format!("there is no mode {shown:?}: use exact or approximate"))
            }
        }
    }
}

/// One face that was searched for.
#[derive(Debug, Clone)]
pub struct ProbeAnswer {
    /// Number of the search in the records: each probe is a search of its own.
    pub search: i64,
    /// Number of the face in the picture, from 1, largest first.
    pub face_number: usize,
    /// The face.
    pub face: Face,
    /// The candidate list.
    pub candidates: Vec<Candidate>,
}

/// What one picture gave.
#[derive(Debug, Clone)]
pub struct PictureAnswer {
    /// As given.
    pub name: String,
    /// sha256 of its bytes.
    pub sha256: [u8; 32],
    /// Width in pixels of the upright picture; 0 when it could not be read.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Faces found, whether or not they were searched for; `None` when the picture could not be read.
    pub faces_found: Option<usize>,
    /// What is wrong with the picture as a whole, in words: a file that ends early, say.
    pub warnings: Vec<String>,
    /// Faces searched for.
    pub probes: Vec<ProbeAnswer>,
    /// Failure to extract, in words: no probe was taken from this picture.
    pub failure: Option<String>,
    /// Milliseconds of the vision stages.
    pub stages: Stages,
}

/// The answer to a search.
#[derive(Debug, Clone)]
pub struct Answer {
    /// When, UTC.
    pub at: String,
    /// Gallery searched.
    pub gallery: GalleryName,
    /// Model of gallery and probes.
    pub model: ModelId,
    /// Number of the gallery snapshot searched.
    pub snapshot: u64,
    /// What was in that.
    pub seen: GallerySeen,
    /// Longest list, in people.
    pub people: usize,
    /// Which part of it was searched, as the record has it; `None` for all of it.
    pub restriction: Option<String>,
    /// Lowest comparison score shown; `None` where the best are, whatever their score.
    pub threshold: Option<f32>,
    /// The operating point that gave the threshold, if one did.
    pub operating_point: Option<Cited>,
    /// What the scoring took.
    pub work: Work,
    /// How the answer is approximate; `None` for an exact one.
    pub approximate: Option<Approximation>,
    /// One entry a picture, in order.
    pub pictures: Vec<PictureAnswer>,
    /// Milliseconds of loading the models, which only the first search of a process needs.
    pub models_ms: f64,
    /// Milliseconds of scoring, of joining people, and of everything from picture to answer.
    pub scoring_ms: f64,
    /// See `scoring_ms`.
    pub people_ms: f64,
    /// See `scoring_ms`.
    pub total_ms: f64,
}

/// Searches. Pictures without a usable face are described in the answer and do not stop the others. `seen` is called as
/// soon as the pictures are not needed any more: what follows needs little memory and shares its passes with others.
///
/// # Errors
/// [`CaseworkError`]; [`CaseworkError::NoProbe`] when no picture gave a probe.
pub async fn search(desk: &Desk, mut request: SearchRequest, seen: impl FnOnce()) -> Result<Answer, CaseworkError> {
    let mut total = Stopwatch::start();
    // Before anybody's face is looked at.
    let policy = in_force(&desk.vault).await?;
    may_choose(desk, &request, &policy).await?;
    let statement = admit(desk, &request, &policy).await?;
    if let Some(of) = request.of {
        if !request.pictures.is_empty() {
            return Err(SubmissionError::OtherPictures.into());
        }
        request.pictures = match of {
            SearchOf::Submission(id) => submissions::to_search(desk, &request.caller, id).await?,
            SearchOf::Unsolved(id) => unsolved::to_search(desk, &request.caller, id).await?,
        };
    }
    let chosen = chosen_threshold(&request, &policy.policy);
    exact_for_points(&chosen, request.mode)?;
    let approved_only = request.caller.identity().is_some() && policy.policy.takes_two(TwoPersonAct::OperatingPoint);
    let operating_point = resolve(desk, &request.gallery, &chosen, approved_only).await?;
    let threshold = match &chosen {
        ThresholdChoice::Score(score) => Some(*score),
        ThresholdChoice::None | ThresholdChoice::Point(..) | ThresholdChoice::TargetFpir(..) => {
            operating_point.as_ref().map(|cited| cited.point.search_threshold())
        }
    };
    let rule = ListRule { people: request.people, threshold };
    let mut models = Stopwatch::start();
    let vision = desk.vision_for(&request.gallery).await?;
    let loaded = (vision, models.lap_ms());
    let keeping = Keeping::begin(desk, &request, statement.as_ref().map(|_| &policy.policy));
    let caller = request.caller.clone();
    let found = look_and_compare(desk, request, loaded, rule, operating_point, seen).await;
    let mut answer = match found {
        Ok(answer) => answer,
        Err(error) => {
            keeping.let_go().await;
            return Err(error);
        }
    };
    answer.total_ms = total.lap_ms();
    // Nothing is shown without a record: the record comes first, and an answer that can't be recorded is not given.
    let numbers = keeping.record(records_of(&answer, caller.who(), statement.as_ref())).await?;
    for (probe, number) in answer.pictures.iter_mut().flat_map(|picture| &mut picture.probes).zip(numbers) {
        probe.search = number;
    }
    answer.total_ms += total.lap_ms();
    Ok(answer)
}

/// From pictures to candidate lists, which are not recorded yet.
async fn look_and_compare(
    desk: &Desk,
    request: SearchRequest,
    (vision, models_ms): (Arc<Eyes>, f64),
    rule: ListRule,
    operating_point: Option<Cited>,
    seen: impl FnOnce(),
) -> Result<Answer, CaseworkError> {
    let threshold = rule.threshold;
    let mut pictures = analyse(Arc::clone(&vision), request.pictures, request.faces, desk.vision_threads()).await?;
    seen();
    let templates = pictures.iter().flat_map(|picture| &picture.probes).map(|probe| probe.face.template.clone());
    let templates: Vec<Template> = templates.collect();
    if templates.is_empty() {
        return Err(CaseworkError::NoProbe(failures(&pictures)));
    }
    let restriction = request.filter.for_the_record();
    let question = Question {
        gallery: request.gallery.clone(),
        model: vision.model().clone(),
        probes: templates,
        rule,
        filter: request.filter,
        mode: desk.mode(request.mode),
    };
    let found = identify(&desk.vault, &desk.engine.batcher, question).await?;
    let Identification { lists, work, snapshot, seen: gallery_seen, approximate, scoring_ms, people_ms } = found;
    for (probe, list) in pictures.iter_mut().flat_map(|picture| &mut picture.probes).zip(lists) {
        probe.candidates = list;
    }
    Ok(Answer {
        at: now_rfc3339(),
        gallery: request.gallery,
        model: vision.model().clone(),
        snapshot,
        seen: gallery_seen,
        people: rule.people,
        restriction,
        threshold,
        operating_point,
        work,
        approximate,
        pictures,
        models_ms,
        scoring_ms,
        people_ms,
        total_ms: 0.0,
    })
}

/// Refuses an operating point for an approximate search: its rates are of exact ones.
fn exact_for_points(threshold: &ThresholdChoice, mode: ModeChoice) -> Result<(), CaseworkError> {
    match (threshold, mode) {
        (ThresholdChoice::Point(..) | ThresholdChoice::TargetFpir(..), ModeChoice::Approximate(_)) => {
            Err(CaseworkError::PointIsExact)
        }
        (ThresholdChoice::None | ThresholdChoice::Score(_), _)
        | (ThresholdChoice::Point(..) | ThresholdChoice::TargetFpir(..), ModeChoice::Exact) => Ok(()),
    }
}

/// The threshold that is asked for; to users who ask for none, the policy may have one.
fn chosen_threshold(request: &SearchRequest, policy: &Policy) -> ThresholdChoice {
    let default = &policy.thresholds.default_point;
    let for_them = request.caller.identity().is_some() && !default.is_empty();
    if for_them && request.threshold == ThresholdChoice::None {
        return ThresholdChoice::Point(default.clone(), Scope::default());
    }
    request.threshold.clone()
}

/// Refuses a threshold by its number to who may not give one, which a key can leave out of what its owner may: however the search came
/// here. The policy has its own say on roles.
async fn may_choose(desk: &Desk, request: &SearchRequest, policy: &InForce) -> Result<(), CaseworkError> {
    if !matches!(request.threshold, ThresholdChoice::Score(_)) {
        return Ok(());
    }
    if let Err(refused) = require(&request.caller, Permission::SearchThreshold, Some(&request.gallery)) {
        tell_refusal(desk, request, policy, "not-allowed").await?;
        return Err(refused);
    }
    Ok(())
}

/// That a search was refused, by the name of why.
async fn tell_refusal(
    desk: &Desk,
    request: &SearchRequest,
    policy: &InForce,
    why: &'static str,
) -> Result<(), CaseworkError> {
    let mut happening = Happening::new(Kind::SearchRun).with("policy", Detail::Hash(policy.sha256));
    // Only of galleries that there are: anything may have been typed.
    if desk.vault.knows(&request.gallery).await? {
        happening = happening.of(&request.gallery);
    }
    let happening = happening.with("refusal", Detail::Word(why)).ended(Outcome::Refused);
    Ok(desk.vault.acting_for(&request.caller).tell(&happening).await?)
}

/// Holds what the search states against the policy, by the roles of whoever asks. Who is no user (the account that owns the
/// data folder) may state nothing, unless it is for a submission; whoever states something must state what the policy wants. A refusal is told.
async fn admit(desk: &Desk, request: &SearchRequest, in_force: &InForce) -> Result<Option<Statement>, CaseworkError> {
    let (caller, policy) = (&request.caller, &in_force.policy);
    if request.stated.count() == 0 && caller.identity().is_none() && request.of.is_none() {
        return Ok(None);
    }
    let roles = caller.identity().map(|_user| caller.roles_for(Permission::SearchRun, Some(&request.gallery)));
    let admitted = policy.admit(&request.stated, &request.gallery, roles).and_then(|most| {
        let asked = u32::try_from(request.people).unwrap_or(u32::MAX);
        if asked > most {
            return Err(NotAdmitted::ListLength { most });
        }
        request.stated.authorised_by_another(&caller.who().actor)?;
        let bare = matches!(request.threshold, ThresholdChoice::Score(_));
        if bare { policy.admit_threshold(roles) } else { Ok(()) }
    });
    match admitted {
        Ok(()) => {
            let line = |text: Option<String>| text.map(|text| printable(&text));
            let mut stated = request.stated.trimmed();
            stated.case_ref = line(stated.case_ref);
            stated.reason = line(stated.reason);
            Ok(Some(Statement { stated, policy_sha256: in_force.sha256, of: request.of }))
        }
        Err(refused) => {
            tell_refusal(desk, request, in_force, refused.kind()).await?;
            Err(refused.into())
        }
    }
}

async fn analyse(
    vision: Arc<Eyes>,
    pictures: Vec<ProbePicture>,
    faces: FaceChoice,
    threads: usize,
) -> Result<Vec<PictureAnswer>, CaseworkError> {
    blocking(move || {
        let one = |place: usize| pictures.get(place).map(|picture| analyse_one(&vision, picture, faces));
        in_parallel(pictures.len(), threads, one).into_iter().flatten().collect()
    })
    .await
}

fn analyse_one(vision: &Eyes, picture: &ProbePicture, faces: FaceChoice) -> PictureAnswer {
    let (sha256, name) = (hash(&picture.bytes), picture.name.clone());
    let failed = |failure: String, faces_found| {
        let (probes, stages, failure) = (Vec::new(), Stages::default(), Some(failure));
        let warnings = Vec::new();
        PictureAnswer {
            name: name.clone(),
            sha256,
            width: 0,
            height: 0,
            faces_found,
            warnings,
            probes,
            failure,
            stages,
        }
    };
    let Analysis { width, height, faces: found, stages, warnings, format: _ } = match vision.analyse(&picture.bytes) {
        Ok(analysis) => analysis,
        Err(error) => return failed(in_words(&error), None),
    };
    if found.is_empty() {
        return failed("no face found".to_owned(), Some(0));
    }
    let places = match choose(&found, faces) {
        Ok(places) => places,
        Err(error) => return failed(error.to_string(), Some(found.len())),
    };
    let answer = |place: usize| {
        let face = found.get(place)?.clone();
        Some(ProbeAnswer { search: 0, face_number: place + 1, face, candidates: Vec::new() })
    };
    let probes = places.into_iter().filter_map(answer).collect();
    PictureAnswer {
        name,
        sha256,
        width,
        height,
        faces_found: Some(found.len()),
        warnings,
        probes,
        failure: None,
        stages,
    }
}

fn failures(pictures: &[PictureAnswer]) -> String {
    let reasons = pictures.iter().map(|picture| {
        let reason = picture.failure.as_deref().unwrap_or("no face chosen");
        format!("{}: {reason}", picture.name)
    });
    reasons.collect::<Vec<_>>().join("; ")
}

/// One record a probe, in the order of the answer.
fn records_of(answer: &Answer, who: &Who, stated: Option<&Statement>) -> Vec<SearchRecord> {
    let record = |picture: &PictureAnswer, probe: &ProbeAnswer| SearchRecord {
        gallery: answer.gallery.clone(),
        actor: who.actor.clone(),
        origin: who.origin.clone(),
        probe_sha256: picture.sha256,
        face: box_of(&probe.face),
        model_hash: answer.model.hash,
        snapshot_number: answer.snapshot,
        seen: answer.seen,
        people: answer.people,
        back_end: answer.work.back_end.clone(),
        restriction: answer.restriction.clone(),
        stated: stated.cloned(),
        threshold: answer.threshold,
        operating_point: answer.operating_point.as_ref().map(Cited::in_words),
        candidates: probe.candidates.iter().map(recorded).collect(),
        stages_ms: stages_of(&picture.stages, answer),
    };
    answer.pictures.iter().flat_map(|picture| picture.probes.iter().map(move |probe| record(picture, probe))).collect()
}

fn box_of(face: &Face) -> FaceBox {
    FaceBox { x: face.bounds.x, y: face.bounds.y, width: face.bounds.width, height: face.bounds.height }
}

fn recorded(candidate: &Candidate) -> RecordedCandidate {
    let rank = u32::try_from(candidate.rank).unwrap_or(u32::MAX);
    RecordedCandidate { rank, template: candidate.template, score: candidate.score, entry: None }
}

fn stages_of(stages: &Stages, answer: &Answer) -> Vec<(String, f64)> {
    let all = [
        ("decode", stages.decode_ms),
        ("detect", stages.detect_ms),
        ("align", stages.align_ms),
        ("embed", stages.embed_ms),
        ("scoring", answer.scoring_ms),
        ("people", answer.people_ms),
    ];
    all.into_iter().map(|(name, ms)| (name.to_owned(), ms)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operating_point_is_for_exact_searches_and_a_score_for_any() {
        let point = ThresholdChoice::Point("a".to_owned(), Scope::default());
        for threshold in [point, ThresholdChoice::TargetFpir(0.01, Scope::default())] {
            assert!(exact_for_points(&threshold, ModeChoice::Exact).is_ok());
            let refused = exact_for_points(&threshold, ModeChoice::Approximate(Some(64))).unwrap_err();
            assert!(
                matches!(refused, CaseworkError::PointIsExact) && refused.to_string().contains("in the mode exact")
            );
        }
        for threshold in [ThresholdChoice::None, ThresholdChoice::Score(0.4)] {
            assert!(exact_for_points(&threshold, ModeChoice::Approximate(None)).is_ok());
        }
    }
}
