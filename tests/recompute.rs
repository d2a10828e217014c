//! The printed figures of an evaluation, recomputed from the files that stay of it by counting: whoever has these can do the same.
//! On synthetic people, and where the models are at hand on pictures too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[path = "recompute/columns.rs"]
mod columns;
#[path = "report/document.rs"]
mod document;
mod faces;
#[path = "recompute/groups.rs"]
mod groups;
mod program;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::process::Output;

use document::{Element, parse};
use faces::{frll, lacking, models_dir};

const RANKS: [usize; 3] = [1, 10, 50];
const TARGETS: [f64; 6] = [0.1, 0.03, 0.01, 0.003, 0.001, 1.0 / 6_000.0];
const PRIORS: [f64; 3] = [0.02, 0.1, 0.5];

fn bertillon(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = program::on_cpu(folder, arguments);
    command.env("BERTILLON_MODELS", std::path::absolute(models_dir()).unwrap()).output().unwrap()
}

/// One search, as the file has it.
struct Search {
    mated: bool,
    subject: String,
    candidates: Vec<(String, f32)>,
}

impl Search {
    /// Whether the person is among the first `rank` candidates, at or above the threshold.
    fn found(&self, rank: usize, threshold: f32) -> bool {
        let first = self.candidates.iter().take(rank);
        first.filter(|(_, score)| *score >= threshold).any(|(candidate, _)| *candidate == self.subject)
    }

    fn above(&self, threshold: f32) -> usize {
        self.candidates.iter().filter(|(_, score)| *score >= threshold).count()
    }

    /// Those of anybody but the person sought.
    fn others_above(&self, threshold: f32) -> usize {
        self.candidates.iter().filter(|(of, score)| *score >= threshold && *of != self.subject).count()
    }
}

/// The searches of each gallery size.
fn searches(file: &Path) -> BTreeMap<u64, Vec<Search>> {
    let mut reader = csv::Reader::from_path(file).unwrap();
    let head = reader.headers().unwrap().clone();
    let column = |name: &str| head.iter().position(|one| one == name).unwrap();
    let names = ["people", "probe", "subject", "mated", "candidate", "score"].map(column);
    let how = column("search");
    let mut galleries: BTreeMap<u64, BTreeMap<String, Search>> = BTreeMap::new();
    // Approximate lists, where there are some, stand beside the exact ones; the tables are of these.
    for row in reader.records().map(Result::unwrap).filter(|row| &row[how] == "exact") {
        let [people, probe, subject, mated, candidate, score] = names.map(|place| row[place].to_owned());
        let gallery = galleries.entry(people.parse().unwrap()).or_default();
        let search =
            gallery.entry(probe).or_insert_with(|| Search { mated: mated == "true", subject, candidates: Vec::new() });
        // A search without a candidate has one line, without one.
        if !candidate.is_empty() {
            search.candidates.push((candidate, score.parse().unwrap()));
        }
    }
    galleries.into_iter().map(|(people, searches)| (people, searches.into_values().collect())).collect()
}

fn part(all: &[Search], mated: bool) -> Vec<&Search> {
    all.iter().filter(|search| search.mated == mated).collect()
}

/// The lowest best score of a non-mated search at or above which no more than the target of them lie.
fn threshold(non_mated: &[&Search], target: f64) -> Option<f32> {
    let mut best: Vec<f32> =
        non_mated.iter().filter_map(|search| search.candidates.first()).map(|first| first.1).collect();
    best.sort_by(f32::total_cmp);
    let rate = |at: f32| best.iter().filter(|score| **score >= at).count() as f64 / non_mated.len() as f64;
    best.iter().copied().find(|at| rate(*at) <= target)
}

/// What a cell must say of a rate: its value to the last bit, the counts, and the people.
#[track_caller]
pub(crate) fn says(cell: &Element, of: &[(&str, bool)]) {
    let events = of.iter().filter(|(_, event)| *event).count();
    let people: BTreeSet<&str> = of.iter().map(|(subject, _)| *subject).collect();
    assert_eq!(cell.figures(), [events as f64 / of.len() as f64]);
    let word = if people.len() == 1 { "person" } else { "people" };
    let number = bertillon::base::text::thousands;
    let counts =
        format!("{}/{}; {} {word}", number(events as u64), number(of.len() as u64), number(people.len() as u64));
    assert!(cell.text.contains(&counts), "{} without {counts}", cell.text);
}

/// Each search's person, and whether it is one of those counted.
fn counted<'s>(of: &[&'s Search], event: impl Fn(&Search) -> bool) -> Vec<(&'s str, bool)> {
    of.iter().map(|search| (search.subject.as_str(), event(search))).collect()
}

/// The cells of each row of a part's table, by the beginning of the table's name.
fn rows<'p>(page: &'p Element, part: &str, table: &str) -> Vec<Vec<&'p Element>> {
    let part = page.by_id(part).unwrap();
    let table = part.all("table").into_iter().find(|one| one.attribute("aria-label").starts_with(table)).unwrap();
    table.all("tbody")[0].all("tr").into_iter().map(|row| row.all("td")).collect()
}

#[test]
fn printed_tables_follow_from_the_files_that_stay() {
    let folder = tempfile::tempdir().unwrap();
    let measure = ["eval", "synthetic", "--preset", "lfr_npl", "--people", "400", "--sizes", "100", "--mated", "300"];
    // One hard to recognise, groups, failures: whatever a rate must not overlook.
    let more =
        ["--non-mated", "1200", "--dimension", "160", "--groups", "2", "--calibrate", "--seed", "5", "--out", "found"];
    good(folder.path(), &[&measure[..], &more[..]].concat());
    good(folder.path(), &["eval", "report", "found"]);
    let found = folder.path().join("found");
    let page = parse(&fs_err::read_to_string(found.join("report.html")).unwrap()).unwrap();
    let galleries = searches(&found.join("candidates.csv"));
    assert_eq!(galleries.keys().copied().collect::<Vec<_>>(), [100, 400]);

    misses_by_rank(&page, &galleries);
    let whole = &galleries[&400];
    let (mated, non_mated) = (part(whole, true), part(whole, false));
    let thresholds = rates(&page, &mated, &non_mated);
    assert_eq!(thresholds.len(), 5, "1,200 searches reach down to 0.001");
    workload(&page, &mated, &non_mated, &thresholds);
    let held = columns::breakdowns(&page, &found);
    assert!(held > 40, "{held} rates of tenths and groups");
    assert!(columns::calibration(&page, &found) >= 3, "thirds with a line");
    let latency = page.by_id("figure-latency-by-batch").unwrap();
    assert_eq!(latency.all("svg").len(), 1, "time against the number of probes is measured: {}", latency.text);
    for probes in ["1 probe", "8 probes", "64 probes", "512 probes"] {
        assert!(page.by_id("table-10").unwrap().all("th").iter().any(|head| head.text == probes), "{probes}");
    }
    lists_are_left_out_when_told(folder.path());
    other_versions(folder.path());
}

/// With the lists a run's folder grows; without them the last page says what can't be had.
fn lists_are_left_out_when_told(folder: &Path) {
    let small = [
        "eval",
        "synthetic",
        "--preset",
        "cctv",
        "--people",
        "50",
        "--dimension",
        "192",
        "--mated",
        "20",
        "--non-mated",
        "20",
    ];
    good(folder, &[&small[..], &["--no-lists", "--out", "small"]].concat());
    let results = fs_err::read_to_string(folder.join("small/evaluation.json")).unwrap();
    assert!(!folder.join("small/candidates.csv").exists() && results.contains("The lists themselves were not written"));
    assert!(folder.join("small/probes.csv").exists() && !folder.join("small/pairs.csv").exists());
}

#[test]
fn where_every_picture_is_enrolled_by_itself_they_follow_too() {
    let Some(people) = frll() else { return };
    if !models_dir().join("dlib_face_resnet.onnx").is_file() {
        return lacking("the default model set is not installed (BERTILLON_MODELS)").unwrap_or_default();
    }
    let folder = tempfile::tempdir().unwrap();
    // Two pictures of each person for the gallery, of which one is searched with again: both are candidates.
    let mut manifest = "image,subject,role,\"hat, or \"\"none\"\"\"\n".to_owned();
    for (number, (name, neutral, smiling)) in people.into_iter().take(24).enumerate() {
        let hat = if number % 2 == 0 { "\"none, \"\"bare\"\"\"" } else { "=cap" };
        for (role, picture, kind) in [("gallery", &neutral, "n"), ("gallery", &smiling, "s"), ("probe", &neutral, "p")]
        {
            fs_err::copy(picture, folder.path().join(format!("{name}-{kind}.jpg"))).unwrap();
            writeln!(manifest, "{name}-{kind}.jpg,{name},{role},{hat}").unwrap();
        }
    }
    fs_err::write(folder.path().join("pictures.csv"), manifest).unwrap();
    let measure = ["eval", "accuracy", "--manifest", "pictures.csv", "--enrol", "unconsolidated", "--out", "found"];
    good(folder.path(), &[&measure[..], &["--degrade", "cctv"]].concat());
    good(folder.path(), &["eval", "report", "found"]);
    let found = folder.path().join("found");
    let page = parse(&fs_err::read_to_string(found.join("report.html")).unwrap()).unwrap();
    let galleries = searches(&found.join("candidates.csv"));
    misses_by_rank(&page, &galleries);
    let whole = &galleries[&12];
    let (mated, non_mated) = (part(whole, true), part(whole, false));
    let thresholds = rates(&page, &mated, &non_mated);
    assert_eq!((mated.len(), non_mated.len(), thresholds.len()), (24, 24, 1), "as they are, and degraded");
    let further = mated.iter().filter(|search| search.above(thresholds[0]) > search.others_above(thresholds[0]) + 1);
    assert!(further.count() > 6, "lists with both pictures of the person sought");
    workload(&page, &mated, &non_mated, &thresholds);
    // Two kinds, six measures, and over all and in each kind a column whose name and values are awkward in a table.
    for part in ["By kind of probe; ", "By hat, or \"none\" (degraded: cctv); "] {
        let tables = page.all("table").into_iter().map(|table| table.attribute("aria-label"));
        assert!(tables.filter(|name| name.starts_with(part)).count() == 1, "{part}");
    }
    let held = columns::breakdowns(&page, &found);
    assert!(held > 100, "{held} rates of tenths and groups");
}

fn good(folder: &Path, arguments: &[&str]) {
    let done = bertillon(folder, arguments);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// Table 2, for both sizes.
fn misses_by_rank(page: &Element, galleries: &BTreeMap<u64, Vec<Search>>) {
    let table = rows(page, "table-2", "By people enrolled");
    assert_eq!(table.len(), galleries.len());
    for (cells, all) in table.iter().zip(galleries.values()) {
        for (cell, rank) in cells.iter().zip(RANKS) {
            says(cell, &counted(&part(all, true), |search| !search.found(rank, f32::NEG_INFINITY)));
        }
    }
}

/// Table 3: thresholds, FPIR and FNIR of the whole gallery.
fn rates(page: &Element, mated: &[&Search], non_mated: &[&Search]) -> Vec<f32> {
    let table = rows(page, "table-3", "Thresholds chosen and measured");
    assert_eq!(table.len(), TARGETS.len());
    let mut thresholds = Vec::new();
    for (cells, target) in table.iter().zip(TARGETS) {
        let Some(at) = threshold(non_mated, target) else {
            assert!(cells.iter().all(|cell| cell.figures().is_empty()), "{target} is out of reach");
            continue;
        };
        assert_eq!(cells[0].figures(), [f64::from(at)]);
        says(cells[1], &counted(non_mated, |search| search.above(at) > 0));
        for (cell, rank) in cells[2..].iter().zip(RANKS) {
            says(cell, &counted(mated, |search| !search.found(rank, at)));
        }
        thresholds.push(at);
    }
    thresholds
}

/// Table 7: what 1,000 searches make examiners do.
fn workload(page: &Element, mated: &[&Search], non_mated: &[&Search], thresholds: &[f32]) {
    let mut table = rows(page, "table-7", "Of 1,000 searches").into_iter();
    for &at in thresholds {
        for prior in PRIORS {
            let cells = table.next().unwrap();
            let mean = |of: &[&Search], what: &dyn Fn(&Search) -> f64| {
                of.iter().map(|search| what(search)).sum::<f64>() / of.len() as f64
            };
            let over = |what: &dyn Fn(&Search) -> f64| {
                1_000.0 * (prior * mean(mated, what) + (1.0 - prior) * mean(non_mated, what))
            };
            let returning = over(&|search| f64::from(u8::from(search.above(at) > 0)));
            let to_reject = over(&|search| search.others_above(at) as f64);
            let shown = over(&|search| f64::from(u8::from(search.found(50, at))));
            let wanted = [
                f64::from(at),
                mean(non_mated, &|search| search.above(at) as f64),
                prior,
                returning,
                to_reject,
                shown,
                shown / returning,
            ];
            for (cell, wanted) in cells.iter().zip(wanted) {
                let found = cell.figures()[0];
                assert!((found - wanted).abs() <= 1e-9 * wanted.abs().max(1.0), "{found} printed, {wanted} counted");
            }
            assert_eq!(cells.len(), wanted.len());
        }
    }
    assert!(table.next().is_none());
}

/// Results of another version are refused by its number, whatever else is in them.
fn other_versions(folder: &Path) {
    let path = folder.join("found/evaluation.json");
    for other in ["{\"version\": 99, \"new\": {}}", "{\"version\": 0}"] {
        fs_err::write(&path, other).unwrap();
        let refused = bertillon(folder, &["eval", "report", "found"]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        let version = if other.contains("99") { "version 99" } else { "version 0" };
        assert!(!refused.status.success() && said.contains(version) && said.contains("evaluation.json"), "{said}");
    }
}
