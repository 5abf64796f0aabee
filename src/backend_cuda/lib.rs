//! The CUDA back end: legal functions become PTX, which NVIDIA's driver compiles and runs.
//!
//! The driver is looked for at run time, so this builds and starts without it. A kernel is lowered for the way in which a
//! launch's operands lie in memory (`variant`), once for each way that occurs. Results have the bits of the IR's
//! interpreter: every float operation rounds by itself, nothing is flushed to zero or approximated.

mod copy;
mod device;
mod driver;
mod foreign;
mod launch;
mod legal;
mod library;
mod lower;
mod memory;
mod nest;
mod pieces;
mod ptx;
mod slot;
mod stream;
mod transfer;
mod variant;

use driver::CallersContext;
use launch::CudaLoop;
use legal::CudaLegality;
use memory::CudaBuffer;
use std::sync::Arc;
use ufc_target::{
    Backend, BackendError, Buffer, CompileOptions, Device, Executable, ForeignMemory, Legal,
    Legality, Unavailable,
};
use variant::Variant;

/// The word that users know it by.
const NAME: &str = "cuda";

/// Compiles for NVIDIA's GPUs.
///
/// Its devices are called by their numbers, `0`, `1` and so on. Where there are several, `all` is a device too: a launch
/// on operands of the host gives each GPU a part of the elements.
#[derive(Clone, Copy, Debug, Default)]
pub struct CudaBackend;

impl Backend for CudaBackend {
    fn name(&self) -> &'static str {
        NAME
    }

    fn devices(&self) -> Result<Vec<Device>, Unavailable> {
        device::devices()
    }

    fn legality(&self, _device: Option<&str>) -> &dyn Legality {
        &CudaLegality
    }

    fn compile(
        &self,
        func: &Legal,
        options: &CompileOptions,
    ) -> Result<Arc<dyn Executable>, BackendError> {
        let gpus = device::named(options.device.as_deref())?;
        let _callers = CallersContext::keep();
        for gpu in &gpus {
            gpu.bind()?;
        }
        Ok(Arc::new(CudaLoop::new(
            func.func(),
            options.interleave,
            gpus,
        )))
    }

    fn emit(
        &self,
        func: &Legal,
        options: &CompileOptions,
        stage: &str,
    ) -> Result<String, BackendError> {
        let func = func.func();
        let variant = match stage {
            "ptx" => Variant::packed(func, launch::vector_of(func, options.interleave)),
            "ptx-strided" => Variant::strided(func),
            _ => return Err(BackendError::Unsupported(format!("the stage `{stage}`"))),
        };
        lower::lower(func, &variant).map(|module| module.to_string())
    }

    fn stages(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("ptx", "what NVIDIA's driver is given for packed operands"),
            (
                "ptx-strided",
                "the same for operands with steps along two loop dims",
            ),
        ]
    }

    fn allocate(&self, device: &str, bytes: usize) -> Result<Arc<dyn Buffer>, BackendError> {
        match &device::named(Some(device))?[..] {
            [gpu] => {
                let _callers = CallersContext::keep();
                Ok(Arc::new(CudaBuffer::new(gpu, bytes)?))
            }
            gpus => Err(one_gpu(gpus)),
        }
    }

    #[expect(
        unsafe_code,
        reason = "the memory is an address that the caller vouches for"
    )]
    unsafe fn adopt(
        &self,
        device: &str,
        memory: ForeignMemory,
    ) -> Result<Arc<dyn Buffer>, BackendError> {
        match &device::named(Some(device))?[..] {
            [gpu] => {
                let _callers = CallersContext::keep();
                Ok(Arc::new(CudaBuffer::adopt(gpu, memory)?))
            }
            gpus => Err(one_gpu(gpus)),
        }
    }

    fn synchronize(&self, device: &str) -> Result<(), BackendError> {
        let gpus = device::named(Some(device))?;
        let _callers = CallersContext::keep();
        for gpu in gpus {
            let stream = gpu.bind()?.compute;
            stream.synchronize().map_err(|fault| gpu.error(&fault, 0))?;
        }
        Ok(())
    }
}

/// What is said where memory is asked for on several GPUs.
fn one_gpu(gpus: &[Arc<device::Gpu>]) -> BackendError {
    BackendError::Unsupported(format!(
        "memory of {} GPUs: an array is in that of one, such as `{}`",
        gpus.len(),
        gpus[0].full_name()
    ))
}
