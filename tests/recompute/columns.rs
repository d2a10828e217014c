//! Tables 5, 6 and 8, recomputed from `probes.csv` and `pairs.csv`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::document::Element;
use super::groups::{Seen, differences};
use super::{rows, says};

/// A file's rows by the names of its columns.
fn file(path: &Path) -> Vec<Row> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let head = reader.headers().unwrap().clone();
    let named = |row: &csv::StringRecord| -> Row {
        head.iter().zip(row).map(|(name, cell)| (name.to_owned(), cell.to_owned())).collect()
    };
    reader.records().map(|row| named(&row.unwrap())).collect()
}

type Row = BTreeMap<String, String>;

fn number(row: &Row, name: &str) -> Option<f64> {
    Some(row[name].as_str()).filter(|cell| !cell.is_empty()).map(|cell| cell.parse().unwrap())
}

/// A score; those of the product are of 32 bits.
fn score(row: &Row, name: &str) -> Option<f64> {
    Some(row[name].as_str()).filter(|cell| !cell.is_empty()).map(|cell| f64::from(cell.parse::<f32>().unwrap()))
}

/// Which tenth, third, ... of a measure a search is in, from 0: parts of equal size, equal values together.
fn parts(all: &[Row], measure: &str, count: usize) -> Vec<Option<usize>> {
    let values: Vec<Option<f64>> = all.iter().map(|row| number(row, measure)).collect();
    let mut sorted: Vec<f64> = values.iter().copied().flatten().collect();
    sorted.sort_by(f64::total_cmp);
    let ends = (1..=count).filter_map(|part| (sorted.len() * part / count).checked_sub(1)).map(|last| sorted[last]);
    let mut ends: Vec<f64> = ends.collect();
    ends.dedup();
    values.into_iter().map(|value| value.map(|value| ends.iter().filter(|end| **end < value).count())).collect()
}

/// Tables 5 and 6. The threshold of a table is that of `evaluation.json`. Gives how many figures were held against the page.
pub(crate) fn breakdowns(page: &Element, found: &Path) -> usize {
    let whole = file(&found.join("probes.csv"));
    let results: Value = serde_json::from_slice(&fs_err::read(found.join("evaluation.json")).unwrap()).unwrap();
    let (mut held, mut seen) = (0, Seen::default());
    for table in results["breakdowns"].as_array().unwrap() {
        let name = table["column"].as_str().unwrap();
        let (part, column) = match table["kind"].as_str().unwrap() {
            "probe_type" => ("table-5", "kind".to_owned()),
            "quality" => ("table-5", format!("quality: {name}")),
            _ => ("table-6", format!("group: {name}")),
        };
        // A table of one kind of probes is of these alone.
        let kind = table["probe_kind"].as_str();
        let title = kind.map_or_else(|| name.to_owned(), |kind| format!("{name} ({kind})"));
        let all: Vec<Row> = whole.iter().filter(|row| kind.is_none_or(|kind| row["kind"] == kind)).cloned().collect();
        let printed = rows(page, part, &format!("By {title}; "));
        // One name a search: of the tenth, or the value.
        let of_quality = column.starts_with("quality: ") && table["kind"] == "quality";
        let tenths = if of_quality { parts(&all, &column, 10) } else { Vec::new() };
        let label = |index: usize| {
            let tenth = tenths.get(index).copied().flatten().map(|tenth| format!("{tenth:02}"));
            if of_quality { tenth } else { Some(all[index][&column].clone()).filter(|value| !value.is_empty()) }
        };
        let mut searches: BTreeMap<String, Vec<&Row>> = BTreeMap::new();
        for (index, row) in all.iter().enumerate() {
            searches.entry(label(index).unwrap_or_default()).or_default().push(row);
        }
        searches.remove("");
        assert_eq!(printed.len(), searches.len(), "{name}");
        let of_rows = || table["rows"].as_array().unwrap().iter().map(|row| row["value"].as_str().unwrap().to_owned());
        let values: Vec<String> = if of_quality { searches.keys().cloned().collect() } else { of_rows().collect() };
        let fpir_at = table["threshold"].as_f64().expect("a threshold");
        let fnir_at = table["fnir_at"][0].as_f64().unwrap_or(fpir_at);
        for (cells, value) in printed.iter().zip(values) {
            held += of_part(cells, &searches[&value], (fnir_at, fpir_at));
        }
        if part == "table-6" {
            let rates = |which: usize| {
                let of = |of: &[&Row]| {
                    let (searches, event) = &events(of, (fnir_at, fpir_at))[which];
                    let events = searches.iter().filter(|row| event(row)).count();
                    (!searches.is_empty()).then(|| events as f64 / searches.len() as f64)
                };
                searches.iter().filter_map(|(value, rows)| Some((value.clone(), of(rows)?))).collect()
            };
            held += differences(page, table, &title, [rates(1), rates(2)], &mut seen);
        }
    }
    held
}

/// What is counted.
type Event = Box<dyn Fn(&Row) -> bool>;

/// What the cells of one value of a column count, and among which searches.
fn events<'r>(of: &[&'r Row], (fnir_at, fpir_at): (f64, f64)) -> Vec<(Vec<&'r Row>, Event)> {
    let is = |row: &Row, name: &str| row[name] == "true";
    let found = move |row: &Row, at: f64| {
        number(row, "mate_rank").is_some() && score(row, "mate_score").is_some_and(|found| found >= at)
    };
    let returns = move |row: &Row| score(row, "best_score").is_some_and(|found| found >= fpir_at);
    let mated: Vec<&Row> = of.iter().copied().filter(|row| is(row, "mated")).collect();
    let non_mated: Vec<&Row> = of.iter().copied().filter(|row| !is(row, "mated")).collect();
    vec![
        (mated.clone(), Box::new(move |row| !found(row, f64::NEG_INFINITY))),
        (mated.clone(), Box::new(move |row| !found(row, fnir_at))),
        (non_mated, Box::new(returns)),
        (of.to_vec(), Box::new(move |row| !is(row, "extracted"))),
        (mated, Box::new(move |row| !is(row, "mate_enrolled"))),
    ]
}

/// The cells of one value of a column; a cell that is empty rests on no search.
fn of_part(cells: &[&Element], of: &[&Row], at: (f64, f64)) -> usize {
    let wanted = events(of, at);
    // Where everybody's mate is enrolled there is no column of those who are not.
    assert!((wanted.len() - 1..=wanted.len()).contains(&cells.len()));
    let mut held = 0;
    for (cell, (searches, event)) in cells.iter().zip(wanted) {
        if searches.is_empty() {
            assert!(cell.figures().is_empty(), "{}", cell.text);
            continue;
        }
        held += 1;
        says(cell, &searches.iter().map(|row| (row["subject"].as_str(), event(row))).collect::<Vec<_>>());
    }
    held
}

/// A line from scores to log10 likelihood ratios, no further out than its bounds.
#[derive(Clone, Copy)]
struct Line {
    slope: f64,
    offset: f64,
    bounds: [f64; 2],
}

impl Line {
    fn of(json: &Value) -> Self {
        let number = |value: &Value| value.as_f64().unwrap();
        let [slope, offset] = [&json["slope"], &json["offset"]].map(number);
        Self { slope, offset, bounds: [&json["bounds"][0], &json["bounds"][1]].map(number) }
    }

    /// Likelihood ratio of a score.
    fn ratio(self, score: f64) -> f64 {
        10_f64.powf((self.slope * score + self.offset).clamp(self.bounds[0], self.bounds[1]))
    }
}

/// Ratios of mated pairs, and of non-mated ones.
type Ratios = [Vec<f64>; 2];

/// Cllr as Brümmer and du Preez have it.
fn cllr([mated, non_mated]: &Ratios) -> f64 {
    let mean =
        |of: &[f64], cost: &dyn Fn(f64) -> f64| of.iter().map(|ratio| cost(*ratio)).sum::<f64>() / of.len() as f64;
    f64::midpoint(mean(mated, &|ratio| (1.0 + 1.0 / ratio).log2()), mean(non_mated, &|ratio| (1.0 + ratio).log2()))
}

/// The least Cllr of any monotonous calibration: adjacent violators pooled.
fn least([mated, non_mated]: &Ratios) -> f64 {
    let mut all: Vec<(f64, f64, f64)> = Vec::new();
    all.extend(mated.iter().map(|ratio| (*ratio, 1.0 / mated.len() as f64, 0.0)));
    all.extend(non_mated.iter().map(|ratio| (*ratio, 0.0, 1.0 / non_mated.len() as f64)));
    all.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut blocks: Vec<(f64, f64)> = Vec::new();
    for tied in all.chunk_by(|one, other| one.0 == other.0) {
        let mut block = tied.iter().fold((0.0, 0.0), |sums, one| (sums.0 + one.1, sums.1 + one.2));
        while let Some(&(same, other)) = blocks.last() {
            if same / (same + other) < block.0 / (block.0 + block.1) {
                break;
            }
            block = (block.0 + same, block.1 + other);
            blocks.pop();
        }
        blocks.push(block);
    }
    let bits = |weight: f64, share: f64| if weight > 0.0 { -weight * share.log2() } else { 0.0 };
    let one = |&(same, other): &(f64, f64)| bits(same, same / (same + other)) + bits(other, other / (same + other));
    blocks.iter().map(one).sum::<f64>() / 2.0
}

/// Mean distance of stated and seen probability at even odds, over ten bins.
fn error(ratios: &Ratios) -> f64 {
    let mut off = [0.0; 10];
    for (of, seen) in ratios.iter().zip([1.0, 0.0]) {
        for ratio in of {
            let stated = ratio / (1.0 + ratio);
            off[((stated * 10.0) as usize).min(9)] += (stated - seen) / (2 * of.len()) as f64;
        }
    }
    off.iter().map(|distance: &f64| distance.abs()).sum()
}

/// The ratios of some pairs by the line of each pair's fold, or by one line.
fn ratios<'r>(pairs: impl Iterator<Item = &'r Row>, line: impl Fn(&Row) -> Line) -> Ratios {
    let mut found: Ratios = [Vec::new(), Vec::new()];
    for pair in pairs {
        let kind = usize::from(pair["mated"] == "false");
        found[kind].push(line(pair).ratio(score(pair, "score").unwrap()));
    }
    found
}

#[track_caller]
pub(crate) fn close(cell: &Element, wanted: f64) {
    let found = cell.figures()[0];
    assert!((found - wanted).abs() <= 1e-6 * wanted.abs().max(1.0), "{found} printed, {wanted} computed");
}

/// Table 8: what is shown of people who had no part in their line, and of the line itself. Gives how many thirds were fitted.
pub(crate) fn calibration(page: &Element, found: &Path) -> usize {
    let pairs = file(&found.join("pairs.csv"));
    let results: Value = serde_json::from_slice(&fs_err::read(found.join("evaluation.json")).unwrap()).unwrap();
    let result = &results["calibration"];
    a_person_is_in_one_fold(&pairs);
    let cells: Vec<&Element> = rows(page, "table-8", "log₁₀ LR").iter().map(|row| row[0]).collect();
    let whole = Line::of(result);
    assert_eq!((cells[0].figures()[0], cells[1].figures()[0]), (whole.slope, whole.offset));
    let crossed = ratios(pairs.iter(), |pair| of_fold(&result["folds"], pair));
    close(cells[2], cllr(&crossed));
    close(cells[3], least(&crossed));
    close(cells[4], cllr(&crossed) - least(&crossed));
    close(cells[7], cllr(&ratios(pairs.iter(), |_| whole)));
    close(cells[8], error(&crossed));
    let printed = rows(page, "table-8", "By thirds");
    let bands = results["calibration_bands"].as_array().unwrap();
    assert_eq!(printed.len(), bands.len());
    let (mut third, mut measure, mut fitted) = (0, "", 0);
    for (cells, band) in printed.iter().zip(bands) {
        let name = band["measure"].as_str().unwrap();
        third = if name == measure { third + 1 } else { 1 };
        measure = name;
        let of = || pairs.iter().filter(|pair| pair[&format!("third: {measure}")] == third.to_string());
        let strangers = of().filter(|pair| pair["mated"] == "false").count();
        assert_eq!(cells[1].figures(), [strangers as f64]);
        let mates = of().filter(|pair| pair["mated"] == "true").count();
        assert!(cells[0].text.contains(&format!("{mates}, ")), "{} without {mates}", cells[0].text);
        if band["fitted"].is_null() {
            continue;
        }
        fitted += 1;
        let folds = &band["fitted"]["folds"];
        let line = |pair: &Row| if folds[0].is_null() { Line::of(&band["fitted"]) } else { of_fold(folds, pair) };
        close(cells[4], cllr(&ratios(of(), line)));
        close(cells[5], least(&ratios(of(), line)));
    }
    fitted
}

fn of_fold(folds: &Value, pair: &Row) -> Line {
    Line::of(&folds[pair["fold"].parse::<usize>().unwrap() - 1])
}

fn a_person_is_in_one_fold(pairs: &[Row]) {
    let mut of_person: BTreeMap<&str, &str> = BTreeMap::new();
    for pair in pairs {
        let (person, fold) = (pair["subject"].as_str(), pair["fold"].as_str());
        assert_eq!(*of_person.entry(person).or_insert(fold), fold, "{person}");
    }
    let folds: std::collections::BTreeSet<&str> = of_person.into_values().collect();
    assert_eq!(folds.into_iter().collect::<Vec<_>>(), ["1", "2", "3", "4", "5"]);
}
