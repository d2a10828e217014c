//! What must be explained: every module, and every public item.

use super::source::{Fault, Source};

/// Refuses a file whose first words are not a module doc.
pub(crate) fn module_doc(source: &Source) -> Vec<Fault> {
    let mut lines = source.text.lines().map(str::trim);
    let first = lines.find(|line| !line.is_empty() && !line.starts_with("#!["));
    let said = first.and_then(|line| line.strip_prefix("//!")).is_some_and(|text| text.trim().len() > 10);
    if said {
        Vec::new()
    } else {
        vec![source.fault(0, "no module doc: begin with `//!` and say what stands here and why")]
    }
}

/// Refuses `pub` items and fields without `///`. A module's words stand in its own file.
pub(crate) fn public_docs(source: &Source) -> Vec<Fault> {
    if source.room().is_none() {
        return Vec::new();
    }
    let mut faults = Vec::new();
    let (mut at, mut explained, mut open) = (0, false, 0_usize);
    for (line, comment) in source.code.lines().zip(source.comments.lines()) {
        let (code, comment) = (line.trim(), comment.trim());
        if open > 0 || code.starts_with("#[") {
            // An attribute, perhaps over several lines, stands between the doc and its item.
            let opened = code.matches('[').count() + open;
            open = opened.saturating_sub(code.matches(']').count());
            explained |= code.starts_with("#[doc");
        } else if code.is_empty() {
            explained |= comment.starts_with("///") && comment.len() > 4;
        } else {
            let needs = code.strip_prefix("pub ").is_some_and(|item| !is_module_or_import(item));
            if needs && !explained && !source.is_test(at) {
                faults.push(source.fault(at, "a public item without `///`: say what it is, its units and its errors"));
            }
            explained = false;
        }
        at += line.len() + 1;
    }
    faults
}

fn is_module_or_import(item: &str) -> bool {
    item.starts_with("use ") || (item.starts_with("mod ") && item.ends_with(';'))
}

#[test]
fn modules_say_what_they_are() {
    for bad in ["", "use x;", "// A comment is no doc.", "//!\n//!", "use x;\n//! Too late to help."] {
        assert_eq!(module_doc(&Source::new("src/vector/a.rs", bad)).len(), 1, "{bad}");
    }
    for good in ["//! Unit vectors of faces.", "#![allow(x)]\n\n//! Unit vectors of faces.\nuse x;"] {
        assert_eq!(module_doc(&Source::new("src/vector/a.rs", good)), [], "{good}");
    }
}

#[test]
fn public_items_are_explained() {
    let bad = [
        "pub fn f() {}",
        "/// Doc.\npub struct S {\n    pub field: u8,\n}",
        "/// Doc of another.\nfn g() {}\npub const A: u8 = 1;",
        "// No doc comment.\n#[must_use]\npub fn f() {}",
        "///\npub fn f() {}",
    ];
    for text in bad {
        assert_eq!(public_docs(&Source::new("src/vector/a.rs", text)).len(), 1, "{text}");
    }
    let good = [
        "/// Doc.\n#[error(\n    \"a [b] c\"\n)]\n#[must_use]\npub fn f() {}",
        "pub mod a;\npub use b::c;\nfn private() {}\npub(crate) fn near() {}",
        "/// Doc.\npub struct S {\n    /// Field.\n    pub field: u8,\n    hidden: u8,\n}",
        "#[cfg(test)]\nmod tests {\n    pub fn helper() {}\n}",
        "const TEXT: &str = \"\npub fn quoted() {}\";",
    ];
    for text in good {
        assert_eq!(public_docs(&Source::new("src/vector/a.rs", text)), [], "{text}");
    }
}
