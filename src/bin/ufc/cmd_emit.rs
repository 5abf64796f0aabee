//! `ufc emit`: a kernel at a stage of its compilation.

use std::io::Write;

use ufc::dispatch::choose;
use ufc::pipeline;
use ufc_target::CompileOptions;

use crate::args::Emit;
use crate::output::{Failure, Screen};
use crate::{kernel, save};

pub(crate) fn run(screen: Screen, args: &Emit) -> Result<(), Failure> {
    let ufunc = kernel::find(&args.kernel)?;
    let choice = choose(&args.target)?;
    check_stage(&args.stage, choice.backend)?;
    let options = CompileOptions {
        device: Some(choice.device.name.clone()),
        ..CompileOptions::default()
    };
    let types = kernel::types(&ufunc, &args.dtype)?;
    let text = pipeline::emit(
        ufunc.module(),
        ufunc.name(),
        &types,
        choice.backend,
        &options,
        &args.stage,
    )?;
    match &args.output {
        None => screen.line(text.trim_end()),
        Some(path) => save::atomically(path, |file| Ok(file.write_all(text.as_bytes())?)),
    }
}

fn check_stage(stage: &str, backend: &dyn ufc_target::Backend) -> Result<(), Failure> {
    let stages = || pipeline::STAGES.iter().chain(backend.stages());
    if stages().any(|(name, _)| *name == stage) {
        return Ok(());
    }
    let lines: Vec<String> = stages()
        .map(|(name, doc)| format!("\n  {name:<8}{doc}"))
        .collect();
    Err(Failure::usage(format!(
        "there is no stage `{stage}` for the target `{}`; stages are{}",
        backend.name(),
        lines.concat()
    )))
}
