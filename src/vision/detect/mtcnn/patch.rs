//! Cutting a box out of a picture and averaging it into a network's small input.

use image::RgbImage;

use crate::vision::geometry::Bounds;

/// Brings 0..=255 to what MTCNN was trained on.
pub(super) fn normalise(value: f32) -> f32 {
    (value - 127.5) / 128.0
}

/// Appends `bounds` of `picture` as `3 * side * side` normalised numbers, planes of red, green and blue. Each is the mean
/// of the pixels it covers; what lies outside the picture is black, so that proportions stay right at the edges.
pub(super) fn append(picture: &RgbImage, bounds: &Bounds, side: usize, out: &mut Vec<f32>) {
    let columns = Span::new(bounds.x, bounds.right(), picture.width());
    let rows = Span::new(bounds.y, bounds.bottom(), picture.height());
    let start = out.len();
    out.resize(start + 3 * side * side, normalise(0.0));
    let Some(planes) = out.get_mut(start..) else { return };

    let stride = picture.width() as usize * 3;
    let mut sums = vec![[0_u32; 3]; columns.length];
    for row in 0..side {
        let (top, bottom) = cell(row, side, rows.length);
        sums.fill([0; 3]);
        for line in (top..bottom).filter_map(|row| rows.place(row)) {
            let first = line * stride + columns.inside.start * 3;
            let pixels = picture.as_raw().get(first..first + columns.inside.len() * 3).unwrap_or_default();
            for (sum, pixel) in sums.iter_mut().skip(columns.offset).zip(pixels.chunks_exact(3)) {
                for (sum, value) in sum.iter_mut().zip(pixel) {
                    *sum += u32::from(*value);
                }
            }
        }
        for column in 0..side {
            let (left, right) = cell(column, side, columns.length);
            let covered = ((right - left) * (bottom - top)) as f32;
            for channel in 0..3 {
                let sum: u32 = sums[left..right].iter().map(|sum| sum[channel]).sum();
                planes[(channel * side + row) * side + column] = normalise(sum as f32 / covered);
            }
        }
    }
}

/// Which of `length` pixels the cell `index` of `cells` covers, at least one; neighbours share a pixel where the
/// division does not come out even. Both ends are within `0..=length`.
fn cell(index: usize, cells: usize, length: usize) -> (usize, usize) {
    (index * length / cells, ((index + 1) * length).div_ceil(cells))
}

/// A box along one axis, in whole pixels.
struct Span {
    /// Pixels of the box, at least 1.
    length: usize,
    /// Those of them that the picture has, by their places in the picture.
    inside: std::ops::Range<usize>,
    /// How many pixels of the box lie before the picture begins.
    offset: usize,
}

impl Span {
    fn new(from: f32, to: f32, side: u32) -> Self {
        let first = from.round() as i64;
        let last = (to.round() as i64).max(first + 1);
        let clamp = |value: i64| value.clamp(0, i64::from(side)) as usize;
        let (start, end) = (clamp(first), clamp(last));
        Self { length: (last - first) as usize, inside: start..end, offset: (start as i64 - first).max(0) as usize }
    }

    /// Where the pixel `index` of the box is in the picture; `None` outside.
    fn place(&self, index: usize) -> Option<usize> {
        let place = (index + self.inside.start).checked_sub(self.offset)?;
        self.inside.contains(&place).then_some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(picture: &RgbImage, bounds: Bounds, side: usize) -> Vec<f32> {
        let mut out = vec![9.0];
        append(picture, &bounds, side, &mut out);
        assert_eq!(out.remove(0), 9.0);
        out.iter().map(|value| value * 128.0 + 127.5).collect()
    }

    #[test]
    fn planes_of_means() {
        let picture = RgbImage::from_fn(8, 8, |x, y| image::Rgb([x as u8 * 10, y as u8 * 10, 7]));
        let out = cut(&picture, Bounds { x: 2.0, y: 4.0, width: 4.0, height: 4.0 }, 2);
        assert_eq!(out[..4], [25.0, 45.0, 25.0, 45.0]);
        assert_eq!(out[4..8], [45.0, 45.0, 65.0, 65.0]);
        assert_eq!(out[8..], [7.0; 4]);
    }

    #[test]
    fn outside_is_black() {
        let picture = RgbImage::from_pixel(4, 4, image::Rgb([200; 3]));
        let out = cut(&picture, Bounds { x: -2.0, y: 2.0, width: 4.0, height: 4.0 }, 2);
        assert_eq!(out[..4], [0.0, 200.0, 0.0, 0.0]);
        let out = cut(&picture, Bounds { x: 2.0, y: -2.0, width: 4.0, height: 4.0 }, 2);
        assert_eq!(out[..4], [0.0, 0.0, 200.0, 0.0]);
    }

    #[test]
    fn small_boxes_are_enlarged() {
        let picture = RgbImage::from_pixel(4, 4, image::Rgb([50; 3]));
        assert!(
            cut(&picture, Bounds { x: 1.2, y: 1.2, width: 1.0, height: 1.0 }, 24).iter().all(|value| *value == 50.0)
        );
    }
}
