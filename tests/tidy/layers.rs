//! Who may import whom: the layer table, and no circles between rooms of one layer.

use std::collections::{BTreeMap, BTreeSet};

use super::lexer::{Token, closing};
use super::source::{Fault, Source};

/// The rooms by layer, lowest first. A room imports from lower layers and from its own, never from a higher one.
const LAYERS: [&[&str]; 9] = [
    &["base"],
    &["vector", "store", "settings", "crypto", "rights", "policy"],
    &["segment", "kernel", "gpu", "vision", "audit", "keys", "pictures", "pack", "sso"],
    &["scoring", "graph"],
    &["gallery", "records"],
    &["identify", "evaluation"],
    &["casework"],
    &["http", "cli"],
    &["main"],
];

fn layer_of(room: &str) -> Option<usize> {
    LAYERS.iter().position(|rooms| rooms.contains(&room))
}

/// Refuses imports that climb and rooms that the table does not know.
pub(crate) fn check(source: &Source) -> Vec<Fault> {
    let Some(room) = source.room() else { return Vec::new() };
    if room == "lib" {
        return unknown_rooms(source);
    }
    let Some(own) = layer_of(room) else {
        return vec![
            source.fault(0, format!("room {room:?} is not in the layer table: add it to tests/tidy/layers.rs")),
        ];
    };
    let mut faults = Vec::new();
    for (at, other) in imports(source) {
        let fault = match layer_of(other) {
            Some(layer) if layer > own => format!(
                "{room} (layer {own}) imports {other} (layer {layer}): move what both need down, or pass it in from above"
            ),
            Some(_) => continue,
            None if other == "*" => "a glob of the whole crate hides what is imported: name the room".to_owned(),
            None => format!("{other:?} is not in the layer table: add it to tests/tidy/layers.rs"),
        };
        faults.push(source.fault(at, fault));
    }
    faults
}

fn unknown_rooms(source: &Source) -> Vec<Fault> {
    let tokens = source.tokens();
    let declared = tokens.windows(2).filter(|two| two[0].text == "mod");
    let unknown = declared.filter(|two| layer_of(two[1].text).is_none());
    unknown
        .map(|two| {
            source.fault(
                two[0].at,
                format!("room {:?} is not in the layer table: add it to tests/tidy/layers.rs", two[1].text),
            )
        })
        .collect()
}

/// Rooms of one layer that import each other in a circle.
pub(crate) fn circles(sources: &[Source]) -> Vec<String> {
    let mut edges: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for source in sources {
        let Some(room) = source.room().filter(|room| layer_of(room).is_some()) else { continue };
        let others = imports(source).into_iter().filter(|(at, other)| *other != room && !source.is_test(*at));
        edges.entry(room).or_default().extend(others.map(|(_, other)| other));
    }
    let closes = |room: &&&str| reaches(&edges, room, room);
    let rooms = edges.keys().filter(closes);
    rooms.map(|room| format!("src/{room}: imports a room that imports it: move what both need down a layer")).collect()
}

fn reaches(edges: &BTreeMap<&str, BTreeSet<&str>>, from: &str, to: &str) -> bool {
    let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(room) = open.pop() {
        for next in edges.get(room).into_iter().flatten() {
            if *next == to {
                return true;
            }
            if seen.insert(*next) {
                open.push(next);
            }
        }
    }
    false
}

/// Every room of this crate that the file names, in `use` and in paths, through `crate::`, `super::` and, in the program,
/// `bertillon::`.
pub(crate) fn imports(source: &Source) -> Vec<(usize, &str)> {
    let tokens = source.tokens();
    let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
    let blocks = source.inline_modules();
    let mut found = Vec::new();
    for index in 0..tokens.len() {
        let here = &texts[index..];
        let at = tokens[index].at;
        let to_root = match here {
            ["crate" | "bertillon", ":", ":", ..] => 3,
            ["super", ":", ":", ..] if index < 3 || texts[index - 3] != "super" => {
                let steps = here.chunks_exact(3).take_while(|step| *step == ["super", ":", ":"]).count();
                let depth = depth_of(&source.path) + blocks.iter().filter(|block| block.contains(&at)).count();
                if steps < depth {
                    continue;
                }
                3 * steps
            }
            _ => continue,
        };
        found.extend(first_names(&tokens, index + to_root));
    }
    found
}

/// How many modules stand above the items of a file: `src/lib.rs` 0, `src/a.rs` and `src/a/mod.rs` 1, `src/a/b.rs` 2.
fn depth_of(path: &str) -> usize {
    let folders = path.matches('/').count();
    let file = path.rsplit('/').next().unwrap_or_default();
    if matches!(file, "lib.rs" | "main.rs" | "mod.rs") { folders - 1 } else { folders }
}

/// The name after `crate::`, or each first name of a group after it.
fn first_names<'a>(tokens: &[Token<'a>], from: usize) -> Vec<(usize, &'a str)> {
    match tokens.get(from) {
        Some(token) if token.text != "{" => vec![(token.at, token.text)],
        Some(_) => {
            let end = closing(tokens, from);
            let mut names = Vec::new();
            let mut index = from + 1;
            while index < end {
                let token = tokens[index];
                if matches!(tokens[index - 1].text, "{" | ",") && token.text != "," {
                    names.push((token.at, token.text));
                }
                index = if token.text == "{" { closing(tokens, index) + 1 } else { index + 1 };
            }
            names
        }
        None => Vec::new(),
    }
}

#[test]
fn climbing_is_refused_however_it_is_written() {
    let climbs = [
        "use crate::scoring::planner;",
        "use crate::{base::limits, scoring::{planner, battery}};",
        "use crate::{\n    scoring,\n};",
        "pub(crate) fn f() -> crate::gallery::Name { todo }",
        "use super::super::http::x;",
        "mod tests { use super::super::super::cli::x; }",
        "use crate::*;",
        "use crate::somewhere::x;",
    ];
    for text in climbs {
        assert_eq!(check(&Source::new("src/kernel/avx2.rs", text)).len(), 1, "{text}");
    }
    assert_eq!(check(&Source::new("src/kernel/mod.rs", "use super::http;")).len(), 1);
    let fault = &check(&Source::new("src/kernel/avx2.rs", "\nuse crate::scoring::x;"))[0];
    assert_eq!(fault.line, 2);
    assert!(fault.what.starts_with("kernel (layer 2) imports scoring (layer 3)"), "{}", fault.what);
}

#[test]
fn imports_from_below_pass() {
    let fine = [
        "use crate::base::limits::X;\nuse crate::{vector::topk::{Scored, TopK}, kernel, gpu::y};",
        "use super::scalar;\nmod tests { use super::super::scalar; use super::*; }",
        "// use crate::http;\nconst S: &str = \"crate::http\";",
    ];
    for text in fine {
        assert_eq!(check(&Source::new("src/kernel/avx2.rs", text)), [], "{text}");
    }
    assert_eq!(check(&Source::new("src/main.rs", "use bertillon::cli::run;")), []);
    assert_eq!(check(&Source::new("tests/kernel.rs", "use bertillon::cli::run;")), []);
}

#[test]
fn rooms_must_be_in_the_table() {
    assert_eq!(check(&Source::new("src/lib.rs", "pub mod base;\npub mod attic;")).len(), 1);
    assert_eq!(check(&Source::new("src/attic/mod.rs", "")).len(), 1);
    assert_eq!(check(&Source::new("src/lib.rs", "pub mod base;\npub mod vector;")), []);
}

#[test]
fn circles_in_one_layer_are_refused() {
    let there = Source::new("src/http/mod.rs", "use crate::cli::x;");
    let back = Source::new("src/cli/mod.rs", "use crate::http::y;");
    let straight = Source::new("src/cli/mod.rs", "use crate::base::ids;");
    assert!(circles(&[straight, Source::new("src/http/mod.rs", "use crate::cli::x;")]).is_empty());
    assert_eq!(circles(&[there, back]).len(), 2);
}
