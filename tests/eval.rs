//! `bertillon eval` through the built program, on real faces: the same lists as the product's own searches, runs that are cut
//! short and go on, thresholds that searches then use, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod eval {
    mod finished;
    mod frll;
}
mod faces;
mod program;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use faces::{frll, lacking, models_dir};
use serde_json::Value;

/// People whose pictures are taken: enough for a threshold, few enough for seconds.
const PEOPLE: usize = 30;

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// A folder with one subfolder a person, and a file of their groups.
    fn new() -> Option<Self> {
        let people = frll()?;
        if !models_dir().join("dlib_face_resnet.onnx").is_file() {
            return lacking("the default model set is not installed (BERTILLON_MODELS)");
        }
        let place = Self { folder: tempfile::tempdir().unwrap() };
        let mut groups = "id,parity\n".to_owned();
        for (number, (name, neutral, smiling)) in people.into_iter().take(PEOPLE).enumerate() {
            let folder = place.path("faces").join(&name);
            fs_err::create_dir_all(&folder).unwrap();
            for picture in [neutral, smiling] {
                fs_err::copy(&picture, folder.join(picture.file_name().unwrap())).unwrap();
            }
            writeln!(groups, "{name},{}", if number % 2 == 0 { "even" } else { "odd" }).unwrap();
        }
        fs_err::write(place.path("groups.csv"), groups).unwrap();
        Some(place)
    }

    fn path(&self, name: &str) -> PathBuf {
        Path::new(self.folder.path()).join(name)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::on_cpu(self.folder.path(), arguments);
        command.env("BERTILLON_MODELS", std::path::absolute(models_dir()).unwrap());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    fn good(&self, arguments: &[&str]) -> String {
        program::good(self.command(arguments))
    }

    fn bad(&self, arguments: &[&str]) -> String {
        program::bad(self.command(arguments))
    }

    fn evaluation(&self, out: &str) -> Value {
        serde_json::from_slice(&fs_err::read(self.path(out).join("evaluation.json")).unwrap()).unwrap()
    }
}

const ACCURACY: [&str; 8] = ["eval", "accuracy", "--images", "faces", "--groups", "groups.csv", "--sizes", "10"];

fn accuracy<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [ACCURACY.as_slice(), more].concat()
}

/// What must be the same in two runs: everything but the clock.
fn figures(mut evaluation: Value) -> Value {
    evaluation["latency"].take();
    evaluation["identity"]["made_at"].take();
    evaluation
}

#[test]
fn lists_are_those_of_the_products_own_searches() {
    let Some(place) = Place::new() else { return };
    place.good(&accuracy(&["--non-mated", "0.4", "--out", "found", "--json"]));
    let found = place.evaluation("found");
    let counts = &found["counts"];
    assert_eq!((&counts["enrolled_subjects"], &counts["mated_searches"]), (&18.into(), &18.into()));
    assert_eq!((&counts["non_mated_searches"], &counts["non_mated_subjects"]), (&12.into(), &12.into()));
    assert_eq!(found["galleries"].as_array().unwrap().iter().map(|one| &one["people"]).collect::<Vec<_>>(), [10, 18]);
    place.good(&["eval", "report", "found"]);
    let report = fs_err::read_to_string(place.path("found").join("report.html")).unwrap();
    assert!(report.contains("<svg") && report.contains("mtcnn-dlib") && report.contains("undetermined"));
    assert!(!place.path("found").join("work").exists(), "templates and galleries are gone");
    assert!(!place.path("found").join("templates.journal").exists());

    // The same people enrolled by `enrol`, the same probes searched with by `search`.
    let mut reader = csv::Reader::from_path(place.path("found").join("candidates.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).filter(|row| &row[0] == "18").collect();
    let mut enrolled: Vec<&str> = rows.iter().map(|row| &row[5]).collect();
    enrolled.sort_unstable();
    enrolled.dedup();
    assert_eq!(enrolled.len(), 18, "lists are as long as the gallery");
    let mut list = "file,subject\n".to_owned();
    for name in &enrolled {
        writeln!(list, "{name}/neutral.jpg,{name}").unwrap();
    }
    fs_err::write(place.path("list.csv"), list).unwrap();
    place.good(&["enrol", "custody", "faces", "--subjects", "list.csv"]);
    let mut probes: Vec<&str> = rows.iter().map(|row| &row[1]).collect();
    probes.dedup();
    for probe in [probes[0], probes[7], probes[29]] {
        let theirs: Vec<(String, f32)> = rows
            .iter()
            .filter(|row| &row[1] == probe)
            .map(|row| (row[5].to_owned(), row[6].parse().unwrap()))
            .collect();
        let answer = place.good(&["search", "custody", &format!("faces/{probe}"), "--top", "50", "--json"]);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let candidates = answer["pictures"][0]["probes"][0]["candidates"].as_array().unwrap();
        let ours: Vec<(String, f32)> = candidates
            .iter()
            .map(|one| (one["subject"].as_str().unwrap().to_owned(), one["score"].as_f64().unwrap() as f32))
            .collect();
        assert_eq!(ours, theirs, "{probe}");
    }
}

/// Each kind has thresholds of its own; one over the mixture is not made unless asked for.
fn kinds_are_apart(place: &Place, whole: &Value) {
    let of_kinds = whole["probe_kinds"].as_array().unwrap();
    let names: Vec<&Value> = of_kinds.iter().map(|kind| &kind["kind"]).collect();
    assert_eq!(names, ["as it is", "degraded: cctv"]);
    for kind in of_kinds {
        assert_eq!((&kind["mated_searches"], &kind["non_mated_searches"]), (&18.into(), &12.into()));
        assert_eq!(kind["rates"]["operating"][0]["fpir"]["trials"], 12);
    }
    // Pictures of real people that no camera took.
    place.good(&["eval", "report", "whole"]);
    let report = fs_err::read_to_string(place.path("whole").join("report.html")).unwrap();
    let synthetic = report.split("<h3>Synthetic</h3>").nth(1).unwrap().split("<h3>").next().unwrap();
    assert!(synthetic.contains("30 of 60 probes were degraded by a seeded simulation (preset cctv)"), "{synthetic}");
    assert!(!synthetic.contains("Nothing in this report"), "{synthetic}");
    let point = |name: &str, more: &[&str]| {
        let make =
            ["eval", "operating-point", "whole", "--target-fpir", "0.1", "--gallery-class", "a test", "--unsupported"];
        place.run(&[&make[..], &["--name", name, "--json"], more].concat())
    };
    let refused = String::from_utf8(point("any", &[]).stderr).unwrap();
    assert!(refused.contains("\"as it is\", \"degraded: cctv\"") && refused.contains("--mixture"), "{refused}");
    assert!(!point("none", &["--probe-kind", "profile"]).status.success());
    let made = |output: Output| serde_json::from_slice::<Value>(&output.stdout).unwrap();
    let poor = made(point("poor", &["--probe-kind", "degraded: cctv"]));
    assert_eq!((&poor["probe_kind"], &poor["fpir"]["trials"]), (&"degraded: cctv".into(), &12.into()));
    assert_eq!(poor["threshold"], of_kinds[1]["rates"]["operating"][0]["threshold"]);
    let mixed = made(point("mixed", &["--mixture"]));
    assert_eq!((mixed["mixture"].as_array().unwrap().len(), &mixed["fpir"]["trials"]), (2, &24.into()));
}

/// Exact and approximate lists are in the table, each by its name.
fn lists_are_named(place: &Place) {
    let mut reader = csv::Reader::from_path(place.path("whole").join("candidates.csv")).unwrap();
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    let probes = |how: &str| {
        let of = rows.iter().filter(|row| &row[8] == how && &row[0] == "18").map(|row| row[1].to_owned());
        of.collect::<std::collections::BTreeSet<String>>()
    };
    assert_eq!(probes("exact").len(), 60);
    assert_eq!(probes("approximate"), probes("exact"));
    assert!(rows.iter().all(|row| &row[8] == "exact" || (&row[8] == "approximate" && &row[0] == "18")));
}

#[test]
fn a_run_that_is_killed_goes_on_and_finds_the_same() {
    let Some(place) = Place::new() else { return };
    let whole = ["--degrade", "cctv", "--calibrate", "--approximate", "50", "--non-mated", "0.4", "--out", "whole"];
    place.good(&accuracy(&whole));
    let cut =
        accuracy(&["--degrade", "cctv", "--calibrate", "--approximate", "50", "--non-mated", "0.4", "--out", "cut"]);
    let journal = place.path("cut").join("templates.journal");
    for kills in 0..3 {
        let mut child = place.command(&cut).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let before = fs_err::metadata(&journal).map_or(0, |found| found.len());
        let began = Instant::now();
        // In the middle of taking templates, each time a little further.
        while fs_err::metadata(&journal).map_or(0, |found| found.len()) <= before && child.try_wait().unwrap().is_none()
        {
            assert!(began.elapsed() < Duration::from_mins(2));
            std::thread::sleep(Duration::from_millis(2));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(kills > 0 || !place.path("cut").join("evaluation.json").exists(), "killed before it was done");
    }
    place.good(&cut);
    let (whole, cut) = (place.evaluation("whole"), place.evaluation("cut"));
    assert_eq!(figures(whole.clone()), figures(cut));
    let lists = |out: &str| fs_err::read(place.path(out).join("candidates.csv")).unwrap();
    assert!(lists("whole") == lists("cut"));
    kinds_are_apart(&place, &whole);
    // Clean and degraded are told apart; two groups of fifteen people tell nothing.
    let kinds = &whole["breakdowns"][0];
    assert_eq!(kinds["kind"], "probe_type");
    assert_eq!(kinds["rows"].as_array().unwrap().len(), 2);
    let groups = whole["breakdowns"].as_array().unwrap().iter().find(|one| one["kind"] == "group").unwrap();
    assert_eq!(groups["fnir_differences"]["pairs"][0]["verdict"], "undetermined");
    let by_graphs = &whole["approximate"];
    assert_eq!((&by_graphs["ef"], &by_graphs["approximate_only"]), (&50.into(), &0.into()));
    assert_eq!(by_graphs["both"].as_u64().unwrap() + by_graphs["exact_only"].as_u64().unwrap(), 36);
    assert!(whole["calibration"]["cllr"].as_f64().unwrap() > 0.0);
    lists_are_named(&place);

    // Other rules are another run.
    let refused = place.bad(&accuracy(&["--seed", "2", "--out", "cut"]));
    assert!(refused.contains("Give another folder with --out"), "{refused}");
    fs_err::create_dir(place.path("full")).unwrap();
    fs_err::write(place.path("full").join("letter.txt"), "dear").unwrap();
    assert!(place.bad(&accuracy(&["--out", "full"])).contains("is not empty"));
}

#[test]
fn a_picture_that_was_replaced_is_not_answered_for_by_the_one_before() {
    let Some(place) = Place::new() else { return };
    let run = accuracy(&["--out", "found"]);
    let journal = place.path("found").join("templates.journal");
    let mut child = place.command(&run).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    // Its magic number alone has eight bytes.
    while fs_err::metadata(&journal).map_or(0, |found| found.len()) <= 8 && child.try_wait().unwrap().is_none() {
        assert!(began.elapsed() < Duration::from_mins(2));
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!place.path("found").join("evaluation.json").exists(), "killed before it was done");
    // Everybody's pictures change places: whichever were taken, one of them is another now.
    let folders: Vec<PathBuf> =
        fs_err::read_dir(place.path("faces")).unwrap().map(|entry| entry.unwrap().path()).collect();
    let swap = |folder: &PathBuf| {
        let [neutral, smiling, aside] = ["neutral.jpg", "smiling.jpg", "aside"].map(|name| folder.join(name));
        for (from, to) in [(&neutral, &aside), (&smiling, &neutral), (&aside, &smiling)] {
            fs_err::rename(from, to).unwrap();
        }
    };
    folders.iter().for_each(swap);
    let refused = place.bad(&run);
    assert!(refused.contains("a template of another picture") && refused.contains("faces/"), "{refused}");
    // As they were, and only touched: the run goes on.
    folders.iter().for_each(swap);
    for folder in &folders {
        for name in ["neutral.jpg", "smiling.jpg"] {
            let bytes = fs_err::read(folder.join(name)).unwrap();
            fs_err::write(folder.join(name), bytes).unwrap();
        }
    }
    place.good(&run);
    let found = place.evaluation("found");
    let protocol = found["identity"]["protocol"].as_array().unwrap();
    let said = |name: &str| {
        let line = protocol.iter().find(|line| line[0] == name);
        line.map(|line| line[1].as_str().unwrap().to_owned()).unwrap()
    };
    let probes = said("probes");
    assert_eq!(
        probes,
        "every picture but a person's earliest: 15 of people enrolled, 15 of people who are not; the largest face of each"
    );
    assert_eq!(said("pictures, sha256 over those of all").len(), 64);
}

/// A point says how it was measured, and an approximate search can't ask for it.
fn is_for_exact_searches(place: &Place, point: &Value, search: &[&str]) {
    assert_eq!((&point["search"], &point["enrolment"]), (&"exact".into(), &"one image a person, the earliest".into()));
    let refused = place.bad(&[search, &["--mode", "approximate"]].concat());
    assert!(refused.contains("search in the mode exact"), "{refused}");
}

#[test]
fn a_threshold_that_was_measured_is_asked_for_and_cited() {
    let Some(place) = Place::new() else { return };
    place.good(&accuracy(&["--non-mated", "0.4", "--out", "found"]));
    let make = |name: &str, rate: &str| {
        vec!["eval", "operating-point", "found", "--name", name, "--target-fpir", rate, "--gallery-class", "a test"]
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let run = |arguments: &[String]| place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    let refused = run(&make("strict", "0.003"));
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success()
            && words.contains("12 non-mated searches do not support")
            && words.contains("those they do: none"),
        "{words}"
    );
    assert!(!run(&make("tenth", "0.1")).status.success(), "one event of twelve supports nothing");
    let anyhow = [make("tenth", "0.1"), vec!["--unsupported".to_owned()]].concat();
    assert!(run(&anyhow).status.success());
    assert!(!run(&anyhow).status.success(), "never replaced");
    assert!(place.good(&["eval", "operating-points"]).contains("tenth"));

    let point: Value =
        serde_json::from_slice(&fs_err::read(place.path("data/operating-points/tenth.json")).unwrap()).unwrap();
    let groups: Vec<&Value> = point["groups"].as_array().unwrap().iter().map(|group| &group["value"]).collect();
    assert_eq!(groups, ["even", "odd"], "whatever the threshold of the report's group table");
    let of_groups = point["groups"].as_array().unwrap().iter().map(|group| group["fpir"]["trials"].as_u64().unwrap());
    assert_eq!((of_groups.sum::<u64>(), &point["probe_kind"]), (12, &"as it is".into()));

    place.good(&["enrol", "custody", "faces", "--only", "neutral.jpg"]);
    let found = place.evaluation("found");
    let operating = found["galleries"][1]["operating"].as_array().unwrap();
    assert_eq!(point["disjoint"], operating[0]["disjoint"]);
    let threshold = operating[0]["threshold"].as_f64().unwrap();
    let probe = format!("faces/{}/smiling.jpg", "001");
    // Thirty people are more than the eighteen of the evaluation.
    let of_class = ["--target-fpir", "0.1", "--gallery-class", "a test"];
    let refused = place.bad(&[&["search", "custody", &probe], &of_class[..]].concat());
    assert!(refused.contains("a gallery of 30 templates there are none"), "{refused}");
    let mut list = "file,subject\n".to_owned();
    for folder in fs_err::read_dir(place.path("faces")).unwrap().take(10) {
        let name = folder.unwrap().file_name().into_string().unwrap();
        writeln!(list, "{name}/neutral.jpg,{name}").unwrap();
    }
    fs_err::write(place.path("few.csv"), list).unwrap();
    place.good(&["enrol", "few", "faces", "--subjects", "few.csv"]);
    let refused = place.bad(&["search", "few", &probe, "--target-fpir", "0.1"]);
    assert!(
        refused.contains("--gallery-class") && refused.contains("tenth (0.1, gallery class \"a test\""),
        "{refused}"
    );
    let refused = place.bad(&["search", "few", &probe, "--target-fpir", "0.1", "--gallery-class", "visa"]);
    assert!(refused.contains("no operating point is for galleries of the class \"visa\""), "{refused}");
    is_for_exact_searches(&place, &point, &[&["search", "few", &probe], &of_class[..]].concat());
    let answer = place.good(&[&["search", "few", &probe, "--json"], &of_class[..]].concat());
    let answer: Value = serde_json::from_str(&answer).unwrap();
    let cited = &answer["operating_point"];
    assert_eq!((&cited["name"], &cited["probes"]), (&"tenth".into(), &"as it is".into()));
    assert!((answer["threshold"].as_f64().unwrap() - threshold).abs() < 1e-6);
    let shown = answer["pictures"][0]["probes"][0]["candidates"].as_array().unwrap();
    assert!(shown.iter().all(|one| one["score"].as_f64().unwrap() >= threshold - 1e-6));
    assert!(
        place
            .good(&["search", "few", &probe, "--operating-point", "tenth"])
            .contains("chosen for an FPIR of 0.1, which its data do not support")
    );
}

#[test]
fn pairs_in_folds_are_compared() {
    let Some(place) = Place::new() else { return };
    // Named as in Labeled Faces in the Wild.
    let names: Vec<String> = (0..PEOPLE).map(|number| format!("P_{number}")).collect();
    let mut folders: Vec<PathBuf> =
        fs_err::read_dir(place.path("faces")).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    for (name, folder) in names.iter().zip(folders) {
        let to = place.path("lfw").join(name);
        fs_err::create_dir_all(&to).unwrap();
        fs_err::copy(folder.join("neutral.jpg"), to.join(format!("{name}_0001.jpg"))).unwrap();
        fs_err::copy(folder.join("smiling.jpg"), to.join(format!("{name}_0002.jpg"))).unwrap();
    }
    let mut list = "3\t10\n".to_owned();
    for fold in 0..3 {
        for name in &names[10 * fold..10 * fold + 10] {
            writeln!(list, "{name}\t1\t2").unwrap();
        }
        for number in 10 * fold..10 * fold + 10 {
            writeln!(list, "{}\t1\t{}\t2", names[number], names[(number + 1) % PEOPLE]).unwrap();
        }
    }
    fs_err::write(place.path("pairs.txt"), list).unwrap();
    let pairs = ["eval", "pairs", "--images", "lfw", "--pairs", "pairs.txt", "--out", "found"];
    let found: Value = serde_json::from_str(&place.good(&[&pairs[..], &["--json"]].concat())).unwrap();
    assert_eq!((&found["mated"], &found["non_mated"], &found["failed"]), (&30.into(), &30.into(), &0.into()));
    let accuracy = found["accuracy"].as_f64().unwrap();
    assert!(accuracy > 0.9, "{found}");
    assert_eq!(found["folds"].as_array().unwrap().len(), 3);
    fs_err::remove_file(place.path("lfw/P_3/P_3_0002.jpg")).unwrap();
    let again = [&pairs[..7], &["again", "--json"]].concat();
    let without: Value = serde_json::from_str(&place.good(&again)).unwrap();
    assert_eq!(without["failed"], 2, "in a mated and in a non-mated pair");
}

#[test]
fn what_cant_be_evaluated_is_named_with_its_line() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    fs_err::write(place.path("bad.csv"), "image,subject,role\na.jpg,p,gallery\nb.jpg,,\nc.jpg,q,suspect\n").unwrap();
    let refused = place.bad(&["eval", "accuracy", "--manifest", "bad.csv", "--out", "found"]);
    assert!(
        refused.contains("2 of its lines are wrong") && refused.contains("line 3:") && refused.contains("line 4:"),
        "{refused}"
    );
    assert!(!place.path("found").exists(), "nothing was begun");
    fs_err::write(place.path("there.jpg"), "a picture that can't be used").unwrap();
    fs_err::write(place.path("gone.csv"), "image,subject\nthere.jpg,p\nthere/not.jpg,p\nnor.jpg,q\n").unwrap();
    let refused = place.bad(&["eval", "accuracy", "--manifest", "gone.csv", "--non-mated", "0.5", "--out", "found"]);
    assert!(
        refused.contains("line 3: there is no picture \"there/not.jpg\"")
            && refused.contains("line 4: there is no picture \"nor.jpg\""),
        "{refused}"
    );
    assert!(!place.path("found").exists(), "nothing was begun");
    fs_err::write(place.path("one.csv"), "image,subject\na.jpg,p\n").unwrap();
    let refused = place.bad(&["eval", "accuracy", "--manifest", "one.csv", "--non-mated", "0", "--out", "found"]);
    assert!(refused.contains("no image is left to search with"), "{refused}");
    assert!(
        place
            .bad(&["eval", "operating-point", "found", "--name", "a", "--target-fpir", "0.1", "--gallery-class", "c"])
            .contains("evaluation.json")
    );
    assert!(place.bad(&["eval", "accuracy", "--manifest", "nowhere.csv", "--out", "found"]).contains("can't be read"));
    assert!(place.good(&["eval", "operating-points"]).contains("no operating points"));

    // What would fail only when everything is searched is refused before anything is made.
    let sizes = (1..=65).map(|size| size.to_string()).collect::<Vec<_>>().join(",");
    let synthetic = |more: &[&str]| {
        let refused = place.bad(&[&["eval", "synthetic", "--preset", "mugshot", "--out", "made"], more].concat());
        assert!(!place.path("made").exists(), "nothing was begun");
        refused
    };
    assert!(synthetic(&["--sizes", &sizes]).contains("gallery sizes are too many: at most 64"));
    for asked in ["0", "401"] {
        let refused = synthetic(&["--people", "400", "--sizes", &format!("100,{asked}")]);
        assert!(
            refused.contains(&format!("a gallery of {asked} people was asked for, 1 to 400 can be had")),
            "{refused}"
        );
    }
    assert!(synthetic(&["--list", "500", "--images", "64"]).contains("ask for shorter lists"));
    assert!(synthetic(&["--list", "1000", "--mated", "2000000"]).contains("GB of memory while figures are worked out"));
    assert!(synthetic(&["--dimension", "48"]).contains("components are wanted"));
}

/// The identity card of a real run, not one made up for a test: it names what the program was built from, as the program itself does.
#[test]
fn an_evaluation_names_the_commit_that_the_program_was_built_from() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    place.good(&[
        "eval",
        "synthetic",
        "--preset",
        "mugshot",
        "--people",
        "40",
        "--mated",
        "40",
        "--non-mated",
        "40",
        "--out",
        "made",
    ]);
    let commit = place.evaluation("made")["identity"]["commit"].as_str().map(str::to_owned);
    let version = place.good(&["--version"]);
    let said = version.trim().split_once(" (commit ").unwrap().1.strip_suffix(')').unwrap();
    match &commit {
        Some(commit) => assert_eq!(said, commit),
        None => assert!(said.starts_with("not known"), "{version}"),
    }
    // What tools/env.sh told the build, as whoever runs the tests by it tells them.
    let Some(told) = std::env::var("BERTILLON_COMMIT").ok().filter(|told| !told.is_empty()) else { return };
    let commit = commit.expect("the program was built by what runs the tests");
    let digits = commit.strip_suffix("-dirty").unwrap_or(&commit);
    assert_eq!(commit, told);
    assert!(digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()), "{commit}");
    place.good(&["eval", "report", "made"]);
    assert!(fs_err::read_to_string(place.path("made").join("report.html")).unwrap().contains(&commit));
}

#[test]
fn pictures_are_degraded_the_same_way_twice() {
    let Some(place) = Place::new() else { return };
    let picture = "faces/001/neutral.jpg";
    let shown = place.good(&["degrade", picture, "--out", "poor", "--preset", "night", "--seed", "5"]);
    assert!(shown.contains("neutral.night.jpg"), "{shown}");
    place.good(&["degrade", picture, "--out", "again", "--preset", "night", "--seed", "5"]);
    let read = |folder: &str| fs_err::read(place.path(folder).join("neutral.night.jpg")).unwrap();
    assert!(read("poor") == read("again"));
    assert!(place.bad(&["degrade", picture, "--out", "poor", "--preset", "night"]).contains("is there already"));
    assert!(place.bad(&["degrade", picture, "--out", "poor", "--preset", "fog"]).contains("mild, cctv or night"));
}
