//! Vector code of our own for x86-64, with 256-bit and 512-bit vectors.
//!
//! From the SPMD form: [`isel`] selects instructions by the table in [`codes`], [`regalloc`] gives them registers, and
//! [`emit`] makes bytes. The function has NumPy's inner-loop ABI, as the other code generator's.

mod codes;
mod dead;
mod emit;
mod frame;
mod isel;
mod level;
mod mach;
mod plan;
mod regalloc;

pub(crate) use level::Level;
pub(crate) use plan::is_cheap;

use crate::Launches;
use ufc_ir::Func;
use ufc_ir::passes::{carry, cse, dce, narrow, spmd, uniform};
use ufc_target::BackendError;

/// Machine code and its text.
pub(crate) struct Code {
    emitted: emit::Emitted,
}

impl Code {
    /// A position-independent function with the type [`ufc_target::InnerLoop`], from its first byte on.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.emitted.bytes
    }

    /// The instructions as text.
    pub(crate) fn text(&self) -> String {
        self.emitted.text()
    }
}

/// Compiles a legal function for launches of which this is known.
///
/// # Errors
/// [`BackendError::Unsupported`] if the level has no code for something; else a bug of ours.
pub(crate) fn compile(
    func: &Func,
    level: Level,
    interleave: Option<usize>,
    launches: &Launches,
) -> Result<Code, BackendError> {
    let positions = ufc_target::launch::positions(func);
    let mut func = func.clone();
    let broadcast = &launches.broadcast;
    spmd::run_with(&mut func, broadcast);
    if level == Level::Avx2 {
        crate::clif::masks::run(&mut func);
    } else {
        carry::run(&mut func);
    }
    cse::run(&mut func);
    dce::run(&mut func);
    let select = |func: &Func, layout| {
        let varying = uniform::analyze_with(func, broadcast);
        let plan = plan::Plan::new(func, &varying, level, interleave, layout);
        isel::select(func, &varying, &plan, &positions, level, launches.streaming)
    };
    let small = |func: &Func| {
        let layouts = plan::small_layouts(func).iter();
        layouts
            .copied()
            .find_map(|layout| select(func, layout).ok())
    };
    let mut narrowed = func.clone();
    let mach = if narrow::run(&mut narrowed) {
        cse::run(&mut narrowed);
        dce::run(&mut narrowed);
        small(&narrowed)
    } else {
        small(&func)
    };
    let mut mach = match mach {
        Some(mach) => mach,
        None => select(&func, plan::Layout::Wide)?,
    };
    dead::run(&mut mach);
    let allocated = regalloc::allocate(&mach, level)?;
    Ok(Code {
        emitted: emit::emit(&mach, &allocated, level)?,
    })
}
