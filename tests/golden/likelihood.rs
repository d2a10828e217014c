//! Likelihood ratios.

use bertillon::evaluation::accuracy::calibration::{Fit, Logistic};
use bertillon::evaluation::accuracy::likelihood::{Isotonic, Labelled, bounds, cost};

use crate::{agree, list, number, numbers, read};

#[test]
fn likelihood_ratios_are_lirs() {
    let golden = read("likelihood.json");
    let scale = number(&golden["scale"]);
    for case in list(&golden["cases"]) {
        let scores = |name: &str| numbers(&case[name]).iter().map(|value| value / scale).collect::<Vec<f64>>();
        let data = Labelled::new(scores("mated"), scores("non_mated")).unwrap();
        // Theirs is on the slope by unit of score.
        let of_lir = |penalty: f64| Fit { prior: 0.5, penalty: penalty / variance(&data) };
        for line in list(&case["lines"]) {
            let found = Logistic::fit(&data, of_lir(number(&line["penalty"]))).unwrap();
            agree("slope", found.slope, &line["slope"]);
            agree("offset", found.offset, &line["offset"]);
        }
        without_penalty(&data, &case["plain"]);
        let line = Logistic::fit(&data, of_lir(number(&case["lines"][0]["penalty"]))).unwrap();
        let llrs = |name: &str| scores(name).iter().map(|score| line.unbounded_llr(*score)).collect();
        let llrs = Labelled::new(llrs("mated"), llrs("non_mated")).unwrap();
        let found = cost(&llrs);
        agree("Cllr", found.total, &case["cllr"]);
        agree("least Cllr", found.least, &case["cllr_min"]);
        agree("calibration's Cllr", found.calibration, &case["cllr_cal"]);
        // lir walks a grid and stops one step before the first bad one; ours is the end itself.
        let (found, golden) = (bounds(&llrs), numbers(&case["elub"]));
        let step = 2.0 * number(&case["elub_step"]);
        assert!(
            (found.low - golden[0]).abs() <= step && (found.high - golden[1]).abs() <= step,
            "{found:?} {golden:?}"
        );
        let isotonic = Isotonic::fit(&data);
        for (probe, golden) in numbers(&case["probes"]).iter().zip(list(&case["isotonic"])) {
            // log10 there.
            agree("isotonic LLR", isotonic.llr(*probe) / std::f64::consts::LN_10, golden);
        }
    }
}

/// Of all scores.
fn variance(data: &Labelled) -> f64 {
    let all: Vec<f64> = data.mated().iter().chain(data.non_mated()).copied().collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    all.iter().map(|score| (score - mean).powi(2)).sum::<f64>() / all.len() as f64
}

/// The usual fit is that without a penalty, wherever there is such a one.
fn without_penalty(data: &Labelled, golden: &serde_json::Value) {
    let usual = Logistic::fit(data, Fit::default()).unwrap();
    assert_eq!(usual.separated, golden.is_null());
    if golden.is_null() {
        return;
    }
    let plain = Logistic::fit(data, Fit { prior: 0.5, penalty: 0.0 }).unwrap();
    agree("slope without a penalty", plain.slope, &golden["slope"]);
    agree("offset without a penalty", plain.offset, &golden["offset"]);
    let of_slope = (usual.slope / plain.slope - 1.0).abs();
    assert!(of_slope < 1e-5 && (usual.offset - plain.offset).abs() < 1e-5 * plain.offset.abs(), "{usual:?} {plain:?}");
}
