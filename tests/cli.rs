//! The program as people use it: the built binary, real pictures, real models, and what it says when something is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod faces;
#[path = "cli/keys.rs"]
mod keys;
mod program;

use std::process::{Command, Output, Stdio};

use faces::{frll, models_dir};
use serde_json::Value;

struct Desk {
    folder: tempfile::TempDir,
}

impl Desk {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = program::command(self.folder.path(), arguments);
        command.env("BERTILLON_MODELS", std::path::absolute(models_dir()).unwrap());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a successful command printed.
    fn good(&self, arguments: &[&str]) -> String {
        program::good(self.command(arguments))
    }

    /// What a command that must fail said.
    fn bad(&self, arguments: &[&str]) -> String {
        program::bad(self.command(arguments))
    }

    /// The key of a new user.
    fn key(&self, name: &str, role: &str) -> String {
        self.good(&["user", "add", name, "--role", role]);
        let file = format!("{name}.key");
        self.good(&["key", "create", name, "--to", &file]);
        fs_err::read_to_string(self.folder.path().join(file)).unwrap()
    }

    /// A command by somebody's key.
    fn by(&self, key: &str, arguments: &[&str]) -> Command {
        let mut command = self.command(arguments);
        command.env("BERTILLON_KEY", key);
        command
    }

    /// A folder `people` with pictures of the first London people, a subfolder each, and their smiling pictures apart.
    fn people(&self, count: usize) -> Option<Vec<(String, String)>> {
        let faces = frll()?;
        let mut probes = Vec::new();
        for (person, neutral, smiling) in faces.into_iter().take(count) {
            let folder = self.folder.path().join("people").join(&person);
            fs_err::create_dir_all(&folder).unwrap();
            fs_err::copy(neutral, folder.join("1.jpg")).unwrap();
            let probe = format!("{person}-smiling.jpg");
            fs_err::copy(smiling, self.folder.path().join(&probe)).unwrap();
            probes.push((person, probe));
        }
        Some(probes)
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn help_teaches() {
    let desk = Desk::new();
    let help = desk.good(&["--help"]);
    for word in ["models install", "enrol", "search", "serve", "never an identification"] {
        assert!(help.contains(word), "{word} is missing: {help}");
    }
    assert!(desk.good(&["enrol", "--help"]).contains("subject"));
    assert!(desk.good(&["config", "--template"]).contains("back_end"));
}

#[test]
fn a_folder_in_a_candidate_list_out() {
    let desk = Desk::new();
    let Some(probes) = desk.people(8) else { return };
    let first = json(&desk.good(&["enrol", "custody", "people", "--json"]));
    assert_eq!((&first["enrolled"], &first["failed"]), (&8.into(), &0.into()));
    let again = json(&desk.good(&["enrol", "custody", "people", "--json"]));
    assert_eq!((&again["enrolled"], &again["already_enrolled"]), (&0.into(), &8.into()));

    let files: Vec<&str> = probes.iter().map(|(_, file)| file.as_str()).collect();
    let answer = json(&desk.good(&[&["search", "custody", "--json", "--top", "3"], files.as_slice()].concat()));
    assert!(answer["notice"].as_str().unwrap().contains("not evidence of identity"));
    for (picture, (person, _)) in answer["pictures"].as_array().unwrap().iter().zip(&probes) {
        let candidates = picture["probes"][0]["candidates"].as_array().unwrap();
        assert_eq!(candidates.len(), 3);
        assert_eq!(candidates[0]["subject"], person.as_str());
    }
    // The same list from every back end, to the digit.
    for back_end in ["cpu-scalar", "cpu-avx2", "gpu"] {
        let other = ["search", "custody", "--json", "--top", "3", "--back-end", back_end];
        let other = json(&desk.good(&[&other, files.as_slice()].concat()));
        for (one, two) in answer["pictures"].as_array().unwrap().iter().zip(other["pictures"].as_array().unwrap()) {
            assert_eq!(one["probes"][0]["candidates"], two["probes"][0]["candidates"], "{back_end}");
        }
    }
    let shown = desk.good(&["search", "custody", files[0]]);
    assert!(shown.contains("rank   score  subject") && shown.contains("on record"), "{shown}");

    desk.good(&["gallery", "erase", "custody", "--subject", &probes[0].0, "--yes"]);
    let after = json(&desk.good(&["search", "custody", "--json", files[0]]));
    let subjects: Vec<&Value> =
        after["pictures"][0]["probes"][0]["candidates"].as_array().unwrap().iter().map(|one| &one["subject"]).collect();
    assert_eq!(subjects.len(), 7);
    assert!(!subjects.contains(&&Value::from(probes[0].0.as_str())));
    let galleries = json(&desk.good(&["gallery", "list", "--json"]));
    assert_eq!((&galleries[0]["templates"], &galleries[0]["erased"]), (&7.into(), &1.into()));
}

/// Issue 2's acceptance: neutral faces enrolled, smiling ones as probes, through the program itself, for both model sets.
#[test]
fn a_search_is_disclosed_and_run_again_with_its_picture() {
    let desk = Desk::new();
    let Some(probes) = desk.people(5) else { return };
    desk.good(&["enrol", "custody", "people"]);
    let (picture, other) = (probes[0].1.as_str(), probes[1].1.as_str());
    let answer = json(&desk.good(&["search", "custody", "--json", "--top", "3", picture]));
    let search = answer["pictures"][0]["probes"][0]["search"].to_string();
    let to = ["--to", "the other side", "--reason", "a test"];
    desk.good(&[&["disclose", "make", "--search", &search, "--out", "pack.zip"], &to[..]].concat());
    for which in [["--search", search.as_str()], ["--pack", "pack.zip"]] {
        let rerun = |picture| [&["disclose", "rerun", "--json", "--image", picture], &which[..]].concat();
        let verdict = json(&desk.good(&rerun(picture)));
        assert_eq!((&verdict["verdict"], &verdict["gone"]), (&"same".into(), &0.into()));
        assert!(desk.bad(&rerun(other)).contains("not the picture"));
    }
    desk.good(&["gallery", "erase", "custody", "--subject", &probes[0].0, "--yes"]);
    let said = desk.good(&["disclose", "rerun", "--search", &search, "--image", picture]);
    assert!(said.contains("the gallery changed; 1 templates were erased since, 1 of them on the list"), "{said}");
    let listed = desk.good(&["disclose", "list"]);
    assert!(listed.contains("for the other side") && !listed.contains("a test"), "why it was made goes too: {listed}");
}

#[test]
fn the_london_people_are_found_with_both_sets() {
    let Some(people) = frll() else { return };
    let desk = Desk::new();
    let installed = fs_err::canonicalize(models_dir()).unwrap();
    let runtime = installed.join("runtime");
    let own = desk.folder.path().join("models-omz");
    for (set, at_least) in [("mtcnn-dlib", 100), ("yunet-omz", 102)] {
        let mut settings = vec!["--model-set", set];
        if set == "yunet-omz" {
            let shared = fs_err::canonicalize("../shared/models").unwrap();
            settings.extend(["--models-folder", own.to_str().unwrap(), "--runtime", runtime.to_str().unwrap()]);
            let from = ["models", "install", set, "--from", shared.to_str().unwrap()];
            desk.good(&[&from, settings.as_slice()].concat());
        }
        let faces = fs_err::canonicalize("../shared/faces/frll").unwrap();
        let enrol = ["enrol", set, faces.to_str().unwrap(), "--only", "neutral", "--json"];
        let enrolled = json(&desk.good(&[&enrol, settings.as_slice()].concat()));
        assert_eq!(enrolled["enrolled"], people.len(), "{set}");
        let probes: Vec<String> =
            people.iter().map(|(_, _, smiling)| fs_err::canonicalize(smiling).unwrap().display().to_string()).collect();
        let probes: Vec<&str> = probes.iter().map(String::as_str).collect();
        let search = ["search", set, "--top", "1", "--json"];
        let answer = json(&desk.good(&[&search, settings.as_slice(), probes.as_slice()].concat()));
        let first = |picture: &Value| picture["probes"][0]["candidates"][0]["subject"].as_str().unwrap().to_owned();
        let answers = answer["pictures"].as_array().unwrap().iter().map(first);
        let right = answers.zip(&people).filter(|(found, (person, ..))| found == person).count();
        println!("{set}: {right} of {} people at rank 1", people.len());
        assert!(right >= at_least, "{set}: {right} of {}", people.len());
    }
}

#[test]
fn originals_in_half_precision_are_a_choice() {
    let desk = Desk::new();
    let Some(probes) = desk.people(3) else { return };
    assert!(desk.good(&["gallery", "create", "small", "--originals", "f16"]).contains("kept as f16"));
    desk.good(&["enrol", "small", "people"]);
    desk.good(&["enrol", "large", "people"]);
    let score = |gallery: &str| {
        let answer = json(&desk.good(&["search", gallery, &probes[0].1, "--json", "--top", "1"]));
        let first = answer["pictures"][0]["probes"][0]["candidates"][0].clone();
        assert_eq!(first["subject"], probes[0].0.as_str());
        first["score"].as_f64().unwrap()
    };
    let (rounded, exact) = (score("small"), score("large"));
    assert!((rounded - exact).abs() < 1e-3 && rounded != exact, "{rounded} {exact}");
}

#[test]
fn a_file_that_ends_early_is_noted() {
    let desk = Desk::new();
    let Some(probes) = desk.people(1) else { return };
    let whole = fs_err::read(desk.folder.path().join(&probes[0].1)).unwrap();
    let cut = desk.folder.path().join("people").join("cut.jpg");
    fs_err::write(&cut, &whole[..whole.len() * 9 / 10]).unwrap();
    let report = json(&desk.good(&["enrol", "custody", "people", "--json"]));
    let cut = report["pictures"].as_array().unwrap().iter().find(|picture| picture["source"] == "cut.jpg").unwrap();
    assert!(cut["remarks"][0].as_str().is_some_and(|remark| remark.contains("ends early")), "{cut}");
    let shown = desk.good(&["search", "custody", "people/cut.jpg"]);
    assert!(shown.contains("ends early"), "{shown}");
}

#[test]
fn the_same_picture_for_another_subject_is_no_success() {
    let desk = Desk::new();
    let Some(people) = desk.people(1) else { return };
    desk.good(&["enrol", "custody", "people"]);
    let other = desk.folder.path().join("other").join("somebody else");
    fs_err::create_dir_all(&other).unwrap();
    fs_err::copy(desk.folder.path().join("people").join(&people[0].0).join("1.jpg"), other.join("1.jpg")).unwrap();
    let output = desk.run(&["enrol", "custody", "other", "--json"]);
    assert!(!output.status.success());
    let report = json(&String::from_utf8(output.stdout).unwrap());
    assert_eq!((&report["enrolled_for_another"], &report["already_enrolled"]), (&1.into(), &0.into()));
    assert_eq!(report["pictures"][0]["enrolled_for"], people[0].0.as_str());
}

#[test]
fn pictures_that_fail_are_told_and_stop_nobody() {
    let desk = Desk::new();
    let Some(probes) = desk.people(2) else { return };
    let people = desk.folder.path().join("people");
    fs_err::write(people.join("text.jpg"), b"no picture at all").unwrap();
    fs_err::write(people.join("empty.png"), b"").unwrap();
    let report = json(&desk.good(&["enrol", "custody", "people", "--json"]));
    assert_eq!((&report["enrolled"], &report["failed"]), (&2.into(), &2.into()));
    let search = json(&desk.good(&["search", "custody", "--json", "people/text.jpg", &probes[0].1]));
    assert!(search["pictures"][0]["failure"].as_str().unwrap().contains("picture"), "{search}");
    assert_eq!(search["pictures"][1]["probes"][0]["candidates"][0]["subject"], probes[0].0.as_str());
    let said = desk.bad(&["search", "custody", "people/text.jpg"]);
    assert!(said.contains("people/text.jpg") && said.contains("not a JPEG"), "{said}");
}

#[test]
fn a_gallery_of_another_model_is_searched_with_that_model_or_not_at_all() {
    let desk = Desk::new();
    let Some(probes) = desk.people(2) else { return };
    desk.good(&["enrol", "custody", "people"]);
    // The default set for new galleries does not matter to one that is there.
    desk.good(&["search", "custody", &probes[0].1, "--model-set", "yunet-omz"]);
    // The same files with another detector size are another model: both are named, and nothing is compared.
    let changed = include_str!("../models/catalogue.toml").replace("face_px_min = 30", "face_px_min = 31");
    fs_err::write(desk.folder.path().join("own.toml"), changed).unwrap();
    let said = desk.bad(&["search", "custody", &probes[0].1, "--catalogue", "own.toml"]);
    let hashes = said.matches("mtcnn-dlib (").count();
    assert!(hashes == 2 && said.contains("made with the model"), "{said}");
}

#[test]
fn mistakes_are_explained() {
    let desk = Desk::new();
    assert!(desk.bad(&["gallery", "list"]).contains("no data folder yet"));
    assert!(desk.bad(&["enrol", "custody", "nowhere"]).contains("nowhere"));
    assert!(desk.bad(&["search", "custody", "missing.jpg"]).contains("missing.jpg"));
    assert!(desk.bad(&["enrol", "No Such Name", "."]).contains("can't name a gallery"));
    assert!(desk.bad(&["models", "verify", "no-such-set"]).contains("mtcnn-dlib"));
    assert!(desk.bad(&["serve", "--data", "x", "--config", "no.toml"]).contains("no.toml"));
    assert!(desk.bad(&["search", "custody"]).contains("IMAGE"));
}

#[test]
fn reading_works_beside_a_writer_and_writing_does_not() {
    let desk = Desk::new();
    let Some(probes) = desk.people(2) else { return };
    desk.good(&["enrol", "custody", "people"]);
    let mut server = desk.command(&["serve", "--port", "0"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    let mut lines = std::io::BufReader::new(server.stderr.take().unwrap());
    while !said.contains("answers at") {
        assert!(std::io::BufRead::read_line(&mut lines, &mut said).unwrap() > 0, "the server ended: {said}");
    }
    let search = json(&desk.good(&["search", "custody", "--json", &probes[1].1]));
    assert_eq!(search["pictures"][0]["probes"][0]["candidates"][0]["subject"], probes[1].0.as_str());
    let refused = desk.bad(&["gallery", "erase", "custody", "--subject", &probes[0].0, "--yes"]);
    assert!(refused.contains(&server.id().to_string()) && refused.contains("http://127.0.0.1:"), "{refused}");
    server.kill().unwrap();
    server.wait().unwrap();
    // A killed server leaves no lock behind.
    desk.good(&["gallery", "erase", "custody", "--subject", &probes[0].0, "--yes"]);
}

#[test]
fn a_benchmark_measures_and_leaves_nothing() {
    let desk = Desk::new();
    let small = ["bench", "latency", "--gallery-size", "2000", "--dimension", "64", "--repeat", "30", "--k", "10"];
    let report = json(&desk.good(&[&small[..], &["--probes", "3", "--json", "--back-end", "cpu"]].concat()));
    assert_eq!((&report["gallery"]["rows"], &report["gallery"]["synthetic"]), (&2000.into(), &true.into()));
    assert_eq!((&report["search"]["samples"], &report["work"]["probes"]), (&30.into(), &90.into()));
    assert!(report["back_end"].as_str().unwrap().starts_with("cpu "), "{report}");
    let percentiles = report["search"]["percentiles_ms"].as_array().unwrap();
    // Thirty samples reach as far as p95.
    let known: Vec<bool> = percentiles.iter().map(|one| one["value"].is_f64()).collect();
    assert_eq!(known, [true, true, false, false]);
    assert!(!desk.folder.path().join("data/bench").exists(), "the gallery is removed");

    let text = desk.good(&[&small[..], &["--keep", "--scratch", "kept"]].concat());
    assert!(text.contains("SYNTHETIC") && text.contains("p99 not measured: 30 samples are too few"), "{text}");
    let again = json(&desk.good(&[&small[..], &["--json", "--scratch", "kept"]].concat()));
    assert!(again["gallery"]["made_rows_a_second"].is_null(), "a kept gallery is found again");

    for (flags, expected) in [
        (&["--gallery-size", "0"][..], "--gallery-size"),
        (&["--gallery-size", "100000001"], "--gallery-size"),
        (&["--gallery-size", "10", "--probes", "0"], "probes at once: 0 given"),
        (&["--gallery-size", "10", "--dimension", "100"], "multiple of 16"),
        (&["--gallery-size", "10", "--k", "0"], "length of the lists: 0 given"),
        (&["--gallery-size", "10", "--scratch", "/proc/nowhere"], "/proc/nowhere"),
    ] {
        let said = desk.bad(&[&["bench", "latency"], flags].concat());
        assert!(said.contains(expected), "{flags:?}: {said}");
    }
}

#[test]
fn a_benchmarks_worker_agrees_with_the_oracle() {
    use std::io::Write;
    let desk = Desk::new();
    let gallery =
        ["bench", "worker", "--gallery-size", "3000", "--dimension", "48", "--scratch", "s", "--back-end", "cpu"];
    let mut worker = desk.command(&gallery).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let asked = r#"{"op": "search", "first": 5, "count": 4, "k": 9, "lists": true}"#;
    let lines =
        format!("{asked}\n{}\n{{\"op\": \"read\"}}\n{{\"op\": \"dance\"}}\n", asked.replace("search", "oracle"));
    worker.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = worker.wait_with_output().unwrap();
    let replies: Vec<Value> = String::from_utf8(output.stdout).unwrap().lines().map(json).collect();
    let [ready, search, oracle, read, nonsense] = replies.as_slice() else { panic!("{replies:?}") };
    assert_eq!(ready["ready"], true);
    assert_eq!((&search["rows"], &search["score_bits"]), (&oracle["rows"], &oracle["score_bits"]));
    assert_eq!(search["rows"].as_array().unwrap().len(), 4);
    assert_eq!(read["bytes"], 3008 * 48);
    assert!(nonsense["error"].as_str().unwrap().contains("dance"));
    assert!(output.status.success() && !desk.folder.path().join("s").exists());
}

#[test]
fn a_benchmark_that_is_interrupted_leaves_nothing() {
    let desk = Desk::new();
    let scratch = desk.folder.path().join("s");
    // Three million rows take longer to make than this test waits.
    let long = ["bench", "latency", "--gallery-size", "3000000", "--dimension", "256", "--scratch", "s", "--keep"];
    let mut running = desk.command(&long).stderr(Stdio::piped()).spawn().unwrap();
    let begun = std::time::Instant::now();
    while !scratch.join("synthetic-v1-3000000x256-seed1/gallery/synthetic").is_dir() {
        assert!(begun.elapsed().as_secs() < 60 && running.try_wait().unwrap().is_none(), "the gallery is never begun");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert!(Command::new("kill").args(["-INT", &running.id().to_string()]).status().unwrap().success());
    let output = running.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && said.contains("nothing was left behind"), "{said}");
    assert!(!scratch.exists(), "{said}");
}

/// One account, two keys: without a key the account is nobody here, and with the proposer's own it is refused.
#[test]
fn two_people_at_one_account_adopt_a_policy_by_their_keys() {
    let desk = Desk::new();
    desk.good(&["gallery", "create", "custody", "--purpose", "tests"]);
    let (ann, bob) = (desk.key("ann", "supervisor"), desk.key("bob", "supervisor"));
    let ours = desk.good(&["policy", "show", "--toml"]).replace("searches_per_day = 500", "searches_per_day = 40");
    fs_err::write(desk.folder.path().join("ours.toml"), ours).unwrap();
    let propose = ["policy", "propose", "ours.toml", "--reason", "we are few"];
    assert!(desk.bad(&propose).contains("BERTILLON_KEY"), "who owns the folder is no user");
    assert!(program::bad(desk.by("bert_nobody", &propose)).contains("nobody has the key"));
    // What is the owner's is not done as somebody else unseen.
    assert!(program::bad(desk.by(&ann, &["gallery", "list"])).contains("unset it"));
    assert!(program::good(desk.by(&ann, &propose)).contains("policy approve 1"));
    let refused = program::bad(desk.by(&ann, &["policy", "approve", "1"]));
    assert!(refused.contains("whoever proposed it"), "{refused}");
    assert!(program::good(desk.by(&bob, &["policy", "proposal", "1"])).contains("searches_per_day"));
    assert!(json(&desk.good(&["policy", "show", "--json"]))["policy"]["volume"]["searches_per_day"] == 500);
    assert!(program::good(desk.by(&bob, &["policy", "approve", "1"])).contains("in force"));
    let shown = json(&desk.good(&["policy", "show", "--json"]));
    assert_eq!(shown["policy"]["volume"]["searches_per_day"], 40);
    let history = json(&program::good(desk.by(&bob, &["policy", "history", "--json"])));
    assert_eq!((&history[0]["sha256"], &history[0]["proposal"]), (&shown["sha256"], &1.into()));
    assert!(desk.good(&["audit", "verify"]).contains("follow each other as they were written"));
}

/// The code of now as an app makes it from the secret that it is told, by RFC 6238 and nothing of the program's.
fn code_of_now(secret: &str) -> String {
    let digit = |letter: u8| if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
    let bits: Vec<u8> =
        secret.bytes().flat_map(|letter| (0..5).rev().map(move |bit| (digit(letter) >> bit) & 1)).collect();
    let bytes: Vec<u8> =
        bits.chunks_exact(8).map(|eight| eight.iter().fold(0, |byte, bit| (byte << 1) | bit)).collect();
    let step = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 30;
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &bytes);
    let tag = ring::hmac::sign(&key, &step.to_be_bytes());
    let at = usize::from(tag.as_ref()[19] & 15);
    let number = u32::from_be_bytes(tag.as_ref()[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
    format!("{:06}", number % 1_000_000)
}

#[test]
fn a_second_factor_is_enrolled_by_what_an_app_shows_and_an_identity_by_an_administrator() {
    let desk = Desk::new();
    desk.good(&["user", "add", "una", "--role", "supervisor"]);
    assert!(desk.good(&["user", "totp", "una"]).contains("no second factor; the policy in force wants one"));
    let begun = json(&desk.good(&["user", "totp", "una", "--enrol", "--json"]));
    let secret = begun["secret"].as_str().unwrap();
    assert!(begun["uri"].as_str().unwrap().contains(&format!("secret={secret}&issuer=Bertillon")));
    assert!(desk.bad(&["user", "totp", "una", "--confirm", "abcdef"]).contains("not the code of now"));
    desk.bad(&["user", "totp", "una", "--enrol", "--remove"]);
    let confirmed = json(&desk.good(&["user", "totp", "una", "--confirm", &code_of_now(secret), "--json"]));
    assert_eq!(confirmed["recovery_codes"].as_array().unwrap().len(), 8);
    let shown = json(&desk.good(&["user", "totp", "una", "--json"]));
    assert_eq!((&shown["state"], &shown["recovery_codes_left"]), (&"confirmed".into(), &8.into()));
    assert!(desk.bad(&["user", "totp", "una", "--enrol"]).contains("--remove"));
    desk.good(&["user", "totp", "una", "--remove"]);
    assert!(desk.bad(&["user", "totp", "una", "--remove"]).contains("no second factor"));
    assert!(desk.bad(&["user", "sso", "una", "--subject", "8f2c31"]).contains("--issuer"));
    desk.bad(&["user", "sso", "una", "--issuer", "https://id.example"]);
    let known = ["user", "sso", "una", "--subject", "8f2c31", "--issuer", "https://id.example"];
    assert!(desk.good(&known).contains("una is 8f2c31 at https://id.example"));
    let listed = json(&desk.good(&["user", "sso", "una", "--json"]));
    assert_eq!(listed["identities"][0]["subject"], "8f2c31");
    assert!(desk.good(&[&known[..], &["--remove"]].concat()).contains("at no provider"));
    let told = desk.good(&["audit", "show", "--json"]);
    assert!(told.contains("user.factor_confirmed") && told.contains("user.identity_unlinked"), "{told}");
    assert!(!told.contains(secret) && !told.contains("8f2c31"), "{told}");
}

/// Files below the data folder's `images`.
fn blobs(desk: &Desk) -> usize {
    let (mut found, mut folders) = (0, vec![desk.folder.path().join("data/images")]);
    while let Some(folder) = folders.pop() {
        for entry in fs_err::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found += 1 }
        }
    }
    found
}

#[test]
fn pictures_are_kept_of_whom_they_are_wanted_and_of_searches_that_say_what_for() {
    let desk = Desk::new();
    let Some(probes) = desk.people(3) else { return };
    assert_eq!(json(&desk.good(&["enrol", "custody", "people", "--keep-images", "--json"]))["enrolled"], 3);
    let kept = json(&desk.good(&["picture", "list", "custody", "--json"]));
    assert_eq!(kept.as_array().unwrap().len(), 3);
    desk.good(&["picture", "export", "custody", "1", "--to", "out.jpg"]);
    let read = |name: &str| fs_err::read(desk.folder.path().join(name)).unwrap();
    let (person, probe) = &probes[0];
    assert!(probes.iter().any(|(person, _)| read(&format!("people/{person}/1.jpg")) == read("out.jpg")));
    desk.good(&["search", "custody", probe]);
    assert_eq!(blobs(&desk), 3, "a search that states nothing keeps no picture");
    let stated = ["--purpose", "investigate_crime", "--lawful-basis", "law_enforcement_task", "--seriousness"];
    let stated = [&stated[..], &["indictable", "--case-ref", "C/1", "--reason", "burglary", "--json"]].concat();
    let answer = json(&desk.good(&[&["search", "custody", probe, probe][..], &stated].concat()));
    let listed = json(&desk.good(&["probe", "list", "--json"]));
    assert_eq!((listed.as_array().unwrap().len(), blobs(&desk)), (1, 4), "one picture, given twice: {listed}");
    assert_eq!(listed[0]["searches"].as_array().unwrap().len(), 2, "{answer}");
    desk.good(&["probe", "export", "1", "--to", "came.jpg"]);
    assert_eq!(read("came.jpg"), read(probe));
    fs_err::write(desk.folder.path().join("nothing.jpg"), b"no picture at all").unwrap();
    desk.bad(&[&["search", "custody", "nothing.jpg"][..], &stated].concat());
    assert_eq!(blobs(&desk), 4, "nor does one that fails");
    desk.good(&["gallery", "erase", "custody", "--subject", person, "--yes"]);
    assert_eq!(blobs(&desk), 3);
    desk.good(&["probe", "erase", "1", "--yes"]);
    assert_eq!(blobs(&desk), 2);
    assert!(desk.bad(&["probe", "export", "1", "--to", "gone.jpg"]).contains("is kept"));
}
