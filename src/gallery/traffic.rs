//! Whether somebody searches, and whether somebody did lately: what background work gives way to, and how much of it is
//! done in one go.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// For so long after a search another one is expected, and work is done in small pieces.
const LATELY: Duration = Duration::from_millis(500);

/// Searches of a data folder, as far as they are this process's.
pub(super) struct Traffic {
    began: Instant,
    /// Milliseconds after `began` at which somebody searched last, plus one; 0 for never.
    last_ms: AtomicU64,
    recording: AtomicUsize,
}

impl Traffic {
    pub(super) fn new() -> Self {
        Self { began: Instant::now(), last_ms: AtomicU64::new(0), recording: AtomicUsize::new(0) }
    }

    /// A search begins or ends now.
    pub(super) fn note(&self) {
        self.last_ms.fetch_max(self.now_ms() + 1, Ordering::Relaxed);
    }

    /// A search is being recorded until the answer is dropped.
    pub(super) fn recording(&self) -> Recording<'_> {
        self.recording.fetch_add(1, Ordering::AcqRel);
        Recording(self)
    }

    /// Whether a search is being recorded.
    pub(super) fn is_recording(&self) -> bool {
        self.recording.load(Ordering::Acquire) > 0
    }

    /// Whether somebody searched so lately that the next search is expected soon.
    pub(super) fn lately(&self) -> bool {
        let last_ms = self.last_ms.load(Ordering::Relaxed);
        last_ms > 0 && self.now_ms() < last_ms + LATELY.as_millis() as u64
    }

    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

/// A search that is being recorded.
pub(super) struct Recording<'a>(&'a Traffic);

impl Drop for Recording<'_> {
    fn drop(&mut self) {
        self.0.note();
        self.0.recording.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_lately_until_a_while_after_it_was_recorded() {
        let traffic = Traffic::new();
        assert!(!traffic.lately() && !traffic.is_recording());
        traffic.note();
        assert!(traffic.lately());
        let (first, second) = (traffic.recording(), traffic.recording());
        drop(first);
        assert!(traffic.is_recording());
        drop(second);
        assert!(!traffic.is_recording() && traffic.lately());
        std::thread::sleep(LATELY + Duration::from_millis(20));
        assert!(!traffic.lately());
    }
}
