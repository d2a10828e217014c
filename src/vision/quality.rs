//! How much a face can tell, in figures and in words.
//!
//! The figures are plain image measures on a chip of one size, whatever the model set, so that they mean the same
//! everywhere. The verdict never stops a search: a poor still may be all there is. It tells a person what to expect.

use image::RgbImage;
use serde::Serialize;

use crate::vision::align::{Chip, Frame, cut_chip};
use crate::vision::geometry::{Bounds, Landmarks};
use crate::vision::pose;

/// Eye distance below which a face is poor: identification units ask for about 24 px from closed-circuit stills, and
/// networks fed with 112 px chips lose rank quickly below. (60 px and more is what custody photographs should have.)
pub const INTER_EYE_PX_WANTED: f32 = 24.0;
/// Eye distance below which nothing can be told: the whole face is some 20 px wide.
pub const INTER_EYE_PX_MIN: f32 = 10.0;
/// Sharpness below which a face is poor: custody-like pictures (FRLL) measure several hundred, and blurred until
/// features run together they fall below this.
pub const SHARPNESS_WANTED: f32 = 30.0;
/// Mean grey below which a face is dark, of 255. Very dark skin in good light measures above 50.
pub const BRIGHTNESS_MIN: f32 = 35.0;
/// Mean grey above which a face is glaring, of 255.
pub const BRIGHTNESS_MAX: f32 = 225.0;
/// Standard deviation of grey below which a face is flat (fog, night).
pub const CONTRAST_MIN: f32 = 12.0;
/// Share of pixels at the ends of the scale above which light has destroyed detail.
pub const CLIPPED_MAX: f32 = 0.2;
/// Share of the chip inside the picture below which the face is cut.
pub const INSIDE_MIN: f32 = 0.8;
/// Yaw beyond which a face is turned away, as crudely estimated; galleries hold frontal faces.
pub const YAW_DEG_MAX: f32 = 30.0;
/// Yaw beyond which one eye is hardly seen.
pub const YAW_DEG_UNUSABLE: f32 = 65.0;
/// Pitch beyond which a face looks up or down; wide, since the estimate strays by 10 degrees and more (see [`pose`]).
pub const PITCH_DEG_MAX: f32 = 40.0;

/// Greys up to this, or down from 255 minus this, are counted as clipped: JPEG smears the ends of the scale.
const CLIPPED_LEVELS: f32 = 3.0;
/// Rows and columns of the chip between brow and chin, where the measures are taken: first, and one past the last.
const MEASURED: (usize, usize) = (20, 100);
/// The chip: the common template of 112 px.
const FRAME: Frame = Frame {
    extent: [112.0, 112.0],
    points: [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    size: [112, 112],
};

/// In one word what to expect of a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing speaks against it.
    Good,
    /// Its scores will be lower than those of a good picture; the reasons say why.
    Poor,
    /// A candidate list from it would mean nothing.
    Unusable,
}

/// Measures of one face, with what they mean.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Quality {
    /// Distance between the eyes, in pixels of the picture.
    pub inter_eye_px: f32,
    /// Longer side of the face's bounds, in pixels of the picture.
    pub face_px: f32,
    /// Variance of the Laplacian on the grey chip of 112 px: fine detail, in grey levels squared.
    pub sharpness: f32,
    /// Mean grey, 0 to 255.
    pub brightness: f32,
    /// Standard deviation of grey.
    pub contrast: f32,
    /// Share of pixels that are all but black or white, 0 to 1.
    pub clipped: f32,
    /// Share of the face inside the picture, 0 to 1.
    pub inside: f32,
    /// Turned towards the right of the picture, in degrees; crude.
    pub yaw_deg: f32,
    /// Looking up, in degrees; crude.
    pub pitch_deg: f32,
    /// Tilted clockwise as seen, in degrees.
    pub roll_deg: f32,
    /// What to expect.
    pub verdict: Verdict,
    /// Why it is not good, in words; empty when it is.
    pub reasons: Vec<String>,
}

/// Measures a face. `None` when its points give no position (they coincide).
#[must_use]
pub fn measure(picture: &RgbImage, bounds: &Bounds, landmarks: &Landmarks) -> Option<Quality> {
    let chip = cut_chip(picture, landmarks, &FRAME)?;
    let grey = grey(&chip);
    let light = Light::of(&grey, chip.width);
    let pose = pose::estimate(landmarks);
    let mut quality = Quality {
        inter_eye_px: landmarks.inter_eye_px(),
        face_px: bounds.width.max(bounds.height),
        sharpness: sharpness(&grey, chip.width),
        brightness: light.mean,
        contrast: light.deviation,
        clipped: light.clipped,
        inside: chip.inside,
        yaw_deg: pose.yaw_deg,
        pitch_deg: pose.pitch_deg,
        roll_deg: pose.roll_deg,
        verdict: Verdict::Good,
        reasons: Vec::new(),
    };
    judge(&mut quality);
    Some(quality)
}

/// Rec. 601 grey, as video and JPEG have it.
fn grey(chip: &Chip) -> Vec<f32> {
    chip.pixels.iter().map(|[red, green, blue]| 0.299 * red + 0.587 * green + 0.114 * blue).collect()
}

struct Light {
    mean: f32,
    deviation: f32,
    clipped: f32,
}

impl Light {
    fn of(grey: &[f32], width: usize) -> Self {
        let (first, end) = MEASURED;
        let measured = || {
            grey.chunks_exact(width)
                .skip(first)
                .take(end - first)
                .flat_map(|row| row.iter().skip(first).take(end - first))
        };
        let count = measured().count().max(1) as f32;
        let mean = measured().sum::<f32>() / count;
        let variance = measured().map(|value| (value - mean) * (value - mean)).sum::<f32>() / count;
        let is_clipped = |value: &&f32| **value <= CLIPPED_LEVELS || **value >= 255.0 - CLIPPED_LEVELS;
        let clipped = measured().filter(is_clipped).count() as f32 / count;
        Self { mean, deviation: variance.sqrt(), clipped }
    }
}

/// Variance of the four-neighbour Laplacian over the measured part.
fn sharpness(grey: &[f32], width: usize) -> f32 {
    let (first, end) = MEASURED;
    let at = |row: usize, column: usize| grey.get(row * width + column).copied().unwrap_or(0.0);
    let laplacian = |row: usize, column: usize| {
        let around = at(row - 1, column) + at(row + 1, column) + at(row, column - 1) + at(row, column + 1);
        around - 4.0 * at(row, column)
    };
    let values: Vec<f32> = (first..end)
        .flat_map(|row| (first..end).map(move |column| (row, column)))
        .map(|(row, column)| laplacian(row, column))
        .collect();
    let mean = values.iter().sum::<f32>() / values.len() as f32;
    values.iter().map(|value| (value - mean) * (value - mean)).sum::<f32>() / values.len() as f32
}

/// Turns figures into reasons, and reasons into the verdict.
fn judge(quality: &mut Quality) {
    let eyes = quality.inter_eye_px;
    let wanted = INTER_EYE_PX_WANTED;
    let poor = [
        // Rounded down: "24 px apart; 24 wanted" would puzzle.
        (eyes < wanted, format!("eyes {:.0} px apart; {wanted:.0} wanted", eyes.floor())),
        (
            quality.sharpness < SHARPNESS_WANTED,
            format!("blurred: sharpness {:.0}; {SHARPNESS_WANTED:.0} wanted", quality.sharpness),
        ),
        (
            quality.brightness < BRIGHTNESS_MIN,
            format!("dark: mean grey {:.0} of 255; {BRIGHTNESS_MIN:.0} wanted", quality.brightness),
        ),
        (
            quality.brightness > BRIGHTNESS_MAX,
            format!("glaring: mean grey {:.0} of 255; at most {BRIGHTNESS_MAX:.0} wanted", quality.brightness),
        ),
        (
            quality.contrast < CONTRAST_MIN,
            format!("flat: grey varies by {:.0}; {CONTRAST_MIN:.0} wanted", quality.contrast),
        ),
        (
            quality.clipped > CLIPPED_MAX,
            format!("{:.0}% of the face is black or white without detail", quality.clipped * 100.0),
        ),
        (
            quality.inside < INSIDE_MIN,
            format!("{:.0}% of the face lies outside the picture", (1.0 - quality.inside) * 100.0),
        ),
        (
            quality.yaw_deg.abs() > YAW_DEG_MAX,
            format!("turned to the side by about {:.0} degrees", quality.yaw_deg.abs()),
        ),
        (quality.pitch_deg > PITCH_DEG_MAX, format!("looking up by about {:.0} degrees", quality.pitch_deg)),
        (quality.pitch_deg < -PITCH_DEG_MAX, format!("looking down by about {:.0} degrees", -quality.pitch_deg)),
    ];
    quality.reasons = poor.into_iter().filter_map(|(holds, reason)| holds.then_some(reason)).collect();
    let hopeless = eyes < INTER_EYE_PX_MIN
        || quality.yaw_deg.abs() > YAW_DEG_UNUSABLE
        || quality.contrast < CONTRAST_MIN / 4.0
        || quality.inside < 0.5;
    quality.verdict = match (hopeless, quality.reasons.is_empty()) {
        (true, _) => Verdict::Unusable,
        (false, true) => Verdict::Good,
        (false, false) => Verdict::Poor,
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Bounds = Bounds { x: 10.0, y: 10.0, width: 90.0, height: 100.0 };

    /// A chequered "face" in the chip's own position, `factor` times as large.
    fn face(factor: f32, dark: u8, light: u8) -> Quality {
        let side = (112.0 * factor) as u32;
        let picture = RgbImage::from_fn(side, side, |x, y| {
            let square = (x as f32 / factor / 8.0) as u32 + (y as f32 / factor / 8.0) as u32;
            image::Rgb([if square.is_multiple_of(2) { dark } else { light }; 3])
        });
        let landmarks = Landmarks { points: FRAME.points }.scaled(factor);
        measure(&picture, &BOUNDS.scaled(factor), &landmarks).unwrap()
    }

    #[test]
    fn a_good_face_has_no_reasons() {
        let quality = face(2.0, 60, 180);
        assert_eq!((quality.verdict, quality.reasons.len()), (Verdict::Good, 0), "{quality:?}");
        assert!((quality.brightness - 120.0).abs() < 3.0, "{quality:?}");
        assert!((quality.contrast - 60.0).abs() < 10.0, "{quality:?}");
    }

    #[test]
    fn eyes_too_close_are_named() {
        let quality = face(14.0 / 35.237, 60, 180);
        assert_eq!(quality.verdict, Verdict::Poor);
        assert!(quality.reasons.contains(&"eyes 14 px apart; 24 wanted".to_owned()), "{:?}", quality.reasons);
        assert_eq!(face(0.2, 60, 180).verdict, Verdict::Unusable);
    }

    #[test]
    fn light_is_named() {
        let says = |quality: &Quality, word: &str| quality.reasons.iter().any(|reason| reason.contains(word));
        assert!(says(&face(2.0, 4, 40), "dark"));
        assert!(says(&face(2.0, 225, 250), "glaring"));
        assert!(says(&face(2.0, 0, 255), "without detail"));
        assert!(says(&face(2.0, 120, 130), "flat"));
    }

    #[test]
    fn a_face_cut_by_the_edge_is_named() {
        let picture = RgbImage::from_pixel(70, 112, image::Rgb([120; 3]));
        let quality = measure(&picture, &BOUNDS, &Landmarks { points: FRAME.points }).unwrap();
        assert!(quality.reasons.iter().any(|reason| reason.contains("outside")), "{quality:?}");
    }
}
