//! Finding the adapter: what there is, in which order it is preferred, what is chosen.

use wgpu::{Adapter, AdapterInfo, Backends, DeviceType, Instance, InstanceDescriptor, InstanceFlags};

use crate::gpu::{AdapterChoice, GpuError};

/// Buffers may fill this share of what the driver says is free for us; past it they count as not fitting.
const MEMORY_SHARE_PERCENT: u8 = 90;

/// Entries of a folder of devices that are looked at.
const DEVICE_NODES_MAX: usize = 4096;

/// Every adapter of this machine, as [`describe`] names it, best first. Opens no device.
#[must_use]
pub fn adapters() -> Vec<String> {
    sorted(&instance()).iter().map(|adapter| describe(&adapter.get_info())).collect()
}

/// Whether the kernel knows a graphics device. Where it knows none there is no need to load drivers, some of which take
/// their time and print remarks of their own.
fn kernel_has_a_device() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    let named = |folder: &str, start: &str| {
        let entries = fs_err::read_dir(folder).into_iter().flatten().flatten();
        entries.take(DEVICE_NODES_MAX).any(|entry| entry.file_name().to_string_lossy().starts_with(start))
    };
    named("/dev/dri", "renderD") || named("/dev", "nvidia") || named("/dev", "dxg")
}

/// The adapter that fits `choice` best.
pub(super) fn choose(choice: &AdapterChoice) -> Result<Adapter, GpuError> {
    if *choice == AdapterChoice::Hardware && !kernel_has_a_device() {
        return Err(GpuError::NoAdapter { wanted: choice.to_string(), found: "no graphics device".to_owned() });
    }
    let all = sorted(&instance());
    let names: Vec<String> = all.iter().map(|adapter| describe(&adapter.get_info())).collect();
    let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    all.into_iter()
        .find(|adapter| fits(choice, &adapter.get_info()))
        .ok_or_else(|| GpuError::NoAdapter { wanted: choice.to_string(), found })
}

/// Backend, name and kind, such as `wgpu vulkan: llvmpipe (software)`.
pub(super) fn describe(info: &AdapterInfo) -> String {
    format!("wgpu {}: {} ({})", info.backend, info.name, kind(info.device_type))
}

/// The kind of a device in one word.
pub(super) fn kind(device_type: DeviceType) -> &'static str {
    match device_type {
        DeviceType::DiscreteGpu => "discrete",
        DeviceType::IntegratedGpu => "integrated",
        DeviceType::VirtualGpu => "virtual",
        DeviceType::Other => "other",
        DeviceType::Cpu => "software",
    }
}

fn instance() -> Instance {
    let mut descriptor = InstanceDescriptor::new_without_display_handle();
    descriptor.backends = Backends::PRIMARY;
    // No validation layers, and none of the limits that indirect dispatches would bring.
    descriptor.flags = InstanceFlags::empty();
    descriptor.memory_budget_thresholds.for_resource_creation = Some(MEMORY_SHARE_PERCENT);
    Instance::new(descriptor)
}

fn sorted(instance: &Instance) -> Vec<Adapter> {
    let mut all = pollster::block_on(instance.enumerate_adapters(Backends::PRIMARY));
    all.sort_by_key(|adapter| preference(adapter.get_info().device_type));
    all
}

fn preference(device_type: DeviceType) -> u8 {
    match device_type {
        DeviceType::DiscreteGpu => 0,
        DeviceType::IntegratedGpu => 1,
        DeviceType::VirtualGpu => 2,
        DeviceType::Other => 3,
        DeviceType::Cpu => 4,
    }
}

fn fits(choice: &AdapterChoice, info: &AdapterInfo) -> bool {
    match choice {
        AdapterChoice::Any => true,
        AdapterChoice::Hardware => info.device_type != DeviceType::Cpu,
        AdapterChoice::Software => info.device_type == DeviceType::Cpu,
        AdapterChoice::Named(part) => info.name.to_lowercase().contains(&part.to_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_not_there_says_what_was_looked_for_and_what_is() {
        let error = choose(&AdapterChoice::Named("no such card".to_owned())).err();
        let Some(GpuError::NoAdapter { wanted, found }) = error else { panic!("{error:?}") };
        assert_eq!(wanted, "no such card");
        assert!(!found.is_empty());
    }

    #[test]
    fn hardware_comes_before_software() {
        assert!(preference(DeviceType::DiscreteGpu) < preference(DeviceType::IntegratedGpu));
        assert!(preference(DeviceType::Other) < preference(DeviceType::Cpu));
    }
}
