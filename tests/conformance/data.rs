//! Galleries that are hard to search exactly, made from a seed by a counter-based generator: the same on every machine.

use std::sync::Arc;

use bertillon::base::ids::TemplateId;
use bertillon::vector::codec::through_f16;
use bertillon::vector::dimension::Dimension;
use bertillon::vector::memory::MemoryRows;
use bertillon::vector::rows::Rows;
use bertillon::vector::score::exact_score;
use bertillon::vector::template::Template;

/// A gallery, and what is asked of it.
pub struct Case {
    pub name: &'static str,
    pub seed: u64,
    pub dimension: usize,
    pub gallery: Vec<Arc<dyn Rows>>,
    pub probes: Vec<Template>,
}

/// Number `counter` of stream `seed`, mixed as in SplitMix64.
pub fn mix(seed: u64, counter: u64) -> u64 {
    let mut z = seed.wrapping_mul(0xd134_2543_de82_ef95).wrapping_add(counter.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// `dimension` numbers of mean 0 and variance 1, near enough to normal: the sum of four uniform ones.
fn noise(seed: u64, stream: u64, dimension: usize) -> Vec<f32> {
    let one = |i: usize| {
        let bits = mix(seed ^ stream.wrapping_mul(0xa076_1d64_78bd_642f), i as u64);
        let sum: f32 = (0..4).map(|part| ((bits >> (16 * part)) & 0xffff) as f32 / 65_536.0 - 0.5).sum();
        sum * 3.0_f32.sqrt()
    };
    (0..dimension).map(one).collect()
}

fn unit(raw: &[f32]) -> Vec<f32> {
    Template::from_raw(raw).expect("noise has a direction").values().to_vec()
}

fn template(raw: &[f32]) -> Template {
    Template::from_raw(raw).expect("noise has a direction")
}

fn plus(a: &[f32], b: &[f32], factor: f32) -> Vec<f32> {
    a.iter().zip(b).map(|(a, b)| a + factor * b).collect()
}

type Vectors = Vec<Vec<f32>>;

fn random(seed: u64, rows: usize, dimension: usize) -> Vectors {
    (0..rows).map(|row| unit(&noise(seed, row as u64, dimension))).collect()
}

/// A hundred rows around each centre: what a gallery with many pictures of a person looks like.
fn clustered(seed: u64, rows: usize, dimension: usize) -> Vectors {
    let around = |row: usize| {
        let centre = noise(seed, 1_000_000 + row as u64 / 100, dimension);
        unit(&plus(&centre, &noise(seed, row as u64, dimension), 0.5))
    };
    (0..rows).map(around).collect()
}

/// A strong common direction, as in dlib's templates: cosines of 0.7 to 0.95 between strangers.
fn common_direction(seed: u64, rows: usize, dimension: usize) -> Vectors {
    let mean = noise(seed, 2_000_000, dimension);
    (0..rows).map(|row| unit(&plus(&mean, &noise(seed, row as u64, dimension), 0.45))).collect()
}

/// Rows closer to each other than one step of a code: coarse scores order them wrongly, or not at all.
fn near_ties(seed: u64, rows: usize, dimension: usize) -> Vectors {
    let base = noise(seed, 3_000_000, dimension);
    (0..rows).map(|row| unit(&plus(&base, &noise(seed, row as u64, dimension), 0.002))).collect()
}

/// One component dwarfs the others, so that the codes lose most of a row and the bound is very wide.
fn spiky(seed: u64, rows: usize, dimension: usize) -> Vectors {
    let spike = |row: usize| {
        let mut raw = noise(seed, row as u64, dimension);
        raw[mix(seed, row as u64) as usize % dimension] *= 60.0;
        unit(&raw)
    };
    (0..rows).map(spike).collect()
}

/// Every second row is the same vector.
fn duplicated(seed: u64, rows: usize, dimension: usize) -> Vectors {
    let same = unit(&noise(seed, 4_000_000, dimension));
    let pick = |(row, vector): (usize, Vec<f32>)| if row % 2 == 0 { same.clone() } else { vector };
    random(seed, rows, dimension).into_iter().enumerate().map(pick).collect()
}

fn identical(seed: u64, rows: usize, dimension: usize) -> Vectors {
    vec![unit(&noise(seed, 5_000_000, dimension)); rows]
}

fn half_precision(seed: u64, rows: usize, dimension: usize) -> Vectors {
    clustered(seed, rows, dimension).iter().map(|vector| through_f16(vector)).collect()
}

/// Rows whose coding errors all point along the probe (1, 1, ...), so that the bound is nearly reached. One row in three
/// is coded too low by almost all of the bound, and lies just below the first cut though it belongs on top of the list;
/// the others are coded nearly rightly. A certificate with nine tenths of the bound would pass, wrongly.
fn errors_aligned(seed: u64, rows: usize, dimension: usize) -> Vectors {
    let count = dimension as f32;
    let one = |row: usize| {
        let under = row.is_multiple_of(3);
        // How far a row of the first kind must stay behind for its coarse score to miss the first cut.
        let behind = 0.49 * count + 0.003 * count.sqrt() * 128.0 + 1.0 + (row % 2) as f32;
        let sum = if under { (count / 2.0 - behind).round() as isize } else { dimension as isize / 2 };
        let shift = mix(seed, row as u64) as usize;
        let code =
            |i: usize| if (i + shift) % (dimension - 1) < sum.unsigned_abs() { sum.signum() as f32 } else { 0.0 };
        let off = if under { 0.49 } else { -0.05 };
        unit(&(0..dimension).map(|i| if i == 0 { 127.0 } else { code(i) + off }).collect::<Vec<_>>())
    };
    (0..rows).map(one).collect()
}

/// Probes near rows of the gallery and probes of nobody, in turn. The first is always near a row.
fn probes(seed: u64, vectors: &Vectors, count: usize, dimension: usize) -> Vec<Template> {
    let one = |n: usize| {
        let own = noise(seed, 6_000_000 + n as u64, dimension);
        match vectors.get(mix(seed, 77 + n as u64) as usize % vectors.len().max(1)) {
            Some(row) if n.is_multiple_of(2) => {
                // Unit rows have components of about 1 / sqrt(d).
                template(&plus(row, &own, 0.4 / (dimension as f32).sqrt()))
            }
            _ => template(&own),
        }
    };
    (0..count).map(one).collect()
}

/// Puts `vectors` into runs of odd sizes, an empty one among them; every other run declares that devices may keep it.
fn runs(seed: u64, vectors: &[Vec<f32>], dimension: Dimension) -> Vec<MemoryRows> {
    let mut runs = vec![MemoryRows::new(dimension)];
    let mut rest = vectors;
    let mut id = mix(seed, 1) % 1000;
    while !rest.is_empty() {
        let size = (1 + mix(seed, runs.len() as u64) as usize % (vectors.len() / 2 + 1)).min(rest.len());
        let (these, others) = rest.split_at(size);
        let mut run = MemoryRows::new(dimension);
        for vector in these {
            id += 1 + mix(seed, id) % 3;
            run.push(TemplateId(id), vector);
        }
        runs.push(if runs.len() % 2 == 0 { run.resident() } else { run });
        rest = others;
    }
    runs
}

fn share(runs: Vec<MemoryRows>) -> Vec<Arc<dyn Rows>> {
    runs.into_iter().map(|run| Arc::new(run) as Arc<dyn Rows>).collect()
}

/// Erases what the first probe would find, a third by overwriting, a third by marking only, and a third stays.
fn erase_the_best(runs: &mut [MemoryRows], probe: &Template) {
    let mut all: Vec<(f32, usize, usize)> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let mut original = vec![0.0; run.dimension().get()];
        for row in 0..run.len() {
            run.original(row, &mut original);
            all.push((exact_score(probe.values(), &original), number, row));
        }
    }
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut marked: Vec<Vec<u32>> = vec![Vec::new(); runs.len()];
    for (rank, &(_, run, row)) in all.iter().enumerate().take(all.len() / 2) {
        match rank % 3 {
            0 => runs[run].erase(row),
            1 => marked[run].push(row as u32),
            _ => {}
        }
    }
    for (run, marked) in runs.iter_mut().zip(marked) {
        run.mark_erased(marked);
    }
}

type Make = fn(u64, usize, usize) -> Vectors;
const PLAIN: [(&str, Make); 10] = [
    ("random", random),
    ("clustered", clustered),
    ("common direction", common_direction),
    ("near ties", near_ties),
    ("spiky", spiky),
    ("duplicated", duplicated),
    ("all identical", identical),
    ("half precision", half_precision),
    ("zero-distance ties", duplicated),
    ("errors aligned", errors_aligned),
];

/// Every case for one dimension and about `rows` rows (an odd number of them), with `count` probes each.
pub fn cases(seed: u64, rows: usize, dimension: usize, count: usize) -> Vec<Case> {
    let checked = Dimension::new(dimension).expect("a dimension of the battery");
    let rows = rows | 1;
    let case = |name, gallery, probes| Case { name, seed, dimension, gallery, probes };
    let mut all = Vec::new();
    for (name, make) in PLAIN {
        let vectors = make(seed, rows, dimension);
        let mut asked = probes(seed, &vectors, count, dimension);
        if name == "zero-distance ties" {
            asked = (0..count).map(|n| template(&vectors[n % 3])).collect();
        }
        if name == "errors aligned" {
            asked[0] = template(&vec![1.0; dimension]);
        }
        all.push(case(name, share(runs(seed, &vectors, checked)), asked));
    }
    all.extend(ordered(seed, rows, checked, count));
    for (name, make) in
        [("erased, random", random as Make), ("erased, near ties", near_ties), ("erased, identical", identical)]
    {
        let vectors = make(seed, rows, dimension);
        let asked = probes(seed, &vectors, count, dimension);
        let mut erased = runs(seed, &vectors, checked);
        erase_the_best(&mut erased, &asked[0]);
        all.push(case(name, share(erased), asked));
    }
    let asked = probes(seed, &random(seed, 1, dimension), count, dimension);
    all.push(case("no runs", Vec::new(), asked.clone()));
    all.push(case(
        "a run without rows",
        share(vec![MemoryRows::new(checked), MemoryRows::new(checked).resident()]),
        asked.clone(),
    ));
    all.push(case("one row", share(runs(seed, &random(seed, 1, dimension), checked)), asked));
    all
}

/// Rows in ascending and in descending order of the first probe's score: each row better than all before, or worse.
fn ordered(seed: u64, rows: usize, dimension: Dimension, count: usize) -> Vec<Case> {
    let mut vectors = random(seed, rows, dimension.get());
    let asked = probes(seed, &vectors, count, dimension.get());
    vectors.sort_by(|a, b| exact_score(a, asked[0].values()).total_cmp(&exact_score(b, asked[0].values())));
    let case = |name, vectors: &Vectors| {
        let gallery = share(runs(seed, vectors, dimension));
        Case { name, seed, dimension: dimension.get(), gallery, probes: asked.clone() }
    };
    let ascending = case("ascending", &vectors);
    vectors.reverse();
    vec![ascending, case("descending", &vectors)]
}
