//! Whether K3 may be used: what the device must offer, the self-test that it must pass for each dimension before the first
//! use, and the audit of what it finds in use.
//!
//! Cooperative matrices are experimental in wgpu, drivers differ in them, and K3 has never run on hardware here. So it is
//! held to K2, whose integers the general self-test has compared with the host's: to the bit, at start-up and again for every
//! dimension. One difference, at any time, and K3 is off until the process starts again; K2 answers, and status says why.
//! From how many probes on it is used is measured then too ([`crate::gpu::crossover`]).

use wgpu::{Adapter, AdapterInfo, CooperativeScalarType, Features};

use crate::base::ids::TemplateId;
use crate::gpu::card::Card;
use crate::gpu::crossover;
use crate::gpu::kernels::{Kernel, MATRIX_DIMENSION_MAX, MatrixUse, matrix_bytes};
use crate::gpu::key::KEEP_ALL;
use crate::gpu::options::MatrixChoice;
use crate::gpu::pipeline::Pipelines;
use crate::gpu::plan::{self, Step};
use crate::gpu::residency::Copies;
use crate::gpu::round::{self, Mark, Numbered, Place, Round, Workspace};
use crate::gpu::stream::Slots;
use crate::gpu::template::{Multiply, matrix_stride};
use crate::vector::coarse::CoarseError;
use crate::vector::codec::Code;
use crate::vector::dimension::Dimension;
use crate::vector::memory::MemoryRows;
use crate::vector::rows::Rows;

/// Lanes of a subgroup that K3 is written for.
const SUBGROUP_LANES: u32 = 32;
/// Both sides of the one shape of matrix that K3 uses.
const SIDE: u32 = 16;
/// Rows and probes of the self-test: several workgroups of two blocks, the last one neither whole nor even.
const TEST_ROWS: usize = 4 * 64 + 37;
const TEST_PROBES: usize = 64;
/// Fewest probes for K3 where its products are written out: it is slow there, and used for the sake of the test.
const WRITTEN_OUT_PROBES_MIN: usize = 32;
/// Dimension of the self-test at start-up, the most frequent one.
pub(super) const TEST_DIMENSION: usize = 512;

/// Features that K3 needs.
pub(super) fn features(multiply: Multiply) -> Features {
    match multiply {
        Multiply::Cooperative => Features::EXPERIMENTAL_COOPERATIVE_MATRIX | Features::SHADER_F16,
        Multiply::WrittenOut | Multiply::Wrong => Features::SHADER_F16,
    }
}

/// How K3 would multiply on `adapter` with so much workgroup memory, or why it can't.
pub(super) fn wish(
    adapter: &Adapter,
    info: &AdapterInfo,
    choice: MatrixChoice,
    workgroup_bytes: u32,
) -> Result<Multiply, String> {
    let multiply = match choice {
        MatrixChoice::Off => return Err("switched off".to_owned()),
        MatrixChoice::Auto => Multiply::Cooperative,
        MatrixChoice::WrittenOut => Multiply::WrittenOut,
        MatrixChoice::Wrong => Multiply::Wrong,
    };
    if !adapter.features().contains(features(multiply)) {
        return Err("the adapter has no cooperative matrices of half-precision numbers".to_owned());
    }
    let needed = matrix_bytes(matrix_stride(1));
    if (workgroup_bytes as usize) < needed {
        return Err(format!("{workgroup_bytes} bytes of workgroup memory, and {needed} are needed"));
    }
    if multiply == Multiply::Cooperative {
        let fits = adapter.cooperative_matrix_properties().into_iter().any(|shape| {
            (shape.m_size, shape.n_size, shape.k_size) == (SIDE, SIDE, SIDE)
                && shape.ab_type == CooperativeScalarType::F16
                && shape.cr_type == CooperativeScalarType::F32
                && !shape.saturating_accumulation
        });
        if !fits {
            return Err("no cooperative matrix of 16 x 16 x 16 from f16 to f32".to_owned());
        }
        if (info.subgroup_min_size, info.subgroup_max_size) != (SUBGROUP_LANES, SUBGROUP_LANES) {
            let (min, max) = (info.subgroup_min_size, info.subgroup_max_size);
            return Err(format!("subgroups of {min} to {max} lanes, and not of {SUBGROUP_LANES}"));
        }
    }
    Ok(multiply)
}

/// What is known of K3 on a device.
pub(super) struct Matrices {
    multiply: Result<Multiply, String>,
    /// Dimensions that passed the self-test, and from how many probes on K3 is the faster there.
    proven: Vec<(usize, Option<usize>)>,
}

impl Matrices {
    /// Nothing proven yet.
    pub(super) fn new(card: &Card) -> Self {
        Self { multiply: card.matrices.clone(), proven: Vec::new() }
    }

    /// How K3 multiplies, unless it is switched off or has been found wrong.
    pub(super) fn in_use(&self) -> Option<Multiply> {
        self.multiply.clone().ok()
    }

    /// Not to be used.
    pub(super) fn none_yet() -> Self {
        Self { multiply: Err("the device is not tested yet".to_owned()), proven: Vec::new() }
    }

    /// For status.
    pub(super) fn describe(&self) -> String {
        match &self.multiply {
            Ok(Multiply::Cooperative) => {
                let from = |&(dimension, from): &(usize, Option<usize>)| match from {
                    Some(from) => format!("from {from} probes of {dimension} numbers"),
                    None => format!("not for {dimension} numbers, where dp4a tiles are faster"),
                };
                let measured: Vec<String> = self.proven.iter().map(from).collect();
                format!("in use {}", measured.join(", ")).trim_end().to_owned()
            }
            Ok(Multiply::WrittenOut | Multiply::Wrong) => "in use, written out for a test".to_owned(),
            Err(reason) => format!("not used: {reason}"),
        }
    }

    /// Off, until the process starts again.
    pub(super) fn give_up(&mut self, card: &Card, reason: String) {
        tracing::error!(adapter = card.name, reason, "cooperative matrices are not used any more; dp4a tiles are");
        self.multiply = Err(reason);
    }

    /// How K3 multiplies templates of `dimension` numbers and from how many probes on, if it may be used for them. The
    /// first call for a dimension runs the self-test and, on a pass, times it beside K2.
    pub(super) fn for_dimension(
        &mut self,
        card: &Card,
        pipelines: &mut Pipelines,
        dimension: usize,
    ) -> Result<Option<MatrixUse>, CoarseError> {
        let Ok(multiply) = self.multiply else { return Ok(None) };
        if dimension > MATRIX_DIMENSION_MAX {
            return Ok(None);
        }
        if !self.proven.iter().any(|&(proven, _)| proven == dimension) {
            let passed = prove(card, pipelines, dimension, multiply);
            let timed = passed.and_then(|passed| {
                if passed { Ok(Some(faster_from(card, pipelines, dimension, multiply)?)) } else { Ok(None) }
            });
            match timed {
                Ok(Some(from)) => self.proven.push((dimension, from)),
                Ok(None) => {
                    self.give_up(card, format!("computes otherwise than dp4a tiles at dimension {dimension}"));
                }
                // A pipeline that can't be made, say. If the device is lost, that is for the caller.
                Err(error) if card.lost_reason().is_none() => self.give_up(card, error.to_string()),
                Err(error) => return Err(error),
            }
        }
        let from = self.proven.iter().find(|&&(proven, _)| proven == dimension).and_then(|&(_, from)| from);
        Ok(self.in_use().zip(from))
    }
}

/// From how many probes on K3 is used.
fn faster_from(
    card: &Card,
    pipelines: &mut Pipelines,
    dimension: usize,
    multiply: Multiply,
) -> Result<Option<usize>, CoarseError> {
    match multiply {
        Multiply::Cooperative => crossover::measure(card, pipelines, dimension, multiply),
        Multiply::WrittenOut | Multiply::Wrong => Ok(Some(WRITTEN_OUT_PROBES_MIN)),
    }
}

/// Whether K3 and K2 give the same scores of the same rows, to the bit, for the worst codes there are and for any.
fn prove(card: &Card, pipelines: &mut Pipelines, dimension: usize, multiply: Multiply) -> Result<bool, CoarseError> {
    let size = Dimension::new(dimension).map_err(|error| card.trouble(&error.to_string()))?;
    let mut rows = MemoryRows::new(size);
    for row in 0..TEST_ROWS {
        let code = test_code(row, dimension);
        rows.push_coded(TemplateId(row as u64), &vec![0.0; dimension], &code);
    }
    let rows = rows.resident();
    let probes: Vec<Code> = (0..TEST_PROBES).map(|probe| test_code(1000 * (probe / 4) + probe, dimension)).collect();
    let mut scores = |kernel| all_scores(card, pipelines, &rows, &probes, kernel);
    let (ours, theirs) = (scores(Kernel::Tiles)?, scores(Kernel::Matrix(multiply))?);
    Ok(ours == theirs && ours.iter().all(|list| list.len() == TEST_ROWS))
}

/// Sortable scores and row numbers of all of `run` (at most one list long) by `kernel`, for each probe, in the order of rows.
pub(super) fn all_scores(
    card: &Card,
    pipelines: &mut Pipelines,
    run: &dyn Rows,
    probes: &[Code],
    kernel: Kernel,
) -> Result<Vec<Vec<[u32; 2]>>, CoarseError> {
    let dimension = run.dimension().get();
    let layout = pipelines.shard_layout.clone();
    let mut copies = Copies::new(u64::MAX);
    copies.ensure(card, &layout, run)?;
    let Some(copy) = copies.of(run) else { return Err(card.trouble("no memory for a test")) };
    let mut first_block = 0;
    let mut shards = Vec::new();
    for shard in &copy.shards {
        shards.push(Numbered { place: Place::Held(shard), first_id: (first_block * 64) as u32 });
        first_block += shard.blocks;
    }
    let blocks: Vec<usize> = copy.shards.iter().map(|shard| shard.blocks).collect();
    let steps: Vec<Step> = plan::window_steps(&blocks, &(0..copy.blocks()), kernel.blocks_per_workgroup() * 2);
    let codes: Vec<&[i8]> = probes.iter().map(|probe| probe.codes.as_slice()).collect();
    let marks = vec![Mark { level: KEEP_ALL, k: 0, slack: 0.0, overflowed: 0 }; probes.len()];
    let pipeline = pipelines.score(card, dimension, kernel)?;
    let round = Round {
        pipeline: &pipeline,
        dimension,
        tile: kernel.tile(),
        blocks_per_workgroup: kernel.blocks_per_workgroup(),
        counts_per_probe: 1,
        products_per_submission: 1 << 28,
        probes: &codes,
        marks: &marks,
        room: run.len().max(1),
        steps: &steps,
        shards: &shards,
    };
    let (mut space, mut slots) = (Workspace::default(), Slots::default());
    let found = card.guarded(|| round::run(card, pipelines, &mut space, &mut slots, &round))?;
    let sorted = |mut kept: Vec<[u32; 2]>| {
        kept.sort_unstable_by_key(|&[_key, id]| id);
        kept
    };
    Ok(found.into_iter().map(|found| sorted(found.kept)).collect())
}

/// Number `number` of the self-test's codes: all extremes among the first, then any bytes; scales of no round figures.
fn test_code(number: usize, dimension: usize) -> Code {
    let one = |component: usize| match number {
        1 => -128,
        2 => -127,
        3 if component.is_multiple_of(2) => -128,
        0 | 3 => 127,
        _ => {
            let mixed = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(component as u64);
            let mixed = (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            ((mixed ^ (mixed >> 32)) & 0xff) as u8 as i8
        }
    };
    Code { codes: (0..dimension).map(one).collect(), scale: 0.5 + (number % 89) as f32 * 0.013, error_norm: 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::key::unsortable;
    use crate::gpu::test_card;
    use crate::gpu::{AdapterChoice, GpuOptions};

    fn rows(count: usize, dimension: usize) -> MemoryRows {
        let mut rows = MemoryRows::new(Dimension::new(dimension).unwrap());
        for row in 0..count {
            // A scale of one: the score is the sum of products itself.
            let code = Code { scale: 1.0, ..test_code(row, dimension) };
            rows.push_coded(TemplateId(row as u64), &vec![0.0; dimension], &code);
        }
        rows.resident()
    }

    /// Every kernel against plain integers, for odd numbers of rows and probes and the extremes of codes.
    #[test]
    fn every_kernel_gives_the_sums_of_plain_integers() {
        let Some(card) = test_card::open_with_written_out_matrices() else { return };
        let mut pipelines = Pipelines::new(&card).unwrap();
        let kernels = [1, 2, 4, 8].map(|tile| (Kernel::Rows { tile }, tile));
        let longer = [(Kernel::Tiles, 19), (Kernel::Tiles, 9), (Kernel::Matrix(Multiply::WrittenOut), 67)];
        for dimension in [48, 528, 1024] {
            let rows = rows(331, dimension);
            for (kernel, probes) in kernels.into_iter().chain(longer) {
                let probes: Vec<Code> = (0..probes).map(|probe| test_code(probe, dimension)).collect();
                let found = all_scores(&card, &mut pipelines, &rows, &probes, kernel).unwrap();
                for (probe, list) in probes.iter().zip(found) {
                    assert_eq!(list.len(), 331, "{kernel:?} {dimension}");
                    for ([key, id], row) in list.into_iter().zip(0..) {
                        let code = test_code(row, dimension);
                        let pairs = code.codes.iter().zip(&probe.codes);
                        let sum: i32 = pairs.map(|(&a, &b)| i32::from(a) * i32::from(b)).sum();
                        assert_eq!((id as usize, unsortable(key)), (row, sum as f32), "{kernel:?} {dimension}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_agrees_is_used_and_what_does_not_is_refused_with_its_reason() {
        let Some(card) = test_card::open_with_written_out_matrices() else { return };
        let mut pipelines = Pipelines::new(&card).unwrap();
        let mut matrices = Matrices::new(&card);
        let used = matrices.for_dimension(&card, &mut pipelines, 128).unwrap();
        assert_eq!((used, matrices.proven.as_slice()), (Some((Multiply::WrittenOut, 32)), &[(128, Some(32))][..]));
        // Too many products for f32 to add exactly: never, and no reason to give up.
        assert_eq!(matrices.for_dimension(&card, &mut pipelines, 1040).unwrap(), None);

        let mut wrong = Matrices { multiply: Ok(Multiply::Wrong), proven: Vec::new() };
        assert_eq!(wrong.for_dimension(&card, &mut pipelines, 128).unwrap(), None);
        assert!(wrong.describe().contains("otherwise than dp4a tiles at dimension 128"), "{}", wrong.describe());
        assert_eq!(wrong.for_dimension(&card, &mut pipelines, 64).unwrap(), None);

        // Matrices that the device was not opened for: an error of the driver's, not a lost device.
        let mut absent = Matrices { multiply: Ok(Multiply::Cooperative), proven: Vec::new() };
        assert_eq!(absent.for_dimension(&card, &mut pipelines, 128).unwrap(), None);
        assert!(absent.describe().starts_with("not used: "), "{}", absent.describe());
        assert!(card.lost_reason().is_none());

        // Proven and slower: not used, and told.
        let mut slow = Matrices { multiply: Ok(Multiply::Cooperative), proven: vec![(128, None), (512, Some(33))] };
        assert_eq!(slow.for_dimension(&card, &mut pipelines, 128).unwrap(), None);
        assert_eq!(slow.for_dimension(&card, &mut pipelines, 512).unwrap(), Some((Multiply::Cooperative, 33)));
        let told = slow.describe();
        assert_eq!(told, "in use not for 128 numbers, where dp4a tiles are faster, from 33 probes of 512 numbers");
    }

    #[test]
    fn a_device_without_matrices_says_so() {
        let options = GpuOptions { adapter: AdapterChoice::Software, ..GpuOptions::default() };
        let Some(card) = test_card::open_with(&options) else { return };
        if let Err(reason) = &card.matrices {
            assert!(reason.contains("cooperative") || reason.contains("lanes"), "{reason}");
        }
        let off = GpuOptions { matrices: MatrixChoice::Off, ..options };
        let Some(card) = test_card::open_with(&off) else { return };
        assert_eq!(Matrices::new(&card).describe(), "not used: switched off");
    }
}
