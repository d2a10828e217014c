//! From picture files to templates: decode, detect every face, align, measure quality, embed. Knows no galleries, no
//! people and no scores.
//!
//! The upper half knows pictures:
//! * [`pipeline`]: [`Vision`], which takes a file's bytes and gives an [`Analysis`];
//! * [`decode`]: bytes to upright pixels, within limits; `jpeg` looks at what the decoder does not tell;
//! * [`detect`]: MTCNN and YuNet behind one trait;
//! * [`align`]: the similarity transform and the warp that bring a face into position;
//! * [`quality`] and [`pose`]: what can be told from a face, in figures and words;
//! * [`embed`]: an aligned face to a template.
//!
//! The lower half knows models: which there are, where their files come from, how one is loaded and run.
//! * [`catalogue`]: what a model set is, read from `models/catalogue.toml` and from a customer's own file;
//! * [`install`]: brings a set's files and ONNX Runtime's library, checks what is there;
//! * [`runtime`]: finds and loads ONNX Runtime's library, once a process;
//! * [`session`]: one loaded model, checked against its hash, deterministic.

pub mod align;
pub mod catalogue;
mod catalogue_check;
mod deadline;
pub mod decode;
pub mod degrade;
pub mod detect;
pub mod embed;
pub mod error;
mod files;
pub mod geometry;
pub mod install;
mod jpeg;
pub mod pipeline;
pub mod pose;
pub mod quality;
mod resample;
pub mod runtime;
pub mod session;

pub use deadline::Deadline;
pub use error::VisionError;
pub use geometry::{Bounds, Landmarks};
pub use pipeline::{Analysis, Face, Stages, Vision};
pub use quality::{Quality, Verdict};
