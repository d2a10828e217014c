//! What the curves of a plot are called: in rows below it, where no curve is.

use plotters::element::Text;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::frame::{Area, Curve, draw_mark, refused, stroke, text};
use super::style::{INK, LETTERS, Style, UNIT, WIDTH, text_width};
use crate::evaluation::EvaluationError;

/// Height of a row in pixels.
const ROW: i32 = 20;
/// Length of the sample of a line.
const SAMPLE: i32 = 34;
/// Between two entries.
const GAP: i32 = 22;
/// Left of the first.
const LEFT: i32 = 20;

/// One curve's entry.
#[derive(Debug)]
pub(super) struct Entry {
    name: String,
    style: Style,
    has_line: bool,
    has_marks: bool,
    /// From the left, in pixels.
    across: i32,
    row: i32,
}

/// Entries one after another, in as many rows as they need.
pub(super) fn lay_out(curves: &[Curve]) -> Vec<Entry> {
    let (mut across, mut row) = (LEFT, 0);
    let mut entries = Vec::new();
    for curve in curves {
        let Some(name) = &curve.name else { continue };
        let wide = SAMPLE + 6 + text_width(name, LETTERS).ceil() as i32;
        if across > LEFT && across + wide > WIDTH {
            (across, row) = (LEFT, row + 1);
        }
        let (has_line, has_marks) = (curve.line.len() > 1, !curve.marks.is_empty());
        entries.push(Entry { name: name.clone(), style: curve.style, has_line, has_marks, across, row });
        across += wide + GAP;
    }
    entries
}

/// Height of all rows in pixels.
pub(super) fn height(entries: &[Entry]) -> i32 {
    entries.last().map_or(4, |last| (last.row + 1) * ROW + 8)
}

impl Entry {
    /// Draws it; `top` is where the rows begin, in units.
    pub(super) fn draw(&self, root: &Area<'_>, top: i32) -> Result<(), EvaluationError> {
        let (left, middle) = (self.across * UNIT, top + (self.row * ROW + ROW / 2 + 4) * UNIT);
        let right = left + SAMPLE * UNIT;
        if self.has_line {
            let colour = self.style.colour.stroke_width(self.style.stroke);
            stroke(root, &[(left, middle), (right, middle)], self.style.dashes, colour)?;
        }
        if self.has_marks {
            draw_mark(root, (i32::midpoint(left, right), middle), self.style)?;
        }
        let style = text(LETTERS, INK).pos(Pos::new(HPos::Left, VPos::Center));
        root.draw(&Text::new(self.name.as_str(), (right + 6 * UNIT, middle), style)).map_err(refused)
    }
}
