//! hnsw_rs behind the protocol of `benches/compare`: JSON lines on standard input and output, searches timed inside.
//!
//! `bench-compare GALLERY.f32 PROBES.f32 DIMENSION M EF_CONSTRUCTION THREADS`. Rows are unit vectors; the distance is its
//! `DistDot`, one minus the dot product. Built in parallel by all of hnsw_rs's threads, searched by one, as the others are.

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use hnsw_rs::prelude::{DistDot, Hnsw};
use serde_json::{Value, json};

/// Layers of the graph, hnsw_rs's own usual figure.
const LAYERS: usize = 16;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [gallery, probes, dimension, links, ef_construction, threads] = arguments.as_slice() else {
        return Err("GALLERY.f32 PROBES.f32 DIMENSION M EF_CONSTRUCTION THREADS".into());
    };
    let dimension: usize = dimension.parse()?;
    let (gallery, probes) = (rows(gallery, dimension)?, rows(probes, dimension)?);
    let begun = Instant::now();
    let graph = Hnsw::<f32, DistDot>::new(links.parse()?, gallery.len(), LAYERS, ef_construction.parse()?, DistDot);
    let numbered: Vec<(&Vec<f32>, usize)> = gallery.iter().zip(0..).collect();
    graph.parallel_insert(&numbered);
    let build_s = begun.elapsed().as_secs_f64();
    let settings = format!("M {links}, ef_construction {ef_construction}, f32, simdeez");
    say(&json!({"ready": true, "name": "hnsw_rs", "version": "0.3.5", "settings": settings, "threads": threads, "build_s": build_s}))?;
    for line in std::io::stdin().lock().lines() {
        let reply = serde_json::from_str(&line?).map_err(Into::into).and_then(|asked| answer(&graph, &probes, &asked));
        say(&reply.unwrap_or_else(|error| json!({"error": error.to_string()})))?;
    }
    Ok(())
}

fn say(value: &Value) -> Result<(), Box<dyn Error>> {
    let mut output = std::io::stdout().lock();
    writeln!(output, "{value}")?;
    Ok(output.flush()?)
}

fn rows(path: &str, dimension: usize) -> Result<Vec<Vec<f32>>, Box<dyn Error>> {
    let bytes = std::fs::read(path).map_err(|error| format!("{path}: {error}"))?;
    let number = |four: &[u8]| f32::from_le_bytes([four[0], four[1], four[2], four[3]]);
    Ok(bytes.chunks_exact(4 * dimension).map(|row| row.chunks_exact(4).map(number).collect()).collect())
}

fn answer(graph: &Hnsw<'_, f32, DistDot>, probes: &[Vec<f32>], asked: &Value) -> Result<Value, Box<dyn Error>> {
    let figure = |name: &str| asked[name].as_u64().map(|value| value as usize).ok_or(format!("{name} is missing"));
    let (first, count, k, ef) = (figure("first")?, figure("count")?, figure("k")?, figure("ef")?);
    if asked["op"] != "search" {
        return Err("only searches are answered".into());
    }
    let probes = probes.get(first..first + count).ok_or("so many probes were not written")?;
    let begun = Instant::now();
    let found: Vec<_> = probes.iter().map(|probe| graph.search(probe, k, ef)).collect();
    let seconds = begun.elapsed().as_secs_f64();
    if asked["lists"] != true {
        return Ok(json!({"seconds": seconds}));
    }
    let rows: Vec<Vec<usize>> = found.iter().map(|list| list.iter().map(|one| one.d_id).collect()).collect();
    Ok(json!({"seconds": seconds, "rows": rows}))
}
