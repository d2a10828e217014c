//! Every table of the report. Each figure stands beside what it rests on, and carries its unrounded value for machines.

mod approximate;
mod bands;
mod calibration;
mod cells;
mod counts;
mod errors;
mod groups;
mod kinds;
mod latency;
mod probes;
mod wanted;
mod workload;

use super::markup::Markup;
use crate::evaluation::arithmetic::bootstrap::EVENTS_MIN;
use crate::evaluation::latency::percentiles;
use crate::evaluation::results::Evaluation;

/// Writes all tables.
pub(super) fn write(page: &mut Markup, evaluation: &Evaluation) {
    legend(page);
    counts::counts(page, evaluation);
    counts::ranks(page, evaluation);
    errors::targets(page, evaluation);
    errors::sizes(page, evaluation);
    probes::write(page, evaluation);
    groups::write(page, evaluation);
    workload::write(page, evaluation);
    calibration::write(page, evaluation);
    approximate::write(page, evaluation);
    latency::write(page, evaluation);
}

/// How a rate is to be read.
fn legend(page: &mut Markup) {
    page.element("p", &[("class", "legend")], |page| {
        page.text("How to read a rate: the value; errors among searches, and the people behind the searches; ");
        page.leaf("b", &[], "W");
        page.text(" Wilson's interval at 95 %, as if searches were independent; ");
        page.leaf("b", &[], "CP");
        page.text(&format!(
            " the interval of Clopper and Pearson on what dependent searches are worth, where a claim is supported and where fewer \
             than {EVENTS_MIN} errors, or {EVENTS_MIN} searches without one, were counted, these too for what they are worth; ",
        ));
        page.leaf("b", &[], "B");
        page.text(
             " percentiles of a bootstrap over people, where people were searched for more than once and there are no fewer. “Supported by \
              the data” stands only where the rule of 3 or of 30 allows the rate to be claimed: without any error, that the true rate is no \
              larger than the one aimed at (95 %); with thirty or more, that it lies within 30 % of the one shown, above or below \
              (90 %), which is not “at most the one aimed at”. FNIR at a threshold has these words only beside an FPIR that has them, for \
              which the threshold was chosen. Without them a rate is an observation.",
        );
    });
}

/// Percentiles of sorted times that the sample is large enough for.
pub(super) fn percentiles(sorted_ms: &[f64]) -> Vec<(String, f64)> {
    let found = percentiles::ASKED.map(|permille| percentiles::nearest_rank(sorted_ms, permille));
    let named = found.iter().filter_map(|one| Some((format!("p{}", f64::from(one.permille) / 10.0), one.value?)));
    named.collect()
}
