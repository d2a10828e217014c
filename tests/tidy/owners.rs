//! Which room may use which library: one place knows HTTP, one knows ONNX Runtime, one knows the GPU.

use super::source::{Fault, Source};

/// A library and the rooms that may name it outside tests.
const OWNERS: [(&str, &[&str]); 21] = [
    // The command line starts the runtime that the server runs on.
    ("actix_web", &["http", "cli"]),
    ("actix_multipart", &["http"]),
    ("utoipa", &["http"]),
    ("utoipa_swagger_ui", &["http"]),
    ("argon2", &["crypto"]),
    ("base64", &["crypto"]),
    ("anyhow", &["cli", "main"]),
    ("clap", &["cli", "main"]),
    ("confique", &["settings"]),
    // NumPy's archives.
    ("flate2", &["casework"]),
    ("hnsw_rs", &["graph"]),
    ("indicatif", &["cli"]),
    ("memmap2", &["store"]),
    // The plots and the typeface of reports.
    ("notosans", &["evaluation"]),
    ("plotters", &["evaluation"]),
    ("ort", &["vision"]),
    // The pool of threads that scan galleries.
    ("rayon", &["scoring"]),
    ("ring", &["crypto"]),
    // Encrypted connections; what it does with ring stays within it.
    ("rustls", &["http", "sso"]),
    // What goes out to a provider of sign-ins.
    ("ureq", &["sso"]),
    ("wgpu", &["gpu"]),
];

/// Refuses a library in a room that does not own it.
pub(crate) fn check(source: &Source) -> Vec<Fault> {
    let Some(room) = source.room() else { return Vec::new() };
    let tokens = source.tokens();
    let mut faults = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        let owners = OWNERS.iter().find(|(library, _)| *library == token.text).map(|(_, owners)| *owners);
        let Some(owners) = owners.filter(|owners| !owners.contains(&room)) else { continue };
        let follows = |text: &str| tokens.get(index + 1).is_some_and(|next| next.text == text);
        let before = index.checked_sub(1).map(|before| tokens[before].text);
        // `clap::x`, `use clap;` and `use clap as x`; not a module or a variable of the same name.
        let is_library = (follows(":") || before == Some("use")) && !matches!(before, Some(":" | "."));
        let is_path = tokens.get(index + 2).is_some_and(|next| next.text == ":") || before == Some("use");
        if is_library && is_path && !source.is_test(token.at) {
            let owners = owners.join(" and ");
            faults.push(
                source.fault(token.at, format!("{} belongs to {owners}: ask that room for what is needed", token.text)),
            );
        }
    }
    faults
}

#[test]
fn libraries_stay_in_their_rooms() {
    let bad = [
        ("src/casework/a.rs", "use actix_web::web;"),
        ("src/gallery/a.rs", "fn f() -> anyhow::Result<()> { g() }"),
        ("src/scoring/a.rs", "use wgpu as gpu;"),
    ];
    for (path, text) in bad {
        assert_eq!(check(&Source::new(path, text)).len(), 1, "{text}");
    }
    let good = [
        ("src/cli/a.rs", "use anyhow::Context;"),
        ("src/gpu/a.rs", "let x: wgpu::Device = y;"),
        ("src/scoring/a.rs", "use crate::gpu::wgpu; fn f(ort: u8, s: S) { s.ort }"),
        ("src/gallery/a.rs", "#[cfg(test)]\nmod tests { use anyhow::Result; }"),
        ("tests/a.rs", "use anyhow::Result;"),
    ];
    for (path, text) in good {
        assert_eq!(check(&Source::new(path, text)), [], "{text}");
    }
}
