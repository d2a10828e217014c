// K3, cooperative matrices: coarse scores of a shard's rows for 64 probes by 16 x 16 x 16 products of half-precision
// matrices, summed in single precision.
//
// Codes are -128 to 127, exact in f16; their products are integers below 2^15; up to 1024 of them sum to at most 2^24, and
// every integer up to there is exact in f32. So the sums are those of K2 to the bit wherever the device adds exactly, which
// a self-test asks of it for every dimension before the first use (src/gpu/matrix.rs). THIS SHADER HAS NEVER RUN ON
// HARDWARE: it is validated and translated in tests, and run there with the products written out (MULTIPLY below).
//
// A template after common.wgsl, filled in by src/gpu/template.rs: ENABLE (language extensions, before common.wgsl), CHUNKS
// (dimension / 16), STEP_CHUNKS (chunks of a row between two barriers: 2, or 1 where they are odd in number or where workgroup
// memory is short), STRIDE (from one row of a tile to the next, in fours: two more than its codes, against bank conflicts),
// ROW_TILE and PROBE_TILE (lengths of the two tiles), DECLARE, MULTIPLY and STORE, unrolled for the 2 x 4 matrices of sums of
// a subgroup, EMULATE (what the written-out products need).
//
// The tiles are arrays of vec4<f16> and not of f16: eight bytes are stored at once. A code at a time, lanes a row apart would
// meet in an eighth of the banks, and storing would take several times as long as multiplying. Matrices are read from them
// all the same: SPIR-V counts their stride in elements of the array.
//
// workgroup: 128 lanes, four subgroups of 32 (the device is refused where they are not), two blocks of rows: subgroup s has
// rows 32 s to 32 s + 31 against all 64 probes. x: 64 probes, y: two blocks. Rows past the end of the dispatch are zeros with
// a dead scale: all lanes reach every barrier.

// [row][code] and [probe][code], STRIDE apart.
var<workgroup> row_tile: array<vec4<f16>, {{ROW_TILE}}>;
var<workgroup> probe_tile: array<vec4<f16>, {{PROBE_TILE}}>;
// [subgroup][row][probe]: one matrix of sums of each subgroup.
var<workgroup> sums: array<f32, 1024>;
var<workgroup> levels: array<u32, 64>;
var<workgroup> row_scales: array<f32, 128>;
{{EMULATE}}
fn four(word: u32) -> vec4<f16> {
  return vec4<f16>(unpack4xI8(word));
}

// One matrix of sums: rows from `row` of the workgroup's 128, probes from `probe` of its 64.
fn pick(mine: u32, sublane: u32, first_probe: u32, row: u32, probe: u32, first_row: u32) {
  for (var i = sublane; i < 256u; i += 32u) {
    let at = row + i / 16u;
    let scale = row_scales[at];
    if (scale > 0.0) {
      let column = probe + i % 16u;
      // By way of an integer: there is no negative zero among those.
      emit(first_probe + column, levels[column], i32(sums[mine + i]), scale, params.first_id + first_row + at);
    }
  }
}

@compute @workgroup_size(128)
fn score(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first_probe = group.x * 64u;
  let first_block = params.block_begin + group.y * 2u;
  let block = first_block + lane / 64u;
  let is_row = block < params.block_end;
  row_scales[lane] = -1.0;
  if (is_row) {
    row_scales[lane] = scales[block * 64u + lane % 64u];
  }
  if (lane < 64u) {
    levels[lane] = marks[first_probe + lane].level;
  }
  let sublane = lane % 32u;
  let rows_at = lane / 32u * 32u * {{STRIDE}}u;
  let mine = lane / 32u * 256u;
{{DECLARE}}
  for (var chunk = 0u; chunk < {{CHUNKS}}u; chunk += {{STEP_CHUNKS}}u) {
    workgroupBarrier();
    for (var part = 0u; part < {{STEP_CHUNKS}}u; part++) {
      var sixteen = vec4<u32>(0u, 0u, 0u, 0u);
      if (is_row) {
        sixteen = codes[(block * {{CHUNKS}}u + chunk + part) * 64u + lane % 64u];
      }
      let at = lane * {{STRIDE}}u + part * 4u;
      row_tile[at] = four(sixteen.x);
      row_tile[at + 1u] = four(sixteen.y);
      row_tile[at + 2u] = four(sixteen.z);
      row_tile[at + 3u] = four(sixteen.w);
    }
    if (lane / 64u < {{STEP_CHUNKS}}u) {
      let sixteen = probes[(first_probe + lane % 64u) * {{CHUNKS}}u + chunk + lane / 64u];
      let at = lane % 64u * {{STRIDE}}u + lane / 64u * 4u;
      probe_tile[at] = four(sixteen.x);
      probe_tile[at + 1u] = four(sixteen.y);
      probe_tile[at + 2u] = four(sixteen.z);
      probe_tile[at + 3u] = four(sixteen.w);
    }
    workgroupBarrier();
{{MULTIPLY}}
  }
  let first_row = first_block * 64u;
  let strip = lane / 32u * 32u;
{{STORE}}
}
