//! Vector code of our own for x86-64, with 256-bit and 512-bit vectors.
//!
//! From the SPMD form: [`isel`] selects instructions by the table in [`codes`], [`hoist`] loads constants ahead of the loop over
//! turns, [`schedule`] interleaves columns, [`regalloc`] gives registers, and [`emit`] makes bytes. The function has NumPy's inner-loop ABI, as the other code generator's.

mod codes;
mod dead;
mod emit;
mod entry;
mod frame;
mod hoist;
mod isel;
mod level;
mod live;
mod mach;
mod plan;
mod regalloc;
mod schedule;

pub(crate) use level::Level;
pub(crate) use plan::is_cheap;

use crate::Launches;
use ufc_ir::func::InstKind;
use ufc_ir::ops::Op;
use ufc_ir::passes::{carry, cse, dce, narrow, spmd, uniform};
use ufc_ir::{DType, Func};
use ufc_target::BackendError;

/// Machine code and its text.
pub(crate) struct Code {
    emitted: emit::Emitted,
}

impl Code {
    /// A position-independent function with the type [`ufc_target::InnerLoop`].
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.emitted.bytes
    }

    /// Which byte the function starts with.
    pub(crate) fn start(&self) -> usize {
        self.emitted.start
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
        let plans = [Some(1), interleave]
            .map(|wanted| plan::Plan::new(func, &varying, level, wanted, layout));
        let select = |plan: &plan::Plan, turns, constants| {
            isel::select(func, &varying, plan, &positions, level, turns, constants)
        };
        parts(&plans, launches.streaming, select)
    };
    let small = |func: &Func| {
        let layouts = plan::small_layouts(func).iter();
        layouts
            .copied()
            .find_map(|layout| select(func, layout).ok())
    };
    let mut narrowed = func.clone();
    let parts = if narrow::run(&mut narrowed) {
        cse::run(&mut narrowed);
        dce::run(&mut narrowed);
        small(&narrowed)
    } else {
        small(&func)
    };
    let (parts, most) = match parts {
        Some(parts) => parts,
        None => select(&func, plan::Layout::Wide)?,
    };
    let mut allocated = Vec::new();
    let mut constants = Vec::new();
    for (name, mut mach) in parts {
        dead::run(&mut mach);
        hoist::run(&mut mach, level);
        if launches.streaming && plan::is_cheap(&func) {
            schedule::in_order(&mut mach);
        } else {
            schedule::interleave(&mut mach, level);
        }
        constants = std::mem::take(&mut mach.constants);
        allocated.push(emit::Part {
            name,
            allocated: regalloc::allocate(&mach, level)?,
            mach,
        });
    }
    let default_mxcsr = computes_floats(&func).then(|| {
        constants.resize(constants.len().next_multiple_of(4), 0);
        constants.extend(entry::DEFAULT_MXCSR.to_le_bytes());
        (constants.len() - 4) as i32
    });
    let entry = entry::Entry {
        default_mxcsr,
        most,
    };
    Ok(Code {
        emitted: emit::emit(&entry, &allocated, &constants, level)?,
    })
}

/// The parts of a function by name, the last of which has the constants of all, and the most elements that the first one is
/// to do, if there is another.
type Parts = (Vec<(&'static str, mach::Mach)>, Option<i64>);

/// Selects the parts of a function: by the first plan one with turns of a column, that does few elements or what others
/// leave, and by the second one for many, unless it would be the same.
fn parts(
    [narrow, plan]: &[plan::Plan; 2],
    streaming: bool,
    select: impl Fn(&plan::Plan, isel::Turns, Vec<u8>) -> Result<mach::Mach, BackendError>,
) -> Result<Parts, BackendError> {
    let mut first = select(narrow, isel::Turns::Partial, Vec::new())?;
    if plan.lanes == narrow.lanes && !plan.cheap && !streaming {
        return Ok((vec![("turns", first)], None));
    }
    // Where turns are long, what is masked in them is nothing.
    let (turns, most) = if plan.has_loop && !streaming {
        (isel::Turns::Partial, narrow.lanes)
    } else {
        (isel::Turns::Whole { streaming }, plan.lanes - 1)
    };
    let constants = std::mem::take(&mut first.constants);
    let second = select(plan, turns, constants)?;
    Ok((vec![("short", first), ("long", second)], Some(most as i64)))
}

/// Whether machine code for a function may have instructions that read MXCSR or set flags in it: those on floats, which
/// integers are divided by, too.
fn computes_floats(func: &Func) -> bool {
    let is_float = |dtype: DType| dtype.is_float() || dtype.is_complex();
    let mut floats = func.param_dtypes().into_iter().any(is_float);
    func.for_each_inst(|_, inst| {
        let data = &func.insts[inst];
        floats |= matches!(data.kind, InstKind::Op(Op::Div | Op::Rem));
        let dtypes = data.results.iter().map(|v| func.dtype(*v));
        floats |= dtypes.into_iter().any(is_float);
    });
    floats
}
