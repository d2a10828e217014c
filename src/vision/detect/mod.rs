//! Finding every face in a picture, whatever the network.

mod mtcnn;
mod nms;
mod yunet;

pub use mtcnn::{Mtcnn, MtcnnSettings};
pub use yunet::{YuNet, YuNetSettings};

use image::RgbImage;

use crate::vision::VisionError;
use crate::vision::deadline::Deadline;
use crate::vision::geometry::{Bounds, Landmarks};
use crate::vision::session::Output;

/// A face that a detector found, in pixels of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Detection {
    /// Around the face.
    pub bounds: Bounds,
    /// Its five points.
    pub landmarks: Landmarks,
    /// The detector's own score, 0 to 1; not comparable between detectors.
    pub score: f32,
}

/// Finds faces. Implementations hold loaded networks and nothing of a picture.
pub trait FaceDetector: Send + Sync {
    /// All faces in `picture` above the detector's threshold, each once, at most
    /// [`crate::base::limits::FACES_PER_IMAGE_MAX`], best score first. The same picture gives the same bits.
    ///
    /// # Errors
    /// [`VisionError`] when a network fails or the deadline passes. No face is no error.
    fn detect(&self, picture: &RgbImage, deadline: &Deadline) -> Result<Vec<Detection>, VisionError>;
}

/// The values of the output called `name`, of which there must be `count`.
fn values<'a>(outputs: &'a [Output], name: &str, count: usize) -> Result<&'a [f32], VisionError> {
    let output = outputs.iter().find(|output| output.name == name);
    match output {
        Some(output) if output.values.len() == count => Ok(&output.values),
        Some(output) => Err(VisionError::ModelOutput {
            reason: format!("output {name:?} of the detector has {} numbers; {count} expected", output.values.len()),
        }),
        None => Err(VisionError::ModelOutput { reason: format!("the detector has no output {name:?}") }),
    }
}
