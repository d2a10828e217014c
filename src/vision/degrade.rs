//! Making good pictures poor, as cameras on walls do: for measuring what that costs, never for casework. Seeded: the same picture,
//! preset and seed give the same picture again.

use std::str::FromStr;

use fast_image_resize::Resizer;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder as _, RgbImage};

use crate::base::random::Stream;
use crate::vision::VisionError;
use crate::vision::decode::decode;
use crate::vision::resample::resize;

/// Shortest side of a degraded picture, px: below, no detector finds anything.
const SIDE_PX_MIN: u32 = 48;

/// How poor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// A good camera a few metres away: half the resolution, slight blur and noise.
    Mild,
    /// A shop's camera: a quarter to two fifths of the resolution, blur of motion and lens, noise, hard compression.
    Cctv,
    /// The same at night: darker, flatter, noisier.
    Night,
}

impl Preset {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mild => "mild",
            Self::Cctv => "cctv",
            Self::Night => "night",
        }
    }

    fn ranges(self) -> Ranges {
        match self {
            Self::Mild => Ranges {
                scale: (0.45, 0.60),
                lens: (0.0, 1.0),
                motion: (0, 2),
                gain: (0.90, 1.10),
                contrast: (0.90, 1.0),
                noise: (1.0, 3.0),
                jpeg: (70, 85),
            },
            Self::Cctv => Ranges {
                scale: (0.25, 0.40),
                lens: (0.0, 2.0),
                motion: (0, 4),
                gain: (0.75, 1.20),
                contrast: (0.70, 0.95),
                noise: (3.0, 8.0),
                jpeg: (30, 55),
            },
            Self::Night => Ranges {
                scale: (0.25, 0.40),
                lens: (0.0, 2.0),
                motion: (0, 5),
                gain: (0.30, 0.55),
                contrast: (0.50, 0.75),
                noise: (8.0, 16.0),
                jpeg: (25, 45),
            },
        }
    }
}

/// A text that names no preset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no such degradation: use mild, cctv or night")]
pub struct UnknownPreset;

impl FromStr for Preset {
    type Err = UnknownPreset;

    fn from_str(text: &str) -> Result<Self, UnknownPreset> {
        [Self::Mild, Self::Cctv, Self::Night].into_iter().find(|preset| preset.name() == text).ok_or(UnknownPreset)
    }
}

/// Least and most of each effect.
struct Ranges {
    /// Of the picture's sides.
    scale: (f64, f64),
    /// Radius of the lens's blur, px of the small picture.
    lens: (f64, f64),
    /// Length of motion, px of the small picture.
    motion: (u64, u64),
    /// Factor on all levels.
    gain: (f64, f64),
    /// Share of the contrast that is left.
    contrast: (f64, f64),
    /// Standard deviation of noise, levels.
    noise: (f64, f64),
    /// Quality of the JPEG.
    jpeg: (u64, u64),
}

/// Degrades a picture file; gives a JPEG.
///
/// # Errors
/// [`VisionError`] when it can't be decoded, or is so small that nothing would be left.
pub fn degrade(bytes: &[u8], preset: Preset, seed: u64) -> Result<Vec<u8>, VisionError> {
    let picture = decode(bytes)?.pixels;
    let mut stream = Stream::new(seed, 0);
    let mut between = |(least, most): (f64, f64)| least + (most - least) * stream.uniform();
    let ranges = preset.ranges();
    let wide = |(least, most): (u64, u64)| (least as f64, most as f64 + 1.0);
    let scale = between(ranges.scale);
    let lens = between(ranges.lens);
    let (motion, across) = (between(wide(ranges.motion)) as u32, between((0.0, 1.0)) < 0.5);
    let (gain, contrast, noise) = (between(ranges.gain), between(ranges.contrast), between(ranges.noise));
    let quality = between(wide(ranges.jpeg)) as u8;
    let side = |px: u32| ((f64::from(px) * scale).round() as u32).max(SIDE_PX_MIN.min(px));
    let mut small = resize(&picture, side(picture.width()), side(picture.height()), &mut Resizer::new())?;
    let tent = lens.floor() as u32;
    for (radius_x, radius_y) in [(tent, 0), (0, tent), (tent, 0), (0, tent)] {
        small = blurred(&small, radius_x, radius_y);
    }
    small = if across { blurred(&small, motion.div_ceil(2), 0) } else { blurred(&small, 0, motion.div_ceil(2)) };
    expose(&mut small, gain, contrast, noise, seed);
    let mut jpeg = Vec::new();
    let encoded = JpegEncoder::new_with_quality(&mut jpeg, quality).write_image(
        small.as_raw(),
        small.width(),
        small.height(),
        ExtendedColorType::Rgb8,
    );
    match encoded {
        Ok(()) => Ok(jpeg),
        Err(error) => Err(VisionError::Undecodable { format: "JPEG", reason: error.to_string() }),
    }
}

/// The mean over a box of `2 radius + 1` pixels, in whole numbers; the edge is repeated.
fn blurred(picture: &RgbImage, radius_x: u32, radius_y: u32) -> RgbImage {
    if radius_x == 0 && radius_y == 0 {
        return picture.clone();
    }
    let (width, height) = picture.dimensions();
    let around = |at: u32, radius: u32, limit: u32| {
        (0..=2 * radius).map(move |step| (at + step).saturating_sub(radius).min(limit - 1))
    };
    RgbImage::from_fn(width, height, |x, y| {
        let (mut sums, mut count) = ([0_u32; 3], 0);
        for row in around(y, radius_y, height) {
            for column in around(x, radius_x, width) {
                for (sum, level) in sums.iter_mut().zip(picture.get_pixel(column, row).0) {
                    *sum += u32::from(level);
                }
                count += 1;
            }
        }
        image::Rgb(sums.map(|sum| ((sum + count / 2) / count) as u8))
    })
}

fn expose(picture: &mut RgbImage, gain: f64, contrast: f64, noise: f64, seed: u64) {
    let mut grain = Stream::new(seed, 1);
    for pixel in picture.pixels_mut() {
        // Most of a sensor's noise is the same in all three colours.
        let common = f64::from(grain.normal()) * noise;
        for level in &mut pixel.0 {
            let own = f64::from(grain.normal()) * noise * 0.3;
            let lit = ((f64::from(*level) - 128.0) * contrast + 128.0) * gain + common + own;
            *level = lit.round().clamp(0.0, 255.0) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> Vec<u8> {
        let drawn =
            RgbImage::from_fn(400, 300, |x, y| image::Rgb([(x % 256) as u8, (y % 256) as u8, ((x * y) % 256) as u8]));
        let mut bytes = std::io::Cursor::new(Vec::new());
        drawn.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn the_same_seed_gives_the_same_picture_and_another_seed_another() {
        let bytes = picture();
        for preset in [Preset::Mild, Preset::Cctv, Preset::Night] {
            let once = degrade(&bytes, preset, 7).unwrap();
            assert_eq!(once, degrade(&bytes, preset, 7).unwrap());
            assert_ne!(once, degrade(&bytes, preset, 8).unwrap());
            let small = decode(&once).unwrap().pixels;
            let share = f64::from(small.width()) / 400.0;
            let (least, most) = preset.ranges().scale;
            assert!((least - 0.01..=most + 0.01).contains(&share), "{share}");
        }
    }

    #[test]
    fn night_is_darker_and_worse_presets_hold_less() {
        let bytes = picture();
        let mean = |bytes: &[u8]| {
            let pixels = decode(bytes).unwrap().pixels;
            pixels.as_raw().iter().map(|&level| f64::from(level)).sum::<f64>() / pixels.as_raw().len() as f64
        };
        let [mild, cctv, night] =
            [Preset::Mild, Preset::Cctv, Preset::Night].map(|preset| degrade(&bytes, preset, 3).unwrap());
        assert!(mean(&night) < 0.75 * mean(&mild), "{} {}", mean(&night), mean(&mild));
        assert!(cctv.len() < mild.len());
    }

    #[test]
    fn what_is_no_picture_is_refused_and_a_tiny_one_stays() {
        assert!(degrade(b"not a picture", Preset::Cctv, 1).is_err());
        let mut bytes = std::io::Cursor::new(Vec::new());
        RgbImage::new(3, 2).write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        let tiny = decode(&degrade(&bytes.into_inner(), Preset::Cctv, 1).unwrap()).unwrap().pixels;
        assert_eq!(tiny.dimensions(), (3, 2));
        assert_eq!("cctv".parse(), Ok(Preset::Cctv));
        assert_eq!("fog".parse::<Preset>(), Err(UnknownPreset));
    }
}
