//! Cells, rows and the frame of a table.

use super::super::markup::Markup;
use super::super::words;
use crate::base::text::thousands;
use crate::evaluation::results::Rate;

/// Rows of a table that is kept on one page.
const SHORT_ROWS: usize = 8;

/// A numbered part of the report with a heading.
pub(super) fn part(page: &mut Markup, number: &str, title: &str, fill: impl FnOnce(&mut Markup)) {
    page.element("section", &[("class", "part"), ("id", &format!("table-{number}"))], |page| {
        page.leaf("h3", &[], &format!("Table {number}. {title}"));
        fill(page);
    });
}

/// A remark above or below a table.
pub(super) fn note(page: &mut Markup, text: &str) {
    page.leaf("p", &[("class", "note")], text);
}

/// A remark that stays with the table below it.
pub(super) fn note_above(page: &mut Markup, text: &str) {
    page.leaf("p", &[("class", "note above")], text);
}

/// Why a table has nothing to show.
pub(super) fn missing(page: &mut Markup, why: &str) {
    page.leaf("p", &[("class", "missing")], &format!("Not measured: {why}"));
}

/// A table; `rows` writes its rows.
pub(super) fn table(page: &mut Markup, caption: &str, head: &[String], rows: impl FnOnce(&mut Markup)) {
    let mut body = Markup::default();
    body.element("tbody", &[], rows);
    let body = body.finish();
    // What fits on a page is not parted.
    let class = if body.matches("<tr").count() <= SHORT_ROWS { "short" } else { "long" };
    // Not a `caption`: browsers leave one alone at the foot of a page.
    page.leaf("p", &[("class", "caption"), ("aria-hidden", "true")], caption);
    page.element("table", &[("class", class), ("aria-label", caption)], |page| {
        page.element("thead", &[], |page| {
            page.element("tr", &[], |page| head.iter().for_each(|name| page.leaf("th", &[("scope", "col")], name)));
        });
        page.trusted(&body);
    });
}

/// The heads of columns.
pub(super) fn head(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// A row with its name; `cells` writes the others.
pub(super) fn row(page: &mut Markup, name: &str, cells: impl FnOnce(&mut Markup)) {
    page.element("tr", &[], |page| {
        page.leaf("th", &[("scope", "row")], &words::cut(name, 80));
        cells(page);
    });
}

/// Words in a cell.
pub(super) fn said(page: &mut Markup, text: &str) {
    page.leaf("td", &[("class", "figure")], &words::shown(text));
}

/// A whole number.
pub(super) fn count(page: &mut Markup, value: u64) {
    page.element("td", &[("class", "figure")], |page| {
        page.leaf("data", &[("value", &value.to_string())], &thousands(value));
    });
}

/// A figure that the true one is not below, where `is_bound` says so: the lists were too short to see more.
pub(super) fn figure_or_bound(page: &mut Markup, value: Option<f64>, is_bound: bool, say: impl FnOnce(f64) -> String) {
    page.element("td", &[("class", "figure")], |page| {
        if is_bound && value.is_some() {
            page.text("≥ ");
        }
        bare(page, value, say);
    });
}

/// A figure written by `say`, or that there is none.
pub(super) fn figure(page: &mut Markup, value: Option<f64>, say: impl FnOnce(f64) -> String) {
    page.element("td", &[("class", "figure")], |page| bare(page, value, say));
}

/// The same without a cell around it.
pub(super) fn bare(page: &mut Markup, value: Option<f64>, say: impl FnOnce(f64) -> String) {
    match value {
        Some(value) => page.leaf("data", &[("value", &value.to_string())], &say(value)),
        None => page.leaf("span", &[("class", "none")], "–"),
    }
}

/// A rate with all that it rests on.
pub(super) fn rate(page: &mut Markup, rate: Option<&Rate>) {
    page.element("td", &[("class", "figure rate")], |page| match rate {
        Some(rate) => rate_lines(page, rate),
        None => page.leaf("span", &[("class", "none")], "–"),
    });
}

/// A miss rate at a threshold: claimed only beside a claimed FPIR, also where results of before say otherwise.
pub(super) fn misses(page: &mut Markup, fnir: Option<&Rate>, fpir: Option<&Rate>) {
    rate(page, fnir.map(|fnir| fnir.beside(fpir)).as_ref());
}

/// The lines of a rate's cell.
pub(super) fn rate_lines(page: &mut Markup, rate: &Rate) {
    let Some(value) = rate.value else {
        page.leaf("span", &[("class", "none")], "no searches");
        return;
    };
    page.leaf("data", &[("value", &value.to_string())], &words::figure(value));
    let people = words::counted(rate.subjects, "person", "people");
    line(page, &format!("{}/{}; {people}", thousands(rate.events), thousands(rate.trials)));
    if let Some(effect) = rate.design_effect.filter(|effect| *effect > 1.0) {
        let worth = (rate.trials as f64 / effect).floor() as u64;
        line(page, &format!("worth {}", words::counted(worth, "search", "searches")));
    }
    // A bootstrap over a handful of events is too narrow whoever made it; the exact interval is not.
    let (few, weighed) = (rate.is_of_few(), rate.is_weighed());
    let intervals = [
        ("W", rate.wilson),
        ("CP", rate.clopper_pearson.filter(|_| weighed && (rate.supported || few))),
        ("B", rate.bootstrap.filter(|_| rate.trials > rate.subjects && !few)),
    ];
    for (name, found) in intervals {
        if let Some(found) = found {
            line(page, &format!("{name} {}", words::interval(found)));
        }
    }
    if rate.is_supported() {
        page.leaf("span", &[("class", "line supported")], "supported by the data");
    }
}

/// A small line in a cell.
pub(super) fn line(page: &mut Markup, text: &str) {
    page.leaf("span", &[("class", "line")], text);
}
