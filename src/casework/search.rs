//! Searching: pictures in, candidate lists out, a record of it before anything is shown.

use std::sync::Arc;

use crate::base::clock::{Stopwatch, now_rfc3339};
use crate::base::ids::{GalleryName, ModelId};
use crate::casework::enrol::{blocking, hash, in_parallel};
use crate::casework::faces::{FaceChoice, choose};
use crate::casework::{CaseworkError, Desk};
use crate::gallery::{CandidateRecord, ProbeRecord, SearchRecord};
use crate::identify::{Candidate, Identification, ListRule, identify, search::check_model};
use crate::vector::scorer::Work;
use crate::vector::template::Template;
use crate::vision::pipeline::{Analysis, Face, Stages, Vision};

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
    /// Which faces of each.
    pub faces: FaceChoice,
    /// Length and threshold of the lists.
    pub rule: ListRule,
    /// Who asks, as far as the system knows: a user and machine, or a client's address.
    pub requester: String,
}

/// One face that was searched for.
#[derive(Debug, Clone)]
pub struct ProbeAnswer {
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
    /// Number of the search in the records.
    pub search: i64,
    /// When, UTC.
    pub at: String,
    /// Gallery searched.
    pub gallery: GalleryName,
    /// Model of gallery and probes.
    pub model: ModelId,
    /// Number of the gallery snapshot searched.
    pub snapshot: u64,
    /// What the scoring took.
    pub work: Work,
    /// One entry a picture, in order.
    pub pictures: Vec<PictureAnswer>,
    /// Milliseconds of scoring, of joining people, and of everything from picture to answer.
    pub scoring_ms: f64,
    /// See `scoring_ms`.
    pub people_ms: f64,
    /// See `scoring_ms`.
    pub total_ms: f64,
}

/// Searches. Pictures without a usable face are described in the answer and do not stop the others.
///
/// # Errors
/// [`CaseworkError`]; [`CaseworkError::NoProbe`] when no picture gave a probe.
pub async fn search(desk: &Desk, request: SearchRequest) -> Result<Answer, CaseworkError> {
    let mut total = Stopwatch::start();
    let vision = desk.vision_for(&request.gallery)?;
    check_model(&request.gallery, desk.vault.snapshot(&request.gallery)?.model(), vision.model())?;
    let mut pictures = analyse(Arc::clone(&vision), request.pictures, request.faces, desk.vision_threads()).await?;
    let templates = pictures.iter().flat_map(|picture| &picture.probes).map(|probe| probe.face.template.clone());
    let templates: Vec<Template> = templates.collect();
    if templates.is_empty() {
        return Err(CaseworkError::NoProbe(failures(&pictures)));
    }
    let found = identify(&desk.vault, &desk.engine.scorer, &request.gallery, vision.model(), templates, request.rule).await?;
    let Identification { lists, work, snapshot, scoring_ms, people_ms } = found;
    for (probe, list) in pictures.iter_mut().flat_map(|picture| &mut picture.probes).zip(lists) {
        probe.candidates = list;
    }
    let mut answer = Answer {
        search: 0,
        at: now_rfc3339(),
        gallery: request.gallery,
        model: vision.model().clone(),
        snapshot,
        work,
        pictures,
        scoring_ms,
        people_ms,
        total_ms: total.lap_ms(),
    };
    // Nothing is shown without a record: the record comes first, and an answer that can't be recorded is not given.
    answer.search = desk.vault.record_search(record_of(&answer, &request.requester, request.rule)).await?;
    answer.total_ms += total.lap_ms();
    Ok(answer)
}

async fn analyse(
    vision: Arc<Vision>,
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

fn analyse_one(vision: &Vision, picture: &ProbePicture, faces: FaceChoice) -> PictureAnswer {
    let (sha256, name) = (hash(&picture.bytes), picture.name.clone());
    let failed = |failure: String, faces_found| {
        let (probes, stages, failure) = (Vec::new(), Stages::default(), Some(failure));
        PictureAnswer { name: name.clone(), sha256, width: 0, height: 0, faces_found, probes, failure, stages }
    };
    let Analysis { width, height, faces: found, stages, .. } = match vision.analyse(&picture.bytes) {
        Ok(analysis) => analysis,
        Err(error) => return failed(error.to_string(), None),
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
        Some(ProbeAnswer { face_number: place + 1, face, candidates: Vec::new() })
    };
    let probes = places.into_iter().filter_map(answer).collect();
    PictureAnswer { name, sha256, width, height, faces_found: Some(found.len()), probes, failure: None, stages }
}

fn failures(pictures: &[PictureAnswer]) -> String {
    let reasons = pictures.iter().map(|picture| {
        let reason = picture.failure.as_deref().unwrap_or("no face chosen");
        format!("{}: {reason}", picture.name)
    });
    reasons.collect::<Vec<_>>().join("; ")
}

fn record_of(answer: &Answer, requester: &str, rule: ListRule) -> SearchRecord {
    let probe = |picture: &PictureAnswer, probe: &ProbeAnswer| ProbeRecord {
        name: picture.name.clone(),
        sha256: picture.sha256,
        bounds: [probe.face.bounds.x, probe.face.bounds.y, probe.face.bounds.width, probe.face.bounds.height],
        candidates: probe.candidates.iter().map(candidate_record).collect(),
    };
    SearchRecord {
        gallery: answer.gallery.clone(),
        at: answer.at.clone(),
        requester: requester.to_owned(),
        model: answer.model.clone(),
        snapshot: answer.snapshot,
        back_end: answer.work.back_end.clone(),
        people_max: rule.people,
        threshold: rule.threshold,
        probes: answer.pictures.iter().flat_map(|picture| picture.probes.iter().map(move |one| probe(picture, one))).collect(),
        total_ms: answer.total_ms,
    }
}

fn candidate_record(candidate: &Candidate) -> CandidateRecord {
    CandidateRecord {
        rank: candidate.rank,
        score: candidate.score,
        template: candidate.template,
    }
}
