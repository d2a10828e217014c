//! The report of an evaluation: one HTML file with everything in it, for the screen and for paper.
//!
//! Pure: results in, text out; the same results give the same bytes. Nothing in the page refers to anything outside it, no
//! script runs in it, and whatever comes from data is escaped. `docs/EVALUATION.md` says how to read it.

mod check;
mod font;
mod identity;
mod markup;
mod page;
mod plots;
mod statements;
mod tables;
mod words;

use crate::evaluation::EvaluationError;
use crate::evaluation::results::Evaluation;
use markup::Markup;

/// The report as one self-contained HTML document.
///
/// # Errors
/// [`EvaluationError::ResultsVersion`] and [`EvaluationError::Results`] for results that are not of this version or do not fit
/// together, [`EvaluationError::Drawing`] when a plot can't be drawn.
pub fn html(evaluation: &Evaluation) -> Result<String, EvaluationError> {
    check::check(evaluation)?;
    let figures = plots::all(evaluation)?;
    Ok(page::document(evaluation, |page| {
        identity::write(page, evaluation);
        section(page, "tables", "Tables", |page| tables::write(page, evaluation));
        section(page, "figures", "Figures", |page| {
            figures.iter().enumerate().for_each(|(index, figure)| figure.write(page, index + 1));
        });
        statements::write(page, evaluation);
    }))
}

/// A part that begins on a page of its own.
fn section(page: &mut Markup, id: &str, title: &str, fill: impl FnOnce(&mut Markup)) {
    page.element("section", &[("class", "chapter"), ("id", id)], |page| {
        page.leaf("h2", &[], title);
        fill(page);
    });
}
