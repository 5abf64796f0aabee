//! Division by constants.

use super::ops::{Constant, single};
use super::{Call, check, code, legal, levels, options, packed};
use ufc_ir::ops::Op;
use ufc_ir::testing::{Rng, for_seeds};
use ufc_ir::{Const, DType};

#[test]
fn division_by_every_byte() {
    for op in [Op::Div, Op::Rem] {
        for divisor in 1..=255 {
            let constant = Constant::Last(Const::int(DType::U8, divisor));
            let legal = legal(single(op, DType::U8, None, constant));
            let layouts = packed(legal.func());
            let mut rng = Rng::new(divisor as u64);
            for level in levels() {
                let code = code(&legal, &options(level, None), &[]);
                let what = format!("{op:?} by {divisor} at {level:?}");
                check(legal.func(), &code, 300, &layouts, &mut rng, &what);
            }
        }
    }
}

/// Every dividend, for divisors whose reciprocals are short, long, and at either end.
#[test]
fn division_of_every_word() {
    let dtype = DType::U16;
    let mut rng = Rng::new(3);
    let fixed = [3u16, 7, 10, 14, 255, 641, 0x7fff, 0x8001, 0xfffe, 0xffff];
    let random = (0..6).map(|_| (rng.bits() as u16).max(3));
    for divisor in fixed.into_iter().chain(random) {
        let constant = Constant::Last(Const::int(dtype, i128::from(divisor)));
        let legal = legal(single(Op::Div, dtype, None, constant));
        let n = 1 << 16;
        for level in levels() {
            let code = code(&legal, &options(level, None), &[]);
            let inputs: Vec<Const> = (0..n).map(|i| Const::int(dtype, i)).collect();
            let layouts = packed(legal.func());
            let mut call = Call::new(legal.func(), n as usize, &layouts, &[inputs]);
            call.run(&code, n as usize);
            let found = call.outputs[0].read();
            for (dividend, quotient) in (0..=u16::MAX).zip(found) {
                let expected = Const::int(dtype, i128::from(dividend / divisor));
                assert_eq!(quotient, expected, "{dividend} / {divisor} at {level:?}");
            }
        }
    }
}

/// Where reciprocals are longest, shortest and least exact.
fn divisors(dtype: DType, rng: &mut Rng) -> Vec<i128> {
    let bits = dtype.bits() as usize;
    let ends = [3, 5, 6, 7, 10, -1, (1 << (bits - 1)) + 1, (1 << bits) - 2];
    let mut all: Vec<i128> = ends.into();
    for _ in 0..12 {
        let near = (1 << rng.below(bits)) + rng.choose(&[-1, 0, 1]);
        all.extend([near, -near, i128::from(rng.bits() >> rng.below(64))]);
    }
    all
}

/// Where the quotient is about to change, and the ends of the range.
fn dividends(dtype: DType, divisor: i128, rng: &mut Rng) -> Vec<Const> {
    let most = match dtype.is_signed() {
        true => (1i128 << (dtype.bits() - 1)) - 1,
        false => (1i128 << dtype.bits()) - 1,
    };
    let last = most / divisor.abs();
    let quotients = [0, 1, 2, last - 1, last, rng.bits() as i128 % (last + 1)];
    let around = |q: i128| [-1, 0, 1].map(|near| q * divisor + near);
    let ends = [0, 1, -1, most, most - 1, -most, -most - 1];
    let random = (0..8).map(|_| i128::from(rng.bits()));
    let all = quotients
        .into_iter()
        .flat_map(around)
        .chain(ends)
        .chain(random);
    all.map(|value| Const::int(dtype, value)).collect()
}

#[test]
fn division_where_reciprocals_are_least_exact() {
    use DType::{I8, I16, I32, I64, U32, U64};
    for_seeds(1, &[], |seed| {
        let mut rng = Rng::new(seed);
        for dtype in [I8, I16, I32, U32, I64, U64] {
            for divisor in divisors(dtype, &mut rng) {
                let divisor = Const::int(dtype, divisor);
                let by = divisor.as_int();
                if by == 0 {
                    continue;
                }
                let dividends = dividends(dtype, by, &mut rng);
                for (op, divide) in [
                    (Op::Div, i128::wrapping_div as fn(i128, i128) -> i128),
                    (Op::Rem, i128::wrapping_rem),
                ] {
                    let legal = legal(single(op, dtype, None, Constant::Last(divisor)));
                    for level in levels() {
                        let code = code(&legal, &options(level, Some(1)), &[]);
                        let inputs = [dividends.clone()];
                        let layouts = packed(legal.func());
                        let mut call = Call::new(legal.func(), dividends.len(), &layouts, &inputs);
                        call.run(&code, dividends.len());
                        for (dividend, found) in dividends.iter().zip(call.outputs[0].read()) {
                            let expected = Const::int(dtype, divide(dividend.as_int(), by));
                            let what = format!("{op:?} of {dividend:?} by {by} at {level:?}");
                            assert_eq!(found, expected, "{what}");
                        }
                    }
                }
            }
        }
    });
}
