//! Which way a face looks, from its five points alone.
//!
//! The points of an average face are laid over those found by least squares under scaled orthographic projection (POS
//! of DeMenthon and Davis, IJCV 15, 1995). It is crude: people's noses and mouths differ from the average, and the
//! detector's points are some percent of the eye distance off. On 204 frontal pictures (FRLL) yaw had a standard deviation
//! of 4 degrees, roll of 2, and pitch of 5 (YuNet) to 10 (MTCNN), since a smile looks like a face turned up; faces far
//! turned are underestimated. Good enough to say "turned away", not to measure.

use crate::vision::align::Similarity;
use crate::vision::geometry::Landmarks;

/// An average face, in eye distances: x to the right of the picture, y down, z towards the camera. Lateral places are
/// those of the common alignment template (the nose moved so that FRLL's faces look straight on average), depths those
/// of the widespread six-point head model.
const AVERAGE: [[f64; 3]; 5] =
    [[-0.5, 0.0, 0.0], [0.5, 0.0, 0.0], [0.0, 0.61, 0.43], [-0.41, 1.155, 0.03], [0.41, 1.155, 0.03]];

/// Angles in degrees; all 0 for a level face that looks into the camera.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Turned towards the right of the picture.
    pub yaw_deg: f32,
    /// Looking up.
    pub pitch_deg: f32,
    /// Head tilted clockwise as seen, -180 to 180.
    pub roll_deg: f32,
}

/// The pose of a face by its points, which must be sound ([`Landmarks::is_sound`]).
#[must_use]
pub fn estimate(landmarks: &Landmarks) -> Pose {
    // Eyes and mouth together tell the roll: the eyes alone would pass every error of theirs on, and the nose moves.
    let without_nose = |points: &[[f32; 2]; 5]| [points[0], points[1], points[3], points[4]];
    let flat = AVERAGE.map(|[x, y, _]| [x as f32, y as f32]);
    let fitted = Similarity::fit(&without_nose(&flat), &without_nose(&landmarks.points));
    let roll = fitted.map_or(0.0, |fitted| fitted.angle());
    let (sin, cos) = roll.sin_cos();
    let level = landmarks.points.map(|[x, y]| {
        let (x, y) = (f64::from(x), f64::from(y));
        [cos * x + sin * y, cos * y - sin * x]
    });
    let [across, down] = projection(&level);
    let length = |row: &[f64; 3]| row.iter().map(|value| value * value).sum::<f64>().sqrt();
    let scale = f64::midpoint(length(&across), length(&down)).max(1e-9);
    // Where the face's own z axis points: to the right, and down.
    let right = (across[2] / scale).clamp(-1.0, 1.0);
    let downwards = (down[2] / scale).clamp(-1.0, 1.0);
    let towards = (1.0 - right * right - downwards * downwards).max(0.0).sqrt();
    Pose {
        yaw_deg: right.atan2(towards).to_degrees() as f32,
        pitch_deg: (-downwards).asin().to_degrees() as f32,
        roll_deg: roll.to_degrees() as f32,
    }
}

/// The two rows of the affine projection that brings the average face closest to the points.
fn projection(points: &[[f64; 2]; 5]) -> [[f64; 3]; 2] {
    let centre = |axis: usize| AVERAGE.iter().map(|point| point[axis]).sum::<f64>() / 5.0;
    let centres = [centre(0), centre(1), centre(2)];
    let centred = AVERAGE.map(|point| [point[0] - centres[0], point[1] - centres[1], point[2] - centres[2]]);
    // x is uncorrelated with y and z in a symmetric face, so its equation stands alone; the other two are solved together.
    let sum = |f: &dyn Fn(usize) -> f64| (0..5).map(f).sum::<f64>();
    let xx = sum(&|i| centred[i][0] * centred[i][0]);
    let yy = sum(&|i| centred[i][1] * centred[i][1]);
    let zz = sum(&|i| centred[i][2] * centred[i][2]);
    let yz = sum(&|i| centred[i][1] * centred[i][2]);
    let determinant = yy * zz - yz * yz;
    [0, 1].map(|axis| {
        let along = [0, 1, 2].map(|model| sum(&|i| centred[i][model] * points[i][axis]));
        [along[0] / xx, (along[1] * zz - along[2] * yz) / determinant, (along[2] * yy - along[1] * yz) / determinant]
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The average face turned by yaw, then pitch, then roll, seen from the front.
    fn seen(yaw: f64, pitch: f64, roll: f64) -> Landmarks {
        let (sy, cy) = yaw.to_radians().sin_cos();
        let (sp, cp) = pitch.to_radians().sin_cos();
        let (sr, cr) = roll.to_radians().sin_cos();
        let points = AVERAGE.map(|[x, y, z]| {
            // Pitch about the horizontal axis of the head, then yaw about the vertical axis of the camera.
            let (y, z) = (y * cp - z * sp, y * sp + z * cp);
            let x = x * cy + z * sy;
            [(200.0 + 50.0 * (cr * x - sr * y)) as f32, (300.0 + 50.0 * (sr * x + cr * y)) as f32]
        });
        Landmarks { points }
    }

    proptest! {
        #[test]
        fn a_turned_average_face_is_measured(yaw in -40.0_f64..40.0, pitch in -25.0_f64..25.0, roll in -170.0_f64..170.0) {
            let pose = estimate(&seen(yaw, pitch, roll));
            prop_assert!((f64::from(pose.yaw_deg) - yaw).abs() < 12.0, "{pose:?}");
            prop_assert!((f64::from(pose.pitch_deg) - pitch).abs() < 15.0, "{pose:?}");
            prop_assert!(yaw.abs() < 8.0 || (pose.yaw_deg > 0.0) == (yaw > 0.0));
        }

        #[test]
        fn a_mirrored_face_looks_the_other_way(yaw in -40.0_f64..40.0, pitch in -20.0_f64..20.0) {
            let face = seen(yaw, pitch, 3.0);
            let [a, b, nose, c, d] = face.points.map(|[x, y]| [640.0 - x, y]);
            let (pose, other) = (estimate(&face), estimate(&Landmarks { points: [b, a, nose, d, c] }));
            prop_assert!((pose.yaw_deg + other.yaw_deg).abs() < 0.1 && (pose.pitch_deg - other.pitch_deg).abs() < 0.1);
            prop_assert!((pose.roll_deg + other.roll_deg).abs() < 0.1);
            // A face turned both ways has no one roll; near the front it has.
            prop_assert!(yaw.abs() > 20.0 || pitch.abs() > 10.0 || (pose.roll_deg - 3.0).abs() < 4.0, "{pose:?}");
        }
    }
}
