//! Bertillon: face identification for police central identification units.
//!
//! A picture goes in, a candidate list comes out: every enrolled template is scored, the best candidates are listed by
//! comparison score, and trained people decide. The rooms of this crate form layers; a room imports only from layers
//! below its own. `ARCHITECTURE.md` has the map, `tests/tidy.rs` enforces it.

pub mod audit;
pub mod base;
pub mod casework;
pub mod cli;
pub mod crypto;
pub mod evaluation;
pub mod gallery;
pub mod gpu;
pub mod graph;
pub mod http;
pub mod identify;
pub mod kernel;
pub mod keys;
pub mod pack;
pub mod pictures;
pub mod policy;
pub mod records;
pub mod rights;
pub mod scoring;
pub mod segment;
pub mod settings;
pub mod sso;
pub mod store;
pub mod vector;
pub mod vision;
