//! The example kernels: every test case holds, the IR is as expected, and every form gives the same bits.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use ufc::{Const, DType, Module, Target, dispatch};
use ufc_ir::testing::{self, Rng};
use ufc_ir::{Func, text};
use ufc_target::legality::CoreOnly;

use super::exec::{Columns, Kernel};
use super::{Outcome, expect, files, root, values, wgpu};

/// Random elements that every example is run on.
const ELEMENTS: usize = 150;

/// A kind of test, by its name.
type Test = (&'static str, fn(&Path) -> Outcome);

/// What is tested of each example.
const TESTS: &[Test] = &[("cases", cases), ("golden", golden), ("agree", agree)];

/// Every test of every example.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = Vec::new();
    for path in files(&root().join("kernels/examples")) {
        let Some(name) = path
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
        else {
            continue;
        };
        for (kind, test) in TESTS {
            let path: PathBuf = path.clone();
            trials.push(Trial::test(format!("examples/{kind}/{name}"), move || {
                test(&path)
            }));
        }
    }
    trials
}

/// Every `#[test_case]` of the file holds.
fn cases(path: &Path) -> Outcome {
    let module = Module::from_file(path)?;
    let mut failed = Vec::new();
    let checked = module.checked().ok_or("the module has no text")?;
    for kernel in module.kernels() {
        let cases = checked.test_cases(&kernel.name);
        for case in cases.map_err(|found| format!("{found:?}"))? {
            let (line, _) = case.span.line_column(module.source());
            let lowered = ufc::pipeline::lower(&module, &kernel.name, &case.types)?;
            let args = Kernel::new(case.args)?.meaning(&[], &[1])?;
            let expected = Kernel::new(case.expected)?.meaning(&[], &[1])?;
            let found = Kernel::new(lowered)?.meaning(&args, &[1])?;
            let far = |a: &Const, b: &Const| {
                values::ulps(*a, *b).is_none_or(|ulps| ulps > case.ulp.into())
            };
            if expected
                .concat()
                .iter()
                .zip(&found.concat())
                .any(|(a, b)| far(a, b))
            {
                failed.push(format!(
                    "line {line}: gives {}",
                    values::show_all(found.concat())
                ));
            }
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n").into())
    }
}

/// Every kernel of the file as IR, for the first dtypes that its bounds have.
fn golden(path: &Path) -> Outcome {
    let module = Module::from_file(path)?;
    let mut printed = Vec::new();
    for (kernel, types) in loops(&module) {
        let is_first = printed.iter().all(|(name, _)| *name != kernel);
        if is_first {
            printed.push((
                kernel.clone(),
                text::print(&ufc::pipeline::lower(&module, &kernel, &types)?),
            ));
        }
    }
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let all: Vec<String> = printed.into_iter().map(|(_, text)| text).collect();
    expect::file(
        &root().join(format!("tests/golden/{name}.ir")),
        &all.join("\n"),
    )
}

/// Every loop of every kernel compiles at every stage, and gives the same bits in every form on random inputs.
fn agree(path: &Path) -> Outcome {
    let module = Module::from_file(path)?;
    let target = super::target_under_test();
    let choice = dispatch::choose(&target)?;
    let seed = seed();
    for (name, types) in loops(&module) {
        let located = |error: String| format!("`{name}` for {types:?}, UFC_SEED={seed}: {error}");
        let kernel = Kernel::new(ufc::pipeline::lower(&module, &name, &types)?)?;
        let inputs = inputs(seed, kernel.func());
        let meaning = kernel.meaning(&inputs, &[ELEMENTS]).map_err(located)?;
        kernel
            .check_optimized(&inputs, &meaning)
            .map_err(|error| located(error.to_string()))?;
        kernel
            .check_spmd(&CoreOnly, &inputs, &meaning)
            .map_err(|error| located(error.to_string()))?;
        let loops = kernel
            .loops(choice.backend)
            .map_err(|error| located(error.to_string()))?;
        for compiled in &loops {
            let checked = kernel.check_loop(compiled, &inputs, &meaning);
            checked.map_err(|error| located(error.to_string()))?;
        }
        if target != Target::CPU {
            continue;
        }
        let long = kernel.check_long_broadcasts(&loops[0], &inputs);
        long.map_err(|error| located(error.to_string()))?;
        for word in wgpu::SOFTWARE {
            wgpu::check(&kernel, word, &inputs, &meaning)
                .map_err(|error| located(format!("{word}: {error}")))?;
        }
    }
    Ok(())
}

/// The seed of this run: `UFC_SEED`, or a fresh one.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("UFC_SEED")
        .ok()
        .and_then(|text| text.parse().ok());
    given.unwrap_or_else(testing::fresh_seed)
}

/// Every kernel with every choice of types that its bounds allow, the same dtype for all its generic parameters.
fn loops(module: &Module) -> Vec<(String, Vec<DType>)> {
    let mut loops = Vec::new();
    for kernel in module.kernels() {
        let bounds: Vec<_> = kernel.generics.iter().map(|generic| generic.set).collect();
        if bounds.is_empty() {
            loops.push((kernel.name.clone(), Vec::new()));
        }
        for dtype in DType::ALL
            .iter()
            .filter(|d| !bounds.is_empty() && bounds.iter().all(|b| b.contains(**d)))
        {
            loops.push((kernel.name.clone(), vec![*dtype; bounds.len()]));
        }
    }
    loops
}

/// Random inputs; small integers for kernels that may use them to count turns of a loop.
fn inputs(seed: u64, func: &Func) -> Columns {
    let mut has_loop = false;
    func.for_each_inst(|_, inst| has_loop |= func.insts[inst].kind.regions().next().is_some());
    let mut rng = Rng::new(seed);
    let mut value = |dtype: DType| {
        let value = testing::random_const(&mut rng, dtype);
        if has_loop && dtype.is_int() {
            Const::int(dtype, value.as_int().rem_euclid(100))
        } else {
            value
        }
    };
    func.param_dtypes()
        .into_iter()
        .map(|dtype| (0..ELEMENTS).map(|_| value(dtype)).collect())
        .collect()
}
