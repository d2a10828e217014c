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
        for line in list(&case["lines"]) {
            let found = Logistic::fit(&data, Fit { prior: 0.5, penalty: number(&line["penalty"]) }).unwrap();
            agree("slope", found.slope, &line["slope"]);
            agree("offset", found.offset, &line["offset"]);
        }
        let line = Logistic::fit(&data, Fit::default()).unwrap();
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
