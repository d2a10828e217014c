//! From picture files to templates. The lower half knows models: which there are, where their files come from, how one is
//! loaded and run. Knows no galleries, no people and no scores.
//!
//! * [`catalogue`]: what a model set is, read from `models/catalogue.toml` and from a customer's own file;
//! * [`install`]: brings a set's files and ONNX Runtime's library, checks what is there;
//! * [`runtime`]: finds and loads ONNX Runtime's library, once a process;
//! * [`session`]: one loaded model, checked against its hash, deterministic.

pub mod catalogue;
mod catalogue_check;
pub mod error;
mod files;
pub mod install;
pub mod runtime;
pub mod session;

pub use error::VisionError;
