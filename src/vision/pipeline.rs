//! The whole way of a picture: decode, detect, align and measure, embed.

use std::path::Path;

use serde::Serialize;

use crate::base::clock::Stopwatch;
use crate::base::ids::ModelId;
use crate::vector::dimension::Dimension;
use crate::vector::template::Template;
use crate::vision::VisionError;
use crate::vision::catalogue::{Detector, FileSpec, ModelSet};
use crate::vision::deadline::Deadline;
use crate::vision::decode::decode;
use crate::vision::detect::{FaceDetector, Mtcnn, MtcnnSettings, YuNet, YuNetSettings};
use crate::vision::embed::Embedding;
use crate::vision::geometry::{Bounds, Landmarks};
use crate::vision::quality::{self, Quality};
use crate::vision::runtime::Runtime;
use crate::vision::session::Session;

/// One model set, loaded. May be used from several threads; each network works on one picture at a time.
pub struct Vision {
    model: ModelId,
    detector: Box<dyn FaceDetector>,
    embedding: Embedding,
}

/// What is in a picture.
#[derive(Debug, Clone, Serialize)]
pub struct Analysis {
    /// Columns, upright.
    pub width: u32,
    /// Rows, upright.
    pub height: u32,
    /// "JPEG", "PNG", "WebP", "BMP" or "TIFF", by content.
    pub format: &'static str,
    /// Every face found, the largest first; empty when there is none.
    pub faces: Vec<Face>,
    /// Where the time went.
    pub stages: Stages,
    /// What a person should know of the file, in words (an end that is missing); mostly empty.
    pub warnings: Vec<String>,
}

/// One face of a picture.
#[derive(Debug, Clone, Serialize)]
pub struct Face {
    /// Around the face, in pixels of the upright picture.
    pub bounds: Bounds,
    /// Its five points.
    pub landmarks: Landmarks,
    /// The detector's score, 0 to 1: that this is a face, not whose.
    pub detection_score: f32,
    /// What can be told from it.
    pub quality: Quality,
    /// Its template. Never serialised.
    #[serde(skip)]
    pub template: Template,
}

/// Milliseconds by stage, over all faces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Stages {
    /// Bytes to upright pixels.
    pub decode_ms: f64,
    /// Finding faces.
    pub detect_ms: f64,
    /// Measuring quality and cutting chips.
    pub align_ms: f64,
    /// Chips to templates.
    pub embed_ms: f64,
}

impl Vision {
    /// Loads the networks of `set` from `models_dir`, each checked against its size and sha256 and run on up to `threads`
    /// threads; results don't depend on their number.
    ///
    /// # Errors
    /// [`VisionError::ModelMissing`], [`VisionError::Damaged`] or [`VisionError::ModelRefused`], naming the file.
    pub fn load(set: &ModelSet, models_dir: &Path, runtime: &Runtime, threads: usize) -> Result<Self, VisionError> {
        let session = |file: &FileSpec| Session::load(&file.path(models_dir), file, runtime, threads);
        let detector: Box<dyn FaceDetector> = match &set.detector {
            Detector::Mtcnn { pnet, rnet, onet, thresholds, pyramid_factor, face_px_min } => {
                let settings = MtcnnSettings {
                    thresholds: *thresholds,
                    pyramid_factor: *pyramid_factor,
                    face_px_min: *face_px_min,
                };
                Box::new(Mtcnn::new(session(pnet)?, session(rnet)?, session(onet)?, settings))
            }
            Detector::YuNet { model, threshold, nms_iou, side_px_max } => {
                let settings = YuNetSettings { threshold: *threshold, nms_iou: *nms_iou, side_px_max: *side_px_max };
                Box::new(YuNet::new(session(model)?, settings))
            }
        };
        let embedding = Embedding::new(session(&set.embedder.model)?, &set.embedder)?;
        Ok(Self { model: set.id(), detector, embedding })
    }

    /// Which models made the templates.
    #[must_use]
    pub fn model(&self) -> &ModelId {
        &self.model
    }

    /// Numbers in a template.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.embedding.dimension()
    }

    /// The detector alone, for benchmarks and tools.
    #[must_use]
    pub fn detector(&self) -> &dyn FaceDetector {
        self.detector.as_ref()
    }

    /// The embedder alone, for benchmarks and tools.
    #[must_use]
    pub fn embedding(&self) -> &Embedding {
        &self.embedding
    }

    /// Finds every face in a picture file and makes its template. The same bytes give the same bits, but for the times.
    /// A picture without a face is an [`Analysis`] without faces.
    ///
    /// # Errors
    /// [`VisionError`]; [`VisionError::is_of_picture`] tells whether the picture or the installation is at fault.
    pub fn analyse(&self, bytes: &[u8]) -> Result<Analysis, VisionError> {
        let deadline = Deadline::start();
        let mut watch = Stopwatch::start();
        let mut stages = Stages::default();
        let picture = decode(bytes)?;
        stages.decode_ms = watch.lap_ms();
        deadline.check("decoding")?;

        let mut found = self.detector.detect(&picture.pixels, &deadline)?;
        found.sort_by(|a, b| b.bounds.area().total_cmp(&a.bounds.area()));
        stages.detect_ms = watch.lap_ms();

        let mut faces = Vec::with_capacity(found.len());
        for detection in found {
            deadline.check("embedding")?;
            let chip = self.embedding.align(&picture.pixels, &detection.landmarks);
            let quality = quality::measure(&picture.pixels, &detection.bounds, &detection.landmarks);
            stages.align_ms += watch.lap_ms();
            let (Some(chip), Some(quality)) = (chip, quality) else {
                tracing::debug!("a detection whose points coincide was left out");
                continue;
            };
            let template = self.embedding.embed(&chip)?;
            stages.embed_ms += watch.lap_ms();
            faces.push(Face {
                bounds: detection.bounds,
                landmarks: detection.landmarks,
                detection_score: detection.score,
                quality,
                template,
            });
        }
        let (width, height) = picture.pixels.dimensions();
        Ok(Analysis { width, height, format: picture.format, faces, stages, warnings: picture.warnings })
    }
}
