//! The wgpu back end: kernels become WGSL compute shaders for Vulkan, Metal, DirectX 12 and GL.
//!
//! A GPU's threads may take different branches, so the legal function is lowered as it is, without lanes. `lower` makes a
//! function of one element and, for each layout of operands, an entry point around it; naga validates every shader
//! before a driver sees it. `device` finds adapters and keeps their errors from panicking, `probe` finds out what
//! their arithmetic is worth, `launch` cuts a call into parts that fit the device.

mod device;
mod kept;
mod launch;
mod legal;
mod lower;
mod memory;
mod names;
mod packing;
mod parts;
mod pipeline;
mod probe;
#[cfg(test)]
mod tests;
mod validate;
mod wgsl;

use device::{Caps, Gpu};
use launch::WgpuLoop;
use legal::WgpuLegality;
use std::sync::Arc;
use ufc_ir::{DType, Func};
use ufc_target::{
    Backend, BackendError, Buffer, CompileOptions, Device, Executable, Legal, Legality, Promise,
    Unavailable,
};

/// Compiles for GPUs through wgpu. Devices go by name, or by their number in the list.
#[derive(Clone, Copy, Debug, Default)]
pub struct WgpuBackend;

/// How far from the interpreter's a float result of one function may be: what is promised, not what was found.
const ULPS: u32 = 4;

impl Backend for WgpuBackend {
    fn name(&self) -> &'static str {
        "wgpu"
    }

    fn devices(&self) -> Result<Vec<Device>, Unavailable> {
        let found = device::adapters()?;
        Ok(found.iter().map(|f| f.described()).collect())
    }

    fn legality(&self, _device: Option<&str>) -> &dyn Legality {
        &WgpuLegality
    }

    fn compile(
        &self,
        func: &Legal,
        options: &CompileOptions,
    ) -> Result<Arc<dyn Executable>, BackendError> {
        let gpu = device::adapter(options.device.as_deref())?.gpu()?;
        check_dtypes(func.func(), &gpu)?;
        let element = lower::lower(func, &gpu.caps)?;
        let kept = options.cache.as_deref().and_then(|folder| gpu.kept(folder));
        Ok(Arc::new(WgpuLoop::new(gpu, element, kept)?))
    }

    fn emit(
        &self,
        func: &Legal,
        options: &CompileOptions,
        stage: &str,
    ) -> Result<String, BackendError> {
        let caps = match &options.device {
            Some(name) => {
                let gpu = device::adapter(Some(name))?.gpu()?;
                check_dtypes(func.func(), &gpu)?;
                gpu.caps.clone()
            }
            None => Caps::PORTABLE,
        };
        let element = lower::lower(func, &caps)?;
        let layout = launch::packed_layout(&element);
        let text = lower::entry::shader(&element, &layout, &caps);
        let valid = validate::validate(&text, &caps)?;
        match stage {
            "wgsl" => Ok(text),
            "spirv" => validate::disassemble(&valid.spirv()?),
            "msl" => valid.msl(),
            "hlsl" => valid.hlsl(),
            "glsl" => valid.glsl(),
            _ => Err(BackendError::Unsupported(format!("the stage `{stage}`"))),
        }
    }

    fn stages(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("wgsl", "the compute shader"),
            ("spirv", "what a Vulkan driver is given, disassembled"),
            ("msl", "the shader in Metal's language"),
            ("hlsl", "the shader in DirectX 12's language"),
            ("glsl", "the shader in GL's language"),
        ]
    }

    fn promise(&self, _device: Option<&str>) -> Promise {
        Promise::Ulps(ULPS)
    }

    fn allocate(&self, device: &str, bytes: usize) -> Result<Arc<dyn Buffer>, BackendError> {
        let gpu = device::adapter(Some(device))?.gpu()?;
        Ok(Arc::new(memory::DeviceBuffer::new(&gpu, bytes)?))
    }

    fn synchronize(&self, device: &str) -> Result<(), BackendError> {
        let gpu = device::adapter(Some(device))?.gpu()?;
        gpu.wait(None)?;
        launch::check_status(&gpu)
    }
}

/// Refuses what a device without f64 cannot have, with what there is instead.
fn check_dtypes(func: &Func, gpu: &Gpu) -> Result<(), BackendError> {
    if gpu.caps.f64 {
        return Ok(());
    }
    let is_wide = |dtype: &DType| matches!(dtype, DType::F64 | DType::C128);
    let mut found = func.param_dtypes().into_iter().find(is_wide);
    func.for_each_inst(|_, inst| {
        let results = func.insts[inst].results.iter().map(|v| func.dtype(*v));
        found = found.or(results.into_iter().find(is_wide));
    });
    let Some(dtype) = found else { return Ok(()) };
    let others = device::with_f64();
    let others = match others.is_empty() {
        true => String::new(),
        false => format!("; so do {}", others.join(", ")),
    };
    Err(BackendError::Unsupported(format!(
        "{dtype}, which `{}` computes with: `wgpu:{}` has no floats of 64 bits. `cpu` and `cuda` have them{others}",
        func.name, gpu.name
    )))
}
