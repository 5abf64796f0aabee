//! Run tests: kernels with calls and their results in comments, executed by every target there is.
//!
//! A line `// run: f(1.0f32, 2) == 3` is one call; `f<f32>(…)` names the types of a generic kernel, `== (a, b)` several
//! results, and `~ 1 ulp` at the end allows that much where a math function is not exact. All calls of one kernel
//! are the elements of one array, so that element 0 is the first call. A line `// targets: cpu` says which targets
//! the file is for; without one it is for all in [`TARGETS`]. The interpreter's results are compared with what the file
//! says; every other target must give the interpreter's bits. Mesa's software devices for Vulkan and GL do, though what
//! the wgpu target promises is less.

use std::path::PathBuf;

use libtest_mimic::Trial;
use ufc::{Const, DType, Module, Target, dispatch};
use ufc_ir::{Func, text};
use ufc_target::legality::CoreOnly;

use super::exec::{Columns, Kernel};
use super::values::{self, Text};
use super::{Case, Outcome, wgpu};

/// The targets that a file is for unless it says otherwise.
const TARGETS: &[&str] = &["interp", "spmd", "cpu", "cuda", wgpu::VULKAN, wgpu::GL];

/// Elements that the calls of a kernel are repeated to, enough for several turns of any vector loop and a tail.
const ELEMENTS: usize = 150;

/// One call and its results, as written.
#[derive(Debug)]
struct Call {
    line: usize,
    args: Vec<Text>,
    results: Text,
    ulps: u64,
}

/// The calls of one kernel for one choice of types.
#[derive(Debug)]
struct Batch {
    kernel: String,
    types: Vec<DType>,
    calls: Vec<Call>,
}

impl Batch {
    fn elements(&self) -> usize {
        ELEMENTS.max(self.calls.len())
    }
}

/// Executes a file on every target that it is for and that is there.
pub(crate) fn run(case: &Case) -> Outcome {
    let batches = batches(&case.text)?;
    if batches.is_empty() {
        return Err("the file has no `run:` line".into());
    }
    let targets = targets(&case.text);
    let mut errors = Vec::new();
    for (number, batch) in batches.iter().enumerate() {
        // The driver takes longest to compile for GL: one choice of types of one kernel of each file has to do.
        let is_taken = |target: &&String| number == 0 || *target != wgpu::GL;
        let targets: Vec<String> = targets.iter().filter(is_taken).cloned().collect();
        let result =
            func(case, batch).and_then(|func| run_batch(batch, func, &targets, &mut errors));
        if let Err(error) = result {
            errors.push(format!("`{}`: {error}", batch.kernel));
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n").into())
    }
}

/// A row for every target that a run test is for and that is not there, with the number of files.
pub(crate) fn skipped(files: &[PathBuf]) -> Vec<Trial> {
    let texts: Vec<String> = files
        .iter()
        .filter_map(|path| std::fs::read_to_string(path).ok())
        .collect();
    let mut trials = Vec::new();
    for info in dispatch::targets() {
        let Err(why) = &info.devices else { continue };
        let count = texts
            .iter()
            .filter(|text| targets(text).iter().any(|target| target == info.name))
            .count();
        if count > 0 {
            let name = format!("run on {}: {count} files skipped ({why})", info.name);
            trials.push(Trial::test(name, || Ok(())).with_ignored_flag(true));
        }
    }
    trials
}

fn targets(text: &str) -> Vec<String> {
    let mut targets = listed_targets(text);
    if let Some(only) = super::target_asked_for() {
        targets.retain(|target| *target == only.to_string());
    }
    targets
}

fn listed_targets(text: &str) -> Vec<String> {
    let listed = text
        .lines()
        .find_map(|line| comment(line)?.strip_prefix("targets:"));
    match listed {
        Some(words) => words.split_whitespace().map(str::to_string).collect(),
        None => TARGETS.iter().map(|target| target.to_string()).collect(),
    }
}

/// The text of a comment line of either language.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim();
    line.strip_prefix("//")
        .or_else(|| line.strip_prefix(';'))
        .map(str::trim)
}

fn batches(text: &str) -> Result<Vec<Batch>, String> {
    let mut batches: Vec<Batch> = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let Some(call) = comment(line).and_then(|line| line.strip_prefix("run:")) else {
            continue;
        };
        let located = |error: String| format!("line {}: {error}", index + 1);
        let (kernel, types, call) = call_line(call.trim(), index + 1).map_err(located)?;
        match batches
            .iter_mut()
            .find(|batch| batch.kernel == kernel && batch.types == types)
        {
            Some(batch) => batch.calls.push(call),
            None => batches.push(Batch {
                kernel,
                types,
                calls: vec![call],
            }),
        }
    }
    Ok(batches)
}

/// Reads `kernel<types>(args) == results ~ n ulp`.
fn call_line(line: &str, number: usize) -> Result<(String, Vec<DType>, Call), String> {
    let (call, results) = line.split_once("==").ok_or("there is no `==`")?;
    let (results, ulps) = match results.split_once('~') {
        Some((results, bound)) => (results, bound.trim().trim_end_matches("ulp").trim()),
        None => (results, "0"),
    };
    let ulps = ulps
        .parse()
        .map_err(|_| format!("`{ulps}` is not a number of ulps"))?;
    let (head, args) = call.trim().split_once('(').ok_or("there is no `(`")?;
    let args = args.strip_suffix(')').ok_or("there is no `)`")?;
    let (kernel, types) = match head.split_once('<') {
        Some((kernel, types)) => (kernel, types.strip_suffix('>').ok_or("there is no `>`")?),
        None => (head, ""),
    };
    let types = types
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty());
    let types = types
        .map(|name| DType::from_name(name).ok_or_else(|| format!("there is no type `{name}`")));
    let call = Call {
        line: number,
        args: Text::list(args)?,
        results: Text::parse(results)?,
        ulps,
    };
    Ok((
        kernel.trim().to_string(),
        types.collect::<Result<_, _>>()?,
        call,
    ))
}

/// The function of a batch as lowered.
fn func(case: &Case, batch: &Batch) -> Result<Func, String> {
    if case
        .path
        .extension()
        .is_some_and(|extension| extension == "ufir")
    {
        let func = text::parse(&case.text).map_err(|error| error.to_string())?;
        ufc_ir::verify::verify(&func).map_err(|found| format!("{found:?}"))?;
        return Ok(func);
    }
    let module = Module::from_source(&case.path.display().to_string(), &case.text);
    let module = module.map_err(|error| error.to_string())?;
    ufc::pipeline::lower(&module, &batch.kernel, &batch.types).map_err(|error| error.to_string())
}

fn run_batch(
    batch: &Batch,
    func: Func,
    targets: &[String],
    errors: &mut Vec<String>,
) -> Result<(), String> {
    let kernel = Kernel::new(func)?;
    let inputs = inputs(batch, kernel.func())?;
    let meaning = kernel.meaning(&inputs, &[batch.elements()])?;
    for target in targets {
        let result = match target.as_str() {
            "interp" => {
                let written = expected(batch, kernel.func(), &meaning);
                written.and_then(|()| {
                    kernel
                        .check_optimized(&inputs, &meaning)
                        .map_err(|e| e.to_string())
                })
            }
            "spmd" => kernel
                .check_spmd(&CoreOnly, &inputs, &meaning)
                .map_err(|error| error.to_string()),
            word if wgpu::is_software(word) => wgpu::check(&kernel, word, &inputs, &meaning),
            word => on_target(&kernel, word, &inputs, &meaning),
        };
        if let Err(error) = result {
            errors.push(format!("`{}` on {target}: {error}", batch.kernel));
        }
    }
    Ok(())
}

/// Runs on a back end; one that is not there is counted by [`skipped`].
fn on_target(
    kernel: &Kernel,
    word: &str,
    inputs: &Columns,
    meaning: &Columns,
) -> Result<(), String> {
    let target: Target = word
        .parse()
        .map_err(|error: ufc::TargetError| error.to_string())?;
    let Ok(choice) = dispatch::choose(&target) else {
        return Ok(());
    };
    if word == "cpu" {
        // Others take the scalar form.
        let spmd = kernel.check_spmd(choice.legality(), inputs, meaning);
        spmd.map_err(|error| error.to_string())?;
    }
    for compiled in kernel
        .loops(choice.backend)
        .map_err(|error| error.to_string())?
    {
        kernel
            .check_loop(&compiled, inputs, meaning)
            .map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// The arguments of all calls as columns, repeated up to [`ELEMENTS`].
fn inputs(batch: &Batch, func: &Func) -> Result<Columns, String> {
    let dtypes = func.param_dtypes();
    let mut columns = vec![Vec::new(); dtypes.len()];
    for call in &batch.calls {
        if call.args.len() != dtypes.len() {
            return Err(format!(
                "line {}: {} arguments, not {}",
                call.line,
                call.args.len(),
                dtypes.len()
            ));
        }
        for ((column, dtype), text) in columns.iter_mut().zip(&dtypes).zip(&call.args) {
            column.push(
                text.value(*dtype)
                    .map_err(|error| format!("line {}: {error}", call.line))?,
            );
        }
    }
    let rows = batch.calls.len();
    let repeated = |column: &Vec<Const>| (0..batch.elements()).map(|i| column[i % rows]).collect();
    Ok(columns.iter().map(repeated).collect())
}

/// Compares the meaning of the first elements with what the calls say.
fn expected(batch: &Batch, func: &Func, meaning: &[Vec<Const>]) -> Result<(), String> {
    let mut errors = Vec::new();
    for (row, call) in batch.calls.iter().enumerate() {
        let found: Vec<Const> = meaning.iter().map(|column| column[row]).collect();
        let texts = match (&call.results, func.results.len()) {
            (Text::List(texts), n) if n > 1 => texts.clone(),
            (one, _) => vec![one.clone()],
        };
        if texts.len() != found.len() {
            return Err(format!(
                "line {}: {} results, not {}",
                call.line,
                texts.len(),
                found.len()
            ));
        }
        for (text, value) in texts.iter().zip(&found) {
            let wanted = text
                .value(value.dtype())
                .map_err(|error| format!("line {}: {error}", call.line))?;
            if values::ulps(wanted, *value).is_none_or(|ulps| ulps > call.ulps) {
                let (found, wanted) = (values::show(*value), values::show(wanted));
                errors.push(format!("line {}: gives {found}, not {wanted}", call.line));
            }
        }
    }
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors.join("\n"))
    }
}
