//! Who is let in. Vision and search keep whole cores busy for long, so few such requests run at once and few may wait; one
//! more is turned away at the door, before its body is read. Memory for bodies is counted the same way.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::base::limits::UPLOADS_MIB_MAX;
use crate::http::problem::Problem;

const MIB: u64 = 1 << 20;

/// The door.
#[derive(Debug)]
pub struct Admission {
    at_once: usize,
    waiting_max: usize,
    seats: Arc<Semaphore>,
    turns: Arc<Semaphore>,
    memory_mib: Arc<Semaphore>,
}

/// How full the house is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crowd {
    /// Requests being worked on.
    pub running: usize,
    /// Requests that are being received, or wait for their turn.
    pub waiting: usize,
}

/// A request that was let in. It keeps its seat, and memory for its body, until it is dropped.
#[derive(Debug)]
pub struct Visitor {
    turns: Arc<Semaphore>,
    seat: OwnedSemaphorePermit,
    memory: OwnedSemaphorePermit,
}

/// A request whose turn it is, until it is dropped.
#[derive(Debug)]
pub struct Turn {
    _held: (OwnedSemaphorePermit, OwnedSemaphorePermit, Option<OwnedSemaphorePermit>),
}

impl Admission {
    /// Lets `at_once` requests work and `waiting_max` more wait.
    #[must_use]
    pub fn new(at_once: usize, waiting_max: usize) -> Self {
        let semaphore = |permits: usize| Arc::new(Semaphore::new(permits));
        let at_once = at_once.max(1);
        let (seats, turns) = (semaphore(at_once + waiting_max), semaphore(at_once));
        Self { at_once, waiting_max, seats, turns, memory_mib: semaphore(UPLOADS_MIB_MAX) }
    }

    /// Takes a seat for a request whose body will have at most `body_bytes`.
    ///
    /// # Errors
    /// A [`Problem`] of status 503 when all seats are taken, or no memory is left for the body.
    pub fn enter(&self, body_bytes: u64) -> Result<Visitor, Problem> {
        let Ok(seat) = Arc::clone(&self.seats).try_acquire_owned() else {
            let (at_once, waiting) = (self.at_once, self.waiting_max);
            return Err(Problem::busy(format!("{at_once} requests are worked on and {waiting} wait. Try again soon.")));
        };
        let wanted = u32::try_from(body_bytes.div_ceil(MIB).max(1)).unwrap_or(u32::MAX);
        let Ok(memory) = Arc::clone(&self.memory_mib).try_acquire_many_owned(wanted) else {
            return Err(Problem::busy("The bodies being received fill the memory set aside for them. Try again soon."));
        };
        Ok(Visitor { turns: Arc::clone(&self.turns), seat, memory })
    }

    /// How full it is now.
    #[must_use]
    pub fn crowd(&self) -> Crowd {
        let running = self.at_once.saturating_sub(self.turns.available_permits());
        let seated = (self.at_once + self.waiting_max).saturating_sub(self.seats.available_permits());
        Crowd { running, waiting: seated.saturating_sub(running) }
    }

    /// Requests that work at once.
    #[must_use]
    pub fn at_once(&self) -> usize {
        self.at_once
    }
}

impl Visitor {
    /// Waits for this request's turn; first come, first served.
    pub async fn turn(self) -> Turn {
        // The semaphore is never closed, so there is always a permit to come.
        let turn = self.turns.acquire_owned().await.ok();
        Turn { _held: (self.seat, self.memory, turn) }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn one_runs_one_waits_and_the_third_is_turned_away() {
        let door = Admission::new(1, 1);
        let running = door.enter(1).unwrap().turn().await;
        let waiting = door.enter(1).unwrap();
        assert_eq!(door.enter(1).unwrap_err().answer(1).status(), 503);
        assert_eq!(door.crowd(), Crowd { running: 1, waiting: 1 });
        let turn = tokio::spawn(waiting.turn());
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!turn.is_finished());
        drop(running);
        let running = turn.await.unwrap();
        assert_eq!(door.crowd(), Crowd { running: 1, waiting: 0 });
        drop(running);
        assert_eq!(door.crowd(), Crowd { running: 0, waiting: 0 });
    }

    #[tokio::test]
    async fn bodies_share_the_memory() {
        let door = Admission::new(8, 8);
        let large = door.enter(UPLOADS_MIB_MAX as u64 * MIB).unwrap();
        assert!(door.enter(1).is_err());
        assert_eq!(door.crowd().waiting, 1, "a request that is turned away leaves its seat");
        drop(large);
        assert!(door.enter(1).is_ok());
        assert!(door.enter(u64::MAX).is_err());
    }
}
