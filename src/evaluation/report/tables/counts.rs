//! How many of what, and misses by rank.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{count, head, missing, note, part, rate, row, table};
use crate::evaluation::results::{Evaluation, RankRow};

/// Table 1.
pub(super) fn counts(page: &mut Markup, evaluation: &Evaluation) {
    let counts = &evaluation.counts;
    // Version 1 did not know them, and had them in N.
    let known = evaluation.has_what_version_2_added();
    part(page, "1", "Counts", |page| {
        table(page, "Searches, people and failures", &head(&["", "images or searches", "people"]), |page| {
            let rows = [
                ("enrolled references", Some(counts.enrolled_templates), Some(counts.enrolled_subjects)),
                (
                    "failures to enrol (FTE), and people who are not in the gallery for that",
                    Some(counts.failures_to_enrol),
                    Some(counts.subjects_not_enrolled).filter(|_| known),
                ),
                ("mated searches", Some(counts.mated_searches), Some(counts.mated_subjects)),
                ("of these failures to extract (FTX)", Some(counts.failures_to_extract_mated), None),
                (
                    "of these with a mate who could not be enrolled (FTE losses)",
                    Some(counts.mates_not_enrolled).filter(|_| known),
                    None,
                ),
                ("non-mated searches", Some(counts.non_mated_searches), Some(counts.non_mated_subjects)),
                ("of these failures to extract (FTX)", Some(counts.failures_to_extract_non_mated), None),
            ];
            for (name, images, people) in rows {
                row(page, name, |page| {
                    for found in [images, people] {
                        match found {
                            Some(found) => count(page, found),
                            None => page.leaf("td", &[("class", "figure")], "–"),
                        }
                    }
                });
            }
        });
        let counted = if known { "the people who are in the gallery" } else { "them too in results of version 1" };
        note(
            page,
            &format!(
                "Failures are errors in every rate of this report: a mated probe without a template is a miss, a non-mated one a \
                 search without a candidate. Somebody who could not be enrolled can't be found: searches for them are misses, and \
                 N counts {counted}.",
            ),
        );
    });
}

/// Table 2.
pub(super) fn ranks(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "2", "Misses by rank without a threshold: FNIR(N, R, 0)", |page| {
        let galleries = &evaluation.galleries;
        let ranks = galleries.last().map_or(&[][..], |gallery| &gallery.by_rank);
        if ranks.is_empty() {
            return missing(page, "there were no mated searches.");
        }
        let names = [String::from("N")].into_iter().chain(ranks.iter().map(|row| format!("rank {}", row.rank)));
        table(page, "By people enrolled (N) and length of the list (R)", &names.collect::<Vec<_>>(), |page| {
            for gallery in galleries {
                row(page, &words::counted(gallery.people, "person", "people"), |page| {
                    for asked in ranks {
                        rate(page, at_rank(&gallery.by_rank, asked.rank));
                    }
                });
            }
        });
    });
}

/// The row of a rank.
pub(super) fn at_rank(rows: &[RankRow], rank: u32) -> Option<&crate::evaluation::results::Rate> {
    rows.iter().find(|row| row.rank == rank).map(|row| &row.fnir)
}
