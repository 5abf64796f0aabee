//! The CPU back end: legal functions become vector loops, run by a pool of threads.
//!
//! A kernel is put into SPMD form, in which every branch is uniform, and made into vector code, several vectors of
//! each value in flight: by `native` on x86-64 with AVX2 or AVX-512, by `clif` elsewhere, through Cranelift with
//! 128-bit vectors. The compiled loop has NumPy's inner-loop ABI ([`ufc_target::InnerLoop`]); `call` runs it over
//! the loop dims. Positions in an operand, its alignment and the number of threads never change a bit of a result.

mod call;
mod choice;
mod clif;
mod lane;
#[cfg(all(target_arch = "x86_64", unix))]
mod native;
#[cfg(test)]
mod tests;
mod threads;
mod vplan;

use call::CpuLoop;
use clif::isa::{self, Isa};
use clif::jit::Code;
use clif::legal::CpuLegality;
use clif::pool::Pool;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use std::sync::{Arc, LazyLock};
use ufc_ir::passes::{cse, dce, spmd, uniform};
use ufc_target::{
    Backend, BackendError, CompileOptions, Device, Executable, Legal, Legality, Unavailable,
};
use vplan::Plan;

/// Compiles for the processor that the process runs on.
///
/// The first device is all that the processor has, or what the environment variable `UFC_CPU_LEVEL` names, and the
/// default. Lesser levels of the same machine follow, `clif` for Cranelift's code last; levels of that, such as `sse4.1`, may
/// be named in [`CompileOptions::device`] although [`Backend::devices`] does not list them: for measurements and tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct CpuBackend;

impl Backend for CpuBackend {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn devices(&self) -> Result<Vec<Device>, Unavailable> {
        let reason = |text: String| Unavailable { reason: text };
        let isa = Isa::new(None).map_err(|e| reason(e.to_string()))?;
        let names = isa::names();
        let name = names.first().ok_or_else(|| reason(isa::missing().into()))?;
        let threads = threads::all_threads();
        let mut notes = vec![format!(
            "128-bit vectors through Cranelift, for {name}, {threads} threads"
        )];
        if !isa.has_fma {
            notes.push("no fused multiply-add: mul_add is exact but slow".to_string());
        }
        let mut devices: Vec<Device> = native_names()
            .into_iter()
            .map(|(name, bytes)| Device {
                name: name.to_string(),
                description: processor_name(),
                notes: vec![format!("{}-bit vectors, {threads} threads", bytes * 8)],
                ..Device::default()
            })
            .collect();
        devices.push(Device {
            name: choice::CLIF.to_string(),
            description: processor_name(),
            notes,
            ..Device::default()
        });
        choice::order(devices).map_err(reason)
    }

    fn legality(&self, device: Option<&str>) -> &dyn Legality {
        match has_scalb(device) {
            true => &CpuLegality { has_scalb: true },
            false => &CpuLegality { has_scalb: false },
        }
    }

    fn compile(
        &self,
        func: &Legal,
        options: &CompileOptions,
    ) -> Result<Arc<dyn Executable>, BackendError> {
        let code = compile(func, options, &Launches::default())?;
        let again = (func.clone(), options.clone());
        let specialize = move |launches: &Launches| compile(&again.0, &again.1, launches);
        Ok(Arc::new(CpuLoop::new(
            func.func(),
            code,
            may_stream(func, options),
            Box::new(specialize),
        )))
    }

    fn emit(
        &self,
        func: &Legal,
        options: &CompileOptions,
        stage: &str,
    ) -> Result<String, BackendError> {
        #[cfg(all(target_arch = "x86_64", unix))]
        if stage == "asm"
            && let Some(level) = match choice::level(options.device.as_deref()) {
                None => native::Level::best(),
                Some(name) => native::Level::of_name(name),
            }
            && let Some(code) = code_for(level, func, options, &Launches::default())?
        {
            return Ok(code.text());
        }
        let generated = generate(func, options, &Launches::default())?;
        match stage {
            "clif" => Ok(generated.function.display().to_string()),
            "asm" => Ok(generated.compile(true)?.text),
            _ => Err(BackendError::Unsupported(format!("the stage `{stage}`"))),
        }
    }

    fn stages(&self) -> &'static [(&'static str, &'static str)] {
        &[
            ("clif", "what Cranelift is given"),
            ("asm", "the machine's instructions"),
        ]
    }
}

/// A function in Cranelift's form, and the machine it is meant for.
struct Generated {
    function: cranelift_codegen::ir::Function,
    pool: Pool,
    isa: Isa,
}

/// What is known about the launches that code is for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Launches {
    /// The numbers of inputs that are broadcast along the inner dim.
    broadcast: Vec<usize>,
    /// Whether the outputs are too large for the caches, so that they are best written past them.
    streaming: bool,
}

/// Whether there is better code for outputs that are too large for the caches.
fn may_stream(func: &Legal, options: &CompileOptions) -> bool {
    #[cfg(all(target_arch = "x86_64", unix))]
    return level(options.device.as_deref()).is_some() && native::is_cheap(func.func());
    #[cfg(not(all(target_arch = "x86_64", unix)))]
    return false;
}

/// Whether a device multiplies by powers of two in one instruction.
fn has_scalb(device: Option<&str>) -> bool {
    #[cfg(all(target_arch = "x86_64", unix))]
    return level(device) == Some(native::Level::Avx512);
    #[cfg(not(all(target_arch = "x86_64", unix)))]
    return false;
}

/// Machine code for a function, for launches of which this is known.
fn compile(
    legal: &Legal,
    options: &CompileOptions,
    launches: &Launches,
) -> Result<Code, BackendError> {
    #[cfg(all(target_arch = "x86_64", unix))]
    if let Some(code) = native_code(legal, options, launches)? {
        return Code::load_guarded(code.bytes(), code.start());
    }
    generate(legal, options, launches)?.compile(false)?.code()
}

/// Machine code of our own, if the device asked for is a level of that and it has what the function needs.
#[cfg(all(target_arch = "x86_64", unix))]
fn native_code(
    legal: &Legal,
    options: &CompileOptions,
    launches: &Launches,
) -> Result<Option<native::Code>, BackendError> {
    match level(options.device.as_deref()) {
        Some(level) => code_for(level, legal, options, launches),
        None => Ok(None),
    }
}

/// Machine code of our own for a level, which this processor need not have, if it has what the function needs.
#[cfg(all(target_arch = "x86_64", unix))]
fn code_for(
    level: native::Level,
    legal: &Legal,
    options: &CompileOptions,
    launches: &Launches,
) -> Result<Option<native::Code>, BackendError> {
    match native::compile(legal.func(), level, options.interleave, launches) {
        Ok(code) => Ok(Some(code)),
        // Cranelift's vectors are narrower, but they have it all.
        Err(BackendError::Unsupported(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The level of our own that the device asked for is.
#[cfg(all(target_arch = "x86_64", unix))]
fn level(device: Option<&str>) -> Option<native::Level> {
    match choice::level(device) {
        None => native::Level::best(),
        Some(name) => native::Level::named(name),
    }
}

/// The levels that there is code of our own for, and that the processor has, the best first: name and bytes in a vector.
fn native_names() -> Vec<(&'static str, usize)> {
    #[cfg(all(target_arch = "x86_64", unix))]
    {
        let levels = native::Level::ALL.into_iter();
        levels
            .filter(|level| level.is_present())
            .map(|level| (level.name(), level.vector()))
            .collect()
    }
    #[cfg(not(all(target_arch = "x86_64", unix)))]
    Vec::new()
}

fn generate(
    legal: &Legal,
    options: &CompileOptions,
    launches: &Launches,
) -> Result<Generated, BackendError> {
    let device = choice::level(options.device.as_deref()).filter(|name| *name != choice::CLIF);
    #[cfg(all(target_arch = "x86_64", unix))]
    let device = device.filter(|name| native::Level::named(name).is_none());
    let isa = Isa::new(device)?;
    let mut func = legal.func().clone();
    spmd::run_with(&mut func, &launches.broadcast);
    clif::masks::run(&mut func);
    cse::run(&mut func);
    dce::run(&mut func);
    let varying = uniform::analyze_with(&func, &launches.broadcast);
    let plan = Plan::new(&func, &varying, options.interleave);
    let positions = ufc_target::launch::positions(legal.func());
    let (function, pool) = clif::lower::lower(&func, &varying, &plan, &positions, &isa)?;
    Ok(Generated {
        function,
        pool,
        isa,
    })
}

/// Machine code, and its text if it was asked for.
struct Compiled {
    bytes: Vec<u8>,
    pool: Pool,
    text: String,
}

impl Generated {
    fn compile(self, with_text: bool) -> Result<Compiled, BackendError> {
        let mut context = Context::for_function(self.function);
        context.set_disasm(with_text);
        let code = context
            .compile(&*self.isa.target, &mut ControlPlane::default())
            .map_err(|e| BackendError::CompileFailed(format!("{:?}", e.inner)))?;
        if let Some(relocation) = code.buffer.relocs().first() {
            let what = format!("generated code refers to {:?}", relocation.target);
            return Err(BackendError::CompileFailed(what));
        }
        Ok(Compiled {
            bytes: code.code_buffer().to_vec(),
            pool: self.pool,
            text: code.vcode.clone().unwrap_or_default(),
        })
    }
}

impl Compiled {
    fn code(self) -> Result<Code, BackendError> {
        Code::load(&self.bytes, self.pool)
    }
}

/// What the system calls the processor; read once.
fn processor_name() -> String {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let line = info.lines().find(|line| line.starts_with("model name"));
        match line.and_then(|line| line.split_once(':')) {
            Some((_, name)) => name.trim().to_string(),
            None => std::env::consts::ARCH.to_string(),
        }
    });
    NAME.clone()
}
