//! The whole of casework as `bertillon demo casework` tells it, on real faces: every step by the built program, in a process of its own, by
//! the key of who acts. What must be refused is refused there, or the story ends with an error.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod faces;
mod program;

use std::path::Path;

use faces::{frll, lacking, models_dir};

/// People who are enrolled.
const PEOPLE: usize = 5;

#[test]
fn a_case_goes_from_a_still_to_an_erasure_and_every_rule_holds() {
    let Some(people) = frll() else { return };
    if !models_dir().join("dlib_face_resnet.onnx").is_file() {
        lacking::<()>("the default model set is not installed (BERTILLON_MODELS)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut still = None;
    for (number, neutral, smiling) in people.into_iter().take(PEOPLE) {
        // As nothing else is called that stands in a file.
        let person = format!("Subject-of-the-story-{number}");
        let own = folder.path().join("faces").join(&person);
        fs_err::create_dir_all(&own).unwrap();
        fs_err::copy(&neutral, own.join(neutral.file_name().unwrap())).unwrap();
        still.get_or_insert((person, std::path::absolute(smiling).unwrap()));
    }
    let (person, smiling) = still.unwrap();
    let story = ["demo", "casework", "--folder", "story", "--people", "faces", "--still", smiling.to_str().unwrap()];
    let mut command = program::on_cpu(folder.path(), &story);
    let told = program::good({
        command.env("BERTILLON_MODELS", std::path::absolute(models_dir()).unwrap());
        command
    });
    for words in [
        "possible identification, not evidence of identity",
        "the receipt is whole",
        "two different people",
        "a certificate was signed",
        // A byte is flipped where records are in a file.
        if std::env::var_os("BERTILLON_RECORDS_URL").is_none() { "xeno" } else { "on postgresql" },
    ] {
        assert!(told.to_lowercase().contains(words), "{words:?} is not in the story: {told}");
    }
    let data = folder.path().join("story/data");
    assert!(
        files_with(&data, person.as_bytes()).is_empty(),
        "who was erased is named: {:?}",
        files_with(&data, person.as_bytes())
    );
    let again = program::bad(program::on_cpu(folder.path(), &story));
    assert!(again.contains("there is something already"), "{again}");
}

/// Files below a folder in which some bytes stand.
fn files_with(folder: &Path, sought: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_with(&path, sought));
        } else if fs_err::read(&path).unwrap().windows(sought.len()).any(|window| window == sought) {
            found.push(path.display().to_string());
        }
    }
    found
}
