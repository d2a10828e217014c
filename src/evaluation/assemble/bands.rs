//! Calibration by quality band, like held against like: mated and non-mated scores of probes whose quality is in the same third.
//!
//! A line fitted over all probes says too much for a poor picture and too little for a good one. A band has a line of its own
//! where its counts allow one, and says so where they do not.

use std::collections::HashMap;

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::folds::Folds;
use crate::evaluation::accuracy::strata::equal_parts;
use crate::evaluation::accuracy::trials::View;
use crate::evaluation::assemble::crossfit::{Comparisons, PEOPLE_MIN};
use crate::evaluation::assemble::{PairScore, QualityMeasure};
use crate::evaluation::results::{BandFit, CalibrationBand};

/// Thirds of the probes by quality, poorest first.
pub const BANDS: u16 = 3;
/// Fewest non-mated pairs: below, no LR above about a hundred is supported, whatever the line says.
const NON_MATED_MIN: usize = 300;
/// Natural logarithms to decimal ones.
const TO_LOG10: f64 = std::f64::consts::LOG10_E;

/// The bands of a measure, poorest first; none where no probe has it.
pub(super) fn of(
    view: &View,
    measure: &QualityMeasure,
    folds: &Folds,
    pairs: &[PairScore],
) -> Result<Vec<CalibrationBand>, EvaluationError> {
    let (column, parts) = match equal_parts(&measure.of_searches, BANDS) {
        Err(EvaluationError::Empty(_)) => return Ok(Vec::new()),
        parts => parts?,
    };
    let mut bands: Vec<Comparisons> = parts.iter().map(|_| Comparisons::default()).collect();
    let mut of_probe = HashMap::new();
    for (number, search) in view.searches() {
        let Some(place) = column.get(number).copied().flatten().map(usize::from) else { continue };
        let Some((band, fold)) = bands.get_mut(place).zip(folds.of(search.subject)) else { continue };
        of_probe.insert(search.probe, (place, fold));
        if let Some(mate) = search.mate {
            band.mated(mate.score, search.subject, fold);
        }
    }
    for pair in pairs {
        let Some(&(place, fold)) = of_probe.get(&pair.probe) else { continue };
        if let Some(band) = bands.get_mut(place) {
            band.non_mated(pair.score, fold);
        }
    }
    let described = bands.into_iter().zip(&parts).map(|(band, part)| {
        let [mated, people, non_mated] = band.counts().map(|count| count as u64);
        let (fitted, not_fitted) = match fit(&band) {
            Ok(fitted) => (Some(fitted), None),
            Err(why) => (None, Some(why)),
        };
        let (measure, from, to) = (measure.name.clone(), part.from, part.to);
        CalibrationBand { measure, from, to, mated, mated_subjects: people, non_mated, fitted, not_fitted }
    });
    Ok(described.collect())
}

/// The band's own line, or why there is none.
fn fit(band: &Comparisons) -> Result<BandFit, String> {
    let [_, people, non_mated] = band.counts();
    if people < PEOPLE_MIN || non_mated < NON_MATED_MIN {
        return Err(format!(
            "too few: mated comparisons of {PEOPLE_MIN} people and {NON_MATED_MIN} non-mated pairs are wanted"
        ));
    }
    let found = band.fit().map_err(|error: EvaluationError| error.to_string())?;
    if found.line.slope <= 0.0 {
        return Err("in this band higher scores do not speak for the same person".to_owned());
    }
    Ok(BandFit {
        slope: found.line.slope * TO_LOG10,
        offset: found.line.offset * TO_LOG10,
        cllr: found.cost.total,
        cllr_min: found.cost.least,
        cllr_cal: found.cost.calibration,
        bounds: (found.line.bounds.low, found.line.bounds.high),
        folds: found.folds,
        not_crossed: found.not_crossed,
        separated: found.line.separated,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::accuracy::trials::{Candidate, Kind, MateScore, Search, Trials};
    use crate::evaluation::assemble::crossfit::folds;
    use crate::evaluation::random::Stream;

    /// Probes of which the poor third scores 0.2 less with mate and stranger alike; `people` mated in each third.
    fn made(people: u32, pairs_each: u64) -> (Trials, QualityMeasure, Vec<PairScore>) {
        let mut stream = Stream::new(5, 5);
        let (mut searches, mut quality, mut pairs) = (Vec::new(), Vec::new(), Vec::new());
        for probe in 0..3 * people {
            let lower = if probe % 3 == 0 { 0.2 } else { 0.0 };
            let score = 0.6 - lower + 0.08 * stream.normal();
            let mate = Some(MateScore { score, rank: Some(1) });
            let candidates = vec![Candidate { subject: probe, template: u64::from(probe), score }];
            let (kind, extracted, mate_enrolled_failed) = (Kind::Mated, true, false);
            searches.push(Search {
                probe: probe + 7,
                subject: probe,
                kind,
                extracted,
                mate_enrolled_failed,
                candidates,
                mate,
            });
            quality.push(Some(f64::from(probe % 3) + 0.5 * stream.uniform()));
            for _ in 0..pairs_each {
                pairs.push(PairScore { probe: probe + 7, score: 0.25 - lower + 0.08 * stream.normal() });
            }
        }
        let trials = Trials::new(u64::from(3 * people), u64::from(3 * people), 1, searches).unwrap();
        (trials, QualityMeasure { name: "sharpness".to_owned(), of_searches: quality }, pairs)
    }

    /// The score at which the line is neutral.
    fn neutral(band: &CalibrationBand) -> f64 {
        let fitted = band.fitted.as_ref().unwrap();
        -fitted.offset / fitted.slope
    }

    #[test]
    fn each_band_is_calibrated_on_its_own_pairs() {
        let (trials, measure, pairs) = made(200, 20);
        let found = of(&trials.view(), &measure, &folds(&trials.view(), 1), &pairs).unwrap();
        assert_eq!(found.iter().map(|band| band.mated).collect::<Vec<_>>(), [200; 3]);
        assert_eq!(found.iter().map(|band| band.non_mated).collect::<Vec<_>>(), [4_000; 3]);
        assert!(found[0].to < found[1].from && found[1].to < found[2].from);
        // Halfway between mates and strangers of the band: 0.425, and 0.2 less for the poor. One line over all would have
        // the poor ones' mates speak against them.
        assert!((neutral(&found[0]) - 0.225).abs() < 0.02, "{:?}", found[0]);
        assert!((neutral(&found[1]) - 0.425).abs() < 0.02 && (neutral(&found[2]) - 0.425).abs() < 0.02);
        let cllr = |band: &CalibrationBand| band.fitted.as_ref().unwrap().cllr;
        assert!(found.iter().all(|band| cllr(band) < 0.2), "{found:?}");
        // Pairs of probes whose quality nobody knows, and of none of these searches, belong to no band.
        let mut others = pairs.clone();
        others.push(PairScore { probe: 9_999, score: 0.9 });
        assert_eq!(of(&trials.view(), &measure, &folds(&trials.view(), 1), &others).unwrap(), found);
    }

    #[test]
    fn few_people_and_few_pairs_are_not_fitted_and_say_why() {
        for (people, pairs, fits) in [(29, 20, false), (30, 9, false), (30, 10, true)] {
            let (trials, measure, pairs) = made(people, pairs);
            for band in of(&trials.view(), &measure, &folds(&trials.view(), 1), &pairs).unwrap() {
                assert_eq!((band.fitted.is_some(), band.not_fitted.is_none()), (fits, fits), "{band:?}");
                assert!(fits || band.not_fitted.unwrap().starts_with("too few: mated comparisons of 30 people"));
            }
        }
        let (trials, mut measure, pairs) = made(30, 10);
        measure.of_searches.iter_mut().for_each(|value| *value = None);
        assert!(of(&trials.view(), &measure, &folds(&trials.view(), 1), &pairs).unwrap().is_empty());
    }
}
