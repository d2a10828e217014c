//! Real files and a real environment: the tests that need variables run this test program again as a child. The others
//! leave the environment out, so that a variable of whoever runs them changes nothing.

use std::path::Path;
use std::process::Command;

use confique::Config;
use confique::meta::{FieldKind, Meta};

use super::*;
use crate::settings::back_end::BackEnd;

fn load(text: &str, flags: Flags) -> Result<Loaded, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join(FILE_NAME), text).unwrap();
    Settings::merge(None, folder.path(), SettingsLayer::empty(), flags)
}

fn load_with_variables(text: &str, flags: Flags) -> Result<Loaded, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    fs_err::write(folder.path().join(FILE_NAME), text).unwrap();
    Settings::load(None, folder.path(), flags)
}

/// What the ignored test `name` prints when it runs with nothing but `variables` around it.
fn in_child(name: &str, variables: &[(&str, &str)]) -> String {
    let name = format!("settings::tests::{name}");
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &name, "--ignored", "--nocapture"]).env_clear().envs(variables.iter().copied());
    String::from_utf8(child.output().unwrap().stdout).unwrap()
}

fn defaults() -> Settings {
    let folder = tempfile::tempdir().unwrap();
    let loaded = Settings::merge(None, folder.path(), SettingsLayer::empty(), Flags::default()).unwrap();
    assert_eq!(loaded.file, None);
    loaded.settings
}

fn refusal(text: &str) -> String {
    load(text, Flags::default()).unwrap_err().to_string()
}

#[test]
fn defaults_without_any_file() {
    let settings = defaults();
    assert_eq!(settings.data.folder, Path::new("data"));
    assert_eq!(settings.models_folder(), Path::new("data/models"));
    assert_eq!(settings.models.set, "mtcnn-dlib");
    assert_eq!(settings.scoring.back_end, BackEnd::Auto);
    assert_eq!(settings.scoring.candidates, 20);
    assert_eq!(settings.server.address().to_string(), "127.0.0.1:8470");
    assert_eq!(settings.server.request_bytes_max(), 64 << 20);
}

#[test]
fn the_file_beats_defaults_and_flags_beat_the_file() {
    let text = "[data]\nfolder = \"elsewhere\"\n[scoring]\nback_end = \"cpu-avx2\"\ncandidates = 50\n";
    let flags = Flags { candidates: Some(7), ..Flags::default() };
    let settings = load(text, flags).unwrap().settings;
    assert_eq!(settings.models_folder(), Path::new("elsewhere/models"));
    assert_eq!(settings.scoring.back_end, BackEnd::CpuAvx2);
    assert_eq!(settings.scoring.candidates, 7);
}

#[test]
fn the_environment_stands_between_file_and_flags() {
    let said = in_child(
        "child_with_variables",
        &[
            ("BERTILLON_SCORING_CANDIDATES", "30"),
            ("BERTILLON_SCORING_THREADS", "3"),
            ("BERTILLON_MODELS", "shelf"),
            ("BERTILLON_SCORING_BACK_END", "gpu"),
        ],
    );
    assert!(said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by the test before with variables set"]
fn child_with_variables() {
    let text = "[scoring]\ncandidates = 10\nthreads = 1\n[models]\nfolder = \"file\"\n";
    let flags = Flags { threads: Some(4), ..Flags::default() };
    let settings = load_with_variables(text, flags).unwrap().settings;
    assert_eq!(settings.scoring.candidates, 30, "environment over file");
    assert_eq!(settings.scoring.threads, 4, "flag over environment");
    assert_eq!(settings.models_folder(), Path::new("shelf"));
    assert_eq!(settings.scoring.back_end, BackEnd::Gpu);
}

#[test]
fn a_bad_variable_is_named() {
    let said = in_child("child_with_bad_variable", &[("BERTILLON_SCORING_CANDIDATES", "5000")]);
    assert!(said.contains("BERTILLON_SCORING_CANDIDATES") && said.contains("5000 is not from 1 to 1000"), "{said}");
}

#[test]
#[ignore = "run by the test before with a variable set"]
fn child_with_bad_variable() {
    println!("{}", load_with_variables("", Flags::default()).unwrap_err());
}

#[test]
fn unknown_keys_are_refused_with_what_is_known() {
    let said = refusal("[server]\nprot = 80\n");
    for part in [FILE_NAME, "line 2", "prot", "port", "--template"] {
        assert!(said.contains(part), "{part:?} in {said}");
    }
    assert!(refusal("[sever]\nport = 80\n").contains("sever"));
}

#[test]
fn bad_values_are_refused_with_what_is_allowed() {
    let cases = [
        ("[server]\nport = 99999\n", "99999"),
        ("[server]\nbind = \"here\"\n", "IP"),
        ("[scoring]\nback_end = \"cuda\"\n", "cpu-scalar"),
        ("[scoring]\ncandidates = 0\n", "from 1 to 1000"),
        ("[server]\nimages_max = 65\n", "from 1 to 64"),
        ("[log]\nfilter = \"bertillon=loudly\"\n", "info,bertillon=debug"),
        ("[models]\nset = \"a/b\"\n", "models list"),
        ("[data]\nfolder = \"\"\n", "empty path"),
    ];
    for (text, wanted) in cases {
        let said = refusal(text);
        assert!(said.contains(wanted) && said.contains("line 2"), "{wanted:?} in {said}");
    }
}

#[test]
fn a_master_key_in_place_of_its_place_is_refused_and_not_shown() {
    let key = "0f".repeat(32);
    let said = refusal(&format!("[encryption]\nmaster_key = \"{key}\"\n"));
    assert!(said.contains("encryption.master_key") && said.contains("file:PATH") && !said.contains(&key), "{said}");
    let settings = load("[encryption]\nmaster_key = \"env:MASTER\"\n", Flags::default()).unwrap().settings;
    assert_eq!(settings.encryption.master_key, Some(MasterKey::Environment("MASTER".to_owned())));
}

#[test]
fn flags_are_held_to_the_same_bounds() {
    let error = load("", Flags { candidates: Some(1001), ..Flags::default() }).unwrap_err();
    assert_eq!(error.to_string(), "--top: 1001 is not from 1 to 1000");
}

#[test]
fn a_named_file_must_be_there_and_short() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.toml");
    let missing = Settings::merge(Some(&path), folder.path(), SettingsLayer::empty(), Flags::default());
    assert!(matches!(missing, Err(SettingsError::Missing(named)) if named == path));
    fs_err::write(&path, "#".repeat(SETTINGS_BYTES_MAX as usize + 1)).unwrap();
    let long = Settings::merge(Some(&path), folder.path(), SettingsLayer::empty(), Flags::default());
    assert!(matches!(long, Err(SettingsError::TooLong(_))));
}

#[test]
fn the_template_is_a_valid_file_of_defaults() {
    let template = Settings::template();
    let bare = defaults();
    assert_eq!(load(&template, Flags::default()).unwrap().settings, bare);
    // With the defaults uncommented it still is.
    let is_value = |line: &&str| line.starts_with('#') && line.contains(" = ");
    let values = template.lines().filter(|line| is_value(line) || line.starts_with('['));
    let values = values.map(|line| line.trim_start_matches('#')).collect::<Vec<_>>().join("\n");
    assert_eq!(load(&values, Flags::default()).unwrap().settings, bare, "{values}");
}

#[test]
fn what_is_in_force_can_be_read_back() {
    let flags = Flags { model_set: Some("yunet-sface".to_owned()), port: Some(0), ..Flags::default() };
    let settings = load("", flags).unwrap().settings;
    assert_eq!(load(&settings.to_toml().unwrap(), Flags::default()).unwrap().settings, settings);
}

#[test]
fn every_key_has_its_variable() {
    fn visit(meta: &Meta, section: &str, seen: &mut usize) {
        for field in meta.fields {
            match &field.kind {
                FieldKind::Nested { meta } => visit(meta, field.name, seen),
                FieldKind::Leaf { env, .. } => {
                    let short = matches!((section, field.name), ("data" | "models", "folder") | ("log", "filter"));
                    let name = if short { section.to_owned() } else { format!("{section}_{}", field.name) };
                    assert_eq!(*env, Some(format!("BERTILLON_{}", name.to_uppercase()).as_str()));
                    *seen += 1;
                }
            }
        }
    }
    let mut seen = 0;
    visit(&Settings::META, "", &mut seen);
    assert!(seen > 10);
}
