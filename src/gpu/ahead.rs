//! Loading ahead of searches: runs come onto the device while searches go on.
//!
//! Bringing ten million templates to a card takes seconds, and a CPU answers in less. So while somebody loads, a search
//! brings nothing itself: it uses the copies that are complete, and the host scores the rest. A run is tiled and sent without
//! the engine's lock; it counts once it is whole. A search that nobody loads for (a program that asks once) brings its runs
//! itself and waits for that.
//!
//! An erasure is acknowledged after [`crate::gpu::GpuPass`] has refreshed its copies, so nothing may be under way then that
//! still has the erased bytes: a refresh of a gallery whose runs are being loaded ends that load, and waits until what it had
//! sent is overwritten. What is missing then comes with the next load or search.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::gpu::GpuOptions;
use crate::gpu::card::Card;
use crate::gpu::engine::Engine;
use crate::gpu::residency::{Upload, upload};
use crate::vector::coarse::CoarseError;
use crate::vector::rows::{GalleryRows, Residency, Rows};

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
}

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
        *lock(&self.0.state) = State::default();
    }
}

impl Ahead {
    /// Whether somebody loads.
    pub(super) fn is_loading(&self) -> bool {
        !lock(&self.state).tokens.is_empty()
    }

    /// Ends the load of any run of `gallery`. Until the guard goes nothing is sent.
    pub(super) fn hold(&self, gallery: &GalleryRows) -> MutexGuard<'_, ()> {
        {
            let mut state = lock(&self.state);
            let mut tokens = gallery.iter().filter_map(|run| run.residency().map(address));
            state.stale |= tokens.any(|token| state.tokens.contains(&token));
        }
        lock(&self.sending)
    }

    /// Brings the runs of `gallery` that are to be held, one after the other. `engine` locks the engine.
    pub(super) fn load<'e>(
        &self,
        card: &Card,
        options: &GpuOptions,
        gallery: &GalleryRows,
        engine: &dyn Fn() -> Result<MutexGuard<'e, Engine>, CoarseError>,
    ) -> Result<(), CoarseError> {
        let _turn = lock(&self.turn);
        let plan = engine()?.plan(card, options, gallery);
        let Some(plan) = plan else { return Ok(()) };
        lock(&self.state).tokens = gallery.iter().filter_map(|run| run.residency().map(address)).collect();
        let _under = Under(self);
        for run in plan.held() {
            let _sending = lock(&self.sending);
            if lock(&self.state).stale {
                tracing::debug!("a load made way for an erasure");
                break;
            }
            self.bring(card, &plan.wanted, plan.reserved, run, engine)?;
        }
        Ok(())
    }

    /// Brings one run, unless it is there, or there is no room for it.
    fn bring<'e>(
        &self,
        card: &Card,
        wanted: &[*const Residency],
        reserved: u64,
        run: &dyn Rows,
        engine: &dyn Fn() -> Result<MutexGuard<'e, Engine>, CoarseError>,
    ) -> Result<(), CoarseError> {
        let Some(token) = run.residency() else { return Ok(()) };
        let layout = {
            let mut engine = engine()?;
            if !engine.wants(card, run, wanted, reserved)? {
                return Ok(());
            }
            engine.pipelines.shard_layout.clone()
        };
        let sent = upload(card, &layout, run, token, &|| !lock(&self.state).stale)?;
        let mut engine = engine()?;
        match sent {
            Upload::Whole(copy) => engine.copies.add(copy),
            Upload::NoMemory => engine.copies.refuse(run, token),
            Upload::Stopped => {}
        }
        Ok(())
    }
}
