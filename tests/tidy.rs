//! The law of the house, read from the tree itself: who may import whom, where danger may live, how long things may be
//! and what must be explained. Each rule stands in a module of its own with samples that it must and must not refuse.
//!
//! A failure names file, line, what is wrong and what to do about it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod tidy {
    pub(crate) mod danger;
    pub(crate) mod explained;
    pub(crate) mod layers;
    pub(crate) mod lexer;
    pub(crate) mod owners;
    pub(crate) mod shape;
    pub(crate) mod source;
    pub(crate) mod tree;
    pub(crate) mod words;
}

use std::collections::BTreeSet;

use tidy::source::{Fault, Source};
use tidy::tree::Tree;
use tidy::{danger, explained, layers, owners, shape, words};

#[test]
fn the_tree_is_tidy() {
    let tree = Tree::read();
    assert!(tree.files.len() > 20, "only {} files found: the tree was not read", tree.files.len());
    let sources = tree.sources();
    let mut faults: Vec<String> = Vec::new();
    for source in &sources {
        faults.extend(of_source(source).into_iter().map(|fault| fault.at(&source.path)));
    }
    faults.extend(layers::circles(&sources));
    for file in &tree.files {
        faults.extend(words::check(file).into_iter().map(|fault| fault.at(&file.path)));
    }
    faults.sort();
    assert!(faults.is_empty(), "{} faults\n{}\n", faults.len(), faults.join("\n"));
}

fn of_source(source: &Source) -> Vec<Fault> {
    let rules =
        [layers::check, owners::check, danger::check, shape::functions, explained::module_doc, explained::public_docs];
    rules.iter().flat_map(|rule| rule(source)).collect()
}

/// A page that says which test breaks a rule of law must not name one that is not there.
#[test]
fn governance_names_tests_that_there_are() {
    let tree = Tree::read();
    let page = tree.files.iter().find(|file| file.path == "docs/GOVERNANCE.md").expect("docs/GOVERNANCE.md");
    let page = std::str::from_utf8(&page.bytes).unwrap();
    let is_name = |word: &&str| word.contains('_') && word.chars().all(|one| one.is_ascii_lowercase() || one == '_');
    let named: BTreeSet<&str> = page.split('`').skip(1).step_by(2).filter(is_name).collect();
    assert!(named.len() >= 20, "only {} tests are named: the page was not read", named.len());
    let rust = tree.files.iter().filter(|file| file.ending() == "rs");
    let texts: Vec<_> = rust.map(|file| String::from_utf8_lossy(&file.bytes)).collect();
    let is_there = |name: &&str| texts.iter().any(|text| text.contains(&format!("fn {name}(")));
    let lacking: Vec<&str> = named.into_iter().filter(|name| !is_there(name)).collect();
    assert!(lacking.is_empty(), "docs/GOVERNANCE.md names tests that there are not: {lacking:?}");
}
