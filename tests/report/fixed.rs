//! The parts of a made-up evaluation that are the same whatever was wished for.

use bertillon::evaluation::random::Stream;
use bertillon::evaluation::results::*;

pub(crate) fn calibration() -> Calibration {
    let logistic = |x: f64| 1.0 / (1.0 + (-x).exp());
    let ratios = (-60..=60).map(|step| f64::from(step) / 10.0);
    let bins = (0..10).map(|bin| (f64::from(bin) + 0.5) / 10.0);
    Calibration {
        slope: 21.4,
        offset: -9.63,
        cllr: 0.083,
        cllr_min: 0.071,
        cllr_cal: 0.012,
        bounds: (-3.1, 3.6),
        tippett: ratios.map(|ratio| (ratio, logistic(1.6 * (3.1 - ratio)), logistic(-1.8 * (ratio + 2.3)))).collect(),
        reliability: bins.map(|p: f64| (p, (p + 0.06 * (9.0 * p).sin()).clamp(0.0, 1.0), (40.0 / p) as u64)).collect(),
        expected_error: Some(ExpectedError { value: 0.024, bins: 10, used: 9 }),
        cllr_in_sample: Some(0.079),
        folds: vec![FoldLine { slope: 21.2, offset: -9.5, bounds: (-3.0, 3.5), mated: 600, non_mated: 10_000 }; 5],
        not_crossed: None,
        penalty: Some(1e-6),
        separated: false,
    }
}

pub(crate) fn latency() -> Latency {
    let mut stream = Stream::new(7, u64::MAX);
    let mut batch_ms: Vec<f64> =
        (0..640).map(|_| 412.0 * (1.0 + 0.08 * f64::from(stream.normal()).abs()).powi(3)).collect();
    batch_ms.sort_by(f64::total_cmp);
    let sizes = [10_000_u64, 100_000, 1_000_000, 10_000_000];
    let by_size = sizes.iter().flat_map(|people| {
        [1_usize, 8, 64, 300]
            .map(|probes| (*people, probes, 0.05 + *people as f64 * 4.1e-5 * (1.0 + probes as f64 / 14.0)))
    });
    Latency {
        back_end: "made-up back end".to_owned(),
        batch: 64,
        batch_ms,
        probes_a_second: 148.2,
        by_size: by_size.collect(),
        timed: vec![TimedBatches { people: 10_000, probes: 2, batches: 25, median_ms: 0.52 }],
    }
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn identity() -> Identity {
    Identity {
        title: "Made-up evaluation for looking at the report".to_owned(),
        made_at: "2026-11-22T08:00:00Z".to_owned(),
        program: "bertillon 0.1.0".to_owned(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".to_owned()),
        config_sha256: "c0".repeat(32),
        model: "made-up".to_owned(),
        model_sha256: "ab".repeat(32),
        dimension: 512,
        data_sha256: "7f".repeat(32),
        data: "made up by tests/report/example.rs".to_owned(),
        synthetic: true,
        seed: 7,
        hardware: pairs(&[("processor", "none: no template was scored"), ("cores", "2"), ("back end", "none")]),
        protocol: pairs(&[
            ("enrolment", "one image a person"),
            ("galleries", "nested: each holds the smaller ones"),
            ("who chose thresholds", "all non-mated searches; beside it half of the people, tested on the other half"),
            ("length of lists", "50"),
        ]),
        exclusions: vec![
            ("probes without a face".to_owned(), 12),
            ("people without a second picture".to_owned(), 1_204),
        ],
    }
}

pub(crate) fn statements() -> Vec<Statement> {
    let say = |about, text: &str| Statement { about, text: text.to_owned() };
    vec![
        say(About::Synthetic, "Scores were drawn from a formula; there are no templates behind them."),
        say(About::Extrapolated, "FPIR at 50,000,000 people was predicted from searches of 1,000,000."),
        say(
            About::Limit,
            "FPIR of 1/6,000 would need 17,973 non-mated searches without an error to be claimed; there were fewer.",
        ),
        say(About::Limit, "Groups are those of the manifest; nobody was asked."),
    ]
}
