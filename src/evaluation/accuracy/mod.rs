//! How accurate identification is, in the terms of NIST's FRTE 1:N and ISO/IEC 19795: from searches and what came of them to
//! rates, thresholds, groups, likelihood ratios and predictions.
//!
//! Pure functions: no file, no clock, no text on a page. [`trials`] is what everything is computed from. Rates are counts over
//! counts ([`Proportion`](super::arithmetic::intervals::Proportion)), so that no rate is shown without what it rests on; a
//! decision is "score >= threshold" everywhere.

pub mod band;
pub mod calibration;
pub mod dependence;
pub mod diagnostics;
pub mod discard;
pub mod folds;
pub mod groups;
pub mod likelihood;
pub mod paired;
pub mod rates;
pub mod strata;
pub mod summaries;
pub mod tail;
pub mod thresholds;
pub mod trials;
pub mod workload;
