//! Finds the files of the repository.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::source::Source;

/// A file of the repository.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// Content.
    pub(crate) bytes: Vec<u8>,
}

impl File {
    /// What stands after the last dot.
    pub(crate) fn ending(&self) -> &str {
        self.path.rsplit_once('.').map_or("", |(_, ending)| ending)
    }
}

/// All files that are in git or would be added.
pub(crate) struct Tree {
    /// In order of path.
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads the repository that this test was built from.
    pub(crate) fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut paths = in_git(root).unwrap_or_else(|| in_folder(root));
        paths.sort();
        paths.dedup();
        let files = paths.into_iter().filter_map(|path| {
            // A file that git knows and that was just removed is no file.
            let bytes = fs::read(root.join(&path)).ok()?;
            Some(File { path, bytes })
        });
        Self { files: files.collect() }
    }

    /// The Rust files of `src`, `tests` and `benches`.
    pub(crate) fn sources(&self) -> Vec<Source> {
        let ours = |path: &str| ["src/", "tests/", "benches/"].iter().any(|folder| path.starts_with(folder));
        let rust = self.files.iter().filter(|file| file.ending() == "rs" && ours(&file.path));
        let mut sources: Vec<Source> = rust
            .map(|file| Source::new(&file.path, std::str::from_utf8(&file.bytes).expect("Rust source is Unicode")))
            .collect();
        let tests: Vec<String> = sources.iter().flat_map(test_files).collect();
        for source in &mut sources {
            let stem = source.path.trim_end_matches(".rs");
            if tests.iter().any(|test| stem == test || source.path.starts_with(&format!("{test}/"))) {
                source.mark_as_test();
            }
        }
        sources
    }
}

/// Paths without ending of the modules that `source` declares for tests only.
fn test_files(source: &Source) -> Vec<String> {
    let path = Path::new(&source.path);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    let parent = path.parent().unwrap_or(Path::new(""));
    let folder = if matches!(stem, "mod" | "lib" | "main") { parent.to_path_buf() } else { parent.join(stem) };
    source.test_modules().into_iter().map(|module| folder.join(module).to_string_lossy().into_owned()).collect()
}

fn in_git(root: &Path) -> Option<Vec<String>> {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .ok()?;
    let text = String::from_utf8(listed.stdout).ok()?;
    let paths: Vec<String> = text.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect();
    (listed.status.success() && !paths.is_empty()).then_some(paths)
}

/// For a copy without git: everything but what is built or kept there.
fn in_folder(root: &Path) -> Vec<String> {
    let mut folders = vec![root.to_path_buf()];
    let mut paths = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        for path in entries {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let left_out = matches!(name, ".git" | "target" | "node_modules") || path == root.join("data");
            if path.is_dir() && !left_out {
                folders.push(path);
            } else if path.is_file() {
                let below = path.strip_prefix(root).expect("found below the root");
                paths.push(below.to_string_lossy().into_owned());
            }
        }
    }
    paths
}

#[test]
fn files_of_test_modules_are_tests() {
    let declares = "//! Doc.\n#[cfg(test)]\nmod tests;\nmod other;\n";
    let file = |path: &str, text: &str| File { path: path.to_owned(), bytes: text.as_bytes().to_vec() };
    let tree = Tree {
        files: vec![
            file("src/a/mod.rs", declares),
            file("src/a/other.rs", "fn f() {}"),
            file("src/a/tests.rs", "fn f() {}"),
            file("src/a/tests/more.rs", "fn f() {}"),
            file("src/b.rs", declares),
            file("src/b/tests.rs", "fn f() {}"),
        ],
    };
    let tests: Vec<bool> = tree.sources().iter().map(|source| source.is_test(0)).collect();
    assert_eq!(tests, [false, false, true, true, false, true]);
}

#[test]
fn both_ways_of_looking_find_this_file() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(in_folder(root).contains(&"tests/tidy/tree.rs".to_owned()));
    assert!(Tree::read().files.iter().any(|file| file.path == "tests/tidy/tree.rs"));
}
