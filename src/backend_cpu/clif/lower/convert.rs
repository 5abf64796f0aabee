//! Conversions and bit casts.

use super::lanes::Lane;
use super::{Clif, Cx};
use crate::vplan::lane_width;
use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use cranelift_codegen::ir::types::{F32, F32X4, F64, F64X2, I32, I32X4, I64};
use ufc_ir::func::Value;
use ufc_ir::{Const, DType};

/// The least and greatest value of an integer dtype, as floats in which both are exact or, for the greatest of 64
/// bits, unused.
fn bounds(dtype: DType) -> (f64, f64) {
    let bits = dtype.bits();
    if dtype.is_signed() {
        let half = 2f64.powi(bits as i32 - 1);
        (-half, half - 1.0)
    } else {
        (0.0, 2f64.powi(bits as i32) - 1.0)
    }
}

impl Cx<'_, '_> {
    /// Converts one lane.
    pub(super) fn scalar_convert(&mut self, value: Clif, from: DType, to: DType) -> Clif {
        if from == to {
            return value;
        }
        match (from, to) {
            (DType::Bool, to) => {
                let one = self.scalar_one(to);
                let zero = self.zero_scalar(Lane::of(to));
                self.b.ins().select(value, one, zero)
            }
            (from, DType::Bool) => {
                let zero = self.zero_scalar(Lane::of(from));
                if from.is_float() {
                    self.b.ins().fcmp(FloatCC::NotEqual, value, zero)
                } else {
                    self.b.ins().icmp(IntCC::NotEqual, value, zero)
                }
            }
            _ => match (from.is_float(), to.is_float()) {
                (false, false) => self.scalar_int_to_int(value, from, to),
                (false, true) => self.scalar_int_to_float(value, from, to),
                (true, false) => self.scalar_float_to_int(value, to),
                (true, true) if to == DType::F64 => self.b.ins().fpromote(F64, value),
                (true, true) => self.b.ins().fdemote(F32, value),
            },
        }
    }

    /// One, as a lane of this dtype holds it.
    fn scalar_one(&mut self, dtype: DType) -> Clif {
        let one = one(dtype);
        self.scalar_bits(Lane::of(dtype), one)
    }

    fn scalar_int_to_int(&mut self, value: Clif, from: DType, to: DType) -> Clif {
        let value = match (lane_width(from), lane_width(to)) {
            (4, 8) if from.is_signed() => self.b.ins().sextend(I64, value),
            (4, 8) => self.b.ins().uextend(I64, value),
            (8, 4) => self.b.ins().ireduce(I32, value),
            _ => value,
        };
        self.canonical(value, to)
    }

    fn scalar_int_to_float(&mut self, value: Clif, from: DType, to: DType) -> Clif {
        let ty = Lane::of(to).scalar();
        if matches!(from, DType::U32 | DType::U64) {
            self.b.ins().fcvt_from_uint(ty, value)
        } else {
            self.b.ins().fcvt_from_sint(ty, value)
        }
    }

    fn scalar_float_to_int(&mut self, value: Clif, to: DType) -> Clif {
        let ty = Lane::of(to).scalar();
        match to {
            DType::U32 | DType::U64 => self.b.ins().fcvt_to_uint_sat(ty, value),
            _ => {
                let wide = self.b.ins().fcvt_to_sint_sat(ty, value);
                self.clamp_small(wide, to)
            }
        }
    }

    /// Keeps 32-bit lanes within the range of an 8- or 16-bit integer.
    fn clamp_small(&mut self, value: Clif, to: DType) -> Clif {
        if to.size() > 2 {
            return value;
        }
        let (low, high) = bounds(to);
        let low = self.bits_like(value, low as i32 as u32 as u64);
        let high = self.bits_like(value, high as i32 as u32 as u64);
        let raised = self.b.ins().smax(value, low);
        self.b.ins().smin(raised, high)
    }

    /// Converts a value that varies.
    pub(super) fn vector_convert(&mut self, arg: Value, result: Value) -> Vec<Clif> {
        let (from, to) = (self.func.dtype(arg), self.func.dtype(result));
        if from == DType::Bool && to != DType::Bool {
            let masks = self.mask(arg, lane_width(to));
            return self.each([masks], |cx, lanes| {
                let int = Lane::int(lane_width(to));
                let one = cx.splat_bits(int, one(to));
                let value = cx.b.ins().band(lanes[0], one);
                cx.cast(value, Lane::of(to).vector())
            });
        }
        if to.is_complex() {
            self.refuse(format!("a conversion to {to}"));
        }
        let value = self.vectors(arg);
        match (from, to) {
            _ if from == to => value,
            (_, DType::Bool) => {
                let zero = self.splat_const(Const::zero(from));
                let op = ufc_ir::ops::Op::Ne;
                let masks = self.each([value], |cx, lanes| cx.compare(op, from, lanes[0], zero));
                self.fit_mask(masks, self.plan.mask(result))
            }
            _ => match (from.is_float(), to.is_float()) {
                (false, false) => self.ints_to_ints(value, from, to),
                (false, true) => self.ints_to_floats(value, from, to),
                (true, false) => self.floats_to_ints(value, from, to),
                (true, true) if to == DType::F64 => self.promote(&value),
                (true, true) => self.demote(&value),
            },
        }
    }

    fn ints_to_ints(&mut self, value: Vec<Clif>, from: DType, to: DType) -> Vec<Clif> {
        let value = match (lane_width(from), lane_width(to)) {
            (4, 8) => self.widen_ints(&value, from.is_signed()),
            (8, 4) => value
                .chunks(2)
                .map(|pair| self.low_halves(pair[0], pair[1]))
                .collect(),
            _ => value,
        };
        self.each([value], |cx, lanes| cx.canonical(lanes[0], to))
    }

    fn widen_ints(&mut self, value: &[Clif], signed: bool) -> Vec<Clif> {
        let mut wide = Vec::new();
        for &vector in value {
            if signed {
                wide.push(self.b.ins().swiden_low(vector));
                wide.push(self.b.ins().swiden_high(vector));
            } else {
                wide.push(self.b.ins().uwiden_low(vector));
                wide.push(self.b.ins().uwiden_high(vector));
            }
        }
        wide
    }

    fn ints_to_floats(&mut self, value: Vec<Clif>, from: DType, to: DType) -> Vec<Clif> {
        let unsigned = matches!(from, DType::U32 | DType::U64);
        match (lane_width(from), lane_width(to)) {
            (8, 4) => self.scalarize(Lane::F32, &[value], |cx, lanes| {
                cx.scalar_int_to_float(lanes[0], from, to)
            }),
            (4, 8) => {
                let mut wide = Vec::new();
                for vector in value {
                    wide.push(self.low_to_f64(from, vector));
                    let high = self.high_to_low(vector);
                    wide.push(self.low_to_f64(from, high));
                }
                wide
            }
            (_, width) => {
                let ty = if width == 8 { F64X2 } else { F32X4 };
                self.each([value], |cx, lanes| {
                    if unsigned {
                        cx.b.ins().fcvt_from_uint(ty, lanes[0])
                    } else {
                        cx.b.ins().fcvt_from_sint(ty, lanes[0])
                    }
                })
            }
        }
    }

    fn floats_to_ints(&mut self, value: Vec<Clif>, from: DType, to: DType) -> Vec<Clif> {
        match (lane_width(from), lane_width(to)) {
            (4, 4) => self.each([value], |cx, lanes| {
                if to == DType::U32 {
                    return cx.b.ins().fcvt_to_uint_sat(I32X4, lanes[0]);
                }
                let wide = cx.b.ins().fcvt_to_sint_sat(I32X4, lanes[0]);
                cx.clamp_small(wide, to)
            }),
            (8, 4) => {
                let bits = self.each([value], |cx, lanes| cx.f64_to_int_bits(lanes[0], to));
                bits.chunks(2)
                    .map(|pair| self.low_halves(pair[0], pair[1]))
                    .collect()
            }
            _ => self.scalarize(Lane::I64, &[value], |cx, lanes| {
                cx.scalar_float_to_int(lanes[0], to)
            }),
        }
    }

    /// Truncates f64 to an integer of at most 32 bits, saturating, in the low bits of each 64-bit lane.
    fn f64_to_int_bits(&mut self, value: Clif, to: DType) -> Clif {
        let (low, high) = bounds(to);
        let whole = self.b.ins().trunc(value);
        let low = self.splat_const(Const::f64(low));
        let high = self.splat_const(Const::f64(high));
        // NaN passes the first choice and is replaced by the second.
        let too_low = self.b.ins().fcmp(FloatCC::LessThan, whole, low);
        let raised = self.blend(too_low, low, whole);
        let too_high = self.b.ins().fcmp(FloatCC::GreaterThan, whole, high);
        let bounded = self.blend(too_high, high, raised);
        let is_number = self.b.ins().fcmp(FloatCC::Ordered, value, value);
        let is_number = self.cast(is_number, F64X2);
        let number = self.b.ins().band(bounded, is_number);
        self.f64_low_bits(number)
    }

    fn promote(&mut self, value: &[Clif]) -> Vec<Clif> {
        let mut wide = Vec::new();
        for &vector in value {
            wide.push(self.b.ins().fvpromote_low(vector));
            let high = self.high_to_low(vector);
            wide.push(self.b.ins().fvpromote_low(high));
        }
        wide
    }

    fn demote(&mut self, value: &[Clif]) -> Vec<Clif> {
        value
            .chunks(2)
            .map(|pair| {
                let low = self.b.ins().fvdemote(pair[0]);
                let high = self.b.ins().fvdemote(pair[1]);
                self.shuffle32(low, high, [0, 1, 4, 5])
            })
            .collect()
    }

    /// The bits of a scalar as another dtype of the same size.
    pub(super) fn scalar_bitcast(&mut self, value: Clif, from: DType, to: DType) -> Clif {
        let value = self.cast(value, Lane::of(to).scalar());
        self.recanonical(value, from, to)
    }

    /// The bits of a value that varies as another dtype of the same size.
    pub(super) fn vector_bitcast(&mut self, arg: Value, result: Value) -> Vec<Clif> {
        let (from, to) = (self.func.dtype(arg), self.func.dtype(result));
        let value = self.vectors(arg);
        self.each([value], |cx, lanes| {
            let value = cx.cast(lanes[0], Lane::of(to).vector());
            cx.recanonical(value, from, to)
        })
    }

    /// Extends the low bits as the new dtype wants them, where the old one had them otherwise.
    fn recanonical(&mut self, value: Clif, from: DType, to: DType) -> Clif {
        if from.is_signed() == to.is_signed() {
            return value;
        }
        match to {
            DType::F16 | DType::BF16 => self.canonical(value, DType::U16),
            _ => self.canonical(value, to),
        }
    }
}

/// The bits of one.
fn one(dtype: DType) -> u64 {
    match dtype {
        DType::F16 => 0x3c00,
        DType::BF16 => 0x3f80,
        DType::F32 => u64::from(1f32.to_bits()),
        DType::F64 => 1f64.to_bits(),
        _ => 1,
    }
}
