//! The GPU as a coarse pass.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::Duration;

use crate::base::limits::{PROBES_PER_SWEEP_MAX, SURVIVORS_PER_SWEEP_MAX};
use crate::gpu::ahead::Ahead;
use crate::gpu::card::Card;
use crate::gpu::engine::{Engine, Figures, Way};
use crate::gpu::matrix::Matrices;
use crate::gpu::merge::{merge, renumber};
use crate::gpu::residency::Copies;
use crate::gpu::{GpuError, GpuOptions, MatrixChoice, adapter, matrix, round, selftest, width};
use crate::vector::coarse::{CoarseError, CoarsePass, Cut, GoesOn, Sweep};
use crate::vector::codec::Code;
use crate::vector::rows::{GalleryRows, Rows};

/// What status says about the GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuInfo {
    /// The adapter's name.
    pub name: String,
    /// The programming interface, such as `vulkan`.
    pub backend: String,
    /// `discrete`, `integrated`, `virtual`, `other` or `software`.
    pub device_type: &'static str,
    /// The driver's name and version, as far as it tells.
    pub driver: String,
    /// Bytes that copies of runs take on the device.
    pub resident_bytes: u64,
    /// Runs on the device.
    pub resident_runs: usize,
    /// Their rows, dead ones included.
    pub resident_rows: u64,
    /// Rounds begun so far, each of which reads every code that the device scores once, however many probes it has.
    pub rounds: u64,
    /// Rows of runs without a copy that passed through the device so far, counted again for each pass.
    pub streamed_rows: u64,
    /// Whether long rounds are scored with cooperative matrices, or why not.
    pub cooperative_matrices: String,
    /// Bytes that copies may take; `None` when only the driver limits them.
    pub memory_max_bytes: Option<u64>,
    /// Largest buffer of codes, in bytes.
    pub shard_max_bytes: u64,
    /// Why the device is lost; `None` while it works. A lost device stays lost until the process starts again.
    pub lost: Option<String>,
}

/// Sweeps runs that have a [`crate::vector::rows::Residency`] on a GPU, and all others with the host's own pass at the
/// same time. One sweep at a time: a second waits.
pub struct GpuPass {
    card: Card,
    options: GpuOptions,
    host: Box<dyn CoarsePass>,
    engine: Mutex<Engine>,
    ahead: Ahead,
    /// What the engine last said of its pace ([`Engine::long_products`]); read without waiting for a sweep.
    long_products: AtomicU64,
    /// What it last said for status, which does not wait for a sweep either.
    figures: Mutex<Figures>,
}

impl GpuPass {
    /// Opens an adapter and makes it pass the self-test; `host` sweeps what is not on the device. Takes up to a few
    /// seconds, most of it the driver's compiling of shaders.
    ///
    /// # Errors
    /// [`GpuError::NoAdapter`], [`GpuError::Device`] when the adapter can't be used, [`GpuError::SelfTest`] when it
    /// computes something else than the CPU.
    pub fn new(options: GpuOptions, host: Box<dyn CoarsePass>) -> Result<Self, GpuError> {
        let adapter = adapter::choose(&options.adapter)?;
        let (card, engine) = match Self::open(&adapter, &options) {
            // Matrices are experimental: a driver that fails with them may work without.
            Err(error) if matrix::wish(&adapter, &adapter.get_info(), options.matrices, u32::MAX).is_ok() => {
                let without = GpuOptions { matrices: MatrixChoice::Off, ..options.clone() };
                let opened = Self::open(&adapter, &without)?;
                tracing::warn!(%error, "the GPU works without cooperative matrices only");
                opened
            }
            opened => opened?,
        };
        let matrices = engine.matrices.describe();
        tracing::info!(adapter = card.name, driver = driver(&card), matrices, "a GPU is ready");
        let (long_products, figures) = (AtomicU64::new(engine.long_products()), Mutex::new(engine.figures()));
        let engine = Mutex::new(engine);
        Ok(Self { card, options, host, engine, ahead: Ahead::default(), long_products, figures })
    }

    fn open(adapter: &wgpu::Adapter, options: &GpuOptions) -> Result<(Card, Engine), GpuError> {
        let card = Card::open(adapter, options)?;
        let failed = |error: CoarseError| GpuError::Device { adapter: card.name.clone(), reason: error.to_string() };
        let mut engine = Engine::new(&card).map_err(failed)?;
        selftest::check(&card, &mut engine)?;
        engine.matrices = Matrices::new(&card);
        engine.matrices.for_dimension(&card, &mut engine.pipelines, matrix::TEST_DIMENSION).map_err(failed)?;
        engine.copies = Copies::new(card.memory_max_bytes);
        Ok((card, engine))
    }

    /// What status says. While the device is in use its figures are those of before.
    #[must_use]
    pub fn info(&self) -> GpuInfo {
        match self.engine.try_lock() {
            Ok(engine) => self.note(&engine),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Poisoned(_)) => *self.figures() = Figures::default(),
        }
        let Figures { resident_bytes, resident_runs, resident_rows, rounds, streamed_rows, cooperative_matrices } =
            self.figures().clone();
        GpuInfo {
            name: self.card.info.name.clone(),
            backend: self.card.info.backend.to_string(),
            device_type: adapter::kind(self.card.info.device_type),
            driver: driver(&self.card),
            resident_bytes,
            resident_runs,
            resident_rows,
            rounds,
            streamed_rows,
            cooperative_matrices,
            memory_max_bytes: Some(self.card.memory_max_bytes).filter(|&bytes| bytes < u64::MAX),
            shard_max_bytes: self.card.shard_max_bytes,
            lost: self.card.lost_reason().map(str::to_owned),
        }
    }

    fn figures(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes down what status says of an engine.
    fn note(&self, engine: &Engine) {
        *self.figures() = engine.figures();
    }

    /// Loses the device, as a driver may at any time: for tests of what happens then.
    #[doc(hidden)]
    pub fn lose_for_test(&self) {
        self.card.lose();
    }

    /// Loses the device in the middle of a sweep to come, after so many more submissions: for tests.
    #[doc(hidden)]
    pub fn lose_after_for_test(&self, submissions: u64) {
        self.card.lose_after(submissions);
    }

    /// What `times` selects take on the device for so many probes, each with a full list of `entries` of which the k-th best
    /// is found, and nothing else: for benches.
    ///
    /// # Errors
    /// [`CoarseError::Device`] when the device fails.
    #[doc(hidden)]
    pub fn time_selects(&self, probes: usize, entries: usize, k: u32, times: usize) -> Result<Duration, CoarseError> {
        let engine = self.engine()?;
        self.card.guarded(|| round::time_selects(&self.card, &engine.pipelines, (probes, entries, k, times)))
    }

    fn engine(&self) -> Result<MutexGuard<'_, Engine>, CoarseError> {
        self.engine.lock().map_err(|_| self.card.trouble("an earlier sweep ended in a panic"))
    }

    /// Runs that the device scores, brought there if need be and if nobody else does. All copies are dropped when that fails.
    fn arrange(
        &self,
        engine: &mut Engine,
        gallery: &GalleryRows,
        probes: usize,
    ) -> Result<Vec<(u32, Way)>, CoarseError> {
        let arranged = if self.ahead.is_loading() {
            engine.present(&self.card, gallery)
        } else {
            engine.arrange(&self.card, &self.options, gallery, probes)
        };
        if arranged.is_err() {
            engine.forget_all(&self.card);
        }
        self.note(engine);
        arranged
    }

    fn sweep_host(
        &self,
        gallery: &GalleryRows,
        runs: &[u32],
        probes: &[Code],
        cuts: &[Cut],
    ) -> Result<Vec<Sweep>, CoarseError> {
        let part: Vec<Arc<dyn Rows>> = runs.iter().filter_map(|&run| gallery.get(run as usize).cloned()).collect();
        let most = self.options.survivors_total_max.min(SURVIVORS_PER_SWEEP_MAX / probes.len().max(1));
        let mut sweeps = Vec::with_capacity(probes.len());
        for (probes, cuts) in probes.chunks(PROBES_PER_SWEEP_MAX).zip(cuts.chunks(PROBES_PER_SWEEP_MAX)) {
            let some = self.host.sweep(&part, probes, cuts)?;
            sweeps.extend(some.into_iter().map(|sweep| renumber(within(sweep, most), runs)));
        }
        Ok(sweeps)
    }

    fn sweep_arranged(
        &self,
        mut engine: MutexGuard<'_, Engine>,
        gallery: &GalleryRows,
        arranged: &[(u32, Way)],
        work: (&[Code], &[Cut]),
    ) -> Result<Vec<Sweep>, CoarseError> {
        let sweeps = engine.sweep(&self.card, &self.options, gallery, arranged, work);
        self.long_products.store(engine.long_products(), Ordering::Relaxed);
        self.note(&engine);
        sweeps
    }
}

impl CoarsePass for GpuPass {
    fn name(&self) -> String {
        self.card.name.clone()
    }

    fn sweep(&self, gallery: &GalleryRows, probes: &[Code], cuts: &[Cut]) -> Result<Vec<Sweep>, CoarseError> {
        debug_assert_eq!(probes.len(), cuts.len());
        self.card.check()?;
        check_dimensions(gallery, probes)?;
        let mut engine = self.engine()?;
        let arranged = self.arrange(&mut engine, gallery, probes.len())?;
        let mut here = arranged.iter().map(|&(run, _)| run).peekable();
        // Both ascend.
        let others: Vec<u32> =
            (0_u32..).zip(gallery).map(|(run, _)| run).filter(|run| here.next_if_eq(run).is_none()).collect();
        if arranged.is_empty() {
            drop(engine);
            return self.sweep_host(gallery, &others, probes, cuts);
        }
        let work = (probes, cuts);
        if others.is_empty() {
            return self.sweep_arranged(engine, gallery, &arranged, work);
        }
        let (device, host) = thread::scope(|scope| {
            let host = scope.spawn(|| self.sweep_host(gallery, &others, probes, cuts));
            let device = self.sweep_arranged(engine, gallery, &arranged, work);
            (device, host.join().unwrap_or_else(|_| Err(self.card.trouble("the host's part of the sweep panicked"))))
        });
        Ok(device?.into_iter().zip(host?).map(|(device, host)| merge(device, host)).collect())
    }

    fn probes_at_once(&self, gallery: &GalleryRows, k: usize) -> usize {
        let most = Engine::probes_of_round(&self.card, &self.options, k);
        width::probes_at_once(gallery, self.long_products.load(Ordering::Relaxed), most)
    }

    fn load(&self, gallery: &GalleryRows, goes_on: &GoesOn<'_>) -> Result<(), CoarseError> {
        self.card.check()?;
        let loaded = self.ahead.load(&self.card, &self.options, gallery, (&|| self.engine(), goes_on));
        if loaded.is_err() {
            let mut engine = self.engine()?;
            engine.forget_all(&self.card);
        }
        loaded
    }

    fn refresh(&self, gallery: &GalleryRows) -> Result<(), CoarseError> {
        // Whatever comes of one, the other must not keep what is erased.
        let (host, device) = (self.host.refresh(gallery), self.refresh_device(gallery));
        host.and(device)
    }
}

impl GpuPass {
    fn refresh_device(&self, gallery: &GalleryRows) -> Result<(), CoarseError> {
        let _nothing_is_sent = self.ahead.hold(gallery);
        // Also after a panic elsewhere: copies that nobody vouches for must go before an erasure is acknowledged.
        let poisoned = self.engine.is_poisoned();
        let mut engine = self.engine.lock().unwrap_or_else(PoisonError::into_inner);
        if poisoned {
            engine.forget_all(&self.card);
            return Err(self.card.trouble("a sweep before this one died"));
        }
        if let Some(reason) = self.card.lost_reason() {
            engine.forget_all(&self.card);
            return Err(self.card.trouble(reason));
        }
        engine.copies.forget_gone(&self.card);
        let buried = gallery.iter().try_for_each(|run| engine.copies.bury(&self.card, run.as_ref()));
        let wiped = buried.and_then(|()| engine.slots.wipe(&self.card));
        let arrived = wiped.and_then(|()| self.card.guarded(|| self.card.flush()));
        if arrived.is_err() {
            engine.forget_all(&self.card);
        }
        self.note(&engine);
        arrived
    }
}

/// A sweep with more survivors than `most` is given up: there are too many probes to keep so many for each.
fn within(sweep: Sweep, most: usize) -> Sweep {
    match sweep {
        Sweep::Complete { survivors, cut } if survivors.len() <= most => Sweep::Complete { survivors, cut },
        Sweep::Complete { .. } | Sweep::Overflowed => Sweep::Overflowed,
    }
}

fn check_dimensions(gallery: &GalleryRows, probes: &[Code]) -> Result<(), CoarseError> {
    for run in gallery {
        let other = probes.iter().find(|probe| probe.codes.len() != run.dimension().get());
        if let Some(probe) = other {
            return Err(CoarseError::Dimension { probe: probe.codes.len(), gallery: run.dimension() });
        }
    }
    Ok(())
}

fn driver(card: &Card) -> String {
    format!("{} {}", card.info.driver, card.info.driver_info).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TemplateId;
    use crate::gpu::AdapterChoice;
    use crate::gpu::test_card;
    use crate::vector::dimension::Dimension;
    use crate::vector::memory::MemoryRows;

    /// A host that finds nothing.
    struct Nothing;

    impl CoarsePass for Nothing {
        fn name(&self) -> String {
            "nothing".to_owned()
        }
        fn sweep(&self, _gallery: &GalleryRows, _probes: &[Code], cuts: &[Cut]) -> Result<Vec<Sweep>, CoarseError> {
            Ok(cuts.iter().map(|_| Sweep::Complete { survivors: Vec::new(), cut: f32::NEG_INFINITY }).collect())
        }
        fn refresh(&self, _gallery: &GalleryRows) -> Result<(), CoarseError> {
            Ok(())
        }
    }

    #[test]
    fn rows_that_passed_through_are_overwritten_before_an_erasure_is_acknowledged() {
        if test_card::open().is_none() {
            return;
        }
        let options = GpuOptions {
            adapter: AdapterChoice::Software,
            memory_max_bytes: Some(60_000),
            stream_probes_min: 1,
            ..GpuOptions::default()
        };
        let pass = GpuPass::new(options, Box::new(Nothing)).unwrap();
        let mut run = MemoryRows::new(Dimension::new(64).unwrap());
        let original = [0.125; 64];
        for id in 0..2000 {
            run.push(TemplateId(id), &original);
        }
        let gallery: Vec<Arc<dyn Rows>> = vec![Arc::new(run.resident())];
        let probe = Code::of(&original);
        let sweeps = pass.sweep(&gallery, &[probe], &[Cut::AtLeast(1.0)]).unwrap();
        let Sweep::Complete { survivors, cut: _ } = &sweeps[0] else { panic!("overflowed") };
        assert_eq!(survivors.len(), 2000);
        let left = || pass.engine().unwrap().slots.bytes_left(&pass.card).unwrap();
        assert!(left() > 0);
        pass.refresh(&gallery).unwrap();
        assert_eq!(left(), 0);
    }
}
