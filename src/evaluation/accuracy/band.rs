//! How far a detection error trade-off is known: a pointwise band by bootstrap over people.
//!
//! Two intervals of FPIR at a fixed threshold: people searched for drawn anew, each with all their searches; and these and the
//! people returned first, both sides by themselves (see [`crossed`]), which shows what one enrolled person who attracts many
//! probes adds. Two of FNIR at a fixed FPIR: in each replicate the threshold is chosen anew, as an evaluator with those people
//! would have chosen it, so that the uncertainty of the threshold is in it. A mated search belongs to one person, who is both
//! searched for and enrolled. A false positive is put to the account of the first candidate alone, and ranks stay as they were
//! in the whole gallery: a gallery drawn anew has a third fewer people, and other rates for that reason alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::dependence::Clustered;
use super::rates::{DetPoint, det, thinned};
use super::trials::{Kind, Rank, Threshold, View};
use crate::base::limits::BAND_DRAWS_MAX;
use crate::evaluation::EvaluationError;
use crate::evaluation::arithmetic::bootstrap::{Resampling, between};
use crate::evaluation::arithmetic::crossed;
use crate::evaluation::arithmetic::intervals::{Interval, Proportion};
use crate::evaluation::random::Stream;

/// Thresholds that replicates choose from.
const GRID: usize = 800;
/// Points of a band.
const POINTS: u16 = 60;
/// Replicates that are made however many searches there are.
const REPLICATES_MIN: u32 = 200;

/// A band along the trade-off.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Band {
    /// Seed and number of the replicates that were made.
    pub resampling: Resampling,
    /// People of mated searches.
    pub mated_subjects: usize,
    /// People of non-mated searches.
    pub non_mated_subjects: usize,
    /// People whom non-mated searches returned first.
    pub returned_subjects: usize,
    /// Along the curve, highest threshold first.
    pub points: Vec<Point>,
    /// At the thresholds that were asked for.
    pub marks: Vec<Point>,
}

/// One threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// What was counted at it.
    pub counted: DetPoint,
    /// FPIR at this threshold, people searched for drawn anew; `None` where it hardly varies ([`Clustered::is_varied`]).
    pub fpir: Option<Interval>,
    /// The same, people returned first drawn anew as well.
    pub fpir_two_way: Option<Interval>,
    /// FNIR at this FPIR, thresholds chosen anew, people searched for drawn anew.
    pub fnir: Option<Interval>,
    /// The same, people returned first drawn anew as well.
    pub fnir_two_way: Option<Interval>,
}

/// A search: its person, the person returned first, and the first place of the grid at which it counts.
struct Cell {
    person: usize,
    returned: Option<usize>,
    place: usize,
}

/// Numbers for people, from 0.
#[derive(Default)]
struct Numbers(BTreeMap<u32, usize>);

impl Numbers {
    fn of(&mut self, subject: u32) -> usize {
        let next = self.0.len();
        *self.0.entry(subject).or_insert(next)
    }

    fn times(&self) -> Vec<u32> {
        vec![0; self.0.len()]
    }
}

/// All searches as cells on a grid of thresholds.
struct Crossed {
    grid: Vec<DetPoint>,
    mated: Vec<Cell>,
    non_mated: Vec<Cell>,
    people: [Numbers; 3],
}

/// Sums of one replicate up to each place of the grid.
struct Sums {
    /// Mates found.
    found: Vec<u64>,
    /// False positives.
    returned: Vec<u64>,
    /// The same weighed two-way.
    returned_two_way: Vec<u64>,
}

impl Crossed {
    fn new(view: &View, rank: Rank, grid: Vec<DetPoint>) -> Self {
        let place = |score: Option<f32>| {
            score.map_or(grid.len(), |score| grid.partition_point(|point| point.threshold > score))
        };
        let (mut mated, mut non_mated) = (Vec::new(), Vec::new());
        let mut people = [Numbers::default(), Numbers::default(), Numbers::default()];
        let [of_mated, of_non_mated, of_returned] = &mut people;
        for (_, search) in view.searches() {
            match search.kind {
                Kind::Mated => {
                    let found = search.hit(rank, Threshold::NONE);
                    let score = search.mate.filter(|_| found).map(|mate| mate.score);
                    let person = of_mated.of(search.subject);
                    mated.push(Cell { person, returned: None, place: place(score) });
                }
                Kind::NonMated => {
                    let returned = search.candidates.first().map(|first| of_returned.of(first.subject));
                    let person = of_non_mated.of(search.subject);
                    non_mated.push(Cell { person, returned, place: place(search.top_score()) });
                }
            }
        }
        Self { grid, mated, non_mated, people }
    }

    /// Whether false positives and misses at a place of the grid are enough for drawing people anew.
    fn varied(&self, place: usize) -> [bool; 2] {
        let count = |cells: &[Cell], people: &Numbers, event: &dyn Fn(&Cell) -> bool| {
            let mut sums = vec![[0.0; 2]; people.0.len()];
            for cell in cells {
                if let Some([events, searches]) = sums.get_mut(cell.person) {
                    *events += f64::from(u8::from(event(cell)));
                    *searches += 1.0;
                }
            }
            Clustered::of(&sums).is_ok_and(|found| found.is_varied())
        };
        let [of_mated, of_non_mated, _] = &self.people;
        let false_positives = count(&self.non_mated, of_non_mated, &|cell| cell.place <= place);
        [false_positives, count(&self.mated, of_mated, &|cell| cell.place > place)]
    }

    /// One replicate; the last element of each sum is over all searches.
    fn replicate(&self, seed: u64, index: u64, times: &mut [Vec<u32>; 3]) -> Sums {
        let mut stream = Stream::new(seed, index);
        for side in times.iter_mut() {
            crossed::draw(&mut stream, side);
        }
        let [of_mated, of_non_mated, of_returned] = times;
        let drawn = |side: &[u32], number: usize| u64::from(side.get(number).copied().unwrap_or(0));
        let places = self.grid.len() + 1;
        let mut sums = Sums { found: vec![0; places], returned: vec![0; places], returned_two_way: vec![0; places] };
        let add = |sum: &mut [u64], place: usize, weight: u64| {
            if let Some(sum) = sum.get_mut(place) {
                *sum += weight;
            }
        };
        for cell in &self.mated {
            add(&mut sums.found, cell.place, drawn(of_mated, cell.person));
        }
        for cell in &self.non_mated {
            let weight = drawn(of_non_mated, cell.person);
            add(&mut sums.returned, cell.place, weight);
            let other = cell.returned.map_or(1, |number| drawn(of_returned, number));
            add(&mut sums.returned_two_way, cell.place, weight * other);
        }
        for sum in [&mut sums.found, &mut sums.returned, &mut sums.returned_two_way] {
            let mut so_far = 0;
            for one in sum.iter_mut() {
                so_far += *one;
                *one = so_far;
            }
        }
        sums
    }
}

/// FNIR of a replicate at a place of the grid; without one, at a threshold above all scores.
fn missed(found: &[u64], place: Option<usize>) -> Option<f64> {
    let all = *found.last()?;
    let found = place.map_or(0, |place| found.get(place).copied().unwrap_or(0));
    (all > 0).then(|| (all - found) as f64 / all as f64)
}

/// The last place of the grid at which a replicate's FPIR is no more than was counted.
fn chosen(returned: &[u64], counted: Proportion) -> Option<usize> {
    let all = u128::from(*returned.last()?);
    let on_grid = returned.get(..returned.len().checked_sub(1)?)?;
    let (events, trials) = (u128::from(counted.events()), u128::from(counted.trials()));
    on_grid.partition_point(|sum| u128::from(*sum) * trials <= events * all).checked_sub(1)
}

/// What all replicates have at one place.
#[derive(Default)]
struct Values {
    fpir: Vec<f64>,
    fpir_two_way: Vec<f64>,
    fnir: Vec<f64>,
    fnir_two_way: Vec<f64>,
}

impl Values {
    fn add(&mut self, sums: &Sums, place: usize, counted: Proportion) {
        let rate = |sum: &[u64]| {
            let all = *sum.last()?;
            (all > 0).then(|| sum.get(place).copied().unwrap_or(0) as f64 / all as f64)
        };
        self.fpir.extend(rate(&sums.returned));
        self.fpir_two_way.extend(rate(&sums.returned_two_way));
        self.fnir.extend(missed(&sums.found, chosen(&sums.returned, counted)));
        self.fnir_two_way.extend(missed(&sums.found, chosen(&sums.returned_two_way, counted)));
    }

    fn point(mut self, counted: DetPoint, [false_positives, misses]: [bool; 2], resampling: Resampling) -> Point {
        let both = false_positives && misses;
        let within = |values: &mut Vec<f64>, known: bool| {
            if known { between(values, resampling.coverage) } else { None }
        };
        Point {
            counted,
            fpir: within(&mut self.fpir, false_positives),
            fpir_two_way: within(&mut self.fpir_two_way, false_positives),
            fnir: within(&mut self.fnir, both),
            fnir_two_way: within(&mut self.fnir_two_way, both),
        }
    }
}

/// A band along the trade-off of a view, and at the thresholds of `marks`. Where there are very many searches fewer replicates
/// are made, [`REPLICATES_MIN`] at least; the band says how many. `tell` is told each replicate and their number, and may end it.
///
/// # Errors
/// Those of [`det`] and of `tell`, and [`EvaluationError::Figure`] for a number of replicates that is none.
pub fn band(
    view: &View,
    rank: Rank,
    marks: &[Threshold],
    resampling: Resampling,
    tell: &dyn Fn(u64, u64) -> Result<(), EvaluationError>,
) -> Result<Band, EvaluationError> {
    resampling.check()?;
    let all = det(view, rank)?;
    let mut grid = thinned(&all, GRID);
    for mark in marks {
        // At a score between two points both rates are those of the one above.
        let above = all.partition_point(|point| point.threshold >= mark.get());
        let at = above.checked_sub(1).and_then(|at| all.get(at));
        grid.extend(at.copied());
    }
    grid.sort_by(|one, other| other.threshold.total_cmp(&one.threshold));
    grid.dedup_by(|one, other| one.threshold == other.threshold);
    let crossed = Crossed::new(view, rank, grid);
    let cells = (crossed.mated.len() + crossed.non_mated.len()).max(1) as u64;
    let affordable = u32::try_from(BAND_DRAWS_MAX / cells).unwrap_or(u32::MAX).max(REPLICATES_MIN);
    let resampling = Resampling { replicates: resampling.replicates.min(affordable), ..resampling };
    let place = |mark: &Threshold| {
        let above = crossed.grid.partition_point(|point| point.threshold >= mark.get());
        above.checked_sub(1)
    };
    let along = spaced(&crossed.grid);
    let marked: Vec<usize> = marks.iter().filter_map(place).collect();
    let mut values: Vec<(usize, Values)> =
        along.iter().chain(&marked).map(|place| (*place, Values::default())).collect();
    let mut times = [crossed.people[0].times(), crossed.people[1].times(), crossed.people[2].times()];
    let replicates = u64::from(resampling.replicates);
    for index in 0..replicates {
        tell(index, replicates)?;
        let sums = crossed.replicate(resampling.seed, index, &mut times);
        for (place, values) in &mut values {
            if let Some(point) = crossed.grid.get(*place) {
                values.add(&sums, *place, point.fpir);
            }
        }
    }
    let points = values.into_iter().filter_map(|(place, values)| {
        let counted = *crossed.grid.get(place)?;
        Some(values.point(counted, crossed.varied(place), resampling))
    });
    let mut points: Vec<Point> = points.collect();
    let marks = points.split_off(along.len());
    let [mated_subjects, non_mated_subjects, returned_subjects] = times.map(|side| side.len());
    Ok(Band { resampling, mated_subjects, non_mated_subjects, returned_subjects, points, marks })
}

/// Places of the grid at about equal steps of the logarithm of FPIR.
fn spaced(grid: &[DetPoint]) -> Vec<usize> {
    let most = grid.last().map_or(0, |point| point.fpir.events());
    let wanted = (0..=POINTS).map(|step| (most.max(1) as f64).powf(f64::from(step) / f64::from(POINTS)).round() as u64);
    // Of the points with one FPIR the last has the lowest threshold, and finds most.
    let mut places: Vec<usize> = wanted
        .filter_map(|events| grid.partition_point(|point| point.fpir.events() <= events).checked_sub(1))
        .collect();
    places.dedup();
    places
}

#[cfg(test)]
mod tests;
