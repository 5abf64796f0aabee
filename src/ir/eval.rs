//! What each core operation computes, on values of every dtype: the meaning that the interpreter and folding share.
//!
//! f16 and bf16 are computed in f32 and rounded once. Complex numbers use these formulas, each step rounded:
//! the product `(a+bi)(c+di)` is `(a*c - b*d) + (a*d + b*c)i`; the quotient is Smith's: where `|c| >= |d|`, with
//! `r = d/c` and `s = c + d*r`, it is `(a + b*r)/s + (b - a*r)/s i`; else, with `r = c/d` and `s = d + c*r`, it is
//! `(a*r + b)/s + (b*r - a)/s i`.

use crate::constant::Const;
use crate::convert::{convert, from_f64, to_f32, to_f64};
use crate::dtype::{DType, Kind};
use crate::ops::Op;

/// Computes one operation. The result's dtype matters to conversions alone.
///
/// # Panics
/// If the operation's rule does not take the arguments.
pub fn eval(op: Op, args: &[Const], result: DType) -> Const {
    match op {
        Op::Select => args[if args[0].as_bool() { 1 } else { 2 }],
        Op::Convert => convert(args[0], result),
        Op::Bitcast => Const::from_bits(result, args[0].bits()),
        Op::Complex => Const::complex(args[0], args[1]).expect("parts of a complex dtype"),
        Op::Re => args[0].re(),
        Op::Im => args[0].im(),
        Op::Any => args[0],
        _ => arithmetic(op, args),
    }
}

fn arithmetic(op: Op, args: &[Const]) -> Const {
    match args[0].dtype() {
        DType::Bool => bool_op(op, args),
        DType::F32 => f32_op(op, args),
        DType::F64 => f64_op(op, args),
        dtype => match dtype.kind() {
            Kind::Float => small_float_op(op, args),
            Kind::Complex => complex_op(op, args),
            Kind::Bool | Kind::Signed | Kind::Unsigned => int_op(op, args),
        },
    }
}

fn unexpected(op: Op, dtype: DType) -> ! {
    panic!("`{}` does not take {dtype}", op.info().name)
}

fn bool_op(op: Op, args: &[Const]) -> Const {
    let arg = |i: usize| args[i].as_bool();
    Const::bool(match op {
        Op::And => arg(0) & arg(1),
        Op::Or => arg(0) | arg(1),
        Op::Xor | Op::Ne => arg(0) != arg(1),
        Op::Eq => arg(0) == arg(1),
        Op::Not => !arg(0),
        _ => unexpected(op, DType::Bool),
    })
}

/// Integers are computed in 128 bits, where nothing overflows that matters, and wrapped.
fn int_op(op: Op, args: &[Const]) -> Const {
    let dtype = args[0].dtype();
    let a = args[0].as_int();
    if args.len() == 1 {
        return match op {
            Op::Neg => Const::int(dtype, -a),
            Op::Abs => Const::int(dtype, a.abs()),
            Op::Not => Const::int(dtype, !a),
            _ => unexpected(op, dtype),
        };
    }
    let b = args[1].as_int();
    let amount = b as u32 & (dtype.bits() - 1);
    let wrapped = match op {
        Op::Add => a + b,
        Op::Sub => a - b,
        Op::Mul => a.wrapping_mul(b),
        Op::Div => a.checked_div(b).unwrap_or(0),
        Op::Rem => a.checked_rem(b).unwrap_or(0),
        Op::Min | Op::Minimum => a.min(b),
        Op::Max | Op::Maximum => a.max(b),
        Op::And => a & b,
        Op::Or => a | b,
        Op::Xor => a ^ b,
        Op::Shl => a << amount,
        Op::Shr => a >> amount,
        Op::Eq => return Const::bool(a == b),
        Op::Ne => return Const::bool(a != b),
        Op::Lt => return Const::bool(a < b),
        Op::Le => return Const::bool(a <= b),
        Op::Gt => return Const::bool(a > b),
        Op::Ge => return Const::bool(a >= b),
        _ => unexpected(op, dtype),
    };
    Const::int(dtype, wrapped)
}

/// Defines the operations on a machine float, and its `minimumNumber` family.
macro_rules! float_ops {
    ($name:ident, $float:ident, $of:expr, $dtype:expr, $read:expr) => {
        fn $name(op: Op, args: &[Const]) -> Const {
            let read: fn(Const) -> $float = $read;
            let a = read(args[0]);
            let b = args.get(1).map_or(0.0, |c| read(*c));
            let value: $float = match op {
                Op::Add => a + b,
                Op::Sub => a - b,
                Op::Mul => a * b,
                Op::Div => a / b,
                Op::Rem => a % b,
                Op::Neg => -a,
                Op::Abs => a.abs(),
                Op::MulAdd => a.mul_add(b, read(args[2])),
                Op::Sqrt => a.sqrt(),
                Op::Min if a.is_nan() => b,
                Op::Max if a.is_nan() => b,
                Op::Min | Op::Max if b.is_nan() => a,
                Op::Minimum | Op::Maximum if a.is_nan() || b.is_nan() => $float::NAN,
                // Of two zeros the negative one is less.
                Op::Min | Op::Minimum if a < b || (a == b && a.is_sign_negative()) => a,
                Op::Min | Op::Minimum => b,
                Op::Max | Op::Maximum if a > b || (a == b && a.is_sign_positive()) => a,
                Op::Max | Op::Maximum => b,
                Op::Floor => a.floor(),
                Op::Ceil => a.ceil(),
                Op::Trunc => a.trunc(),
                Op::RoundTiesEven => a.round_ties_even(),
                Op::Eq => return Const::bool(a == b),
                Op::Ne => return Const::bool(a != b),
                Op::Lt => return Const::bool(a < b),
                Op::Le => return Const::bool(a <= b),
                Op::Gt => return Const::bool(a > b),
                Op::Ge => return Const::bool(a >= b),
                _ => unexpected(op, $dtype),
            };
            $of(value)
        }
    };
}
float_ops!(f32_op, f32, Const::f32, DType::F32, Const::as_f32);
float_ops!(f64_op, f64, Const::f64, DType::F64, Const::as_f64);

fn small_float_op(op: Op, args: &[Const]) -> Const {
    let mut wide = [Const::zero(DType::F32); 3];
    for (wide, arg) in wide.iter_mut().zip(args) {
        *wide = Const::f32(to_f32(*arg));
    }
    let result = f32_op(op, &wide[..args.len()]);
    match result.dtype() {
        DType::F32 => from_f64(args[0].dtype(), to_f64(result)),
        _ => result,
    }
}

fn complex_op(op: Op, args: &[Const]) -> Const {
    let (a, b) = (args[0].re(), args[0].im());
    if op == Op::Neg {
        return pair(neg(a), neg(b));
    }
    let (c, d) = (args[1].re(), args[1].im());
    match op {
        Op::Add => pair(add(a, c), add(b, d)),
        Op::Sub => pair(sub(a, c), sub(b, d)),
        Op::Mul => pair(sub(mul(a, c), mul(b, d)), add(mul(a, d), mul(b, c))),
        Op::Div => smith(a, b, c, d),
        Op::Eq => Const::bool(equal(a, c) && equal(b, d)),
        Op::Ne => Const::bool(!(equal(a, c) && equal(b, d))),
        _ => unexpected(op, args[0].dtype()),
    }
}

fn smith(a: Const, b: Const, c: Const, d: Const) -> Const {
    let abs = |x| arithmetic(Op::Abs, &[x]);
    if arithmetic(Op::Ge, &[abs(c), abs(d)]).as_bool() {
        let r = div(d, c);
        let s = add(c, mul(d, r));
        pair(div(add(a, mul(b, r)), s), div(sub(b, mul(a, r)), s))
    } else {
        let r = div(c, d);
        let s = add(d, mul(c, r));
        pair(div(add(mul(a, r), b), s), div(sub(mul(b, r), a), s))
    }
}

fn pair(re: Const, im: Const) -> Const {
    Const::complex(re, im).expect("parts of a complex dtype")
}

fn neg(a: Const) -> Const {
    arithmetic(Op::Neg, &[a])
}

fn add(a: Const, b: Const) -> Const {
    arithmetic(Op::Add, &[a, b])
}

fn sub(a: Const, b: Const) -> Const {
    arithmetic(Op::Sub, &[a, b])
}

fn mul(a: Const, b: Const) -> Const {
    arithmetic(Op::Mul, &[a, b])
}

fn div(a: Const, b: Const) -> Const {
    arithmetic(Op::Div, &[a, b])
}

fn equal(a: Const, b: Const) -> bool {
    arithmetic(Op::Eq, &[a, b]).as_bool()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtype::TypeSet;

    fn int2(op: Op, dtype: DType, a: i128, b: i128) -> i128 {
        eval(op, &[Const::int(dtype, a), Const::int(dtype, b)], dtype).as_int()
    }

    fn f64_2(op: Op, a: f64, b: f64) -> f64 {
        eval(op, &[Const::f64(a), Const::f64(b)], DType::F64).as_f64()
    }

    #[test]
    fn every_operation_takes_every_dtype_of_its_rule() {
        for &op in Op::ALL {
            let rule = op.info().rule;
            for t in rule.set().iter() {
                let args: Vec<Const> = (0..rule.arity())
                    .map(|i| {
                        let dtype = if i == rule.key() {
                            t
                        } else {
                            rule.argument(i, t).iter().next().unwrap()
                        };
                        convert(Const::bool(true), dtype)
                    })
                    .collect();
                let wanted = match op {
                    Op::Complex => t.complex_of(),
                    Op::Re | Op::Im => Some(t.part()),
                    _ => rule.result(t),
                };
                let wanted = wanted.unwrap_or(t);
                let dtypes: Vec<DType> = args.iter().map(|c| c.dtype()).collect();
                assert_eq!(rule.check(&dtypes, Some(wanted)), Ok(wanted), "{op:?}");
                assert_eq!(eval(op, &args, wanted).dtype(), wanted, "{op:?} on {t}");
            }
        }
    }

    #[test]
    fn integers_wrap() {
        assert_eq!(int2(Op::Add, DType::U8, 200, 100), 44);
        assert_eq!(int2(Op::Sub, DType::U32, 0, 1), u32::MAX.into());
        assert_eq!(int2(Op::Mul, DType::I16, 300, 300), 24464);
        let big = i128::from(u64::MAX);
        assert_eq!(int2(Op::Mul, DType::U64, big, big), 1);
        let min = Const::int(DType::I64, i64::MIN.into());
        assert_eq!(eval(Op::Neg, &[min], DType::I64), min);
        assert_eq!(eval(Op::Abs, &[min], DType::I64), min);
        assert_eq!(
            eval(Op::Not, &[Const::int(DType::U8, 1)], DType::U8).as_int(),
            254
        );
        assert_eq!(
            eval(Op::Neg, &[Const::int(DType::U8, 1)], DType::U8).as_int(),
            255
        );
    }

    #[test]
    fn integer_division_never_traps() {
        for dtype in TypeSet::INT.iter() {
            assert_eq!(int2(Op::Div, dtype, 7, 0), 0);
            assert_eq!(int2(Op::Rem, dtype, 7, 0), 0);
            assert_eq!(int2(Op::Div, dtype, 7, 2), 3);
            if dtype.is_signed() {
                let min = -(1i128 << (dtype.bits() - 1));
                assert_eq!(int2(Op::Div, dtype, min, -1), min);
                assert_eq!(int2(Op::Rem, dtype, min, -1), 0);
                assert_eq!(int2(Op::Div, dtype, -7, 2), -3);
                assert_eq!(int2(Op::Rem, dtype, -7, 2), -1);
                assert_eq!(int2(Op::Rem, dtype, 7, -2), 1);
            }
        }
    }

    #[test]
    fn every_pair_of_i8_agrees_with_rust() {
        for a in i8::MIN..=i8::MAX {
            for b in i8::MIN..=i8::MAX {
                let cases = [
                    (Op::Add, a.wrapping_add(b)),
                    (Op::Sub, a.wrapping_sub(b)),
                    (Op::Mul, a.wrapping_mul(b)),
                    (Op::Div, if b == 0 { 0 } else { a.wrapping_div(b) }),
                    (Op::Rem, if b == 0 { 0 } else { a.wrapping_rem(b) }),
                    (Op::Shl, a.wrapping_shl(b as u32)),
                    (Op::Shr, a.wrapping_shr(b as u32)),
                    (Op::Min, a.min(b)),
                    (Op::Max, a.max(b)),
                    (Op::And, a & b),
                    (Op::Or, a | b),
                    (Op::Xor, a ^ b),
                    (Op::Lt, i8::from(a < b)),
                    (Op::Ge, i8::from(a >= b)),
                ];
                for (op, expected) in cases {
                    let found = int2(op, DType::I8, a.into(), b.into());
                    assert_eq!(found, expected.into(), "{op:?} {a} {b}");
                }
            }
        }
    }

    #[test]
    fn shifts_use_the_amount_modulo_the_width() {
        for dtype in TypeSet::INT.iter() {
            let width = i128::from(dtype.bits());
            assert_eq!(int2(Op::Shl, dtype, 1, width), 1);
            assert_eq!(int2(Op::Shl, dtype, 1, width + 1), 2);
            assert_eq!(
                int2(Op::Shr, dtype, 2, -(2 * width) + 1),
                1,
                "{dtype} by a negative amount"
            );
        }
        assert_eq!(int2(Op::Shr, DType::I8, -128, 7), -1);
        assert_eq!(int2(Op::Shr, DType::U8, 128, 7), 1);
    }

    #[test]
    fn minima_of_zeros_and_nan() {
        let nan = f64::NAN;
        for (op, low) in [(Op::Min, true), (Op::Max, false)] {
            assert_eq!(f64_2(op, nan, 1.0), 1.0);
            assert_eq!(f64_2(op, 1.0, nan), 1.0);
            assert!(f64_2(op, nan, nan).is_nan());
            assert_eq!(f64_2(op, 0.0, -0.0).is_sign_negative(), low);
            assert_eq!(f64_2(op, -0.0, 0.0).is_sign_negative(), low);
        }
        for (op, low) in [(Op::Minimum, true), (Op::Maximum, false)] {
            assert!(f64_2(op, nan, 1.0).is_nan());
            assert!(f64_2(op, 1.0, nan).is_nan());
            assert_eq!(f64_2(op, 0.0, -0.0).is_sign_negative(), low);
            assert_eq!(f64_2(op, -0.0, 0.0).is_sign_negative(), low);
            assert_eq!(f64_2(op, 2.0, 3.0), if low { 2.0 } else { 3.0 });
        }
    }

    #[test]
    fn remainder_is_fmod() {
        assert_eq!(f64_2(Op::Rem, 5.5, 2.0), 1.5);
        assert_eq!(f64_2(Op::Rem, -5.5, 2.0), -1.5);
        assert_eq!(f64_2(Op::Rem, 1e300, 7.0), 1.0);
        assert!(f64_2(Op::Rem, 1.0, 0.0).is_nan());
        assert_eq!(f64_2(Op::Rem, 1.0, f64::INFINITY), 1.0);
        assert!(f64_2(Op::Rem, -0.0, 1.0).is_sign_negative());
    }

    #[test]
    fn mul_add_rounds_once() {
        let (a, b) = (1.0 + f64::EPSILON, 1.0 - f64::EPSILON);
        let args = [Const::f64(a), Const::f64(b), Const::f64(-1.0)];
        let fused = eval(Op::MulAdd, &args, DType::F64).as_f64();
        assert_eq!(fused, -f64::EPSILON * f64::EPSILON);
    }

    #[test]
    fn rounding_to_integers() {
        let cases = [
            (Op::Floor, -0.5, -1.0),
            (Op::Ceil, -0.5, -0.0),
            (Op::Trunc, -1.5, -1.0),
            (Op::RoundTiesEven, 2.5, 2.0),
            (Op::RoundTiesEven, -0.5, -0.0),
            (Op::RoundTiesEven, 3.5, 4.0),
        ];
        for (op, x, expected) in cases {
            let found = eval(op, &[Const::f64(x)], DType::F64);
            assert_eq!(found, Const::f64(expected), "{op:?} {x}");
            let found = eval(op, &[from_f64(DType::F16, x)], DType::F16);
            assert_eq!(
                found,
                from_f64(DType::F16, expected),
                "{op:?} {x} as an f16"
            );
        }
    }

    #[test]
    fn small_floats_round_once() {
        let op = |op, dtype, a: f64, b: f64| {
            to_f64(eval(op, &[from_f64(dtype, a), from_f64(dtype, b)], dtype))
        };
        assert_eq!(op(Op::Add, DType::F16, 2048.0, 1.0), 2048.0);
        assert_eq!(op(Op::Add, DType::F16, 2050.0, 1.0), 2052.0);
        assert_eq!(op(Op::Mul, DType::F16, 300.0, 300.0), f64::INFINITY);
        assert_eq!(op(Op::Add, DType::BF16, 256.0, 1.0), 256.0);
        let third = op(Op::Div, DType::BF16, 1.0, 3.0);
        assert_eq!(third, 0.333_984_375);
        let minus_zero = eval(Op::Neg, &[Const::zero(DType::F16)], DType::F16);
        assert_eq!(minus_zero.bits(), 0x8000);
    }

    #[test]
    fn comparisons_with_nan() {
        for dtype in TypeSet::FLOAT.iter() {
            let (nan, one) = (from_f64(dtype, f64::NAN), from_f64(dtype, 1.0));
            for op in [Op::Eq, Op::Lt, Op::Le, Op::Gt, Op::Ge] {
                assert_eq!(
                    eval(op, &[nan, one], DType::Bool),
                    Const::bool(false),
                    "{op:?}"
                );
                assert_eq!(
                    eval(op, &[nan, nan], DType::Bool),
                    Const::bool(false),
                    "{op:?}"
                );
            }
            assert_eq!(eval(Op::Ne, &[nan, nan], DType::Bool), Const::bool(true));
            let (zero, minus) = (from_f64(dtype, 0.0), from_f64(dtype, -0.0));
            assert_eq!(eval(Op::Eq, &[zero, minus], DType::Bool), Const::bool(true));
        }
    }

    #[test]
    fn complex_arithmetic() {
        let z = |re: f64, im: f64| pair(Const::f64(re), Const::f64(im));
        let op = |op, a, b| eval(op, &[a, b], DType::C128);
        assert_eq!(op(Op::Mul, z(1.0, 2.0), z(3.0, 4.0)), z(-5.0, 10.0));
        assert_eq!(op(Op::Div, z(-5.0, 10.0), z(3.0, 4.0)), z(1.0, 2.0));
        assert_eq!(op(Op::Div, z(-5.0, 10.0), z(1.0, 2.0)), z(3.0, 4.0));
        assert_eq!(op(Op::Div, z(4.0, 2.0), z(2.0, 0.0)), z(2.0, 1.0));
        // The textbook formula would overflow in the norm of the divisor.
        assert_eq!(op(Op::Div, z(1e300, 1e300), z(1e300, 1e300)), z(1.0, 0.0));
        assert_eq!(op(Op::Eq, z(0.0, -0.0), z(-0.0, 0.0)), Const::bool(true));
        assert_eq!(op(Op::Ne, z(0.0, 1.0), z(0.0, 0.0)), Const::bool(true));
        let nan = z(f64::NAN, 0.0);
        assert_eq!(op(Op::Ne, nan, nan), Const::bool(true));
        assert_eq!(eval(Op::Neg, &[z(0.0, 1.0)], DType::C128), z(-0.0, -1.0));
    }

    #[test]
    fn bools() {
        let (t, f) = (Const::bool(true), Const::bool(false));
        assert_eq!(eval(Op::Not, &[t], DType::Bool), f);
        assert_eq!(eval(Op::Xor, &[t, t], DType::Bool), f);
        assert_eq!(eval(Op::Or, &[t, f], DType::Bool), t);
        assert_eq!(eval(Op::And, &[t, f], DType::Bool), f);
        assert_eq!(eval(Op::Any, &[t], DType::Bool), t);
        assert_eq!(eval(Op::Select, &[f, t, f], DType::Bool), f);
    }

    #[test]
    fn bitcasts_keep_bits() {
        let one = Const::f32(1.0);
        let bits = eval(Op::Bitcast, &[one], DType::U32);
        assert_eq!(bits, Const::int(DType::U32, 0x3f80_0000));
        assert_eq!(eval(Op::Bitcast, &[bits], DType::F32), one);
    }
}
