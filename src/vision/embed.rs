//! From a face in a picture to its template.

use image::RgbImage;

use crate::vector::dimension::Dimension;
use crate::vector::template::Template;
use crate::vision::VisionError;
use crate::vision::align::{Chip, Frame, cut_chip};
use crate::vision::catalogue::{ChannelOrder, Embedder};
use crate::vision::geometry::Landmarks;
use crate::vision::session::Session;

/// A loaded embedding network, with all that is done to a face before it.
pub struct Embedding {
    network: Session,
    frame: Frame,
    /// Red, green, blue as 0, 1, 2 in the order of the network's planes.
    order: [usize; 3],
    mean: [f32; 3],
    divisor: [f32; 3],
    dimension: Dimension,
}

impl Embedding {
    /// From a network and its catalogue entry.
    ///
    /// # Errors
    /// [`VisionError::Vector`] when the entry's dimension can't be stored.
    pub fn new(network: Session, entry: &Embedder) -> Result<Self, VisionError> {
        let alignment = &entry.alignment;
        let frame = Frame {
            extent: [alignment.width, alignment.height],
            points: alignment.points,
            size: [entry.input_width, entry.input_height],
        };
        let order = match entry.channels {
            ChannelOrder::Rgb => [0, 1, 2],
            ChannelOrder::Bgr => [2, 1, 0],
        };
        let dimension = Dimension::new(entry.dimension)?;
        Ok(Self { network, frame, order, mean: entry.mean, divisor: entry.divisor, dimension })
    }

    /// Numbers in a template.
    #[must_use]
    pub fn dimension(&self) -> Dimension {
        self.dimension
    }

    /// Cuts a face out in the position that the network expects. `None` when its points coincide.
    #[must_use]
    pub fn align(&self, picture: &RgbImage, landmarks: &Landmarks) -> Option<Chip> {
        cut_chip(picture, landmarks, &self.frame)
    }

    /// The template of an aligned face. Faces go one by one, so that a template does not depend on its company.
    ///
    /// # Errors
    /// [`VisionError`] when the network fails or answers with another dimension, or with no direction.
    pub fn embed(&self, chip: &Chip) -> Result<Template, VisionError> {
        let outputs = self.network.run([1, 3, chip.height, chip.width], self.planes(chip))?;
        let wanted = self.dimension.get();
        match outputs.as_slice() {
            [output] if output.values.len() == wanted => Ok(Template::from_raw(&output.values)?),
            other => {
                let lengths: Vec<usize> = other.iter().map(|output| output.values.len()).collect();
                let reason = format!("the embedder's outputs have {lengths:?} numbers; one of {wanted} expected");
                Err(VisionError::ModelOutput { reason })
            }
        }
    }

    fn planes(&self, chip: &Chip) -> Vec<f32> {
        let mut input = Vec::with_capacity(chip.pixels.len() * 3);
        for ((channel, mean), divisor) in self.order.into_iter().zip(self.mean).zip(self.divisor) {
            input.extend(chip.pixels.iter().map(|pixel| (pixel[channel] - mean) / divisor));
        }
        input
    }
}
