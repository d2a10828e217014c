//! Searches over standard input and output, a JSON object a line: so that a comparison times searches and no start-up.
//!
//! The answer gives the time inside the process, around the search alone, as a library's caller would take it. Probes are
//! numbers of the recipe's, the same that `bench export` writes for the others.

use std::io::{BufRead, Write};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::base::limits::{JSON_BYTES_MAX, PROBES_PER_SEARCH_MAX};
use crate::cli::bench::{GalleryArgs, prepare, scoring};
use crate::evaluation::latency::measure::Scoring;
use crate::evaluation::latency::recipe::Generator;
use crate::evaluation::latency::{Stop, bandwidth, memory};
use crate::gallery::Snapshot;
use crate::settings::Settings;
use crate::vector::naive::NaiveScorer;
use crate::vector::scorer::Scorer;
use crate::vector::template::Template;

/// Readings of which the fastest counts.
const READINGS: usize = 3;

/// What can be asked.
#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    /// An exact search by the engine.
    Search(Probes),
    /// The same by the oracle.
    Oracle(Probes),
    /// The plain reading loop.
    Read,
    /// Memory beyond mapped files.
    Memory,
}

/// Which probes, and what to answer.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probes {
    first: u64,
    count: u64,
    k: usize,
    /// Whether the lists are answered too, after the clock has stopped.
    #[serde(default)]
    lists: bool,
}

/// Printed once, when searches may come.
#[derive(Serialize)]
struct Ready {
    ready: bool,
    name: String,
    version: &'static str,
    threads: usize,
    remark: Option<String>,
}

#[derive(Debug, Default, Serialize)]
struct Reply {
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Row numbers from 0, one list a probe.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<Vec<Vec<u64>>>,
    /// Comparison scores, as the bits of f32: lists are compared to the bit.
    #[serde(skip_serializing_if = "Option::is_none")]
    score_bits: Option<Vec<Vec<u32>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    back_end: Option<String>,
}

struct Desk {
    generator: Generator,
    scoring: Scoring,
}

/// Answers until standard input ends.
///
/// # Errors
/// When the gallery can't be had or the other side is gone.
pub(super) async fn run(settings: &Settings, gallery: &GalleryArgs) -> Result<()> {
    let scratch = prepare(settings, gallery, &std::sync::Arc::new(Stop::default())).await?;
    let (vault, snapshot) = scratch.open().await?;
    let (scoring, remark) = scoring(settings);
    let version = env!("CARGO_PKG_VERSION");
    say(&Ready { ready: true, name: scoring.scorer.name(), version, threads: scoring.threads, remark })?;
    let desk = Desk { generator: scratch.recipe().generator(), scoring };
    let answered = tokio::task::spawn_blocking(move || answer_all(&desk, &snapshot));
    let answered = answered.await.context("the worker ended in a bug")?;
    vault.close().await;
    answered
}

fn answer_all(desk: &Desk, snapshot: &Snapshot) -> Result<()> {
    let mut input = std::io::stdin().lock();
    let mut text = String::new();
    loop {
        text.clear();
        let mut limited = std::io::Read::take(&mut input, JSON_BYTES_MAX as u64);
        if limited.read_line(&mut text)? == 0 {
            return Ok(());
        }
        let reply =
            serde_json::from_str(&text).map_err(anyhow::Error::from).and_then(|asked| answer(desk, snapshot, asked));
        say(&reply.unwrap_or_else(|error| Reply { error: Some(format!("{error:#}")), ..Reply::default() }))?;
    }
}

fn say(value: &impl Serialize) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(value)?)?;
    Ok(output.flush()?)
}

fn answer(desk: &Desk, snapshot: &Snapshot, request: Request) -> Result<Reply> {
    match request {
        Request::Search(asked) => search(desk, snapshot, &asked, desk.scoring.scorer.as_ref()),
        Request::Oracle(asked) => search(desk, snapshot, &asked, &NaiveScorer),
        Request::Read => {
            let reading = bandwidth::best_of(READINGS, snapshot.rows(), desk.scoring.threads);
            Ok(Reply { seconds: Some(reading.seconds), bytes: Some(reading.bytes), ..Reply::default() })
        }
        Request::Memory => Ok(Reply { bytes: memory::now().map(|memory| memory.beyond_mapped), ..Reply::default() }),
    }
}

fn search(desk: &Desk, snapshot: &Snapshot, asked: &Probes, scorer: &dyn Scorer) -> Result<Reply> {
    let Probes { first, count, k, lists } = asked;
    let end = first.checked_add(*count).context("first and count")?;
    if *count == 0 || *count > PROBES_PER_SEARCH_MAX as u64 {
        bail!("{count} probes: 1 to {PROBES_PER_SEARCH_MAX} at once");
    }
    let probes: Vec<Template> = (*first..end).map(|index| desk.generator.probe(index)).collect::<Result<_, _>>()?;
    let clock = Instant::now();
    let found = scorer.top_k(snapshot.rows(), &probes, *k)?;
    let seconds = clock.elapsed().as_secs_f64();
    let mut reply = Reply { seconds: Some(seconds), back_end: Some(found.work.back_end), ..Reply::default() };
    if *lists {
        // The import hands out ids from 1, in the recipe's order.
        reply.rows = Some(found.lists.iter().map(|list| list.iter().map(|one| one.id.0 - 1).collect()).collect());
        let bits = |list: &Vec<_>| list.iter().map(|one: &crate::vector::topk::Scored| one.score.to_bits()).collect();
        reply.score_bits = Some(found.lists.iter().map(bits).collect());
    }
    Ok(reply)
}
