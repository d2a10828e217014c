//! A measurement as a person reads it.

use std::path::Path;

use anyhow::Result;

use crate::base::text::thousands;
use crate::cli::print::{bytes, line};
use crate::evaluation::latency::measure::{Report, SearchFigures};

/// Prints `report`; `remark` says why another engine than the first choice answered, `kept` where the gallery still lies.
///
/// # Errors
/// When standard output can't be written.
pub(super) fn print(report: &Report, remark: Option<&str>, kept: Option<&Path>) -> Result<()> {
    let (gallery, plan, search) = (&report.gallery, &report.plan, &report.search);
    line(&format!(
        "SYNTHETIC gallery: {} templates of {} numbers, {}, seed {}, recipe {}{}",
        thousands(gallery.rows),
        gallery.dimension,
        gallery.preset.map_or_else(|| "noise".to_owned(), |preset| format!("people of the preset {preset}")),
        gallery.seed,
        gallery.recipe_version,
        gallery
            .made_rows_a_second
            .map_or_else(|| ", found".to_owned(), |rows| format!(", made at {} rows/s", thousands(rows as u64))),
    ))?;
    line(&format!("engine        {}", report.back_end))?;
    for why in remark.into_iter().chain(report.fell_back.as_deref()) {
        line(&format!("              {why}"))?;
    }
    let probes = if plan.probes == 1 { "probe" } else { "probes" };
    line(&format!(
        "search        {} {probes} at once, lists of {}: {} searches timed, {:.2} to {:.2} ms, {:.2} on average",
        plan.probes, plan.k, search.samples, search.least_ms, search.most_ms, search.mean_ms
    ))?;
    line(&format!("percentiles   {}", percentiles(search)))?;
    line(&format!(
        "throughput    {:.1} probes/s, {:.1} million comparisons/s",
        search.probes_a_second,
        search.comparisons_a_second / 1e6
    ))?;
    line(&format!(
        "bandwidth     {}/s of codes, {:.0} % of the {}/s that {} threads read of the same bytes in a plain loop",
        bytes(search.code_bytes_a_second as u64),
        100.0 * search.share_of_reading,
        bytes(search.read_bytes_a_second as u64),
        report.threads
    ))?;
    let opening = &report.opening;
    line(&format!(
        "opening       {:.1} ms; first answer {:.1} ms later (reading all codes through a fresh map: {:.1} ms); medians of {}",
        opening.open_ms, opening.first_answer_ms, opening.first_read_ms, opening.rounds
    ))?;
    let shown = |bytes_found: Option<u64>| bytes_found.map_or_else(|| "not measured".to_owned(), bytes);
    let memory = &report.memory;
    line(&format!(
        "memory        {} at most beyond mapped files while searching ({} before opening, {} open); {} mapped",
        shown(memory.searching_peak),
        shown(memory.before_open),
        shown(memory.open),
        shown(memory.mapped)
    ))?;
    let work = &report.work;
    line(&format!(
        "certificate   {} of {} probes proven at once, {} repeated, {} in full; {:.0} rows scored again a probe",
        work.certified_at_once, work.probes, work.repeated, work.exhaustive, work.rescored_a_probe
    ))?;
    kept.map_or(Ok(()), |folder| line(&format!("kept in       {}", folder.display())))
}

fn percentiles(search: &SearchFigures) -> String {
    let shown = search.percentiles_ms.iter().map(|one| {
        let name = format!("p{}", f64::from(one.permille) / 10.0);
        match one.value {
            Some(value) => format!("{name} {value:.2} ms ({} above)", one.samples_above),
            None => format!("{name} not measured: {} samples are too few", search.samples),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}
