//! Thresholds and errors of each kind of probe by itself, where there are several.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{figure, head, misses, missing, note, note_above, rate, row, table};
use super::errors::other_misses;
use crate::base::limits::REPORT_COLUMNS_MAX;
use crate::base::text::thousands;
use crate::evaluation::results::{Evaluation, GalleryResult, KindResult};

/// Says of tables over everything that they are over a mixture, and of what.
pub(super) fn mixture(page: &mut Markup, evaluation: &Evaluation) {
    if evaluation.probe_kinds.len() < 2 {
        return;
    }
    let one = |kind: &KindResult| {
        let (mated, non_mated) = (thousands(kind.mated_searches), thousands(kind.non_mated_searches));
        format!("{} ({mated} mated, {non_mated} non-mated searches)", words::cut(&kind.kind, 80))
    };
    let kinds: Vec<String> = evaluation.probe_kinds.iter().take(REPORT_COLUMNS_MAX).map(one).collect();
    note_above(
        page,
        &format!(
            "Over a mixture of kinds of probe: {}. No operation has this very mixture; a threshold for use is one of a kind by \
             itself, below.",
            kinds.join(", ")
        ),
    );
}

/// A table for each kind.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    let kinds = evaluation.probe_kinds.iter().filter_map(|kind| Some((kind, kind.rates.as_ref()?)));
    for (kind, rates) in kinds.clone().take(REPORT_COLUMNS_MAX) {
        of_kind(page, kind, rates);
    }
    let all = kinds.count();
    if all > REPORT_COLUMNS_MAX {
        note(page, &format!("The first {REPORT_COLUMNS_MAX} of {all} kinds; evaluation.json has all."));
    }
}

fn of_kind(page: &mut Markup, kind: &KindResult, rates: &GalleryResult) {
    let name = words::cut(&kind.kind, 80);
    if rates.operating.is_empty() {
        return missing(page, &format!("there were no non-mated searches with probes of the kind “{name}”."));
    }
    let longest = rates.operating.iter().find_map(|found| found.fnir.last()).map(|row| row.rank);
    let fnir = longest.map_or_else(|| "FNIR".to_owned(), |rank| format!("FNIR, rank {rank}"));
    let names = head(&["FPIR aimed at", "T", "FPIR(N, T)", &fnir, "FPIR of other people", "FNIR of other people"]);
    let caption = format!("Probes “{name}” by themselves: thresholds chosen and measured on their own searches");
    table(page, &caption, &names, |page| {
        for found in &rates.operating {
            row(page, &words::target(found.target_fpir), |page| {
                figure(page, found.threshold, words::score);
                rate(page, found.fpir.as_ref());
                misses(page, found.fnir.last().map(|row| &row.fnir), found.fpir.as_ref());
                rate(page, found.disjoint.as_ref().map(|half| &half.fpir));
                other_misses(page, found);
            });
        }
    });
}
