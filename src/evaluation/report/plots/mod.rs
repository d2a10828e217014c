//! Every plot of the report, drawn as SVG with words for those who can't see it.

mod axis;
mod calibration;
mod frame;
mod groups;
mod heat;
mod latency;
mod legend;
mod multiples;
mod points;
mod scores;
mod sizes;
mod style;
mod trade_off;

use super::markup::Markup;
use super::words;
use crate::evaluation::EvaluationError;
use crate::evaluation::results::{Counts, Evaluation, GalleryResult, OperatingRow};

/// The FPIR that NIST's tables are ordered by.
const HEADLINE_FPIR: f64 = 0.003;

/// A plot with what is said about it.
#[derive(Debug)]
pub(super) struct Figure {
    /// Its anchor.
    id: String,
    title: String,
    /// The drawing, or why there is none.
    drawing: Result<Drawing, String>,
}

#[derive(Debug)]
struct Drawing {
    svg: String,
    /// What is seen, in figures.
    alternative: String,
    /// What may be concluded.
    caption: String,
}

impl Figure {
    fn drawn(id: &str, title: &str, svg: String, alternative: String, caption: String) -> Self {
        let drawing = Ok(Drawing { svg, alternative, caption });
        Self { id: format!("figure-{id}"), title: title.to_owned(), drawing }
    }

    fn missing(id: &str, title: &str, why: &str) -> Self {
        Self { id: format!("figure-{id}"), title: title.to_owned(), drawing: Err(why.to_owned()) }
    }

    /// Writes the figure; `number` counts from 1.
    pub(super) fn write(&self, page: &mut Markup, number: usize) {
        let heading = format!("Figure {number}. {}.", self.title);
        page.element("figure", &[("id", &self.id)], |page| match &self.drawing {
            Ok(drawing) => {
                self.svg(page, drawing);
                page.element("figcaption", &[], |page| {
                    page.leaf("strong", &[], &heading);
                    // A number is not parted from its unit.
                    page.text(&format!(" {}", drawing.caption.replace(" %", "\u{a0}%")));
                });
            }
            Err(why) => page.element("figcaption", &[("class", "missing")], |page| {
                page.leaf("strong", &[], &heading);
                page.text(&format!(" Not measured: {why}"));
            }),
        });
    }

    fn svg(&self, page: &mut Markup, drawing: &Drawing) {
        let (title, description) = (format!("{}-title", self.id), format!("{}-desc", self.id));
        // The library's own opening tag says nothing of what is drawn; the size is the page's to choose.
        let opening = drawing.svg.split_once('>').map_or("", |(opening, _)| opening);
        let inner = drawing.svg.split_once('>').map_or("", |(_, inner)| inner);
        let inner = inner.trim_end().trim_end_matches("</svg>");
        let view =
            opening.split_once("viewBox=\"").and_then(|(_, rest)| rest.split_once('"')).map_or("", |(view, _)| view);
        let labelled = format!("{title} {description}");
        page.element("svg", &[("role", "img"), ("viewBox", view), ("aria-labelledby", &labelled)], |page| {
            page.leaf("title", &[("id", &title)], &self.title);
            page.leaf("desc", &[("id", &description)], &drawing.alternative);
            page.trusted(inner);
        });
    }
}

/// All figures, in the order of the report.
///
/// # Errors
/// [`EvaluationError::Drawing`] when one can't be drawn.
pub(super) fn all(evaluation: &Evaluation) -> Result<Vec<Figure>, EvaluationError> {
    let mut figures = vec![
        trade_off::det(evaluation)?,
        trade_off::cmc(evaluation)?,
        sizes::fnir(evaluation)?,
        sizes::fpir(evaluation)?,
        sizes::threshold(evaluation)?,
        scores::histogram(evaluation)?,
    ];
    figures.extend(multiples::by_group(evaluation)?);
    figures.extend(groups::fans(evaluation)?);
    figures.extend(heat::maps(evaluation)?);
    figures.push(scores::discard(evaluation)?);
    figures.push(calibration::reliability(evaluation)?);
    figures.push(calibration::tippett(evaluation)?);
    figures.push(latency::distribution(evaluation)?);
    figures.push(latency::by_size(evaluation)?);
    figures.push(latency::by_batch(evaluation)?);
    Ok(figures)
}

/// The threshold that is drawn into plots, and the FPIR that it was chosen for: that of the tables by group and quality, so that
/// plot and table are of one threshold; the headline's where there are none.
fn rule(evaluation: &Evaluation) -> Option<(f64, f64)> {
    let of_tables = evaluation.breakdowns.iter().find_map(|table| Some((table.threshold?, table.target_fpir)));
    of_tables.or_else(|| {
        let row = evaluation.galleries.last().and_then(headline)?;
        Some((row.threshold?, row.target_fpir))
    })
}

/// The operating point that stands for the others: the one nearest to FPIR 0.003.
fn headline(gallery: &GalleryResult) -> Option<&OperatingRow> {
    let distance = |row: &OperatingRow| (row.target_fpir / HEADLINE_FPIR).log10().abs();
    let with_threshold = gallery.operating.iter().filter(|row| row.threshold.is_some());
    with_threshold.min_by(|one, other| distance(one).total_cmp(&distance(other)))
}

/// The smallest rate other than zero that so many searches can show.
fn finest(searches: u64) -> Option<f64> {
    (searches > 0).then(|| 1.0 / searches as f64)
}

/// What stands in the band for zeros.
fn zero_note(shown: bool, what: &str, searches: u64) -> String {
    let Some(finest) = finest(searches).filter(|_| shown) else { return String::new() };
    format!(
        " In the grey band {what} is zero: no error was seen, and {} can show nothing between zero and {}.",
        words::counted(searches, "search", "searches"),
        words::figure(finest)
    )
}

/// Why a plot of mated and non-mated searches can't be had.
fn no_searches(counts: &Counts) -> &'static str {
    match (counts.mated_searches, counts.non_mated_searches) {
        (0, 0) => "there were no searches.",
        (0, _) => "there were no mated searches, so FNIR can't be measured.",
        (_, 0) => "there were no non-mated searches, so FPIR can't be measured.",
        (_, _) => "the evaluation has no points for it.",
    }
}
