//! The built program as people use it: in a folder of its own, and no data folder but the one there.
#![allow(dead_code)]

use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The program in `folder`, where its data folder is too. It is given nothing to read.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bertillon"));
    command.args(arguments).current_dir(folder).env("BERTILLON_DATA", folder.join("data")).stdin(Stdio::null());
    // Relative in the environment of the tests.
    if let Some(models) = std::env::var_os("BERTILLON_MODELS") {
        command.env("BERTILLON_MODELS", std::path::absolute(models).unwrap());
    }
    command
}

/// The same on the CPU alone, whatever this machine has.
pub(crate) fn on_cpu(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = command(folder, arguments);
    command.env("BERTILLON_SCORING_BACK_END", "cpu");
    command
}

/// What a command printed that must succeed.
pub(crate) fn good(mut command: Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command said that must fail, in words and not by a panic.
pub(crate) fn bad(mut command: Command) -> String {
    let Output { status, stderr, .. } = command.output().unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert!(!status.success() && !said.contains("panicked"), "{command:?} should fail: {said}");
    said
}
