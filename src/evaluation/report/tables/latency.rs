//! How long scoring took.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{count, figure, head, missing, note, part, row, said, table};
use super::percentiles;
use crate::base::limits::{REPORT_ROWS_MAX, REPORT_TARGETS_MAX};
use crate::evaluation::latency::percentiles::ASKED;
use crate::evaluation::results::{Evaluation, Latency};

/// Table 10.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "10", "Time of scoring", |page| {
        let Some(found) = &evaluation.latency else { return missing(page, "scoring was not timed.") };
        table(page, "Batches of this evaluation", &head(&["", "value"]), |page| {
            row(page, "back end", |page| said(page, &found.back_end));
            row(page, "probes of a batch", |page| count(page, found.batch as u64));
            row(page, "batches timed", |page| count(page, found.batch_ms.len() as u64));
            let named = percentiles(&found.batch_ms);
            for (name, ms) in &named {
                row(page, &format!("{name} of a batch (ms)"), |page| figure(page, Some(*ms), words::figure));
            }
            row(page, "probes a second", |page| figure(page, Some(found.probes_a_second), words::figure));
        });
        if percentiles(&found.batch_ms).len() < ASKED.len() {
            note(page, "Percentiles that no batch lies above are left out: there were too few batches for them.");
        }
        by_size(page, found);
    });
}

fn by_size(page: &mut Markup, found: &Latency) {
    if found.by_size.is_empty() {
        return missing(page, "scoring was not timed at several sizes.");
    }
    let medians = found.medians();
    let mut sizes: Vec<u64> = medians.iter().map(|row| row.0).collect();
    let mut batches: Vec<usize> = medians.iter().map(|row| row.1).collect();
    sizes.sort_unstable();
    sizes.dedup();
    batches.sort_unstable();
    batches.dedup();
    let cut = sizes.len() > REPORT_ROWS_MAX || batches.len() > REPORT_TARGETS_MAX;
    sizes.truncate(REPORT_ROWS_MAX);
    batches.truncate(REPORT_TARGETS_MAX);
    let names = [String::from("N")].into_iter();
    let names = names.chain(batches.iter().map(|probes| words::counted(*probes as u64, "probe", "probes")));
    table(
        page,
        "Median milliseconds by size of the gallery and probes scored together",
        &names.collect::<Vec<_>>(),
        |page| {
            for people in &sizes {
                row(page, &words::counted(*people, "person", "people"), |page| {
                    for probes in &batches {
                        let timed = medians.iter().find(|row| (row.0, row.1) == (*people, *probes));
                        figure(page, timed.map(|row| row.2), words::figure);
                    }
                });
            }
        },
    );
    if let Some((least, most)) = least_and_most(found.timed.iter().map(|timed| timed.batches)) {
        let own = words::counted(found.batch as u64, "probe", "probes");
        note(
            page,
            &format!(
                "Batches of {own} are those of the evaluation; the others were timed when its searches were done, with probes of it drawn \
                 by the seed: {least} to {most} of each kind and size, one after the other."
            ),
        );
    }
    if cut {
        note(page, "Not all sizes and numbers of probes are shown; evaluation.json has all.");
    }
}

fn least_and_most(mut all: impl Iterator<Item = u64>) -> Option<(u64, u64)> {
    let first = all.next()?;
    Some(all.fold((first, first), |(least, most), one| (least.min(one), most.max(one))))
}
