//! Math functions, each written once in the kernel language, and how operations become what a target has.
//!
//! [`expansion`] finds a function's expansion: the `.ufk` file named after it has a kernel `<name>_<dtype>`, or a generic
//! one called `<name>_<kind>` or `<name>`. Where a target multiplies by powers of two in one instruction, which is
//! [`MathFn::Scalb`], a kernel `<name>_by_scalb_<dtype>` is used if there is one; it gives the same bits.
//! [`legalize`](legalize::legalize) puts expansions in place.

pub mod legalize;

pub use legalize::{LegalizeError, expand_math, legalize};

use std::collections::BTreeMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use ufc_ir::ops::{AnyOp, MathFn, Op};
use ufc_ir::{DType, Func, Kind, passes};
use ufc_lang::Module;

/// Defines the table of files: a name, and the names of other files whose functions it uses.
macro_rules! files {
    ($($name:literal $(uses $($used:literal)+)?;)*) => {
        /// Name, text, and the names of the files it uses.
        const FILES: &[(&str, &str, &[&str])] =
            &[$(($name, include_str!(concat!($name, ".ufk")), &[$($($used),+)?]),)*];
    };
}

files! {
    // Parts of functions.
    "angle";
    "arc";
    "ln_parts";
    "reduce_pi2";
    // Functions.
    "abs";
    "abs_diff";
    "acos" uses "arc";
    "arg";
    "asin" uses "arc";
    "atan" uses "angle";
    "atan2" uses "angle";
    "clamp";
    "conj";
    "convert";
    "copysign";
    "cos" uses "reduce_pi2";
    "count_ones";
    "div";
    "div_euclid";
    "exp";
    "exp2";
    "floor_div";
    "floor_mod";
    "fract";
    "hypot";
    "is_finite";
    "is_infinite";
    "is_nan";
    "leading_zeros";
    "ln" uses "ln_parts";
    "log10" uses "ln_parts";
    "log2" uses "ln_parts";
    "mul";
    "mul_add";
    "norm_sqr";
    "pow" uses "ln_parts";
    "powi";
    "recip";
    "rem";
    "rem_euclid";
    "rotate_left";
    "rotate_right";
    "round";
    "saturating_add";
    "saturating_sub";
    "scalb";
    "signum";
    "sin" uses "reduce_pi2";
    "sin_cos" uses "reduce_pi2";
    "sqrt";
    "swap_bytes";
    "tan" uses "reduce_pi2";
    "tanh" uses "exp";
    "trailing_zeros";
}

/// The expansion of an operation on a dtype, if it has one. Made on first use and kept.
pub fn expansion(op: AnyOp, dtype: DType) -> Option<&'static Func> {
    let name = op.name();
    let kinds: &[&str] = match dtype.kind() {
        Kind::Bool => &["bool"],
        Kind::Unsigned => &["unsigned", "int"],
        Kind::Signed => &["signed", "int"],
        Kind::Float => &["float"],
        Kind::Complex => &["complex"],
    };
    let exact = format!("{name}_{dtype}");
    let generic = kinds.iter().map(|kind| format!("{name}_{kind}"));
    let generic: Vec<String> = generic.chain([name.to_string()]).collect();
    cached((op, dtype, None, false), || {
        let module = module_of(name)?;
        lowered(module, &exact, &[])
            .or_else(|| generic.iter().find_map(|g| lowered(module, g, &[dtype])))
    })
}

/// The expansion of a math function for targets that have [`MathFn::Scalb`], if there is one of its own.
pub fn expansion_by_scalb(f: MathFn, dtype: DType) -> Option<&'static Func> {
    let name = f.info().name;
    cached((AnyOp::Math(f), dtype, None, true), || {
        lowered(module_of(name)?, &format!("{name}_by_scalb_{dtype}"), &[])
    })
}

/// The expansion of a conversion, if it has one. Made on first use and kept.
pub fn conversion(from: DType, to: DType) -> Option<&'static Func> {
    cached((AnyOp::Core(Op::Convert), from, Some(to), false), || {
        let module = module_of("convert")?;
        lowered(module, &format!("convert_{from}_{to}"), &[])
    })
}

/// An operation, its dtype, for conversions the result's, and whether it is the expansion for targets with
/// [`MathFn::Scalb`].
type Key = (AnyOp, DType, Option<DType>, bool);

/// Gives the function kept under a key, or makes, keeps and gives it; functions live as long as the process.
fn cached(key: Key, make: impl FnOnce() -> Option<Func>) -> Option<&'static Func> {
    static CACHE: Mutex<BTreeMap<Key, Option<&'static Func>>> = Mutex::new(BTreeMap::new());
    let lock = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = lock().get(&key) {
        return *found;
    }
    let made = make().map(|func| &*Box::leak(Box::new(func)));
    *lock().entry(key).or_insert(made)
}

/// A kernel for these dtypes of its generic parameters; none if there is no such kernel or it does not take them.
fn lowered(module: &Module, kernel: &str, types: &[DType]) -> Option<Func> {
    module.kernels().iter().find(|k| k.name == kernel)?;
    let mut func = module.lower(kernel, types).ok()?;
    passes::simplify::run(&mut func);
    passes::fold::run(&mut func);
    passes::cse::run(&mut func);
    passes::dce::run(&mut func);
    Some(func)
}

/// The checked file of this name with the files it uses; parsed on first use.
fn module_of(name: &str) -> Option<&'static Module> {
    static MODULES: [OnceLock<Module>; FILES.len()] = [const { OnceLock::new() }; FILES.len()];
    let index = FILES.iter().position(|file| file.0 == name)?;
    Some(MODULES[index].get_or_init(|| ufc_lang::check(&source(index)).0))
}

/// The text of a file after the texts of the files it uses.
fn source(index: usize) -> String {
    let (_, text, uses) = FILES[index];
    let used = uses
        .iter()
        .filter_map(|name| FILES.iter().find(|file| file.0 == *name));
    // A file's own documentation may stand only at the start, so it is dropped.
    let lines = used.map(|file| file.1).chain([text]).flat_map(str::lines);
    let code = lines.filter(|line| !line.starts_with("//!"));
    code.flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests;
