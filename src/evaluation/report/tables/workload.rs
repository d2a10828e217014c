//! What the thresholds make examiners do.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{figure, head, missing, note, part, row, said, table};
use crate::evaluation::results::{Evaluation, OperatingRow, WorkloadRow};

/// Table 7.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "7", "Workload and predictive value, whole gallery", |page| {
        let rows = evaluation.galleries.last().map_or(&[][..], |gallery| &gallery.operating);
        let rows: Vec<&OperatingRow> = rows.iter().filter(|row| row.threshold.is_some()).collect();
        if rows.is_empty() {
            return missing(page, "no threshold could be chosen.");
        }
        let names = head(&[
            "FPIR aimed at",
            "T",
            "selectivity",
            "share mated",
            "searches with a candidate",
            "candidates to reject",
            "mates shown",
            "predictive value",
        ]);
        table(page, "Of 1,000 searches, by share of them that is mated", &names, |page| {
            for found in rows {
                if found.workload.is_empty() {
                    line(page, found, None);
                }
                found.workload.iter().for_each(|work| line(page, found, Some(work)));
            }
        });
        note(
            page,
            "Selectivity: false candidates a non-mated search. Predictive value: the chance that a search with a candidate shows the \
             mate. Both hold for the stated share of mated searches, which is assumed, and for probes like those of this evaluation.",
        );
    });
}

fn line(page: &mut Markup, found: &OperatingRow, work: Option<&WorkloadRow>) {
    row(page, &words::target(found.target_fpir), |page| {
        figure(page, found.threshold, words::score);
        figure(page, found.selectivity, words::figure);
        let Some(work) = work else {
            return (0..5).for_each(|_| said(page, "–"));
        };
        figure(page, Some(work.prior), |prior| format!("{} %", words::target(prior * 100.0)));
        figure(page, Some(work.searches_with_candidates), words::figure);
        figure(page, Some(work.false_candidates), words::figure);
        figure(page, Some(work.mates_shown), words::figure);
        let same = |prior: f64| (prior - work.prior).abs() < 1e-12;
        let value = found.predictive_value.iter().find(|(prior, _)| same(*prior)).and_then(|(_, value)| *value);
        figure(page, value, words::figure);
    });
}
