//! Shader modules, compiled without run-time checks, and leave to use wgpu's experimental features.
//!
//! The one file of this room with `unsafe`: wgpu's checks (index clamps, a counter in every loop) would keep compilers from
//! unrolling the inner loops, so they are left out for these shaders, which are part of this crate and read no input that is
//! not written by this room.

use wgpu::{Device, ExperimentalFeatures, ShaderModule, ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource};

use crate::gpu::kernels::Kernel;
use crate::gpu::template;

/// A score shader for templates of `dimension` numbers, on a device with so much workgroup memory.
pub(super) fn score_module(device: &Device, kernel: Kernel, dimension: usize, workgroup_bytes: usize) -> ShaderModule {
    // SAFETY: `trusted` wants every index in bounds, every loop finite and every divisor other than zero.
    // Common: `probes`, `marks`, `counts`: round.rs pads the probes of a round to whole tiles and makes these buffers that
    // long. `kept`: slot < room, and round.rs makes room for `room` pairs for each padded probe. `codes`, `scales`: block <
    // block_end, which plan.rs takes from the number of blocks that residency.rs or stream.rs made the shard's two buffers
    // for; K2 reads block_end - 1 for blocks past it, and a dispatch has at least one block. All loops count up to constants
    // or to `count`, which is below one. Divisors are constants above zero.
    // K1: `tile[i]`: i < TILE_CHUNKS, its length; `levels[lane]`: lane < TILE.
    // K2: `tile[i]`: i < TILE_PIECE, its length, and probe * PIECE + chunk < 16 * PIECE; `levels[lane]`: lane < 16.
    // K3: `row_tile`: lane * STRIDE + part * 4 + 3 < 128 * STRIDE since STRIDE is four a chunk and two more; `probe_tile` the
    // same for lane % 64; a matrix read begins at row r * 16 of 32, r <= 1, or probe p * 16, p <= 3, and ends 16 rows on,
    // inside its tile. `sums`:
    // mine + 255 < 4 * 256. `row_scales[at]`: at < 96 + 32; `levels[column]`: column < 64.
    unsafe { trusted(device, "score", template::score(kernel, dimension, workgroup_bytes)) }
}

/// The histogram shader for templates of `dimension` numbers and `tile` probes a workgroup.
pub(super) fn histogram_module(device: &Device, dimension: usize, tile: usize) -> ShaderModule {
    // SAFETY: as above. `tile[i]`: i < TILE_CHUNKS; `wanted[lane]`: lane < TILE; `bins`: probe < TILE, and eight bits; `counts`:
    // repair.rs makes it 256 words for each padded probe. Loops count up to constants. Shifts are below 32.
    unsafe { trusted(device, "histogram", template::histogram(dimension, tile)) }
}

/// The select shader.
pub(super) fn select_module(device: &Device) -> ShaderModule {
    // SAFETY: as above. One workgroup a probe of the round, so `marks` and `counts` are long enough; n <= room, so
    // `kept[base + i]` for i < n stays in the probe's list, and so do the slots of what stays, of which there are at most
    // n. `histogram` has 256 entries for 256 lanes and 8-bit digits; `bin` goes down from 255 at most 255 times. The loops
    // count up to n or to constants. No division.
    unsafe { trusted(device, "select", template::SELECT.to_owned()) }
}

/// Leave to use cooperative matrices.
pub(super) fn experimental_features() -> ExperimentalFeatures {
    // SAFETY: what is asked for is to know that wgpu's experimental features may have bugs that safe code can hit. One is
    // used, in one shader that touches nothing but its own buffers as shown above, and only on devices that pass the
    // self-test of matrix.rs for it.
    unsafe { ExperimentalFeatures::enabled() }
}

/// # Safety
/// `source` must keep every index in bounds, end every loop, and divide by nothing that can be zero.
unsafe fn trusted(device: &Device, label: &str, source: String) -> ShaderModule {
    let descriptor = ShaderModuleDescriptor { label: Some(label), source: ShaderSource::Wgsl(source.into()) };
    // SAFETY: the caller's promise is the one asked for here.
    unsafe { device.create_shader_module_trusted(descriptor, ShaderRuntimeChecks::unchecked()) }
}
