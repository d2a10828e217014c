// One pass of the repair: for a tile of probes, how many rows have each value of the next eight bits of their sortable coarse score,
// among the rows that agree in the bits found so far. Four passes, most significant bits first, find the k-th best score of
// all rows whatever their order and however many are equal; src/gpu/repair.rs asks for them and reads the counts in between.
//
// A template after common.wgsl, filled in by src/gpu/template.rs: TILE (probes of a workgroup: 8, or fewer where workgroup
// memory is short), CHUNKS (dimension / 16), TILE_CHUNKS and TILE_BINS (that many for each), DECLARE, ACCUMULATE, COUNT, one
// line a probe. It binds what the scoring shaders bind, and reads it so:
//   params.room          how far the eight bits are shifted: 24, 16, 8, 0
//   marks[probe]         level: rows below it are not counted; k: the bits found so far; overflowed: which bits those are
//   counts[probe][256]   rows by the value of the eight bits; added to
//
// workgroup: 256 lanes, a lane is a row, 16 times four blocks one after the other, so that the counts of many rows are
// added up in workgroup memory first. x: tile of probes, y: 64 blocks.

var<workgroup> tile: array<vec4<u32>, {{TILE_CHUNKS}}>;
var<workgroup> wanted: array<Mark, {{TILE}}>;
var<workgroup> bins: array<atomic<u32>, {{TILE_BINS}}>;

fn count(probe: u32, sum: i32, scale: f32) {
  let key = sortable(f32(sum) * scale);
  let mark = wanted[probe];
  if (key >= mark.level && (key & mark.overflowed) == mark.k) {
    atomicAdd(&bins[probe * 256u + ((key >> params.room) & 255u)], 1u);
  }
}

@compute @workgroup_size(256)
fn histogram(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_probe = group.x * {{TILE}}u;
  for (var i = lane; i < {{TILE_CHUNKS}}u; i += 256u) {
    tile[i] = probes[first_probe * {{CHUNKS}}u + i];
  }
  for (var i = lane; i < {{TILE_BINS}}u; i += 256u) {
    atomicStore(&bins[i], 0u);
  }
  if (lane < {{TILE}}u) {
    wanted[lane] = marks[first_probe + lane];
  }
  workgroupBarrier();

  for (var step = 0u; step < 16u; step++) {
    let block = params.block_begin + (group.y * 16u + step) * 4u + lane / 64u;
    if (block < params.block_end) {
      let scale = scales[block * 64u + lane % 64u];
      if (scale > 0.0) {
        let base = block * {{CHUNKS}}u * 64u + lane % 64u;
{{DECLARE}}
        for (var chunk = 0u; chunk < {{CHUNKS}}u; chunk++) {
          let sixteen = codes[base + chunk * 64u];
{{ACCUMULATE}}
        }
{{COUNT}}
      }
    }
  }
  workgroupBarrier();
  for (var i = lane; i < {{TILE_BINS}}u; i += 256u) {
    let rows = atomicLoad(&bins[i]);
    if (rows > 0u) {
      atomicAdd(&counts[first_probe * 256u + i], rows);
    }
  }
}
