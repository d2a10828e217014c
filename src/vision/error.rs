//! The one error type of the vision room.

use std::path::{Path, PathBuf};

use crate::base::limits::{IMAGE_BYTES_MAX, IMAGE_PIXELS_MAX, IMAGE_SIDE_PX_MAX};
use crate::vector::VectorError;

/// Why a picture gave no template, or a model could not be used. Each says what to do, where something can be done.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VisionError {
    /// A catalogue file that can't be read as one.
    #[error("{path}: {problem}", path = path.display())]
    Catalogue {
        /// The file.
        path: PathBuf,
        /// What is wrong, and in which set.
        problem: String,
    },
    /// A name that stands in no catalogue.
    #[error("no model set {name:?}; there are: {known}")]
    UnknownSet {
        /// The name asked for.
        name: String,
        /// All names there are, separated by commas.
        known: String,
    },
    /// ONNX Runtime's library is nowhere.
    #[error(
        "ONNX Runtime's library was not found. Run `bertillon models install`, or set ORT_DYLIB_PATH. Tried:{}",
        lines(tried)
    )]
    RuntimeMissing {
        /// Every path looked at, in order.
        tried: Vec<PathBuf>,
    },
    /// A library was found and is not ONNX Runtime, or not one for this program.
    #[error("{path} can't serve as ONNX Runtime's library: {problem}", path = path.display())]
    RuntimeRefused {
        /// The library.
        path: PathBuf,
        /// The loader's words.
        problem: String,
    },
    /// A model file that should be there and isn't.
    #[error("{path} is missing: run `bertillon models install`", path = path.display())]
    ModelMissing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file whose size or hash differs from its catalogue entry or pin.
    #[error("{path} is damaged or another file: {wanted} wanted, {found} found; remove it and install again", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Size or hash wanted.
        wanted: String,
        /// Size or hash found.
        found: String,
    },
    /// The file is what its entry says, but ONNX Runtime can't load it, or it is no model of the kind wanted.
    #[error("{path} is not a usable model: {problem}", path = path.display())]
    ModelRefused {
        /// The model file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A loaded model failed on an input.
    #[error("{path} failed on an input of shape {shape:?}: {problem}", path = path.display())]
    ModelRun {
        /// The model file.
        path: PathBuf,
        /// The input's shape.
        shape: [usize; 4],
        /// What went wrong.
        problem: String,
    },
    /// A picture file of no or too many bytes.
    #[error("a picture file of {bytes} bytes: 1 to {IMAGE_BYTES_MAX} wanted")]
    ImageBytes {
        /// Its size.
        bytes: usize,
    },
    /// The bytes are no picture, or one of a kind that is not read.
    #[error("not a JPEG, PNG, WebP, BMP or TIFF picture, whatever its name says ({bytes} bytes)")]
    NotAnImage {
        /// The file's size.
        bytes: usize,
    },
    /// More pixels than are decoded; from the header, before decoding.
    #[error(
        "a picture of {width} x {height} px: sides of 1 to {IMAGE_SIDE_PX_MAX} and at most {IMAGE_PIXELS_MAX} px wanted; shrink or cut it"
    )]
    ImageSize {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// Colours that can't be brought to red, green and blue for certain.
    #[error("the picture's colours can't be understood: {reason}; save it as RGB")]
    Colours {
        /// What is unclear.
        reason: String,
    },
    /// A picture file that is damaged or uses something unusual.
    #[error("the {format} picture can't be decoded: {reason}")]
    Undecodable {
        /// "JPEG", "PNG" ...
        format: &'static str,
        /// The decoder's words.
        reason: String,
    },
    /// A picture could not be brought to another size.
    #[error("the picture can't be brought to {width} x {height} px: {reason}")]
    Resize {
        /// Columns wanted.
        width: u32,
        /// Rows wanted.
        height: u32,
        /// Why.
        reason: String,
    },
    /// One picture took too long and was given up.
    #[error(
        "given up during {stage} after {limit_ms} ms: the picture is too large or holds too many faces for this machine"
    )]
    OutOfTime {
        /// What was being done.
        stage: &'static str,
        /// The limit that passed.
        limit_ms: u64,
    },
    /// A model answered with something else than its kind of model does.
    #[error("{reason}: the catalogue's entry and the model file don't belong together")]
    ModelOutput {
        /// What came back.
        reason: String,
    },
    /// A program that the installation needs isn't there.
    #[error("{tool} is missing. {advice}")]
    ToolMissing {
        /// The program, or the part of it.
        tool: String,
        /// What to install, as a command where there is one.
        advice: String,
    },
    /// A tool of the installation failed, or took too long.
    #[error("{what} failed: {problem}{}", tail(output))]
    Tool {
        /// What it was to do.
        what: String,
        /// Its exit status, or the time limit.
        problem: String,
        /// The last lines that it printed.
        output: String,
    },
    /// A model file that the user was to bring is not where it was looked for.
    #[error("{file} was not found{}; name its folder with --from", lines(tried))]
    LocalMissing {
        /// The file's name.
        file: String,
        /// Every path looked at.
        tried: Vec<PathBuf>,
    },
    /// No ONNX Runtime library is known for this kind of machine.
    #[error(
        "no ONNX Runtime library can be installed for {machine}: build or download one and set ORT_DYLIB_PATH to its path"
    )]
    Machine {
        /// Operating system and processor.
        machine: String,
    },
    /// A template dimension or a vector that the engine can't hold.
    #[error(transparent)]
    Vector(#[from] VectorError),
    /// Reading or writing failed; the message names the file.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl VisionError {
    /// Whether the picture is at fault, so that another one may well succeed; otherwise it is the installation.
    #[must_use]
    pub fn is_of_picture(&self) -> bool {
        match self {
            Self::ImageBytes { .. }
            | Self::NotAnImage { .. }
            | Self::ImageSize { .. }
            | Self::Colours { .. }
            | Self::Undecodable { .. }
            | Self::Resize { .. }
            | Self::OutOfTime { .. } => true,
            Self::Catalogue { .. }
            | Self::UnknownSet { .. }
            | Self::RuntimeMissing { .. }
            | Self::RuntimeRefused { .. }
            | Self::ModelMissing { .. }
            | Self::Damaged { .. }
            | Self::ModelRefused { .. }
            | Self::ModelRun { .. }
            | Self::ModelOutput { .. }
            | Self::ToolMissing { .. }
            | Self::Tool { .. }
            | Self::LocalMissing { .. }
            | Self::Machine { .. }
            | Self::Vector(_)
            | Self::Io(_) => false,
        }
    }

    /// A catalogue's problem.
    pub(crate) fn catalogue(path: &Path, problem: impl Into<String>) -> Self {
        Self::Catalogue { path: path.to_owned(), problem: problem.into() }
    }
}

/// Paths, each on a line of its own.
fn lines(paths: &[PathBuf]) -> String {
    use std::fmt::Write as _;
    paths.iter().fold(String::new(), |mut text, path| {
        // Writing to a String can't fail.
        let _ = write!(text, "\n  {}", path.display());
        text
    })
}

/// A tool's last words, indented below the message.
fn tail(output: &str) -> String {
    output.lines().filter(|line| !line.trim().is_empty()).flat_map(|line| ["\n  | ", line]).collect()
}
