//! Searches over standard input and output, a JSON object a line: so that a comparison times searches and no start-up.
//!
//! The answer gives the time inside the process, around the search alone, as a library's caller would take it. Probes are
//! numbers of the recipe's, the same that `bench export` writes for the others.

use std::io::{BufRead, Write};
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::base::limits::{JSON_BYTES_MAX, PROBES_PER_SEARCH_MAX};
use crate::cli::bench::{Worker, prepare, scoring};
use crate::evaluation::latency::measure::Scoring;
use crate::evaluation::latency::recipe::Generator;
use crate::evaluation::latency::scratch::gallery_name;
use crate::evaluation::latency::{Stop, bandwidth, memory};
use crate::gallery::{IndexOutcome, IndexRequest, Snapshot, Vault};
use crate::graph;
use crate::graph::audit::Extent;
use crate::graph::build::Plan;
use crate::graph::search::Indexed;
use crate::settings::Settings;
use crate::vector::naive::NaiveScorer;
use crate::vector::scorer::{Scorer, Scoring as Found, Work};
use crate::vector::template::Template;
use crate::vector::topk::Scored;

/// Readings of which the fastest counts.
const READINGS: usize = 3;

/// Probes of the audit at each difficulty: the comparison has probes of its own, so this is a formality.
const AUDIT_PROBES: usize = 20;

/// What can be asked.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    /// An exact search by the engine.
    Search(Probes),
    /// The same by the oracle.
    Oracle(Probes),
    /// Approximate searches, one after another on one thread.
    Graph(Approximate),
    /// The plain reading loop.
    Read,
    /// Memory beyond mapped files.
    Memory,
}

/// Which probes, and what to answer.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Probes {
    first: u64,
    count: u64,
    k: usize,
    /// Whether the lists are answered too, after the clock has stopped.
    #[serde(default)]
    lists: bool,
}

/// The same for a walk of a graph.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
struct Approximate {
    first: u64,
    count: u64,
    k: usize,
    /// Rows in view.
    ef: usize,
    #[serde(default)]
    lists: bool,
}

/// Printed once, when searches may come.
#[derive(Serialize)]
struct Greeting {
    ready: bool,
    name: String,
    version: &'static str,
    threads: usize,
    remark: Option<String>,
    /// How the graph was built, and in how many seconds with its audit; `None` without one, or when it was there.
    settings: Option<String>,
    build_s: Option<f64>,
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
pub(super) async fn run(settings: &Settings, asked: &Worker) -> Result<()> {
    let scratch = prepare(settings, &asked.gallery, &Arc::new(Stop::default())).await?;
    let (scoring, remark) = scoring(settings)?;
    let (vault, snapshot) = scratch.open().await?;
    drop(snapshot);
    let plan = Plan { threads: scoring.threads, ..Plan::default() };
    let begun = Instant::now();
    let built = asked.graph && index(&vault, plan, &scoring).await?;
    let greeting = Greeting {
        ready: true,
        name: scoring.scorer.name(),
        version: env!("CARGO_PKG_VERSION"),
        threads: scoring.threads,
        remark,
        settings: asked.graph.then(|| format!("M {}, ef_construction {}, i8 and f16", plan.m, plan.ef_construction)),
        build_s: built.then(|| begun.elapsed().as_secs_f64()),
    };
    let snapshot = vault.snapshot(&gallery_name()?).await?;
    let desk = Desk { generator: scratch.recipe().generator()?, scoring };
    let answered = tokio::task::spawn_blocking(move || {
        // Ready to walk before anybody is told so.
        let indexed = snapshot.indexed();
        say(&greeting)?;
        answer_all(&desk, &snapshot, &indexed)
    });
    let answered = answered.await.context("the worker ended in a bug")?;
    vault.close().await;
    answered
}

/// Builds graphs where there are none; whether any was built.
async fn index(vault: &Vault, plan: Plan, scoring: &Scoring) -> Result<bool> {
    let request = IndexRequest {
        plan,
        extent: Extent { probes: AUDIT_PROBES, threads: plan.threads, ..Extent::default() },
        again: false,
        rows_min: 0,
        exhaustive: Arc::clone(&scoring.scorer),
        cancel: Arc::default(),
        progress: Arc::new(|_, _| ()),
    };
    let outcomes = vault.index(&gallery_name()?, request).await?;
    Ok(outcomes.iter().any(|(_, outcome)| *outcome == IndexOutcome::Built))
}

fn answer_all(desk: &Desk, snapshot: &Snapshot, indexed: &[Option<Indexed<'_>>]) -> Result<()> {
    let mut input = std::io::stdin().lock();
    let mut text = String::new();
    loop {
        text.clear();
        let mut limited = std::io::Read::take(&mut input, JSON_BYTES_MAX as u64);
        if limited.read_line(&mut text)? == 0 {
            return Ok(());
        }
        let asked = serde_json::from_str(&text).map_err(anyhow::Error::from);
        let reply = asked.and_then(|asked| answer(desk, snapshot, indexed, &asked));
        say(&reply.unwrap_or_else(|error| Reply { error: Some(format!("{error:#}")), ..Reply::default() }))?;
    }
}

fn say(value: &impl Serialize) -> Result<()> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{}", serde_json::to_string(value)?)?;
    Ok(output.flush()?)
}

fn answer(desk: &Desk, snapshot: &Snapshot, indexed: &[Option<Indexed<'_>>], request: &Request) -> Result<Reply> {
    match *request {
        Request::Search(Probes { first, count, k, lists }) => {
            search(desk, first, count, lists, |probes| Ok(desk.scoring.scorer.top_k(snapshot.rows(), probes, k)?))
        }
        Request::Oracle(Probes { first, count, k, lists }) => {
            search(desk, first, count, lists, |probes| Ok(NaiveScorer.top_k(snapshot.rows(), probes, k)?))
        }
        Request::Graph(Approximate { first, count, k, ef, lists }) => {
            if indexed.iter().all(Option::is_none) {
                bail!("this worker has no graph: start it with --graph");
            }
            let exhaustive = desk.scoring.scorer.as_ref();
            search(desk, first, count, lists, |probes| {
                let one = |probe| {
                    graph::search::top_k(snapshot.rows(), indexed, std::slice::from_ref(probe), k, ef, 1, exhaustive)
                };
                let mut all = Found { lists: Vec::new(), work: Work::default() };
                for probe in probes {
                    // Not together: walks that are given up would be scored in one pass, which the others don't have.
                    let (found, _coverage) = one(probe)?;
                    all.lists.extend(found.lists);
                    all.work = found.work;
                }
                Ok(all)
            })
        }
        Request::Read => {
            let reading = bandwidth::best_of(READINGS, snapshot.rows(), desk.scoring.threads);
            Ok(Reply { seconds: Some(reading.seconds), bytes: Some(reading.bytes), ..Reply::default() })
        }
        Request::Memory => Ok(Reply { bytes: memory::now().map(|memory| memory.beyond_mapped), ..Reply::default() }),
    }
}

fn search(
    desk: &Desk,
    first: u64,
    count: u64,
    lists: bool,
    score: impl Fn(&[Template]) -> Result<Found>,
) -> Result<Reply> {
    let end = first.checked_add(count).context("first and count")?;
    if count == 0 || count > PROBES_PER_SEARCH_MAX as u64 {
        bail!("{count} probes: 1 to {PROBES_PER_SEARCH_MAX} at once");
    }
    let probes: Vec<Template> = (first..end).map(|index| desk.generator.probe(index)).collect::<Result<_, _>>()?;
    let clock = Instant::now();
    let found = score(&probes)?;
    let seconds = clock.elapsed().as_secs_f64();
    let mut reply = Reply { seconds: Some(seconds), back_end: Some(found.work.back_end), ..Reply::default() };
    if lists {
        // The import hands out ids from 1, in the recipe's order.
        let row = |scored: &Scored| scored.id.0 - 1;
        reply.rows = Some(found.lists.iter().map(|list| list.iter().map(row).collect()).collect());
        let bits = |scored: &Scored| scored.score.to_bits();
        reply.score_bits = Some(found.lists.iter().map(|list| list.iter().map(bits).collect()).collect());
    }
    Ok(reply)
}
