//! Bytes to pixels: JPEG, PNG, WebP, BMP and TIFF, known by their content and never by a file's name.
//!
//! What comes in is not to be trusted. Its size in bytes is checked first, then the size in pixels from the header, and
//! only then is anything decoded, within a limit of memory.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage, RgbaImage};

use crate::base::limits::{IMAGE_BYTES_MAX, IMAGE_DECODE_BYTES_MAX, IMAGE_PIXELS_MAX, IMAGE_SIDE_PX_MAX};
use crate::vision::VisionError;
use crate::vision::jpeg;

/// What is read, with the names that people know.
const FORMATS: [(ImageFormat, &str); 5] = [
    (ImageFormat::Jpeg, "JPEG"),
    (ImageFormat::Png, "PNG"),
    (ImageFormat::WebP, "WebP"),
    (ImageFormat::Bmp, "BMP"),
    (ImageFormat::Tiff, "TIFF"),
];

/// A decoded picture, upright as its EXIF orientation tells.
#[derive(Debug, Clone)]
pub struct Picture {
    /// 8 bits a channel. Transparent parts lie on white.
    pub pixels: RgbImage,
    /// "JPEG", "PNG", "WebP", "BMP" or "TIFF".
    pub format: &'static str,
    /// What a person should know of the file, in words; empty when all is well.
    pub warnings: Vec<String>,
}

/// Decodes a whole picture file.
///
/// # Errors
/// [`VisionError::ImageBytes`], [`VisionError::NotAnImage`], [`VisionError::ImageSize`], [`VisionError::Colours`] or
/// [`VisionError::Undecodable`]. A JPEG whose end is missing is decoded as far as it goes, with a warning.
pub fn decode(bytes: &[u8]) -> Result<Picture, VisionError> {
    if bytes.is_empty() || bytes.len() > IMAGE_BYTES_MAX {
        return Err(VisionError::ImageBytes { bytes: bytes.len() });
    }
    let (format, name) = recognise(bytes)?;
    let mut warnings = Vec::new();
    if format == ImageFormat::Jpeg {
        let header = jpeg::read_header(bytes);
        if header.components == 4 && !header.adobe {
            let reason = "a JPEG of four colours without Adobe's marker, which would say what they mean".to_owned();
            return Err(VisionError::Colours { reason });
        }
        if !header.complete {
            warnings.push("the file ends early: missing rows of the picture are grey".to_owned());
        }
    }
    // The decoders are fuzzed by their authors, yet a panic in one must cost one picture and not the server.
    let decoded = catch_unwind(AssertUnwindSafe(|| decode_limited(bytes, format, name)));
    let pixels = decoded.unwrap_or_else(|_| Err(undecodable(name, &"the decoder gave up on it")))?;
    Ok(Picture { pixels, format: name, warnings })
}

fn recognise(bytes: &[u8]) -> Result<(ImageFormat, &'static str), VisionError> {
    let format = image::guess_format(bytes).ok();
    let known = FORMATS.into_iter().find(|&(known, _)| Some(known) == format);
    known.ok_or(VisionError::NotAnImage { bytes: bytes.len() })
}

fn decode_limited(bytes: &[u8], format: ImageFormat, name: &'static str) -> Result<RgbImage, VisionError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(IMAGE_DECODE_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(|error| undecodable(name, &error))?;

    let (width, height) = decoder.dimensions();
    let too_many = u64::from(width) * u64::from(height) > IMAGE_PIXELS_MAX;
    if width == 0 || height == 0 || width.max(height) > IMAGE_SIDE_PX_MAX || too_many {
        return Err(VisionError::ImageSize { width, height });
    }
    // The decoder's own buffers count against what the pixels leave of the limit.
    limits.reserve(decoder.total_bytes()).map_err(|error| undecodable(name, &error))?;
    decoder.set_limits(limits).map_err(|error| undecodable(name, &error))?;

    // Broken EXIF data must not cost the picture.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| undecodable(name, &error))?;
    image.apply_orientation(orientation);
    Ok(if image.color().has_alpha() { on_white(&image.into_rgba8()) } else { image.into_rgb8() })
}

/// Lays a picture with transparent parts on white paper, as viewers show it; the colours under transparency are often
/// black or garbage.
fn on_white(image: &RgbaImage) -> RgbImage {
    let mut flat = RgbImage::new(image.width(), image.height());
    for (out, pixel) in flat.pixels_mut().zip(image.pixels()) {
        let [red, green, blue, alpha] = pixel.0.map(u32::from);
        out.0 = [red, green, blue].map(|value| ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8);
    }
    flat
}

fn undecodable(format: &'static str, error: &dyn std::fmt::Display) -> VisionError {
    VisionError::Undecodable { format, reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgba;

    fn png(image: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        image.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn transparency_lies_on_white() {
        let mut image = RgbaImage::from_pixel(2, 1, Rgba([10, 20, 30, 255]));
        image.put_pixel(1, 0, Rgba([0, 0, 0, 0]));
        let picture = decode(&png(&image.into())).unwrap();
        assert_eq!(picture.pixels.into_raw(), [10, 20, 30, 255, 255, 255]);
    }

    #[test]
    fn sixteen_bits_become_eight() {
        let image = image::ImageBuffer::from_pixel(1, 1, image::Luma([0x8080_u16]));
        let picture = decode(&png(&DynamicImage::ImageLuma16(image))).unwrap();
        assert_eq!((picture.pixels.into_raw(), picture.format), (vec![0x80; 3], "PNG"));
    }

    #[test]
    fn nothing_and_text_are_named() {
        assert!(matches!(decode(&[]), Err(VisionError::ImageBytes { bytes: 0 })));
        assert!(matches!(decode(b"To whom it may concern"), Err(VisionError::NotAnImage { .. })));
        assert!(matches!(decode(b"GIF89a..........."), Err(VisionError::NotAnImage { .. })));
    }
}
