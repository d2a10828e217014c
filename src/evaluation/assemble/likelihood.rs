//! Calibration of comparison scores: the mates' scores against those of random non-mated pairs. An LR of a pair is not one of the
//! first of a list: among N people the best of the others is higher than a random one.

use std::collections::HashMap;

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::diagnostics::{expected_error, reliability, tippett};
use crate::evaluation::accuracy::folds::Folds;
use crate::evaluation::accuracy::trials::View;
use crate::evaluation::assemble::PairScore;
use crate::evaluation::assemble::crossfit::Comparisons;
use crate::evaluation::results::{About, Calibration, ExpectedError, Statement};

const POINTS: u16 = 120;
const BINS: usize = 10;
/// Natural logarithms to decimal ones.
const TO_LOG10: f64 = std::f64::consts::LOG10_E;

/// Fits and tests the logistic calibration.
pub(super) fn calibrate(view: &View, folds: &Folds, pairs: &[PairScore]) -> Result<Calibration, EvaluationError> {
    let mut comparisons = Comparisons::default();
    let mut of_probe = HashMap::new();
    for (_, search) in view.searches() {
        let Some(fold) = folds.of(search.subject) else { continue };
        of_probe.insert(search.probe, fold);
        if let Some(mate) = search.mate {
            comparisons.mated(mate.score, search.subject, fold);
        }
    }
    for pair in pairs {
        if let Some(fold) = of_probe.get(&pair.probe) {
            comparisons.non_mated(pair.score, *fold);
        }
    }
    let fitted = comparisons.fit()?;
    let llrs = &fitted.llrs;
    let all = || llrs.mated().iter().chain(llrs.non_mated()).copied();
    let (low, high) = (all().fold(0.0, f64::min), all().fold(0.0, f64::max));
    let at: Vec<f64> = (0..=POINTS).map(|step| low + (high - low) * f64::from(step) / f64::from(POINTS)).collect();
    let curves = tippett(llrs, &at)?;
    let tippett = at.iter().zip(curves).map(|(at, [mated, other])| (at * TO_LOG10, mated, other)).collect();
    let bins = reliability(llrs, BINS)?;
    let (error, used) = expected_error(llrs, BINS)?;
    let expected_error = Some(ExpectedError { value: error, bins: BINS as u32, used: used as u32 });
    let reliability = bins.iter().map(|bin| (bin.stated, bin.observed.rate(), bin.observed.trials())).collect();
    Ok(Calibration {
        slope: fitted.line.slope * TO_LOG10,
        offset: fitted.line.offset * TO_LOG10,
        cllr: fitted.cost.total,
        cllr_min: fitted.cost.least,
        cllr_cal: fitted.cost.calibration,
        bounds: (fitted.line.bounds.low, fitted.line.bounds.high),
        tippett,
        reliability,
        expected_error,
        cllr_in_sample: Some(fitted.in_sample.total),
        folds: fitted.folds,
        not_crossed: fitted.not_crossed,
        penalty: Some(fitted.line.fit.penalty),
        separated: fitted.line.separated,
    })
}

/// Whom the figures of a calibration are about.
pub(super) fn statement(found: &Calibration) -> Statement {
    let text = match found.folds.len() {
        0 => format!(
            "Calibration is in-sample: Cllr and its parts, the expected calibration error, reliability and the Tippett plot are of the very \
             comparisons that the line was fitted to, and flatter it. It could not be held against other people{}.",
            found.not_crossed.as_ref().map(|why| format!(": {why}")).unwrap_or_default()
        ),
        count => format!(
            "Calibration is cross-fitted: people were dealt into {count} folds by the seed, and Cllr and its parts, the expected calibration \
             error, reliability and the Tippett plot judge each comparison by a line that was fitted without the person searched \
             for. Slope, offset and the likelihood ratios that the data support are of the line fitted to all, in-sample; so is the \
             best monotonous calibration, on the ratios it is shown for."
        ),
    };
    Statement { about: About::Limit, text }
}
