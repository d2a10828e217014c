//! Exact scoring: every back end against the naive oracle, and proof that the battery catches what it should.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod conformance;

use bertillon::vector::naive::NaiveScorer;
use conformance::{Sizes, battery};

#[test]
fn the_oracle_agrees_with_itself() {
    battery(&NaiveScorer, &Sizes::small());
}
