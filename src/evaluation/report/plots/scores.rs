//! Where the scores lie, and what leaving out poor probes would do.

use super::axis::{Axis, Labels};
use super::frame::{Curve, Plot, all_xs, all_ys};
use super::points::{left_out_note, limited, thinning_note};
use super::style::{STYLES_COUNT, pale, style};
use super::{Figure, rule};
use crate::evaluation::EvaluationError;
use crate::evaluation::report::words;
use crate::evaluation::results::{Evaluation, Histograms};

/// Counts of mated scores and of the highest non-mated ones.
pub(super) fn histogram(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("scores", "Comparison scores of mated and of non-mated searches");
    let histograms = &evaluation.histograms;
    let used = |counts: &[u64]| counts.iter().any(|count| *count > 0);
    if !used(&histograms.mated) && !used(&histograms.non_mated_best) {
        return Ok(Figure::missing(id, title, "no scores were counted."));
    }
    let kinds = [
        ("score with the mate", &histograms.mated),
        ("highest score of a non-mated search", &histograms.non_mated_best),
    ];
    let drawn = kinds.iter().enumerate().filter(|(_, (_, counts))| used(counts));
    let curves: Vec<Curve> =
        drawn.map(|(place, (name, counts))| Curve::line(name, style(place), stairs(histograms, counts))).collect();
    let rules = rule(evaluation).map(|(at, target)| (at, format!("T for FPIR {}", words::target(target))));
    let x = Axis::linear("comparison score", all_xs(&curves).chain(rules.iter().map(|rule| rule.0)));
    let y = Axis::logarithmic("searches in a bin", Labels::Sizes, all_ys(&curves).chain([1.0, 10.0]), None);
    let synthetic = evaluation.identity.synthetic;
    let plot = Plot { x, y, curves, rules: rules.into_iter().collect(), height: 290, synthetic };
    let said = kinds.iter().map(|(name, counts)| described(histograms, name, counts)).collect::<Vec<_>>().join(" ");
    let caption = format!(
        "Bins of {}; the number of searches is on a logarithmic axis, with empty bins in the grey band. Where the two lie over \
         each other no threshold keeps all mates and shows no false candidate.",
        words::figure(histograms.width)
    );
    Ok(Figure::drawn(id, title, plot.draw()?, said, caption))
}

/// The outline of a histogram, from its first to its last score.
fn stairs(histograms: &Histograms, counts: &[u64]) -> Vec<(f64, f64)> {
    let first = counts.iter().position(|count| *count > 0).unwrap_or(0);
    let last = counts.iter().rposition(|count| *count > 0).unwrap_or(0);
    let edge = |bin: usize| histograms.from + bin as f64 * histograms.width;
    let bins = counts.iter().enumerate().take(last + 1).skip(first);
    let outline = bins.flat_map(|(bin, count)| [(edge(bin), *count as f64), (edge(bin + 1), *count as f64)]);
    [(edge(first), 0.0)].into_iter().chain(outline).chain([(edge(last + 1), 0.0)]).collect()
}

fn described(histograms: &Histograms, name: &str, counts: &[u64]) -> String {
    let total: u64 = counts.iter().sum();
    let edge = |bin: usize| words::score(histograms.from + bin as f64 * histograms.width);
    let ends = counts.iter().position(|count| *count > 0).zip(counts.iter().rposition(|count| *count > 0));
    let most = counts.iter().enumerate().max_by_key(|(_, count)| **count).map_or(0, |(bin, _)| bin);
    ends.map_or_else(
        || format!("{name}: none."),
        |(first, last)| {
            let total = words::counted(total, "search", "searches");
            format!("{name}: {total}, from {} to {}, most in the bin from {}.", edge(first), edge(last + 1), edge(most))
        },
    )
}

/// Error against the share of poorest probes left out.
pub(super) fn discard(evaluation: &Evaluation) -> Result<Figure, EvaluationError> {
    let (id, title) = ("discard", "FNIR when the poorest probes are left out");
    let measures: Vec<_> = evaluation.discard.iter().filter(|curve| !curve.points.is_empty()).collect();
    if measures.is_empty() {
        return Ok(Figure::missing(
            id,
            title,
            "it needs mated searches, a quality measure and a threshold, and one of them was not at hand.",
        ));
    }
    let shown = measures.len().min(STYLES_COUNT - 1);
    let (ideal, mut every) = limited(&measures[0].ideal);
    let mut curves = vec![Curve::line("if errors were left out first", pale(&[2.0, 2.0]), ideal)];
    for (place, measure) in measures.iter().take(shown).enumerate() {
        let (points, step) = limited(&measure.points);
        every = every.max(step);
        curves.push(Curve::line(&words::cut(&measure.measure, 40), style(place), points));
    }
    let x = Axis::share("share of mated probes left out", all_xs(&curves).chain([0.0]));
    let y = Axis::share("FNIR(N, L, T)", all_ys(&curves).chain([0.0]));
    let plot = Plot { x, y, curves, rules: vec![], height: 290, synthetic: evaluation.identity.synthetic };
    let said = measures.iter().take(shown).filter_map(|measure| {
        let ((from, first), (to, last)) = (measure.points.first()?, measure.points.last()?);
        let (name, first, last) = (words::cut(&measure.measure, 40), words::figure(*first), words::figure(*last));
        Some(format!("{name}: FNIR {first} with a share of {from:.2} left out, {last} with {to:.2}."))
    });
    let caption = format!(
        "A measure is worth something where its curve falls; one that stays level says nothing of who is found. The dotted grey \
         line is the best that any measure could do.{}{}",
        thinning_note(every),
        left_out_note(shown, measures.len(), "measures"),
    );
    Ok(Figure::drawn(id, title, plot.draw()?, said.collect::<Vec<_>>().join(" "), caption))
}
