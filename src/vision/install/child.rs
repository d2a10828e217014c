//! Runs a tool as a child process: no shell, a time limit, and its last words kept for the error message.

use std::io::{ErrorKind, Read};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::limits::TOOL_OUTPUT_BYTES_MAX;
use crate::vision::error::VisionError;

/// How often a running child is looked at.
const POLL: Duration = Duration::from_millis(50);
/// How long to wait for the last words of a child that has ended (a grandchild may keep its pipes open).
const LAST_WORDS: Duration = Duration::from_secs(2);

/// What is to be said of a tool, and how long it may take.
pub(super) struct Tool<'a> {
    /// What it is for, for errors.
    pub(super) what: &'a str,
    /// How to get it where it is missing.
    pub(super) advice: &'a str,
    /// Seconds after which it is killed.
    pub(super) limit_s: u64,
}

/// Runs `command` to its end and asks for success. `watch` is called while it runs, for progress.
///
/// The command gets `lock`, an empty file, as its standard input: should we be killed, the lock is held by it and by the
/// programs that it has started, until the last of them has ended.
///
/// # Errors
/// [`VisionError::ToolMissing`] when there is no such program; [`VisionError::Tool`] when it fails or takes too long.
pub(super) fn run(
    tool: &Tool<'_>,
    lock: &fs_err::File,
    command: &mut Command,
    watch: &dyn Fn(),
) -> Result<(), VisionError> {
    let failed = |problem: String, output: String| VisionError::Tool { what: tool.what.to_owned(), problem, output };
    let (lock, _) = lock.try_clone()?.into_parts();
    let mut child = command.stdin(lock).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            let name = command.get_program().to_string_lossy().into_owned();
            VisionError::ToolMissing { tool: name, advice: tool.advice.to_owned() }
        } else {
            failed(error.to_string(), String::new())
        }
    })?;
    // The command would keep our copy of the lock for as long as it lives itself.
    command.stdin(Stdio::null());
    // Apart, so that much chatter on one can't push the reason out that stands on the other.
    let (chatter, reasons) = (Words::default(), Words::default());
    let ended: Vec<_> = [
        child.stdout.take().map(|pipe| listen(pipe, Arc::clone(&chatter))),
        child.stderr.take().map(|pipe| listen(pipe, Arc::clone(&reasons))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let status = wait(&mut child, tool.limit_s, watch)?;
    for end in ended {
        // An error only says that the pipe is still held by a grandchild: what was heard so far must do.
        let _ = end.recv_timeout(LAST_WORDS);
    }
    let heard =
        |words: &Words| String::from_utf8_lossy(&words.lock().unwrap_or_else(PoisonError::into_inner)).into_owned();
    let output = format!("{}\n{}", heard(&chatter), heard(&reasons));
    match status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(failed(status.to_string(), output)),
        None => Err(failed(format!("not done after {} s, stopped", tool.limit_s), output)),
    }
}

/// The exit status, or `None` when the child had to be killed.
fn wait(child: &mut std::process::Child, limit_s: u64, watch: &dyn Fn()) -> Result<Option<ExitStatus>, VisionError> {
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if begun.elapsed() > Duration::from_secs(limit_s) {
            child.kill()?;
            child.wait()?;
            return Ok(None);
        }
        watch();
        thread::sleep(POLL);
    }
}

/// What a pipe said last.
type Words = Arc<Mutex<Vec<u8>>>;

/// Reads a pipe to its end on a thread, keeping the last bytes.
fn listen(mut pipe: impl Read + Send + 'static, words: Words) -> Receiver<()> {
    let (done, ended) = sync_channel(1);
    thread::spawn(move || {
        let mut block = [0; 1024];
        while let Ok(count) = pipe.read(&mut block) {
            if count == 0 {
                break;
            }
            let mut words = words.lock().unwrap_or_else(PoisonError::into_inner);
            words.extend_from_slice(block.get(..count).unwrap_or_default());
            let surplus = words.len().saturating_sub(TOOL_OUTPUT_BYTES_MAX);
            words.drain(..surplus);
        }
        let _ = done.send(());
    });
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    fn python(code: &str) -> Command {
        let mut command = Command::new("python3");
        command.args(["-I", "-c", code]);
        command
    }

    fn run_for(limit_s: u64, advice: &str, command: &mut Command) -> Result<(), VisionError> {
        let lock = tempfile::NamedTempFile::new().unwrap();
        let lock = fs_err::File::open(lock.path()).unwrap();
        run(&Tool { what: "the test", advice, limit_s }, &lock, command, &|| ())
    }

    #[test]
    fn a_failure_carries_the_last_words_only() {
        let code =
            "import sys\nfor i in range(5000): print('line', i)\nprint('the reason', file=sys.stderr); sys.exit(7)";
        let error = run_for(60, "", &mut python(code)).unwrap_err().to_string();
        assert!(error.contains("the test failed") && error.contains('7') && error.contains("the reason"), "{error}");
        assert!(error.len() < 3 * TOOL_OUTPUT_BYTES_MAX && !error.contains("line 1\n"), "{}", error.len());
    }

    #[test]
    fn a_child_that_hangs_is_killed() {
        let begun = Instant::now();
        let error = run_for(1, "", &mut python("import time; time.sleep(60)")).unwrap_err();
        assert!(error.to_string().contains("after 1 s"), "{error}");
        assert!(begun.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_missing_program_is_named_with_advice() {
        let error = run_for(1, "Get it.", &mut Command::new("no-such-program-1")).unwrap_err();
        assert_eq!(error.to_string(), "no-such-program-1 is missing. Get it.");
    }
}
