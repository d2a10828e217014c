// What all shaders that score have in common: it stands before each of them (src/gpu/template.rs puts the two together).
//
// group 0, the same layout as select.wgsl:
//   0 params  uniform, dynamic offset: which blocks this dispatch reads, the id of the shard's first row, room of a list
//   1 probes  [probe][chunk] vec4<u32>: 16 codes, signed bytes, the first in the lowest byte
//   2 marks   [probe] level and what sets it (select.wgsl); here only the level is read
//   3 counts  [probe] rows that passed since the last select; counts past `room`, so that overflow is seen
//   4 kept    [probe][room] (sortable coarse score, row id)
// group 1, the shard:
//   0 codes   [block of 64 rows][chunk][row] vec4<u32>: neighbouring lanes read neighbouring 16 bytes
//   1 scales  [row] f32; a row is live iff its scale is above zero (erased rows and padding: -1)
//
// A template: CHUNKS is dimension / 16. Workgroups: x is the tile of probes (fastest, so that workgroups which read the same
// rows run together), y the group of blocks.

struct Params { block_begin: u32, block_end: u32, first_id: u32, room: u32 }
struct Mark { level: u32, k: u32, slack: f32, overflowed: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> probes: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> marks: array<Mark>;
@group(0) @binding(3) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> kept: array<vec2<u32>>;
@group(1) @binding(0) var<storage, read> codes: array<vec4<u32>>;
@group(1) @binding(1) var<storage, read> scales: array<f32>;

// Exact: sums of at most 2048 products of signed bytes stay far below 2^31.
fn dot16(a: vec4<u32>, b: vec4<u32>) -> i32 {
  return dot4I8Packed(a.x, b.x) + dot4I8Packed(a.y, b.y) + dot4I8Packed(a.z, b.z) + dot4I8Packed(a.w, b.w);
}

// Unsigned order of the result is the order of the scores (src/gpu/key.rs has the same function).
fn sortable(score: f32) -> u32 {
  let bits = bitcast<u32>(score);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

fn emit(probe: u32, level: u32, sum: i32, scale: f32, id: u32) {
  let key = sortable(f32(sum) * scale);
  if (key >= level) {
    let slot = atomicAdd(&counts[probe], 1u);
    if (slot < params.room) {
      kept[probe * params.room + slot] = vec2<u32>(key, id);
    }
  }
}
