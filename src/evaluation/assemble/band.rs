//! The band of the whole gallery's trade-off.

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::band::{Point, band};
use crate::evaluation::accuracy::trials::{Rank, Threshold, View};
use crate::evaluation::arithmetic::bootstrap::{EVENTS_MIN, Resampling};
use crate::evaluation::arithmetic::intervals::Interval;
use crate::evaluation::assemble::Tell;
use crate::evaluation::results::{DetBand, DetBandPoint, OperatingRow};

/// The band along the curve and at the thresholds of `operating`.
pub(super) fn of(
    view: &View,
    operating: &[OperatingRow],
    resampling: Resampling,
    tell: Tell<'_>,
) -> Result<DetBand, EvaluationError> {
    let thresholds = operating.iter().filter_map(|row| row.threshold);
    let marks = thresholds.map(|threshold| Threshold::new(threshold as f32)).collect::<Result<Vec<_>, _>>()?;
    let told = |done, all| tell("people drawn anew", done, all);
    let found = band(view, Rank::Within(view.trials().list_length()), &marks, resampling, &told)?;
    let operating = found.marks.iter().zip(&marks).map(|(at, mark)| {
        // Where the curve has no point at the very threshold, the one above it has the same rates.
        DetBandPoint { threshold: f64::from(mark.get()), ..point(at) }
    });
    Ok(DetBand {
        replicates: found.resampling.replicates,
        mated_subjects: found.mated_subjects as u64,
        non_mated_subjects: found.non_mated_subjects as u64,
        returned_subjects: found.returned_subjects as u64,
        events_min: EVENTS_MIN,
        operating: operating.collect(),
        points: found.points.iter().map(point).collect(),
    })
}

fn point(at: &Point) -> DetBandPoint {
    let ends = |interval: Option<Interval>| interval.map(|found| (found.low, found.high));
    DetBandPoint {
        threshold: f64::from(at.counted.threshold),
        fpir: at.counted.fpir.rate(),
        fnir: at.counted.fnir.rate(),
        fpir_interval: ends(at.fpir),
        fpir_two_way: ends(at.fpir_two_way),
        fnir_interval: ends(at.fnir),
        fnir_two_way: ends(at.fnir_two_way),
    }
}
