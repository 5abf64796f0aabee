//! `ufc emit`: a kernel at a stage of its compilation. No device is needed, and no driver is started unless a device is named.

use std::io::Write;

use ufc::{Target, dispatch, pipeline};
use ufc_target::{Backend, CompileOptions};

use crate::args::Emit;
use crate::output::{Failure, NO_DEVICE, Screen};
use crate::{kernel, save};

pub(crate) fn run(screen: Screen, args: &Emit) -> Result<(), Failure> {
    let ufunc = kernel::find(&args.kernel)?;
    let (backend, device) = backend(args)?;
    let options = CompileOptions {
        device,
        ..CompileOptions::default()
    };
    let types = kernel::types(&ufunc, &args.dtype)?;
    let text = pipeline::emit(
        ufunc.module(),
        ufunc.name(),
        &types,
        backend,
        &options,
        &args.stage,
    )?;
    match &args.output {
        None => screen.line(text.trim_end()),
        Some(path) => save::atomically(path, |file| Ok(file.write_all(text.as_bytes())?)),
    }
}

/// The back end to ask, and its device if one was named.
fn backend(args: &Emit) -> Result<(&'static dyn Backend, Option<String>), Failure> {
    let target = args.target.as_ref();
    if let Some(named) = target.filter(|target| target.device().is_some()) {
        let choice = dispatch::choose(named)?;
        check_stage(&args.stage, &[choice.backend])?;
        return Ok((choice.backend, Some(choice.device.name.clone())));
    }
    let names = target.unwrap_or(&Target::CPU).backends();
    let mut found = Vec::new();
    let mut why = String::new();
    for name in names {
        match dispatch::backend(name) {
            Ok(backend) => found.push(backend),
            Err(error) => why = format!("target `{name}` is not available: {error}"),
        }
    }
    if found.is_empty() {
        return Err(Failure::Message(NO_DEVICE, why));
    }
    if target.is_none() {
        // A stage that only another target has says which one is meant.
        found.extend(dispatch::backends().filter_map(|name| dispatch::backend(name).ok()));
    }
    check_stage(&args.stage, &found)?;
    let is_common = pipeline::STAGES.iter().any(|(name, _)| *name == args.stage);
    let has_it = |backend: &&&'static dyn Backend| is_common || has(**backend, &args.stage);
    let backend = found.iter().find(has_it).unwrap_or(&found[0]);
    Ok((*backend, None))
}

fn has(backend: &dyn Backend, stage: &str) -> bool {
    backend.stages().iter().any(|(name, _)| *name == stage)
}

fn check_stage(stage: &str, backends: &[&'static dyn Backend]) -> Result<(), Failure> {
    let is_common = pipeline::STAGES.iter().any(|(name, _)| *name == stage);
    if is_common || backends.iter().any(|backend| has(*backend, stage)) {
        return Ok(());
    }
    let mut seen = Vec::new();
    let mut lines = String::new();
    let common = ("every target", pipeline::STAGES);
    let own = backends.iter().map(|b| (b.name(), b.stages()));
    for (target, stages) in std::iter::once(common).chain(own) {
        if stages.is_empty() || seen.contains(&target) {
            continue;
        }
        seen.push(target);
        lines.push_str(&format!("\n of {target}:"));
        for (name, doc) in stages {
            lines.push_str(&format!("\n  {name:<12}{doc}"));
        }
    }
    Err(Failure::usage(format!(
        "there is no stage `{stage}`; stages are{lines}"
    )))
}
