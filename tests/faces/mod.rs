//! Where the tests find loaded models and pictures of faces. Neither is part of the repository, so a test that lacks them
//! says so and ends; with `BERTILLON_REQUIRE_MODEL_TESTS=1` it fails instead.
#![allow(dead_code)]

use std::path::{Path, PathBuf};

use bertillon::vision::Vision;
use bertillon::vision::catalogue::Catalogue;
use bertillon::vision::runtime::Runtime;

/// The set from the package registries, and the one from files at hand.
pub(crate) const SETS: [&str; 2] = ["mtcnn-dlib", "yunet-omz"];

/// The models folder: `BERTILLON_MODELS`, else `data/models`.
pub(crate) fn models_dir() -> PathBuf {
    std::env::var_os("BERTILLON_MODELS").map_or_else(|| Path::new("data").join("models"), PathBuf::from)
}

/// The loaded set, or `None` with the reason on the screen.
pub(crate) fn load(set: &str, threads: usize) -> Option<Vision> {
    let catalogue = Catalogue::builtin().unwrap();
    let set = catalogue.set(set).unwrap();
    let installed = models_dir();
    let folders = [installed.clone(), PathBuf::from("../shared/models")];
    let Some(folder) = folders.iter().find(|folder| set.files().all(|file| file.path(folder).is_file())) else {
        return lacking(&format!("model set {} is in none of {folders:?} (BERTILLON_MODELS)", set.name));
    };
    match Runtime::load(None, &installed) {
        Ok(runtime) => Some(Vision::load(set, folder, &runtime, threads).unwrap()),
        Err(error) => lacking(&error.to_string()),
    }
}

/// Pictures of the Face Research Lab London Set: person, neutral, smiling; `None` when it is not there.
pub(crate) fn frll() -> Option<Vec<(String, PathBuf, PathBuf)>> {
    let folder = Path::new("../shared/faces/frll");
    let Ok(entries) = fs_err::read_dir(folder) else {
        return lacking(&format!("{} is not there", folder.display()));
    };
    let mut people: Vec<_> = entries
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().is_dir())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, entry.path().join("neutral.jpg"), entry.path().join("smiling.jpg"))
        })
        .collect();
    people.sort();
    Some(people)
}

/// Portraits, one face each: those of [`frll`] with a neutral face, else every JPEG in `BERTILLON_TEST_PICTURES`.
pub(crate) fn portraits() -> Option<Vec<PathBuf>> {
    if let Some(people) = frll() {
        return Some(people.into_iter().map(|(_, neutral, _)| neutral).collect());
    }
    let Some(folder) = std::env::var_os("BERTILLON_TEST_PICTURES") else {
        return lacking("no portraits: set BERTILLON_TEST_PICTURES to a folder of JPEG portraits");
    };
    let entries = fs_err::read_dir(PathBuf::from(folder)).unwrap().map(|entry| entry.unwrap().path());
    let mut pictures: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "jpg")).collect();
    pictures.sort();
    Some(pictures)
}

pub(crate) fn lacking<T>(what: &str) -> Option<T> {
    assert!(std::env::var_os("BERTILLON_REQUIRE_MODEL_TESTS").is_none(), "{what}");
    eprintln!("SKIPPED: {what}");
    None
}
