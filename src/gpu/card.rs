//! The opened device: error scopes, bounded waits, and the flag that says it is lost.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use wgpu::{
    Adapter, AdapterInfo, Buffer, BufferDescriptor, BufferUsages, CommandEncoder, CommandEncoderDescriptor, Device,
    DeviceDescriptor, DeviceType, ErrorFilter, ExperimentalFeatures, Features, Limits, MapMode, MemoryHints, PollError,
    PollStatus, PollType, Queue, SubmissionIndex, Trace,
};

use crate::gpu::kernels::WORKGROUP_BYTES_MIN;
use crate::gpu::plan::WORKGROUPS_MAX;
use crate::gpu::template::Multiply;
use crate::gpu::{GpuError, GpuOptions, adapter, matrix, shader};
use crate::vector::coarse::CoarseError;

const GIB: u64 = 1 << 30;
/// Lanes of the largest workgroup, and buffers of a shader that scores (`shaders/common.wgsl`).
const LANES_MAX: u32 = 256;
const STORAGE_BUFFERS: u32 = 6;
/// Submissions handed to the device before the oldest must be done.
const IN_FLIGHT_MAX: usize = 4;

/// A device, its queue, and what must be known to use them.
pub(super) struct Card {
    pub(super) device: Device,
    pub(super) queue: Queue,
    pub(super) info: AdapterInfo,
    pub(super) name: String,
    /// Bytes that copies of runs may fill.
    pub(super) memory_max_bytes: u64,
    /// Largest buffer of codes.
    pub(super) shard_max_bytes: u64,
    /// Bytes of codes written before the device is given time to take them.
    pub(super) upload_max_bytes: u64,
    /// Largest buffer that a shader sees.
    pub(super) binding_max_bytes: u64,
    /// Workgroup memory of a shader.
    pub(super) workgroup_bytes: usize,
    /// How K3 may multiply here, or why it is not used. Its self-test comes after.
    pub(super) matrices: Result<Multiply, String>,
    wait_max: Duration,
    lost: Arc<OnceLock<String>>,
    /// Submissions until the device is lost on purpose, in tests.
    fuse: AtomicU64,
}

impl Card {
    /// Opens the device of `adapter`.
    pub(super) fn open(adapter: &Adapter, options: &GpuOptions) -> Result<Self, GpuError> {
        let info = adapter.get_info();
        let name = adapter::describe(&info);
        let mut limits = adapter.limits();
        limits.max_compute_workgroup_storage_size =
            limits.max_compute_workgroup_storage_size.min(options.workgroup_bytes_max);
        too_small(&limits).map_or(Ok(()), |what| Err(GpuError::TooSmall { adapter: name.clone(), what }))?;
        let matrices = matrix::wish(adapter, &info, options.matrices, limits.max_compute_workgroup_storage_size);
        let required_features = matrices.as_ref().map_or(Features::empty(), |&multiply| matrix::features(multiply));
        let experimental_features = if required_features.contains(Features::EXPERIMENTAL_COOPERATIVE_MATRIX) {
            shader::experimental_features()
        } else {
            ExperimentalFeatures::disabled()
        };
        let descriptor = DeviceDescriptor {
            label: Some("bertillon"),
            required_features,
            required_limits: limits.clone(),
            experimental_features,
            memory_hints: MemoryHints::Performance,
            trace: Trace::Off,
        };
        let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))
            .map_err(|error| GpuError::Device { adapter: name.clone(), reason: error.to_string() })?;
        let lost = Arc::new(OnceLock::new());
        watch(&device, &lost, &name);
        let binding_max_bytes = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
        Ok(Self {
            memory_max_bytes: options.memory_max_bytes.unwrap_or(memory_default(info.device_type)),
            shard_max_bytes: binding_max_bytes.min(options.shard_max_bytes),
            upload_max_bytes: options.upload_bytes_max,
            binding_max_bytes,
            workgroup_bytes: limits.max_compute_workgroup_storage_size as usize,
            matrices,
            wait_max: options.wait_max,
            fuse: AtomicU64::new(u64::MAX),
            device,
            queue,
            info,
            name,
            lost,
        })
    }

    /// Why the device is lost, if it is.
    pub(super) fn lost_reason(&self) -> Option<&str> {
        self.lost.get().map(String::as_str)
    }

    /// Refuses when the device is lost.
    pub(super) fn check(&self) -> Result<(), CoarseError> {
        self.lost_reason().map_or(Ok(()), |reason| Err(self.trouble(reason)))
    }

    /// An error of this device.
    pub(super) fn trouble(&self, reason: &str) -> CoarseError {
        CoarseError::Device { back_end: self.name.clone(), reason: reason.to_owned() }
    }

    /// Runs `work` and turns whatever the device complains about meanwhile into an error.
    pub(super) fn guarded<T>(&self, work: impl FnOnce() -> Result<T, CoarseError>) -> Result<T, CoarseError> {
        self.check()?;
        let memory = self.device.push_error_scope(ErrorFilter::OutOfMemory);
        let internal = self.device.push_error_scope(ErrorFilter::Internal);
        let validation = self.device.push_error_scope(ErrorFilter::Validation);
        let result = work();
        let complaints = [
            pollster::block_on(validation.pop()),
            pollster::block_on(internal.pop()),
            pollster::block_on(memory.pop()),
        ];
        self.check()?;
        match complaints.into_iter().flatten().next() {
            Some(complaint) => Err(self.trouble(&complaint.to_string())),
            None => result,
        }
    }

    /// A buffer of `bytes` rounded up to whole words, at least one.
    pub(super) fn buffer(&self, label: &str, bytes: u64, usage: BufferUsages) -> Buffer {
        let size = bytes.next_multiple_of(16).max(16);
        self.device.create_buffer(&BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
    }

    /// Hands work over, waiting for the oldest of `in_flight` when too much is under way.
    pub(super) fn submit(&self, work: CommandEncoder, in_flight: &mut Vec<SubmissionIndex>) -> Result<(), CoarseError> {
        if self.fuse.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_err() {
            self.lose();
        }
        in_flight.push(self.queue.submit([work.finish()]));
        if in_flight.len() > IN_FLIGHT_MAX {
            self.wait(in_flight.remove(0))?;
        }
        Ok(())
    }

    /// Sends what was written to buffers, waiting for the oldest of `in_flight` when too much is under way: what wgpu stages
    /// is host memory.
    pub(super) fn submit_nothing(&self, in_flight: &mut Vec<SubmissionIndex>) -> Result<(), CoarseError> {
        in_flight.push(self.queue.submit([]));
        if in_flight.len() > IN_FLIGHT_MAX {
            self.wait(in_flight.remove(0))?;
        }
        Ok(())
    }

    /// A list of commands to hand over later.
    pub(super) fn encoder(&self, label: &str) -> CommandEncoder {
        self.device.create_command_encoder(&CommandEncoderDescriptor { label: Some(label) })
    }

    /// Sends what was written to buffers and waits until it has arrived.
    pub(super) fn flush(&self) -> Result<(), CoarseError> {
        let index = self.queue.submit([]);
        self.wait(index)
    }

    /// Waits for a submission, never longer than the limit; a device that does not answer by then counts as lost.
    pub(super) fn wait(&self, index: SubmissionIndex) -> Result<(), CoarseError> {
        let patient = PollType::Wait { submission_index: Some(index), timeout: Some(self.wait_max) };
        let polled = self.poll(patient);
        self.check()?;
        match polled {
            Some(Ok(_)) => Ok(()),
            Some(Err(PollError::Timeout)) => Err(self.give_up(&format!("no answer within {:?}", self.wait_max))),
            Some(Err(PollError::WrongSubmissionIndex(..))) => {
                // The work was refused. If that is because the device is lost, the next poll says so.
                let _ = self.poll(PollType::Poll);
                self.check()?;
                Err(self.trouble("the device refused the work"))
            }
            None => Err(self.give_up("the driver reports the device lost")),
        }
    }

    /// `None` when the driver reports a lost device: wgpu 30 panics then, in this call alone.
    fn poll(&self, poll: PollType) -> Option<Result<PollStatus, PollError>> {
        catch_unwind(AssertUnwindSafe(|| self.device.poll(poll))).ok()
    }

    /// From now on the device counts as lost.
    fn give_up(&self, reason: &str) -> CoarseError {
        self.trouble(self.lost.get_or_init(|| reason.to_owned()))
    }

    /// The first `bytes` of `staging`, once everything handed over is done. `bytes` is a multiple of 4 above zero.
    pub(super) fn read(&self, staging: &Buffer, bytes: u64, work: CommandEncoder) -> Result<Vec<u32>, CoarseError> {
        let index = self.queue.submit([work.finish()]);
        let mapped = Arc::new(OnceLock::new());
        let answer = Arc::clone(&mapped);
        staging.map_async(MapMode::Read, ..bytes, move |outcome| {
            let _ = answer.set(outcome.is_ok());
        });
        let waited = self.wait(index);
        if mapped.get() != Some(&true) {
            waited?;
            return Err(self.trouble("results could not be read back"));
        }
        let view = staging.get_mapped_range(..bytes).map_err(|error| self.trouble(&error.to_string()))?;
        let words = bytemuck::pod_collect_to_vec(&view);
        drop(view);
        staging.unmap();
        Ok(words)
    }

    /// Loses the device, as a driver may at any time.
    pub(super) fn lose(&self) {
        self.device.destroy();
    }

    /// Loses the device in the middle of the work to come, after so many more submissions.
    pub(super) fn lose_after(&self, submissions: u64) {
        self.fuse.store(submissions, Ordering::Relaxed);
    }
}

fn watch(device: &Device, lost: &Arc<OnceLock<String>>, name: &str) {
    let (flag, who) = (Arc::clone(lost), name.to_owned());
    device.set_device_lost_callback(move |reason, message| {
        tracing::error!(adapter = who, ?reason, message, "the GPU is lost; the CPU answers from now on");
        flag.get_or_init(|| format!("the device is lost ({reason:?}) {message}").trim_end().to_owned());
    });
    let (flag, who) = (Arc::clone(lost), name.to_owned());
    device.on_uncaptured_error(Arc::new(move |error| {
        tracing::error!(adapter = who, %error, "the GPU reports an error outside any call; the CPU answers from now on");
        flag.get_or_init(|| format!("the device reports: {error}"));
    }));
}

/// Which of `limits` is below what every device needs, if one is.
fn too_small(limits: &Limits) -> Option<String> {
    let needed = [
        ("bytes of workgroup memory", limits.max_compute_workgroup_storage_size, WORKGROUP_BYTES_MIN as u32),
        ("lanes of a workgroup", limits.max_compute_invocations_per_workgroup, LANES_MAX),
        ("lanes of a workgroup in a row", limits.max_compute_workgroup_size_x, LANES_MAX),
        ("workgroups in a row", limits.max_compute_workgroups_per_dimension, WORKGROUPS_MAX as u32),
        ("storage buffers of a shader", limits.max_storage_buffers_per_shader_stage, STORAGE_BUFFERS),
    ];
    let (what, has, needs) = needed.into_iter().find(|(_, has, needs)| has < needs)?;
    Some(format!("{has} {what}, and {needs} are needed"))
}

fn memory_default(device_type: DeviceType) -> u64 {
    match device_type {
        DeviceType::Cpu => GIB,
        DeviceType::IntegratedGpu => 4 * GIB,
        DeviceType::DiscreteGpu | DeviceType::VirtualGpu | DeviceType::Other => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::test_card;
    use wgpu::{ComputePipelineDescriptor, PipelineCompilationOptions, ShaderModuleDescriptor, ShaderSource};

    #[test]
    fn a_pipeline_that_can_not_be_made_is_an_error_and_the_device_lives() {
        let Some(card) = test_card::open() else { return };
        let source = "@compute @workgroup_size(64) fn other() {}";
        let attempt = |entry: &str| {
            card.guarded(|| {
                let source = ShaderSource::Wgsl(source.into());
                let module = card.device.create_shader_module(ShaderModuleDescriptor { label: None, source });
                Ok(card.device.create_compute_pipeline(&ComputePipelineDescriptor {
                    label: None,
                    layout: None,
                    module: &module,
                    entry_point: Some(entry),
                    compilation_options: PipelineCompilationOptions::default(),
                    cache: None,
                }))
            })
        };
        let Err(CoarseError::Device { reason, back_end: _ }) = attempt("missing") else { panic!("made") };
        assert!(reason.contains("missing"), "{reason}");
        assert!(card.lost_reason().is_none());
        attempt("other").unwrap();
    }
}
