//! Scores of each group in a small plot of its own, all on the same axes: what one plot of all groups would hide.

use plotters::coord::ranged1d::Ranged;
use plotters::drawing::IntoDrawingArea;
use plotters::element::{PathElement, Polygon, Text};
use plotters::prelude::SVGBackend;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::axis::Axis;
use super::frame::{Area, Curve, bold, refused, stroke, text, units};
use super::style::{FINE_GRID, GRID, INK, LETTERS, Style, UNIT, WIDTH, style, text_width};
use super::{Figure, legend, rule};
use crate::base::limits::REPORT_COLUMNS_MAX;
use crate::base::text::thousands;
use crate::evaluation::EvaluationError;
use crate::evaluation::report::words;
use crate::evaluation::results::{Evaluation, GroupHistograms, GroupScores};

const TITLE: &str = "Comparison scores by group";
/// People of a kind of search below which a group's scores are not drawn: their outline would be noise.
const PEOPLE_MIN: u64 = 30;
/// Panels of one figure, which is not parted over pages.
const PANELS: usize = 12;
/// Figures of one column.
const FIGURES_MAX: usize = 2;
/// Panels side by side.
const COLUMNS: usize = 3;
/// Left of the panels: labels and name of the axis upwards.
const LEFT: i32 = 66;
/// Between panels, across.
const GAP: i32 = 16;
/// Above the first row.
const TOP: i32 = 18;
/// Above a panel: the group and its counts.
const HEADING: i32 = 46;
/// Height of a panel.
const HEIGHT: i32 = 104;
/// Below a row.
const BELOW: i32 = 10;
/// Below the last row: labels and name of the axis across.
const AXIS: i32 = 34;

/// Small plots for each group column.
pub(super) fn by_group(evaluation: &Evaluation) -> Result<Vec<Figure>, EvaluationError> {
    let mut figures = Vec::new();
    for (number, column) in evaluation.group_histograms.iter().take(REPORT_COLUMNS_MAX).enumerate() {
        let title = format!("{TITLE}: {}", words::cut(&column.column, 40));
        let id = format!("scores-{}", number + 1);
        if !column.rows.iter().any(|row| is_drawn(row.mated_subjects) || is_drawn(row.non_mated_subjects)) {
            let why = format!("no group has {PEOPLE_MIN} people with mated or with non-mated searches.");
            figures.push(Figure::missing(&id, &title, &why));
            continue;
        }
        for (part, rows) in column.rows.chunks(PANELS).take(FIGURES_MAX).enumerate() {
            let id = if part == 0 { id.clone() } else { format!("{id}-{}", part + 1) };
            let title = if column.rows.len() > PANELS {
                format!("{title}, {} to {}", part * PANELS + 1, part * PANELS + rows.len())
            } else {
                title.clone()
            };
            figures.push(figure(evaluation, column, (&id, &title), (part * PANELS, rows))?);
        }
    }
    if figures.is_empty() {
        let why = "there is no group column, or the results are of a version that did not count scores by group.";
        figures.push(Figure::missing("scores-by-group", TITLE, why));
    }
    Ok(figures)
}

fn is_drawn(people: u64) -> bool {
    people >= PEOPLE_MIN
}

fn figure(
    evaluation: &Evaluation,
    column: &GroupHistograms,
    (id, title): (&str, &str),
    (first, rows): (usize, &[GroupScores]),
) -> Result<Figure, EvaluationError> {
    let rule = rule(evaluation);
    let panels = Panels::new(column, rows, first, rule.map(|(threshold, _)| threshold));
    let of_rule = rule.map_or_else(String::new, |(threshold, target)| {
        format!(" The upright line is T = {} for FPIR {} over all.", words::score(threshold), words::target(target))
    });
    let (shown, all) = (first + rows.len(), column.rows.len());
    let rest = if shown == PANELS * FIGURES_MAX && shown < all {
        format!(" Groups beyond the first {shown} of {all} are not drawn; evaluation.json has all.")
    } else {
        String::new()
    };
    let caption = format!(
        "Share of a group's searches in each bin of {}, on a logarithmic axis that all groups share; empty bins reach down to the \
         axis. Each group's own number of searches stands above it, and the people behind them. Scores of fewer than {PEOPLE_MIN} \
         people are not drawn. Groups whose outlines lie further left or right get other error rates at one threshold; table 6 \
         says whether that is more than chance.{of_rule}{rest}",
        words::figure(column.width),
    );
    let said = rows.iter().map(|row| described(column, row)).collect::<Vec<_>>().join(" ");
    Ok(Figure::drawn(id, title, panels.draw(evaluation.identity.synthetic)?, said, caption))
}

/// "1,204 (602 people)", or why nothing is drawn.
fn counted(counts: &[u64], people: u64) -> String {
    let searches: u64 = counts.iter().sum();
    if is_drawn(people) {
        format!("{} ({})", thousands(searches), words::counted(people, "person", "people"))
    } else {
        format!("too few ({})", words::counted(people, "person", "people"))
    }
}

fn described(column: &GroupHistograms, row: &GroupScores) -> String {
    let kinds = [("mated", &row.mated, row.mated_subjects), ("non-mated", &row.non_mated_best, row.non_mated_subjects)];
    let of = |(name, counts, people): (&str, &Vec<u64>, u64)| {
        let most = counts.iter().enumerate().max_by_key(|(_, count)| **count).map_or(0, |(bin, _)| bin);
        let at = words::score(column.from + most as f64 * column.width);
        let most = if is_drawn(people) { format!(", most in the bin from {at}") } else { String::new() };
        format!("{name} {}{most}", counted(counts, people))
    };
    format!("{}: {}.", words::cut(&row.value, 60), kinds.map(of).join("; "))
}

/// Panels on common axes.
struct Panels<'r> {
    column: &'r GroupHistograms,
    rows: &'r [GroupScores],
    /// Number of the first group, less one.
    first: usize,
    rule: Option<f64>,
    across: usize,
    wide: i32,
    x: Axis,
    y: Axis,
}

/// Where a panel lies, in units.
#[derive(Clone, Copy)]
struct Place {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

/// The counts that are drawn, each with its style.
fn drawn(row: &GroupScores) -> impl Iterator<Item = (&[u64], Style)> {
    let kinds = [(&row.mated, row.mated_subjects, style(0)), (&row.non_mated_best, row.non_mated_subjects, style(1))];
    kinds.into_iter().filter(|(_, people, _)| is_drawn(*people)).map(|(counts, _, style)| (counts.as_slice(), style))
}

/// Shares of all that was counted.
fn shares(counts: &[u64]) -> Vec<f64> {
    let all: u64 = counts.iter().sum();
    counts.iter().map(|count| *count as f64 / all.max(1) as f64).collect()
}

impl<'r> Panels<'r> {
    fn new(column: &'r GroupHistograms, rows: &'r [GroupScores], first: usize, rule: Option<f64>) -> Self {
        let all = || column.rows.iter().flat_map(drawn);
        let edge = |bin: usize| column.from + bin as f64 * column.width;
        let ends = all().flat_map(|(counts, _)| {
            let first = counts.iter().position(|count| *count > 0);
            let last = counts.iter().rposition(|count| *count > 0).map(|bin| bin + 1);
            first.into_iter().chain(last).map(edge)
        });
        let ends: Vec<f64> = ends.chain(rule).collect();
        let heights: Vec<f64> = all().flat_map(|(counts, _)| shares(counts)).filter(|share| *share > 0.0).collect();
        // Four stand in a square.
        let across = if rows.len() == 4 { 2 } else { rows.len().clamp(1, COLUMNS) };
        let wide = (WIDTH - LEFT - 14 - (across as i32 - 1) * GAP) / across as i32;
        let x = Axis::linear("comparison score", ends.iter().copied());
        let y = Axis::rates("share of searches", heights.iter().copied(), None);
        Self { column, rows, first, rule, across, wide, x, y }
    }

    fn place(&self, index: usize) -> Place {
        let (row, column) = ((index / self.across) as i32, (index % self.across) as i32);
        let left = LEFT + column * (self.wide + GAP);
        let top = TOP + row * (HEADING + HEIGHT + BELOW) + HEADING;
        Place { left: left * UNIT, top: top * UNIT, right: (left + self.wide) * UNIT, bottom: (top + HEIGHT) * UNIT }
    }

    fn draw(&self, synthetic: bool) -> Result<String, EvaluationError> {
        let rows = self.rows.len().div_ceil(self.across) as i32;
        let below = TOP + rows * (HEADING + HEIGHT + BELOW) + AXIS;
        let names = [("score with the mate", 0), ("highest score of a non-mated search", 1)];
        let samples = names.map(|(name, number)| Curve::line(name, style(number), vec![(0.0, 0.0), (1.0, 0.0)]));
        let entries = legend::lay_out(&samples);
        let mut drawing = String::new();
        {
            let height = below + legend::height(&entries);
            let root = SVGBackend::with_string(&mut drawing, (units(WIDTH), units(height))).into_drawing_area();
            for (index, row) in self.rows.iter().enumerate() {
                self.panel(&root, index, row)?;
            }
            for entry in &entries {
                entry.draw(&root, below * UNIT)?;
            }
            let upright = text(LETTERS + 0.5, INK)
                .transform(plotters::style::FontTransform::Rotate270)
                .pos(Pos::new(HPos::Center, VPos::Top));
            let middle = (TOP + rows * (HEADING + HEIGHT + BELOW) / 2) * UNIT;
            root.draw(&Text::new(self.y.title.as_str(), (2 * UNIT, middle), upright)).map_err(refused)?;
            let level = text(LETTERS + 0.5, INK).pos(Pos::new(HPos::Center, VPos::Bottom));
            let place = (i32::midpoint(LEFT, WIDTH) * UNIT, (below + 2) * UNIT);
            root.draw(&Text::new(self.x.title.as_str(), place, level)).map_err(refused)?;
            if synthetic {
                let style = bold(LETTERS, INK).pos(Pos::new(HPos::Right, VPos::Top));
                root.draw(&Text::new("SYNTHETIC", ((WIDTH - 16) * UNIT, 2 * UNIT), style)).map_err(refused)?;
            }
            root.present().map_err(refused)?;
        }
        Ok(drawing)
    }

    fn panel(&self, root: &Area<'_>, index: usize, row: &GroupScores) -> Result<(), EvaluationError> {
        let place = self.place(index);
        self.heading(root, place, index, row)?;
        self.grid(root, place, index)?;
        let none = drawn(row).next().is_none();
        for (counts, style) in drawn(row) {
            self.outline(root, place, counts, style)?;
        }
        if let Some(at) = self.rule.filter(|_| !none) {
            let x = self.x.map(&at, (place.left, place.right));
            stroke(root, &[(x, place.top), (x, place.bottom)], &[4.0, 3.0], INK.stroke_width(3))?;
        }
        if none {
            let style = text(LETTERS - 1.0, INK).pos(Pos::new(HPos::Center, VPos::Center));
            let middle = (i32::midpoint(place.left, place.right), i32::midpoint(place.top, place.bottom));
            root.draw(&Text::new("too few people", middle, style)).map_err(refused)?;
        }
        let frame = [(place.left, place.top), (place.left, place.bottom), (place.right, place.bottom)];
        root.draw(&PathElement::new(frame.to_vec(), INK.stroke_width(4))).map_err(refused)
    }

    fn heading(&self, root: &Area<'_>, place: Place, index: usize, row: &GroupScores) -> Result<(), EvaluationError> {
        let name = format!("{} {}", self.first + index + 1, row.value);
        let mut letters = 48;
        while letters > 4 && text_width(&words::cut(&name, letters), LETTERS) > f64::from(self.wide) {
            letters -= 1;
        }
        let lines = [
            (bold(LETTERS, INK), words::cut(&name, letters)),
            (text(LETTERS - 1.5, INK), format!("mated {}", counted(&row.mated, row.mated_subjects))),
            (text(LETTERS - 1.5, INK), format!("non-mated {}", counted(&row.non_mated_best, row.non_mated_subjects))),
        ];
        for ((style, line), down) in lines.into_iter().zip([0, 15, 28]) {
            let top = place.top + (down - HEADING + 4) * UNIT;
            let style = style.pos(Pos::new(HPos::Left, VPos::Top));
            root.draw(&Text::new(line, (place.left, top), style)).map_err(refused)?;
        }
        Ok(())
    }

    /// Grid lines, and labels where the panel stands at the edge of all.
    fn grid(&self, root: &Area<'_>, place: Place, index: usize) -> Result<(), EvaluationError> {
        let (leftmost, lowest) = (index.is_multiple_of(self.across), index + self.across >= self.rows.len());
        let mut free = place.left - GAP * UNIT;
        for tick in self.x.ticks() {
            let x = self.x.map(&tick, (place.left, place.right));
            root.draw(&PathElement::new(vec![(x, place.top), (x, place.bottom)], FINE_GRID.stroke_width(2)))
                .map_err(refused)?;
            let label = self.x.label(tick);
            let half = (text_width(&label, LETTERS - 1.0) / 2.0).ceil() as i32 * UNIT;
            if lowest && x - half >= free && x + half <= place.right + GAP / 2 * UNIT {
                let style = text(LETTERS - 1.0, INK).pos(Pos::new(HPos::Center, VPos::Top));
                root.draw(&Text::new(label, (x, place.bottom + 4 * UNIT), style)).map_err(refused)?;
                free = x + half + 6 * UNIT;
            }
        }
        let mut free = place.bottom + 12 * UNIT;
        for tick in self.y.ticks() {
            let y = self.y.map(&tick, (place.bottom, place.top));
            root.draw(&PathElement::new(vec![(place.left, y), (place.right, y)], GRID.stroke_width(2)))
                .map_err(refused)?;
            if leftmost && y + 6 * UNIT <= free {
                let style = text(LETTERS - 1.0, INK).pos(Pos::new(HPos::Right, VPos::Center));
                root.draw(&Text::new(self.y.label(tick), (place.left - 5 * UNIT, y), style)).map_err(refused)?;
                free = y - 7 * UNIT;
            }
        }
        Ok(())
    }

    /// The outline of one histogram; that of the mates is filled, so that the two differ in grey.
    fn outline(&self, root: &Area<'_>, place: Place, counts: &[u64], style: Style) -> Result<(), EvaluationError> {
        let across = |bin: usize| {
            let edge = self.column.from + bin as f64 * self.column.width;
            self.x.map(&edge, (place.left, place.right))
        };
        let Some(first) = counts.iter().position(|count| *count > 0) else { return Ok(()) };
        let last = counts.iter().rposition(|count| *count > 0).unwrap_or(first);
        let mut line = vec![(across(first), place.bottom)];
        for (bin, share) in shares(counts).into_iter().enumerate().take(last + 1).skip(first) {
            let y = if share > 0.0 { self.y.map(&share, (place.bottom, place.top)) } else { place.bottom };
            line.extend([(across(bin), y), (across(bin + 1), y)]);
        }
        line.push((across(last + 1), place.bottom));
        if style.dashes.is_empty() {
            root.draw(&Polygon::new(line.clone(), style.colour.mix(0.18).filled())).map_err(refused)?;
        }
        stroke(root, &line, style.dashes, style.colour.stroke_width(style.stroke))?;
        Ok(())
    }
}
