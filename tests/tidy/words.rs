//! Rules for every file of the repository: its size, its words and what it must not give away.

use super::lexer;
use super::shape::FILE_LINES_MAX;
use super::source::Fault;
use super::tree::File;

const FILE_BYTES_MAX: usize = 256 << 10;
const FIXTURE_BYTES_MAX: usize = 64 << 10;

/// Names of package registries: their clients know where they are. In pieces, so that this file names none.
const HOSTS: [&str; 4] =
    [concat!("crates", ".io"), concat!("pypi", ".org"), concat!("pythonhosted", ".org"), concat!("npmjs", ".org")];
/// Folders of one machine.
const PLACES: [&str; 3] = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
/// Notes to oneself.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
/// What a comparison score is not, and what nobody is by a program.
const CLAIMS: [&str; 3] = ["confidence", "identified", "match score"];

/// All rules for one file.
pub(crate) fn check(file: &File) -> Vec<Fault> {
    let mut faults = size(file);
    let Ok(text) = std::str::from_utf8(&file.bytes) else { return faults };
    if file.path == "Cargo.lock" || file.path.ends_with("/Cargo.lock") {
        return faults;
    }
    faults.extend(length(file, text));
    faults.extend(shader(file, text));
    faults.extend(places(text));
    faults.extend(notes(file, text));
    faults.extend(claims(&file.path, text));
    faults
}

fn whole(what: String) -> Vec<Fault> {
    vec![Fault { line: 1, what }]
}

fn size(file: &File) -> Vec<Fault> {
    let length = file.bytes.len();
    let binary = file.bytes.iter().take(8 << 10).any(|byte| *byte == 0);
    let most = if file.path.starts_with("tests/fixtures/") { FIXTURE_BYTES_MAX } else { FILE_BYTES_MAX };
    if length > most {
        whole(format!("{length} bytes, {most} are allowed in git: fetch it, make it, or keep a smaller one"))
    } else if binary && most == FILE_BYTES_MAX {
        whole("a binary file outside tests/fixtures: fetch it or make it instead".to_owned())
    } else {
        Vec::new()
    }
}

fn length(file: &File, text: &str) -> Vec<Fault> {
    let is_code = ["rs", "wgsl", "py", "sh", "js", "css"].contains(&file.ending());
    let lines = text.lines().count();
    if is_code && lines > FILE_LINES_MAX {
        whole(format!("{lines} lines, {FILE_LINES_MAX} are allowed: it holds more than one thing, part them"))
    } else {
        Vec::new()
    }
}

fn shader(file: &File, text: &str) -> Vec<Fault> {
    if file.ending() == "wgsl" && !text.starts_with("// ") {
        whole("a shader without a comment at its head: say what it computes, from which buffers".to_owned())
    } else {
        Vec::new()
    }
}

fn places(text: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if let Some(host) = HOSTS.iter().find(|host| line.contains(*host)) {
            let what = format!("{host}: name the package, its own client knows the registry");
            faults.push(Fault { line: index + 1, what });
        }
        if let Some(place) = PLACES.iter().find(|place| begins_path(line, place)) {
            let what = format!("{place}: a folder of one machine; use a path from the repository or a setting");
            faults.push(Fault { line: index + 1, what });
        }
    }
    faults
}

/// Whether `place` stands in `line` as the beginning of a path: `src/work/` and `$x/work/` have a name before it.
fn begins_path(line: &str, place: &str) -> bool {
    let mut found = line.match_indices(place);
    found.any(|(at, _)| !line[..at].ends_with(|before: char| before.is_alphanumeric() || "_-.}".contains(before)))
}

fn notes(file: &File, text: &str) -> Vec<Fault> {
    // In Rust the macro of that name has a rule of its own, and quoted text is no note.
    let comments = (file.ending() == "rs").then(|| lexer::split(text).comments);
    let said = comments.as_deref().unwrap_or(text);
    let noted = said.lines().enumerate().filter(|(_, line)| NOTES.iter().any(|note| has_word(line, note)));
    noted
        .map(|(index, _)| Fault { line: index + 1, what: "a note to oneself: do it, or open an issue".to_owned() })
        .collect()
}

fn claims(path: &str, text: &str) -> Vec<Fault> {
    let shown = ["src/http/", "src/cli/", "docs/", "web/", "README.md"].iter().any(|place| path.starts_with(place));
    if !shown {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (index, line) in text.to_lowercase().lines().enumerate() {
        if let Some(claim) = CLAIMS.iter().find(|claim| has_word(line, claim)) {
            let what = format!("{claim:?}: people see this; it is a comparison score, and a candidate is a lead");
            faults.push(Fault { line: index + 1, what });
        }
    }
    faults
}

fn has_word(line: &str, word: &str) -> bool {
    let edge = |character: Option<char>| !character.is_some_and(char::is_alphanumeric);
    line.match_indices(word)
        .any(|(at, _)| edge(line[..at].chars().next_back()) && edge(line[at + word.len()..].chars().next()))
}

#[cfg(test)]
fn faults(path: &str, text: &str) -> usize {
    check(&File { path: path.to_owned(), bytes: text.as_bytes().to_vec() }).len()
}

#[test]
fn large_and_binary_files_are_refused() {
    let big = "x".repeat(FILE_BYTES_MAX + 1);
    assert_eq!(faults("docs/a.md", &big), 1);
    assert_eq!(faults("docs/a.md", &big[1..]), 0);
    assert_eq!(faults("models/a.onnx", "a\0b"), 1);
    assert_eq!(faults("tests/fixtures/v1.seg", "a\0b"), 0);
    assert_eq!(faults("tests/fixtures/v1.seg", &"\0".repeat(FIXTURE_BYTES_MAX + 1)), 1);
}

#[test]
fn long_files_are_refused() {
    let long = "//! x\n".repeat(FILE_LINES_MAX + 1);
    assert_eq!(faults("src/a/b.rs", &long), 1);
    assert_eq!(faults("src/a/b.rs", &long[6..]), 0);
    assert_eq!(faults("README.md", &long), 0);
}

#[test]
fn shaders_say_what_they_do() {
    assert_eq!(faults("shaders/scan.wgsl", "@compute fn main() {}"), 1);
    assert_eq!(faults("shaders/scan.wgsl", "// Scores rows.\n@compute fn main() {}"), 0);
}

#[test]
fn registries_and_machines_are_not_named() {
    for host in HOSTS {
        assert_eq!(faults("tools/get.sh", &format!("curl https://files.{host}/x")), 1, "{host}");
    }
    for place in PLACES {
        assert_eq!(faults("Makefile", &format!("cp {place}me/x .")), 1, "{place}");
        assert_eq!(faults("Makefile", &format!("cp a{place}x $(B)/b{place}x ${{C}}{place}")), 0, "{place}");
    }
    assert_eq!(faults("Cargo.lock", HOSTS[0]), 0);
}

#[test]
fn notes_to_oneself_are_refused() {
    for note in NOTES {
        assert_eq!(faults("src/a.rs", &format!("fn f() {{}} // {note}: later")), 1, "{note}");
        assert_eq!(faults("tools/a.sh", &format!("# {note} later")), 1, "{note}");
        assert_eq!(faults("src/a.rs", &format!("const A: &str = \"{note}\"; // {note}S and A{note}")), 0, "{note}");
    }
}

#[test]
fn claims_are_refused_where_people_read() {
    assert_eq!(faults("src/http/a.rs", "/// The Confidence of it."), 1);
    assert_eq!(faults("docs/a.md", "was identified\nby match score"), 2);
    assert_eq!(faults("docs/a.md", "an unidentified person; identification; a match scored"), 0);
    assert_eq!(faults("deny.toml", "confidence-threshold = 1"), 0);
}
