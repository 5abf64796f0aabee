//! Every core operation and function on every dtype.

use super::check;
use ufc_ir::builder::Builder;
use ufc_ir::ops::{Accuracy, AnyOp, MathFn, Op};
use ufc_ir::testing::for_seeds;
use ufc_ir::{DType, Func};

/// A function that does one operation on its parameters.
fn single(op: AnyOp, dtype: DType, to: Option<DType>) -> Func {
    let mut func = Func::new(&format!(
        "{} {dtype} {}",
        op.name(),
        to.map_or("", DType::name)
    ));
    let mut b = Builder::new(&mut func);
    let rule = op.rule();
    let args: Vec<_> = (0..rule.arity())
        .map(|i| {
            let own = rule.argument(i, dtype).iter().next();
            let of = if i == rule.key() { Some(dtype) } else { own };
            b.param(&format!("p{i}"), of.expect("some dtype"))
        })
        .collect();
    let results = match (op, to) {
        (AnyOp::Core(Op::Convert), Some(to)) => vec![b.convert(args[0], to)],
        (AnyOp::Core(Op::Bitcast), Some(to)) => vec![b.bitcast(args[0], to)],
        (AnyOp::Core(op), _) => vec![b.op(op, &args)],
        (AnyOp::Math(f), _) => b.math(f, &args),
    };
    b.finish(results);
    func
}

/// Every operation on every dtype that it takes; conversions with every result.
pub(super) fn cases() -> Vec<Func> {
    let mut cases = Vec::new();
    for op in AnyOp::all() {
        for &dtype in DType::ALL {
            let takes = op.rule().set().contains(dtype) && op != AnyOp::Core(Op::Any);
            if !takes || is_repeated(op, dtype) {
                continue;
            }
            if matches!(op, AnyOp::Core(Op::Convert | Op::Bitcast)) {
                let fits = |to: &&DType| op.rule().check(&[dtype], Some(**to)).is_ok();
                let results = DType::ALL.iter().filter(fits);
                cases.extend(results.map(|to| single(op, dtype, Some(*to))));
            } else {
                cases.push(single(op, dtype, None));
            }
        }
    }
    cases
}

/// Runs a share of the cases, so that threads share them out.
fn run(keep: impl Fn(&Func) -> bool + std::panic::RefUnwindSafe) {
    let cases: Vec<Func> = cases().into_iter().filter(|f| keep(f)).collect();
    assert!(cases.len() > 10);
    for_seeds(1, &[], |seed| {
        let mut failed = Vec::new();
        for func in &cases {
            let checked = std::panic::catch_unwind(|| check(func, 203, seed, is_slow(func)));
            if let Err(cause) = checked {
                let text = cause.downcast_ref::<String>().cloned().unwrap_or_default();
                failed.push(text.chars().take(400).collect::<String>());
            }
        }
        assert!(
            failed.is_empty(),
            "{} of {}:\n{}",
            failed.len(),
            cases.len(),
            failed.join("\n")
        );
    });
}

/// Functions of f16 and bf16 are those of f32, and those of c128 are as those of c64; drivers take seconds for them.
fn is_repeated(op: AnyOp, dtype: DType) -> bool {
    let AnyOp::Math(f) = op else { return false };
    let is_exact = f.info().accuracy == Accuracy::Exact;
    !is_exact && matches!(dtype, DType::F16 | DType::BF16 | DType::C128)
}

/// Functions for which a GL driver takes seconds: what they are made of is tested there by others.
fn is_slow(func: &Func) -> bool {
    let name = func.name.split(' ').next().unwrap_or_default();
    let mut named = AnyOp::named(name);
    let of_math = |op| matches!(op, AnyOp::Math(f) if f.info().accuracy != Accuracy::Exact);
    named.any(of_math) && !matches!(name, "exp2" | "sqrt" | "hypot")
}

fn is_math(func: &Func) -> bool {
    let name = func.name.split(' ').next().unwrap_or_default();
    MathFn::ALL.iter().any(|f| f.info().name == name)
}

fn is_conversion(func: &Func) -> bool {
    func.name.starts_with("convert") || func.name.starts_with("bitcast")
}

#[test]
fn core_operations_give_the_interpreters_bits() {
    run(|func| !is_math(func) && !is_conversion(func));
}

#[test]
fn conversions_give_the_interpreters_bits() {
    run(is_conversion);
}

#[test]
fn functions_give_the_interpreters_bits() {
    run(is_math);
}
