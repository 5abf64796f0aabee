//! Comparisons into masks.

use super::{Cx, Few, Src};
use crate::native::codes::{Lane, MaskOp, VecOp};
use crate::native::level::Level;
use crate::native::mach::{Arg, Reg};
use ufc_ir::DType;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;

/// The comparison with its sides exchanged.
fn swapped(op: Op) -> Op {
    match op {
        Op::Lt => Op::Gt,
        Op::Le => Op::Ge,
        Op::Gt => Op::Lt,
        Op::Ge => Op::Le,
        other => other,
    }
}

/// The immediates of VCMPPS that signal nothing for quiet NaN (SDM, VCMPPD).
fn float_code(op: Op) -> i64 {
    match op {
        Op::Eq => 0x00,
        Op::Ne => 0x04,
        Op::Lt => 0x11,
        Op::Le => 0x12,
        Op::Gt => 0x1e,
        _ => 0x1d,
    }
}

/// Those of the opposite comparisons, true for NaN where the others are false.
fn float_opposite(op: Op) -> i64 {
    match op {
        Op::Eq => 0x04,
        Op::Ne => 0x00,
        Op::Lt => 0x15,
        Op::Le => 0x16,
        Op::Gt => 0x1a,
        _ => 0x19,
    }
}

fn is_comparison(op: Op) -> bool {
    matches!(op, Op::Eq | Op::Ne | Op::Lt | Op::Le | Op::Gt | Op::Ge)
}

/// The immediates of VPCMPD (SDM, VPCMPD).
fn int_code(op: Op) -> i64 {
    match op {
        Op::Eq => 0,
        Op::Ne => 4,
        Op::Lt => 1,
        Op::Le => 2,
        Op::Gt => 6,
        _ => 5,
    }
}

impl Cx<'_> {
    /// Compares values, giving masks of the result's planned width.
    pub(super) fn compare(&mut self, op: Op, args: &[Value], result: Value) {
        let dtype = self.func.dtype(args[0]);
        let width = self.plan.mask(result);
        if dtype == DType::Bool {
            let (a, b) = (self.mask(args[0], width), self.mask(args[1], width));
            let op = if op == Op::Eq {
                MaskOp::Same
            } else {
                MaskOp::Xor
            };
            let masks = self.mask_zip(op, width, &a, &b);
            return self.set_masks(result, masks, width);
        }
        if let Some(masks) = self.tested(op, args) {
            return self.set_fitted(result, masks, self.lane(dtype).width(), width);
        }
        let (a, b) = (self.lanes(args[0]), self.lanes(args[1]));
        let masks = self.zip(&a, &b, |cx, a, b| cx.compare_lanes(op, dtype, a, b));
        self.set_fitted(result, masks, self.lane(dtype).width(), width);
    }

    /// Whether `x & y` is zero, or not, by the instruction that there is for it.
    fn tested(&mut self, op: Op, args: &[Value]) -> Option<Few<Reg>> {
        let func = self.func;
        let zero = func.constant(args[1])?;
        let test = match op {
            Op::Eq => VecOp::TestNotMask,
            Op::Ne => VecOp::TestMask,
            _ => return None,
        };
        let dtype = func.dtype(args[0]);
        let (Op::And, parts) = func.defining_op(args[0])? else {
            return None;
        };
        let lane = self.lane(dtype);
        if zero.bits() != 0 || !dtype.is_int() || !self.has(test, lane) {
            return None;
        }
        let (x, y) = (self.lanes(parts[0]), self.lanes(parts[1]));
        Some(self.zip(&x, &y, |cx, x, y| {
            let (x, y) = match (x, y) {
                (Src::Splat { .. } | Src::Mem(_), Src::Reg(_)) => (y, x),
                _ => (x, y),
            };
            let to = cx.mask_reg();
            cx.op_into(test, lane, &[x, y], None, to);
            to
        }))
    }

    /// Notes masks made for lanes of one width as a value's, which are planned for another.
    pub(super) fn set_fitted(&mut self, result: Value, masks: Few<Reg>, from: usize, to: usize) {
        let masks = if self.is_uniform {
            return self.set_masks(result, masks, from);
        } else {
            self.fit(masks, from, to)
        };
        self.set_masks(result, masks, to);
    }

    /// Whether a condition is best computed under the mask that it is joined with: a comparison, its opposite, or several
    /// joined, which nothing else uses and which are computed as often.
    pub(super) fn folds(&self, value: Value, user: Value, width: usize) -> bool {
        if self.level != Level::Avx512 || self.uses[value] != 1 {
            return false;
        }
        if self.home[value] != self.home[user] || !self.varying[value] {
            return false;
        }
        match self.func.defining_op(value) {
            Some((Op::And, parts)) => parts.iter().any(|part| self.folds(*part, value, width)),
            Some((Op::Not, inner)) => match self.func.defining_op(inner[0]) {
                Some((op, _)) if is_comparison(op) => self.folds(inner[0], value, width),
                _ => false,
            },
            Some((op, args)) if is_comparison(op) => {
                let dtype = self.func.dtype(args[0]);
                dtype != DType::Bool && self.width(dtype) == width
            }
            _ => false,
        }
    }

    /// The conjunction of masks and a condition; comparisons in it are done under the masks, one after the other.
    pub(super) fn under(
        &mut self,
        value: Value,
        user: Value,
        masks: &[Reg],
        width: usize,
    ) -> Few<Reg> {
        let func = self.func;
        if !self.folds(value, user, width) {
            let own = self.mask(value, width);
            return self.mask_zip(MaskOp::And, width, masks, &own);
        }
        let (opposite, compared) = match func.defining_op(value) {
            Some((Op::And, parts)) => {
                let first = self.under(parts[0], value, masks, width);
                return self.under(parts[1], value, &first, width);
            }
            Some((Op::Not, inner)) => (true, func.defining_op(inner[0])),
            other => (false, other),
        };
        let Some((op, args)) = compared else {
            return masks.iter().copied().collect();
        };
        let dtype = func.dtype(args[0]);
        let (a, b) = (self.lanes(args[0]), self.lanes(args[1]));
        let pairs = a.into_iter().zip(b);
        let compared = pairs.zip(masks).map(|((a, b), mask)| {
            let mask = Some(*mask);
            self.compare_into_mask(op, dtype, [a, b], opposite, mask)
        });
        compared.collect()
    }

    /// Compares vectors into a mask register, only where a mask is set if there is one.
    fn compare_into_mask(
        &mut self,
        op: Op,
        dtype: DType,
        [a, b]: [Src; 2],
        opposite: bool,
        mask: Option<Reg>,
    ) -> Reg {
        let lane = self.lane(dtype);
        let (op, a, b) = match (a, b) {
            (Src::Splat { .. } | Src::Mem(_), Src::Reg(_)) => (swapped(op), b, a),
            _ => (op, a, b),
        };
        let is_float = matches!(dtype, DType::F32 | DType::F64);
        let (compare, imm) = match (is_float, opposite) {
            (true, false) => (VecOp::Compare, float_code(op)),
            (true, true) => (VecOp::Compare, float_opposite(op)),
            (false, _) if dtype.is_signed() => {
                (VecOp::Compare, int_code(op) ^ (4 * i64::from(opposite)))
            }
            (false, _) => (
                VecOp::CompareUnsigned,
                int_code(op) ^ (4 * i64::from(opposite)),
            ),
        };
        let Some(mask) = mask else {
            return self.compare_into(compare, lane, [a, b], imm);
        };
        let to = self.mask_reg();
        let code = self.code(compare, lane);
        let a = self.reg(a, lane);
        let b = self.operand(b, lane, code, 2);
        self.emit_masked(code, &[Arg::Def(to), Arg::Use(a), b, Arg::Imm(imm)], mask);
        to
    }

    /// Compares vectors, giving a mask of their own width.
    pub(super) fn compare_lanes(&mut self, op: Op, dtype: DType, a: Src, b: Src) -> Reg {
        let lane = self.lane(dtype);
        if self.level == Level::Avx512 || matches!(dtype, DType::F32 | DType::F64) {
            return self.compare_into_mask(op, dtype, [a, b], false, None);
        }
        let (op, a, b) = match (a, b) {
            (Src::Splat { .. } | Src::Mem(_), Src::Reg(_)) => (swapped(op), b, a),
            _ => (op, a, b),
        };
        let width = lane.width();
        match op {
            Op::Eq => self.vec_op(VecOp::CompareEqual, lane, &[a, b]),
            Op::Ne => {
                let equal = self.vec_op(VecOp::CompareEqual, lane, &[a, b]);
                self.mask_not(width, equal)
            }
            Op::Gt => self.int_greater(dtype, a, b),
            Op::Lt => self.int_greater(dtype, b, a),
            Op::Le => {
                let greater = self.int_greater(dtype, a, b);
                self.mask_not(width, greater)
            }
            _ => {
                let less = self.int_greater(dtype, b, a);
                self.mask_not(width, less)
            }
        }
    }

    /// Where an integer is greater than another, without comparisons for unsigned ones: those are made signed first.
    pub(super) fn int_greater(&mut self, dtype: DType, a: Src, b: Src) -> Reg {
        let lane = self.lane(dtype);
        // Smaller unsigned integers are positive as signed ones in wider lanes.
        if dtype.is_signed() || dtype.size() < lane.width() {
            return self.vec_op(VecOp::CompareGreater, lane, &[a, b]);
        }
        let [a, b] = [a, b].map(|src| {
            let sign = self.splat_bits(lane, 1 << (dtype.bits() - 1));
            if let (Src::Splat { bits, width, .. }, Src::Splat { bits: sign, .. }) = (src, sign) {
                return self.splat_bits(Lane::int(width), bits ^ sign);
            }
            Src::Reg(self.vec_op(VecOp::Xor, lane, &[src, sign]))
        });
        self.vec_op(VecOp::CompareGreater, lane, &[a, b])
    }

    /// A comparison by an immediate into a new mask.
    pub(super) fn compare_into(&mut self, op: VecOp, lane: Lane, args: [Src; 2], imm: i64) -> Reg {
        let to = self.mask_reg();
        self.op_into(op, lane, &args, Some(imm), to);
        to
    }

    /// A mask of the vector's own width: where it has any bit set.
    pub(super) fn non_zero(&mut self, lane: Lane, value: Src) -> Reg {
        if self.has(VecOp::TestMask, lane) {
            let reg = self.reg(value, lane);
            let to = self.mask_reg();
            let code = self.code(VecOp::TestMask, lane);
            self.emit(code, &[Arg::Def(to), Arg::Use(reg), Arg::Use(reg)]);
            return to;
        }
        let dtype = match lane.width() {
            1 => DType::I8,
            2 => DType::I16,
            8 => DType::I64,
            _ => DType::I32,
        };
        let zero = self.splat_bits(lane, 0);
        self.compare_lanes(Op::Ne, dtype, value, zero)
    }
}
