//! How many points and curves a plot shows.

use crate::base::limits::REPORT_POINTS_MAX;

/// At most [`REPORT_POINTS_MAX`] of `points`, both ends among them; and of how many one is kept.
pub(super) fn limited<T: Copy>(points: &[T]) -> (Vec<T>, usize) {
    let every = points.len().div_ceil(REPORT_POINTS_MAX).max(1);
    let last = points.len().saturating_sub(1);
    let kept = points.iter().enumerate().filter(|(index, _)| index % every == 0 || *index == last);
    (kept.map(|(_, point)| *point).collect(), every)
}

/// What a caption says where points were left out.
pub(super) fn thinning_note(every: usize) -> String {
    if every > 1 { format!(" One point in {every} is drawn; evaluation.json has all.") } else { String::new() }
}

/// At most `most` of `count` things, evenly, both ends among them.
pub(super) fn spread(count: usize, most: usize) -> Vec<usize> {
    if count <= most || most < 2 {
        return (0..count.min(most)).collect();
    }
    (0..most).map(|index| index * (count - 1) / (most - 1)).collect()
}

/// What a caption says where curves were left out.
pub(super) fn left_out_note(shown: usize, count: usize, what: &str) -> String {
    if shown < count {
        format!(" {shown} of {count} {what} are drawn; evaluation.json has all.")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_never_left_out() {
        for count in [0, 1, REPORT_POINTS_MAX, REPORT_POINTS_MAX + 1, 10 * REPORT_POINTS_MAX + 7] {
            let points: Vec<usize> = (0..count).collect();
            let (kept, every) = limited(&points);
            assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
            assert!(kept.len() <= REPORT_POINTS_MAX + 1 && (every == 1) == (kept.len() == count));
        }
        assert_eq!(spread(3, 7), [0, 1, 2]);
        assert_eq!(spread(100, 4), [0, 33, 66, 99]);
    }
}
