//! Kernels' PTX, assembled and disassembled by NVIDIA's own tools, which `scripts/cuda-tools` fetches.
//!
//! Where they are not, the tests are skipped, unless `UFC_CUDA_TOOLS_NEEDED` is set, as `scripts/test` does.

use std::path::{Path, PathBuf};
use std::process::Command;

use libtest_mimic::Trial;
use ufc::{DType, Module, dispatch};
use ufc_ir::builder::Builder;
use ufc_ir::ops::{AnyOp, Op};
use ufc_ir::{Func, TypeSet};
use ufc_target::{Backend, CompileOptions};

use super::{Outcome, files, root};

/// An assembler and the architectures that it is run for.
const ASSEMBLERS: &[(&str, &[u32])] = &[
    ("12.9", &[70, 75, 80, 86, 89, 90, 100, 120]),
    ("13", &[75, 80, 86, 89, 90, 100, 120]),
];

/// The stages that are assembled.
const STAGES: [&str; 2] = ["ptx", "ptx-strided"];

/// Architectures whose code is looked at, with Volta's and Hopper's encodings.
const DISASSEMBLED: [u32; 2] = [80, 90];

fn folder() -> PathBuf {
    let set = std::env::var_os("UFC_CUDA_TOOLS").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    set.unwrap_or_else(|| home().join(".cache/ufc/cuda"))
}

/// The tests, or a row that says why they are skipped.
pub(crate) fn trials() -> Vec<Trial> {
    if super::target_asked_for().is_some() {
        return Vec::new();
    }
    let is_there = folder().join("13/nvdisasm").exists();
    if !is_there && std::env::var_os("UFC_CUDA_TOOLS_NEEDED").is_none() {
        let name = "ptxas: skipped (run scripts/cuda-tools)";
        return vec![Trial::test(name, || Ok(())).with_ignored_flag(true)];
    }
    let mut trials = Vec::new();
    for path in files(&root().join("kernels/examples")) {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .to_string();
        let test = move || example(&path);
        trials.push(Trial::test(format!("ptxas/examples/{name}"), test));
    }
    for dtype in DType::ALL.iter().filter(|d| !d.is_complex()) {
        let test = || operations(*dtype);
        trials.push(Trial::test(format!("ptxas/operations/{dtype}"), test));
    }
    trials
}

fn cuda() -> Result<&'static dyn Backend, String> {
    dispatch::backend("cuda").map_err(|why| why.to_string())
}

fn ptx(func: Func, stage: &str) -> Result<String, String> {
    let backend = cuda()?;
    let mut func = func;
    ufc::pipeline::optimize(&mut func);
    let legal = ufc::pipeline::legalize(func, backend.legality(None));
    let legal = legal.map_err(|error| error.to_string())?;
    let text = backend.emit(&legal, &CompileOptions::default(), stage);
    text.map_err(|error| error.to_string())
}

/// Assembles; gives what the assembler says, with the numbers of registers and spills.
fn assemble(version: &str, arch: u32, text: &str, to: &Path) -> Result<String, String> {
    let input = to.with_extension("ptx");
    std::fs::write(&input, text).map_err(|error| error.to_string())?;
    let done = Command::new(folder().join(version).join("ptxas"))
        .args(["--warning-as-error", "-v", "-arch"])
        .arg(format!("sm_{arch}"))
        .arg(&input)
        .arg("-o")
        .arg(to)
        .output()
        .map_err(|error| format!("ptxas {version}: {error}"))?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    match done.status.success() {
        true => Ok(said),
        false => Err(format!("ptxas {version} for sm_{arch}: {said}\n{text}")),
    }
}

fn disassemble(object: &Path) -> Result<String, String> {
    let done = Command::new(folder().join("13/nvdisasm"))
        .args(["-c", "-ndf"])
        .arg(object)
        .output()
        .map_err(|error| format!("nvdisasm: {error}"))?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}

/// Every kernel of an example is assembled for every architecture without spilling a register, and nothing separate in it is
/// fused.
fn example(path: &Path) -> Outcome {
    let module = Module::from_file(path)?;
    let folder = tempfile::tempdir()?;
    let object = folder.path().join("kernel.o");
    for kernel in module.kernels() {
        // One choice of types: others differ in no instruction that `operations` does not assemble.
        let first = |set: TypeSet| set.iter().find(|d| *d == DType::F32).or(set.iter().next());
        let types: Vec<DType> = kernel
            .generics
            .iter()
            .filter_map(|g| first(g.set))
            .collect();
        let func = ufc::pipeline::lower(&module, &kernel.name, &types)?;
        for stage in STAGES {
            let text = ptx(func.clone(), stage)?;
            for (version, archs) in ASSEMBLERS {
                for arch in *archs {
                    let said = assemble(version, *arch, &text, &object)?;
                    let name = &kernel.name;
                    if !said.contains("0 bytes spill stores, 0 bytes spill loads") {
                        return Err(format!("`{name}` for sm_{arch} spills: {said}").into());
                    }
                    if *version == "13" && DISASSEMBLED.contains(arch) {
                        let found = nothing_is_fused(&text, &disassemble(&object)?);
                        found.map_err(|what| format!("`{name}` for sm_{arch}: {what}"))?;
                    }
                }
            }
        }
    }
    Ok(())
}

/// Instructions of PTX that are made of others, fused ones among them.
const COMPOSED: [&str; 8] = [
    "fma.",
    "div.",
    "rem.",
    "sqrt.",
    "cvt.rn.f32.s64",
    "cvt.rn.f32.u64",
    "cvt.rn.f64.s64",
    "cvt.rn.f64.u64",
];

/// The code has a fused multiplication only where the PTX has one, or an operation that is made of such; and it
/// flushes nothing to zero.
fn nothing_is_fused(text: &str, code: &str) -> Result<(), String> {
    if COMPOSED.iter().any(|name| text.contains(name)) {
        return Ok(());
    }
    let is_wrong = |line: &&str| {
        ["FFMA", "DFMA", "HFMA2 ", ".FTZ"].iter().any(|name| line.contains(name))
            // Moves of constants are written so.
            && !line.contains("HFMA2.MMA")
            && !line.contains("-RZ, RZ,")
    };
    match code.lines().find(is_wrong) {
        Some(line) => Err(format!("the code has `{}`\n{text}", line.trim())),
        None => Ok(()),
    }
}

/// One kernel with every core operation and every conversion of a dtype, assembled for the oldest and the newest
/// architecture.
fn operations(dtype: DType) -> Outcome {
    let folder = tempfile::tempdir()?;
    let object = folder.path().join("kernel.o");
    let mut func = Func::new("operations");
    let mut b = Builder::new(&mut func);
    let args = [(); 3].map(|()| b.param("x", dtype));
    let cond = b.param("c", DType::Bool);
    let mut results = Vec::new();
    let backend = cuda()?;
    for op in Op::ALL {
        let rule = op.info().rule;
        match op {
            Op::Any | Op::Re | Op::Im | Op::Complex => {}
            Op::Convert => {
                let to = DType::ALL.iter().filter(|to| !to.is_complex());
                results.extend(to.map(|to| b.convert(args[0], *to)));
            }
            Op::Bitcast => {
                let fits = |to: &&DType| rule.check(&[dtype], Some(**to)).is_ok();
                results.extend(
                    DType::ALL
                        .iter()
                        .filter(fits)
                        .map(|to| b.bitcast(args[0], *to)),
                );
            }
            Op::Select => results.push(b.op(*op, &[cond, args[0], args[1]])),
            _ if rule.set().contains(dtype) => {
                results.push(b.op(*op, &args[..rule.arity()]));
            }
            _ => {}
        }
    }
    for f in ufc_ir::ops::MathFn::ALL {
        let rule = f.info().rule;
        let is_native =
            backend.legality(None).action(AnyOp::Math(*f), dtype) == ufc_target::Action::Native;
        if is_native && rule.set().contains(dtype) {
            let amount = b.convert(args[1], DType::U32);
            let all = [args[0], amount];
            results.extend(b.math(*f, &all[..rule.arity()]));
        }
    }
    // Kernels take some thousand bytes of parameters.
    results.dedup();
    b.finish(results);
    for stage in STAGES {
        let text = ptx(func.clone(), stage)?;
        for (version, arch) in [("12.9", 70), ("12.9", 120), ("13", 75), ("13", 120)] {
            assemble(version, arch, &text, &object)?;
        }
    }
    Ok(())
}
