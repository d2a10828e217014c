//! Making pictures smaller without aliasing.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;

use crate::vision::VisionError;

/// `picture` at `width` by `height` pixels, each the mean of the area that it covers. `resizer` keeps its buffers between calls.
///
/// # Errors
/// [`VisionError::Resize`] when the library refuses, which sizes above zero give it no reason to.
pub(super) fn resize(
    picture: &RgbImage,
    width: u32,
    height: u32,
    resizer: &mut Resizer,
) -> Result<RgbImage, VisionError> {
    let refused = |reason: String| VisionError::Resize { width, height, reason };
    if width == 0 || height == 0 {
        return Err(refused("a side of 0 px".to_owned()));
    }
    let source = ImageRef::new(picture.width(), picture.height(), picture.as_raw(), PixelType::U8x3)
        .map_err(|error| refused(error.to_string()))?;
    let mut target = Image::new(width, height, PixelType::U8x3);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box)).use_alpha(false);
    resizer.resize(&source, &mut target, &options).map_err(|error| refused(error.to_string()))?;
    RgbImage::from_raw(width, height, target.into_vec()).ok_or_else(|| refused("too few pixels came back".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pixel_is_the_mean_of_its_area() {
        let checks = RgbImage::from_fn(64, 48, |x, y| image::Rgb([((x + y) % 2 * 200) as u8; 3]));
        let small = resize(&checks, 16, 12, &mut Resizer::new()).unwrap();
        assert!(small.pixels().all(|pixel| pixel.0 == [100; 3]));
        assert!(matches!(resize(&checks, 0, 5, &mut Resizer::new()), Err(VisionError::Resize { .. })));
    }
}
