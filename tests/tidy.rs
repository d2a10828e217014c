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
