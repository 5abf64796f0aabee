//! Shaders on a device: compiled once for each layout of operands.
#![expect(
    unsafe_code,
    reason = "SPIR-V and shaders without checks are given to drivers as they are"
)]

use crate::device::Gpu;
use crate::kept::Kept;
use crate::validate;
use std::borrow::Cow;
use ufc_target::BackendError;

/// A shader that is ready to run.
#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) raw: wgpu::ComputePipeline,
    pub(crate) group: wgpu::BindGroupLayout,
}

/// Compiles a shader whose bindings are a uniform and so many of storage.
///
/// # Errors
/// What naga or the driver has to say, which is a bug of ours, or what the device reports.
pub(crate) fn build(
    gpu: &Gpu,
    text: &str,
    storage: u32,
    kept: Option<&Kept>,
) -> Result<Pipeline, BackendError> {
    let valid = validate::validate(text, &gpu.caps)?;
    let spirv = match gpu.takes_spirv {
        true => Some(valid.spirv()?),
        false => None,
    };
    let built = gpu.checked(0, || {
        let module = match spirv {
            Some(words) => module_of_spirv(gpu, words),
            None => module_of_text(gpu, text),
        };
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer {
                ty,
                has_dynamic_offset: false,
                min_binding_size: None,
            },
            count: None,
        };
        let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform)];
        let read_write = wgpu::BufferBindingType::Storage { read_only: false };
        entries.extend((1..=storage).map(|binding| entry(binding, read_write)));
        let group = gpu
            .device
            .create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: None,
                entries: &entries,
            });
        let layout = gpu
            .device
            .create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: None,
                bind_group_layouts: &[Some(&group)],
                immediate_size: 0,
            });
        let raw = gpu
            .device
            .create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: Some(&layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions::default(),
                cache: kept.map(|kept| &kept.raw),
            });
        Pipeline { raw, group }
    })?;
    if let Some(kept) = kept {
        kept.save();
    }
    Ok(built)
}

fn module_of_spirv(gpu: &Gpu, words: Vec<u32>) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptorPassthrough {
        label: None,
        entry_points: Cow::Owned(vec![wgpu::PassthroughShaderEntryPoint {
            name: "main".into(),
            workgroup_size: (crate::lower::entry::WORKGROUP, 1, 1),
        }]),
        spirv: Some(words.into()),
        ..Default::default()
    };
    // SAFETY: naga has validated the module and written the SPIR-V, to which decorations alone were added. Its accesses are
    // in bounds: elements past the last are not computed, and a launch binds memory that holds every element.
    unsafe { gpu.device.create_shader_module_passthrough(descriptor) }
}

fn module_of_text(gpu: &Gpu, text: &str) -> wgpu::ShaderModule {
    let descriptor = wgpu::ShaderModuleDescriptor {
        label: None,
        source: wgpu::ShaderSource::Wgsl(text.into()),
    };
    let checks = wgpu::ShaderRuntimeChecks::unchecked();
    // SAFETY: accesses are in bounds as above, divisors are never zero and quotients never overflow (`prelude/int.wgsl`), and
    // every loop ends when its turns are used up.
    unsafe { gpu.device.create_shader_module_trusted(descriptor, checks) }
}
