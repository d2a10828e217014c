// K1, a row a lane: coarse scores of a shard's rows for 1 to 8 probes; rows at or above a probe's level are appended to its
// list. Each row's codes are read once and used for every probe, so reading them from memory is what takes the time.
//
// A template after common.wgsl, filled in by src/gpu/template.rs: TILE (probes of a workgroup), CHUNKS (dimension / 16),
// TILE_CHUNKS (their product), and DECLARE, ACCUMULATE, EMIT, one line a probe, so that sums are scalars and the inner loop
// has no index.
//
// workgroup: 256 lanes, a lane is a row, four blocks side by side. x: tile of probes, y: four blocks.

var<workgroup> tile: array<vec4<u32>, {{TILE_CHUNKS}}>;
var<workgroup> levels: array<u32, {{TILE}}>;

@compute @workgroup_size(256)
fn score(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_probe = group.x * {{TILE}}u;
  for (var i = lane; i < {{TILE_CHUNKS}}u; i += 256u) {
    tile[i] = probes[first_probe * {{CHUNKS}}u + i];
  }
  if (lane < {{TILE}}u) {
    levels[lane] = marks[first_probe + lane].level;
  }
  workgroupBarrier();

  let block = params.block_begin + group.y * 4u + lane / 64u;
  if (block < params.block_end) {
    let row = block * 64u + lane % 64u;
    let scale = scales[row];
    if (scale > 0.0) {
      let base = block * {{CHUNKS}}u * 64u + lane % 64u;
{{DECLARE}}
      for (var chunk = 0u; chunk < {{CHUNKS}}u; chunk++) {
        let sixteen = codes[base + chunk * 64u];
{{ACCUMULATE}}
      }
      let id = params.first_id + row;
{{EMIT}}
    }
  }
}
