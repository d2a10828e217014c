//! Colours, lines and marks that stay apart in print, in grey and for colour-blind readers.

use plotters::style::RGBColor;

/// Units of a drawing for one pixel: plotters places things at whole numbers, a quarter of a pixel is fine enough.
pub(super) const UNIT: i32 = 4;
/// Width of a drawing in pixels; the page scales it.
pub(super) const WIDTH: i32 = 720;
/// Size of letters in pixels.
pub(super) const LETTERS: f64 = 12.0;

/// Lines of axes and texts.
pub(super) const INK: RGBColor = RGBColor(34, 34, 34);
/// Grid lines with a label.
pub(super) const GRID: RGBColor = RGBColor(205, 205, 205);
/// Grid lines without.
pub(super) const FINE_GRID: RGBColor = RGBColor(236, 236, 236);
/// Where zeros are shown.
pub(super) const ZERO_BAND: RGBColor = RGBColor(228, 228, 228);
/// Curves that are only there for comparison.
pub(super) const PALE: RGBColor = RGBColor(150, 150, 150);

/// Shape of a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// Filled.
    Circle,
    /// Filled.
    Square,
    /// Filled, on its base.
    Triangle,
    /// Filled.
    Diamond,
    /// Two diagonal strokes.
    Cross,
    /// Filled, on its tip.
    Down,
    /// An outline.
    Ring,
}

/// How a curve is drawn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Of lines and marks.
    pub(super) colour: RGBColor,
    /// Lengths of strokes and gaps in pixels; empty for an unbroken line.
    pub(super) dashes: &'static [f64],
    /// At measured points.
    pub(super) mark: Mark,
    /// In quarters of a pixel.
    pub(super) stroke: u32,
}

/// Colours of Okabe and Ito (without yellow, which vanishes on paper); lines and marks differ too,
/// so that colour is never needed.
const STYLES: [Style; 7] = [
    Style { colour: RGBColor(0, 114, 178), dashes: &[], mark: Mark::Circle, stroke: 7 },
    Style { colour: RGBColor(213, 94, 0), dashes: &[9.0, 4.0], mark: Mark::Square, stroke: 7 },
    Style { colour: RGBColor(0, 0, 0), dashes: &[2.0, 3.0], mark: Mark::Triangle, stroke: 7 },
    Style { colour: RGBColor(0, 158, 115), dashes: &[10.0, 3.0, 2.0, 3.0], mark: Mark::Diamond, stroke: 7 },
    Style { colour: RGBColor(204, 121, 167), dashes: &[7.0, 2.0, 1.5, 2.0, 1.5, 2.0], mark: Mark::Cross, stroke: 7 },
    Style { colour: RGBColor(230, 159, 0), dashes: &[5.0, 3.0], mark: Mark::Down, stroke: 7 },
    Style { colour: RGBColor(86, 180, 233), dashes: &[14.0, 4.0], mark: Mark::Ring, stroke: 7 },
];

/// Curves that can be told apart in one plot.
pub(super) const STYLES_COUNT: usize = STYLES.len();

/// The style of a plot's n-th curve; callers keep below [`STYLES_COUNT`].
pub(super) fn style(index: usize) -> Style {
    STYLES[index % STYLES_COUNT]
}

/// A thin grey line for what is only there for comparison.
pub(super) fn pale(dashes: &'static [f64]) -> Style {
    Style { colour: PALE, dashes, mark: Mark::Ring, stroke: 4 }
}

/// About how wide a text is in pixels: a little more than less.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let letters = text.chars().map(|letter| match letter {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | ' ' | '(' | ')' | '[' | ']' | 'f' | 't' => {
            0.33
        }
        'm' | 'w' | 'M' | 'W' | '%' | '@' | '…' => 0.93,
        'A'..='Z' => 0.68,
        ' '..='~' => 0.57,
        '⁰'..='₉' | '¹' | '²' | '³' => 0.4,
        '\u{80}'..='\u{5ff}' => 0.66,
        _ => 1.0,
    });
    letters.sum::<f64>() * size
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_styles_share_a_colour_a_line_or_a_mark() {
        for (index, one) in STYLES.iter().enumerate() {
            for other in &STYLES[..index] {
                assert!(one.mark != other.mark && one.colour != other.colour && one.dashes != other.dashes);
            }
        }
    }
}
