//! The kill: starts the child, ends it at a random moment, and says what it had tried and what was acknowledged.
//! Moments count steps first, and time by what steps take here then, so that a slow machine (or a slow store of records) is killed as
//! often within a step as a fast one.
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::{DATA, Dice, RUN, Try};

/// What a child that starts, or a step, may take at most before the test gives up on it.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a step takes here.
#[derive(Debug, Default)]
pub(super) struct Pace {
    waited: Duration,
    steps: u32,
}

impl Pace {
    /// A moment within the step that begins now, or soon after it.
    fn moment(&self, dice: &mut Dice) -> Duration {
        let mean = self.waited.checked_div(self.steps).unwrap_or_default();
        (mean * 3 / 2).max(Duration::from_millis(40)).mul_f64(dice.roll(1_000) as f64 / 1e3)
    }
}

/// Gives the acknowledged steps with the first id that came of each, the one under way, and whether the child had started.
pub(super) fn run_and_kill(
    data: &Path,
    run: u64,
    dice: &mut Dice,
    pace: &mut Pace,
) -> (Vec<(Try, u64)>, Option<Try>, bool) {
    let mut child = start(data, run);
    let output = BufReader::new(child.stdout.take().unwrap());
    let (says, said) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        for line in output.lines().map_while(Result::ok) {
            // Nobody hears it once the test has given up; a child that can't write ends by itself.
            if says.send(line).is_err() {
                return;
            }
        }
    });
    let mut lines = Vec::new();
    // Three in four while it works, one in four while it starts.
    if dice.roll(4) > 0 {
        wait_for(&said, &mut lines, "READY", 1);
        let (steps, began) = (dice.roll(5), Instant::now());
        wait_for(&said, &mut lines, "TRY ", 1 + steps);
        // The first is tried as soon as it is ready, so that is what those took that are over.
        (pace.waited, pace.steps) = (pace.waited + began.elapsed(), pace.steps + steps as u32);
        sleep(pace.moment(dice));
    } else {
        sleep(Duration::from_micros(dice.roll(60_000)));
    }
    child.kill().unwrap();
    let status = child.wait().unwrap();
    assert!(!status.success() && status.code().is_none(), "run {run}: the child ended by itself: {status}");
    reader.join().unwrap();
    lines.extend(said.try_iter());
    let (acknowledged, open) = steps(&lines);
    (acknowledged, open, lines.iter().any(|line| line == "READY"))
}

fn start(data: &Path, run: u64) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture", "--test-threads=1"])
        .env(DATA, data)
        .env(RUN, run.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn wait_for(said: &Receiver<String>, lines: &mut Vec<String>, what: &str, times: u64) {
    let mut seen = 0;
    while seen < times {
        let line = said.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("the child never said {what}: {error}"));
        seen += u64::from(line.starts_with(what));
        lines.push(line);
    }
}

fn steps(lines: &[String]) -> (Vec<(Try, u64)>, Option<Try>) {
    let (mut acknowledged, mut open) = (Vec::new(), None);
    for line in lines {
        if let Some(what) = line.strip_prefix("TRY ").and_then(Try::parse) {
            assert!(open.replace(what).is_none());
        } else if let Some(first) = line.strip_prefix("ACK ").and_then(|first| first.parse().ok()) {
            acknowledged.push((open.take().unwrap(), first));
        }
    }
    (acknowledged, open)
}
