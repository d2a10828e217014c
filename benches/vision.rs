//! How long does one picture of 640 x 480 px take, by stage and as a whole, on one thread? For each model set that is
//! installed (`BERTILLON_MODELS`, else `data/models`).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "../tests/faces/build.rs"]
mod build;
#[path = "../tests/faces/mod.rs"]
mod faces;

use std::hint::black_box;

use bertillon::vision::decode::decode;
use bertillon::vision::{Deadline, Vision, quality};
use criterion::{Criterion, criterion_group, criterion_main};
use image::RgbImage;

/// A JPEG of 640 x 480 px with one face of ordinary size, from the first portrait.
fn still() -> Option<Vec<u8>> {
    let portrait = decode(&fs_err::read(faces::portraits()?.first()?).unwrap()).unwrap().pixels;
    let mut scene = RgbImage::from_fn(640, 480, |x, y| image::Rgb([(x / 4) as u8, (y / 2) as u8, ((x ^ y) / 3) as u8]));
    let small = image::imageops::resize(&portrait, 400, 400, image::imageops::FilterType::Triangle);
    image::imageops::replace(&mut scene, &small, 120, 60);
    Some(build::jpeg(&scene))
}

fn stages(c: &mut Criterion) {
    let Some(bytes) = still() else { return };
    c.bench_function("vision/decode", |b| b.iter(|| decode(black_box(&bytes)).unwrap()));
    for set in faces::SETS {
        if let Some(vision) = faces::load(set, 1) {
            one_set(c, set, &vision, &bytes);
        }
    }
}

fn one_set(c: &mut Criterion, set: &str, vision: &Vision, bytes: &[u8]) {
    let picture = decode(bytes).unwrap().pixels;
    let found = vision.detector().detect(&picture, &Deadline::start()).unwrap();
    assert_eq!(found.len(), 1, "{set}: {found:?}");
    let chip = vision.embedding().align(&picture, &found[0].landmarks).unwrap();

    let mut group = c.benchmark_group(format!("vision/{set}"));
    group.sample_size(40);
    group.bench_function("detect", |b| {
        b.iter(|| vision.detector().detect(black_box(&picture), &Deadline::start()).unwrap());
    });
    group.bench_function("align", |b| b.iter(|| vision.embedding().align(black_box(&picture), &found[0].landmarks)));
    group.bench_function("quality", |b| {
        b.iter(|| quality::measure(black_box(&picture), &found[0].bounds, &found[0].landmarks));
    });
    group.bench_function("embed", |b| b.iter(|| vision.embedding().embed(black_box(&chip)).unwrap()));
    group.bench_function("whole", |b| b.iter(|| vision.analyse(black_box(bytes)).unwrap()));
    group.finish();
}

criterion_group!(benches, stages);
criterion_main!(benches);
