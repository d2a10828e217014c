//! The picture at falling sizes: faces of every size look alike at one of them.

use fast_image_resize::Resizer;
use image::RgbImage;

use crate::vision::VisionError;
use crate::vision::deadline::Deadline;
use crate::vision::detect::mtcnn::patch;
use crate::vision::geometry::Bounds;
use crate::vision::resample;

/// Side of the window in which the first network sees a face.
pub(super) const CELL_SIDE: u32 = 12;
/// A patch is cut from the smallest level in which the box is still so many times as large as the patch: averaging
/// the rest brings nothing but work.
const PATCH_OVERSAMPLING: f32 = 3.0;

/// The picture in one size.
pub(super) struct Level {
    /// Its pixels.
    pub(super) image: RgbImage,
    /// Columns and rows of the level for each of the picture; they differ by rounding.
    pub(super) scale: [f32; 2],
}

/// All sizes, the largest first.
pub(super) struct Pyramid<'a> {
    picture: &'a RgbImage,
    /// Levels for the first network; none of them needs to be the picture itself.
    pub(super) levels: Vec<Level>,
}

impl<'a> Pyramid<'a> {
    /// Levels in which faces from `face_px_min` (at least 12) up to the whole picture appear 12 px large, each `factor`
    /// times the one before and each shrunk from the picture itself.
    pub(super) fn build(
        picture: &'a RgbImage,
        face_px_min: u32,
        factor: f32,
        deadline: &Deadline,
    ) -> Result<Self, VisionError> {
        let mut levels = Vec::new();
        let mut resizer = Resizer::new();
        let (width, height) = picture.dimensions();
        let mut scale = CELL_SIDE as f32 / face_px_min.max(CELL_SIDE) as f32;
        // A factor outside (0, 1) would never end; the catalogue refuses it too.
        let factor = factor.clamp(0.1, 0.95);
        while width.min(height) as f32 * scale >= CELL_SIDE as f32 {
            deadline.check("detection")?;
            let side = |length: u32| ((length as f32 * scale).round() as u32).max(CELL_SIDE);
            let image = resample::resize(picture, side(width), side(height), &mut resizer)?;
            let scales = [image.width() as f32 / width as f32, image.height() as f32 / height as f32];
            levels.push(Level { image, scale: scales });
            scale *= factor;
        }
        Ok(Self { picture, levels })
    }

    /// Whether a box is sound, at least one pixel large, and overlaps the picture.
    pub(super) fn shows(&self, bounds: &Bounds) -> bool {
        let picture =
            Bounds { x: 0.0, y: 0.0, width: self.picture.width() as f32, height: self.picture.height() as f32 };
        // A network's wild answer must not become a wild allocation: no face is much larger than its picture.
        let side_max = 4.0 * picture.width.max(picture.height);
        let in_bounds = bounds.width >= 1.0 && bounds.height >= 1.0 && bounds.width.max(bounds.height) <= side_max;
        bounds.is_sound() && in_bounds && bounds.shared_area(&picture) > 0.0
    }

    /// Appends the box as `3 * side * side` numbers, planes of red, green and blue; black where it leaves the picture.
    pub(super) fn append_patch(&self, bounds: &Bounds, side: usize, out: &mut Vec<f32>) {
        let wanted = side as f32 * PATCH_OVERSAMPLING;
        let fits = |level: &&Level| bounds.width * level.scale[0] >= wanted && bounds.height * level.scale[1] >= wanted;
        match self.levels.iter().rev().find(fits) {
            Some(level) => {
                let [sx, sy] = level.scale;
                let (x, y) = (bounds.x * sx, bounds.y * sy);
                let scaled = Bounds { x, y, width: bounds.width * sx, height: bounds.height * sy };
                patch::append(&level.image, &scaled, side, out);
            }
            None => patch::append(self.picture, bounds, side, out),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_fall_until_a_face_would_not_fit() {
        let picture = RgbImage::new(640, 480);
        let pyramid = Pyramid::build(&picture, 20, 0.709, &Deadline::start()).unwrap();
        let sizes: Vec<_> = pyramid.levels.iter().map(|level| level.image.dimensions()).collect();
        assert_eq!(sizes[..2], [(384, 288), (272, 204)]);
        assert!(sizes.iter().all(|&(_, height)| height >= CELL_SIDE));
        assert_eq!(sizes.len(), 10);
    }

    #[test]
    fn pictures_smaller_than_a_face_have_no_level() {
        for (width, height) in [(1, 1), (19, 400), (16_384, 3)] {
            let picture = RgbImage::new(width, height);
            assert!(Pyramid::build(&picture, 20, 0.709, &Deadline::start()).unwrap().levels.is_empty());
        }
    }

    #[test]
    fn wild_boxes_are_not_shown() {
        let picture = RgbImage::new(100, 100);
        let pyramid = Pyramid::build(&picture, 20, 0.7, &Deadline::start()).unwrap();
        let square = |x: f32, side: f32| Bounds { x, y: 10.0, width: side, height: side };
        assert!(pyramid.shows(&square(-20.0, 50.0)));
        for (x, side) in
            [(-60.0, 50.0), (101.0, 50.0), (10.0, 0.5), (10.0, 1e9), (f32::NAN, 50.0), (10.0, f32::INFINITY)]
        {
            assert!(!pyramid.shows(&square(x, side)), "{x} {side}");
        }
    }
}
