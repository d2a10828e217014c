//! How many searches a rate wants, and what drawing people anew does to the rates: below table 3.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{count, head, note, row, said, table};
use crate::base::text::thousands;
use crate::evaluation::results::{Evaluation, GalleryResult, OperatingRow};

/// Searches that each rate wants, beside those that were made.
pub(super) fn needed(page: &mut Markup, evaluation: &Evaluation, gallery: &GalleryResult) {
    let rows: Vec<&OperatingRow> = gallery.operating.iter().filter(|found| found.needed.is_some()).collect();
    let Some(strictest) = rows.last() else { return };
    let counts = &evaluation.counts;
    let caption = format!(
        "Non-mated searches that each rate wants; {} for {} were made",
        thousands(counts.non_mated_searches),
        words::counted(counts.non_mated_subjects, "person", "people")
    );
    let names = head(&[
        "FPIR aimed at",
        "to choose a threshold",
        "to claim it: none shows a candidate",
        "to claim it: 30 show one",
        "in this evaluation",
    ]);
    table(page, &caption, &names, |page| {
        for found in &rows {
            row(page, &words::target(found.target_fpir), |page| {
                if let Some(needed) = found.needed {
                    count(page, needed.for_a_threshold);
                    count(page, needed.without_errors);
                    count(page, needed.for_thirty);
                    said(page, state(found, needed.for_a_threshold <= counts.non_mated_searches));
                }
            });
        }
    });
    note(
        page,
        &format!(
            "An FPIR of {} says: of {} searches for people who are not enrolled, one shows a candidate. With fewer searches than in \
             the first column no threshold can be chosen for it. A claim takes as many as in the second, none of which shows a \
             candidate (rule of 3, 95 %), or as many as in the third, of which about 30 do (rule of 30: the true rate lies within \
             30 % of the observed one, 90 %). They must be independent: several searches for one person count for less.",
            words::target(strictest.target_fpir),
            thousands((1.0 / strictest.target_fpir).round() as u64),
        ),
    );
}

fn state(found: &OperatingRow, enough: bool) -> &'static str {
    let supported = found.fpir.is_some_and(|rate| rate.is_supported());
    match (found.threshold.is_some(), enough) {
        (true, _) if supported => "claim supported by the data",
        (true, _) => "a threshold, no claim",
        (false, true) => "no threshold: too many equal scores at the top",
        (false, false) => "no threshold: too few searches",
    }
}

/// Intervals by drawing people anew, one-sided and two-way.
pub(super) fn two_way(page: &mut Markup, gallery: &GalleryResult) {
    let Some(band) = gallery.band.as_ref().filter(|band| !band.operating.is_empty()) else { return };
    let caption = format!(
        "People drawn anew: 95 % intervals of the rates at the thresholds above, from {} draws",
        thousands(u64::from(band.replicates))
    );
    let names = head(&["FPIR aimed at", "FPIR, one-way", "FPIR, two-way", "FNIR, one-way", "FNIR, two-way"]);
    table(page, &caption, &names, |page| {
        let with_threshold = gallery.operating.iter().filter(|found| found.threshold.is_some());
        for (found, at) in with_threshold.zip(&band.operating) {
            row(page, &words::target(found.target_fpir), |page| {
                for ends in [at.fpir_interval, at.fpir_two_way, at.fnir_interval, at.fnir_two_way] {
                    said(page, &ends.map_or_else(|| "–".to_owned(), words::interval));
                }
            });
        }
    });
    note(
        page,
        &format!(
            "One-way: people searched for ({} in mated, {} in non-mated searches) are drawn with replacement, each with all their searches. \
             Two-way: the {} enrolled people whom non-mated searches returned first are drawn as well, each side by itself, so that \
             one who attracts many probes shows; such an interval may be too wide, up to 1.7 times. FNIR is at that FPIR: in each \
             draw the threshold is chosen anew, so that its own uncertainty is in the interval. –: fewer than {} errors, counted for \
             what they are worth, of which drawing anew says nothing.",
            thousands(band.mated_subjects),
            thousands(band.non_mated_subjects),
            thousands(band.returned_subjects),
            band.events_min,
        ),
    );
}
