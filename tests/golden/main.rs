//! Our figures against other people's: bob.measure, pyeer, scikit-learn, scipy, statsmodels and lir, as `make.py` wrote them
//! down with their versions. Agreement is to 1e-9, relative or absolute, whichever allows more; what is drawn at random must lie
//! within its own uncertainty. Where an oracle is known to be wrong, the test says so beside the case.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod likelihood;
mod pairs;
mod proportions;
mod rates;
mod sealed;
mod tails;

use serde_json::Value;

/// A file of `make.py`.
pub(crate) fn read(name: &str) -> Value {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let golden: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert!(golden["versions"].as_object().is_some_and(|versions| !versions.is_empty()), "{name}: made by whom?");
    golden
}

/// The elements of a list that must not be empty, or the test would pass by itself.
pub(crate) fn list(value: &Value) -> &[Value] {
    let list = value.as_array().unwrap();
    assert!(!list.is_empty());
    list
}

pub(crate) fn number(value: &Value) -> f64 {
    match value.as_str() {
        Some("inf") => f64::INFINITY,
        Some("-inf") => f64::NEG_INFINITY,
        Some(other) => panic!("{other} is no number"),
        None => value.as_f64().unwrap(),
    }
}

pub(crate) fn numbers(value: &Value) -> Vec<f64> {
    list(value).iter().map(number).collect()
}

pub(crate) fn whole(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// Refuses figures that differ.
#[track_caller]
pub(crate) fn agree(what: &str, found: f64, golden: &Value) {
    let golden = number(golden);
    let close = found == golden || (found - golden).abs() <= 1e-9 * golden.abs().clamp(1e-3, 1.0);
    assert!(close, "{what}: {found} here, {golden} there");
}

#[test]
fn figures_that_differ_are_refused() {
    agree("the same", 0.5 + 1e-10, &Value::from(0.5));
    let off = std::panic::catch_unwind(|| agree("another", 0.5 + 1e-9, &Value::from(0.5)));
    assert!(off.is_err());
    let small = std::panic::catch_unwind(|| agree("another", 1.1e-6, &Value::from(1e-6)));
    assert!(small.is_err());
}
