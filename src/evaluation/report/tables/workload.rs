//! What the thresholds make examiners do.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{figure, figure_or_bound, head, missing, note, part, row, said, table};
use crate::base::text::thousands;
use crate::evaluation::results::{Counts, Evaluation, OperatingRow, WorkloadRow};

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
            for found in &rows {
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
        bounds(page, &evaluation.counts, &rows);
    });
}

/// Where lists were full, what was counted of them is not all.
fn bounds(page: &mut Markup, counts: &Counts, rows: &[&OperatingRow]) {
    let cut = rows.iter().filter_map(|found| Some((found.target_fpir, found.cut_lists?)));
    let said: Vec<String> = cut
        .filter(|(_, cut)| cut.mated + cut.non_mated > 0)
        .map(|(target, cut)| {
            let (mated, non_mated) = (thousands(cut.mated), thousands(cut.non_mated));
            format!("at FPIR {}, {non_mated} non-mated and {mated} mated ones", words::target(target))
        })
        .collect();
    let Some(length) = rows.iter().find_map(|found| Some(found.cut_lists?.length)).filter(|_| !said.is_empty()) else {
        return;
    };
    note(
        page,
        &format!(
            "≥: some searches filled their whole list of {length} with candidates at or above T, so that there may be more candidates \
             than were counted, and the true figure is no smaller than the one shown. Of {} non-mated and {} mated searches these \
             are: {}.",
            thousands(counts.non_mated_searches),
            thousands(counts.mated_searches),
            said.join("; ")
        ),
    );
}

fn line(page: &mut Markup, found: &OperatingRow, work: Option<&WorkloadRow>) {
    row(page, &words::target(found.target_fpir), |page| {
        figure(page, found.threshold, words::score);
        let cut = found.cut_lists.unwrap_or_default();
        figure_or_bound(page, found.selectivity, cut.non_mated > 0, words::figure);
        let Some(work) = work else {
            return (0..5).for_each(|_| said(page, "–"));
        };
        figure(page, Some(work.prior), |prior| format!("{} %", words::target(prior * 100.0)));
        figure(page, Some(work.searches_with_candidates), words::figure);
        figure_or_bound(page, Some(work.false_candidates), cut.mated + cut.non_mated > 0, words::figure);
        figure(page, Some(work.mates_shown), words::figure);
        let same = |prior: f64| (prior - work.prior).abs() < 1e-12;
        let value = found.predictive_value.iter().find(|(prior, _)| same(*prior)).and_then(|(_, value)| *value);
        figure(page, value, words::figure);
    });
}
