//! WGSL from the templates of `shaders/`: constants filled in, sums unrolled into scalars.
//!
//! Sums are scalars with names and not an array, since a compiler that can't prove an array's indices constant keeps it in
//! memory, at a hundred times the cost of a register.

use std::fmt::Write as _;

use crate::gpu::kernels::{Kernel, matrix_bytes};

const COMMON: &str = include_str!("../../shaders/common.wgsl");
const ROWS: &str = include_str!("../../shaders/rows.wgsl");
const TILES: &str = include_str!("../../shaders/tiles.wgsl");
const MATRIX: &str = include_str!("../../shaders/matrix.wgsl");
const HISTOGRAM: &str = include_str!("../../shaders/histogram.wgsl");
/// `shaders/select.wgsl`, which has no markers.
pub(super) const SELECT: &str = include_str!("../../shaders/select.wgsl");

/// Codes that one `vec4<u32>` holds.
pub(super) const CODES_PER_CHUNK: usize = 16;
/// Chunks of a probe that K2 keeps in workgroup memory at once: 16 of them are 8 KiB.
pub(super) const PIECE_CHUNKS_MAX: usize = 32;
/// Values that each lane of the written-out products sums up for one matrix.
const SUMS_A_LANE: usize = 8;

/// How the matrix shader multiplies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Multiply {
    /// With the device's cooperative matrices.
    Cooperative,
    /// Written out, for tests of all the rest of the shader on devices without them.
    WrittenOut,
    /// Written out and wrong by the last bit of some sums, for tests of the self-test.
    Wrong,
}

/// The source of a kernel for templates of `dimension` numbers on a device with so much workgroup memory.
pub(super) fn score(kernel: Kernel, dimension: usize, workgroup_bytes: usize) -> String {
    match kernel {
        Kernel::Rows { tile } => rows(dimension, tile),
        Kernel::Tiles => tiles(dimension),
        Kernel::Matrix(multiply) => matrix(dimension, multiply, matrix_step_chunks(dimension, workgroup_bytes)),
    }
}

/// Chunks of a row that K3 has in workgroup memory at once: two where they are even in number and fit, else one.
pub(super) fn matrix_step_chunks(dimension: usize, workgroup_bytes: usize) -> usize {
    let two = (dimension / CODES_PER_CHUNK).is_multiple_of(2) && matrix_bytes(matrix_stride(2)) <= workgroup_bytes;
    if two { 2 } else { 1 }
}

/// Numbers from one row of K3's tiles to the next: eight more than there are, so that rows begin in different banks.
pub(super) fn matrix_stride(step_chunks: usize) -> usize {
    step_chunks * CODES_PER_CHUNK + 8
}

/// `shaders/histogram.wgsl` for `tile` probes a workgroup, filled in.
pub(super) fn histogram(dimension: usize, tile: usize) -> String {
    let chunks = dimension / CODES_PER_CHUNK;
    let lines = |line: &dyn Fn(usize) -> String| joined((0..tile).map(line));
    filled(
        &(COMMON.to_owned() + HISTOGRAM),
        &[
            ("TILE_CHUNKS", (tile * chunks).to_string()),
            ("TILE_BINS", (tile * 256).to_string()),
            ("TILE", tile.to_string()),
            ("CHUNKS", chunks.to_string()),
            ("DECLARE", lines(&|probe| format!("        var sum{probe} = 0;"))),
            (
                "ACCUMULATE",
                lines(&|probe| format!("          sum{probe} += dot16(sixteen, tile[{probe}u * {chunks}u + chunk]);")),
            ),
            ("COUNT", lines(&|probe| format!("        count({probe}u, sum{probe}, scale);"))),
        ],
    )
}

fn rows(dimension: usize, tile: usize) -> String {
    let chunks = dimension / CODES_PER_CHUNK;
    let lines = |line: &dyn Fn(usize) -> String| joined((0..tile).map(line));
    filled(
        &(COMMON.to_owned() + ROWS),
        &[
            ("TILE_CHUNKS", (tile * chunks).to_string()),
            ("TILE", tile.to_string()),
            ("CHUNKS", chunks.to_string()),
            ("DECLARE", lines(&|probe| format!("      var sum{probe} = 0;"))),
            (
                "ACCUMULATE",
                lines(&|probe| format!("        sum{probe} += dot16(sixteen, tile[{probe}u * {chunks}u + chunk]);")),
            ),
            (
                "EMIT",
                lines(&|probe| format!("      emit(first_probe + {probe}u, levels[{probe}], sum{probe}, scale, id);")),
            ),
        ],
    )
}

fn tiles(dimension: usize) -> String {
    let (rows, probes) = (Kernel::Tiles.blocks_per_workgroup(), Kernel::Tiles.tile());
    let chunks = dimension / CODES_PER_CHUNK;
    let piece = chunks.min(PIECE_CHUNKS_MAX);
    let mut declare = String::new();
    let (mut load, mut accumulate, mut emit) = (String::new(), String::new(), String::new());
    // Writing to a String never fails.
    for row in 0..rows {
        let _ = writeln!(
            declare,
            "  let base{row} = min(first_block + {row}u, last) * {chunks}u * 64u + lane;\n  \
             let block{row} = first_block + {row}u;"
        );
        let _ = writeln!(load, "      let row{row} = codes[base{row} + (begin + chunk) * 64u];");
        let _ = writeln!(emit, "  if (block{row} < params.block_end) {{");
        let _ = writeln!(emit, "    let scale = scales[block{row} * 64u + lane];\n    if (scale > 0.0) {{");
        let _ = writeln!(emit, "      let id = params.first_id + block{row} * 64u + lane;");
        for probe in 0..probes {
            let _ = writeln!(declare, "  var sum{row}_{probe} = 0;");
            let _ = writeln!(emit, "      emit(first_probe + {probe}u, levels[{probe}], sum{row}_{probe}, scale, id);");
        }
        emit.push_str("    }\n  }\n");
    }
    for probe in 0..probes {
        let _ = writeln!(accumulate, "      let probe{probe} = tile[{probe}u * {piece}u + chunk];");
        for row in 0..rows {
            let _ = writeln!(accumulate, "      sum{row}_{probe} += dot16(row{row}, probe{probe});");
        }
    }
    filled(
        &(COMMON.to_owned() + TILES),
        &[
            ("TILE_PIECE", (probes * piece).to_string()),
            ("PIECE", piece.to_string()),
            ("CHUNKS", chunks.to_string()),
            ("DECLARE", declare),
            ("LOAD", load),
            ("ACCUMULATE", accumulate),
            ("EMIT", emit),
        ],
    )
}

fn matrix(dimension: usize, multiply: Multiply, step_chunks: usize) -> String {
    let chunks = dimension / CODES_PER_CHUNK;
    // The tiles are arrays of four numbers each, so lengths and distances in them are counted in fours.
    let stride = matrix_stride(step_chunks) / 4;
    let (mut declare, mut store) = (String::new(), String::new());
    for (row, probe) in pairs() {
        store.push_str("  workgroupBarrier();\n");
        match multiply {
            Multiply::Cooperative => {
                let _ = writeln!(declare, "  var sum{row}_{probe} = coop_mat16x16<f32, C>();");
                let _ = writeln!(store, "  coopStoreT(sum{row}_{probe}, &sums[mine], 16u);");
            }
            Multiply::WrittenOut | Multiply::Wrong => {
                let first = (row * 4 + probe) * SUMS_A_LANE;
                let _ = writeln!(
                    store,
                    "  for (var part = 0u; part < 8u; part++) {{\n    \
                     sums[mine + part * 32u + sublane] = all[{first}u + part];\n  }}"
                );
            }
        }
        let (row, probe) = (row * 16, probe * 16);
        let _ = writeln!(
            store,
            "  workgroupBarrier();\n  pick(mine, sublane, first_probe, strip + {row}u, {probe}u, first_row);"
        );
    }
    if multiply != Multiply::Cooperative {
        declare.push_str("  var all: array<f32, 64>;");
    }
    let (enable, emulate) = match multiply {
        Multiply::Cooperative => ("enable f16;\nenable wgpu_cooperative_matrix;\n", String::new()),
        Multiply::WrittenOut => ("enable f16;\n", written_out("")),
        Multiply::Wrong => ("enable f16;\n", written_out("  sum = floor(sum * 0.5) * 2.0;\n")),
    };
    let source = format!("{enable}{COMMON}{MATRIX}");
    let products = (0..step_chunks).map(|part| products(multiply, stride, part * CODES_PER_CHUNK / 4)).collect();
    filled(
        &source,
        &[
            ("ROW_TILE", (128 * stride).to_string()),
            ("PROBE_TILE", (64 * stride).to_string()),
            ("STEP_CHUNKS", step_chunks.to_string()),
            ("STRIDE", stride.to_string()),
            ("CHUNKS", chunks.to_string()),
            ("EMULATE", emulate),
            ("DECLARE", declare),
            ("MULTIPLY", products),
            ("STORE", store),
        ],
    )
}

/// A subgroup's matrices of sums: two of rows by four of probes.
fn pairs() -> impl Iterator<Item = (usize, usize)> {
    (0..2).flat_map(|row| (0..4).map(move |probe| (row, probe)))
}

/// The products of 16 codes from `from`, added to all sums of a subgroup. `stride` and `from` count fours.
fn products(multiply: Multiply, stride: usize, from: usize) -> String {
    let mut lines = String::from("    {\n");
    match multiply {
        Multiply::Cooperative => {
            for row in 0..2 {
                let at = row * 16 * stride + from;
                let _ = writeln!(
                    lines,
                    "      let rows{row} = coopLoadT<coop_mat16x16<f16, A>>(&row_tile[rows_at + {at}u], {stride}u);"
                );
            }
            for probe in 0..4 {
                let at = probe * 16 * stride + from;
                let _ = writeln!(
                    lines,
                    "      let probes{probe} = coopLoad<coop_mat16x16<f16, B>>(&probe_tile[{at}u], {stride}u);"
                );
            }
            for (row, probe) in pairs() {
                let _ = writeln!(
                    lines,
                    "      sum{row}_{probe} = coopMultiplyAdd(rows{row}, probes{probe}, sum{row}_{probe});"
                );
            }
        }
        Multiply::WrittenOut | Multiply::Wrong => {
            // Element `part * 32 + sublane` of the matrix: its row is a sixteenth of that. An array and a loop: slow, and
            // quickly compiled, which is what a test wants.
            let _ = writeln!(
                lines,
                "      for (var n = 0u; n < 64u; n++) {{\n        \
                 let row_at = rows_at + (n / 32u * 16u + n % 8u * 2u + sublane / 16u) * {stride}u + {from}u;\n        \
                 let probe_at = (n / 8u % 4u * 16u + sublane % 16u) * {stride}u + {from}u;\n        \
                 all[n] += sixteen_products(row_at, probe_at);\n      }}"
            );
        }
    }
    lines + "    }\n"
}

/// The products of 16 codes of a row and a probe, in single precision as the matrices sum them.
fn written_out(spoil: &str) -> String {
    format!(
        "\nfn sixteen_products(row_at: u32, probe_at: u32) -> f32 {{\n  var sum = 0.0;\n  \
         for (var i = 0u; i < 4u; i++) {{\n    \
         sum += dot(vec4<f32>(row_tile[row_at + i]), vec4<f32>(probe_tile[probe_at + i]));\n  }}\n{spoil}  return sum;\n}}\n"
    )
}

fn joined(lines: impl Iterator<Item = String>) -> String {
    lines.collect::<Vec<_>>().join("\n")
}

fn filled(template: &str, markers: &[(&str, String)]) -> String {
    markers
        .iter()
        .fold(template.to_owned(), |text, (name, value)| text.replace(&format!("{{{{{name}}}}}"), value.trim_end()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::kernels::histogram_tile;
    use wgpu::naga::back::spv;
    use wgpu::naga::front::wgsl;
    use wgpu::naga::proc::Layouter;
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};
    use wgpu::naga::{AddressSpace, Module};

    const KIB: usize = 1 << 10;

    /// Name, source and chunks of K3's steps of each shader as a device with so much workgroup memory gets it.
    fn every_source(workgroup_bytes: usize) -> Vec<(String, String, usize)> {
        let mut all = vec![("select".to_owned(), SELECT.to_owned(), 0)];
        for dimension in [16, 48, 128, 512, 1040, 2048] {
            let mut kernels: Vec<Kernel> =
                [1, 2, 4, 8].map(|probes| Kernel::for_probes(probes, dimension, workgroup_bytes, None)).to_vec();
            kernels.push(Kernel::Tiles);
            kernels.extend([Multiply::Cooperative, Multiply::WrittenOut, Multiply::Wrong].map(Kernel::Matrix));
            let steps = matrix_step_chunks(dimension, workgroup_bytes);
            all.extend(
                kernels.into_iter().map(|kernel| {
                    (format!("{kernel:?} {dimension}"), score(kernel, dimension, workgroup_bytes), steps)
                }),
            );
            let tile = histogram_tile(dimension, workgroup_bytes);
            all.push((format!("histogram {dimension}"), histogram(dimension, tile), 0));
        }
        all
    }

    /// Workgroup memory that a shader declares. Nobody else counts it: wgpu leaves it to the driver, who may do anything.
    fn workgroup_bytes(module: &Module) -> u32 {
        let mut layouter = Layouter::default();
        layouter.update(module.to_ctx()).unwrap();
        let shared = module.global_variables.iter().filter(|(_, variable)| variable.space == AddressSpace::WorkGroup);
        shared.map(|(_, variable)| layouter[variable.ty].size).sum()
    }

    #[test]
    fn every_shader_is_whole_and_valid_and_becomes_spirv() {
        let capabilities = Capabilities::SHADER_FLOAT16 | Capabilities::COOPERATIVE_MATRIX;
        let sources = [16, 32].map(|kib| every_source(kib * KIB).into_iter().map(move |source| (kib, source)));
        for (kib, (name, source, step_chunks)) in sources.into_iter().flatten() {
            assert!(!source.contains("{{") && !source.contains("}}"), "{name}: {source}");
            let module = wgsl::parse_str(&source).unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let checked = Validator::new(ValidationFlags::all(), capabilities).validate(&module);
            let info = checked.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            let taken = workgroup_bytes(&module) as usize;
            assert!(
                (16..=kib * KIB).contains(&taken),
                "{name}: {taken} bytes of workgroup memory, {kib} KiB are there"
            );
            let options = spv::Options { lang_version: (1, 3), ..spv::Options::default() };
            let words =
                spv::write_vec(&module, &info, &options, None).unwrap_or_else(|error| panic!("{name}: {error}"));
            // OpCooperativeMatrixMulAddKHR is instruction 4459: 8 of them for each 16 codes of a step.
            let multiplications = instructions(&words).filter(|&code| code == 4459).count();
            assert_eq!(multiplications, if name.contains("Cooperative") { 8 * step_chunks } else { 0 }, "{name}");
        }
    }

    /// Codes of the instructions of a SPIR-V module, whose header has five words.
    fn instructions(words: &[u32]) -> impl Iterator<Item = u32> + '_ {
        let mut at = 5;
        std::iter::from_fn(move || {
            let word = *words.get(at)?;
            at += (word >> 16).max(1) as usize;
            Some(word & 0xffff)
        })
    }

    #[test]
    fn sums_are_scalars_one_for_each_row_and_probe() {
        let tiles = score(Kernel::Tiles, 512, 32 * KIB);
        assert_eq!(tiles.matches("+= dot16(").count(), 64);
        assert_eq!(tiles.matches("      emit(").count(), 64);
        for tile in [1, 8] {
            assert_eq!(score(Kernel::Rows { tile }, 512, 32 * KIB).matches("+= dot16(").count(), tile);
        }
        assert_eq!(score(Kernel::Matrix(Multiply::Cooperative), 512, 32 * KIB).matches("coopStoreT").count(), 8);
    }
}
