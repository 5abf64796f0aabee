//! `ufc run` and `ufc eval`: one call on the inputs of the command line.

use serde_json::{Value as Json, json};
use ufc::array::{Array, Operand, npy};
use ufc::{CallOptions, Const, DType, Measured, Module, Report, Ufunc};

use crate::args::{CallArgs, Eval, OutputArgs, Run};
use crate::kernel;
use crate::output::{Failure, Screen};
use crate::progress::{CANCEL, watch};
use crate::values::{self, Values};

/// `ufc run`.
pub(crate) fn run(screen: Screen, args: &Run) -> Result<(), Failure> {
    let ufunc = kernel::find(&args.kernel)?;
    call_and_show(screen, &ufunc, &args.inputs, &args.output, &args.call)
}

/// `ufc eval`.
pub(crate) fn eval(screen: Screen, args: &Eval) -> Result<(), Failure> {
    let ufunc = Module::from_expr(&args.expression)?.only()?;
    call_and_show(screen, &ufunc, &args.inputs, &args.output, &args.call)
}

fn call_and_show(
    screen: Screen,
    ufunc: &Ufunc,
    inputs: &[String],
    output: &OutputArgs,
    args: &CallArgs,
) -> Result<(), Failure> {
    let nout = ufunc.nout();
    if !output.output.is_empty() && output.output.len() != nout {
        let plural = if nout == 1 { "" } else { "s" };
        return Err(Failure::usage(format!(
            "`{}` has {nout} result{plural}, but -o names {} file(s)",
            ufunc.name(),
            output.output.len()
        )));
    }
    let params = values::params(ufunc);
    let texts = values::texts(&params, inputs, &[])?;
    let specs = values::specs(&params, &texts)?;
    let values = Values::new(&params, &specs, args.dtype)?;
    let operands = values.operands()?;
    if output.plan {
        screen.say(ufunc.with(options(args)).plan(&operands[..])?);
    }
    let (results, measured) = call(ufunc, &operands, args)?;
    if output.plan {
        screen.say(&measured);
    }
    if output.json {
        return screen.json(&results.iter().map(to_json).collect());
    }
    if output.output.is_empty() {
        return results.iter().try_for_each(|array| screen.line(array));
    }
    // All results are complete on the disk before the first one gets its name.
    let mut staged = Vec::new();
    for (path, array) in output.output.iter().zip(&results) {
        staged.extend(npy::stage(path, &array.view())?);
    }
    for file in staged {
        file.commit()?;
    }
    Ok(())
}

/// A call's options as the flags say.
pub(crate) fn options(args: &CallArgs) -> CallOptions<'static> {
    CallOptions {
        target: args.target.clone(),
        threads: args.threads,
        casting: args.casting,
        cancel: Some(&CANCEL),
        allow_approx: args.allow_approx,
        ..CallOptions::default()
    }
}

/// Calls a kernel, with a progress bar where that takes long. Gives the results, and what the call took.
pub(crate) fn call(
    ufunc: &Ufunc,
    operands: &[Operand<'_>],
    args: &CallArgs,
) -> Result<(Vec<Array>, Measured), Failure> {
    let report = Report::default();
    let shape = values::shape(ufunc.param_names(), operands)?;
    let total = shape.iter().map(|n| *n as u64).product();
    let results = watch(total, |done| {
        let options = CallOptions {
            progress: Some(done),
            report: Some(&report),
            ..options(args)
        };
        ufunc.with(options).call_all(operands)
    })?;
    Ok((results, report.get().unwrap_or_default()))
}

fn to_json(array: &Array) -> Json {
    json!({
        "dtype": array.dtype().name(),
        "shape": array.shape(),
        "data": nested(array.shape(), &mut array.iter()),
    })
}

/// Lists in lists, as deep as there are axes.
fn nested(shape: &[usize], elements: &mut impl Iterator<Item = Const>) -> Json {
    match shape {
        [] => elements.next().map_or(Json::Null, number),
        [length, inner @ ..] => (0..*length).map(|_| nested(inner, elements)).collect(),
    }
}

/// A number as JSON has it: what JSON lacks (infinities, NaN) is a text, a complex number a pair.
fn number(value: Const) -> Json {
    match value.dtype() {
        DType::Bool => value.as_bool().into(),
        DType::C64 | DType::C128 => json!([number(value.re()), number(value.im())]),
        DType::U64 => (value.as_int() as u64).into(),
        dtype if dtype.is_int() => (value.as_int() as i64).into(),
        _ => {
            let text = ufc::array::format_value(value);
            let parsed: Option<serde_json::Number> = serde_json::from_str(&text).ok();
            parsed.map_or(Json::String(text), Json::Number)
        }
    }
}
