//! How long scoring took, by batch, by gallery and by probes together.

use super::Figure;
use super::axis::{Axis, Labels};
use super::frame::{Curve, Plot, all_xs, all_ys};
use super::points::{left_out_note, limited, spread, thinning_note};
use super::style::{STYLES_COUNT, style};
use crate::base::text::thousands;
use crate::evaluation::EvaluationError;
use crate::evaluation::report::{tables, words};
use crate::evaluation::results::{Evaluation, Latency};

const MISSING: &str = "scoring was not timed.";
const BATCHES_MISSING: &str = "scoring was timed for one number of probes together only.";
const SIZES_MISSING: &str = "scoring was not timed at several sizes.";

/// Share of batches done within a time.
pub(super) fn distribution(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("latency", "Time of a batch: distribution");
    let latency = evaluation.latency.as_ref().filter(|latency| !latency.batch_ms.is_empty());
    let Some(latency) = latency else { return Ok(Figure::missing(id, title, MISSING)) };
    let count = latency.batch_ms.len();
    let shares: Vec<(f64, f64)> =
        latency.batch_ms.iter().enumerate().map(|(index, ms)| (*ms, (index + 1) as f64 / count as f64)).collect();
    let (points, every) = limited(&shares);
    let curve = if count > 20 { Curve::line("", style(0), points) } else { Curve::marked("", style(0), points) };
    let curves = vec![curve];
    let x = Axis::logarithmic("milliseconds", Labels::Plain, all_xs(&curves), None);
    let y = Axis::share("share of batches", [0.0, 1.0].into_iter());
    let plot = Plot { x, y, curves, rules: vec![], height: 290, synthetic: evaluation.identity.synthetic };
    let said = tables::percentiles(&latency.batch_ms);
    let said =
        said.iter().map(|(name, ms)| format!("{name}: {} ms.", words::figure(*ms))).collect::<Vec<_>>().join(" ");
    let caption = format!(
        "{} of {} on {}. Scoring only: decoding, detection and template extraction are not in it. Not to be set beside NIST's times, \
         whose hardware is another.{}",
        words::counted(count as u64, "batch", "batches"),
        words::counted(latency.batch as u64, "probe", "probes"),
        words::shown(&latency.back_end),
        thinning_note(every)
    );
    Ok(Figure::drawn(id, title, plot.draw()?, said, caption))
}

/// Median time against N, one curve for each number of probes together.
pub(super) fn by_size(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("latency-by-size", "Time against the size of the gallery");
    let Some(medians) = timed(evaluation) else { return Ok(Figure::missing(id, title, SIZES_MISSING)) };
    let (curves, note) = curves_by(
        &medians,
        |row| row.1 as u64,
        |row| row.0 as f64,
        |probes| if probes == 1 { "1 probe".to_owned() } else { format!("{} probes together", thousands(probes)) },
    );
    finish(evaluation, (id, title), curves, "people enrolled, N", &note)
}

/// Median time against the probes scored together, one curve for each N.
pub(super) fn by_batch(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("latency-by-batch", "Time against the number of probes scored together");
    let Some(mut medians) = timed(evaluation) else { return Ok(Figure::missing(id, title, SIZES_MISSING)) };
    // One number of probes is nothing to hold time against.
    let all = medians.clone();
    medians.retain(|row| all.iter().any(|other| other.0 == row.0 && other.1 != row.1));
    if medians.is_empty() {
        return Ok(Figure::missing(id, title, BATCHES_MISSING));
    }
    let name = |people| format!("N = {}", words::size(people as f64));
    let (curves, note) = curves_by(&medians, |row| row.0, |row| row.1 as f64, name);
    finish(evaluation, (id, title), curves, "probes scored together", &note)
}

fn timed(evaluation: &Evaluation) -> Option<Vec<Row>> {
    evaluation.latency.as_ref().map(Latency::medians).filter(|medians| !medians.is_empty())
}

type Row = (u64, usize, f64);

fn curves_by(
    medians: &[Row],
    key: impl Fn(&Row) -> u64,
    across: impl Fn(&Row) -> f64,
    name: impl Fn(u64) -> String,
) -> (Vec<Curve>, String) {
    let mut keys: Vec<u64> = medians.iter().map(&key).collect();
    keys.sort_unstable();
    keys.dedup();
    let chosen = spread(keys.len(), STYLES_COUNT);
    let curves = chosen.iter().enumerate().map(|(place, index)| {
        let wanted = keys[*index];
        let rows = medians.iter().filter(|row| key(row) == wanted);
        let mut points: Vec<(f64, f64)> = rows.map(|row| (across(row), row.2)).collect();
        points.sort_by(|one, other| one.0.total_cmp(&other.0));
        Curve::marked(&name(wanted), style(place), limited(&points).0)
    });
    (curves.collect(), left_out_note(chosen.len(), keys.len(), "curves"))
}

fn finish(
    evaluation: &Evaluation,
    (id, title): (&str, &str),
    curves: Vec<Curve>,
    across: &str,
    note: &str,
) -> Result<Figure, EvaluationError> {
    let x = Axis::logarithmic(across, Labels::Sizes, all_xs(&curves), None);
    let y = Axis::logarithmic("median milliseconds", Labels::Plain, all_ys(&curves), None);
    let said = curves.iter().filter_map(|curve| {
        let ((from, first), (to, last)) = (curve.marks.first()?, curve.marks.last()?);
        let (first, last) = (words::figure(*first), words::figure(*last));
        let (from, to) = (thousands(*from as u64), thousands(*to as u64));
        Some(format!("{}: {first} ms at {from}, {last} ms at {to}.", curve.name.as_deref().unwrap_or_default()))
    });
    let said = said.collect::<Vec<_>>().join(" ");
    let plot = Plot { x, y, curves, rules: vec![], height: 290, synthetic: evaluation.identity.synthetic };
    let caption =
        format!("Both axes are logarithmic: where time grows in proportion, a tenfold number is a tenfold time.{note}");
    Ok(Figure::drawn(id, title, plot.draw()?, said, caption))
}
