//! Draws any plot with two axes: bands, curves, marks, error bars, rules and a legend below, where it hides nothing.

use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::drawing::{DrawingArea, IntoDrawingArea};
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, RGBColor, ShapeStyle, TextStyle};

use super::axis::Axis;
use super::legend;
use super::style::{FINE_GRID, GRID, INK, LETTERS, Mark, Style, UNIT, WIDTH, ZERO_BAND, text_width};
use crate::evaluation::EvaluationError;

/// A drawing in units.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'c, 'a> = ChartContext<'c, SVGBackend<'a>, Cartesian2d<Axis, Axis>>;
type Place = (i32, i32);

/// Space above the axes in pixels: the names of rules stand there.
const TOP: i32 = 22;
/// Space right of the axes: half a label.
const RIGHT: i32 = 26;
/// Space below the axes for labels and title.
const BOTTOM: i32 = 44;

/// One curve.
#[derive(Debug, Clone)]
pub(super) struct Curve {
    /// In the legend, where it has a name.
    pub(super) name: Option<String>,
    /// Joined by a line.
    pub(super) line: Vec<(f64, f64)>,
    /// Marked.
    pub(super) marks: Vec<(f64, f64)>,
    /// Intervals upwards: (x, low, high).
    pub(super) bars: Vec<(f64, f64, f64)>,
    /// Intervals sidewards: (y, low, high).
    pub(super) side_bars: Vec<(f64, f64, f64)>,
    /// An area around the curve: (x, low, high).
    pub(super) band: Vec<(f64, f64, f64)>,
    /// How it looks.
    pub(super) style: Style,
}

impl Curve {
    /// A line.
    pub(super) fn line(name: &str, style: Style, points: Vec<(f64, f64)>) -> Self {
        let name = (!name.is_empty()).then(|| name.to_owned());
        Self { name, line: points, marks: vec![], bars: vec![], side_bars: vec![], band: vec![], style }
    }

    /// A line with a mark at each point.
    pub(super) fn marked(name: &str, style: Style, points: Vec<(f64, f64)>) -> Self {
        Self { marks: points.clone(), ..Self::line(name, style, points) }
    }

    /// Every value across.
    pub(super) fn xs(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        let sides = self.side_bars.iter().flat_map(|(_, low, high)| [*low, *high]);
        let points = self.line.iter().chain(&self.marks).map(|point| point.0);
        points.chain(self.bars.iter().chain(&self.band).map(|bar| bar.0)).chain(sides)
    }

    /// Every value upwards.
    pub(super) fn ys(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        let ends = self.bars.iter().chain(&self.band).flat_map(|(_, low, high)| [*low, *high]);
        let points = self.line.iter().chain(&self.marks).map(|point| point.1);
        points.chain(self.side_bars.iter().map(|bar| bar.0)).chain(ends)
    }
}

/// All values of all curves, for the axes.
pub(super) fn all_xs(curves: &[Curve]) -> impl Iterator<Item = f64> + Clone + '_ {
    curves.iter().flat_map(Curve::xs)
}

/// See [`all_xs`].
pub(super) fn all_ys(curves: &[Curve]) -> impl Iterator<Item = f64> + Clone + '_ {
    curves.iter().flat_map(Curve::ys)
}

/// A plot.
#[derive(Debug, Clone)]
pub(super) struct Plot {
    /// Across.
    pub(super) x: Axis,
    /// Upwards.
    pub(super) y: Axis,
    /// Later ones above earlier ones.
    pub(super) curves: Vec<Curve>,
    /// Upright lines: where, and what they are called.
    pub(super) rules: Vec<(f64, String)>,
    /// Of the axes, in pixels.
    pub(super) height: i32,
    /// Whether the drawing says that its data are synthetic.
    pub(super) synthetic: bool,
}

impl Plot {
    /// The drawing as SVG.
    ///
    /// # Errors
    /// [`EvaluationError::Drawing`] when the plotting library refuses.
    pub(super) fn draw(&self) -> Result<String, EvaluationError> {
        let entries = legend::lay_out(&self.curves);
        let legend_height = legend::height(&entries);
        let height = TOP + self.height + BOTTOM + legend_height;
        let widest =
            self.y.ticks().into_iter().map(|tick| text_width(&self.y.label(tick), LETTERS)).fold(0.0, f64::max);
        let left = widest.ceil() as i32 + 34;
        let mut drawing = String::new();
        {
            let root = SVGBackend::with_string(&mut drawing, (units(WIDTH), units(height))).into_drawing_area();
            let mut chart = ChartBuilder::on(&root)
                .margin_top(units(TOP))
                .margin_right(units(RIGHT))
                .margin_bottom(units(legend_height))
                .x_label_area_size(units(BOTTOM))
                .y_label_area_size(units(left))
                .build_cartesian_2d(self.x.clone(), self.y.clone())
                .map_err(refused)?;
            self.zero_bands(&root, &chart)?;
            self.mesh(&mut chart)?;
            self.rules(&root, &chart)?;
            for curve in &self.curves {
                draw_curve(&root, &chart, curve)?;
            }
            for entry in &entries {
                entry.draw(&root, (TOP + self.height + BOTTOM) * UNIT)?;
            }
            if self.synthetic {
                let place = (units(WIDTH - RIGHT).cast_signed(), units(TOP + self.height + BOTTOM).cast_signed());
                let style = bold(LETTERS, INK).pos(Pos::new(HPos::Right, VPos::Bottom));
                root.draw(&Text::new("SYNTHETIC", place, style)).map_err(refused)?;
            }
            root.present().map_err(refused)?;
        }
        Ok(drawing)
    }

    fn zero_bands(&self, root: &Area<'_>, chart: &Chart<'_, '_>) -> Result<(), EvaluationError> {
        let (across, upwards) = chart.plotting_area().get_pixel_range();
        let corner = chart.backend_coord(&(self.x.band_end(), self.y.band_end()));
        let fill = ZERO_BAND.filled();
        if self.x.zero_band {
            root.draw(&Rectangle::new([(across.start, upwards.start), (corner.0, upwards.end)], fill))
                .map_err(refused)?;
        }
        if self.y.zero_band {
            root.draw(&Rectangle::new([(across.start, corner.1), (across.end, upwards.end)], fill)).map_err(refused)?;
        }
        Ok(())
    }

    fn mesh(&self, chart: &mut Chart<'_, '_>) -> Result<(), EvaluationError> {
        chart
            .configure_mesh()
            .light_line_style(FINE_GRID.stroke_width(2))
            .bold_line_style(GRID.stroke_width(3))
            .axis_style(INK.stroke_width(4))
            .set_all_tick_mark_size(units(4))
            .x_labels(20)
            .y_labels(20)
            .x_label_formatter(&|value| self.x.label(*value))
            .y_label_formatter(&|value| self.y.label(*value))
            .label_style(text(LETTERS, INK))
            .axis_desc_style(text(LETTERS + 0.5, INK))
            .x_desc(self.x.title.as_str())
            .y_desc(self.y.title.as_str())
            .draw()
            .map_err(refused)
    }

    fn rules(&self, root: &Area<'_>, chart: &Chart<'_, '_>) -> Result<(), EvaluationError> {
        let (sides, upwards) = chart.plotting_area().get_pixel_range();
        for (at, name) in &self.rules {
            let (across, _) = chart.backend_coord(&(*at, self.y.band_end()));
            let line = [(across, upwards.start), (across, upwards.end)];
            stroke(root, &line, &[6.0, 4.0], INK.stroke_width(4))?;
            let place = (across, upwards.start - 3 * UNIT);
            let share = f64::from(across - sides.start) / f64::from((sides.end - sides.start).max(1));
            // Names of rules near an edge lean inwards, away from the labels of the axis.
            let anchor = if share < 0.15 {
                HPos::Left
            } else if share > 0.85 {
                HPos::Right
            } else {
                HPos::Center
            };
            let style = text(LETTERS - 1.0, INK).pos(Pos::new(anchor, VPos::Bottom));
            root.draw(&Text::new(name.as_str(), place, style)).map_err(refused)?;
        }
        Ok(())
    }
}

fn draw_curve(root: &Area<'_>, chart: &Chart<'_, '_>, curve: &Curve) -> Result<(), EvaluationError> {
    let at = |x: f64, y: f64| chart.backend_coord(&(x, y));
    let (colour, thickness) = (curve.style.colour, curve.style.stroke);
    if curve.band.len() > 1 {
        let upper = curve.band.iter().map(|(x, _, high)| at(*x, *high));
        let lower = curve.band.iter().rev().map(|(x, low, _)| at(*x, *low));
        root.draw(&Polygon::new(upper.chain(lower).collect::<Vec<_>>(), colour.mix(0.18).filled())).map_err(refused)?;
    }
    let line: Vec<Place> = curve.line.iter().map(|(x, y)| at(*x, *y)).collect();
    stroke(root, &thinned(&line), curve.style.dashes, colour.stroke_width(thickness))?;
    let end = 3 * UNIT;
    for (x, low, high) in &curve.bars {
        let ((x, low), (_, high)) = (at(*x, *low), at(*x, *high));
        for part in [[(x, low), (x, high)], [(x - end, low), (x + end, low)], [(x - end, high), (x + end, high)]] {
            stroke(root, &part, &[], colour.stroke_width(5))?;
        }
    }
    for (y, low, high) in &curve.side_bars {
        let ((low, y), (high, _)) = (at(*low, *y), at(*high, *y));
        for part in [[(low, y), (high, y)], [(low, y - end), (low, y + end)], [(high, y - end), (high, y + end)]] {
            stroke(root, &part, &[], colour.stroke_width(5))?;
        }
    }
    for (x, y) in &curve.marks {
        draw_mark(root, at(*x, *y), curve.style)?;
    }
    Ok(())
}

/// One mark, about nine pixels wide.
pub(super) fn draw_mark(root: &Area<'_>, (x, y): Place, style: Style) -> Result<(), EvaluationError> {
    let colour = style.colour;
    let r = 4 * UNIT;
    let corners = |places: &[Place]| {
        let places: Vec<Place> = places.iter().map(|(dx, dy)| (x + dx, y + dy)).collect();
        root.draw(&Polygon::new(places, colour.filled())).map_err(refused)
    };
    let line = |from: Place, to: Place| {
        let ends = vec![(x + from.0, y + from.1), (x + to.0, y + to.1)];
        root.draw(&PathElement::new(ends, colour.stroke_width(8))).map_err(refused)
    };
    match style.mark {
        Mark::Circle => root.draw(&Circle::new((x, y), r, colour.filled())).map_err(refused),
        Mark::Ring => root.draw(&Circle::new((x, y), r, colour.stroke_width(6))).map_err(refused),
        Mark::Square => corners(&[(-r, -r), (r, -r), (r, r), (-r, r)]),
        Mark::Triangle => corners(&[(0, -r - 3), (r + 2, r - 2), (-r - 2, r - 2)]),
        Mark::Down => corners(&[(0, r + 3), (r + 2, 2 - r), (-r - 2, 2 - r)]),
        Mark::Diamond => corners(&[(0, -r - 4), (r + 2, 0), (0, r + 4), (-r - 2, 0)]),
        Mark::Cross => line((-r, -r), (r, r)).and_then(|()| line((-r, r), (r, -r))),
    }
}

/// A line, broken into `dashes` (pixels) unless there are none.
pub(super) fn stroke(
    root: &Area<'_>,
    line: &[Place],
    dashes: &[f64],
    style: ShapeStyle,
) -> Result<(), EvaluationError> {
    if line.len() < 2 {
        return Ok(());
    }
    for part in broken(line, dashes) {
        root.draw(&PathElement::new(part, style)).map_err(refused)?;
    }
    Ok(())
}

/// A line without the points that would stand on the one before: what is left looks the same.
fn thinned(line: &[Place]) -> Vec<Place> {
    let mut kept: Vec<Place> = Vec::with_capacity(line.len());
    for (index, place) in line.iter().enumerate() {
        let far = |last: &Place| (place.0 - last.0).abs() + (place.1 - last.1).abs() >= 2;
        if index + 1 == line.len() || kept.last().is_none_or(far) {
            kept.push(*place);
        }
    }
    kept
}

/// The strokes of a line that is drawn with `dashes`.
fn broken(line: &[Place], dashes: &[f64]) -> Vec<Vec<Place>> {
    if dashes.is_empty() {
        return vec![line.to_vec()];
    }
    let mut parts: Vec<Vec<Place>> = Vec::new();
    let (mut turn, mut left, mut part) = (0, dashes[0] * f64::from(UNIT), vec![line[0]]);
    for pair in line.windows(2) {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let (dx, dy) = (f64::from(x1 - x0), f64::from(y1 - y0));
        let length = dx.hypot(dy);
        let mut gone = 0.0;
        while length - gone > left {
            gone += left;
            let place = (x0 + (dx * gone / length).round() as i32, y0 + (dy * gone / length).round() as i32);
            if turn % 2 == 0 {
                part.push(place);
                parts.push(std::mem::take(&mut part));
            } else {
                part = vec![place];
            }
            turn += 1;
            left = dashes[turn % dashes.len()] * f64::from(UNIT);
        }
        left -= length - gone;
        if turn % 2 == 0 {
            part.push((x1, y1));
        }
    }
    if part.len() > 1 {
        parts.push(part);
    }
    parts
}

/// Letters of `size` pixels.
pub(super) fn text(size: f64, colour: RGBColor) -> TextStyle<'static> {
    // plotters divides by 1.24 what it writes as the size.
    ("Noto Sans", size * 1.24 * f64::from(UNIT)).into_font().color(&colour)
}

/// The same in bold.
pub(super) fn bold(size: f64, colour: RGBColor) -> TextStyle<'static> {
    ("Noto Sans", size * 1.24 * f64::from(UNIT), FontStyle::Bold).into_font().color(&colour)
}

/// Pixels as units of the drawing.
pub(super) fn units(pixels: i32) -> u32 {
    u32::try_from(pixels * UNIT).unwrap_or(0)
}

/// What the library says when it can't draw.
pub(super) fn refused(error: impl std::fmt::Display) -> EvaluationError {
    EvaluationError::Drawing(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dashes_cover_the_line_in_turn() {
        // 10 pixels of 4 units, in strokes of 2 and gaps of 3 pixels.
        let parts = broken(&[(0, 0), (24, 0), (40, 0)], &[2.0, 3.0]);
        assert_eq!(parts, [vec![(0, 0), (8, 0)], vec![(20, 0), (24, 0), (28, 0)]]);
        assert_eq!(broken(&[(0, 0), (4, 4)], &[]), [vec![(0, 0), (4, 4)]]);
    }

    #[test]
    fn thinning_keeps_both_ends() {
        let line: Vec<Place> = (0..100).map(|x| (x / 10, 0)).collect();
        let kept = thinned(&line);
        assert_eq!((kept.first(), kept.last()), (line.first(), line.last()));
        assert!(kept.len() < 8);
    }
}
