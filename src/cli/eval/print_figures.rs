//! Figures of an evaluation on a terminal: the few that are asked for first. The report has all of them.

use anyhow::Result;

use crate::base::ids::ModelId;
use crate::cli::print::line;
use crate::evaluation::operating_point::OperatingPoint;
use crate::evaluation::results::{AtTarget, Evaluation, GalleryResult, Rate, Verdict};
use crate::evaluation::verification::Verification;

/// Lost mates that are shown; the rest is in evaluation.json.
const LOST_SHOWN: usize = 20;

/// A rate with its counts and an interval.
fn rate(rate: &Rate) -> String {
    let Some(value) = rate.value else { return "nothing to count".to_owned() };
    let interval = rate
        .clopper_pearson
        .filter(|_| rate.is_weighed())
        .map(|(low, high)| format!(", {low:.4} to {high:.4}"))
        .unwrap_or_default();
    format!("{value:.4} ({} of {}{interval})", rate.events, rate.trials)
}

/// Prints what was found.
pub(super) fn evaluation(found: &Evaluation) -> Result<()> {
    let Evaluation { identity, counts, .. } = found;
    if identity.synthetic {
        line("SYNTHETIC: templates made by a generator. Nothing here is about any person or model.")?;
    }
    let lost = match counts.subjects_not_enrolled {
        0 => String::new(),
        people => {
            format!(
                "; {people} people are not in the gallery for that, and {} searches for them are misses",
                counts.mates_not_enrolled
            )
        }
    };
    line(&format!("{}: model {}, {}", identity.title, identity.model, identity.data))?;
    line(&format!(
        "{} people enrolled ({} failures to enrol{lost}); {} mated searches for {} people, {} non-mated for {}; failures to extract {} and {}",
        counts.enrolled_subjects,
        counts.failures_to_enrol,
        counts.mated_searches,
        counts.mated_subjects,
        counts.non_mated_searches,
        counts.non_mated_subjects,
        counts.failures_to_extract_mated,
        counts.failures_to_extract_non_mated
    ))?;
    if found.probe_kinds.len() > 1 {
        line("\nProbes are of several kinds. What follows is over the mixture of them, and then of each by itself.")?;
    }
    found.galleries.iter().try_for_each(gallery)?;
    for (kind, rates) in found.probe_kinds.iter().filter_map(|kind| Some((kind, kind.rates.as_ref()?))) {
        let (mated, non_mated) = (kind.mated_searches, kind.non_mated_searches);
        line(&format!("\nprobes of the kind {:?}: {mated} mated and {non_mated} non-mated searches", kind.kind))?;
        gallery(rates)?;
    }
    if let Some(pairs) = &found.approximate {
        line(&format!(
            "\nby graphs, ef {}: {} mates found both ways, {} by the exact search alone, {} by graphs alone; McNemar p {:.3}",
            pairs.ef, pairs.both, pairs.exact_only, pairs.approximate_only, pairs.p
        ))?;
        pairs.lost.iter().take(LOST_SHOWN).try_for_each(|name| line(&format!("  lost: {name}")))?;
    }
    for table in &found.breakdowns {
        let fnir_target = table.of_fnir().map_or(table.target_fpir, |(_, target)| target);
        let both =
            [("FNIR", fnir_target, &table.fnir_differences), ("FPIR", table.target_fpir, &table.fpir_differences)];
        for (what, target, differences) in both {
            let Some(differences) = differences else { continue };
            let count = |verdict| differences.pairs.iter().filter(|pair| pair.verdict == verdict).count();
            line(&format!(
                "{what} by {} at the threshold for FPIR {}: {} pairs of groups equivalent, {} different, {} undetermined",
                table.title(),
                target,
                count(Verdict::Equivalent),
                count(Verdict::Different),
                count(Verdict::Undetermined)
            ))?;
        }
        let differ = |at: &&AtTarget| [&at.fnir, &at.fpir].into_iter().flatten().any(|spread| spread.differs);
        for at in table.at_targets.iter().filter(differ) {
            line(&format!(
                "  all together, groups of {} differ at the threshold for FPIR {}",
                table.title(),
                at.target_fpir
            ))?;
        }
    }
    Ok(())
}

fn gallery(found: &GalleryResult) -> Result<()> {
    line(&format!("\nN = {}", found.people))?;
    for row in &found.by_rank {
        line(&format!("  FNIR within rank {:<3} {}", row.rank, rate(&row.fnir)))?;
    }
    for row in &found.operating {
        let target = row.target_fpir;
        let (Some(threshold), Some(fpir)) = (row.threshold, &row.fpir) else {
            let needed = row.needed.map(|needed| format!(" ({} at least)", needed.for_a_threshold)).unwrap_or_default();
            line(&format!("  FPIR {target:.5}: not supported, too few non-mated searches{needed}"))?;
            continue;
        };
        let fnir = row.fnir.last().map(|last| format!("; FNIR within rank {} {}", last.rank, rate(&last.fnir)));
        let claim = if fpir.is_supported() { "supported by the data" } else { "not supported by the data" };
        line(&format!(
            "  FPIR {target:.5}: threshold {threshold:.4}, found {} ({claim}){}",
            rate(fpir),
            fnir.unwrap_or_default()
        ))?;
    }
    Ok(())
}

/// Prints an operating point in a few lines.
pub(super) fn point(point: &OperatingPoint) -> Result<()> {
    let synthetic = if point.synthetic { "  SYNTHETIC" } else { "" };
    let (least, most) = point.templates;
    line(&format!(
        "{}  threshold {:.4} for FPIR {}  model {}  {}, {least} to {most} templates{synthetic}",
        point.name, point.threshold, point.target_fpir, point.model, point.gallery_class
    ))?;
    let list = point.list_length;
    let claim = if point.is_supported() { "supported" } else { "not supported" };
    line(&format!("    probes: {}; {claim} by the data", point.probes_in_words()))?;
    line(&format!("    found: FPIR {}; FNIR within rank {list} {}", rate(&point.fpir), rate(&point.fnir)))?;
    line(&format!("    measured on {}", point.measured_in_words()))?;
    match &point.disjoint {
        Some(others) => line(&format!(
            "    the same rule on other people: FPIR {}; FNIR {}",
            rate(&others.fpir),
            rate(&others.fnir)
        )),
        None => Ok(()),
    }
}

/// Prints what pairs showed.
pub(super) fn verification(found: &Verification, model: &ModelId) -> Result<()> {
    let Verification { mated, non_mated, failed, folds, accuracy, standard_error, rates } = found;
    line(&format!(
        "one-to-one: {mated} mated and {non_mated} non-mated pairs, {failed} without a template; model {}",
        model.name
    ))?;
    let error = standard_error.map(|error| format!(" ± {error:.4} (standard error over {} folds)", folds.len()));
    line(&format!("right decisions {accuracy:.4}{}", error.unwrap_or_default()))?;
    for rate in rates {
        let (low, high) = rate.interval;
        line(&format!(
            "  at an FMR of {:.4} (aimed at {}): threshold {:.4}, FNMR {:.4} ({low:.4} to {high:.4})",
            rate.false_match, rate.target, rate.threshold, rate.false_non_match
        ))?;
    }
    Ok(())
}
