//! The coarse pass on a GPU, through wgpu: copies of sealed runs in the device's memory, and the compute shaders of
//! `shaders/` over them.
//!
//! A search goes so: [`residency`] sees to it that the runs which may be copied are on the device and that erased rows are
//! overwritten there, and [`stream`] passes through what is too large for it; [`attempt`] sweeps them in rounds of probes,
//! chunk by chunk as [`plan`] says, raising each probe's level between chunks so that only rows that can still matter come
//! back; probes with more such rows than a list takes go through [`repair`]. What the device does not score (the tail, runs
//! under a filter) is swept meanwhile by the host's own pass, and [`merge`] joins the two. [`kernels`] says which shader
//! scores how many probes, [`crossover`] measures from where on it is K3, [`width`] how many come into a round, [`pace`] how
//! much a submission asks for. Integers and one multiplication decide, so the survivors
//! are those of the CPU, to the bit; [`selftest`] holds every device to that before it is used, and [`matrix`] the one
//! kernel that adds in floating point.
//!
//! Survivors are scored again in f32 on the host, from the originals: these are in no copy (they would take four times
//! the memory), the host needs them to the bit of its own order of additions, and there are few: about a thousand a probe at
//! ten million rows, 2 MB of originals, where sending them to the device would read the same bytes first.
//!
//! A device that is lost, hangs or refuses work ends in [`crate::vector::coarse::CoarseError::Device`] at once and for
//! good, never in a wrong answer and never in a wait without end: the scorer above goes on with the CPU.

mod adapter;
mod ahead;
mod attempt;
mod card;
mod crossover;
mod engine;
mod kernels;
mod key;
mod matrix;
mod merge;
mod options;
mod pace;
mod pass;
mod pipeline;
mod plan;
mod repair;
mod residency;
mod round;
mod selftest;
mod shader;
mod shard;
mod stream;
mod template;
mod tiling;
mod width;

#[cfg(test)]
mod test_card;

pub use adapter::adapters;
pub use options::{AdapterChoice, GpuOptions, MatrixChoice};
pub use pass::{GpuInfo, GpuPass};

/// Why there is no GPU back end. The CPU's serves meanwhile; status shows this text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GpuError {
    /// Nothing that fits the choice.
    #[error(
        "no Vulkan adapter for the choice '{wanted}'; found: {found}. Install the card's Vulkan driver (or \
         mesa-vulkan-drivers for the software one), or choose another adapter"
    )]
    NoAdapter {
        /// The choice, as it is written in the settings.
        wanted: String,
        /// What there is, or `none`.
        found: String,
    },
    /// The adapter is there but can't be put to work.
    #[error("{adapter} can't be used: {reason}. Update its driver, or choose another adapter")]
    Device {
        /// Which adapter.
        adapter: String,
        /// What the driver said.
        reason: String,
    },
    /// The adapter's limits are below what the smallest of the shaders needs.
    #[error("{adapter} is too small: {what}. The CPU scores; choose another adapter")]
    TooSmall {
        /// Which adapter.
        adapter: String,
        /// Which limit.
        what: String,
    },
    /// The device computes something else than the CPU.
    #[error("{adapter} computes wrongly ({what}) and is not used. Update its driver, or choose another adapter")]
    SelfTest {
        /// Which adapter.
        adapter: String,
        /// What differed.
        what: String,
    },
}
