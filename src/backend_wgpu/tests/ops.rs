//! Every core operation and function on every dtype.

use super::{check_on, devices, legal, random_columns};
use crate::WgpuBackend;
use ufc_ir::builder::Builder;
use ufc_ir::ops::{AnyOp, MathFn, Op};
use ufc_ir::testing::{Rng, for_seeds, random_const};
use ufc_ir::{Const, DType, Func, convert, eval};
use ufc_target::{Backend, CompileOptions};

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
            if !takes {
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
    assert!(cases.len() > 5);
    for_seeds(1, &[], |seed| {
        let mut failed = Vec::new();
        for func in &cases {
            let checked = std::panic::catch_unwind(|| {
                let mut rng = Rng::new(seed);
                match math(func) {
                    None => check_on(func, &random_columns(&mut rng, func, 203), 203),
                    Some(f) => check_on(func, &columns_for(&mut rng, f, func, 1003), 1003),
                }
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

/// The function that a case is of, if it is of one.
fn math(func: &Func) -> Option<MathFn> {
    let name = func.name.split(' ').next().unwrap_or_default();
    MathFn::ALL.iter().copied().find(|f| f.info().name == name)
}

/// Elements of any sort, and as many where a function is hardest: any bits alone are mostly beyond its range.
fn columns_for(rng: &mut Rng, f: MathFn, func: &Func, n: usize) -> Vec<Vec<Const>> {
    let plain: &[(f64, f64)] = &[(-8.0, 8.0)];
    let domain = match f.info().domain {
        [] => plain,
        own => own,
    };
    let hard = |rng: &mut Rng, dtype: DType| {
        let (low, high) = rng.choose(domain);
        let unit = (rng.bits() >> 11) as f64 / (1u64 << 53) as f64;
        convert::from_f64(dtype, low + (high - low) * unit)
    };
    let value = |rng: &mut Rng, dtype: DType| match dtype {
        _ if rng.one_in(2) => random_const(rng, dtype),
        DType::C64 | DType::C128 => {
            let (re, im) = (hard(rng, dtype.part()), hard(rng, dtype.part()));
            Const::complex(re, im).expect("parts of a complex dtype")
        }
        _ if dtype.is_float() => hard(rng, dtype),
        _ => random_const(rng, dtype),
    };
    let dtypes = func.param_dtypes().into_iter();
    dtypes
        .map(|dtype| (0..n).map(|_| value(rng, dtype)).collect())
        .collect()
}

/// Whether a case is a function with arguments of one of these dtypes.
fn is_math_of(func: &Func, dtypes: &[DType]) -> bool {
    math(func).is_some() && dtypes.contains(&func.param_dtypes()[0])
}

fn is_conversion(func: &Func) -> bool {
    func.name.starts_with("convert") || func.name.starts_with("bitcast")
}

#[test]
fn core_operations_give_the_interpreters_bits() {
    run(|func| math(func).is_none() && !is_conversion(func));
}

#[test]
fn conversions_give_the_interpreters_bits() {
    run(is_conversion);
}

#[test]
fn functions_of_integers_give_the_interpreters_bits() {
    run(|func| math(func).is_some() && func.param_dtypes()[0].is_int());
}

#[test]
fn functions_of_f32_and_c64_give_the_interpreters_bits() {
    run(|func| is_math_of(func, &[DType::F32, DType::C64]));
}

#[test]
fn functions_of_f64_give_the_interpreters_bits() {
    run(|func| is_math_of(func, &[DType::F64]));
}

#[test]
fn functions_of_c128_give_the_interpreters_bits() {
    run(|func| is_math_of(func, &[DType::C128]));
}

#[test]
fn functions_of_f16_give_the_interpreters_bits() {
    run(|func| is_math_of(func, &[DType::F16]));
}

#[test]
fn functions_of_bf16_give_the_interpreters_bits() {
    run(|func| is_math_of(func, &[DType::BF16]));
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

/// The list of devices says what shaders of an open device do, and it is what they do.
#[test]
fn open_devices_tell_how_products_and_sums_are_rounded() {
    let func = single(AnyOp::Core(Op::MulAdd), DType::F32, None);
    for device in devices() {
        let options = CompileOptions {
            device: Some(device.clone()),
            ..CompileOptions::default()
        };
        let text = WgpuBackend.emit(&legal(&func), &options, "wgsl");
        let text = text.expect("it is emitted");
        let listed = WgpuBackend.devices().expect("they are there");
        let notes = listed.iter().find(|d| d.name == device).map(|d| &d.notes);
        let notes = notes.expect("it is listed").join("; ");
        let (said, call) = [
            ("f32 is the device's own", " = fma("),
            ("f32 is made of f64", "fma_f32_in_f64("),
            ("f32 is made of integers", "fma_f32("),
        ]
        .into_iter()
        .find(|(said, _)| notes.contains(said))
        .unwrap_or_else(|| panic!("{device}: {notes}"));
        assert!(text.contains(call), "{said}: {text}");
    }
}
