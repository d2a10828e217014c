//! Which groups are taken for which: a map of false candidates, rows the probes' groups, columns the gallery's.

use plotters::drawing::IntoDrawingArea;
use plotters::element::{PathElement, Rectangle, Text};
use plotters::prelude::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor};

use super::Figure;
use super::frame::{Area, bold, refused, text, units};
use super::style::{GRID, INK, LETTERS, UNIT, WIDTH, text_width};
use crate::base::limits::{REPORT_COLUMNS_MAX, REPORT_GROUPS_MAX};
use crate::evaluation::EvaluationError;
use crate::evaluation::report::words;
use crate::evaluation::results::{Cell, Evaluation, HeatMap};

const TITLE: &str = "False candidates between groups";
/// Above the cells: the columns' numbers and what they are.
const TOP: i32 = 44;
/// Below them: the scale.
const SCALE: i32 = 62;
/// Side of a cell from which on it has room for a number.
const NUMBERED: i32 = 22;
/// Left of the cells: a row's number.
const NUMBER: i32 = 34;
/// Steps of the scale.
const STEPS: i32 = 5;
/// Width of a step.
const BOX: i32 = 58;
/// Where what is said beside the scale begins.
const LEGEND: i32 = 44 + STEPS * BOX;
/// Letters below the cells.
const SMALLER: f64 = LETTERS - 0.5;
/// Groups from which names are set smaller, to leave room for cells.
const MANY: usize = 24;
/// Letters of a row's name.
const NAME_LETTERS: usize = 26;

/// One map for each group column.
pub(super) fn maps(evaluation: &Evaluation) -> Result<Vec<Figure>, EvaluationError> {
    let maps = evaluation.heat_maps.iter().take(REPORT_COLUMNS_MAX).enumerate();
    let figures: Result<Vec<Figure>, EvaluationError> =
        maps.map(|(number, map)| figure(evaluation, &format!("heat-{}", number + 1), map)).collect();
    let mut figures = figures?;
    if figures.is_empty() {
        let why = "the manifest has no group column, or no threshold could be chosen from non-mated searches.";
        figures.push(Figure::missing("heat", TITLE, why));
    }
    Ok(figures)
}

fn figure(evaluation: &Evaluation, id: &str, map: &HeatMap) -> Result<Figure, EvaluationError> {
    let title = format!("{TITLE}: {}", words::cut(&map.column, 40));
    if map.cells.is_empty() {
        return Ok(Figure::missing(id, &title, "these results are of an earlier version, which counted otherwise."));
    }
    if map.cells.iter().flatten().flatten().next().is_none() {
        return Ok(Figure::missing(id, &title, "no group has non-mated searches."));
    }
    let grid = Grid::new(map);
    let count = map.values.len();
    let events: u64 = map.cells.iter().flatten().flatten().map(|cell| cell.events).sum();
    let caption = format!(
        "Candidates at or above T = {} in non-mated searches of a row's group, for each comparison with a reference of a column's group: \
         cells may be held side by side however many of a group are enrolled. The diagonal being darker means that people are taken \
         for others of their own group. {} in all; counts are in evaluation.json. No intervals are shown: cells rest on few \
         events.{}{}",
        words::score(map.threshold),
        words::counted(events, "candidate", "candidates"),
        if map.cut_lists > 0 {
            format!(
                " {} full of candidates at or above T: there the counts are lower bounds.",
                words::counted(map.cut_lists, "list is", "lists are")
            )
        } else {
            String::new()
        },
        if grid.side < count {
            format!(" The first {} of {count} groups are drawn; evaluation.json has all.", grid.side)
        } else {
            String::new()
        }
    );
    Ok(Figure::drawn(id, &title, grid.draw(evaluation.identity.synthetic)?, described(map), caption))
}

fn described(map: &HeatMap) -> String {
    let cells = map.cells.iter().enumerate().flat_map(|(row, cells)| {
        cells.iter().enumerate().filter_map(move |(column, cell)| cell.map(|cell| (row, column, cell.rate())))
    });
    let highest = cells.clone().max_by(|one, other| one.2.total_cmp(&other.2));
    let zeros = cells.clone().filter(|cell| cell.2 == 0.0).count();
    let name = |index: usize| words::cut(map.values.get(index).map_or("", String::as_str), 60);
    highest.map_or_else(String::new, |(row, column, rate)| {
        format!(
            "{} groups. The highest rate, {} for each comparison, is that of probes of {} with candidates of {}; {zeros} of {} cells are zero.",
            map.values.len(),
            words::figure(rate),
            name(row),
            name(column),
            cells.count()
        )
    })
}

/// Where the cells lie, in pixels, and how rates become shades.
struct Grid<'m> {
    map: &'m HeatMap,
    side: usize,
    left: i32,
    cell: i32,
    letters: f64,
    /// Logarithms of the smallest and largest rate above zero.
    ends: Option<(f64, f64)>,
    /// Comparisons that rates are given for, and in words.
    unit: (f64, &'static str),
}

/// Comparisons that rates may be given for.
const UNITS: [(f64, &str); 4] = [
    (1e3, "per 1,000 comparisons"),
    (1e6, "per million comparisons"),
    (1e9, "per 10⁹ comparisons"),
    (1e12, "per 10¹² comparisons"),
];

impl<'m> Grid<'m> {
    fn new(map: &'m HeatMap) -> Self {
        let side = map.values.len().min(REPORT_GROUPS_MAX);
        let letters = if side > MANY { LETTERS * 0.75 } else { LETTERS };
        let names = map.values.iter().take(side).map(|name| text_width(&words::cut(name, NAME_LETTERS), letters));
        let left = 64 + names.fold(0.0, f64::max).ceil() as i32;
        let cell = ((WIDTH - left - 16) / side.max(1) as i32).clamp(6, 52);
        let rates = map.cells.iter().flatten().flatten().map(Cell::rate).filter(|rate| *rate > 0.0);
        let ends = rates.map(f64::log10).fold(None, |found: Option<(f64, f64)>, rate| {
            let (low, high) = found.unwrap_or((rate, rate));
            Some((low.min(rate), high.max(rate)))
        });
        // The largest rate has a digit before the point.
        let fits = |unit: &&(f64, &str)| ends.is_none_or(|(_, most)| most + unit.0.log10() >= 0.0);
        let unit = UNITS.iter().find(fits).copied().unwrap_or(UNITS[3]);
        Self { map, side, left, cell, letters: letters.min(f64::from(cell) * 0.85), ends, unit }
    }

    /// From light to dark blue; darker in grey too, and even the lightest apart from white.
    fn shade(&self, rate: f64) -> RGBColor {
        let Some((low, high)) = self.ends.filter(|_| rate > 0.0) else { return RGBColor(255, 255, 255) };
        let share = if high > low { ((rate.log10() - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 };
        let mix = |light: f64, dark: f64| (light + (dark - light) * share).round() as u8;
        RGBColor(mix(205.0, 8.0), mix(223.0, 48.0), mix(241.0, 107.0))
    }

    fn draw(&self, synthetic: bool) -> Result<String, EvaluationError> {
        let bottom = TOP + self.side as i32 * self.cell;
        let mut drawing = String::new();
        {
            let root = SVGBackend::with_string(&mut drawing, (units(WIDTH), units(bottom + SCALE))).into_drawing_area();
            self.names(&root)?;
            for row in 0..self.side {
                for column in 0..self.side {
                    self.cell(&root, row, column)?;
                }
            }
            self.scale(&root, bottom + 14)?;
            if synthetic {
                let style = bold(LETTERS, INK).pos(Pos::new(HPos::Right, VPos::Top));
                root.draw(&Text::new("SYNTHETIC", ((WIDTH - 16) * UNIT, 2 * UNIT), style)).map_err(refused)?;
            }
            root.present().map_err(refused)?;
        }
        Ok(drawing)
    }

    fn names(&self, root: &Area<'_>) -> Result<(), EvaluationError> {
        let heading = text(LETTERS, INK).pos(Pos::new(HPos::Left, VPos::Top));
        let words_above = "columns: group of the gallery's people, by the rows' numbers";
        root.draw(&Text::new(words_above, (self.left * UNIT, 2 * UNIT), heading)).map_err(refused)?;
        for (index, name) in self.map.values.iter().take(self.side).enumerate() {
            let middle = (index as i32 * self.cell) + self.cell / 2;
            let row = text(self.letters, INK).pos(Pos::new(HPos::Right, VPos::Center));
            // Numbers in bold and in a column of their own: names may end in a number.
            let number = bold(self.letters, INK).pos(Pos::new(HPos::Right, VPos::Center));
            let height = (TOP + middle) * UNIT;
            let place = ((self.left - 6) * UNIT, height);
            root.draw(&Text::new((index + 1).to_string(), place, number)).map_err(refused)?;
            let place = ((self.left - NUMBER) * UNIT, height);
            root.draw(&Text::new(words::cut(name, NAME_LETTERS), place, row)).map_err(refused)?;
            // Narrow columns: every fifth number fits.
            if self.cell >= 16 || index == 0 || (index + 1).is_multiple_of(5) {
                let column = bold(self.letters, INK).pos(Pos::new(HPos::Center, VPos::Bottom));
                let place = ((self.left + middle) * UNIT, (TOP - 4) * UNIT);
                root.draw(&Text::new((index + 1).to_string(), place, column)).map_err(refused)?;
            }
        }
        Ok(())
    }

    fn cell(&self, root: &Area<'_>, row: usize, column: usize) -> Result<(), EvaluationError> {
        let rate =
            self.map.cells.get(row).and_then(|cells| cells.get(column)).copied().flatten().map(|cell| cell.rate());
        let (left, top) = ((self.left + column as i32 * self.cell) * UNIT, (TOP + row as i32 * self.cell) * UNIT);
        let (right, bottom) = (left + self.cell * UNIT, top + self.cell * UNIT);
        let colour = rate.map_or(RGBColor(255, 255, 255), |rate| self.shade(rate));
        root.draw(&Rectangle::new([(left, top), (right, bottom)], colour.filled())).map_err(refused)?;
        let outline = vec![(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        root.draw(&PathElement::new(outline, GRID.stroke_width(2))).map_err(refused)?;
        let said = match rate {
            None => "×".to_owned(),
            Some(0.0) => "0".to_owned(),
            Some(rate) => words::short(rate * self.unit.0),
        };
        let size = (LETTERS - 1.5).min(f64::from(self.cell - 6) / text_width(&said, 1.0));
        // Numbers in some cells and not in others would look like a pattern: where cells are small there are none.
        if size >= 6.5 && (rate.is_none() || self.cell >= NUMBERED) {
            let RGBColor(red, ..) = colour;
            let ink = if red <= 100 { RGBColor(255, 255, 255) } else { INK };
            let style = text(size, ink).pos(Pos::new(HPos::Center, VPos::Center));
            let place = (i32::midpoint(left, right), i32::midpoint(top, bottom));
            root.draw(&Text::new(said, place, style)).map_err(refused)?;
        }
        Ok(())
    }

    /// Boxes from the smallest to the largest rate, and what else a cell can be.
    fn scale(&self, root: &Area<'_>, top: i32) -> Result<(), EvaluationError> {
        let style = |anchor| text(SMALLER, INK).pos(Pos::new(anchor, VPos::Top));
        let (left, wide, high) = (20, BOX, 14);
        if let Some((low, most)) = self.ends {
            let steps = if most > low { STEPS } else { 1 };
            for step in 0..steps {
                let rate = 10_f64.powf(low + (most - low) * f64::from(step) / f64::from((steps - 1).max(1)));
                let x = (left + step * wide) * UNIT;
                let corners = [(x, top * UNIT), (x + wide * UNIT, (top + high) * UNIT)];
                root.draw(&Rectangle::new(corners, self.shade(rate).filled())).map_err(refused)?;
                let place = (x + wide * UNIT / 2, (top + high + 5) * UNIT);
                root.draw(&Text::new(words::short(rate * self.unit.0), place, style(HPos::Center))).map_err(refused)?;
            }
        }
        let place = (LEGEND * UNIT, (top + 1) * UNIT);
        root.draw(&Text::new(legend(self.unit.1), place, style(HPos::Left))).map_err(refused)
    }
}

fn legend(unit: &str) -> String {
    format!("{unit}; white: none seen; ×: not compared")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_legend_has_room_in_every_unit() {
        for (_, unit) in UNITS {
            let end = f64::from(LEGEND) + text_width(&legend(unit), SMALLER);
            assert!(end <= f64::from(WIDTH), "{unit}: {end}");
        }
    }
}
