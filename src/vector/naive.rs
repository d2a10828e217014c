//! The oracle: every row in full precision, nothing clever. What it says is right; all else is measured against it.

use crate::vector::filter::rows_searched;
use crate::vector::rows::{GalleryRows, Rows};
use crate::vector::score::exact_score;
use crate::vector::scorer::{ScoreError, Scorer, Scoring, Work, check_request};
use crate::vector::template::Template;
use crate::vector::topk::{Scored, TopK};

/// Scores every live row of one run for one probe into `top`.
pub fn score_run(run: &dyn Rows, probe: &Template, top: &mut TopK) {
    let mut original = vec![0.0; run.dimension().get()];
    for row in (0..run.len()).filter(|&row| run.is_live(row)) {
        run.original(row, &mut original);
        top.offer(Scored { score: exact_score(probe.values(), &original), id: run.template_id(row) });
    }
}

/// The naive scorer.
#[derive(Debug, Clone, Copy, Default)]
pub struct NaiveScorer;

impl Scorer for NaiveScorer {
    fn name(&self) -> String {
        "naive f32 oracle".to_owned()
    }

    fn top_k(&self, gallery: &GalleryRows, probes: &[Template], k: usize) -> Result<Scoring, ScoreError> {
        check_request(gallery, probes, k)?;
        let rows = rows_searched(gallery);
        let mut lists = Vec::with_capacity(probes.len());
        for probe in probes {
            let mut top = TopK::new(k);
            for run in gallery {
                score_run(run.as_ref(), probe, &mut top);
            }
            lists.push(top.into_sorted());
        }
        let exhaustive = u32::try_from(probes.len()).unwrap_or(u32::MAX);
        let rescored = rows * probes.len() as u64;
        Ok(Scoring { lists, work: Work { back_end: self.name(), rows, rescored, exhaustive, ..Work::default() } })
    }

    fn refresh(&self, _gallery: &GalleryRows) {
        // Keeps no copy of anything.
    }
}
