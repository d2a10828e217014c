//! What the comparison's scripts reckon, and that the page of figures is what they make of the newest record.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::path::Path;
use std::process::Command;

/// Runs Python in the folder of the comparison; `None` where there is no Python, which `tools/need.sh` asks for.
fn python(arguments: &[&str]) -> Option<(bool, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare");
    let run = Command::new("python3").arg("-B").args(arguments).current_dir(folder).output();
    let output = match run {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "python3: {error}");
            eprintln!("skipped: python3 can't be run ({error})");
            return None;
        }
    };
    let said = [output.stdout, output.stderr].concat();
    Some((output.status.success(), String::from_utf8_lossy(&said).into_owned()))
}

#[test]
fn the_harness_reckons_right() {
    let Some((good, said)) = python(&["-m", "unittest", "test_compare"]) else { return };
    assert!(good && said.contains("OK") && !said.contains("Ran 0 tests"), "{said}");
}

#[test]
fn the_page_is_what_the_newest_record_says() {
    let Some((good, said)) = python(&["page.py", "--check"]) else { return };
    assert!(good, "{said}");
}
