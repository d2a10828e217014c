//! Loading ahead of searches: runs come onto the device while searches go on.
//!
//! Bringing ten million templates to a card takes seconds, and a CPU answers in less. So while somebody loads, a search
//! brings nothing itself: it uses the copies that are complete, and the host scores the rest. A run is tiled and sent without
//! the engine's lock; it counts once it is whole. A search that nobody loads for (a program that asks once) brings its runs
//! itself and waits for that.
//!
//! An erasure waits until nobody reads the rows as they were, and a load reads them: so it asks between pieces whether it may
//! go on ([`GoesOn`]), gives way when not, and leaves nothing of the run that was on its way. Until it comes again searches
//! still bring nothing themselves, or the first of them would be what the next erasure waits for.
//!
//! An erasure is acknowledged after [`crate::gpu::GpuPass`] has refreshed its copies, so nothing may be under way then that
//! still has the erased bytes: a refresh of a gallery whose runs are being loaded ends that load, and waits until what it had
//! sent is overwritten. What is missing then comes with the next load or search. Loads of other galleries go on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::gpu::GpuOptions;
use crate::gpu::card::Card;
use crate::gpu::engine::{Engine, Plan};
use crate::gpu::residency::{Upload, upload};
use crate::vector::coarse::{CoarseError, GoesOn};
use crate::vector::rows::{GalleryRows, Residency, Rows};

/// How long searches bring nothing after a load gave way that does not come again: more than an erasure takes, and less than
/// would matter if whoever loaded is gone.
const COMES_AGAIN_MAX: Duration = Duration::from_mins(1);

/// Who loads.
#[derive(Default)]
pub(super) struct Ahead {
    /// One load at a time.
    turn: Mutex<()>,
    /// Held while a run is on its way.
    sending: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Runs of the load under way, by the address of their token; they live as long as the load.
    tokens: Vec<usize>,
    /// A refresh wants it to end.
    stale: bool,
    /// The load before gave way; until then it is expected again.
    comes_again: Option<Instant>,
}

/// Locks the engine.
type Lock<'a, 'e> = &'a dyn Fn() -> Result<MutexGuard<'e, Engine>, CoarseError>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn address(token: &Arc<Residency>) -> usize {
    Arc::as_ptr(token).addr()
}

/// Forgets what was loaded, however the load ends.
struct Under<'a>(&'a Ahead);

impl Drop for Under<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.0.state);
        state.tokens.clear();
        state.stale = false;
    }
}

impl Ahead {
    /// Whether somebody loads, or is about to again.
    pub(super) fn is_loading(&self) -> bool {
        let state = lock(&self.state);
        !state.tokens.is_empty() || state.comes_again.is_some_and(|until| Instant::now() < until)
    }

    /// Ends the load of any run of `gallery`. Until the guard goes nothing more of it is sent.
    pub(super) fn hold(&self, gallery: &GalleryRows) -> Option<MutexGuard<'_, ()>> {
        {
            let mut state = lock(&self.state);
            let mut tokens = gallery.iter().filter_map(|run| run.residency().map(address));
            if !tokens.any(|token| state.tokens.contains(&token)) {
                return None;
            }
            state.stale = true;
        }
        Some(lock(&self.sending))
    }

    /// Brings the runs of `gallery` that are to be held, one after the other, for as long as `goes_on` says so.
    pub(super) fn load(
        &self,
        card: &Card,
        options: &GpuOptions,
        gallery: &GalleryRows,
        (engine, goes_on): (Lock<'_, '_>, &GoesOn<'_>),
    ) -> Result<(), CoarseError> {
        let _turn = lock(&self.turn);
        let plan = engine()?.plan(card, options, gallery);
        {
            let mut state = lock(&self.state);
            let tokens = gallery.iter().filter_map(|run| run.residency().map(address));
            state.tokens = tokens.filter(|_| plan.is_some()).collect();
            state.comes_again = None;
        }
        let _under = Under(self);
        let Some(plan) = plan else { return Ok(()) };
        for run in plan.held() {
            let _sending = lock(&self.sending);
            let stale = lock(&self.state).stale;
            if stale || !goes_on() || !self.bring(card, &plan, run, (engine, goes_on))? {
                let mut state = lock(&self.state);
                tracing::debug!(refreshed = state.stale, "a load gave way");
                state.comes_again = (!state.stale).then(|| Instant::now() + COMES_AGAIN_MAX);
                break;
            }
        }
        Ok(())
    }

    /// Brings one run, unless it is there, or there is no room for it; false when it was stopped.
    fn bring(
        &self,
        card: &Card,
        plan: &Plan<'_>,
        run: &dyn Rows,
        (engine, goes_on): (Lock<'_, '_>, &GoesOn<'_>),
    ) -> Result<bool, CoarseError> {
        let Some(token) = run.residency() else { return Ok(true) };
        let layout = {
            let mut engine = engine()?;
            if !engine.wants(card, run, &plan.wanted, plan.reserved)? {
                return Ok(true);
            }
            engine.pipelines.shard_layout.clone()
        };
        let sent = upload(card, &layout, run, token, &|| goes_on() && !lock(&self.state).stale)?;
        let mut engine = engine()?;
        match sent {
            Upload::Whole(copy) => engine.copies.add(card, copy),
            Upload::NoMemory => engine.copies.refuse(run, token),
            Upload::Stopped => return Ok(false),
        }
        Ok(true)
    }
}
