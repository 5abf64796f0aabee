//! Every core operation and function on every dtype.

use super::{check, check_on};
use ufc_ir::builder::Builder;
use ufc_ir::ops::{Accuracy, AnyOp, MathFn, Op};
use ufc_ir::testing::{Rng, for_seeds};
use ufc_ir::{Const, DType, Func, eval};

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
            let checked = std::panic::catch_unwind(|| {
                check(func, if is_math(func) { 1003 } else { 203 }, seed)
            });
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

/// Numbers of which products and sums meet: exponents near each other, near the ends of the range, and sums that cancel.
fn meeting_triples(rng: &mut Rng, dtype: DType, n: usize) -> Vec<Vec<Const>> {
    let (fraction, bias) = match dtype {
        DType::F32 => (23, 127u64),
        _ => (52, 1023),
    };
    let near = |rng: &mut Rng, low: u64, width: u64| {
        let bits = rng.bits();
        let sign = (bits >> 63) << (dtype.bits() - 1);
        let exponent = low + rng.bits() % width;
        let bits = sign | exponent << fraction | bits & ((1 << fraction) - 1);
        Const::from_bits(dtype, bits.into())
    };
    let mut columns = vec![Vec::new(); 3];
    for i in 0..n {
        let whole = 2 * bias + 1;
        let triple = match i % 4 {
            0 => [bias; 3].map(|b| near(rng, b - 30, 60)),
            1 => [
                near(rng, 0, bias),
                near(rng, bias / 2, bias / 2),
                near(rng, 0, bias / 8),
            ],
            2 => [whole; 3].map(|w| near(rng, 0, w)),
            _ => {
                let (a, b) = (near(rng, bias - 2, 4), near(rng, bias - 2, 4));
                let product = eval::eval(Op::Mul, &[a, b], dtype);
                [a, b, eval::eval(Op::Neg, &[product], dtype)]
            }
        };
        for (column, value) in columns.iter_mut().zip(triple) {
            column.push(value);
        }
    }
    columns
}

/// Made of other operations where the device's own does not round once: of integers, of f64 or of sums with their errors.
#[test]
fn products_and_sums_are_rounded_once() {
    for dtype in [DType::F32, DType::F64] {
        let func = single(AnyOp::Core(Op::MulAdd), dtype, None);
        for_seeds(1, &[], |seed| {
            let columns = meeting_triples(&mut Rng::new(seed), dtype, 1 << 14);
            check_on(&func, &columns, 1 << 14);
        });
    }
}
