//! From searches to an [`Evaluation`]: which figures are worked out, at which thresholds, and what may be said of them.
//!
//! The arithmetic is in [`accuracy`](super::accuracy); here is what a report shows of it. What can't be worked out is left out,
//! and a statement says why.

mod band;
mod bands;
mod compared;
mod crossfit;
mod group_rates;
mod groups;
mod kinds;
mod likelihood;
mod scores;
mod sizes;
mod tables;
mod wanted;

use std::collections::BTreeMap;
use std::iter;

pub use bands::BANDS;
pub use crossfit::of_search;
pub use sizes::Galleries;

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::diagnostics::histogram;
use crate::evaluation::accuracy::paired::compare;
use crate::evaluation::accuracy::rates::failures;
use crate::evaluation::accuracy::trials::{Kind, Rank, Search, Threshold, Trials, View};
use crate::evaluation::arithmetic::bootstrap::Resampling;
use crate::evaluation::assemble::compared::Searched;
use crate::evaluation::assemble::sizes::{BySize, by_size};
use crate::evaluation::results::{
    About, ApproximatePairs, Breakdown, Calibration, CalibrationBand, Counts, Evaluation, GalleryResult, HeatMap,
    Histograms, Identity, KindResult, Latency, RESULTS_VERSION, Statement,
};

/// Bins of the histograms.
const BINS: usize = 80;
/// Names of lost mates that are listed.
const LOST_MAX: usize = 1_000;

/// A column of the probes, and of the people in the gallery.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its header.
    pub name: String,
    /// Its values.
    pub values: Vec<String>,
    /// Value of each search of the whole gallery.
    pub of_searches: Vec<Option<u16>>,
    /// Value of each enrolled subject, by the subject's number in the candidates.
    pub of_subjects: BTreeMap<u32, u16>,
    /// Candidates of each value that a list of the whole gallery could have, were it long enough: templates, or people where a list
    /// names each of them once.
    pub templates: Vec<u64>,
}

/// A measure of the probes.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityMeasure {
    /// Its name.
    pub name: String,
    /// Of each search of the whole gallery; `None` without a template.
    pub of_searches: Vec<Option<f64>>,
}

/// The comparison score of a probe with somebody else's reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairScore {
    /// Number of the probe.
    pub probe: u32,
    /// Comparison score.
    pub score: f32,
}

/// Whoever waits for figures: told what is done, how much of it and of how much; an error of theirs, [`EvaluationError::Interrupted`], ends it.
pub type Tell<'a> = &'a dyn Fn(&'static str, u64, u64) -> Result<(), EvaluationError>;

/// Everything that was found.
pub struct Findings<'a> {
    /// Searches of nested galleries, smallest first; the last is the whole gallery.
    pub galleries: &'a dyn Galleries,
    /// Images meant for the gallery that could not be enrolled.
    pub failures_to_enrol: u64,
    /// People of whom none could be enrolled.
    pub subjects_not_enrolled: u64,
    /// Kind of picture, where it is known.
    pub kinds: Option<Column>,
    /// Group columns.
    pub groups: Vec<Column>,
    /// Measures of quality.
    pub measures: Vec<QualityMeasure>,
    /// Random non-mated pairs over all probes: calibration is worked out where there are some.
    pub non_mated_pairs: Vec<PairScore>,
    /// The whole gallery searched approximately, with the ef; the only one of these galleries.
    pub approximate: Option<(u32, &'a dyn Galleries)>,
    /// Names of the probes.
    pub probe_names: Box<dyn Fn(u32) -> String + 'a>,
    /// How long scoring took.
    pub latency: Option<Latency>,
    /// Who waits for it.
    pub tell: Tell<'a>,
}

/// Figures of parts of the searches.
#[derive(Default)]
struct Parts {
    probe_kinds: Vec<KindResult>,
    breakdowns: Vec<Breakdown>,
    heat_maps: Vec<HeatMap>,
}

/// Works everything out.
///
/// # Errors
/// [`EvaluationError`] where even the plainest figures can't be had: no search at all, say.
pub fn assemble(identity: Identity, found: Findings<'_>) -> Result<Evaluation, EvaluationError> {
    let resampling = Resampling::usual(identity.seed);
    let last = found.galleries.count().checked_sub(1).ok_or(EvaluationError::Empty("galleries"))?;
    let whole = &*found.galleries.load(last)?;
    let view = whole.view();
    let mut statements = Vec::new();
    let BySize { galleries, prediction } = by_size(found.galleries, whole, &found.groups, resampling, found.tell)?;
    let threshold = groups::threshold(&view);
    let Parts { probe_kinds, breakdowns, heat_maps } = parts(&view, &found, threshold, resampling, &mut statements)?;
    let histograms = histograms(&view)?;
    let by_group = found.groups.iter().map(|column| scores::by_group(&view, column, &histograms));
    let group_histograms = by_group.collect::<Result<Vec<_>, EvaluationError>>()?;
    let discard = found.measures.iter().filter_map(|measure| groups::discard(&view, measure, threshold));
    let discard = discard.collect();
    let prediction = note(&mut statements, "No prediction of larger galleries", prediction);
    let (calibration, calibration_bands) = calibrated(&view, &found, resampling.seed, &mut statements)?;
    let approximate = found.approximate.as_ref();
    let approximate = approximate.map(|(ef, other)| {
        let other = other.load(0)?;
        pairs(whole, &other, *ef, &found.probe_names)
    });
    let approximate = approximate.transpose()?;
    statements.extend(general(&identity, &galleries, prediction.is_some()));
    Ok(Evaluation {
        version: RESULTS_VERSION,
        counts: counts(&view, found.failures_to_enrol, found.subjects_not_enrolled),
        galleries,
        probe_kinds,
        breakdowns,
        heat_maps,
        discard,
        prediction,
        calibration,
        calibration_bands,
        approximate,
        histograms,
        group_histograms,
        latency: found.latency,
        statements,
        identity,
    })
}

/// By kind of picture, by quality and by group.
fn parts(
    view: &View,
    found: &Findings<'_>,
    threshold: Option<(f64, Threshold)>,
    resampling: Resampling,
    statements: &mut Vec<Statement>,
) -> Result<Parts, EvaluationError> {
    let mut parts = Parts::default();
    let of_kinds = found.kinds.as_ref().map(|column| kinds::parts(view, column)).transpose()?.unwrap_or_default();
    parts.probe_kinds = kinds::of(&of_kinds, &found.groups, resampling, found.tell)?;
    statements.extend(kinds::statement(&parts.probe_kinds));
    for column in found.kinds.iter().filter(|_| of_kinds.len() > 1) {
        parts.breakdowns.push(groups::by_kind(view, column, threshold)?);
    }
    let columns = (found.kinds.iter().count() + found.measures.len()) as u64;
    let told = |breakdowns: &[Breakdown]| (found.tell)("breakdowns", breakdowns.len() as u64, columns);
    for measure in &found.measures {
        told(&parts.breakdowns)?;
        parts.breakdowns.extend(groups::by_quality(view, measure, threshold)?);
    }
    let by_kind = kinds::compared(&of_kinds).iter().map(|(kind, part)| Searched::of_kind(kind, part));
    let searched: Vec<Searched> = iter::once(Searched::all(view)).chain(by_kind).collect();
    let (mut compared, all) = (Vec::new(), (found.groups.len() * searched.len()) as u64);
    let resampling = Resampling { replicates: compared::permutations(all as usize), ..resampling };
    for (column, searched) in found.groups.iter().flat_map(|column| searched.iter().map(move |one| (column, one))) {
        let done = compared.len() as u64;
        compared.push(compared::column(searched, column, resampling, &|| (found.tell)("groups", done, all))?);
    }
    let mut said = compared::conclude(compared)?;
    statements.append(&mut said.statements);
    parts.breakdowns.append(&mut said.breakdowns);
    parts.heat_maps = said.heat_maps;
    Ok(parts)
}

/// Scores as likelihood ratios, over all probes and by thirds of each quality measure.
fn calibrated(
    view: &View,
    found: &Findings<'_>,
    seed: u64,
    statements: &mut Vec<Statement>,
) -> Result<(Option<Calibration>, Vec<CalibrationBand>), EvaluationError> {
    let steps = found.measures.len() as u64 + 1;
    (found.tell)("calibration", 0, steps)?;
    if found.non_mated_pairs.is_empty() {
        return Ok((None, Vec::new()));
    }
    let folds = crossfit::folds(view, seed);
    let calibration = note(statements, "No calibration", likelihood::calibrate(view, &folds, &found.non_mated_pairs));
    statements.extend(calibration.as_ref().map(likelihood::statement));
    let mut thirds = Vec::new();
    for (measure, done) in found.measures.iter().zip(1..) {
        (found.tell)("calibration", done, steps)?;
        thirds.extend(bands::of(view, measure, &folds, &found.non_mated_pairs)?);
    }
    Ok((calibration, thirds))
}

/// What could not be worked out becomes a statement.
fn note<T>(statements: &mut Vec<Statement>, what: &str, result: Result<T, EvaluationError>) -> Option<T> {
    match result {
        Ok(found) => Some(found),
        Err(error) => {
            statements.push(Statement { about: About::Limit, text: format!("{what}: {error}.") });
            None
        }
    }
}

fn subjects_of(view: &View, kind: Kind) -> u64 {
    view.by_subject(|_, search| (search.kind == kind).then_some([1.0])).len() as u64
}

fn counts(view: &View, failures_to_enrol: u64, subjects_not_enrolled: u64) -> Counts {
    let failed = failures(view);
    Counts {
        enrolled_subjects: view.trials().enrolled_subjects(),
        enrolled_templates: view.trials().enrolled_templates(),
        failures_to_enrol,
        subjects_not_enrolled,
        mated_searches: failed.mated,
        mated_subjects: subjects_of(view, Kind::Mated),
        non_mated_searches: failed.non_mated,
        non_mated_subjects: subjects_of(view, Kind::NonMated),
        failures_to_extract_mated: failed.mated_not_extracted,
        mates_not_enrolled: failed.mate_not_enrolled,
        failures_to_extract_non_mated: failed.non_mated_not_extracted,
    }
}

fn histograms(view: &View) -> Result<Histograms, EvaluationError> {
    let mated: Vec<f64> = view.mated().filter_map(|search| search.mate).map(|mate| f64::from(mate.score)).collect();
    let best: Vec<f64> = view.non_mated().filter_map(Search::top_score).map(f64::from).collect();
    let all = || mated.iter().chain(&best).copied();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    if low > high {
        return Ok(Histograms::default());
    }
    // Whole hundredths, so that axes are plain.
    let (from, to) = ((low * 100.0).floor() / 100.0, ((high * 100.0).ceil() / 100.0).max(low + 0.01));
    let counts = |scores: &[f64]| histogram(scores.iter().copied(), from, to, BINS).map(|found| found.counts);
    Ok(Histograms { from, width: (to - from) / BINS as f64, mated: counts(&mated)?, non_mated_best: counts(&best)? })
}

fn pairs(
    exact: &Trials,
    other: &Trials,
    ef: u32,
    name: &dyn Fn(u32) -> String,
) -> Result<ApproximatePairs, EvaluationError> {
    let found = compare(exact, other, Rank::Within(exact.list_length()), Threshold::NONE)?;
    Ok(ApproximatePairs {
        ef,
        both: found.hits.both,
        exact_only: found.hits.exact_only,
        approximate_only: found.hits.other_only,
        p: found.hits.p_value,
        lost: found.lost.iter().take(LOST_MAX).map(|lost| name(lost.probe)).collect(),
    })
}

/// What is true of every evaluation of this kind.
fn general(identity: &Identity, galleries: &[GalleryResult], predicted: bool) -> Vec<Statement> {
    let say = |about, text: &str| Statement { about, text: text.to_owned() };
    let mut all = vec![if identity.synthetic {
        say(
            About::Synthetic,
            "Every template was made by a generator. Presets reproduce published points by construction: nothing here is \
             evidence about any model or any person.",
        )
    } else {
        say(
            About::Real,
            "Templates were taken from the pictures of the manifest, by the model named on the identity card.",
        )
    }];
    all.push(say(
        About::Limit,
        "Error rates hold for pictures, people and gallery like these. They are not the accuracy of an operation: there, \
         people decide, and the share of searches whose person is enrolled is not known.",
    ));
    all.push(say(
        About::Limit,
        "Thresholds in the tables were chosen on the very searches that they are shown for; the columns \"other people\" \
         show the same rule on people who had no part in the choice.",
    ));
    all.push(say(
        About::Limit,
        "Bootstrap intervals resample the people searched with. What one enrolled person who attracts many probes adds \
         to the uncertainty is in those alone that are called two-way.",
    ));
    if galleries.len() < 2 {
        all.push(say(About::Limit, "One gallery size only: how rates grow with the gallery was not measured."));
    }
    if predicted {
        all.push(say(
            About::Extrapolated,
            "FPIR of larger galleries is a model-based prediction from the tails of each search. ISO/IEC 5152 excludes such \
             predictions for identification; the ratio to what was measured is shown beside them.",
        ));
    }
    all
}

#[cfg(test)]
mod tests;
