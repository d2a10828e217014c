//! A finished evaluation: the same command answers from it, another one is refused, and its file stays as it is to the byte.

use std::time::SystemTime;

use serde_json::Value;

use crate::{Place, accuracy};

const SYNTHETIC: [&str; 10] =
    ["eval", "synthetic", "--preset", "mugshot", "--people", "40", "--mated", "40", "--non-mated", "40"];

fn synthetic<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [SYNTHETIC.as_slice(), more].concat()
}

/// Bytes and time of change of `evaluation.json`.
fn file(place: &Place, out: &str) -> (Vec<u8>, SystemTime) {
    let path = place.path(out).join("evaluation.json");
    (fs_err::read(&path).unwrap(), fs_err::metadata(&path).unwrap().modified().unwrap())
}

#[test]
fn a_finished_evaluation_is_answered_from_and_never_written_over() {
    let place = Place { folder: tempfile::tempdir().unwrap() };
    let command = synthetic(&["--out", "made", "--title", "First", "--keep"]);
    let first = place.good(&command);
    let made = file(&place, "made");
    assert!(place.path("made").join("work").exists());
    // Without --keep what was kept goes, and nothing else.
    let again = place.run(&synthetic(&["--out", "made", "--title", "First"]));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(again.status.success() && said.contains("was finished before"), "{said}");
    assert_eq!(String::from_utf8(again.stdout).unwrap(), first);
    assert_eq!(file(&place, "made"), made);
    assert!(!place.path("made").join("work").exists() && !place.path("made").join("searches.journal").exists());
    let as_json = place.good(&synthetic(&["--out", "made", "--title", "First", "--json"]));
    assert_eq!(serde_json::from_str::<Value>(&as_json).unwrap(), place.evaluation("made"));

    // Anything else is another evaluation, or would have to be written over this one.
    let title = place.bad(&synthetic(&["--out", "made", "--title", "Second"]));
    assert!(
        title.contains("asked for with another --title") && title.contains("Give another folder with --out"),
        "{title}"
    );
    let more = place.bad(&synthetic(&["--out", "made", "--title", "First", "--lists", "--calibrate"]));
    assert!(more.contains("another --calibrate, --lists"), "{more}");
    let seed = place.bad(&synthetic(&["--out", "made", "--title", "First", "--seed", "2"]));
    assert!(seed.contains("other data") && seed.contains("Give another folder with --out"), "{seed}");
    assert_eq!(file(&place, "made"), made);

    // Damaged, it is neither believed nor mended.
    let path = place.path("made").join("evaluation.json");
    fs_err::write(&path, &made.0[..made.0.len() / 2]).unwrap();
    assert!(place.bad(&command).contains("evaluation.json"));
    assert_eq!(fs_err::read(&path).unwrap().len(), made.0.len() / 2);
}

#[test]
fn a_finished_evaluation_is_of_its_pictures() {
    let Some(place) = Place::new() else { return };
    let command = accuracy(&["--out", "found", "--data-source", "a test"]);
    let first = place.good(&command);
    let made = file(&place, "found");
    assert_eq!(place.good(&command), first);
    assert!(place.bad(&accuracy(&["--out", "found"])).contains("another --data-source"));
    // Written anew with the bytes of before, and then with others.
    let (one, other) = (place.path("faces/001/neutral.jpg"), place.path("faces/002/neutral.jpg"));
    let bytes = fs_err::read(&one).unwrap();
    fs_err::write(&one, &bytes).unwrap();
    assert_eq!(place.good(&command), first);
    fs_err::copy(&other, &one).unwrap();
    let refused = place.bad(&command);
    assert!(refused.contains("a finished evaluation of other pictures") && refused.contains("--out"), "{refused}");
    assert_eq!(file(&place, "found"), made);
}
