//! From searches to an [`Evaluation`]: which figures are worked out, at which thresholds, and what may be said of them.
//!
//! The arithmetic is in [`accuracy`](super::accuracy); here is what a report shows of it. What can't be worked out is left out,
//! and a statement says why.

mod groups;
mod likelihood;
mod sizes;
mod tables;

use std::collections::BTreeMap;

pub use groups::{AMONG, GroupRow, of_groups};
pub use sizes::Galleries;

use crate::evaluation::EvaluationError;
use crate::evaluation::accuracy::diagnostics::histogram;
use crate::evaluation::accuracy::paired::compare;
use crate::evaluation::accuracy::rates::failures;
use crate::evaluation::accuracy::trials::{Kind, Rank, Search, Threshold, Trials, View};
use crate::evaluation::arithmetic::bootstrap::Resampling;
use crate::evaluation::assemble::sizes::{BySize, by_size};
use crate::evaluation::assemble::tables::rate;
use crate::evaluation::results::{
    About, ApproximatePairs, Breakdown, Counts, Evaluation, GalleryResult, Histograms, Identity, Latency,
    RESULTS_VERSION, Statement,
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
}

/// A measure of the probes.
#[derive(Debug, Clone, PartialEq)]
pub struct QualityMeasure {
    /// Its name.
    pub name: String,
    /// Of each search of the whole gallery; `None` without a template.
    pub of_searches: Vec<Option<f64>>,
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
    /// Kind of picture, where there is more than one.
    pub kinds: Option<Column>,
    /// Group columns.
    pub groups: Vec<Column>,
    /// Measures of quality.
    pub measures: Vec<QualityMeasure>,
    /// Comparison scores of random non-mated pairs: calibration is worked out where there are some.
    pub non_mated_pairs: Vec<f32>,
    /// The whole gallery searched approximately, with the ef; the only one of these galleries.
    pub approximate: Option<(u32, &'a dyn Galleries)>,
    /// Names of the probes.
    pub probe_names: Box<dyn Fn(u32) -> String + 'a>,
    /// How long scoring took.
    pub latency: Option<Latency>,
    /// Who waits for it.
    pub tell: Tell<'a>,
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
    let BySize { galleries, prediction } = by_size(found.galleries, whole, resampling, found.tell)?;
    let threshold = groups::threshold(&view);
    let mut breakdowns = Vec::new();
    let mut heat_maps = Vec::new();
    let columns = (found.kinds.iter().count() + found.measures.len() + found.groups.len()) as u64;
    let told = |breakdowns: &[Breakdown]| (found.tell)("breakdowns", breakdowns.len() as u64, columns);
    if let Some(kinds) = &found.kinds {
        breakdowns.push(groups::by_kind(&view, kinds, threshold)?);
    }
    for measure in &found.measures {
        told(&breakdowns)?;
        breakdowns.extend(groups::by_quality(&view, measure, threshold)?);
    }
    for column in &found.groups {
        let go_on = || told(&breakdowns);
        let (breakdown, limits) = groups::by_group(&view, column, threshold, resampling, &go_on)?;
        statements.extend(limits);
        breakdowns.push(breakdown);
        heat_maps.extend(groups::heat_map(&view, column, threshold));
    }
    let discard = found.measures.iter().filter_map(|measure| groups::discard(&view, measure, threshold));
    let discard = discard.collect();
    let prediction = note(&mut statements, "No prediction of larger galleries", prediction);
    told(&breakdowns)?;
    let calibration = if found.non_mated_pairs.is_empty() {
        None
    } else {
        note(&mut statements, "No calibration", likelihood::calibrate(&view, &found.non_mated_pairs))
    };
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
        breakdowns,
        heat_maps,
        discard,
        prediction,
        calibration,
        approximate,
        histograms: histograms(&view)?,
        latency: found.latency,
        statements,
        identity,
    })
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
         to the uncertainty is not in them.",
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

/// Rates of an operating point: FPIR and FNIR at a threshold that was chosen before.
///
/// # Errors
/// [`EvaluationError`] without mated or non-mated searches.
pub fn rates_at(
    view: &View,
    threshold: Threshold,
    target: f64,
) -> Result<(crate::evaluation::results::Rate, crate::evaluation::results::Rate), EvaluationError> {
    let fpir = tables::fpir_rate(view, threshold, None)?;
    let supported = tables::supports(&fpir, target)?;
    let rank = Rank::Within(view.trials().list_length());
    let fnir =
        rate(crate::evaluation::accuracy::rates::fnir(view, rank, threshold)?, subjects_of(view, Kind::Mated), None);
    Ok((crate::evaluation::results::Rate { supported, ..fpir }, fnir))
}

#[cfg(test)]
mod tests;
