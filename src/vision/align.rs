//! Bringing a face into the position that a network expects: a similarity transform from five points, and a warp.
//!
//! The transform is the least-squares one of Umeyama (PAMI 13, 1991), which in two dimensions without reflection has a
//! closed form. The warp averages over areas: a large face read point by point would alias, and templates would depend
//! on the camera's resolution.

use image::RgbImage;

use crate::vision::geometry::Landmarks;

/// Turning, scaling and moving: `(x, y)` goes to `(ax - by + tx, bx + ay + ty)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Similarity {
    a: f64,
    b: f64,
    tx: f64,
    ty: f64,
}

impl Similarity {
    /// The similarity that brings `from` closest to `to` in the sum of squared distances, point by point. `None` when
    /// the points of either side coincide or are not finite.
    #[must_use]
    pub fn fit(from: &[[f32; 2]], to: &[[f32; 2]]) -> Option<Self> {
        let (from_mean, to_mean) = (mean(from), mean(to));
        let (mut along, mut across, mut spread) = (0.0, 0.0, 0.0);
        for (p, q) in from.iter().zip(to) {
            let (px, py) = (f64::from(p[0]) - from_mean[0], f64::from(p[1]) - from_mean[1]);
            let (qx, qy) = (f64::from(q[0]) - to_mean[0], f64::from(q[1]) - to_mean[1]);
            along += px * qx + py * qy;
            across += px * qy - py * qx;
            spread += px * px + py * py;
        }
        let (a, b) = (along / spread, across / spread);
        let [mx, my] = from_mean;
        let fitted = Self { a, b, tx: to_mean[0] - (a * mx - b * my), ty: to_mean[1] - (b * mx + a * my) };
        let finite = [fitted.a, fitted.b, fitted.tx, fitted.ty].iter().all(|value| value.is_finite());
        (finite && fitted.scale() > 1e-9).then_some(fitted)
    }

    /// Where `(x, y)` goes.
    #[must_use]
    pub fn apply(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        [self.a * x - self.b * y + self.tx, self.b * x + self.a * y + self.ty]
    }

    /// How much longer distances become.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.a.hypot(self.b)
    }

    /// How far it turns, clockwise as seen, in radians from -pi to pi.
    #[must_use]
    pub fn angle(&self) -> f64 {
        self.b.atan2(self.a)
    }

    /// The way back.
    #[must_use]
    pub fn inverse(&self) -> Self {
        let square = self.a * self.a + self.b * self.b;
        let (a, b) = (self.a / square, -self.b / square);
        Self { a, b, tx: -(a * self.tx - b * self.ty), ty: -(b * self.tx + a * self.ty) }
    }
}

fn mean(points: &[[f32; 2]]) -> [f64; 2] {
    let sum = points.iter().fold([0.0, 0.0], |sum, p| [sum[0] + f64::from(p[0]), sum[1] + f64::from(p[1])]);
    sum.map(|value| value / points.len() as f64)
}

/// Where the five points belong, and the size of the chip that is cut out around them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Extent in which `points` are given.
    pub extent: [f32; 2],
    /// Left eye, right eye, nose, left and right corner of the mouth.
    pub points: [[f32; 2]; 5],
    /// Columns and rows of the chip; the extent is stretched to them.
    pub size: [u32; 2],
}

/// A face in position. Pixels outside the picture are black.
#[derive(Debug, Clone, PartialEq)]
pub struct Chip {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Red, green, blue from 0 to 255, not rounded, row by row: `width * height` of them.
    pub pixels: Vec<[f32; 3]>,
    /// Share of the pixels that lie inside the picture, 0 to 1.
    pub inside: f32,
}

/// Cuts a face out of `picture` and turns, scales and stretches it into `frame`. `None` when the points give no transform.
#[must_use]
pub fn cut_chip(picture: &RgbImage, landmarks: &Landmarks, frame: &Frame) -> Option<Chip> {
    let transform = Similarity::fit(&landmarks.points, &frame.points)?;
    let back = transform.inverse();
    let [width, height] = frame.size;
    let stretch = [f64::from(frame.extent[0]) / f64::from(width), f64::from(frame.extent[1]) / f64::from(height)];
    // Picture pixels for each chip pixel, along the longer way.
    let step = back.scale() * stretch[0].max(stretch[1]);
    let (source, samples) = Source::new(picture, &back, frame.extent, step);

    let mut chip = Chip { width: width as usize, height: height as usize, pixels: Vec::new(), inside: 0.0 };
    chip.pixels.reserve_exact(chip.width * chip.height);
    let mut inside = 0_u32;
    for row in 0..height {
        for column in 0..width {
            let mut sum = [0.0_f32; 3];
            for sample in 0..samples * samples {
                let offset = |index: u32| (f64::from(index) + 0.5) / f64::from(samples) - 0.5;
                let x = (f64::from(column) + offset(sample % samples)) * stretch[0];
                let y = (f64::from(row) + offset(sample / samples)) * stretch[1];
                let pixel = source.at(back.apply([x, y]));
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += value;
                }
            }
            inside +=
                u32::from(contains(picture, back.apply([f64::from(column) * stretch[0], f64::from(row) * stretch[1]])));
            chip.pixels.push(sum.map(|value| value / (samples * samples) as f32));
        }
    }
    chip.inside = inside as f32 / (width * height) as f32;
    Some(chip)
}

fn contains(picture: &RgbImage, [x, y]: [f64; 2]) -> bool {
    x >= -0.5 && y >= -0.5 && x <= f64::from(picture.width()) - 0.5 && y <= f64::from(picture.height()) - 0.5
}

/// What the warp reads from: the picture itself, or the part around the face with blocks of pixels averaged into one.
struct Source<'a> {
    pixels: std::borrow::Cow<'a, RgbImage>,
    /// Side of an averaged block, in picture pixels.
    block: u32,
    /// Picture pixel at which the first block begins.
    origin: [u32; 2],
}

impl<'a> Source<'a> {
    /// For a chip pixel that covers `step` picture pixels each way. Also says how many samples each way still to average.
    fn new(picture: &'a RgbImage, back: &Similarity, extent: [f32; 2], step: f64) -> (Self, u32) {
        let block = (step.floor() as u32).max(1);
        let samples = if step / f64::from(block) > 1.25 { 2 } else { 1 };
        if block == 1 {
            return (Self { pixels: std::borrow::Cow::Borrowed(picture), block, origin: [0, 0] }, samples);
        }
        let [x, y] = extent.map(f64::from);
        let corners = [[0.0, 0.0], [x, 0.0], [0.0, y], [x, y]].map(|corner| back.apply(corner));
        let margin = 2.0 * f64::from(block);
        let range = |axis: usize, side: u32| {
            let low = corners.iter().fold(f64::MAX, |low, corner| low.min(corner[axis])) - margin;
            let high = corners.iter().fold(f64::MIN, |high, corner| high.max(corner[axis])) + margin;
            let clamp = |value: f64| value.clamp(0.0, f64::from(side)) as u32;
            (clamp(low.floor()), clamp(high.ceil()))
        };
        let (left, right) = range(0, picture.width());
        let (top, bottom) = range(1, picture.height());
        let (columns, rows) = ((right - left) / block, (bottom - top) / block);
        let pixels = RgbImage::from_fn(columns, rows, |column, row| {
            block_mean(picture, left + column * block, top + row * block, block)
        });
        (Self { pixels: std::borrow::Cow::Owned(pixels), block, origin: [left, top] }, samples)
    }

    /// Bilinear value at a place of the picture; black outside.
    fn at(&self, [x, y]: [f64; 2]) -> [f32; 3] {
        // The centre of a block of k pixels lies (k - 1) / 2 behind its first pixel.
        let centre = f64::from(self.block - 1) / 2.0;
        let place = |value: f64, origin: u32| (value - f64::from(origin) - centre) / f64::from(self.block);
        let (x, y) = (place(x, self.origin[0]), place(y, self.origin[1]));
        self.inner(x, y).unwrap_or_else(|| self.edge(x, y))
    }

    /// Bilinear value where all four neighbours exist: nearly always, hence without a look at each. The same sums in the
    /// same order as [`edge`](Self::edge).
    fn inner(&self, x: f64, y: f64) -> Option<[f32; 3]> {
        let (width, height) = (self.pixels.width(), self.pixels.height());
        if !(x >= 0.0 && y >= 0.0 && x < f64::from(width) - 1.0 && y < f64::from(height) - 1.0) {
            return None;
        }
        // Cutting off is rounding down here, and needs no call into the mathematics library.
        let (left, top) = (x as u32, y as u32);
        let (dx, dy) = ((x - f64::from(left)) as f32, (y - f64::from(top)) as f32);
        let stride = width as usize * 3;
        let first = top as usize * stride + left as usize * 3;
        let raw = self.pixels.as_raw();
        let (Some([a, b, c, d, e, f]), Some([g, h, i, j, k, l])) =
            (raw.get(first..first + 6), raw.get(first + stride..first + stride + 6))
        else {
            return None;
        };
        let weights = [(1.0 - dx) * (1.0 - dy), dx * (1.0 - dy), (1.0 - dx) * dy, dx * dy];
        let blend = |corners: [&u8; 4]| {
            corners.into_iter().zip(weights).fold(0.0, |sum, (corner, weight)| sum + f32::from(*corner) * weight)
        };
        Some([blend([a, d, g, j]), blend([b, e, h, k]), blend([c, f, i, l])])
    }

    /// Bilinear value anywhere; what is outside counts as black.
    fn edge(&self, x: f64, y: f64) -> [f32; 3] {
        let (left, top) = (x.floor(), y.floor());
        let (dx, dy) = ((x - left) as f32, (y - top) as f32);
        let (left, top) = (left as i64, top as i64);
        let mut sum = [0.0; 3];
        for (column, row, weight) in [
            (left, top, (1.0 - dx) * (1.0 - dy)),
            (left.saturating_add(1), top, dx * (1.0 - dy)),
            (left, top.saturating_add(1), (1.0 - dx) * dy),
            (left.saturating_add(1), top.saturating_add(1), dx * dy),
        ] {
            let (Ok(column), Ok(row)) = (u32::try_from(column), u32::try_from(row)) else { continue };
            if let Some(pixel) = self.pixels.get_pixel_checked(column, row) {
                for (sum, value) in sum.iter_mut().zip(pixel.0) {
                    *sum += f32::from(value) * weight;
                }
            }
        }
        sum
    }
}

/// Mean of a block that lies inside the picture.
fn block_mean(picture: &RgbImage, left: u32, top: u32, block: u32) -> image::Rgb<u8> {
    let mut sum = [0_u64; 3];
    let stride = picture.width() as usize * 3;
    for row in top..top + block {
        let start = row as usize * stride + left as usize * 3;
        let line = picture.as_raw().get(start..start + block as usize * 3).unwrap_or_default();
        for pixel in line.chunks_exact(3) {
            for (sum, value) in sum.iter_mut().zip(pixel) {
                *sum += u64::from(*value);
            }
        }
    }
    let count = u64::from(block) * u64::from(block);
    image::Rgb(sum.map(|sum| ((sum + count / 2) / count) as u8))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POINTS: [[f32; 2]; 5] = [[30.0, 40.0], [70.0, 40.0], [50.0, 60.0], [35.0, 80.0], [65.0, 80.0]];
    const FRAME: Frame = Frame { extent: [100.0, 100.0], points: POINTS, size: [100, 100] };

    proptest! {
        #[test]
        fn a_similarity_is_found_again(
            angle in -3.1_f64..3.1, scale in 0.05_f64..20.0, tx in -500.0_f64..500.0, ty in -500.0_f64..500.0
        ) {
            let truth = Similarity { a: scale * angle.cos(), b: scale * angle.sin(), tx, ty };
            let moved = POINTS.map(|[x, y]| truth.apply([x.into(), y.into()]).map(|value| value as f32));
            let found = Similarity::fit(&POINTS, &moved).unwrap();
            for (p, q) in POINTS.iter().zip(&moved) {
                let [x, y] = found.apply([p[0].into(), p[1].into()]);
                prop_assert!((x - f64::from(q[0])).abs() < 1e-3 && (y - f64::from(q[1])).abs() < 1e-3);
            }
            let [x, y] = found.inverse().apply(found.apply([12.0, -7.0]));
            prop_assert!((x - 12.0).abs() < 1e-6 && (y + 7.0).abs() < 1e-6);
        }
    }

    #[test]
    fn points_without_extent_are_refused() {
        assert_eq!(Similarity::fit(&[[5.0, 5.0]; 5], &POINTS), None);
        assert_eq!(Similarity::fit(&POINTS, &[[5.0, 5.0]; 5]), None);
        assert_eq!(Similarity::fit(&[[f32::NAN, 5.0]; 5], &POINTS), None);
    }

    #[test]
    fn a_face_in_position_is_copied() {
        let picture = RgbImage::from_fn(120, 110, |x, y| image::Rgb([x as u8, y as u8, 7]));
        let chip = cut_chip(&picture, &Landmarks { points: POINTS }, &FRAME).unwrap();
        assert_eq!((chip.width, chip.height, chip.inside), (100, 100, 1.0));
        let pixel = chip.pixels[20 * 100 + 33];
        assert!((pixel[0] - 33.0).abs() < 1e-3 && (pixel[1] - 20.0).abs() < 1e-3 && (pixel[2] - 7.0).abs() < 1e-3);
    }

    #[test]
    fn a_large_face_is_averaged_and_stays_in_place() {
        // A gradient under a fine checked pattern: read point by point the pattern would show in the chip.
        for factor in [2.0_f32, 3.5, 7.0] {
            let side = (100.0 * factor) as u32 + 9;
            let picture = RgbImage::from_fn(side, side, |x, y| {
                image::Rgb([(x as f32 / factor + (x + y) as f32 % 2.0 * 80.0) as u8; 3])
            });
            let landmarks = Landmarks { points: POINTS }.scaled(factor);
            let chip = cut_chip(&picture, &landmarks, &FRAME).unwrap();
            for column in 10..90 {
                let value = chip.pixels[50 * 100 + column][0];
                assert!((value - (column as f32 + 40.0)).abs() < 6.0, "{factor} {column} {value}");
            }
        }
    }

    #[test]
    fn the_short_way_gives_the_same_bits() {
        let picture = RgbImage::from_fn(20, 15, |x, y| image::Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, 200]));
        let source = Source { pixels: std::borrow::Cow::Borrowed(&picture), block: 1, origin: [0, 0] };
        for step in 0..500 {
            let (x, y) = (f64::from(step) * 0.0377, f64::from(step) * 0.0271);
            if let Some(inner) = source.inner(x, y) {
                assert_eq!(inner.map(f32::to_bits), source.edge(x, y).map(f32::to_bits), "{x} {y}");
            }
        }
        assert!(source.inner(3.2, 4.7).is_some() && source.inner(-0.1, 3.0).is_none());
        assert!(source.inner(19.0, 3.0).is_none() && source.inner(f64::NAN, 3.0).is_none());
    }

    #[test]
    fn what_lies_outside_is_black_and_counted() {
        let picture = RgbImage::from_pixel(50, 100, image::Rgb([200; 3]));
        let chip = cut_chip(&picture, &Landmarks { points: POINTS }, &FRAME).unwrap();
        assert!((chip.inside - 0.5).abs() < 0.02, "{}", chip.inside);
        assert_eq!(chip.pixels[30 * 100 + 80], [0.0; 3]);
    }
}
