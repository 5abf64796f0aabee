//! Tests over random functions: passes keep their meaning, and so do the text and byte forms.

use crate::constant::Const;
use crate::dtype::{DType, TypeSet};
use crate::func::Func;
use crate::interp::{InterpError, run};
use crate::ops::Op;
use crate::passes::{
    carry, counter, cse, dce, fold, if_convert, licm, merge, simplify, sink, spmd, unroll,
};
use crate::testing::{Config, Rng, for_seeds, random_func, random_inputs};
use crate::text::{parse, print};
use crate::verify::verify;

type Pass = (&'static str, fn(&mut Func) -> bool);

const PASSES: [Pass; 11] = [
    ("fold", fold::run),
    ("simplify", simplify::run),
    ("cse", cse::run),
    ("dce", dce::run),
    ("licm", licm::run),
    ("if_convert", if_convert::run),
    ("carry", carry::run),
    ("unroll", unroll::run),
    ("counter", counter::run),
    ("sink", sink::run),
    ("merge", merge::run),
];

/// More than any function needs whose loops end.
const FUEL: u64 = 10_000_000;

fn position(axis: Option<u8>, lane: usize) -> i64 {
    (lane as i64 * 7 + axis.map_or(0, i64::from) * 3) % 11
}

/// Runs the scalar form lane by lane.
fn run_lanes(func: &Func, inputs: &[Vec<Const>], lanes: usize) -> Vec<Vec<Const>> {
    let mut results = vec![Vec::new(); func.results.len()];
    for lane in 0..lanes {
        let one: Vec<Vec<Const>> = inputs.iter().map(|input| vec![input[lane]]).collect();
        let found = run(func, 1, &one, &|axis, _| position(axis, lane), Some(FUEL));
        let found = found.unwrap_or_else(|e| panic!("{e}\n{}", print(func)));
        for (result, found) in results.iter_mut().zip(found) {
            result.push(found[0]);
        }
    }
    results
}

fn same(a: &[Vec<Const>], b: &[Vec<Const>]) -> bool {
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    a.len() == b.len() && pairs.into_iter().all(|(a, b)| a.same(*b))
}

fn check_verified(func: &Func, after: &str) {
    if let Err(violations) = verify(func) {
        panic!("after {after}: {}\n{}", violations[0], print(func));
    }
}

fn configs(seed: u64) -> Config {
    let mut config = Config {
        size: 10 + seed as usize % 60,
        ..Config::default()
    };
    // Few dtypes make for more that is common, foldable and carried.
    config.dtypes = match seed % 4 {
        0 => TypeSet::ANY,
        1 => TypeSet::one(DType::F32),
        2 => TypeSet::INT,
        _ => TypeSet::one(DType::I64).or(TypeSet::one(DType::C64)),
    };
    config
}

fn check_pass(seed: u64, before: &Func, (name, pass): Pass, func: &mut Func) {
    let told = pass(func);
    check_verified(func, name);
    let inputs = random_inputs(seed, before, 4);
    let expected = run_lanes(before, &inputs, 4);
    let found = run_lanes(func, &inputs, 4);
    assert!(
        same(&expected, &found),
        "{name} changed {expected:?} to {found:?} for {inputs:?}\n{}\n{}",
        print(before),
        print(func)
    );
    assert!(
        told || print(before) == print(func),
        "{name} said that it changed nothing\n{}\n{}",
        print(before),
        print(func)
    );
}

/// Seeds that every run tries; some have found mistakes.
const FIXED: [u64; 6] = [
    0,
    1,
    2,
    3,
    1_597_297_400_883_742_903,
    15_678_309_547_709_630_223,
];

/// How many fresh seeds each test tries.
const SEEDS: usize = 300;

#[test]
fn random_functions_are_well_formed_and_end() {
    for_seeds(SEEDS, &FIXED, |seed| {
        let func = random_func(seed, &configs(seed));
        check_verified(&func, "generation");
        let inputs = random_inputs(seed, &func, 2);
        run_lanes(&func, &inputs, 2);
    });
}

#[test]
fn every_operation_and_shape_occurs() {
    let mut found = std::collections::HashSet::new();
    for seed in 0..400 {
        let func = random_func(seed, &Config::default());
        func.for_each_inst(|_, inst| {
            let data = &func.insts[inst];
            let dtype = func.key_dtype(inst);
            found.insert((format!("{:?}", data.kind.op()), dtype));
        });
    }
    for &op in Op::ALL.iter().filter(|op| **op != Op::Any) {
        let name = format!("{:?}", Some(crate::ops::AnyOp::Core(op)));
        for dtype in op.info().rule.set().iter() {
            assert!(
                found.contains(&(name.clone(), Some(dtype))),
                "{op:?} on {dtype} never occurs"
            );
        }
    }
}

#[test]
fn each_pass_keeps_the_meaning() {
    for_seeds(SEEDS, &FIXED, |seed| {
        let before = random_func(seed, &configs(seed));
        for pass in PASSES {
            check_pass(seed, &before, pass, &mut before.clone());
        }
    });
}

#[test]
fn passes_in_any_order_keep_the_meaning() {
    for_seeds(SEEDS, &FIXED, |seed| {
        let mut func = random_func(seed, &configs(seed));
        let mut rng = Rng::new(seed);
        for _ in 0..12 {
            let before = func.clone();
            let pass = rng.choose(&PASSES);
            check_pass(seed, &before, pass, &mut func);
        }
    });
}

#[test]
fn lanes_together_agree_with_each_alone() {
    for_seeds(SEEDS, &FIXED, |seed| {
        let scalar = random_func(seed, &configs(seed));
        let mut optimized = scalar.clone();
        for (_, pass) in PASSES {
            pass(&mut optimized);
        }
        for func in [&scalar, &optimized] {
            let mut form = func.clone();
            spmd::run(&mut form);
            check_verified(&form, "spmd");
            let mut cleaned = form.clone();
            for pass in [fold::run, simplify::run, cse::run, licm::run, dce::run] {
                pass(&mut cleaned);
                check_verified(&cleaned, "a pass over the SPMD form");
            }
            for lanes in [1, 3, 4, 16] {
                let inputs = random_inputs(seed, func, lanes);
                let expected = run_lanes(&scalar, &inputs, lanes);
                for form in [&form, &cleaned] {
                    let found = run(form, lanes, &inputs, &position, Some(FUEL));
                    check_lanes(&scalar, form, &expected, found);
                }
            }
        }
    });
}

#[test]
fn parameters_may_be_the_same_in_every_lane() {
    for_seeds(SEEDS, &FIXED, |seed| {
        let scalar = random_func(seed, &configs(seed));
        let mut rng = Rng::new(seed);
        let numbers = 0..scalar.params().len();
        let broadcast: Vec<usize> = numbers.filter(|_| rng.one_in(2)).collect();
        let mut form = scalar.clone();
        for (_, pass) in PASSES {
            pass(&mut form);
        }
        spmd::run_with(&mut form, &broadcast);
        check_verified(&form, "spmd");
        let mut inputs = random_inputs(seed, &scalar, 5);
        for number in broadcast {
            let first = inputs[number][0];
            inputs[number].fill(first);
        }
        let expected = run_lanes(&scalar, &inputs, 5);
        let found = run(&form, 5, &inputs, &position, Some(FUEL));
        check_lanes(&scalar, &form, &expected, found);
    });
}

fn check_lanes(
    scalar: &Func,
    form: &Func,
    expected: &[Vec<Const>],
    found: Result<Vec<Vec<Const>>, InterpError>,
) {
    let texts = || format!("{}\n{}", print(scalar), print(form));
    match found {
        Ok(found) => assert!(
            same(expected, &found),
            "expected {expected:?}, found {found:?}\n{}",
            texts()
        ),
        Err(error) => panic!("{error}\n{}", texts()),
    }
}

#[test]
fn text_round_trips() {
    for_seeds(SEEDS, &FIXED, |seed| {
        let func = random_func(seed, &configs(seed));
        let text = print(&func);
        let parsed = parse(&text).unwrap_or_else(|e| panic!("{e}\n{text}"));
        check_verified(&parsed, "parsing");
        assert_eq!(print(&parsed), text);
        let inputs = random_inputs(seed, &func, 3);
        assert!(same(
            &run_lanes(&func, &inputs, 3),
            &run_lanes(&parsed, &inputs, 3)
        ));
    });
}

#[test]
fn every_pass_finds_something_to_do() {
    for (name, pass) in PASSES
        .into_iter()
        .chain([("spmd", spmd::run as fn(&mut Func) -> bool)])
    {
        let changes = |seed: &u64| pass(&mut random_func(*seed, &configs(*seed)));
        let count = (0..400).filter(changes).count();
        assert!(count >= 4, "{name} changed {count} of 400 functions");
    }
}
