//! FPIR by threshold for each group of people: curves that fan out where a threshold serves groups differently.

use super::Figure;
use super::axis::Axis;
use super::frame::{Curve, Plot, all_xs, all_ys};
use super::points::{limited, thinning_note};
use super::style::{STYLES_COUNT, pale, style};
use crate::base::limits::{REPORT_COLUMNS_MAX, REPORT_GROUPS_MAX};
use crate::evaluation::EvaluationError;
use crate::evaluation::report::words;
use crate::evaluation::results::{Breakdown, BreakdownKind, BreakdownRow, Evaluation};

const TITLE: &str = "FPIR by threshold for each group";

/// One plot for each group column.
pub(super) fn fans(evaluation: &Evaluation) -> Result<Vec<Figure>, EvaluationError> {
    let columns = evaluation.breakdowns.iter().filter(|column| column.kind == BreakdownKind::Group);
    let figures: Result<Vec<Figure>, EvaluationError> = columns
        .take(REPORT_COLUMNS_MAX)
        .enumerate()
        .map(|(number, column)| fan(evaluation, &format!("fan-{}", number + 1), column))
        .collect();
    let mut figures = figures?;
    if figures.is_empty() {
        figures.push(Figure::missing("fan", TITLE, "the manifest has no group column."));
    }
    Ok(figures)
}

fn fan(evaluation: &Evaluation, id: &str, column: &Breakdown) -> Result<Figure, EvaluationError> {
    let title = format!("{TITLE}: {}", words::cut(&column.title(), 40));
    let mut rows: Vec<&BreakdownRow> = column.rows.iter().filter(|row| !row.fan.is_empty()).collect();
    if rows.is_empty() {
        return Ok(Figure::missing(id, &title, "no group has non-mated searches."));
    }
    let all = rows.len();
    rows.truncate(REPORT_GROUPS_MAX);
    let named = named(&rows);
    let (mut curves, mut named_curves, mut every) = (Vec::new(), Vec::new(), 1);
    for (index, row) in rows.iter().enumerate() {
        let (points, step) = limited(&row.fan);
        every = every.max(step);
        match named.iter().position(|place| *place == index) {
            Some(place) => {
                let number = column.rows.iter().position(|one| std::ptr::eq(one, *row)).unwrap_or(index) + 1;
                let name = format!("{number} {}", words::cut(&row.value, 24));
                named_curves.push((place, Curve::line(&name, style(place), points)));
            }
            None => curves.push(Curve::line(if curves.is_empty() { "other groups" } else { "" }, pale(&[]), points)),
        }
    }
    named_curves.sort_by_key(|(place, _)| *place);
    curves.extend(named_curves.into_iter().map(|(_, curve)| curve));
    let rules: Vec<(f64, String)> = column
        .threshold
        .map(|threshold| (threshold, format!("T for FPIR {} over all", words::target(column.target_fpir))))
        .into_iter()
        .collect();
    let smallest = rows.iter().filter_map(|row| row.fpir.map(|rate| rate.trials)).filter(|trials| *trials > 0).max();
    let x = Axis::linear("threshold T (comparison score)", all_xs(&curves).chain(rules.iter().map(|rule| rule.0)));
    let y = Axis::rates("FPIR(N, T)", all_ys(&curves), smallest.and_then(super::finest));
    let plot = Plot { x, y, curves, rules, height: 290, synthetic: evaluation.identity.synthetic };
    let caption = format!(
        "At one threshold, groups whose curves lie apart get false candidates at different rates; whether that is more than \
         chance is said by the verdicts of table 6, not by this plot.{}{}{}",
        if plot.y.zero_band { " In the grey band no search of the group had a candidate." } else { "" },
        thinning_note(every),
        groups_note(&rows, named.len(), all),
    );
    Ok(Figure::drawn(id, &title, plot.draw()?, described(&rows), caption))
}

/// The rows that get a name of their own: all where they can be told apart, else those with the highest and lowest rates,
/// highest first.
fn named(rows: &[&BreakdownRow]) -> Vec<usize> {
    let rate = |index: &usize| rows[*index].fpir.and_then(|rate| rate.value).unwrap_or(-1.0);
    let mut order: Vec<usize> = (0..rows.len()).collect();
    if order.len() > STYLES_COUNT {
        order.sort_by(|one, other| rate(other).total_cmp(&rate(one)).then(one.cmp(other)));
        order.drain(STYLES_COUNT - 3..order.len() - 3);
    }
    order
}

fn groups_note(rows: &[&BreakdownRow], named: usize, all: usize) -> String {
    let count = rows.len();
    let names = if named < count {
        let (high, low) = (named - 3, 3);
        format!(
            " Of {count} groups the {high} with the highest and the {low} with the lowest FPIR at that threshold have names; the \
             others are grey."
        )
    } else {
        String::new()
    };
    let cut = if count < all {
        format!(" {count} of {all} groups are drawn; evaluation.json has all.")
    } else {
        String::new()
    };
    names + &cut
}

fn described(rows: &[&BreakdownRow]) -> String {
    let said = rows.iter().map(|row| {
        let rate = row.fpir.and_then(|rate| rate.value).map_or_else(|| words::ABSENT.to_owned(), words::figure);
        format!("{}: FPIR {rate} at the threshold chosen over all.", words::cut(&row.value, 60))
    });
    said.collect::<Vec<_>>().join(" ")
}
