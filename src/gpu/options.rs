//! What may be chosen about the GPU.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::base::limits::{
    GPU_PROBES_PER_ROUND_MAX, GPU_SHARD_BYTES_MAX, GPU_STREAM_BYTES_MAX, GPU_SURVIVORS_MAX, GPU_UPLOAD_BYTES_MAX,
    GPU_WAIT_MS_MAX, SURVIVORS_MAX,
};
use crate::gpu::kernels::ROWS_PROBES_MAX;

/// Which adapter to use. Written as `any`, `hardware`, `software`, or part of an adapter's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum AdapterChoice {
    /// The best there is: discrete, then integrated, then others, then software.
    #[default]
    Any,
    /// As `Any`, but never a software driver, which is slower than this crate's own CPU kernels.
    Hardware,
    /// A software driver, for tests.
    Software,
    /// The first, in the order of `Any`, whose name contains this text; case does not matter.
    Named(String),
}

impl FromStr for AdapterChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let text = text.trim();
        Ok(match text.to_ascii_lowercase().as_str() {
            "" | "any" => Self::Any,
            "hardware" => Self::Hardware,
            "software" => Self::Software,
            _ => Self::Named(text.to_owned()),
        })
    }
}

impl fmt::Display for AdapterChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any"),
            Self::Hardware => f.write_str("hardware"),
            Self::Software => f.write_str("software"),
            Self::Named(part) => f.write_str(part),
        }
    }
}

/// Whether long rounds are scored with the device's cooperative matrices (K3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum MatrixChoice {
    /// Where the device has the right ones and passes the self-test, for each dimension, to the bit.
    #[default]
    Auto,
    /// Never.
    Off,
    /// The shader with its products written out, slow on every device: for tests.
    #[doc(hidden)]
    WrittenOut,
    /// The same, and wrong, so that the self-test has something to refuse: for tests.
    #[doc(hidden)]
    Wrong,
}

/// Options of a [`crate::gpu::GpuPass`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GpuOptions {
    /// Which adapter.
    pub adapter: AdapterChoice,
    /// Bytes of the device's memory that copies of runs may fill. `None`: 1 GiB on a software driver (it is the host's
    /// memory), 4 GiB on an integrated GPU, whatever the driver grants on others.
    pub memory_max_bytes: Option<u64>,
    /// Largest buffer of codes, in bytes; the device's limits may lower it. Tests make it small, so that a run has shards.
    pub shard_max_bytes: u64,
    /// Entries of a probe's list on the device, at most; one more and the probe is repaired. Tests make it small.
    pub survivors_max: usize,
    /// Survivors of one probe in all, at most; one more and the probe has overflowed. Tests make it small.
    pub survivors_total_max: usize,
    /// Largest part of a run that is streamed at once, in bytes of codes. Two such buffers are set aside where a gallery is
    /// larger than the memory that copies may fill.
    pub stream_bytes_max: u64,
    /// Bytes of codes written before the device is given time to take them: what is staged meanwhile is host memory. Tests
    /// make it small, so that a load has many pieces.
    pub upload_bytes_max: u64,
    /// Fewest probes for which what has no copy is streamed to the device; for fewer the host scores it, which reads no more
    /// bytes than sending them would.
    pub stream_probes_min: usize,
    /// Whether cooperative matrices are used.
    pub matrices: MatrixChoice,
    /// Probes scored in one round, at most; how long their lists are and what the device binds at once may lower it.
    pub probes_per_round_max: usize,
    /// Workgroup memory that shaders may use, in bytes; the device's limit may lower it. Tests make it as small as the
    /// smallest that devices have, 16 KiB.
    pub workgroup_bytes_max: u32,
    /// Longest wait for one submission, after which the device counts as lost.
    pub wait_max: Duration,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            adapter: AdapterChoice::default(),
            memory_max_bytes: None,
            shard_max_bytes: GPU_SHARD_BYTES_MAX,
            survivors_max: GPU_SURVIVORS_MAX,
            survivors_total_max: SURVIVORS_MAX,
            stream_bytes_max: GPU_STREAM_BYTES_MAX,
            upload_bytes_max: GPU_UPLOAD_BYTES_MAX,
            stream_probes_min: ROWS_PROBES_MAX + 1,
            matrices: MatrixChoice::default(),
            probes_per_round_max: GPU_PROBES_PER_ROUND_MAX,
            workgroup_bytes_max: u32::MAX,
            wait_max: Duration::from_millis(GPU_WAIT_MS_MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_read_as_they_are_written() {
        for text in ["any", "hardware", "software", "RTX 4090"] {
            let choice: Result<AdapterChoice, Infallible> = text.parse();
            assert_eq!(choice.map(|choice| choice.to_string()), Ok(text.to_owned()));
        }
        assert_eq!(" ".parse(), Ok(AdapterChoice::Any));
    }
}
