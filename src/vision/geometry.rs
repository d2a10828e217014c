//! Shapes in a picture: where a face is, and its five points.
//!
//! Coordinates are pixels of the picture as a person sees it (after EXIF orientation), x to the right and y down, with
//! whole numbers at pixel centres. "Left" is the left of the picture: of a person looking at the camera, their right.

use serde::Serialize;

/// A rectangle, in pixels. May reach beyond the picture where a face is cut by its edge.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// Left edge.
    pub x: f32,
    /// Upper edge.
    pub y: f32,
    /// From the left edge to the right.
    pub width: f32,
    /// From the upper edge to the lower.
    pub height: f32,
}

impl Bounds {
    /// How far its edges stand from those of another: 0 for the same place.
    #[must_use]
    pub fn apart(&self, other: &Self) -> f32 {
        let Self { x, y, width, height } = other;
        (self.x - x).abs() + (self.y - y).abs() + (self.width - width).abs() + (self.height - height).abs()
    }

    /// From corners: left, top, right, bottom.
    #[must_use]
    pub fn from_corners([left, top, right, bottom]: [f32; 4]) -> Self {
        Self { x: left, y: top, width: right - left, height: bottom - top }
    }

    /// Right edge.
    #[must_use]
    pub fn right(&self) -> f32 {
        self.x + self.width
    }

    /// Lower edge.
    #[must_use]
    pub fn bottom(&self) -> f32 {
        self.y + self.height
    }

    /// Square pixels; 0 for a rectangle turned inside out.
    #[must_use]
    pub fn area(&self) -> f32 {
        self.width.max(0.0) * self.height.max(0.0)
    }

    /// Square pixels shared with `other`.
    #[must_use]
    pub fn shared_area(&self, other: &Self) -> f32 {
        let width = self.right().min(other.right()) - self.x.max(other.x);
        let height = self.bottom().min(other.bottom()) - self.y.max(other.y);
        width.max(0.0) * height.max(0.0)
    }

    /// The same rectangle in a picture `factor` times as large.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self { x: self.x * factor, y: self.y * factor, width: self.width * factor, height: self.height * factor }
    }

    /// Whether all four numbers are finite and both sides above zero.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let finite = [self.x, self.y, self.width, self.height].iter().all(|value| value.is_finite());
        finite && self.width > 0.0 && self.height > 0.0
    }
}

/// Five points of a face as `[x, y]`: left eye, right eye, nose, left corner of the mouth, right corner. Which part of
/// the nose it is (tip or base) depends on the detector.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Landmarks {
    /// In the order above.
    pub points: [[f32; 2]; 5],
}

impl Landmarks {
    /// Distance between the eyes, in pixels.
    #[must_use]
    pub fn inter_eye_px(&self) -> f32 {
        let [[ax, ay], [bx, by], ..] = self.points;
        (bx - ax).hypot(by - ay)
    }

    /// The same points in a picture `factor` times as large.
    #[must_use]
    pub fn scaled(&self, factor: f32) -> Self {
        Self { points: self.points.map(|[x, y]| [x * factor, y * factor]) }
    }

    /// Whether all coordinates are finite and the eyes apart.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.points.iter().flatten().all(|value| value.is_finite()) && self.inter_eye_px() > 0.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eyes_are_apart() {
        let points = |dx, dy| Landmarks { points: [[0.0, 0.0], [dx, dy], [0.0; 2], [0.0; 2], [0.0; 2]] };
        assert_eq!(points(3.0, 4.0).inter_eye_px(), 5.0);
        assert!(points(3.0, 4.0).is_sound() && !points(0.0, 0.0).is_sound() && !points(f32::NAN, 0.0).is_sound());
    }

    #[test]
    fn rectangles_apart_share_nothing() {
        let a = Bounds::from_corners([0.0, 0.0, 2.0, 2.0]);
        assert_eq!(a.shared_area(&Bounds::from_corners([1.0, 1.0, 5.0, 5.0])), 1.0);
        assert_eq!(a.shared_area(&Bounds::from_corners([3.0, 3.0, 5.0, 5.0])), 0.0);
        assert!(!Bounds::from_corners([2.0, 0.0, 1.0, 1.0]).is_sound());
    }
}
