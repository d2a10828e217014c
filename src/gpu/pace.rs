//! How much a submission may ask for: what the device does in about 50 ms, as measured from one round to the next.
//!
//! Drivers reset a device that works on one submission for seconds, and a desktop stands still meanwhile; a tenth of a
//! second is safe everywhere. The first rounds go by the kind of device, carefully.

use std::time::Duration;

use wgpu::DeviceType;

use crate::gpu::kernels::Kernel;

/// What a submission is meant to take: half of what it may.
const MEANT: Duration = Duration::from_millis(50);
/// Nobody is slower or faster than this, in products a submission.
const PRODUCTS_MIN: u64 = 1 << 24;
const PRODUCTS_MAX: u64 = 1 << 42;
/// One round may change the figure by so much.
const STEP: u64 = 4;

/// Products of two codes that a submission may ask for, by kernel.
#[derive(Debug)]
pub(super) struct Pace {
    rows: u64,
    tiles: u64,
    matrix: u64,
    histogram: u64,
}

/// What does the products.
#[derive(Debug, Clone, Copy)]
pub(super) enum Worker {
    /// A score shader.
    Score(Kernel),
    /// The repair's histogram.
    Histogram,
}

impl Pace {
    /// Careful figures for a kind of device.
    pub(super) fn new(device_type: DeviceType) -> Self {
        let products = match device_type {
            DeviceType::Cpu => 1 << 28,
            DeviceType::IntegratedGpu | DeviceType::VirtualGpu | DeviceType::Other => 1 << 32,
            DeviceType::DiscreteGpu => 1 << 35,
        };
        Self { rows: products, tiles: products, matrix: products, histogram: products }
    }

    /// Products that a submission of `worker` may ask for.
    pub(super) fn products(&self, worker: Worker) -> u64 {
        match worker {
            Worker::Score(Kernel::Rows { tile: _ }) => self.rows,
            Worker::Score(Kernel::Tiles) => self.tiles,
            Worker::Score(Kernel::Matrix(_)) => self.matrix,
            Worker::Histogram => self.histogram,
        }
    }

    /// Takes note that `products` took `elapsed`, everything included.
    pub(super) fn learn(&mut self, worker: Worker, products: u64, elapsed: Duration) {
        let figure = match worker {
            Worker::Score(Kernel::Rows { tile: _ }) => &mut self.rows,
            Worker::Score(Kernel::Tiles) => &mut self.tiles,
            Worker::Score(Kernel::Matrix(_)) => &mut self.matrix,
            Worker::Histogram => &mut self.histogram,
        };
        *figure = next(*figure, products, elapsed);
    }
}

/// The figure after a round. A short round is mostly waiting and tells nothing, unless it was too slow all the same.
fn next(figure: u64, products: u64, elapsed: Duration) -> u64 {
    if products < figure / 2 && elapsed < 2 * MEANT {
        return figure;
    }
    let micros = elapsed.as_micros().max(1);
    let meant = u128::from(products) * MEANT.as_micros() / micros;
    let meant = u64::try_from(meant).unwrap_or(PRODUCTS_MAX);
    meant.clamp(figure / STEP, figure.saturating_mul(STEP)).clamp(PRODUCTS_MIN, PRODUCTS_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rounds of `products` on a device that does `rate` products a second and needs half a millisecond to begin.
    fn settled(rate: u64, products: u64) -> u64 {
        let mut pace = Pace::new(DeviceType::DiscreteGpu);
        let elapsed = Duration::from_micros(products * 1_000_000 / rate + 500);
        for _ in 0..20 {
            pace.learn(Worker::Score(Kernel::Tiles), products, elapsed);
        }
        pace.products(Worker::Score(Kernel::Tiles))
    }

    #[test]
    fn submissions_stay_below_a_tenth_of_a_second_on_slow_and_fast_devices() {
        for rate in [1_u64 << 30, 1 << 34, 1 << 40] {
            let submission = settled(rate, rate);
            let took = submission as f64 / rate as f64;
            assert!((0.04..0.1).contains(&took), "{rate}: {took} s");
        }
    }

    #[test]
    fn short_rounds_teach_nothing_and_slow_ones_do() {
        assert_eq!(next(1 << 35, 1 << 20, Duration::from_micros(300)), 1 << 35);
        assert_eq!(next(1 << 35, 1 << 20, Duration::from_secs(1)), 1 << 33);
        assert_eq!(next(PRODUCTS_MIN, 1, Duration::from_secs(9)), PRODUCTS_MIN);
    }

    #[test]
    fn kernels_have_figures_of_their_own() {
        let mut pace = Pace::new(DeviceType::Cpu);
        pace.learn(Worker::Histogram, 1 << 28, Duration::from_secs(2));
        assert!(pace.products(Worker::Histogram) < pace.products(Worker::Score(Kernel::Rows { tile: 1 })));
    }
}
