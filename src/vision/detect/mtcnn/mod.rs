//! MTCNN (Zhang, Zhang, Li, Qiao, IEEE Signal Processing Letters 23, 2016): three small networks, each asked only about
//! what the one before let pass.
//!
//! The first looks at a pyramid of shrunk pictures and proposes boxes, the second weeds them out, the third does so
//! again and gives five points. Networks take RGB as (x - 127.5) / 128, and answer in the order left, top, right, bottom
//! and x1..x5, y1..y5. Places follow the reference implementation (facenet-pytorch) but for its rounding to whole pixels,
//! and boxes that leave the picture are filled with black as in the paper's own code, not squeezed.

mod patch;
mod proposal;
mod pyramid;

use image::RgbImage;

use crate::base::limits::FACES_PER_IMAGE_MAX;
use crate::vision::VisionError;
use crate::vision::deadline::Deadline;
use crate::vision::detect::nms::{Against, suppress};
use crate::vision::detect::{Detection, FaceDetector, values};
use crate::vision::geometry::{Bounds, Landmarks};
use crate::vision::session::{Output, Session};
use pyramid::Pyramid;

/// Side of the second network's input.
const RNET_SIDE: usize = 24;
/// Side of the third network's input.
const ONET_SIDE: usize = 48;
/// Boxes that the second and third network look at in one run: enough to keep a core busy, few enough for its cache.
const BATCH: usize = 32;
/// Most boxes that reach the second network, best first: crowds of hundreds bring some ten a face.
const RNET_CANDIDATES_MAX: usize = 4096;
/// Most boxes that reach the third network, best first.
const ONET_CANDIDATES_MAX: usize = 2048;
/// Overlap above which two boxes are one, before the last network.
const OVERLAP_MAX: f32 = 0.7;

/// A box and its score.
type Candidate = (Bounds, f32);

/// How the cascade is run; from the catalogue.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MtcnnSettings {
    /// Score above which each of the three networks lets a box pass, 0 to 1.
    pub thresholds: [f32; 3],
    /// Each level of the pyramid in relation to the one before, between 0 and 1.
    pub pyramid_factor: f32,
    /// Smallest face that is looked for, in pixels.
    pub face_px_min: u32,
}

/// The three loaded networks.
pub struct Mtcnn {
    pnet: Session,
    rnet: Session,
    onet: Session,
    settings: MtcnnSettings,
}

impl Mtcnn {
    /// From the proposing, refining and last network.
    #[must_use]
    pub fn new(pnet: Session, rnet: Session, onet: Session, settings: MtcnnSettings) -> Self {
        Self { pnet, rnet, onet, settings }
    }

    /// Second stage: squares around the boxes that pass, moved as the network says.
    fn refine(
        &self,
        pyramid: &Pyramid<'_>,
        proposed: &[Candidate],
        deadline: &Deadline,
    ) -> Result<Vec<Candidate>, VisionError> {
        let mut passed = Vec::new();
        for batch in proposed.chunks(BATCH) {
            let outputs = run_patches(&self.rnet, pyramid, batch, RNET_SIDE, deadline)?;
            let scores = values(&outputs, "prob", batch.len() * 2)?;
            let moves = values(&outputs, "reg", batch.len() * 4)?;
            for ((candidate, score), by) in batch.iter().zip(scores.chunks_exact(2)).zip(moves.chunks_exact(4)) {
                if score[1] > self.settings.thresholds[1] {
                    passed.push((candidate.0, moved(&candidate.0, by), score[1]));
                }
            }
        }
        // Boxes are compared where they were looked at, and moved after that.
        let looked_at: Vec<Candidate> = passed.iter().map(|&(bounds, _, score)| (bounds, score)).collect();
        let kept = suppress(&looked_at, OVERLAP_MAX, Against::Union);
        let squares =
            kept.into_iter().take(ONET_CANDIDATES_MAX).map(|index| (square(&passed[index].1), passed[index].2));
        Ok(squares.filter(|(bounds, _)| pyramid.shows(bounds)).collect())
    }

    /// Third stage: the faces.
    fn decide(
        &self,
        pyramid: &Pyramid<'_>,
        refined: &[Candidate],
        deadline: &Deadline,
    ) -> Result<Vec<Detection>, VisionError> {
        let mut found = Vec::new();
        for batch in refined.chunks(BATCH) {
            let outputs = run_patches(&self.onet, pyramid, batch, ONET_SIDE, deadline)?;
            let scores = values(&outputs, "prob", batch.len() * 2)?.chunks_exact(2);
            let moves = values(&outputs, "reg", batch.len() * 4)?.chunks_exact(4);
            let points = values(&outputs, "lm", batch.len() * 10)?.chunks_exact(10);
            for (((candidate, score), by), points) in batch.iter().zip(scores).zip(moves).zip(points) {
                if score[1] > self.settings.thresholds[2] {
                    let landmarks = landmarks(&candidate.0, points);
                    found.push(Detection { bounds: moved(&candidate.0, by), landmarks, score: score[1] });
                }
            }
        }
        found.retain(|face| face.bounds.is_sound() && face.landmarks.is_sound());
        let boxes: Vec<Candidate> = found.iter().map(|face| (face.bounds, face.score)).collect();
        let kept = suppress(&boxes, OVERLAP_MAX, Against::Smaller);
        Ok(kept.into_iter().take(FACES_PER_IMAGE_MAX).map(|index| found[index]).collect())
    }
}

impl FaceDetector for Mtcnn {
    fn detect(&self, picture: &RgbImage, deadline: &Deadline) -> Result<Vec<Detection>, VisionError> {
        let pyramid = Pyramid::build(picture, self.settings.face_px_min, self.settings.pyramid_factor, deadline)?;
        let proposed = proposal::propose(&self.pnet, &pyramid, self.settings.thresholds[0], deadline)?;
        let squares: Vec<Candidate> = proposed
            .into_iter()
            .map(|(bounds, score)| (square(&bounds), score))
            .filter(|(bounds, _)| pyramid.shows(bounds))
            .take(RNET_CANDIDATES_MAX)
            .collect();
        let refined = self.refine(&pyramid, &squares, deadline)?;
        self.decide(&pyramid, &refined, deadline)
    }
}

fn run_patches(
    network: &Session,
    pyramid: &Pyramid<'_>,
    batch: &[Candidate],
    side: usize,
    deadline: &Deadline,
) -> Result<Vec<Output>, VisionError> {
    deadline.check("detection")?;
    let mut input = Vec::with_capacity(batch.len() * 3 * side * side);
    for (bounds, _) in batch {
        pyramid.append_patch(bounds, side, &mut input);
    }
    network.run([batch.len(), 3, side, side], input)
}

/// The box with its edges moved by fractions of its sides. `by` holds four numbers.
fn moved(bounds: &Bounds, by: &[f32]) -> Bounds {
    Bounds::from_corners([
        bounds.x + by[0] * bounds.width,
        bounds.y + by[1] * bounds.height,
        bounds.right() + by[2] * bounds.width,
        bounds.bottom() + by[3] * bounds.height,
    ])
}

/// The square on the longer side, around the same centre.
fn square(bounds: &Bounds) -> Bounds {
    let side = bounds.width.max(bounds.height);
    let (x, y) = (bounds.x + (bounds.width - side) / 2.0, bounds.y + (bounds.height - side) / 2.0);
    Bounds { x, y, width: side, height: side }
}

/// Five points from fractions of the box, five for x and then five for y.
fn landmarks(bounds: &Bounds, fractions: &[f32]) -> Landmarks {
    let point =
        |index: usize| [bounds.x + fractions[index] * bounds.width, bounds.y + fractions[index + 5] * bounds.height];
    Landmarks { points: std::array::from_fn(point) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_move_and_become_squares() {
        let bounds = Bounds { x: 10.0, y: 20.0, width: 40.0, height: 20.0 };
        assert_eq!(moved(&bounds, &[0.5, 0.0, -0.25, 1.0]), Bounds { x: 30.0, y: 20.0, width: 10.0, height: 40.0 });
        assert_eq!(square(&bounds), Bounds { x: 10.0, y: 10.0, width: 40.0, height: 40.0 });
    }

    #[test]
    fn points_are_five_x_then_five_y() {
        let bounds = Bounds { x: 100.0, y: 200.0, width: 10.0, height: 20.0 };
        let found = landmarks(&bounds, &[0.1, 0.9, 0.5, 0.2, 0.8, 0.3, 0.3, 0.5, 0.7, 0.7]);
        assert_eq!(found.points[0], [101.0, 206.0]);
        assert_eq!(found.points[4], [108.0, 214.0]);
    }
}
