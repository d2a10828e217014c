//! Memory of this process, without the pages of mapped files: those belong to the system, which takes them back at will.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

/// Time between two looks: shorter than any search that needs much memory.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What the kernel says of this process (`/proc/self/status`), in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Everything resident (`VmRSS`).
    pub resident: u64,
    /// Resident pages of mapped files (`RssFile`).
    pub mapped: u64,
    /// Resident beyond mapped files (`RssAnon` and `RssShmem`).
    pub beyond_mapped: u64,
}

/// Memory now; `None` on a system that doesn't say.
#[must_use]
pub fn now() -> Option<Memory> {
    parse(&fs_err::read_to_string("/proc/self/status").ok()?)
}

fn parse(status: &str) -> Option<Memory> {
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    };
    let beyond_mapped = kib("RssAnon")?.checked_add(kib("RssShmem")?)?;
    Some(Memory { resident: kib("VmRSS")?, mapped: kib("RssFile")?, beyond_mapped })
}

/// Runs `work` and says how far memory beyond mapped files rose meanwhile, by looking every five milliseconds.
pub fn peak_beyond_mapped<R>(work: impl FnOnce() -> R) -> (R, Option<u64>) {
    let (done, peak) = (AtomicBool::new(false), AtomicU64::new(0));
    let look = || {
        if let Some(memory) = now() {
            peak.fetch_max(memory.beyond_mapped, Ordering::Relaxed);
        }
    };
    let result = std::thread::scope(|scope| {
        let looker = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                look();
                std::thread::park_timeout(LOOK_EVERY);
            }
        });
        // Told even when the work panics, or the looker would be waited for without end.
        let _told = Told { done: &done, looker: looker.thread() };
        work()
    });
    look();
    (result, Some(peak.load(Ordering::Relaxed)).filter(|&bytes| bytes > 0))
}

struct Told<'a> {
    done: &'a AtomicBool,
    looker: &'a std::thread::Thread,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        self.looker.unpark();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_lines_are_read() {
        let status =
            "Name:\tx\nVmRSS:\t    5120 kB\nRssAnon:\t    1024 kB\nRssFile:\t    4000 kB\nRssShmem:\t      96 kB\n";
        let memory = Memory { resident: 5120 << 10, mapped: 4000 << 10, beyond_mapped: 1120 << 10 };
        assert_eq!(parse(status), Some(memory));
        assert_eq!(parse("VmRSS: many kB\n"), None);
    }

    #[test]
    fn a_peak_is_seen_although_it_passes() {
        let Some(before) = now() else { return };
        let (length, peak) = peak_beyond_mapped(|| {
            let held = vec![1_u8; 64 << 20];
            std::thread::sleep(100 * LOOK_EVERY);
            std::hint::black_box(&held).len()
        });
        assert_eq!(length, 64 << 20);
        assert!(peak.unwrap() >= before.beyond_mapped.saturating_sub(8 << 20) + (60 << 20));
    }
}
