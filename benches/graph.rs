//! Two questions about approximate searches, in about a minute:
//!
//! * How fast is a walk over a graph, and what does it find, beside hnsw_rs's own search and the exhaustive pass? The same edges
//!   and the same 8-bit codes for both searches of the graph, so the difference is the structure. Recall (the exhaustive
//!   search's first candidate) is printed beside.
//! * How long does a product with a row picked from anywhere take, by instruction set?
//!
//! Synthetic templates of 512 numbers that score like faces: strangers at 0 with a deviation of 0.060, one to three samples a
//! person; probes at three distances from their mate. One thread. 20,000 templates; `BERTILLON_BENCH_ROWS=100000` for more,
//! which take minutes to build a graph of.
#![allow(missing_docs, clippy::expect_used)]

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bertillon::base::ids::TemplateId;
use bertillon::base::random::Stream;
use bertillon::graph::build::{Built, Plan, Watch};
use bertillon::graph::codes::{CodedProbe, RowMajor};
use bertillon::graph::walk::{Scratch, Terrain, Walked};
use bertillon::kernel::{self, rowdot};
use bertillon::scoring::{CertifiedScorer, CpuPass, threads_here};
use bertillon::vector::dimension::Dimension;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::rows::Rows;
use bertillon::vector::score::exact_score;
use bertillon::vector::scorer::Scorer;
use bertillon::vector::template::Template;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

const D: usize = 512;
const PROBES_A_BAND: u64 = 150;
/// Cosines between probe and mate, and what they are called.
const BANDS: [(f32, f32, &str); 3] = [(0.45, 0.75, "easy"), (0.38, 0.45, "mid"), (0.30, 0.38, "hard")];
const CANDIDATES: usize = 50;

/// Directions that spread as faces do: strong along few axes, so that strangers' scores deviate by 0.060.
struct Faces {
    spread: Vec<f32>,
}

impl Faces {
    fn new() -> Self {
        let spectrum = |power: f64| (0..D).map(|axis| (axis as f64 + 12.0).powf(-power)).collect::<Vec<f64>>();
        // Strangers' scores deviate by one over the root of the effective number of axes: 278 of them.
        let axes = |power: f64| {
            let all = spectrum(power);
            all.iter().sum::<f64>().powi(2) / all.iter().map(|one| one * one).sum::<f64>()
        };
        let (mut low, mut high) = (0.0, 2.0);
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if axes(middle) > 277.8 { low = middle } else { high = middle }
        }
        Self { spread: spectrum(low).into_iter().map(|one| one.sqrt() as f32).collect() }
    }

    fn any(&self, stream: &mut Stream) -> Vec<f32> {
        unit(&self.spread.iter().map(|spread| spread * stream.normal()).collect::<Vec<_>>())
    }

    fn near(&self, face: &[f32], cosine: f32, stream: &mut Stream) -> Vec<f32> {
        let mut away = self.any(stream);
        let along = exact_score(&away, face);
        away.iter_mut().zip(face).for_each(|(value, face)| *value -= along * face);
        let (away, across) = (unit(&away), (1.0 - cosine * cosine).sqrt());
        unit(&face.iter().zip(&away).map(|(face, away)| cosine * face + across * away).collect::<Vec<_>>())
    }
}

fn unit(raw: &[f32]) -> Vec<f32> {
    Template::from_raw(raw).expect("noise has a direction").values().to_vec()
}

/// Person and cosine to the person's face of every row.
type People = Vec<(u64, f32)>;

fn gallery(faces: &Faces, count: usize) -> (Arc<dyn Rows>, People) {
    let mut rows = MemoryRows::new(Dimension::new(D).expect("a benchmark's dimension"));
    let mut people = People::new();
    for person in 0.. {
        let mut stream = Stream::new(7, person);
        let face = faces.any(&mut stream);
        let drawn = stream.uniform();
        for _ in 0..1 + usize::from(drawn > 0.55) + usize::from(drawn > 0.85) {
            if people.len() == count {
                return (Arc::new(rows), people);
            }
            let cosine = (0.62 + 0.16 * stream.uniform() as f32).sqrt();
            rows.push(TemplateId(people.len() as u64), &faces.near(&face, cosine, &mut stream));
            people.push((person, cosine));
        }
    }
    (Arc::new(rows), people)
}

fn probes(faces: &Faces, people: &People) -> Vec<Template> {
    let one = |(band, number): (u64, u64)| {
        let mut stream = Stream::new(99, band << 32 | number);
        let (person, cosine) = people[(stream.uniform() * people.len() as f64) as usize];
        let (low, high, _) = BANDS[band as usize];
        let wanted = (low + (high - low) * stream.uniform() as f32) / cosine;
        let face = faces.any(&mut Stream::new(7, person));
        Template::from_raw(&faces.near(&face, wanted.min(0.98), &mut stream)).expect("a direction")
    };
    (0..3).flat_map(|band| (0..PROBES_A_BAND).map(move |number| (band, number))).map(one).collect()
}

fn rows_asked_for() -> usize {
    std::env::var("BERTILLON_BENCH_ROWS").ok().and_then(|rows| rows.parse().ok()).unwrap_or(20_000)
}

fn picked_rows(criterion: &mut Criterion) {
    // As many as a walk comes by at one row of the graph.
    const PICKS: usize = 24;
    let count = rows_asked_for();
    let (rows, _people) = gallery(&Faces::new(), count);
    let codes = RowMajor::of(rows.as_ref());
    let probe = codes.lines()[..D / rowdot::LINE_CODES].to_vec();
    let mut stream = Stream::new(8, 8);
    let picks: Vec<u32> = (0..100_000 * PICKS).map(|_| (stream.uniform() * count as f64) as u32).collect();
    let mut group = criterion.benchmark_group(format!("{PICKS} rows picked from {count} x {D}"));
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(2)).sample_size(10);
    group.throughput(Throughput::Elements(PICKS as u64));
    for kernel in rowdot::all() {
        let (mut lists, mut dots) = (picks.chunks_exact(PICKS).cycle(), [0; PICKS]);
        group.bench_function(kernel.name(), |bencher| {
            bencher.iter(|| {
                kernel.dots(&probe, codes.lines(), lists.next().unwrap_or_default(), &mut dots);
                black_box(dots[0])
            });
        });
    }
    group.finish();
}

fn graph_search(criterion: &mut Criterion) {
    let (faces, count) = (Faces::new(), rows_asked_for());
    let (rows, people) = gallery(&faces, count);
    let probes = probes(&faces, &people);
    let codes = RowMajor::of(rows.as_ref());
    let cancel = AtomicBool::new(false);
    let watch = Watch { progress: &|_| (), cancel: &cancel, rest: &|| () };
    let plan = Plan { threads: threads_here(), ..Plan::default() };
    let built = Built::new(&codes, plan, &watch).expect("a build that nobody stops");
    let (flat, unreachable) = built.flatten(&codes, &watch).expect("edges");
    println!("{count} synthetic templates, {unreachable} out of reach");
    let kernel = rowdot::best();
    let terrain = Terrain { links: flat.links(), codes: &codes, kernel: kernel.as_ref() };
    let scorer = CertifiedScorer::new(Arc::new(CpuPass::new(kernel::best(), 1)), 1);
    let gallery = [Arc::clone(&rows)];
    let right = scorer.top_k(&gallery, &probes, 1).expect("a well-formed request").lists;

    let mut scratch = Scratch::default();
    let mut walk = |probe: &Template, ef: usize| -> Vec<u32> {
        let coded = CodedProbe::of(probe);
        match terrain.walk(&coded.code.codes, ef, u64::MAX, |row| rows.is_live(row as usize), &mut scratch) {
            Walked::Found(found) => found.iter().take(CANDIDATES).map(|one| one.row).collect(),
            Walked::TooFar => Vec::new(),
        }
    };
    let theirs = |probe: &Template, ef: usize| built.search_unflattened(&CodedProbe::of(probe).code, CANDIDATES, ef);
    let best = |probe: &Template, found: &[u32]| {
        let mut original = vec![0.0; D];
        let scores = found.iter().map(|&row| {
            rows.original(row as usize, &mut original);
            exact_score(probe.values(), &original)
        });
        scores.fold(-2.0, f32::max)
    };

    let mut group = criterion.benchmark_group(format!("one probe, {count} x {D}"));
    group.warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(3)).sample_size(10);
    group.throughput(Throughput::Elements(1));
    for ef in [50, 200, 800] {
        let mut found = [[0_u64; 3]; 2];
        for (number, (probe, right)) in probes.iter().zip(&right).enumerate() {
            let band = number / PROBES_A_BAND as usize;
            found[0][band] += u64::from(best(probe, &walk(probe, ef)) >= right[0].score);
            found[1][band] += u64::from(best(probe, &theirs(probe, ef)) >= right[0].score);
        }
        for (who, found) in ["ours", "hnsw_rs"].into_iter().zip(found) {
            let shares = BANDS
                .iter()
                .zip(found)
                .map(|(band, found)| format!("{} {:.3}", band.2, found as f64 / PROBES_A_BAND as f64));
            println!("recall at ef {ef}, {who}: {}", shares.collect::<Vec<_>>().join(", "));
        }
        let mut next = probes.iter().cycle();
        group.bench_function(BenchmarkId::new("ours, ef", ef), |bencher| {
            bencher.iter(|| next.next().map(|probe| black_box(walk(probe, ef))));
        });
        let mut next = probes.iter().cycle();
        group.bench_function(BenchmarkId::new("hnsw_rs, ef", ef), |bencher| {
            bencher.iter(|| next.next().map(|probe| black_box(theirs(probe, ef))));
        });
    }
    let mut next = probes.iter().cycle();
    group.bench_function("exhaustive, exact", |bencher| {
        bencher.iter(|| next.next().map(|probe| scorer.top_k(&gallery, std::slice::from_ref(probe), CANDIDATES)));
    });
    group.finish();
}

criterion_group!(benches, graph_search, picked_rows);
criterion_main!(benches);
