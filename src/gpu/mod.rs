//! The coarse pass on a GPU, through wgpu: copies of sealed runs in the device's memory, and the compute shaders of
//! `shaders/` over them.
//!
//! A search goes so: [`residency`] sees to it that the runs which may be copied are on the device and that erased rows are
//! overwritten there; [`engine`] sweeps them in rounds of probes, chunk by chunk as [`plan`] says, raising each probe's
//! level between chunks so that only rows that can still matter come back; what is not on the device (the tail, runs that
//! do not fit) is swept meanwhile by the host's own pass, and [`merge`] joins the two. Integers and one multiplication
//! decide, so the survivors are those of the CPU, to the bit; [`selftest`] holds every device to that before it is used.
//!
//! A device that is lost, hangs or refuses work ends in [`crate::vector::coarse::CoarseError::Device`] at once and for
//! good, never in a wrong answer and never in a wait without end: the scorer above goes on with the CPU.

mod adapter;
mod card;
mod engine;
mod key;
mod merge;
mod options;
mod pass;
mod pipeline;
mod plan;
mod residency;
mod round;
mod selftest;
mod shader;
mod tiling;

#[cfg(test)]
mod test_card;

pub use adapter::adapters;
pub use options::{AdapterChoice, GpuOptions};
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
    /// The device computes something else than the CPU.
    #[error("{adapter} computes wrongly ({what}) and is not used. Update its driver, or choose another adapter")]
    SelfTest {
        /// Which adapter.
        adapter: String,
        /// What differed.
        what: String,
    },
}
