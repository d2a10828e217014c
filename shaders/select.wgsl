// After a chunk of rows: finds each probe's k-th best coarse score so far, raises its level to `slack` below it, and drops
// what is below the level from its list, in place.
//
// group 0, the same layout as common.wgsl:
//   0 params  uniform, dynamic offset: only `room` is read
//   2 marks   [probe] level: rows at or above it are kept, as a sortable score; k: the rank that sets it, 0 for a level that
//             stays; slack: how far below; overflowed: becomes 1 when a list was ever longer than its room, and stays 1
//   3 counts  [probe] rows that passed; afterwards rows that stay
//   4 kept    [probe][room] (sortable coarse score, row id)
//
// One workgroup of 256 lanes a probe (x). Four passes over the list count the keys by 8 bits each, most significant first;
// equal keys need no order, since all rows at the level stay. When a list overflowed, its level is still a lower bound of
// the right one (the k-th best of some rows is not above the k-th best of all), so a second sweep can begin from it.

struct Params { block_begin: u32, block_end: u32, first_id: u32, room: u32 }
struct Mark { level: u32, k: u32, slack: f32, overflowed: u32 }

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> marks: array<Mark>;
@group(0) @binding(3) var<storage, read_write> counts: array<u32>;
@group(0) @binding(4) var<storage, read_write> kept: array<vec2<u32>>;

var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> found: u32;
var<workgroup> rank: u32;
var<workgroup> prefix: u32;
var<workgroup> needed: u32;
var<workgroup> level: u32;
var<workgroup> staying: atomic<u32>;

fn sortable(score: f32) -> u32 {
  let bits = bitcast<u32>(score);
  return select(bits | 0x80000000u, ~bits, (bits & 0x80000000u) != 0u);
}

fn unsortable(key: u32) -> f32 {
  return bitcast<f32>(select(~key, key & 0x7fffffffu, (key & 0x80000000u) != 0u));
}

// Lane 0 alone: takes the bin of the k-th best key and what is left to count inside it.
fn descend() {
  var bin = 255u;
  var left = needed;
  for (var step = 0u; step < 255u; step++) {
    let here = atomicLoad(&histogram[bin]);
    if (here >= left) { break; }
    left -= here;
    bin -= 1u;
  }
  needed = left;
  prefix = (prefix << 8u) | bin;
}

@compute @workgroup_size(256)
fn select_level(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let probe = group.x;
  let base = probe * params.room;
  if (lane == 0u) {
    found = counts[probe];
    rank = marks[probe].k;
    level = marks[probe].level;
    needed = rank;
    prefix = 0u;
    atomicStore(&staying, 0u);
  }
  let all = workgroupUniformLoad(&found);
  let n = min(all, params.room);
  let k = workgroupUniformLoad(&rank);

  if (k > 0u && n >= k) {
    for (var digit = 0u; digit < 4u; digit++) {
      atomicStore(&histogram[lane], 0u);
      let above = workgroupUniformLoad(&prefix);
      for (var i = lane; i < n; i += 256u) {
        let key = kept[base + i].x;
        if (digit == 0u || (key >> (32u - 8u * digit)) == above) {
          atomicAdd(&histogram[(key >> (24u - 8u * digit)) & 255u], 1u);
        }
      }
      workgroupBarrier();
      if (lane == 0u) { descend(); }
      workgroupBarrier();
    }
    if (lane == 0u) {
      level = max(level, sortable(unsortable(prefix) - marks[probe].slack));
    }
  }

  // A tile is read by all lanes before any of them writes, and no write goes past the tile: nothing unread is lost.
  let lowest = workgroupUniformLoad(&level);
  for (var start = 0u; start < n; start += 256u) {
    var entry = vec2<u32>(0u, 0u);
    var stays = false;
    if (start + lane < n) {
      entry = kept[base + start + lane];
      stays = entry.x >= lowest;
    }
    storageBarrier();
    workgroupBarrier();
    if (stays) {
      let slot = atomicAdd(&staying, 1u);
      kept[base + slot] = entry;
    }
  }
  workgroupBarrier();
  if (lane == 0u) {
    counts[probe] = atomicLoad(&staying);
    marks[probe].level = lowest;
    if (all > params.room) { marks[probe].overflowed = 1u; }
  }
}
