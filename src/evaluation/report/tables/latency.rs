//! How long scoring took.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{count, figure, head, missing, note, part, row, said, table};
use super::percentiles;
use crate::base::limits::REPORT_ROWS_MAX;
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
    table(page, "Median time by size of the gallery", &head(&["N", "probes together", "median (ms)"]), |page| {
        for (people, probes, ms) in found.by_size.iter().take(REPORT_ROWS_MAX) {
            row(page, &words::counted(*people, "person", "people"), |page| {
                count(page, *probes as u64);
                figure(page, Some(*ms), words::figure);
            });
        }
    });
    if found.by_size.len() > REPORT_ROWS_MAX {
        note(page, &format!("The first {REPORT_ROWS_MAX} of {} rows; evaluation.json has all.", found.by_size.len()));
    }
}
