//! `unsafe` only where it is named and explained; nothing that stops the program; files through `fs_err`, whose errors
//! name the path.

use super::lexer::{Token, closing};
use super::source::{Fault, Source};

fn may_be_unsafe(path: &str) -> bool {
    let kernel = path.strip_prefix("src/kernel/").is_some_and(|file| !file.contains('/'));
    kernel || matches!(path, "src/store/mmap.rs" | "src/gpu/shader.rs")
}

/// All three rules.
pub(crate) fn check(source: &Source) -> Vec<Fault> {
    let tokens = source.tokens();
    let mut faults = unsafe_code(source, &tokens);
    if source.room().is_some() {
        faults.extend(stops(source, &tokens));
        faults.extend(plain_files(source, &tokens));
    }
    faults
}

fn unsafe_code(source: &Source, tokens: &[Token<'_>]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "unsafe") {
        let is_function = matches!(tokens.get(index + 1).map(|next| next.text), Some("fn" | "extern"));
        let is_type = is_function && tokens.get(index + 2).is_some_and(|next| next.text == "(");
        if !may_be_unsafe(&source.path) {
            let what = "unsafe outside src/store/mmap.rs, src/kernel/*.rs and src/gpu/shader.rs: find a safe way";
            faults.push(source.fault(token.at, what));
        } else if is_type {
            // A pointer's type promises nothing; the call through it needs the reason.
        } else if is_function && !above(source, token.at).contains("# Safety") {
            faults.push(source.fault(token.at, "unsafe fn without `/// # Safety`: say what callers must see to"));
        } else if !is_function && !above(source, token.at).contains("// SAFETY: ") {
            faults.push(source.fault(token.at, "unsafe without `// SAFETY:` directly above: say why it is sound"));
        }
    }
    faults
}

/// The comments directly above the statement or item that `at` is in, attributes skipped.
fn above(source: &Source, at: usize) -> String {
    let code: Vec<&str> = source.code.lines().map(str::trim).collect();
    let comments: Vec<&str> = source.comments.lines().map(str::trim).collect();
    let mut line = source.line(at) - 1;
    let begins =
        |line: usize| line == 0 || code[line - 1].is_empty() || code[line - 1].ends_with([';', '{', '}', ',', ']']);
    while !begins(line) {
        line -= 1;
    }
    let mut said = String::new();
    while line > 0 {
        line -= 1;
        let is_comment = code[line].is_empty() && !comments[line].is_empty();
        if is_comment {
            said.push_str(comments[line]);
            said.push('\n');
        } else if !code[line].starts_with("#[") {
            break;
        }
    }
    said
}

fn stops(source: &Source, tokens: &[Token<'_>]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for three in tokens.windows(3) {
        let (before, name, after) = (three[0].text, three[1].text, three[2].text);
        let called = matches!(name, "unwrap" | "expect") && matches!(before, "." | ":");
        let shouted = matches!(name, "panic" | "todo" | "unimplemented" | "dbg") && after == "!" && before != "_";
        if (called || shouted) && !source.is_test(three[1].at) {
            faults.push(
                source.fault(three[1].at, format!("{name} outside tests: return an error that a person can act on")),
            );
        }
    }
    faults
}

fn plain_files(source: &Source, tokens: &[Token<'_>]) -> Vec<Fault> {
    let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
    let mut faults = Vec::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "std") {
        let here = &texts[index..];
        let grouped = here.starts_with(&["std", ":", ":", "{"]) && {
            let group = &texts[index + 4..closing(tokens, index + 3)];
            group.iter().enumerate().any(|(at, name)| *name == "fs" && (at == 0 || group[at - 1] == ","))
        };
        // `&std::fs::File` as a type opens nothing: fs_err's own file is made of one. Its locks fail with std's error.
        let is_type = match here {
            ["std", ":", ":", "fs", ":", ":", "File" | "Metadata", next, ..] => {
                *next != ":" && index.checked_sub(1).is_some_and(|before| texts[before] != "use")
            }
            ["std", ":", ":", "fs", ":", ":", name, ..] => *name == "TryLockError",
            _ => false,
        };
        let is_path = here.starts_with(&["std", ":", ":", "fs"]) && !is_type;
        if (is_path || grouped) && !source.is_test(token.at) {
            faults.push(
                source.fault(token.at, "std::fs outside tests: fs_err does the same and its errors name the path"),
            );
        }
    }
    faults
}

#[test]
fn unsafe_needs_its_place_and_its_reason() {
    let block =
        "fn f() {\n    // SAFETY: the mapping is checked\n    // above.\n    let x =\n        unsafe { g() };\n}\n";
    let function =
        "/// Adds.\n///\n/// # Safety\n/// Needs AVX2.\n#[target_feature(enable = \"avx2\")]\npub unsafe fn f() {}\n";
    let pointer = "type F = unsafe fn(u8);";
    for good in [block, function] {
        assert_eq!(check(&Source::new("src/kernel/avx2.rs", good)), [], "{good}");
        assert_eq!(check(&Source::new("src/kernel/deep/avx2.rs", good)).len(), 1, "{good}");
        assert_eq!(check(&Source::new("src/scoring/a.rs", good)).len(), 1, "{good}");
        assert_eq!(check(&Source::new("tests/a.rs", good)).len(), 1, "{good}");
    }
    let bare = "fn f() {\n    unsafe { g() };\n}\n";
    let far = "fn f() {\n    // SAFETY: no.\n    h();\n    unsafe { g() };\n}\n";
    let undocumented = "/// Adds.\npub unsafe fn f() {}\n";
    for bad in [bare, far, undocumented] {
        assert_eq!(check(&Source::new("src/store/mmap.rs", bad)).len(), 1, "{bad}");
    }
    assert_eq!(check(&Source::new("src/kernel/mod.rs", pointer)), [], "nothing dangerous yet");
    assert_eq!(check(&Source::new("src/a.rs", "// unsafe\n#![deny(unsafe_code)]\nconst A: &str = \"unsafe\";")), []);
}

#[test]
fn nothing_stops_the_program() {
    let bad = [
        "x.unwrap()",
        "x\n    .expect(\"y\")",
        "panic!(\"z\")",
        "todo!()",
        "unimplemented!()",
        "dbg!(x)",
        "map(Option::unwrap)",
    ];
    for text in bad {
        let source = Source::new("src/vector/a.rs", &format!("fn f() {{ {text}; }}"));
        assert_eq!(check(&source).len(), 1, "{text}");
    }
    let good = [
        "fn f() { x.unwrap_or(1); y.expect_err(); } // panic! and .unwrap()",
        "#[expect(dead_code)]\nfn f() { \".unwrap()\"; r#\"panic!\"#; }",
        "#[cfg(test)]\nmod tests { fn f() { x.unwrap(); panic!(); } }",
    ];
    for text in good {
        assert_eq!(check(&Source::new("src/vector/a.rs", text)), [], "{text}");
    }
    assert_eq!(check(&Source::new("benches/a.rs", "fn f() { x.unwrap() }")), []);
}

#[test]
fn files_go_through_the_library_that_names_them() {
    let bad = [
        "use std::fs;",
        "use std::fs::File;",
        "use std::{io, fs};",
        "f(std::fs::read(p));",
        "f(std::fs::File::open(p));",
    ];
    for bad in bad {
        assert_eq!(check(&Source::new("src/store/a.rs", bad)).len(), 1, "{bad}");
    }
    let in_tests = "#[cfg(test)]\nmod t { use std::fs; }";
    let types = "fn f(file: &std::fs::File) -> Result<(), std::fs::TryLockError> {}";
    for good in ["use fs_err as fs;", "use std::{io, path};", types, in_tests] {
        assert_eq!(check(&Source::new("src/store/a.rs", good)), [], "{good}");
    }
}
