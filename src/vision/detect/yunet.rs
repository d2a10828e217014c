//! YuNet (Wu, Peng, Yu, Machine Intelligence Research 20, 2023): one small network that gives boxes and points at once.
//!
//! It was trained on faces of up to about 300 px and misplaces larger ones, so a picture with such faces is looked at
//! again at half the size, and the smaller view of a large face counts.

use fast_image_resize::Resizer;
use image::RgbImage;

use crate::base::limits::FACES_PER_IMAGE_MAX;
use crate::vision::VisionError;
use crate::vision::deadline::Deadline;
use crate::vision::detect::nms::{Against, overlap, suppress};
use crate::vision::detect::{Detection, FaceDetector, values};
use crate::vision::geometry::{Bounds, Landmarks};
use crate::vision::resample;
use crate::vision::session::{Output, Session};

/// Grid steps of the three outputs, in input pixels; sides of the input are multiples of the last.
const STRIDES: [usize; 3] = [8, 16, 32];
/// Largest face that the network places well, in input pixels.
const FACE_PX_MAX: f32 = 300.0;
/// No view with a longer side below this is made: a face of 300 px fills it.
const VIEW_SIDE_PX_MIN: u32 = 320;
/// Most views of one picture: 16,384 px halved to [`VIEW_SIDE_PX_MIN`].
const VIEWS_MAX: usize = 6;
/// Overlap from which two cells are taken to see the same face.
const SAME_FACE_OVERLAP: f32 = 0.6;
/// Most boxes of one view that are compared with each other, best first.
const CANDIDATES_MAX: usize = 4096;

/// How the network is run; from the catalogue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct YuNetSettings {
    /// Score from which a box counts, 0 to 1.
    pub threshold: f32,
    /// Overlap (intersection over union) above which two boxes are one face.
    pub nms_iou: f32,
    /// Longer side to which pictures are shrunk before the first look, in pixels.
    pub side_px_max: u32,
}

/// The loaded network.
pub struct YuNet {
    network: Session,
    settings: YuNetSettings,
}

impl YuNet {
    /// From the network and how to run it.
    #[must_use]
    pub fn new(network: Session, settings: YuNetSettings) -> Self {
        Self { network, settings }
    }

    /// Faces in the picture at the size that it has, unsorted, overlapping.
    fn look_at(&self, view: &RgbImage) -> Result<Vec<Detection>, VisionError> {
        let last = STRIDES[2] as u32;
        let (width, height) =
            (view.width().next_multiple_of(last) as usize, view.height().next_multiple_of(last) as usize);
        let outputs = self.network.run([1, 3, height, width], planes(view, width, height))?;
        let mut found = Vec::new();
        for stride in STRIDES {
            self.collect(&outputs, stride, width / stride, height / stride, &mut found)?;
        }
        found.retain(|face| face.bounds.is_sound() && face.landmarks.is_sound());
        found.sort_by(|a, b| b.score.total_cmp(&a.score));
        found.truncate(CANDIDATES_MAX);
        Ok(found)
    }

    fn collect(
        &self,
        outputs: &[Output],
        stride: usize,
        columns: usize,
        rows: usize,
        found: &mut Vec<Detection>,
    ) -> Result<(), VisionError> {
        let cells = columns * rows;
        let classes = values(outputs, &format!("cls_{stride}"), cells)?;
        let objects = values(outputs, &format!("obj_{stride}"), cells)?;
        let boxes = values(outputs, &format!("bbox_{stride}"), cells * 4)?.chunks_exact(4);
        let points = values(outputs, &format!("kps_{stride}"), cells * 10)?.chunks_exact(10);
        for (index, ((class, object), (by, points))) in classes.iter().zip(objects).zip(boxes.zip(points)).enumerate() {
            let score = (class.clamp(0.0, 1.0) * object.clamp(0.0, 1.0)).sqrt();
            if score >= self.settings.threshold {
                let cell = [(index % columns) as f32, (index / columns) as f32];
                found.push(face_at(cell, stride as f32, by, points, score));
            }
        }
        Ok(())
    }
}

impl FaceDetector for YuNet {
    fn detect(&self, picture: &RgbImage, deadline: &Deadline) -> Result<Vec<Detection>, VisionError> {
        let longer = picture.width().max(picture.height());
        let mut side = longer.min(self.settings.side_px_max.max(VIEW_SIDE_PX_MIN));
        let mut found: Vec<Detection> = Vec::new();
        let mut resizer = Resizer::new();
        for _ in 0..VIEWS_MAX {
            deadline.check("detection")?;
            let scale = side as f32 / longer as f32;
            let shrunk = |length: u32| ((length as f32 * scale).round() as u32).max(1);
            let faces = if side == longer {
                self.look_at(picture)?
            } else {
                let view = resample::resize(picture, shrunk(picture.width()), shrunk(picture.height()), &mut resizer)?;
                self.look_at(&view)?
            };
            let too_large = |face: &Detection| face.bounds.width.max(face.bounds.height) > FACE_PX_MAX;
            let again = faces.is_empty() || faces.iter().any(too_large);
            let smaller = (side / 2).max(VIEW_SIDE_PX_MIN);
            let is_last = !again || smaller >= side;
            // What is too large here is left to the next view, unless there is none.
            let kept = faces.into_iter().filter(|face| is_last || !too_large(face));
            found.extend(kept.map(|face| Detection {
                bounds: face.bounds.scaled(1.0 / scale),
                landmarks: face.landmarks.scaled(1.0 / scale),
                score: face.score,
            }));
            if is_last {
                break;
            }
            side = smaller;
        }
        let boxes: Vec<(Bounds, f32)> = found.iter().map(|face| (face.bounds, face.score)).collect();
        let kept = suppress(&boxes, self.settings.nms_iou, Against::Union);
        Ok(kept.into_iter().take(FACES_PER_IMAGE_MAX).map(|index| consensus(&found[index], &found)).collect())
    }
}

/// The face with box and points averaged over all cells that see the same face, by their scores: one cell's points wander
/// by some percent of the eye distance when the picture moves by a pixel.
fn consensus(best: &Detection, found: &[Detection]) -> Detection {
    let mut weight = 0.0_f32;
    let mut sums = [0.0_f32; 14];
    for face in found.iter().filter(|face| overlap(&best.bounds, &face.bounds, Against::Union) >= SAME_FACE_OVERLAP) {
        weight += face.score;
        let Bounds { x, y, width, height } = face.bounds;
        let numbers = [x, y, width, height].into_iter().chain(face.landmarks.points.into_iter().flatten());
        for (sum, number) in sums.iter_mut().zip(numbers) {
            *sum += number * face.score;
        }
    }
    // The face itself is among them, so the weight is above zero.
    let [x, y, width, height, points @ ..] = sums.map(|sum| sum / weight);
    let point = |index: usize| [points[2 * index], points[2 * index + 1]];
    Detection {
        bounds: Bounds { x, y, width, height },
        landmarks: Landmarks { points: std::array::from_fn(point) },
        score: best.score,
    }
}

/// A box and points from one cell of the grid.
fn face_at([column, row]: [f32; 2], stride: f32, by: &[f32], points: &[f32], score: f32) -> Detection {
    let (x, y) = ((column + by[0]) * stride, (row + by[1]) * stride);
    let (width, height) = (by[2].exp() * stride, by[3].exp() * stride);
    let point = |index: usize| [(points[2 * index] + column) * stride, (points[2 * index + 1] + row) * stride];
    Detection {
        bounds: Bounds { x: x - width / 2.0, y: y - height / 2.0, width, height },
        landmarks: Landmarks { points: std::array::from_fn(point) },
        score,
    }
}

/// The view as planes of blue, green and red from 0 to 255, with zeros to the right and below.
fn planes(view: &RgbImage, width: usize, height: usize) -> Vec<f32> {
    let mut input = vec![0.0; 3 * width * height];
    let columns = view.width() as usize;
    for (plane, channel) in input.chunks_exact_mut(width * height).zip([2, 1, 0]) {
        for (out, line) in plane.chunks_exact_mut(width).zip(view.as_raw().chunks_exact(columns * 3)) {
            for (out, pixel) in out.iter_mut().zip(line.chunks_exact(3)) {
                *out = f32::from(pixel[channel]);
            }
        }
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_becomes_a_face() {
        let points: Vec<f32> = (0..10).map(|value| value as f32 / 10.0).collect();
        let face = face_at([2.0, 3.0], 8.0, &[0.5, 0.25, 2.0_f32.ln(), 0.0], &points, 0.75);
        assert_eq!(face.bounds, Bounds { x: 12.0, y: 22.0, width: 16.0, height: 8.0 });
        assert_eq!(face.landmarks.points[1], [(0.2 + 2.0) * 8.0, (0.3 + 3.0) * 8.0]);
    }

    #[test]
    fn cells_that_see_the_same_face_are_averaged() {
        let cell = |x: f32, score: f32| {
            let bounds = Bounds { x, y: 0.0, width: 10.0, height: 10.0 };
            Detection { bounds, landmarks: Landmarks { points: [[x + 3.0, 4.0]; 5] }, score }
        };
        let (best, other, apart) = (cell(0.0, 0.75), cell(1.0, 0.25), cell(30.0, 0.5));
        let face = consensus(&best, &[best, other, apart]);
        assert_eq!((face.bounds.x, face.bounds.width, face.score), (0.25, 10.0, 0.75));
        assert_eq!(face.landmarks.points, [[3.25, 4.0]; 5]);
    }

    #[test]
    fn planes_are_blue_green_red_and_padded() {
        let view = RgbImage::from_fn(2, 1, |x, _| image::Rgb([x as u8, 10, 20]));
        assert_eq!(planes(&view, 4, 1), [20.0, 20.0, 0.0, 0.0, 10.0, 10.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    }
}
