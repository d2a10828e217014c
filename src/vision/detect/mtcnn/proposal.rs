//! The first stage: one look over every level of the pyramid, which proposes boxes.

use crate::vision::VisionError;
use crate::vision::deadline::Deadline;
use crate::vision::detect::mtcnn::patch::normalise;
use crate::vision::detect::mtcnn::pyramid::{CELL_SIDE, Level, Pyramid};
use crate::vision::detect::mtcnn::{Candidate, OVERLAP_MAX, RNET_CANDIDATES_MAX};
use crate::vision::detect::nms::{Against, suppress};
use crate::vision::detect::values;
use crate::vision::geometry::Bounds;
use crate::vision::session::Session;

/// Level pixels between neighbouring windows.
const STRIDE: usize = 2;
/// Most pixels given to the network at once. Larger levels are cut into strips, which bounds its memory (some 60 bytes a
/// pixel) and changes no answer.
const STRIP_PIXELS_MAX: usize = 1 << 18;
/// Most boxes kept of one level, best first.
const LEVEL_CANDIDATES_MAX: usize = 2048;
/// Overlap above which two boxes of one level are one.
const LEVEL_OVERLAP_MAX: f32 = 0.5;

/// A window that passed: its place on the level, its score and how its edges should move.
struct Window {
    row: usize,
    column: usize,
    score: f32,
    by: [f32; 4],
}

/// Boxes that may hold a face, best first, at most [`RNET_CANDIDATES_MAX`].
pub(super) fn propose(
    pnet: &Session,
    pyramid: &Pyramid<'_>,
    threshold: f32,
    deadline: &Deadline,
) -> Result<Vec<Candidate>, VisionError> {
    let mut all: Vec<(Candidate, [f32; 4])> = Vec::new();
    for level in &pyramid.levels {
        let windows = look_at(pnet, level, threshold, deadline)?;
        let boxes: Vec<Candidate> = windows.iter().map(|window| (place(window, level), window.score)).collect();
        let kept = suppress(&boxes, LEVEL_OVERLAP_MAX, Against::Union);
        all.extend(kept.into_iter().map(|index| (boxes[index], windows[index].by)));
    }
    all.sort_by(|(a, _), (b, _)| b.1.total_cmp(&a.1));
    all.truncate(RNET_CANDIDATES_MAX);
    let boxes: Vec<Candidate> = all.iter().map(|&(candidate, _)| candidate).collect();
    let kept = suppress(&boxes, OVERLAP_MAX, Against::Union);
    Ok(kept.into_iter().map(|index| (super::moved(&boxes[index].0, &all[index].1), boxes[index].1)).collect())
}

/// The windows of one level that reach the threshold.
fn look_at(pnet: &Session, level: &Level, threshold: f32, deadline: &Deadline) -> Result<Vec<Window>, VisionError> {
    let (width, height) = (level.image.width() as usize, level.image.height() as usize);
    let (columns, rows) = (windows_along(width), windows_along(height));
    let overhang = CELL_SIDE as usize - STRIDE;
    let strip_rows = (STRIP_PIXELS_MAX / width).saturating_sub(overhang).div_ceil(STRIDE).max(16);
    let mut windows = Vec::new();
    let mut first = 0;
    while first < rows {
        deadline.check("detection")?;
        let count = strip_rows.min(rows - first);
        // The last strip takes an odd row along, as the whole level would.
        let top = first * STRIDE;
        let bottom = if first + count == rows { height } else { top + count * STRIDE + overhang };
        let input = planes(&level.image.as_raw()[top * width * 3..bottom * width * 3]);
        let outputs = pnet.run([1, 3, bottom - top, width], input)?;
        let scores = values(&outputs, "prob", 2 * count * columns)?;
        let moves = values(&outputs, "reg", 4 * count * columns)?;
        collect(&mut windows, scores, moves, [first, columns], threshold);
        first += count;
    }
    keep_best(&mut windows);
    Ok(windows)
}

/// Windows along a side: a 3x3 convolution, 2x2 pooling that keeps an odd rest, and two more convolutions.
fn windows_along(side: usize) -> usize {
    ((side.saturating_sub(2)).div_ceil(STRIDE)).saturating_sub(4)
}

/// Interleaved bytes as three normalised planes.
fn planes(pixels: &[u8]) -> Vec<f32> {
    let mut input = Vec::with_capacity(pixels.len());
    for channel in 0..3 {
        input.extend(pixels.iter().skip(channel).step_by(3).map(|&value| normalise(f32::from(value))));
    }
    input
}

/// Takes what reaches the threshold out of one strip's answer: two planes of scores (no face, face), four of moves.
fn collect(windows: &mut Vec<Window>, scores: &[f32], moves: &[f32], [first, columns]: [usize; 2], threshold: f32) {
    let count = scores.len() / 2;
    for (index, &score) in scores[count..].iter().enumerate() {
        if score >= threshold {
            let by = std::array::from_fn(|edge| moves[edge * count + index]);
            windows.push(Window { row: first + index / columns, column: index % columns, score, by });
            // A picture made to please the network everywhere must not fill the memory.
            if windows.len() >= 8 * LEVEL_CANDIDATES_MAX {
                keep_best(windows);
            }
        }
    }
}

fn keep_best(windows: &mut Vec<Window>) {
    windows.sort_by(|a, b| b.score.total_cmp(&a.score));
    windows.truncate(LEVEL_CANDIDATES_MAX);
}

/// Where the window lies in the picture.
fn place(window: &Window, level: &Level) -> Bounds {
    let [sx, sy] = level.scale;
    let (x, y) = ((window.column * STRIDE) as f32, (window.row * STRIDE) as f32);
    let side = CELL_SIDE as f32;
    Bounds { x: x / sx, y: y / sy, width: side / sx, height: side / sy }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_counted_as_the_network_does() {
        // From the network itself: 12 px give one window, 100 give 45, 120 give 55.
        for (side, windows) in [(11, 1), (12, 1), (13, 2), (100, 45), (120, 55), (3, 0)] {
            assert_eq!(windows_along(side), windows, "{side}");
        }
    }

    #[test]
    fn bytes_become_planes() {
        let out: Vec<f32> = planes(&[0, 1, 2, 3, 4, 5]).iter().map(|value| value * 128.0 + 127.5).collect();
        assert_eq!(out, [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    }

    #[test]
    fn the_best_windows_are_kept() {
        let mut windows = Vec::new();
        let count = 3 * LEVEL_CANDIDATES_MAX;
        let scores: Vec<f32> = (0..2 * count).map(|index| (index % count) as f32 / count as f32).collect();
        collect(&mut windows, &scores, &vec![0.0; 4 * count], [0, 10], 0.0);
        keep_best(&mut windows);
        assert_eq!(windows.len(), LEVEL_CANDIDATES_MAX);
        assert_eq!((windows[0].row, windows[0].column), ((count - 1) / 10, (count - 1) % 10));
    }
}
