//! What somebody is shown of a review. Until they have decided: candidates in an order of their own, without comparison score,
//! rank, subject, or what others decided, as far as the policy hides these.

use sha2::{Digest as _, Sha256};

use crate::base::hex;
use crate::base::ids::{GalleryName, TemplateId};
use crate::casework::review::machine::{Person, State};
use crate::casework::review::state::Loaded;
use crate::policy::Review;
use crate::records::review::DecisionRecord;
use crate::records::{FaceBox, RecordedCandidate};

/// Begins what is hashed for the order of candidates, and for a view.
const HASHED: &str = "bertillon view 1\n";

/// A review as somebody is shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Which review.
    pub review: i64,
    /// Of which search.
    pub search: i64,
    /// In which gallery.
    pub gallery: GalleryName,
    /// The word for its state.
    pub state: &'static str,
    /// sha256 of the probe's picture, in hexadecimal digits.
    pub probe_sha256: String,
    /// Where the face stands in it.
    pub face: FaceBox,
    /// When it was searched, RFC 3339.
    pub searched_at: String,
    /// Whether anything is hidden from whoever looks.
    pub blind: bool,
    /// The candidates that are not erased.
    pub candidates: Vec<Shown>,
    /// Candidates that were erased since the search.
    pub erased: usize,
    /// What was decided; empty for those who have yet to.
    pub decisions: Vec<DecisionRecord>,
    /// sha256 of what is shown of the candidates, for the record.
    pub sha256: [u8; 32],
}

/// A candidate as somebody is shown it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// Which template: what a decision names.
    pub template: TemplateId,
    /// Its rank, unless hidden.
    pub rank: Option<u32>,
    /// Its comparison score, unless hidden.
    pub score: Option<f32>,
    /// Whose reference, unless hidden.
    pub subject: Option<String>,
    /// The name of its picture's file, unless hidden; `None` for synthetic ones.
    pub source: Option<String>,
    /// sha256 of its picture, in hexadecimal digits; `None` for synthetic ones.
    pub image_sha256: Option<String>,
}

/// What `viewer` is shown of a review that is in `state` when they look.
pub(super) fn of(loaded: &Loaded, state: &State, viewer: &Person, rules: &Review) -> View {
    let open = matches!(state, State::Lead { .. }) || loaded.case.decided.contains(viewer);
    let hides = |rule: bool| rule && !open;
    let mut listed: Vec<&RecordedCandidate> = loaded
        .facts
        .candidates
        .iter()
        .filter(|candidate| loaded.references.contains_key(&candidate.template))
        .collect();
    if hides(rules.blind_rank) {
        listed.sort_by_key(|candidate| place(loaded.record.id, viewer, candidate.template));
    }
    let shown = |candidate: &RecordedCandidate| {
        let reference = loaded.references.get(&candidate.template);
        let image = reference.and_then(|reference| reference.image.as_ref());
        let named = reference.filter(|_| !hides(rules.blind_name));
        Shown {
            template: candidate.template,
            rank: (!hides(rules.blind_rank)).then_some(candidate.rank),
            score: (!hides(rules.blind_score)).then_some(candidate.score),
            subject: named.map(|reference| reference.subject.as_str().to_owned()),
            source: named.and_then(|reference| reference.image.as_ref()).map(|image| image.source.clone()),
            image_sha256: image.map(|image| hex::encode(&image.sha256)),
        }
    };
    let candidates: Vec<Shown> = listed.into_iter().map(shown).collect();
    let (record, facts) = (&loaded.record, &loaded.facts);
    View {
        review: record.id,
        search: record.search,
        gallery: facts.gallery.clone(),
        state: state.as_str(),
        probe_sha256: facts.probe_sha256.clone(),
        face: facts.face,
        searched_at: facts.at.clone(),
        blind: !open,
        erased: facts.candidates.len() - candidates.len(),
        sha256: hash(record.id, viewer, &candidates, &facts.candidates),
        candidates,
        decisions: if open { record.decisions.clone() } else { Vec::new() },
    }
}

/// Where a candidate stands for whoever looks: the same at each look, another for everybody, and nothing to do with its rank.
fn place(review: i64, viewer: &Person, template: TemplateId) -> [u8; 32] {
    Sha256::digest(format!("{HASHED}{review} {template} {viewer}")).into()
}

/// A line for each candidate, of what was shown of it. Candidates stand in it as in the log, by a salted hash, so that nobody who was erased
/// is found in the hash of a view by trying; those of older lists by number of their template.
fn hash(review: i64, viewer: &Person, candidates: &[Shown], recorded: &[RecordedCandidate]) -> [u8; 32] {
    let mut hash = Sha256::new().chain_update(format!("{HASHED}{review} {viewer}\n"));
    for Shown { template, rank, score, subject, source, image_sha256: _ } in candidates {
        let rank = rank.map_or_else(|| "-".to_owned(), |rank| rank.to_string());
        let score = score.map_or_else(|| "-".to_owned(), |score| format!("{:08x}", score.to_bits()));
        let named = if subject.is_some() || source.is_some() { "named" } else { "-" };
        let entry = recorded.iter().find(|recorded| recorded.template == *template).and_then(|recorded| recorded.entry);
        let who = entry.map_or_else(|| template.to_string(), |entry| entry.to_string());
        hash.update(format!("{who} {rank} {score} {named}\n"));
    }
    hash.finalize().into()
}
