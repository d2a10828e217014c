//! Shader modules from the files of `shaders/`: templates filled in, compiled without run-time checks.
//!
//! The one file of this room with `unsafe`: wgpu's checks (index clamps, a counter in every loop) would keep compilers from
//! unrolling the inner loop, so they are left out for these two shaders, which are part of this crate and read no input
//! that is not written by this room.

use std::fmt::Write as _;

use wgpu::{Device, ShaderModule, ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource};

const SCORE: &str = include_str!("../../shaders/score.wgsl");
const SELECT: &str = include_str!("../../shaders/select.wgsl");

/// Codes that one `vec4<u32>` holds.
pub(super) const CODES_PER_CHUNK: usize = 16;

/// The score shader for templates of `dimension` numbers and `tile` probes a workgroup.
pub(super) fn score_module(device: &Device, dimension: usize, tile: usize) -> ShaderModule {
    // SAFETY: `trusted` wants every index in bounds, every loop finite and every divisor other than zero.
    // `tile[i]`: i < TILE_CHUNKS, its length; `levels[lane]`: lane < TILE. `probes`, `marks`, `counts`: round.rs pads the
    // probes of a round to whole tiles and makes these buffers that long. `kept`: slot < room, and round.rs makes room for
    // `room` pairs for each padded probe. `codes`, `scales`: block < block_end, which plan.rs takes from the number of
    // blocks that residency.rs made the shard's two buffers for. The loops count up to constants. Divisors: 64 and none else.
    unsafe { trusted(device, "score", score_source(dimension, tile)) }
}

/// The select shader.
pub(super) fn select_module(device: &Device) -> ShaderModule {
    // SAFETY: as above. One workgroup a probe of the round, so `marks` and `counts` are long enough; n <= room, so
    // `kept[base + i]` for i < n stays in the probe's list, and so do the slots of what stays, of which there are at most
    // n. `histogram` has 256 entries for 256 lanes and 8-bit digits; `bin` goes down from 255 at most 255 times. The loops
    // count up to n or to constants. No division.
    unsafe { trusted(device, "select", SELECT.to_owned()) }
}

/// # Safety
/// `source` must keep every index in bounds, end every loop, and divide by nothing that can be zero.
unsafe fn trusted(device: &Device, label: &str, source: String) -> ShaderModule {
    let descriptor = ShaderModuleDescriptor { label: Some(label), source: ShaderSource::Wgsl(source.into()) };
    // SAFETY: the caller's promise is the one asked for here.
    unsafe { device.create_shader_module_trusted(descriptor, ShaderRuntimeChecks::unchecked()) }
}

/// `shaders/score.wgsl`, filled in.
fn score_source(dimension: usize, tile: usize) -> String {
    let chunks = dimension / CODES_PER_CHUNK;
    let (mut declare, mut accumulate, mut emit) = (String::new(), String::new(), String::new());
    for probe in 0..tile {
        // Writing to a String never fails.
        let _ = writeln!(declare, "      var sum{probe} = 0;");
        let _ = writeln!(accumulate, "        sum{probe} += dot16(sixteen, tile[{probe}u * {chunks}u + chunk]);");
        let _ = writeln!(emit, "      emit(first_probe + {probe}u, levels[{probe}], sum{probe}, scale, id);");
    }
    SCORE
        .replace("{{TILE_CHUNKS}}", &(tile * chunks).to_string())
        .replace("{{TILE}}", &tile.to_string())
        .replace("{{CHUNKS}}", &chunks.to_string())
        .replace("{{DECLARE}}", declare.trim_end())
        .replace("{{ACCUMULATE}}", accumulate.trim_end())
        .replace("{{EMIT}}", emit.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marker_is_filled_in() {
        for (dimension, tile) in [(16, 1), (512, 8), (2048, 8)] {
            let source = score_source(dimension, tile);
            assert!(!source.contains("{{") && !source.contains("}}"), "{source}");
            assert_eq!(source.matches("sum0 +=").count(), 1);
            assert_eq!(source.matches("      emit(").count(), tile);
        }
        assert!(!SELECT.contains("{{"));
    }
}
