#![no_main]
//! Random functions give the same bits interpreted, optimized, in SPMD form and compiled for the CPU.

use libfuzzer_sys::fuzz_target;
use ufc::{Target, dispatch};
use ufc_ir::ops::MathFn;
use ufc_ir::testing::{Config, random_func, random_inputs};

#[path = "../../tests/harness"]
#[expect(dead_code, reason = "the file tests use more of it")]
mod harness {
    pub(crate) mod exec;
    pub(crate) mod memory;
    pub(crate) mod values;
}

use harness::exec::Kernel;

/// Elements of every operand.
const ELEMENTS: usize = 40;

fuzz_target!(|input: (u64, u8, bool)| {
    let (seed, size, with_math) = input;
    // All but the one that shows the sign of a NaN, which may be any.
    let math = MathFn::ALL
        .iter()
        .filter(|f| with_math && **f != MathFn::Copysign);
    let math = math.copied().collect();
    let config = Config {
        size: usize::from(size),
        math,
        ..Config::default()
    };
    let func = random_func(seed, &config);
    let inputs = random_inputs(seed, &func, ELEMENTS);
    let kernel = Kernel::new(func).expect("every function can be expanded");
    let Ok(expected) = kernel.meaning(&inputs, &[ELEMENTS]) else {
        return;
    };
    let cpu = dispatch::choose(&Target::CPU)
        .expect("this machine has a processor")
        .backend;
    kernel.check_optimized(&inputs, &expected).unwrap();
    kernel
        .check_spmd(cpu.legality(None), &inputs, &expected)
        .unwrap();
    for compiled in kernel.loops(cpu).unwrap() {
        kernel.check_loop(&compiled, &inputs, &expected).unwrap();
    }
});
