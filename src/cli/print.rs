//! What people read on the terminal.

use std::io::{IsTerminal, Write};

use anyhow::{Result, bail};
use serde::Serialize;

use crate::base::text::thousands as count;
use crate::casework::search::{Answer, PictureAnswer, ProbeAnswer};
use crate::evaluation::operating_point::OperatingPoint;
use crate::gallery::GallerySummary;
use crate::graph::file::Facts;
use crate::graph::search::Coverage;
use crate::http::shapes::LEAD_NOTICE;
use crate::settings::Settings;
use crate::settings::storage::Storage;
use crate::vision::quality::Verdict;

/// Writes a line to standard output; a reader who has gone (`| head`) is no mistake.
///
/// # Errors
/// When standard output can't be written for another reason.
pub fn line(text: &str) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        done => Ok(done?),
    }
}

/// Asks whether `what` is really to be erased.
///
/// # Errors
/// When the answer is not yes, or nobody can be asked.
pub fn confirm(what: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!("erasing can't be undone: add --yes to erase {what} without being asked");
    }
    let reply = ask(&format!("Erase {what}? There is no way back. [yes/no] "))?;
    if reply == "yes" { Ok(()) } else { bail!("nothing was erased") }
}

/// Asks, and gives the line that was typed.
///
/// # Errors
/// When the terminal can't be read.
pub fn ask(question: &str) -> Result<String> {
    eprint!("{question}");
    std::io::stderr().flush()?;
    let mut reply = String::new();
    std::io::stdin().read_line(&mut reply)?;
    Ok(reply.trim().to_owned())
}

/// Prints a value as JSON, indented.
///
/// # Errors
/// When standard output can't be written.
pub fn json(value: &impl Serialize) -> Result<()> {
    line(&serde_json::to_string_pretty(value)?)
}

/// Prints the settings in force, or the commented file with all of them.
///
/// # Errors
/// When standard output can't be written.
pub fn config(settings: &Settings, template: bool) -> Result<()> {
    if template { line(Settings::template().trim_end()) } else { line(settings.to_toml()?.trim_end()) }
}

/// Bytes in the unit that a person would choose.
#[must_use]
pub fn bytes(count: u64) -> String {
    indicatif::HumanBytes(count).to_string()
}

/// Prints an answer: a table a face, then what it took.
///
/// # Errors
/// When standard output can't be written.
pub fn answer(answer: &Answer) -> Result<()> {
    for picture in &answer.pictures {
        line(&heading(picture))?;
        for warning in &picture.warnings {
            line(&format!("  note: {warning}"))?;
        }
        for probe in &picture.probes {
            line(&face_line(probe))?;
            candidates(probe)?;
        }
    }
    if let Some(cited) = &answer.operating_point {
        let synthetic = if cited.point.synthetic { "; SYNTHETIC data: it says nothing about people" } else { "" };
        let supported = if cited.point.is_supported() { "" } else { ", which its data do not support" };
        line(&format!(
            "\nthreshold {:.4}: operating point {}, chosen for an FPIR of {}{supported}{synthetic} (sha256 {:.16}…); galleries: {}; \
             probes: {}; measured on {}{}",
            cited.point.threshold,
            cited.point.name,
            cited.point.target_fpir,
            cited.sha256,
            cited.point.gallery_class,
            cited.point.probes_in_words(),
            cited.point.measured_in_words(),
            on_others(&cited.point)
        ))?;
    }
    if let Some(restriction) = &answer.restriction {
        line(&format!("\nonly a part of the gallery was searched: {restriction}"))?;
    }
    line(&cost_line(answer))?;
    line(&format!("{} on record. {LEAD_NOTICE}", numbers(answer)))
}

/// What the same rule did to people who had no part in choosing the threshold.
fn on_others(point: &OperatingPoint) -> String {
    let Some((fpir, (low, high))) =
        point.disjoint.and_then(|half| Some((half.fpir.value?, half.fpir.clopper_pearson?)))
    else {
        return String::new();
    };
    format!("; on other people than those it was chosen on FPIR {fpir:.4} ({low:.4} to {high:.4})")
}

/// Numbers of the searches in the records.
fn numbers(answer: &Answer) -> String {
    let probes = answer.pictures.iter().flat_map(|picture| &picture.probes);
    let numbers: Vec<i64> = probes.map(|probe| probe.search).collect();
    match numbers.as_slice() {
        [first, .., last] => format!("Searches {first} to {last} are"),
        [only] => format!("Search {only} is"),
        [] => "Nothing is".to_owned(),
    }
}

fn heading(picture: &PictureAnswer) -> String {
    match (&picture.failure, picture.faces_found) {
        (Some(failure), _) => format!("\n{}: no probe: {failure}", picture.name),
        (None, Some(found)) if found > picture.probes.len() => {
            let searched = picture.probes.len();
            format!(
                "\n{}: {found} faces, {searched} searched (--faces all, or --faces N, for the others)",
                picture.name
            )
        }
        (None, _) => format!("\n{}", picture.name),
    }
}

fn face_line(probe: &ProbeAnswer) -> String {
    let quality = &probe.face.quality;
    let verdict = match quality.verdict {
        Verdict::Good => "good",
        Verdict::Poor => "poor",
        Verdict::Unusable => "hardly usable",
    };
    let reasons = if quality.reasons.is_empty() { String::new() } else { format!(": {}", quality.reasons.join("; ")) };
    format!("  face {}, eyes {:.0} px apart, quality {verdict}{reasons}", probe.face_number, quality.inter_eye_px)
}

fn candidates(probe: &ProbeAnswer) -> Result<()> {
    if probe.candidates.is_empty() {
        return line("  no candidate at or above the threshold");
    }
    line("  rank   score  subject")?;
    for candidate in &probe.candidates {
        let reference = &candidate.reference;
        let more = match candidate.more_references {
            0 => String::new(),
            more => format!(", {more} more"),
        };
        let source = reference.image.as_ref().map(|image| format!("  ({}{more})", image.source)).unwrap_or_default();
        line(&format!("  {:>4}  {:.4}  {}{source}", candidate.rank, candidate.score, reference.subject))?;
    }
    Ok(())
}

fn cost_line(answer: &Answer) -> String {
    let stages = answer.pictures.iter().map(|picture| &picture.stages);
    let (mut decode, mut detect, mut embed) = (0.0, 0.0, 0.0);
    for stage in stages {
        decode += stage.decode_ms;
        detect += stage.detect_ms;
        embed += stage.align_ms + stage.embed_ms;
    }
    let fell_back = answer.work.fell_back.as_ref().map(|why| format!("; the first back end failed: {why}"));
    let compared = match answer.approximate.as_ref().map(|how| how.coverage) {
        None => format!("{} templates compared exactly", count(answer.work.rows)),
        Some(Coverage { graph_rows, exhaustive_rows, visited, given_up: _ }) => format!(
            "NOT ALL TEMPLATES WERE COMPARED: of {} in graphs {} comparisons were made, {} others were compared exactly;",
            count(graph_rows),
            count(visited),
            count(exhaustive_rows)
        ),
    };
    format!(
        "\n{compared} on {} in {:.1} ms (models {:.0}, decode {decode:.0}, detect {detect:.0}, embed {embed:.0}, people {:.1}; all {:.0} ms){}",
        answer.work.back_end,
        answer.scoring_ms,
        answer.models_ms,
        answer.people_ms,
        answer.total_ms,
        fell_back.unwrap_or_default(),
    )
}

/// Prints galleries, a line each.
///
/// # Errors
/// When standard output can't be written.
pub fn galleries(summaries: &[GallerySummary]) -> Result<()> {
    if summaries.is_empty() {
        return line("no gallery yet: `bertillon enrol NAME FOLDER` makes one");
    }
    line(&format!("{:<20} {:>12} {:>12} {:>10}  model", "gallery", "templates", "synthetic", "size"))?;
    for summary in summaries {
        if let Some(reason) = &summary.damaged {
            line(&format!("{:<20} can't be used: {reason}", summary.record.name.as_str()))?;
            continue;
        }
        let (live, synthetic) = (count(summary.live), count(summary.synthetic));
        let (size, record) = (bytes(summary.bytes), &summary.record);
        let sealed = if record.storage == Storage::Sealed { ", sealed" } else { "" };
        line(&format!("{:<20} {live:>12} {synthetic:>12} {size:>10}  {}{sealed}", record.name.as_str(), record.model))?;
    }
    Ok(())
}

/// Prints one gallery at length.
///
/// # Errors
/// When standard output can't be written.
pub fn gallery(summary: &GallerySummary) -> Result<()> {
    let record = &summary.record;
    line(&format!("gallery     {}", record.name))?;
    line(&format!("purpose     {}", record.purpose))?;
    let originals = record.originals.as_str();
    line(&format!("model       {}, {} numbers a template, kept as {originals}", record.model, record.dimension))?;
    line(&format!(
        "templates   {} ({} synthetic), {} erased",
        count(summary.live),
        count(summary.synthetic),
        count(summary.erased)
    ))?;
    line(&format!(
        "files       {} segments, {} rows in the tail, {}",
        summary.segments,
        summary.tail_rows,
        bytes(summary.bytes)
    ))?;
    if let Some(held) = &summary.held {
        let (memory, locked) = (bytes(held.bytes), bytes(held.locked_bytes));
        let ms = held.opened_in.as_secs_f64() * 1e3;
        line(&format!("sealed      {memory} open in memory, {locked} of it locked; opened in {ms:.1} ms"))?;
    }
    for facts in &summary.graphs {
        graph(facts)?;
    }
    if record.graph_plan.is_some() {
        line(
            "graphs      kept up by the server: large segments get theirs by themselves (`gallery index --off` ends it)",
        )?;
    }
    if summary.erased_rows > 0 {
        let erased = count(summary.erased_rows);
        line(&format!("compaction  {erased} erased rows still take up room: `bertillon gallery compact`"))?;
    }
    if let Some(reason) = &summary.damaged {
        line(&format!("OUT OF USE  {reason}"))?;
    }
    line(&format!("snapshot    {}", record.snapshot_number))?;
    line(&format!("made        {}", record.created_at))
}

/// One graph and its recall curve: a row an ef, a column a difficulty.
fn graph(facts: &Facts) -> Result<()> {
    let Facts { segment, plan, points, unreachable, curve } = facts;
    line(&format!(
        "graph       of segment {}: {} templates, {unreachable} out of reach, m {}, ef-construction {}; recall audit, seed {}:",
        segment.number,
        count(*points),
        plan.m,
        plan.ef_construction,
        curve.seed
    ))?;
    let mut efs: Vec<u32> = curve.lines.iter().map(|line| line.ef).collect();
    efs.sort_unstable();
    efs.dedup();
    for ef in efs {
        let cells = curve.lines.iter().filter(|line| line.ef == ef).map(|line| {
            let ((low, high), cosine) = (line.interval(), line.mate_cosine);
            format!("{:.3} ({low:.3} to {high:.3}, {} probes) at {cosine:.2}", line.recall(), line.probes)
        });
        line(&format!("            ef {ef:>5}  {}", cells.collect::<Vec<_>>().join("  ")))?;
    }
    Ok(())
}
