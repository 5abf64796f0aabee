//! Differential tests: random kernels on random operands must give the same bits in every form.
//!
//! Every run takes fresh seeds and prints the one that failed; `UFC_SEED` repeats it, `UFC_KERNELS` sets how many
//! kernels each test tries, `UFC_TRACE=1` prints each seed beforehand. A failure is reduced and printed as a run test, ready to be saved under
//! `tests/filetests/run`.

mod reduce;
mod robust;
mod source;

use std::panic::{AssertUnwindSafe, catch_unwind};

use libtest_mimic::{Failed, Trial};
use ufc::{DType, Module, Target, dispatch};
use ufc_ir::ops::{MathFn, Op};
use ufc_ir::testing::{self, Config, Rng};
use ufc_ir::{Func, TypeSet, text};
use ufc_target::legality::CoreOnly;

use crate::harness::exec::{Kernel, Mismatch};
use crate::harness::memory::Placement;
use crate::harness::{values, wgpu};

/// Kernels that each test tries unless `UFC_KERNELS` says otherwise.
const KERNELS: usize = 40;
/// One kernel in so many runs on Mesa's software devices too: their driver takes its time to compile them.
const ON_SOFTWARE: usize = 6;
/// Most elements of a random operand.
const ELEMENTS: usize = 60;
/// Most elements of some, which fill two turns of eight of the widest vectors of bytes.
const MANY_ELEMENTS: usize = 1100;

/// A kind of random kernels in IR.
struct Theme {
    name: &'static str,
    config: fn() -> Config,
}

/// The kinds of random kernels.
const THEMES: &[Theme] = &[
    Theme {
        name: "integers",
        config: || of(TypeSet::INT.or(TypeSet::BOOL)),
    },
    Theme {
        name: "bytes",
        config: || of([DType::Bool, DType::I8, DType::U8].into_iter().collect()),
    },
    Theme {
        name: "small_integers",
        config: || {
            of([DType::Bool, DType::I8, DType::U8, DType::I16, DType::U16]
                .into_iter()
                .collect())
        },
    },
    Theme {
        name: "floats",
        config: || of([DType::F32, DType::F64].into_iter().collect()),
    },
    Theme {
        name: "small_floats",
        config: || of([DType::F16, DType::BF16].into_iter().collect()),
    },
    Theme {
        name: "complex",
        config: || of(TypeSet::COMPLEX),
    },
    Theme {
        name: "all_dtypes",
        config: || of(TypeSet::ANY),
    },
    Theme {
        name: "deep",
        config: || Config {
            depth: 6,
            size: 80,
            ..Config::default()
        },
    },
    Theme {
        name: "math",
        config: || Config {
            math: plain_math(),
            size: 12,
            ..Config::default()
        },
    },
];

/// Every function but the one that shows the sign of a NaN, which may be any.
fn plain_math() -> Vec<MathFn> {
    let all = MathFn::ALL.iter().copied();
    all.filter(|f| *f != MathFn::Copysign).collect()
}

fn of(dtypes: TypeSet) -> Config {
    Config {
        dtypes,
        ops: Op::ALL.to_vec(),
        ..Config::default()
    }
}

/// Every differential and robustness test.
pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<Trial> = THEMES
        .iter()
        .map(|theme| Trial::test(format!("diff/ir/{}", theme.name), || random_ir(theme)))
        .collect();
    trials.push(Trial::test("diff/source", random_source));
    trials.extend(robust::trials());
    trials
}

/// Seeds to try: `UFC_SEED` alone if it is set, else fresh ones.
fn seeds() -> Vec<u64> {
    let number = |name: &str| {
        std::env::var(name)
            .ok()
            .and_then(|text| text.parse::<u64>().ok())
    };
    if let Some(seed) = number("UFC_SEED") {
        return vec![seed];
    }
    let start = testing::fresh_seed();
    let count = number("UFC_KERNELS").unwrap_or(KERNELS as u64);
    (0..count).map(|i| start.wrapping_add(i)).collect()
}

fn random_ir(theme: &Theme) -> Result<(), Failed> {
    for seed in seeds() {
        let func = testing::random_func(seed, &(theme.config)());
        agree(seed, &func, "")?;
    }
    Ok(())
}

/// Generated text must be accepted, and be compiled to code that agrees.
fn random_source() -> Result<(), Failed> {
    for seed in seeds() {
        let source = source::generate(seed);
        let module = Module::from_source("random.ufk", &source).map_err(|error| {
            format!("UFC_SEED={seed}: a generated kernel is refused: {error}\n{source}")
        })?;
        let func = ufc::pipeline::lower(&module, "kernel", &[])
            .map_err(|error| format!("UFC_SEED={seed}: {error}\n{source}"))?;
        agree(seed, &func, &source)?;
    }
    Ok(())
}

/// Compares every form; reduces and reports a kernel on which one differs.
fn agree(seed: u64, func: &Func, source: &str) -> Result<(), Failed> {
    trace(seed);
    let Err(first) = check(seed, func) else {
        return Ok(());
    };
    let fails = |func: &Func| check(seed, func).is_err_and(|mismatch| mismatch.is_like(&first));
    let small = reduce::reduce(func, fails);
    let mismatch = check(seed, &small).err().unwrap_or(first);
    let (args, results) = mismatch.element.clone().unwrap_or_else(|| {
        let inputs = testing::random_inputs(seed, &small, 1);
        (inputs.iter().map(|column| column[0]).collect(), Vec::new())
    });
    let results = match results.len() {
        1 => values::show(results[0]),
        _ => format!("({})", values::show_all(results)),
    };
    let report = format!(
        "UFC_SEED={seed}: {mismatch}\nas a run test (.ufir):\n\n; run: {}({}) == {results}\n{}\n{source}",
        small.name,
        values::show_all(args),
        text::print(&small),
    );
    Err(report.into())
}

/// Tells the seed that comes next, to find one that ends the process; only if `UFC_TRACE` is set.
#[expect(
    clippy::print_stderr,
    reason = "asked for, and the process may not live to report otherwise"
)]
fn trace(seed: u64) {
    if std::env::var_os("UFC_TRACE").is_some() {
        eprintln!("UFC_SEED={seed}");
    }
}

/// Compares every form of a function on random operands; everything follows from the seed. A panic is a mismatch.
fn check(seed: u64, func: &Func) -> Result<(), Mismatch> {
    let result = catch_unwind(AssertUnwindSafe(|| try_check(seed, func)));
    result.unwrap_or_else(|cause| {
        let text = cause.downcast_ref::<String>().cloned();
        let text = text.or_else(|| cause.downcast_ref::<&str>().map(ToString::to_string));
        let what = format!("it panicked: {}", text.unwrap_or_default());
        Err(Mismatch {
            form: "compiler".to_string(),
            what,
            element: None,
        })
    })
}

fn try_check(seed: u64, func: &Func) -> Result<(), Mismatch> {
    let fail = |what: String| Mismatch {
        form: "interp".to_string(),
        what,
        element: None,
    };
    let mut rng = Rng::new(seed ^ 0x5eed);
    let most = if rng.one_in(6) {
        MANY_ELEMENTS
    } else {
        ELEMENTS
    };
    let n = 1 + rng.below(most);
    let mut inputs = testing::random_inputs(seed, func, n);
    // Some inputs are one element for all.
    let broadcast: Vec<bool> = inputs.iter().map(|_| rng.one_in(4)).collect();
    for (column, _) in inputs.iter_mut().zip(&broadcast).filter(|(_, one)| **one) {
        *column = vec![column[0]; n];
    }
    let kernel = Kernel::new(func.clone()).map_err(fail)?;
    let expected = kernel.meaning(&inputs, &[n]).map_err(fail)?;
    kernel.check_optimized(&inputs, &expected)?;
    let target = crate::harness::target_under_test();
    let choice = dispatch::choose(&target).map_err(|error| fail(error.to_string()))?;
    kernel.check_spmd(&CoreOnly, &inputs, &expected)?;
    if target == Target::CPU {
        kernel.check_spmd(choice.legality(), &inputs, &expected)?;
    }
    let on_software = |word: &str| {
        let checked = wgpu::check(&kernel, word, &inputs, &expected);
        // What it says begins with the form, as other mismatches do.
        checked.map_err(|what| fail(format!("{word}: {what}")))
    };
    if wgpu::is_software(&target.to_string()) {
        return on_software(&target.to_string());
    }
    if target == Target::CPU && rng.one_in(ON_SOFTWARE) {
        on_software(rng.choose(&wgpu::SOFTWARE))?;
    }
    let devices = Kernel::devices(choice.backend)?;
    let device = &devices[rng.below(devices.len())];
    let compiled = kernel.compile(choice.backend, device, rng.choose(&[1, 2, 4, 8]))?;
    for round in 0..4 {
        let shape = [if round == 0 { n } else { 1 + rng.below(n) }];
        let mut placement = |k: usize| match broadcast.get(k) {
            Some(true) => Placement::BROADCAST,
            _ if round == 0 => Placement::CONTIGUOUS,
            _ => rng.choose(&Placement::SPREAD),
        };
        let placements: Vec<Placement> = (0..inputs.len() + expected.len())
            .map(&mut placement)
            .collect();
        compiled.check(&inputs, &expected, &shape, &placements)?;
    }
    Ok(())
}
