//! Calibration of comparison scores: the mates' scores against those of random non-mated pairs. An LR of a pair is not one of the
//! first of a list: among N people the best of the others is higher than a random one.

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::calibration::{Fit, Logistic};
use crate::evaluation::accuracy::diagnostics::{expected_error, reliability, tippett};
use crate::evaluation::accuracy::likelihood::{Labelled, cost};
use crate::evaluation::accuracy::trials::View;
use crate::evaluation::results::{Calibration, ExpectedError};

const POINTS: u16 = 120;
const BINS: usize = 10;
/// Natural logarithms to decimal ones.
const TO_LOG10: f64 = std::f64::consts::LOG10_E;

/// Fits and tests the logistic calibration.
pub(super) fn calibrate(view: &View, non_mated: &[f32]) -> Result<Calibration, EvaluationError> {
    let mated: Vec<f64> = view.mated().filter_map(|search| search.mate).map(|mate| f64::from(mate.score)).collect();
    let non_mated: Vec<f64> = non_mated.iter().copied().map(f64::from).collect();
    let data = Labelled::new(mated, non_mated)?;
    let fitted = Logistic::fit(&data, Fit::default())?;
    let llr = |scores: &[f64]| scores.iter().map(|&score| fitted.llr(score)).collect::<Vec<f64>>();
    let llrs = Labelled::new(llr(data.mated()), llr(data.non_mated()))?;
    let cost = cost(&llrs);
    let all = || llrs.mated().iter().chain(llrs.non_mated()).copied();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let at: Vec<f64> = (0..=POINTS).map(|step| low + (high - low) * f64::from(step) / f64::from(POINTS)).collect();
    let curves = tippett(&llrs, &at)?;
    let tippett = at.iter().zip(curves).map(|(at, [mated, other])| (at * TO_LOG10, mated, other)).collect();
    let bins = reliability(&llrs, BINS)?;
    let (error, used) = expected_error(&llrs, BINS)?;
    let expected_error = Some(ExpectedError { value: error, bins: BINS as u32, used: used as u32 });
    let reliability = bins.iter().map(|bin| (bin.stated, bin.observed.rate(), bin.observed.trials())).collect();
    Ok(Calibration {
        slope: fitted.slope * TO_LOG10,
        offset: fitted.offset * TO_LOG10,
        cllr: cost.total,
        cllr_min: cost.least,
        cllr_cal: cost.calibration,
        bounds: (fitted.bounds.low, fitted.bounds.high),
        tippett,
        reliability,
        expected_error,
    })
}
