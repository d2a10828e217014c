//! Misses at thresholds that keep FPIR, for the whole gallery and by its size, measured and predicted.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{bare, figure, head, line, misses, missing, note, part, rate, row, table};
use super::counts::at_rank;
use super::wanted;
use crate::base::limits::REPORT_ROWS_MAX;
use crate::base::text::thousands;
use crate::evaluation::results::{Evaluation, GalleryResult, OperatingRow, Prediction};

/// Table 3.
pub(super) fn targets(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "3", "FNIR at stated FPIR, whole gallery", |page| {
        let gallery = evaluation.galleries.last().filter(|gallery| !gallery.operating.is_empty());
        let Some(gallery) = gallery else {
            return missing(page, "there were no non-mated searches, so no threshold could be chosen.");
        };
        let ranked = gallery.operating.iter().find(|found| !found.fnir.is_empty());
        let ranks: Vec<u32> = ranked.map_or(&[][..], |found| &found.fnir).iter().map(|row| row.rank).collect();
        let names = head(&["FPIR aimed at", "T", "FPIR(N, T)"]);
        let names: Vec<String> =
            names.into_iter().chain(ranks.iter().map(|rank| format!("FNIR, rank {rank}"))).collect();
        super::kinds::mixture(page, evaluation);
        let caption = format!("Thresholds chosen and measured on the same searches, N = {}", people(gallery));
        table(page, &caption, &names, |page| {
            for found in &gallery.operating {
                row(page, &words::target(found.target_fpir), |page| {
                    figure(page, found.threshold, words::score);
                    rate(page, found.fpir.as_ref());
                    for listed in &ranks {
                        misses(page, at_rank(&found.fnir, *listed), found.fpir.as_ref());
                    }
                });
            }
        });
        if gallery.operating.iter().any(|found| found.threshold.is_none()) {
            note(page, "Where no threshold stands, there were too few non-mated searches for that FPIR.");
        }
        wanted::needed(page, evaluation, gallery);
        wanted::two_way(page, gallery);
        disjoint(page, gallery);
        super::kinds::write(page, evaluation);
    });
}

/// Thresholds tested on people who did not choose them.
fn disjoint(page: &mut Markup, gallery: &GalleryResult) {
    if gallery.operating.iter().all(|found| found.disjoint.is_none()) {
        return missing(
            page,
            "thresholds were not tested on other people than those who chose them; FPIR above is optimistic.",
        );
    }
    let names = head(&["FPIR aimed at", "T of the first half", "FPIR of the second half", "FNIR with that T"]);
    table(
        page,
        "Other people: the same rule on half of the people, tested on the other half, and so not optimistic",
        &names,
        |page| {
            for found in &gallery.operating {
                row(page, &words::target(found.target_fpir), |page| {
                    figure(page, found.disjoint.map(|half| half.threshold), words::score);
                    rate(page, found.disjoint.as_ref().map(|half| &half.fpir));
                    other_misses(page, found);
                });
            }
        },
    );
}

/// Misses of other people, beside their FPIR.
pub(super) fn other_misses(page: &mut Markup, found: &OperatingRow) {
    let half = found.disjoint.as_ref();
    misses(page, half.map(|half| &half.fnir), half.map(|half| &half.fpir));
}

fn people(gallery: &GalleryResult) -> String {
    words::counted(gallery.people, "person", "people")
}

/// Table 4.
pub(super) fn sizes(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "4", "Thresholds and errors by size of the gallery", |page| {
        let targets = evaluation.galleries.last().map_or(&[][..], |gallery| &gallery.operating);
        if targets.is_empty() {
            missing(page, "there were no non-mated searches, so no threshold could be chosen.");
        } else {
            measured(page, evaluation, targets);
        }
        match evaluation.prediction.as_ref().filter(|prediction| !prediction.rows.is_empty()) {
            Some(prediction) => predicted(page, prediction),
            None => missing(page, "no prediction of FPIR was fitted."),
        }
    });
}

fn measured(page: &mut Markup, evaluation: &Evaluation, targets: &[OperatingRow]) {
    let names = [String::from("N")].into_iter();
    let names = names.chain(targets.iter().map(|row| format!("FPIR {}", words::target(row.target_fpir))));
    let names: Vec<String> = names.collect();
    table(page, "Measured: threshold, and FNIR at the longest list", &names, |page| {
        for gallery in &evaluation.galleries {
            row(page, &people(gallery), |page| {
                for target in targets {
                    let found = gallery.operating.iter().find(|row| row.target_fpir == target.target_fpir);
                    page.element("td", &[("class", "figure rate")], |page| cell(page, found));
                }
            });
        }
    });
}

/// A threshold and the misses it causes.
fn cell(page: &mut Markup, found: Option<&OperatingRow>) {
    let threshold = found.and_then(|row| row.threshold);
    let fnir = found.filter(|_| threshold.is_some()).and_then(|row| row.fnir.last()).map(|row| row.fnir);
    bare(page, fnir.and_then(|rate| rate.value), words::figure);
    if let Some(rate) = fnir {
        line(page, &format!("{}/{}", thousands(rate.events), thousands(rate.trials)));
        rate.wilson.into_iter().for_each(|found| line(page, &format!("W {}", words::interval(found))));
    }
    if let Some(threshold) = threshold {
        page.element("span", &[("class", "line")], |page| {
            page.text("T ");
            bare(page, Some(threshold), words::score);
        });
    }
}

fn predicted(page: &mut Markup, prediction: &Prediction) {
    let fitted = words::counted(prediction.fitted_at, "person", "people");
    let caption = format!(
        "Model-based prediction of FPIR at fixed thresholds, fitted to searches of {fitted}; shape of the tail {}",
        words::figure(prediction.shape)
    );
    let names = head(&["N", "T", "predicted FPIR", "if independent", "measured FPIR", "predicted / measured"]);
    table(page, &caption, &names, |page| {
        for found in prediction.rows.iter().take(REPORT_ROWS_MAX) {
            row(page, &words::counted(found.people, "person", "people"), |page| {
                figure(page, Some(found.threshold), words::score);
                page.element("td", &[("class", "figure rate")], |page| {
                    bare(page, Some(found.predicted), words::figure);
                    found.interval.into_iter().for_each(|ends| line(page, &format!("95 % {}", words::interval(ends))));
                });
                figure(page, found.binomial, words::figure);
                match &found.measured {
                    Some(measured) => rate(page, Some(measured)),
                    None => page.leaf("td", &[("class", "figure")], words::ABSENT),
                }
                let measured = found.measured.and_then(|rate| rate.value).filter(|value| *value > 0.0);
                figure(page, measured.map(|value| found.predicted / value), words::figure);
            });
        }
    });
    if prediction.rows.len() > REPORT_ROWS_MAX {
        note(page, &format!("The first {REPORT_ROWS_MAX} of {} rows; evaluation.json has all.", prediction.rows.len()));
    }
    note(
        page,
        "“If independent” takes comparisons for independent draws, which is usually too high for real faces. A prediction for a size that \
         was not measured is worth what its ratio at measured sizes is.",
    );
    count_of_events(page, prediction);
}

/// How many measured events the ratios rest on.
fn count_of_events(page: &mut Markup, prediction: &Prediction) {
    let fewest = prediction.rows.iter().filter_map(|row| row.measured.map(|rate| rate.events)).min();
    if let Some(fewest) = fewest.filter(|fewest| *fewest < 30) {
        let events = words::counted(fewest, "event", "events");
        note(page, &format!("Some ratios rest on few searches with a candidate, the least on {events}."));
    }
}
