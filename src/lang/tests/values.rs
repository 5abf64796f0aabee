//! Values: literals, operators, functions, generics, complex numbers, one-line expressions.

use super::{eval, ints, lower, run_func, shown};
use crate::{Code, check, check_expr};
use ufc_ir::{Const, DType};

fn floats(body: &str, x: f32, y: f32) -> f32 {
    let source = format!("pub fn k(x: f32, y: f32) -> f32 {{ {body} }}");
    eval(&source, &[], &[Const::f32(x), Const::f32(y)])[0].as_f32()
}

#[test]
fn operators_have_rusts_precedence() {
    assert_eq!(ints("a + b * 2 - 1", 3, 4), 10);
    assert_eq!(ints("a - b - 1", 10, 4), 5);
    assert_eq!(ints("1 | 2 ^ 3 & a << 1 + 1", 7, 9), 3);
    assert_eq!(ints("-a as u8 as i32", 1, 0), 255);
    assert_eq!(ints("!a & 0xF", 5, 0), 10);
    assert_eq!(ints("(a == 1 || b == 2 && a != b) as i32", 0, 2), 1);
    assert_eq!(ints("a << b", 1, 33), 2);
    assert_eq!(ints("a >> 1u8", -8, 0), -4);
}

#[test]
fn literals_take_the_type_of_their_place() {
    assert_eq!(floats("x * 2 + 1", 1.5, 0.0), 4.0);
    assert_eq!(floats("let n = 3; x * n", 1.5, 0.0), 4.5);
    assert_eq!(floats("let mut s = 0.0; s += x; s", 1.5, 0.0), 1.5);
    assert_eq!(
        ints("let mut n = 0; n += 1; let m: u8 = 200; n + m as i32", 0, 0),
        201
    );
    assert_eq!(
        ints("3000000000 as u32 as i32", 0, 0),
        3_000_000_000u32 as i32
    );
    assert_eq!(
        ints("(2.75).floor() as i32 + i32::MAX.min(4) + -7 % 4", 0, 0),
        3
    );
    let source = "pub fn k(x: f16, z: c64) -> (f16, c64) { (x + 0.1, z * 2.0 + 1) }";
    let func = lower(source, &[]);
    let results = run_func(
        &func,
        &[Const::from_bits(DType::F16, 0), Const::zero(DType::C64)],
    );
    // 0.1 in binary16.
    assert_eq!(results[0], Const::from_bits(DType::F16, 0x2e66));
    assert_eq!(
        Some(results[1]),
        Const::complex(Const::f32(1.0), Const::f32(0.0))
    );
}

#[test]
fn functions_and_methods_are_the_same() {
    assert_eq!(
        floats("sqrt(x) + x.sqrt() + x.max(y) + f32::min(x, y)", 4.0, 9.0),
        17.0
    );
    assert_eq!(
        floats("mul_add(x, y, 1.0) - x.mul_add(y, 1)", 4.0, 9.0),
        0.0
    );
    assert_eq!(floats("select(x > y, x, y)", 4.0, 9.0), 9.0);
    assert_eq!(
        floats("f32::from_bits(x.to_bits() ^ 0x8000_0000)", 4.0, 9.0),
        -4.0
    );
    assert_eq!(
        floats("f32::PI + f32::consts::TAU + std::f32::consts::E", 0.0, 0.0),
        {
            use std::f32::consts::{E, PI, TAU};
            PI + TAU + E
        }
    );
    assert_eq!(ints("a.wrapping_add(b).wrapping_mul(3).pow(2)", 3, 4), 441);
    assert_eq!(ints("a.pow(0) + a.pow(1) + a.pow(5)", 3, 0), 247);
    assert_eq!(ints("index() as i32 * 10 + index(2) as i32", 0, 0), 72);
}

#[test]
fn helpers_constants_and_generics() {
    let source = "
        const N: i32 = TWICE + 1;
        const TWICE: i32 = 2 * 4;
        fn square<T: Num>(x: T) -> T { x * x }
        fn both((a, b): (i32, f32)) -> (f32, i32) { (b, a) }
        pub fn k(a: i32, x: f32) -> (i32, f32) {
            let (p, q) = both((a, x));
            (square(q) + N, square(p) + square::<f32>(2.0))
        }";
    let results = eval(source, &[], &[Const::int(DType::I32, 3), Const::f32(1.5)]);
    assert_eq!(results, [Const::int(DType::I32, 18), Const::f32(6.25)]);
}

#[test]
fn a_generic_kernel_has_a_loop_for_every_dtype() {
    let source = "pub fn k<T: Num>(x: T, y: T) -> T { x * y + 1 }";
    let (module, diagnostics) = check(source);
    assert!(diagnostics.is_empty(), "{:?}", shown(&diagnostics));
    let set = module.kernels()[0].generics[0].set;
    assert_eq!(set.iter().count(), 14);
    for dtype in set.iter() {
        let func = module.lower("k", &[dtype]).expect("lowers");
        assert_eq!(func.results, [dtype]);
    }
    assert!(module.lower("k", &[DType::Bool]).is_err());
    assert!(module.lower("k", &[]).is_err());
}

#[test]
fn complex_numbers() {
    let source = "pub fn k(re: f32, im: f32) -> (f32, f32, f32) {
        let z = c64(re, im);
        let w = z * z + complex(1.0, -1.0) / 2;
        (w.re, w.im, z.im())
    }";
    let results = eval(source, &[], &[Const::f32(3.0), Const::f32(2.0)]);
    assert_eq!(
        results,
        [Const::f32(5.5), Const::f32(11.5), Const::f32(2.0)]
    );
    let func = lower("pub fn k(z: c128) -> f64 { z.abs() + abs(-2.0) }", &[]);
    assert_eq!(func.results, [DType::F64]);
}

#[test]
fn one_line_expressions_promote_as_numpy_does() {
    let (module, diagnostics) = check_expr("a*x + sqrt(y)");
    assert!(diagnostics.is_empty(), "{:?}", shown(&diagnostics));
    let kernel = &module.kernels()[0];
    let names: Vec<&str> = kernel.params.iter().map(|p| p.name.as_str()).collect();
    assert_eq!(names, ["a", "x", "y"]);
    assert_eq!(kernel.results.len(), 1);
    for (types, result) in [
        ([DType::F32, DType::F64, DType::I32], DType::F64),
        ([DType::F32, DType::F32, DType::I8], DType::F32),
        ([DType::U8, DType::I8, DType::F16], DType::F32),
        ([DType::I32, DType::I32, DType::I32], DType::F64),
        ([DType::C64, DType::F64, DType::F32], DType::C128),
    ] {
        let func = module
            .lower("expression", &types)
            .unwrap_or_else(|e| panic!("{types:?} {:?}", shown(&e)));
        assert_eq!(func.results, [result], "{types:?}");
    }
    let line = |text: &str, types: &[DType]| {
        let (module, diagnostics) = check_expr(text);
        assert!(diagnostics.is_empty(), "{text}: {:?}", shown(&diagnostics));
        module
            .lower("expression", types)
            .map(|f| f.results)
            .unwrap_or_else(|e| panic!("{text}: {:?}", shown(&e)))
    };
    assert_eq!(line("x * 2.5", &[DType::I32]), [DType::F64]);
    assert_eq!(line("x * 2", &[DType::U8]), [DType::U8]);
    assert_eq!(line("x * 2.5", &[DType::F16]), [DType::F16]);
    assert_eq!(line("x > 3 && y", &[DType::U8, DType::Bool]), [DType::Bool]);
    assert_eq!(line("1 + 1", &[]), [DType::I32]);
    assert_eq!(
        line(
            "(x + y, { let d = x - y; d * d })",
            &[DType::F32, DType::I16]
        ),
        [DType::F32, DType::F32]
    );
    assert_eq!(line("x & y", &[DType::U8, DType::I16]), [DType::I16]);
}

#[test]
fn a_wrong_one_line_expression_is_reported() {
    let codes = |text: &str| {
        check_expr(text)
            .1
            .iter()
            .map(|d| d.code)
            .collect::<Vec<_>>()
    };
    assert_eq!(codes("a +"), [Code::UnexpectedToken]);
    assert_eq!(codes("sqrtt(a)"), [Code::UnknownFunction]);
    assert_eq!(codes("a b"), [Code::UnexpectedToken]);
    assert_eq!(codes(""), [Code::UnexpectedToken]);
    assert!(
        check_expr("x % y")
            .0
            .lower("expression", &[DType::C64, DType::F32])
            .is_err()
    );
}

#[test]
fn attributes_are_kept() {
    let source = "
        /// Adds.
        /// Twice.
        #[identity(0)]
        #[test_case(1, 2 => 3)]
        #[test_case(1.5f32, 2 => 3.5, ulp = 2)]
        #[bench(x = linspace(-2.0, 1.0, 2000)[:,None], y = random(10, 7))]
        #[fast_math]
        pub fn k<T: Num>(x: T, y: T) -> T { x + y }";
    let (module, diagnostics) = check(source);
    assert!(diagnostics.is_empty(), "{:?}", shown(&diagnostics));
    let kernel = &module.kernels()[0];
    assert_eq!(kernel.docs, "Adds.\nTwice.");
    assert!(kernel.fast_math);
    let workload = |name: &str, text: &str| (name.to_string(), text.to_string());
    assert_eq!(
        kernel.bench,
        [
            workload("x", "linspace(-2.0,1.0,2000)[:,None]"),
            workload("y", "random(10,7)")
        ]
    );
    assert_eq!(module.identity("k", &[DType::F64]), Some(Const::f64(0.0)));
    let func = module.lower("k", &[DType::U8]).expect("lowers");
    assert_eq!(func.attrs.identity, Some(Const::int(DType::U8, 0)));
    let cases = module.test_cases("k").expect("right");
    assert_eq!(cases[0].types, [DType::I32]);
    assert_eq!(cases[1].types, [DType::F32]);
    assert_eq!(cases[1].ulp, 2);
    assert_eq!(
        cases[1].constants(),
        Some((
            vec![Const::f32(1.5), Const::f32(2.0)],
            vec![Const::f32(3.5)]
        ))
    );
}

#[test]
fn every_builtin_is_reachable_by_its_name() {
    use ufc_ir::ops::{AnyOp, Op, Rule};
    for op in
        AnyOp::all().filter(|op| !matches!(op, AnyOp::Core(Op::Any | Op::Convert | Op::Bitcast)))
    {
        for dtype in op.rule().set().iter() {
            let args: Vec<String> = (0..op.rule().arity())
                .map(|i| {
                    let set = op.rule().argument(i, dtype);
                    let dtype = if set.contains(dtype) {
                        dtype
                    } else {
                        set.iter().next().expect("some dtype")
                    };
                    format!("x{i}: {dtype}")
                })
                .collect();
            let names: Vec<String> = (0..args.len()).map(|i| format!("x{i}")).collect();
            let result = op.rule().result(dtype).expect("not a conversion");
            let result = match op.rule() {
                Rule::Two(_) => format!("({result}, {result})"),
                _ => result.to_string(),
            };
            let source = format!(
                "pub fn k({}) -> {result} {{ {}({}) }}",
                args.join(", "),
                op.name(),
                names.join(", ")
            );
            let func = lower(&source, &[]);
            assert!(func.size() > 0, "{source}");
        }
    }
}

#[test]
fn the_projects_kernels_are_right() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut count = 0;
    for folder in ["kernels/examples"] {
        let entries = std::fs::read_dir(format!("{root}/{folder}")).expect("a folder of examples");
        let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
        paths.sort();
        for path in paths
            .into_iter()
            .filter(|p| p.extension().is_some_and(|e| e == "ufk"))
        {
            let source = std::fs::read_to_string(&path).expect("readable");
            let (module, diagnostics) = check(&source);
            assert!(
                diagnostics.is_empty(),
                "{}: {:#?}",
                path.display(),
                shown(&diagnostics)
            );
            for kernel in module.kernels() {
                let types: Vec<DType> = kernel
                    .generics
                    .iter()
                    .filter_map(|g| g.set.iter().last())
                    .collect();
                let func = module.lower(&kernel.name, &types);
                let func = func.unwrap_or_else(|e| panic!("{}: {:?}", path.display(), shown(&e)));
                assert!(ufc_ir::verify::verify(&func).is_ok(), "{}", path.display());
                count += 1;
            }
        }
    }
    assert!(count > 10, "found only {count} kernels");
}
