//! Tests of the way from text to IR, by what the IR gives when it is run.

mod control;
mod limits;
mod mutations;
mod pages;
mod random;
mod values;

use crate::{Diagnostic, check};
use ufc_ir::func::Func;
use ufc_ir::interp::run;
use ufc_ir::verify::verify;
use ufc_ir::{Const, DType};

fn shown(diagnostics: &[Diagnostic]) -> Vec<String> {
    diagnostics
        .iter()
        .map(|d| format!("{d} at {} ({})", d.primary.span, d.primary.text))
        .collect()
}

/// Lowers the one kernel of a source.
fn lower(source: &str, types: &[DType]) -> Func {
    let (module, diagnostics) = check(source);
    assert!(
        diagnostics.is_empty(),
        "{source}\n{:#?}",
        shown(&diagnostics)
    );
    let name = module.kernels()[0].name.clone();
    let func = module
        .lower(&name, types)
        .unwrap_or_else(|e| panic!("{source}\n{:#?}", shown(&e)));
    if let Err(violations) = verify(&func) {
        panic!(
            "{source}\n{}\n{violations:?}",
            ufc_ir::text::print::print(&func)
        );
    }
    func
}

fn run_func(func: &Func, args: &[Const]) -> Vec<Const> {
    let inputs: Vec<Vec<Const>> = args.iter().map(|a| vec![*a]).collect();
    let results = run(
        func,
        1,
        &inputs,
        &|axis, _| axis.map_or(7, i64::from),
        Some(10_000_000),
    );
    let results = results.unwrap_or_else(|e| panic!("{e}\n{}", ufc_ir::text::print::print(func)));
    results.into_iter().map(|lanes| lanes[0]).collect()
}

fn eval(source: &str, types: &[DType], args: &[Const]) -> Vec<Const> {
    run_func(&lower(source, types), args)
}

fn i32s(values: &[i32]) -> Vec<Const> {
    values
        .iter()
        .map(|v| Const::int(DType::I32, (*v).into()))
        .collect()
}

/// Runs the body of a kernel with parameters `a`, `b` and result `i32`.
fn ints(body: &str, a: i32, b: i32) -> i32 {
    let source = format!("pub fn k(a: i32, b: i32) -> i32 {{ {body} }}");
    eval(&source, &[], &i32s(&[a, b]))[0].as_int() as i32
}

const MANDELBROT: &str = "
pub fn mandelbrot(re: f32, im: f32, iters: u32) -> u8 {
    let c = c64(re, im);
    let mut z = c64(0.0, 0.0);
    for i in 0..iters {
        z = z * z + c;
        if z.norm_sqr() >= 4.0 { return i as u8; }
    }
    255
}";

#[test]
fn mandelbrot_is_one_flat_loop() {
    let func = lower(MANDELBROT, &[]);
    let mut loops = 0;
    func.for_each_inst(|region, inst| match func.insts[inst].kind {
        ufc_ir::func::InstKind::Loop { .. } => {
            loops += 1;
            assert_eq!(region, func.body);
        }
        ufc_ir::func::InstKind::If { .. } => panic!("an if"),
        _ => {}
    });
    assert_eq!(loops, 1);
}
