//! Bind group layouts and compute pipelines: one select pipeline, and one for each dimension and kernel, and the histogram.

use std::collections::HashMap;
use std::num::NonZeroU64;

use wgpu::{
    BindGroupLayout, BindGroupLayoutDescriptor, BindGroupLayoutEntry, BindingType, BufferBindingType, ComputePipeline,
    ComputePipelineDescriptor, PipelineCompilationOptions, PipelineLayout, PipelineLayoutDescriptor, ShaderModule,
    ShaderStages,
};

use crate::gpu::card::Card;
use crate::gpu::kernels::Kernel;
use crate::gpu::shader;
use crate::vector::coarse::CoarseError;

/// Bytes of the shaders' `Params`.
pub(super) const PARAMS_BYTES: u64 = 16;

/// Layouts and pipelines of one device.
pub(super) struct Pipelines {
    /// Group 0: params, probes, marks, counts, kept.
    pub(super) round_layout: BindGroupLayout,
    /// Group 1: codes, scales.
    pub(super) shard_layout: BindGroupLayout,
    /// `select.wgsl`.
    pub(super) select: ComputePipeline,
    score_layout: PipelineLayout,
    score: HashMap<(usize, Kernel), ComputePipeline>,
    histogram: HashMap<(usize, usize), ComputePipeline>,
}

impl Pipelines {
    /// Compiles what does not depend on the dimension.
    pub(super) fn new(card: &Card) -> Result<Self, CoarseError> {
        card.guarded(|| {
            let (round, shard) = (round_layout(card), shard_layout(card));
            let select_layout = pipeline_layout(card, &[Some(&round)]);
            let select = pipeline(card, &select_layout, &shader::select_module(&card.device), "select_level");
            let score_layout = pipeline_layout(card, &[Some(&round), Some(&shard)]);
            Ok(Self {
                round_layout: round,
                shard_layout: shard,
                select,
                score_layout,
                score: HashMap::new(),
                histogram: HashMap::new(),
            })
        })
    }

    /// The pipeline of a kernel for a dimension, compiled at the first use.
    pub(super) fn score(
        &mut self,
        card: &Card,
        dimension: usize,
        kernel: Kernel,
    ) -> Result<ComputePipeline, CoarseError> {
        if let Some(ready) = self.score.get(&(dimension, kernel)) {
            return Ok(ready.clone());
        }
        let made = card.guarded(|| {
            let module = shader::score_module(&card.device, kernel, dimension, card.workgroup_bytes);
            Ok(pipeline(card, &self.score_layout, &module, "score"))
        })?;
        self.score.insert((dimension, kernel), made.clone());
        Ok(made)
    }

    /// The histogram pipeline for a dimension and a tile of probes, compiled at the first use.
    pub(super) fn histogram(
        &mut self,
        card: &Card,
        dimension: usize,
        tile: usize,
    ) -> Result<ComputePipeline, CoarseError> {
        if let Some(ready) = self.histogram.get(&(dimension, tile)) {
            return Ok(ready.clone());
        }
        let made = card.guarded(|| {
            let module = shader::histogram_module(&card.device, dimension, tile);
            Ok(pipeline(card, &self.score_layout, &module, "histogram"))
        })?;
        self.histogram.insert((dimension, tile), made.clone());
        Ok(made)
    }
}

fn pipeline(card: &Card, layout: &PipelineLayout, module: &ShaderModule, entry: &str) -> ComputePipeline {
    let compilation_options = PipelineCompilationOptions { constants: &[], zero_initialize_workgroup_memory: false };
    card.device.create_compute_pipeline(&ComputePipelineDescriptor {
        label: Some(entry),
        layout: Some(layout),
        module,
        entry_point: Some(entry),
        compilation_options,
        cache: None,
    })
}

fn pipeline_layout(card: &Card, groups: &[Option<&BindGroupLayout>]) -> PipelineLayout {
    card.device.create_pipeline_layout(&PipelineLayoutDescriptor {
        label: None,
        bind_group_layouts: groups,
        immediate_size: 0,
    })
}

fn round_layout(card: &Card) -> BindGroupLayout {
    let params = BindGroupLayoutEntry {
        binding: 0,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer {
            ty: BufferBindingType::Uniform,
            has_dynamic_offset: true,
            min_binding_size: NonZeroU64::new(PARAMS_BYTES),
        },
        count: None,
    };
    let entries = [params, storage(1, true), storage(2, false), storage(3, false), storage(4, false)];
    card.device.create_bind_group_layout(&BindGroupLayoutDescriptor { label: Some("round"), entries: &entries })
}

fn shard_layout(card: &Card) -> BindGroupLayout {
    let entries = [storage(0, true), storage(1, true)];
    card.device.create_bind_group_layout(&BindGroupLayoutDescriptor { label: Some("shard"), entries: &entries })
}

fn storage(binding: u32, read_only: bool) -> BindGroupLayoutEntry {
    BindGroupLayoutEntry {
        binding,
        visibility: ShaderStages::COMPUTE,
        ty: BindingType::Buffer {
            ty: BufferBindingType::Storage { read_only },
            has_dynamic_offset: false,
            min_binding_size: None,
        },
        count: None,
    }
}
