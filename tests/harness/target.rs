//! Kinds of tests about what a target makes of a function: its legal form, and the text given to Cranelift.

use ufc::{Target, dispatch};
use ufc_ir::text;
use ufc_target::legality::CoreOnly;
use ufc_target::{CompileOptions, Legality};

use super::{Case, Outcome, expect, ir};

/// Legalizes for the target that the case's folder is named after, with no pass before or after.
pub(crate) fn legalize(case: &Case) -> Outcome {
    let func = ir::parse(case)?;
    let legal = match case.within.as_str() {
        "interp" => ufc_math::legalize::legalize(func, &CoreOnly),
        word => ufc_math::legalize::legalize(func, legality(word)?),
    };
    let legal = legal.map_err(|error| error.to_string())?;
    expect::inline(case, &text::print(legal.func()))
}

fn legality(word: &str) -> Result<&'static dyn Legality, String> {
    let target: Target = word
        .parse()
        .map_err(|error: ufc::TargetError| error.to_string())?;
    let choice = dispatch::choose(&target).map_err(|error| error.to_string())?;
    Ok(choice.backend.legality())
}

/// Lowers for the lowest level of x86-64, one vector at a time, and compares what Cranelift is given.
pub(crate) fn clif(case: &Case) -> Outcome {
    if !cfg!(target_arch = "x86_64") {
        return Ok(());
    }
    let func = ir::parse(case)?;
    let choice = dispatch::choose(&Target::CPU).map_err(|error| error.to_string())?;
    let legal = ufc::pipeline::legalize(func, choice.backend.legality())
        .map_err(|error| error.to_string())?;
    let options = CompileOptions {
        device: Some("sse4.1".to_string()),
        interleave: Some(1),
    };
    let text = choice
        .backend
        .emit(&legal, &options, "clif")
        .map_err(|error| error.to_string())?;
    expect::file(&expect::beside(case, "clif"), &text)
}
