//! Where a known person stands for a probe, however far down.

use std::collections::HashMap;

use crate::base::ids::{GalleryName, SubjectRef};
use crate::gallery::{Snapshot, Vault};
use crate::identify::IdentifyError;
use crate::identify::search::references_of;
use crate::scoring::batcher::BatchError;
use crate::vector::score::exact_score;
use crate::vector::template::Template;
use crate::vector::topk::{Scored, rank_order};

/// Rank of `subject` among all people of the gallery for `probe`, from 1, and the score of their best reference; `None` when
/// nobody of that name is enrolled. Scores every template in full precision, so it is also a check on the search.
///
/// # Errors
/// [`IdentifyError`] when the gallery or its records can't be read.
pub async fn rank_of(
    vault: &Vault,
    gallery: &GalleryName,
    probe: &Template,
    subject: &SubjectRef,
) -> Result<Option<(u64, f32)>, IdentifyError> {
    let snapshot = vault.snapshot(gallery).await?;
    let probe = probe.clone();
    let scored = tokio::task::spawn_blocking(move || Split::of(&snapshot, &probe)).await;
    let Split { real, synthetic } = scored.map_err(|_panicked| IdentifyError::Batch(BatchError::Stopped))?;
    let references = references_of(vault, gallery, std::slice::from_ref(&real)).await?;
    let mut best: HashMap<&SubjectRef, Scored> = HashMap::new();
    for scored in &real {
        if let Some(reference) = references.get(&scored.id) {
            let entry = best.entry(&reference.subject).or_insert(*scored);
            if rank_order(scored, entry).is_lt() {
                *entry = *scored;
            }
        }
    }
    let Some(right) = best.get(subject).copied() else { return Ok(None) };
    let better = |scored: &&Scored| rank_order(scored, &right).is_lt();
    let before = best.values().filter(better).count() + synthetic.iter().filter(better).count();
    Ok(Some((before as u64 + 1, right.score)))
}

/// Scores of real people's templates, and of synthetic ones, each of which stands for a person of its own.
struct Split {
    real: Vec<Scored>,
    synthetic: Vec<Scored>,
}

impl Split {
    fn of(snapshot: &Snapshot, probe: &Template) -> Self {
        let mut split = Self { real: Vec::new(), synthetic: Vec::new() };
        let mut original = vec![0.0; snapshot.dimension().get()];
        for run in snapshot.rows() {
            for row in (0..run.len()).filter(|&row| run.is_live(row)) {
                run.original(row, &mut original);
                let scored = Scored { score: exact_score(probe.values(), &original), id: run.template_id(row) };
                let side = if snapshot.is_synthetic(scored.id) { &mut split.synthetic } else { &mut split.real };
                side.push(scored);
            }
        }
        split
    }
}
