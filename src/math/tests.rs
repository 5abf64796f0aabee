//! Tests of legalization and of the expansions that are exact: on a target that lacks as much as a target may, every
//! operation gives the interpreter's own bits; and the exact functions agree with Rust's.

use crate::legalize::{expand_math, legalize};
use crate::{FILES, expansion, expansion_by_scalb, source};
use ufc_ir::builder::Builder;
use ufc_ir::convert::convert;
use ufc_ir::interp::run_one;
use ufc_ir::ops::{AnyOp, MathFn, Op, Rule};
use ufc_ir::{Const, DType, Func, TypeSet};
use ufc_target::{Action, Legality};

/// A target with 32- and 64-bit integers, f32 and f64 only, no `%` on floats and no fused multiply-add on f32.
struct Poor;

impl Legality for Poor {
    fn target(&self) -> &str {
        "poor"
    }

    fn action(&self, op: AnyOp, dtype: DType) -> Action {
        if matches!(op, AnyOp::Core(Op::Bitcast)) {
            return Action::Native;
        }
        match (op, dtype) {
            (AnyOp::Math(_), _) => Action::Expand,
            (AnyOp::Core(Op::Rem), DType::F32 | DType::F64) => Action::Expand,
            (AnyOp::Core(Op::MulAdd), DType::F32) => Action::Expand,
            (_, DType::F16 | DType::BF16) => Action::Promote(DType::F32),
            (_, DType::I8 | DType::I16) => Action::Promote(DType::I32),
            (_, DType::U8 | DType::U16) => Action::Promote(DType::U32),
            _ => Action::Native,
        }
    }

    fn convert(&self, from: DType, to: DType) -> Action {
        let half = |d: DType| matches!(d, DType::F16 | DType::BF16);
        match (from, to) {
            (DType::Bool, _) | (_, DType::Bool) => Action::Expand,
            _ if half(from) && to == DType::F32 => Action::Expand,
            _ if half(from) || half(to) && from != DType::F32 => Action::Promote(DType::F32),
            _ if half(to) => Action::Expand,
            (DType::F32 | DType::F64, _) if to.is_int() && to.size() < 4 => {
                Action::Promote(DType::I32)
            }
            _ => Action::Native,
        }
    }
}

/// A small generator of bits (Steele, Lea & Flood 2014).
struct Bits(u64);

impl Bits {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Any bits, a small number, or a special value.
    fn value(&mut self, dtype: DType) -> Const {
        let bits = u128::from(self.next()) << 64 | u128::from(self.next());
        let specials = [0.0, -0.0, 1.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
        match self.next() % 4 {
            0 => Const::from_bits(dtype, bits),
            1 => convert(Const::int(DType::I8, bits as i128), dtype),
            2 => convert(Const::f64((bits as i32) as f64 / 1024.0), dtype.part()).widened(dtype),
            _ => {
                convert(Const::f64(specials[self.next() as usize % 6]), dtype.part()).widened(dtype)
            }
        }
    }
}

/// Real numbers as complex ones.
trait Widened {
    fn widened(self, dtype: DType) -> Const;
}

impl Widened for Const {
    fn widened(self, dtype: DType) -> Const {
        convert(self, dtype)
    }
}

/// A kernel of one operation, its dtypes and the wanted result's dtype given.
fn kernel(op: AnyOp, args: &[DType], to: DType) -> Func {
    let mut func = Func::new("test");
    let mut build = Builder::new(&mut func);
    let args: Vec<_> = args.iter().map(|d| build.param("x", *d)).collect();
    let results = match op {
        AnyOp::Core(Op::Convert) => vec![build.convert(args[0], to)],
        AnyOp::Core(Op::Bitcast) => vec![build.bitcast(args[0], to)],
        AnyOp::Core(core) => vec![build.op(core, &args)],
        AnyOp::Math(f) => build.math(f, &args),
    };
    build.finish(results);
    func
}

fn args_of(rule: Rule, dtype: DType) -> Vec<DType> {
    let arg = |i: usize| {
        if i == rule.key() {
            dtype
        } else {
            rule.argument(i, dtype).iter().next().expect("a dtype")
        }
    };
    (0..rule.arity()).map(arg).collect()
}

/// Runs one operation both as the interpreter does it and as made legal for `Poor`.
fn compare(op: AnyOp, args: &[DType], to: DType, times: usize) {
    let direct = expand_math(kernel(op, args, to)).expect("expansions");
    let legal = legalize(kernel(op, args, to), &Poor).expect("legal");
    let mut bits = Bits(args.iter().map(|d| *d as u64).sum());
    for _ in 0..times {
        let inputs: Vec<Const> = args.iter().map(|d| bits.value(*d)).collect();
        let expected = run_one(&direct, &inputs).expect("a run");
        let found = run_one(legal.func(), &inputs).expect("a run");
        let same = expected.iter().zip(&found).all(|(a, b)| a.same(*b));
        assert!(
            same,
            "{} {inputs:?}: {found:?}, not {expected:?}",
            op.name()
        );
    }
}

#[test]
fn every_core_operation_is_the_same_on_a_poor_target() {
    for &op in Op::ALL {
        let rule = op.info().rule;
        for dtype in rule.set().iter() {
            let args = args_of(rule, dtype);
            let to: Vec<DType> = match rule {
                Rule::Convert | Rule::Bitcast => TypeSet::ANY
                    .iter()
                    .filter(|to| rule.check(&args, Some(*to)).is_ok())
                    .collect(),
                _ => rule.result(dtype).into_iter().collect(),
            };
            for to in to {
                compare(AnyOp::Core(op), &args, to, 200);
            }
        }
    }
}

#[test]
fn every_function_is_the_same_on_a_poor_target() {
    for &f in MathFn::ALL {
        let rule = f.info().rule;
        for dtype in rule.set().iter() {
            let to = rule.result(dtype).expect("functions have one result dtype");
            compare(AnyOp::Math(f), &args_of(rule, dtype), to, 25);
        }
    }
}

/// Runs a function on constants of one dtype.
fn call(f: MathFn, inputs: &[Const]) -> Const {
    let dtypes: Vec<DType> = inputs.iter().map(|c| c.dtype()).collect();
    let func = expand_math(kernel(AnyOp::Math(f), &dtypes, dtypes[0])).expect("expansions");
    run_one(&func, inputs).expect("a run")[0]
}

/// A function of two integers, and what Rust says about it, signed and unsigned.
type Row = (MathFn, fn(i8, i8) -> i128, fn(u8, u8) -> i128);

const BYTE_ROWS: &[Row] = &[
    (
        MathFn::SaturatingAdd,
        |a, b| a.saturating_add(b).into(),
        |a, b| a.saturating_add(b).into(),
    ),
    (
        MathFn::SaturatingSub,
        |a, b| a.saturating_sub(b).into(),
        |a, b| a.saturating_sub(b).into(),
    ),
    (
        MathFn::AbsDiff,
        |a, b| a.abs_diff(b).into(),
        |a, b| a.abs_diff(b).into(),
    ),
    (
        MathFn::DivEuclid,
        |a, b| {
            if b == 0 {
                0
            } else {
                a.wrapping_div_euclid(b).into()
            }
        },
        |a, b| a.checked_div(b).unwrap_or(0).into(),
    ),
    (
        MathFn::RemEuclid,
        |a, b| {
            if b == 0 {
                0
            } else {
                a.wrapping_rem_euclid(b).into()
            }
        },
        |a, b| a.checked_rem(b).unwrap_or(0).into(),
    ),
    (
        MathFn::FloorDiv,
        |a, b| {
            if b == 0 {
                0
            } else {
                ((f64::from(a) / f64::from(b)).floor() as i64 as i8).into()
            }
        },
        |a, b| a.checked_div(b).unwrap_or(0).into(),
    ),
    (
        MathFn::FloorMod,
        |a, b| {
            if b == 0 {
                0
            } else {
                (i32::from(a).rem_euclid(i32::from(b))
                    + if b < 0 && i32::from(a) % i32::from(b) != 0 {
                        i32::from(b)
                    } else {
                        0
                    })
                .into()
            }
        },
        |a, b| a.checked_rem(b).unwrap_or(0).into(),
    ),
];

#[test]
fn integer_functions_agree_with_rust_on_every_pair_of_bytes() {
    for &(f, signed, unsigned) in BYTE_ROWS {
        let signed_func = expand_math(kernel(AnyOp::Math(f), &[DType::I8; 2], DType::I8)).unwrap();
        let unsigned_func =
            expand_math(kernel(AnyOp::Math(f), &[DType::U8; 2], DType::U8)).unwrap();
        for a in 0..=255u8 {
            for b in 0..=255u8 {
                let (x, y) = (a as i8, b as i8);
                let inputs = [x, y].map(|v| Const::int(DType::I8, v.into()));
                let found = run_one(&signed_func, &inputs).unwrap()[0].as_int();
                let want = signed(x, y);
                assert_eq!(found, want, "{} {x} {y}", f.info().id);
                let inputs = [a, b].map(|v| Const::int(DType::U8, v.into()));
                let found = run_one(&unsigned_func, &inputs).unwrap()[0].as_int();
                assert_eq!(found, unsigned(a, b), "{} {a} {b}", f.info().id);
            }
        }
    }
}

#[test]
fn bit_functions_agree_with_rust() {
    let mut bits = Bits(1);
    for i in 0..400 {
        // Numbers of every length, and zero.
        let x = if i == 0 {
            0
        } else {
            i128::from(bits.next() >> (i % 64))
        };
        let n = bits.next() as u32 % 70;
        let count = |f, c| call(f, &[c]).as_int() as u32;
        let rotate = |f, c| call(f, &[c, Const::int(DType::U32, n.into())]).bits();
        macro_rules! check {
            ($($t:ident $dtype:ident)*) => {$(
                let v = x as $t;
                let c = Const::int(DType::$dtype, v.into());
                assert_eq!(count(MathFn::LeadingZeros, c), v.leading_zeros());
                assert_eq!(count(MathFn::TrailingZeros, c), v.trailing_zeros());
                assert_eq!(count(MathFn::CountOnes, c), v.count_ones());
                assert_eq!(rotate(MathFn::RotateLeft, c), Const::int(DType::$dtype, v.rotate_left(n).into()).bits());
                assert_eq!(rotate(MathFn::RotateRight, c), Const::int(DType::$dtype, v.rotate_right(n).into()).bits());
                assert_eq!(call(MathFn::SwapBytes, &[c]).as_int(), v.swap_bytes().into());
            )*};
        }
        check!(u8 U8 u16 U16 u32 U32 u64 U64 i8 I8 i16 I16 i32 I32 i64 I64);
    }
}

#[test]
fn exact_float_functions_agree_with_rust() {
    let mut bits = Bits(2);
    for _ in 0..2000 {
        let (a, b) = (bits.value(DType::F64), bits.value(DType::F64));
        let (x, y) = (a.as_f64(), b.as_f64());
        let check = |f, inputs: &[Const], want: f64| {
            let found = call(f, inputs);
            assert!(
                found.same(Const::f64(want)),
                "{f:?} {x:e} {y:e}: {found:?}, not {want:e}"
            );
        };
        check(MathFn::Round, &[a], x.round());
        check(MathFn::Fract, &[a], x.fract());
        check(MathFn::Copysign, &[a, b], x.copysign(y));
        check(MathFn::FloatSignum, &[a], x.signum());
        check(MathFn::Recip, &[a], x.recip());
        check(
            MathFn::Clamp,
            &[a, Const::f64(-2.0), Const::f64(3.0)],
            x.clamp(-2.0, 3.0),
        );
        for (f, want) in [
            (MathFn::IsNan, x.is_nan()),
            (MathFn::IsFinite, x.is_finite()),
            (MathFn::IsInfinite, x.is_infinite()),
        ] {
            assert_eq!(call(f, &[a]), Const::bool(want));
        }
    }
}

#[test]
fn powers_by_squaring() {
    let power = |x: f64, n: i32| {
        call(
            MathFn::Powi,
            &[Const::f64(x), Const::int(DType::I32, n.into())],
        )
        .as_f64()
    };
    assert_eq!(power(3.0, 5), 243.0);
    assert_eq!(power(2.0, -3), 0.125);
    assert_eq!(power(0.0, 0), 1.0);
    assert_eq!(power(-1.0, i32::MIN), 1.0);
}

#[test]
fn complex_functions_keep_to_annex_g() {
    let c = |re: f64, im: f64| Const::complex(Const::f64(re), Const::f64(im)).unwrap();
    let inf = f64::INFINITY;
    let rows = [
        (MathFn::Exp, c(0.0, 0.0), c(1.0, 0.0)),
        (MathFn::Exp, c(-inf, inf), c(0.0, 0.0)),
        (MathFn::Exp, c(inf, 0.0), c(inf, 0.0)),
        (MathFn::ComplexSqrt, c(-4.0, 0.0), c(0.0, 2.0)),
        (MathFn::ComplexSqrt, c(-4.0, -0.0), c(0.0, -2.0)),
        (MathFn::ComplexSqrt, c(0.0, 2.0), c(1.0, 1.0)),
        (MathFn::ComplexSqrt, c(f64::NAN, inf), c(inf, inf)),
        (MathFn::ComplexSqrt, c(-inf, 1.0), c(0.0, inf)),
        (
            MathFn::ComplexSqrt,
            c(1e308, 1e308),
            c(1.098_684_113_467_81e154, 4.550_898_605_622_273_4e153),
        ),
        (MathFn::Ln, c(1.0, 0.0), c(0.0, 0.0)),
        (MathFn::Ln, c(0.0, 0.0), c(-inf, 0.0)),
        (MathFn::Ln, c(-1.0, -0.0), c(0.0, -std::f64::consts::PI)),
        (MathFn::Conj, c(1.0, 2.0), c(1.0, -2.0)),
        (MathFn::Recip, c(0.0, 2.0), c(0.0, -0.5)),
    ];
    for (f, z, want) in rows {
        let found = call(f, &[z]);
        assert!(found.same(want), "{f:?} {z:?}: {found:?}, not {want:?}");
    }
    assert!(call(MathFn::Pow, &[c(0.0, 0.0), c(0.0, 0.0)]).same(c(1.0, 0.0)));
    assert_eq!(call(MathFn::ComplexAbs, &[c(3.0, -4.0)]).as_f64(), 5.0);
    assert_eq!(call(MathFn::NormSqr, &[c(3.0, -4.0)]).as_f64(), 25.0);
}

#[test]
fn every_file_is_without_fault() {
    for (index, (name, ..)) in FILES.iter().enumerate() {
        let text = source(index);
        let (_, diagnostics) = ufc_lang::check(&text);
        let faults: Vec<String> = diagnostics
            .iter()
            .map(|d| {
                format!(
                    "{name}: {}: {:?}",
                    d.message,
                    &text[d.primary.span.start as usize..d.primary.span.end as usize]
                )
            })
            .collect();
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }
}

#[test]
fn every_function_has_an_expansion_for_every_dtype() {
    for &f in MathFn::ALL {
        for dtype in f.info().rule.set().iter() {
            let half = matches!(dtype, DType::F16 | DType::BF16);
            let found = expansion(AnyOp::Math(f), dtype).is_some();
            assert!(found || half, "{} on {dtype}", f.info().id);
        }
    }
}

/// Published inputs whose results are hard to round (V. Lefèvre's and P. Zimmermann's lists), and 6381956970095103 2^797,
/// which is nearer to a multiple of pi/2 than any other f64: function, arguments, result correctly rounded.
const HARD: &[(MathFn, u64, u64, u64)] = &[
    (MathFn::Exp, 0x3fe0_122e_f372_12eb, 0, 0x3ffa_702b_2ce9_1b30),
    (MathFn::Exp, 0x3fe3_d963_bb75_2a00, 0, 0x3ffd_c05a_79db_2121),
    (MathFn::Exp, 0x3fea_ccfb_e46b_4ef0, 0, 0x4002_7c2e_4bc1_ee70),
    (MathFn::Exp, 0x3fe0_0d48_a707_b93e, 0, 0x3ffa_6c1f_317c_887b),
    (MathFn::Exp, 0x3ff3_9d97_9db2_c12a, 0, 0x400b_4287_d4d3_9262),
    (
        MathFn::Exp2,
        0x4080_002f_f138_8649,
        0,
        0x5ff0_4301_1591_8f99,
    ),
    (
        MathFn::Exp2,
        0x4080_03b8_1681_e9ba,
        0,
        0x5ff6_1555_f758_85b4,
    ),
    (
        MathFn::Exp2,
        0xc090_cbff_ffff_ffff,
        0,
        0x0000_0000_0000_0001,
    ),
    (MathFn::Ln, 0x3ffa_6ae5_1423_26b5, 0, 0x3fe0_0bcc_31eb_ded7),
    (MathFn::Ln, 0x4001_e852_e695_1306, 0, 0x3fe9_c8f0_dc26_95d4),
    (MathFn::Ln, 0x4080_2c72_cd3d_ea4a, 0, 0x4018_ff18_bf2f_cd5a),
    (MathFn::Ln, 0x42ca_6004_162f_2b8c, 0, 0x403f_b103_165b_ad11),
    (MathFn::Sin, 0x4000_0502_3d32_fee5, 0, 0x3fed_109a_d145_c88f),
    (MathFn::Sin, 0x3f20_0874_a5f9_fc33, 0, 0x3f20_0874_a54e_4265),
    (MathFn::Sin, 0x3ff0_192d_eafa_c33f, 0, 0x3feb_0868_a906_1ed0),
    (MathFn::Sin, 0x7506_ac5b_262c_a1ff, 0, 0x3ff0_0000_0000_0000),
    (MathFn::Cos, 0x4000_0502_3d32_fee5, 0, 0xbfda_c690_9aed_ad7b),
    (MathFn::Cos, 0x3ff9_21fb_5444_2d18, 0, 0x3c91_a626_3314_5c07),
    (MathFn::Cos, 0x7506_ac5b_262c_a1ff, 0, 0xbc21_4ae7_2e6b_a22f),
    (MathFn::Tan, 0x3ff0_05c4_ae44_e6c0, 0, 0x3ff8_fef1_e1cd_f9af),
    (MathFn::Tan, 0x3fa0_cc3c_8515_7bf6, 0, 0x3fa0_cdc7_abb1_2dab),
    (MathFn::Tan, 0x3fe1_3594_ab85_bf05, 0, 0x3fe3_15f5_15d6_92fc),
    (MathFn::Tan, 0x7506_ac5b_262c_a1ff, 0, 0xc3bd_9ba9_a797_5636),
    (
        MathFn::Tanh,
        0x4010_0a0f_3cf9_99ac,
        0,
        0x3fef_fa9c_cbda_578a,
    ),
    (
        MathFn::Tanh,
        0x3fe0_481d_c5df_327d,
        0,
        0x3fde_044b_e1e1_3e31,
    ),
    (
        MathFn::Tanh,
        0x4033_0fc1_931f_09c8,
        0,
        0x3fef_ffff_ffff_ffff,
    ),
    (
        MathFn::Tanh,
        0x3fb0_18a1_e31f_3a2f,
        0,
        0x3fb0_1335_f7c2_0457,
    ),
    (
        MathFn::Pow,
        0x3fef_ffff_ffff_fffc,
        0x3fdf_ffff_ffff_ffff,
        0x3fef_ffff_ffff_fffe,
    ),
    (
        MathFn::Pow,
        0x3fef_ffff_ffff_fffc,
        0xbfdf_ffff_ffff_fffd,
        0x3ff0_0000_0000_0001,
    ),
    (
        MathFn::Pow,
        0x3fef_ffff_ffff_fff0,
        0xbfcf_ffff_ffff_fff6,
        0x3ff0_0000_0000_0002,
    ),
    (
        MathFn::Pow,
        0x3fef_ffff_ffff_fff8,
        0xbfcf_ffff_ffff_fffb,
        0x3ff0_0000_0000_0001,
    ),
];

#[test]
fn hard_cases_are_at_most_a_neighbour_off() {
    for &(f, x, y, want) in HARD {
        let args = [x, y].map(|bits| Const::f64(f64::from_bits(bits)));
        let found = call(f, &args[..f.info().rule.arity()]).as_f64();
        let off = found.to_bits().abs_diff(want);
        assert!(off <= 1, "{f:?} {x:#x} {y:#x}: {found:e}, {off} off");
    }
}

#[test]
fn sine_and_cosine_together_are_those_alone() {
    let both = expand_math(kernel(
        AnyOp::Math(MathFn::SinCos),
        &[DType::F32],
        DType::F32,
    ))
    .unwrap();
    let mut bits = Bits(3);
    for _ in 0..2000 {
        let x = bits.value(DType::F32);
        let found = run_one(&both, &[x]).unwrap();
        assert!(found[0].same(call(MathFn::Sin, &[x])), "{x:?}");
        assert!(found[1].same(call(MathFn::Cos, &[x])), "{x:?}");
    }
}

#[test]
fn complex_values_are_split_across_control_flow() {
    let source = "pub fn orbit(c: c64, steps: u32, start: c64) -> (c64, u32) {
        let mut z = start;
        let mut n = 0u32;
        for i in 0..steps {
            z = if z.norm_sqr() > 4.0 { z / c } else { z * z + c };
            if z == c { break; }
            n = i + 1;
        }
        (z, n)
    }";
    let (module, diagnostics) = ufc_lang::check(source);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let func = module.lower("orbit", &[]).expect("a kernel");
    let direct = expand_math(func.clone()).expect("expansions");
    let legal = legalize(func, &Poor).expect("legal");
    let mut bits = Bits(4);
    for _ in 0..300 {
        let inputs = [DType::C64, DType::U8, DType::C64].map(|d| bits.value(d));
        let inputs = [inputs[0], convert(inputs[1], DType::U32), inputs[2]];
        let expected = run_one(&direct, &inputs).expect("a run");
        let found = run_one(legal.func(), &inputs).expect("a run");
        let same = expected.iter().zip(&found).all(|(a, b)| a.same(*b));
        assert!(same, "{inputs:?}: {found:?}, not {expected:?}");
    }
}

/// A target without f64.
struct Narrow;

impl Legality for Narrow {
    fn target(&self) -> &str {
        "narrow"
    }

    fn action(&self, op: AnyOp, dtype: DType) -> Action {
        match (op, dtype) {
            (_, DType::F64) => Action::Unsupported,
            (AnyOp::Math(_), _) => Action::Expand,
            (AnyOp::Core(_), _) => Action::Native,
        }
    }

    fn convert(&self, from: DType, to: DType) -> Action {
        if from == DType::F64 || to == DType::F64 {
            Action::Unsupported
        } else {
            Action::Native
        }
    }
}

#[test]
fn what_a_target_cannot_have_is_named() {
    let sum = kernel(AnyOp::Core(Op::Add), &[DType::F64; 2], DType::F64);
    let error = legalize(sum, &Narrow).expect_err("no f64").to_string();
    assert_eq!(error, "the target `narrow` does not support `add` on f64");
    let narrowing = kernel(AnyOp::Core(Op::Convert), &[DType::F64], DType::F32);
    let error = legalize(narrowing, &Narrow)
        .expect_err("no f64")
        .to_string();
    assert!(error.ends_with("the conversion of f64 to f32"), "{error}");
}

#[test]
fn f32_functions_need_no_f64() {
    for &f in MathFn::ALL {
        let rule = f.info().rule;
        for dtype in [DType::F32, DType::C64] {
            if rule.set().contains(dtype) {
                let args = args_of(rule, dtype);
                let func = kernel(AnyOp::Math(f), &args, dtype);
                assert!(legalize(func, &Narrow).is_ok(), "{f:?} on {dtype}");
            }
        }
    }
}

#[test]
fn expansions_by_scalb_give_the_same_bits() {
    let mut found = 0;
    for f in MathFn::ALL.iter().copied() {
        for dtype in [DType::F32, DType::F64] {
            let Some(by_scalb) = expansion_by_scalb(f, dtype) else {
                continue;
            };
            found += 1;
            let usual = expansion(AnyOp::Math(f), dtype).expect("it has one for every target");
            let [usual, by_scalb] =
                [usual, by_scalb].map(|func| expand_math(func.clone()).expect("expansions"));
            let mut bits = Bits(7 + dtype as u64);
            let scale = if dtype == DType::F32 { 110.0 } else { 760.0 };
            for i in 0..20_000 {
                let inputs: Vec<Const> = usual
                    .param_dtypes()
                    .iter()
                    .map(|dtype| match i % 2 {
                        0 => bits.value(*dtype),
                        _ => {
                            let unit = bits.next() as i64 as f64 / 2f64.powi(63);
                            convert(Const::f64(scale * unit), *dtype)
                        }
                    })
                    .collect();
                let [a, b] = [&usual, &by_scalb].map(|func| run_one(func, &inputs).expect("ends"));
                let same = a.iter().zip(&b).all(|(a, b)| a.same(*b));
                assert!(same, "{f:?} on {inputs:?}: {a:?} and {b:?}");
            }
        }
    }
    assert!(found >= 4, "only {found} functions");
}

#[test]
fn scalb_rounds_once() {
    let of = |x: f64, n: f64| {
        let func = expansion(AnyOp::Math(MathFn::Scalb), DType::F64).expect("it has one");
        let inputs = [Const::f64(x), Const::f64(n)];
        run_one(func, &inputs).expect("ends")[0].as_f64()
    };
    let least = f64::from_bits(1);
    assert_eq!(of(1.5, 3.9), 12.0);
    assert_eq!(of(-1.5, -0.5), -0.75);
    assert_eq!(of(least, 2097.0), 2f64.powi(1023));
    assert_eq!(of(2f64.powi(1023), -2097.0), least);
    // A tie that a rounding before it would turn.
    assert_eq!(of(1.5 + f64::EPSILON, -1075.0), least);
    assert_eq!(of(1.5 - f64::EPSILON, -1074.0), least);
    assert_eq!(of(0.5, -1074.0), 0.0);
    assert_eq!(of(f64::MAX, 1.0), f64::INFINITY);
    assert_eq!(of(f64::MAX, f64::NEG_INFINITY), 0.0);
    assert_eq!(of(0.0, f64::INFINITY), 0.0);
    assert_eq!(of(f64::INFINITY, f64::NEG_INFINITY), f64::INFINITY);
    assert!(of(1.0, f64::NAN).is_nan() && of(f64::NAN, 1.0).is_nan());
}
