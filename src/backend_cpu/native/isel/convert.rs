//! Conversions and bit casts.

use super::{Cx, Few, Lanes, Src};
use crate::native::codes::{Lane, MaskOp, VecOp};
use crate::native::level::Level;
use crate::native::mach::{Arg, Reg};
use crate::native::plan::Layout;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};

/// The immediate of VCMPPS that is true where neither side is NaN.
const ORDERED: i64 = 7;

/// Truncation of VROUNDPD.
const TO_ZERO: i64 = 11;

impl Cx<'_> {
    /// `convert`.
    pub(super) fn convert(&mut self, arg: Value, result: Value) {
        let (from, to) = (self.func.dtype(arg), self.func.dtype(result));
        if to.is_complex() {
            self.refuse(format!("a conversion to {to}"));
        }
        if to == DType::Bool {
            return self.truth(arg, result);
        }
        if from == DType::Bool {
            let lane = self.lane(to);
            let one = self.splat_bits(lane, one(to));
            let masks = self.mask(arg, self.width(to));
            let lanes = masks
                .iter()
                .map(|mask| Src::Reg(self.keep(*mask, lane, one)))
                .collect();
            return self.set_lanes(result, lanes);
        }
        let value = self.lanes(arg);
        let lanes = match (from.is_float(), to.is_float()) {
            _ if from == to => self.settled(value, self.lane(to)),
            (false, false) => {
                let small = self.is_byte(arg);
                self.ints_to_ints(&value, from, to, small)
            }
            (false, true) => self.ints_to_floats(&value, from, to),
            (true, false) => self.floats_to_ints(&value, from, to),
            (true, true) if to == DType::F64 => self.widen(&value, |cx, half| {
                cx.vec_op(VecOp::WidenFloat, Lane::F64, &[half])
            }),
            (true, true) => self.narrow_by(&value, VecOp::NarrowFloat, Lane::F32),
        };
        self.set_lanes(result, lanes);
    }

    fn truth(&mut self, arg: Value, result: Value) {
        let from = self.func.dtype(arg);
        let planned = self.plan.mask(result);
        if from == DType::Bool {
            let masks = self.mask(arg, planned);
            return self.set_masks(result, masks, planned);
        }
        let value = self.lanes(arg);
        let masks: Few<Reg> = value.iter().map(|src| self.is_true(from, *src)).collect();
        self.set_fitted(result, masks, self.width(from), planned);
    }

    fn is_true(&mut self, from: DType, value: Src) -> Reg {
        match from {
            DType::F32 | DType::F64 => {
                let zero = self.splat(Const::zero(from));
                self.compare_lanes(Op::Ne, from, value, zero)
            }
            // Either zero is false.
            DType::F16 | DType::BF16 => {
                let size = self.absolute(from, value);
                self.non_zero(self.lane(from), Src::Reg(size))
            }
            _ => self.non_zero(self.lane(from), value),
        }
    }

    /// Narrows each vector by an instruction.
    fn narrow_by(&mut self, value: &Lanes, op: VecOp, lane: Lane) -> Lanes {
        self.narrow(value, |cx, src| {
            let from = cx.reg(src, Lane::F64);
            let to = cx.vector();
            let code = cx.code(op, lane);
            cx.emit(code, &[Arg::Def(to), Arg::Use(from)]);
            to
        })
    }

    /// `small` where integers of 16 bits are at most 255.
    fn ints_to_ints(&mut self, value: &Lanes, from: DType, to: DType, small: bool) -> Lanes {
        let value = match (self.width(from), self.width(to)) {
            (2, 1) => self.low_bytes(value, small),
            (1, 2) if self.plan.layout == Layout::Unpacked => {
                self.unpacked(value, from.is_signed())
            }
            (1, 2) | (4, 8) => {
                let op = if from.is_signed() {
                    VecOp::WidenInt
                } else {
                    VecOp::WidenUnsigned
                };
                let lane = self.lane(to);
                self.widen(value, |cx, half| cx.vec_op(op, lane, &[half]))
            }
            (8, 4) => self.low_bits(value),
            _ => value.clone(),
        };
        value
            .iter()
            .map(|src| {
                let reg = self.reg(*src, self.lane(to));
                Src::Reg(self.canonical(reg, to))
            })
            .collect()
    }

    fn ints_to_floats(&mut self, value: &Lanes, from: DType, to: DType) -> Lanes {
        let unsigned = matches!(from, DType::U32 | DType::U64);
        let to_lane = self.lane(to);
        match (self.width(from), self.width(to)) {
            (8, 4) if self.level == Level::Avx2 => {
                let wide = value
                    .iter()
                    .map(|src| {
                        let sticky = self.sticky(unsigned, *src);
                        Src::Reg(self.f64_of_long(unsigned, sticky))
                    })
                    .collect();
                self.narrow_by(&wide, VecOp::NarrowFloat, Lane::F32)
            }
            (8, 8) => value
                .iter()
                .map(|src| Src::Reg(self.f64_of_long(unsigned, *src)))
                .collect(),
            (8, 4) => {
                let op = if unsigned {
                    VecOp::NarrowUnsigned
                } else {
                    VecOp::NarrowInt
                };
                self.narrow_by(value, op, Lane::F32)
            }
            (4, 8) => self.widen(value, |cx, half| cx.f64_of(from, half)),
            (4, _) if unsigned && self.level == Level::Avx2 => {
                // Exact in f64, then rounded once.
                let wide = self.widen(value, |cx, half| cx.f64_of(from, half));
                self.narrow_by(&wide, VecOp::NarrowFloat, Lane::F32)
            }
            _ => {
                let op = if unsigned {
                    VecOp::FromUnsigned
                } else {
                    VecOp::FromInt
                };
                value
                    .iter()
                    .map(|src| Src::Reg(self.vec_op(op, to_lane, &[*src])))
                    .collect()
            }
        }
    }

    fn floats_to_ints(&mut self, value: &Lanes, from: DType, to: DType) -> Lanes {
        let unsigned = matches!(to, DType::U32 | DType::U64);
        match (self.width(from), self.width(to), unsigned) {
            (4, 4, false) => value
                .iter()
                .map(|src| {
                    let int = self.signed_of(from, *src, DType::I32);
                    Src::Reg(self.clamp_small(int, to))
                })
                .collect(),
            (4, 4, true) => value
                .iter()
                .map(|src| Src::Reg(self.u32_of(*src)))
                .collect(),
            (8, 4, _) => {
                let bits = value
                    .iter()
                    .map(|src| Src::Reg(self.f64_to_int_bits(*src, to)))
                    .collect();
                self.low_bits(&bits)
            }
            (8, _, false) => value
                .iter()
                .map(|src| Src::Reg(self.signed_of(from, *src, to)))
                .collect(),
            (8, _, true) => value
                .iter()
                .map(|src| Src::Reg(self.unsigned_of(from, *src)))
                .collect(),
            // What does not fit f32 does not fit f64 either, and widening is exact.
            _ => {
                let wide = self.widen(value, |cx, half| {
                    cx.vec_op(VecOp::WidenFloat, Lane::F64, &[half])
                });
                self.floats_to_ints(&wide, DType::F64, to)
            }
        }
    }

    /// Truncates to signed integers of the same width. The machine gives MIN for whatever does not fit: right for what
    /// is too low; what is too high becomes MAX, and NaN 0.
    fn signed_of(&mut self, from: DType, value: Src, to: DType) -> Reg {
        let lane = self.lane(from);
        let int = Lane::int(lane.width());
        let value = Src::Reg(self.reg(value, lane));
        let whole = match lane {
            Lane::F64 => self.long_of_f64(false, value),
            _ => self.vec_op(VecOp::ToInt, lane, &[value]),
        };
        let limit = match from {
            DType::F64 => Const::f64(2f64.powi(to.bits() as i32 - 1)),
            _ => Const::f32(2f32.powi(to.bits() as i32 - 1)),
        };
        let limit = self.splat(limit);
        let too_high = self.compare_lanes(Op::Ge, from, value, limit);
        let high = self.splat_bits(int, u64::MAX >> (65 - to.bits()));
        let bounded = self.blend(too_high, int, high, Src::Reg(whole));
        let ordered = self.compare_into(VecOp::Compare, lane, [value, value], ORDERED);
        self.keep(ordered, int, Src::Reg(bounded))
    }

    /// Truncates to unsigned integers of the same width. The machine gives MAX for what does not fit: right for what is
    /// too high; the rest is raised to 0 first, NaN as well, because VMAXPS gives its second argument then.
    fn unsigned_of(&mut self, from: DType, value: Src) -> Reg {
        let lane = self.lane(from);
        let zero = self.splat(Const::zero(from));
        let raised = self.vec_op(VecOp::Max, lane, &[value, zero]);
        match lane {
            Lane::F64 => self.long_of_f64(true, Src::Reg(raised)),
            _ => self.vec_op(VecOp::ToUnsigned, lane, &[Src::Reg(raised)]),
        }
    }

    fn u32_of(&mut self, value: Src) -> Reg {
        if self.level == Level::Avx512 {
            return self.unsigned_of(DType::F32, value);
        }
        let lane = Lane::F32;
        let zero = self.splat_bits(lane, 0);
        let raised = Src::Reg(self.vec_op(VecOp::Max, lane, &[value, zero]));
        let half = self.splat(Const::f32(2f32.powi(31)));
        let full = self.splat(Const::f32(2f32.powi(32)));
        let small = self.vec_op(VecOp::ToInt, lane, &[raised]);
        // From 2^31 on the part above that is truncated, and that bit put back.
        let above = Src::Reg(self.vec_op(VecOp::Sub, lane, &[raised, half]));
        let above = Src::Reg(self.vec_op(VecOp::ToInt, lane, &[above]));
        let top = self.splat_bits(Lane::I32, 1 << 31);
        let large = self.vec_op(VecOp::Xor, Lane::I32, &[above, top]);
        let is_large = self.compare_lanes(Op::Ge, DType::F32, raised, half);
        let chosen = self.blend(is_large, Lane::I32, Src::Reg(large), Src::Reg(small));
        let is_too_large = self.compare_lanes(Op::Ge, DType::F32, raised, full);
        self.mask_op(MaskOp::Or, 4, is_too_large, chosen)
    }

    /// Keeps 32-bit lanes within the range of an 8- or 16-bit integer.
    fn clamp_small(&mut self, value: Reg, to: DType) -> Reg {
        if to.size() > 2 {
            return value;
        }
        let (low, high) = bounds(to);
        let low = self.splat_bits(Lane::I32, u64::from(low as i32 as u32));
        let high = self.splat_bits(Lane::I32, u64::from(high as i32 as u32));
        let raised = self.vec_op(VecOp::Max, Lane::I32, &[Src::Reg(value), low]);
        self.vec_op(VecOp::Min, Lane::I32, &[Src::Reg(raised), high])
    }

    /// Truncates f64 to an integer of at most 32 bits, saturating, in the low bits of each 64-bit lane.
    fn f64_to_int_bits(&mut self, value: Src, to: DType) -> Reg {
        let lane = Lane::F64;
        let value = Src::Reg(self.reg(value, lane));
        let (low, high) = bounds(to);
        let low = self.splat(Const::f64(low));
        let high = self.splat(Const::f64(high));
        let whole = Src::Reg(self.vec_op_imm(VecOp::Round, lane, &[value], TO_ZERO));
        // NaN becomes the lower bound here, and 0 below.
        let raised = Src::Reg(self.vec_op(VecOp::Max, lane, &[whole, low]));
        let bounded = Src::Reg(self.vec_op(VecOp::Min, lane, &[raised, high]));
        let ordered = self.compare_into(VecOp::Compare, lane, [value, value], ORDERED);
        let number = Src::Reg(self.keep(ordered, lane, bounded));
        self.f64_bits(number)
    }

    /// `bitcast`.
    pub(super) fn bitcast(&mut self, arg: Value, result: Value) {
        let (from, to) = (self.func.dtype(arg), self.func.dtype(result));
        let value = self.lanes(arg);
        let mut value = self.settled(value, self.lane(to));
        if from.is_signed() != to.is_signed() {
            let as_bits = match to {
                DType::F16 | DType::BF16 => DType::U16,
                other => other,
            };
            value = value
                .iter()
                .map(|src| {
                    let reg = self.reg(*src, self.lane(from));
                    Src::Reg(self.canonical(reg, as_bits))
                })
                .collect();
        }
        self.set_lanes(result, value);
    }
}

/// The least and greatest value of an integer dtype of at most 32 bits.
fn bounds(dtype: DType) -> (f64, f64) {
    let bits = dtype.bits() as i32;
    if dtype.is_signed() {
        let half = 2f64.powi(bits - 1);
        (-half, half - 1.0)
    } else {
        (0.0, 2f64.powi(bits) - 1.0)
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
