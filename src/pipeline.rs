//! Every stage and pass between a kernel's text and loaded code, in order.

use std::sync::Arc;

use ufc_ir::{DType, Func, passes, text};
use ufc_math::legalize::LegalizeError;
use ufc_target::{Backend, BackendError, CompileOptions, Executable, Legal, Legality};

use crate::error::Error;
use crate::module::Module;

/// A kernel of a module as verified IR, not yet optimized: one dtype for each generic parameter.
///
/// # Errors
/// If a dtype does not fit the kernel's bounds, the kernel is too large once its helpers are inlined, or it came as IR
/// that was not made for these dtypes.
pub fn lower(module: &Module, kernel: &str, types: &[DType]) -> Result<Func, Error> {
    verified("lowering", module.lower(kernel, types)?)
}

/// The passes that every target shares, one a line. What they do does not depend on the target.
pub fn optimize(func: &mut Func) {
    run("simplify", func, passes::simplify::run);
    run("fold", func, passes::fold::run);
    run("unroll", func, passes::unroll::run);
    run("fold", func, passes::fold::run);
    run("if_convert", func, passes::if_convert::run);
    run("cse", func, passes::cse::run);
    run("simplify", func, passes::simplify::run);
    run("licm", func, passes::licm::run);
    run("counter", func, passes::counter::run);
    run("sink", func, passes::sink::run);
    run("merge", func, passes::merge::run);
    run("cse", func, passes::cse::run);
    run("dce", func, passes::dce::run);
}

/// A function made legal for a target: math functions expanded, dtypes promoted, complex values split, and optimized again.
///
/// # Errors
/// If the target cannot have an operation that the kernel needs.
pub fn legalize(func: Func, legality: &dyn Legality) -> Result<Legal, Error> {
    let mut func = expand(func, legality)?.into_func();
    optimize(&mut func);
    // The passes know no target: they may fold two parts to a complex constant, which has to be split again.
    match Legal::try_new(func.clone(), legality) {
        Ok(legal) => Ok(legal),
        Err(_) => expand(func, legality),
    }
}

fn expand(func: Func, legality: &dyn Legality) -> Result<Legal, Error> {
    let kernel = func.name.clone();
    ufc_math::legalize::legalize(func, legality).map_err(|error| match error {
        LegalizeError::Unsupported { target, what } => Error::Backend {
            kernel,
            target,
            error: BackendError::Unsupported(what),
        },
        LegalizeError::Internal(message) => Error::Internal {
            stage: "legalization",
            message,
        },
    })
}

/// The legal form of a kernel for a back end.
///
/// # Errors
/// As [`lower`] and [`legalize`].
pub fn legal(
    module: &Module,
    kernel: &str,
    types: &[DType],
    backend: &dyn Backend,
    device: Option<&str>,
) -> Result<Legal, Error> {
    let mut func = lower(module, kernel, types)?;
    optimize(&mut func);
    legalize(func, backend.legality(device))
}

/// Loaded code for one loop: a kernel, its dtypes and a back end.
///
/// # Errors
/// As [`lower`] and [`legalize`], or what the back end says.
pub fn compile(
    module: &Module,
    kernel: &str,
    types: &[DType],
    backend: &dyn Backend,
    options: &CompileOptions,
) -> Result<Arc<dyn Executable>, Error> {
    let legal = legal(module, kernel, types, backend, options.device.as_deref())?;
    let compiled = backend.compile(&legal, options);
    compiled.map_err(|error| backend_error(kernel, backend, error))
}

/// The stages that [`emit`] shows besides those of the back ends, each with one sentence.
pub const STAGES: &[(&str, &str)] = &[
    ("tokens", "the text as tokens"),
    ("ast", "the syntax tree"),
    ("ir", "the IR as lowered from the text"),
    ("opt", "the IR after the passes that all targets share"),
    ("legal", "the IR of what the target does natively"),
    ("spmd", "the legal IR over lanes, every branch uniform"),
];

/// The text of a stage: one of [`STAGES`] or one of the back end's.
///
/// # Errors
/// As [`compile`].
pub fn emit(
    module: &Module,
    kernel: &str,
    types: &[DType],
    backend: &dyn Backend,
    options: &CompileOptions,
    stage: &str,
) -> Result<String, Error> {
    let print = |func: &Func| text::print(func);
    match stage {
        "tokens" => Ok(format!(
            "{:#?}\n",
            ufc_lang::lexer::lex(module.source(), &mut Default::default())
        )),
        "ast" => Ok(format!("{:#?}\n", ufc_lang::parse(module.source()).0)),
        "ir" => Ok(print(&lower(module, kernel, types)?)),
        "opt" => {
            let mut func = lower(module, kernel, types)?;
            optimize(&mut func);
            Ok(print(&func))
        }
        "legal" => Ok(print(
            legal(module, kernel, types, backend, options.device.as_deref())?.func(),
        )),
        "spmd" => {
            let mut func =
                legal(module, kernel, types, backend, options.device.as_deref())?.into_func();
            passes::spmd::run(&mut func);
            Ok(print(&func))
        }
        _ => {
            let legal = legal(module, kernel, types, backend, options.device.as_deref())?;
            let text = backend.emit(&legal, options, stage);
            text.map_err(|error| backend_error(kernel, backend, error))
        }
    }
}

/// Runs one pass; in debug builds the result is verified, so that a broken pass is named at once.
fn run(name: &str, func: &mut Func, pass: fn(&mut Func) -> bool) {
    pass(func);
    if cfg!(debug_assertions)
        && let Err(violations) = ufc_ir::verify::verify(func)
    {
        panic!("pass `{name}` broke `{}`: {violations:?}", func.name);
    }
}

fn verified(stage: &'static str, func: Func) -> Result<Func, Error> {
    match ufc_ir::verify::verify(&func) {
        Ok(()) => Ok(func),
        Err(violations) => Err(Error::Internal {
            stage,
            message: format!("{violations:?}"),
        }),
    }
}

fn backend_error(kernel: &str, backend: &dyn Backend, error: ufc_target::BackendError) -> Error {
    Error::Backend {
        kernel: kernel.to_string(),
        target: backend.name().to_string(),
        error,
    }
}
