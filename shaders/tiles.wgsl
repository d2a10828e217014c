// K2, register tiles: coarse scores of a shard's rows for tiles of 16 probes, four rows a lane: 64 sums in registers, so
// that each code read serves 16 probes and each probe's code four rows.
//
// A template after common.wgsl, filled in by src/gpu/template.rs: CHUNKS (dimension / 16), PIECE (chunks of a probe that are
// in workgroup memory at once, at most 32), TILE_PIECE (16 of them), DECLARE, LOAD, ACCUMULATE, EMIT, unrolled
// so that sums are scalars.
//
// workgroup: 64 lanes, four blocks of rows; lane l has row l of each. x: 16 probes, y: four blocks. Blocks past the end of
// the dispatch are read as its last one, and nothing of them is emitted: all lanes reach every barrier.

var<workgroup> tile: array<vec4<u32>, {{TILE_PIECE}}>;
var<workgroup> levels: array<u32, 16>;

@compute @workgroup_size(64)
fn score(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_probe = group.x * 16u;
  if (lane < 16u) {
    levels[lane] = marks[first_probe + lane].level;
  }
  let first_block = params.block_begin + group.y * 4u;
  let last = params.block_end - 1u;
{{DECLARE}}
  for (var begin = 0u; begin < {{CHUNKS}}u; begin += {{PIECE}}u) {
    let count = min({{PIECE}}u, {{CHUNKS}}u - begin);
    workgroupBarrier();
    for (var i = lane; i < {{TILE_PIECE}}u; i += 64u) {
      if (i % {{PIECE}}u < count) {
        tile[i] = probes[(first_probe + i / {{PIECE}}u) * {{CHUNKS}}u + begin + i % {{PIECE}}u];
      }
    }
    workgroupBarrier();
    for (var chunk = 0u; chunk < count; chunk++) {
{{LOAD}}
{{ACCUMULATE}}
    }
  }
{{EMIT}}
}
