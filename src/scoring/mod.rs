//! Exact search over any coarse pass: proven lists, on the CPU or on a device, with one in reserve.
//!
//! [`CertifiedScorer`] turns a pass over 8-bit codes into candidate lists that equal the naive oracle's to the bit;
//! [`CpuPass`] is the pass on the CPU; [`WithFallback`] lets the CPU answer when a device fails. Knows no people and no
//! files. The battery in `tests/conformance` holds every back end to the oracle.

pub mod batcher;
mod certified;
mod collector;
pub mod compose;
mod cpu;
mod fallback;
pub mod parallel;
mod rescore;

pub use certified::CertifiedScorer;
pub use cpu::CpuPass;
pub use fallback::{COOL_DOWN, WithFallback};
pub use parallel::{Jobs, apart, share, threads_here};
