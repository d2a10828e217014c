//! How often somebody may ask: the generic cell rate algorithm (ITU-T I.371), which needs one moment for each of them. Their
//! number is bounded; when it is reached, whoever has been quiet for longest is forgotten, and begins anew.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::base::limits::RATE_CALLERS_MAX;

/// Counts requests of each `K`.
#[derive(Debug)]
pub struct Rate<K> {
    slots: Mutex<HashMap<K, Slot>>,
}

#[derive(Debug, Clone, Copy)]
struct Slot {
    /// The moment at which all that was allowed so far would have come, had it come evenly.
    even: Instant,
    /// Whether the request before was refused.
    refusing: bool,
}

/// A refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooOften {
    /// Seconds after which one more is allowed.
    pub wait_s: u64,
    /// Whether the one before was allowed: the first refusal of a row of them.
    pub first: bool,
}

impl<K> Default for Rate<K> {
    fn default() -> Self {
        Self { slots: Mutex::default() }
    }
}

impl<K: Hash + Eq + Clone> Rate<K> {
    /// Allows one request of `who` at `now`, of at most `per_min` a minute, of which so many may come at once.
    ///
    /// # Errors
    /// [`TooOften`].
    pub fn take(&self, who: &K, (per_min, at_once): (u32, u32), now: Instant) -> Result<(), TooOften> {
        let interval = Duration::from_mins(1) / per_min.max(1);
        let at_once = interval * at_once.max(1);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= RATE_CALLERS_MAX && !slots.contains_key(who) {
            make_room(&mut slots, now);
        }
        let slot = slots.entry(who.clone()).or_insert(Slot { even: now, refusing: false });
        let even = slot.even.max(now);
        let ahead = even.saturating_duration_since(now);
        if let Some(wait) = (ahead + interval).checked_sub(at_once).filter(|wait| !wait.is_zero()) {
            let first = !std::mem::replace(&mut slot.refusing, true);
            return Err(TooOften { wait_s: wait.as_secs() + u64::from(wait.subsec_nanos() > 0), first });
        }
        *slot = Slot { even: even + interval, refusing: false };
        Ok(())
    }
}

impl<K: Hash + Eq> Rate<K> {
    /// Gives `who` back so many that were taken at that rate; never more than may come at once.
    pub fn give_back(&self, who: &K, (per_min, _): (u32, u32), times: u32) {
        let back = Duration::from_mins(1) / per_min.max(1) * times;
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get_mut(who) {
            // Earlier than now counts as now with the next one that is taken.
            slot.even = slot.even.checked_sub(back).unwrap_or(slot.even);
        }
    }
}

/// Forgets who owes nothing, or at least whoever owes least.
fn make_room<K: Hash + Eq + Clone>(slots: &mut HashMap<K, Slot>, now: Instant) {
    slots.retain(|_, slot| slot.even > now);
    if slots.len() >= RATE_CALLERS_MAX {
        let least = slots.iter().min_by_key(|(_, slot)| slot.even).map(|(who, _)| who.clone());
        if let Some(who) = least {
            slots.remove(&who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_come_at_once_and_then_as_many_as_are_allowed() {
        let (rate, begun) = (Rate::default(), Instant::now());
        let mut allowed = (0..40).filter(|_| rate.take(&'a', (60, 10), begun).is_ok()).count();
        assert_eq!(allowed, 10);
        let refused = rate.take(&'b', (60, 10), begun).and_then(|()| rate.take(&'a', (60, 10), begun));
        assert_eq!(refused, Err(TooOften { wait_s: 1, first: false }));
        // Asking ten times a second for two minutes.
        for tenth in 1..=1_200_u32 {
            let now = begun + Duration::from_millis(100) * tenth;
            allowed += usize::from(rate.take(&'a', (60, 10), now).is_ok());
        }
        assert_eq!(allowed, 130);
        let later = begun + Duration::from_hours(2);
        assert_eq!(
            (0..40).filter(|_| rate.take(&'a', (60, 10), later).is_ok()).count(),
            10,
            "what was not asked for is not saved up"
        );
    }

    #[test]
    fn what_is_given_back_may_come_again_and_is_not_saved_up() {
        let (rate, now) = (Rate::default(), Instant::now());
        let allowed = || (0..40).filter(|_| rate.take(&'a', (60, 10), now).is_ok()).count();
        assert_eq!(allowed(), 10);
        rate.give_back(&'a', (60, 10), 3);
        rate.give_back(&'b', (60, 10), 3);
        assert_eq!(allowed(), 3);
        rate.give_back(&'a', (60, 10), 1_000);
        assert_eq!(allowed(), 10);
    }

    #[test]
    fn the_first_refusal_of_a_row_says_so() {
        let (rate, now) = (Rate::default(), Instant::now());
        let firsts = |now| (0..20).filter(|_| rate.take(&1, (6, 5), now).is_err_and(|refusal| refusal.first)).count();
        assert_eq!(firsts(now), 1);
        assert_eq!(firsts(now), 0);
        assert_eq!(firsts(now + Duration::from_secs(11)), 1);
    }

    #[test]
    fn memory_is_bounded_and_the_busiest_are_remembered() {
        let (rate, now) = (Rate::default(), Instant::now());
        while rate.take(&usize::MAX, (60, 10), now).is_ok() {}
        for who in 0..2 * RATE_CALLERS_MAX {
            assert!(rate.take(&who, (60, 10), now).is_ok());
        }
        assert_eq!(rate.slots.lock().unwrap().len(), RATE_CALLERS_MAX);
        assert!(rate.take(&usize::MAX, (60, 10), now).is_err(), "who is over the limit can't get out of it by a crowd");
    }
}
