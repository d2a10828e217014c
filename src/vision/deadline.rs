//! The time that one picture may take. Checked between stages and between batches: no picture holds a worker for ever.

use std::time::{Duration, Instant};

use crate::base::limits::IMAGE_TIME_MS_MAX;
use crate::vision::VisionError;

/// When the work on one picture must be done.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    started: Instant,
    limit: Duration,
}

impl Deadline {
    /// [`IMAGE_TIME_MS_MAX`] from now.
    #[must_use]
    pub fn start() -> Self {
        Self::within(Duration::from_millis(IMAGE_TIME_MS_MAX))
    }

    /// `limit` from now.
    #[must_use]
    pub fn within(limit: Duration) -> Self {
        Self { started: Instant::now(), limit }
    }

    /// # Errors
    /// [`VisionError::OutOfTime`] naming `stage` when the time is up.
    pub fn check(&self, stage: &'static str) -> Result<(), VisionError> {
        if self.started.elapsed() > self.limit {
            return Err(VisionError::OutOfTime { stage, limit_ms: self.limit.as_millis() as u64 });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_runs_out() {
        assert!(Deadline::start().check("test").is_ok());
        let none = Deadline::within(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(1));
        assert!(matches!(none.check("test"), Err(VisionError::OutOfTime { stage: "test", .. })));
    }
}
