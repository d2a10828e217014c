//! What approximate searches lost beside exact ones.

use super::super::markup::Markup;
use super::super::words;
use super::cells::{count, figure, head, missing, note, part, row, table};
use crate::base::limits::REPORT_ROWS_MAX;
use crate::evaluation::results::{ApproximatePairs, Evaluation};

/// Table 9.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    part(page, "9", "Exact and approximate searches of the same probes", |page| {
        let Some(found) = &evaluation.approximate else {
            return missing(
                page,
                "approximate searches were not asked for; every search of this evaluation was exhaustive.",
            );
        };
        table(page, "Mates shown by each kind of search", &head(&["", "value"]), |page| {
            let rows = [
                ("rows kept in view (ef)", u64::from(found.ef)),
                ("mates shown by both", found.both),
                ("by the exact search alone", found.exact_only),
                ("by the approximate search alone", found.approximate_only),
            ];
            for (name, value) in rows {
                row(page, name, |page| count(page, value));
            }
            let shown = found.both + found.exact_only;
            let recall = (shown > 0).then(|| found.both as f64 / shown as f64);
            row(page, "share of the exact search's mates that the approximate one showed", |page| {
                figure(page, recall, words::figure);
            });
            row(page, "p, no difference (McNemar, exact, over people)", |page| {
                figure(page, Some(found.p), words::p_value);
            });
        });
        if found.approximate_only > 0 {
            note(
                page,
                "The approximate search showed mates that the exact one did not: something is wrong; don't use these figures.",
            );
        }
        lost(page, found);
    });
}

fn lost(page: &mut Markup, found: &ApproximatePairs) {
    if found.lost.is_empty() {
        return;
    }
    let names = found.lost.iter().take(REPORT_ROWS_MAX).map(|name| words::cut(name, 60)).collect::<Vec<_>>().join(", ");
    let more = found.lost.len().saturating_sub(REPORT_ROWS_MAX);
    let more = if more > 0 { format!(" and {more} more, which evaluation.json has") } else { String::new() };
    note(page, &format!("Probes whose mate the approximate search lost: {names}{more}."));
}
