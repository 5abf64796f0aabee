//! Every core operation, conversion and function on every dtype, one kernel each, on the target that is asked for.

use libtest_mimic::Trial;
use ufc::{Const, DType, dispatch};
use ufc_ir::Func;
use ufc_ir::builder::Builder;
use ufc_ir::ops::{MathFn, Op, Rule};
use ufc_ir::testing::{self, Rng};

use super::exec::{Columns, Kernel};
use super::memory::Placement;
use super::{Outcome, examples};

/// Elements that each kernel is run on: some vectors of the widest kind, and a rest.
const ELEMENTS: usize = 83;

/// One trial for each dtype.
pub(crate) fn trials() -> Vec<Trial> {
    let trial = |dtype: &'static DType| Trial::test(format!("ops/{dtype}"), || all(*dtype));
    DType::ALL.iter().map(trial).collect()
}

/// Every function of one operation on a dtype.
fn funcs(dtype: DType) -> Vec<Func> {
    let mut funcs = Vec::new();
    for op in Op::ALL.iter().filter(|op| **op != Op::Any) {
        let rule = op.info().rule;
        let results: Vec<Option<DType>> = match rule {
            Rule::Convert | Rule::Bitcast => DType::ALL.iter().copied().map(Some).collect(),
            _ => vec![None],
        };
        for to in results {
            let args: Vec<DType> = arguments(rule, dtype);
            // A NaN's bits may be any: they are not looked at.
            let shows_nan = rule == Rule::Bitcast && dtype.is_float();
            if rule.check(&args, to).is_err() || shows_nan || to == Some(dtype) {
                continue;
            }
            funcs.push(func(op.info().name, &args, |b, args| match (op, to) {
                (Op::Convert, Some(to)) => vec![b.convert(args[0], to)],
                (Op::Bitcast, Some(to)) => vec![b.bitcast(args[0], to)],
                _ => vec![b.op(*op, args)],
            }));
        }
    }
    for f in MathFn::ALL {
        let args = arguments(f.info().rule, dtype);
        // The sign of a NaN may be any.
        if f.info().rule.check(&args, None).is_ok() && *f != MathFn::Copysign {
            funcs.push(func(f.info().id, &args, |b, args| b.math(*f, args)));
        }
    }
    funcs
}

/// Argument dtypes of a rule whose `T` is this dtype.
fn arguments(rule: Rule, dtype: DType) -> Vec<DType> {
    let one = |i: usize| match i == rule.key() {
        true => dtype,
        false => rule.argument(i, dtype).iter().next().unwrap_or(dtype),
    };
    (0..rule.arity()).map(one).collect()
}

fn func(
    name: &str,
    args: &[DType],
    body: impl Fn(&mut Builder<'_>, &[ufc_ir::func::Value]) -> Vec<ufc_ir::func::Value>,
) -> Func {
    let mut func = Func::new(name);
    let mut b = Builder::new(&mut func);
    let params: Vec<_> = args.iter().map(|dtype| b.param("x", *dtype)).collect();
    let results = body(&mut b, &params);
    b.finish(results);
    func
}

fn all(dtype: DType) -> Outcome {
    let choice = dispatch::choose(&super::target_under_test())?;
    let device = choice.device.name.clone();
    let seed = examples::seed();
    let mut rng = Rng::new(seed);
    let mut count = 0;
    for func in funcs(dtype) {
        let located = |what: String| format!("`{}` on {dtype}, UFC_SEED={seed}: {what}", func.name);
        let kernel = Kernel::new(func.clone()).map_err(located)?;
        let column = |dtype: DType| -> Vec<Const> {
            (0..ELEMENTS)
                .map(|_| testing::random_const(&mut rng, dtype))
                .collect()
        };
        let inputs: Columns = func.param_dtypes().into_iter().map(column).collect();
        let expected = kernel.meaning(&inputs, &[ELEMENTS]).map_err(located)?;
        for (interleave, placement) in [
            (16, Placement::CONTIGUOUS),
            (1, Placement::STRIDED),
            (1, Placement::ODD),
        ] {
            let compiled = kernel.compile(choice.backend, &device, interleave);
            let compiled = compiled.map_err(|error| located(error.to_string()))?;
            let placements = vec![placement; inputs.len() + expected.len()];
            let checked = compiled.check(&inputs, &expected, &[ELEMENTS], &placements);
            checked.map_err(|error| located(error.to_string()))?;
        }
        count += 1;
    }
    // The fewest are those of bool.
    match count {
        0..15 => Err(format!("only {count} operations on {dtype}").into()),
        _ => Ok(()),
    }
}
