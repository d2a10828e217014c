//! What an evaluation may be: looked at before anything is begun, since hours of templates and searches come before the figures.

use crate::base::limits::{
    CANDIDATES_MAX, EVALUATION_FIGURES_BYTES_MAX, EVALUATION_SEARCHES_MAX, REPORT_GALLERIES_MAX, TOP_K_MAX,
};
use crate::casework::CaseworkError;
use crate::evaluation::EvaluationError;

/// Bytes of a candidate, and of a search beside its candidates, in memory.
const CANDIDATE_BYTES: u64 = 16;
const SEARCH_BYTES: u64 = 96;
/// Galleries whose searches are in memory at once: the whole one, and one more beside it.
const GALLERIES_AT_ONCE: u64 = 2;
/// Bytes of a search in what is worked out of it: its tail's scores three times over, its columns, its place in a few parts.
const FIGURES_BYTES: u64 = 1_600;

/// What is wanted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted {
    /// Gallery sizes.
    pub(super) sizes: usize,
    /// Candidates on a list.
    pub(super) list_length: usize,
    /// Most images of one person that are joined on a list; 1 where none are.
    pub(super) images_joined: usize,
    /// Searches of one gallery.
    pub(super) searches: u64,
}

impl Wanted {
    /// Refuses what would fail later, or take more memory than may be.
    ///
    /// # Errors
    /// [`CaseworkError::Evaluation`], with the figure that is to be lowered.
    pub(super) fn check(&self) -> Result<(), CaseworkError> {
        let Self { sizes, list_length, images_joined, searches } = *self;
        let length = list_length as f64;
        if !(1..=CANDIDATES_MAX).contains(&list_length) {
            return Err(
                EvaluationError::Figure { what: "the list length", found: length, wanted: "from 1 to 1,000" }.into()
            );
        }
        if sizes > REPORT_GALLERIES_MAX {
            let most = REPORT_GALLERIES_MAX;
            return Err(EvaluationError::TooMany { what: "gallery sizes", found: sizes, most }.into());
        }
        depth(list_length, images_joined)?;
        if searches > EVALUATION_SEARCHES_MAX as u64 {
            let (found, most) = (searches as usize, EVALUATION_SEARCHES_MAX);
            return Err(EvaluationError::TooMany { what: "searches", found, most }.into());
        }
        let bytes = self.figures_bytes();
        if bytes > EVALUATION_FIGURES_BYTES_MAX {
            let most = EVALUATION_FIGURES_BYTES_MAX;
            return Err(EvaluationError::Memory { searches, list_length, bytes, most }.into());
        }
        Ok(())
    }

    /// Memory for the searches while figures are worked out, however large galleries are and however many there are.
    fn figures_bytes(&self) -> u64 {
        let search = SEARCH_BYTES + CANDIDATE_BYTES * self.list_length as u64;
        self.searches * (GALLERIES_AT_ONCE * search + FIGURES_BYTES)
    }
}

/// Templates to ask for, so that a list is never short of people although somebody's `images` fill it.
///
/// # Errors
/// [`CaseworkError::Evaluation`] where that is more than a scorer is asked for.
pub(super) fn depth(list_length: usize, images: usize) -> Result<usize, CaseworkError> {
    let depth = list_length.saturating_mul(images.max(1));
    if depth <= TOP_K_MAX {
        return Ok(depth);
    }
    Err(EvaluationError::Depth { list_length, images, most: TOP_K_MAX }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::casework::evaluate::pictures::APPROXIMATE_SERIES;
    use crate::evaluation::accuracy::trials::{Candidate, Search};

    const PLAIN: Wanted = Wanted { sizes: 3, list_length: 50, images_joined: 1, searches: 100_000 };

    #[test]
    fn what_would_fail_after_hours_is_refused_at_once() {
        let refused = |wanted: Wanted| {
            let CaseworkError::Evaluation(error) = wanted.check().unwrap_err() else { panic!("{wanted:?}") };
            error
        };
        for list_length in [0, 1_001] {
            assert!(matches!(refused(Wanted { list_length, ..PLAIN }), EvaluationError::Figure { .. }));
        }
        let sizes = REPORT_GALLERIES_MAX + 1;
        assert!(matches!(refused(Wanted { sizes, ..PLAIN }), EvaluationError::TooMany { .. }));
        let too_deep = refused(Wanted { list_length: 500, images_joined: 33, ..PLAIN });
        assert_eq!(too_deep, EvaluationError::Depth { list_length: 500, images: 33, most: TOP_K_MAX });
        let searches = EVALUATION_SEARCHES_MAX as u64 + 1;
        assert!(matches!(refused(Wanted { searches, ..PLAIN }), EvaluationError::TooMany { .. }));
        let too_large = refused(Wanted { list_length: 1_000, searches: 1_000_000, ..PLAIN });
        assert!(too_large.to_string().contains("shorter lists"), "{too_large}");
        // What the issue asks for, with the longest lists there are.
        Wanted { list_length: 1_000, ..PLAIN }.check().unwrap();
        PLAIN.check().unwrap();
    }

    #[test]
    fn the_reckoning_knows_how_large_searches_are() {
        assert!(size_of::<Candidate>() as u64 <= CANDIDATE_BYTES);
        assert!(size_of::<Search>() as u64 + 16 <= SEARCH_BYTES, "with what an allocation takes beside");
        assert!(
            (REPORT_GALLERIES_MAX as u64) < APPROXIMATE_SERIES,
            "no size has the number of the approximate searches"
        );
    }
}
