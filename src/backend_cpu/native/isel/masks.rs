//! Masks: making, combining and testing them, choice between values, and lanes of other widths.

use super::{Cx, Few, Held, Lanes, Src};
use crate::native::codes::{Lane, MaskOp, VecOp};
use crate::native::level::Level;
use crate::native::mach::{Arg, Class, Cond, MachInst, Reg};
use crate::native::plan::Layout;
use iced_x86::{Code, Register};
use smallvec::smallvec;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};

impl Cx<'_> {
    /// A new register for a mask.
    pub(super) fn mask_reg(&mut self) -> Reg {
        self.mach.reg(if self.level.has_masks() {
            Class::Mask
        } else {
            Class::Vector
        })
    }

    /// How many lanes of this width there are in a vector.
    fn mask_lanes(&self, width: usize) -> usize {
        self.level.vector() / width
    }

    /// A mask with the same bool in every lane.
    pub(super) fn mask_const(&mut self, value: bool, width: usize) -> Reg {
        if self.level == Level::Avx2 {
            let bits = if value { u64::MAX } else { 0 };
            let splat = self.splat_bits(Lane::int(width), bits);
            return self.reg(splat, Lane::int(width));
        }
        let op = if value { MaskOp::Same } else { MaskOp::Xor };
        let to = self.mask_reg();
        let any = Arg::Any(Register::K0);
        self.emit(op.code(self.mask_lanes(width)), &[Arg::Def(to), any, any]);
        to
    }

    /// An operation on masks.
    pub(super) fn mask_op(&mut self, op: MaskOp, width: usize, a: Reg, b: Reg) -> Reg {
        if self.level == Level::Avx512 {
            let to = self.mask_reg();
            let code = op.code(self.mask_lanes(width));
            let args = [Arg::Def(to), Arg::Use(a), Arg::Use(b)];
            self.emit(code, &args[..if op == MaskOp::Not { 2 } else { 3 }]);
            return to;
        }
        let lane = Lane::int(width);
        let (a, b) = (Src::Reg(a), Src::Reg(b));
        let ones = self.splat_bits(lane, u64::MAX);
        match op {
            MaskOp::And | MaskOp::Test => self.vec_op(VecOp::And, lane, &[a, b]),
            MaskOp::AndNot => self.vec_op(VecOp::AndNot, lane, &[a, b]),
            MaskOp::Or => self.vec_op(VecOp::Or, lane, &[a, b]),
            MaskOp::Xor => self.vec_op(VecOp::Xor, lane, &[a, b]),
            MaskOp::Same => {
                let differs = self.vec_op(VecOp::Xor, lane, &[a, b]);
                self.vec_op(VecOp::Xor, lane, &[Src::Reg(differs), ones])
            }
            MaskOp::Not => self.vec_op(VecOp::Xor, lane, &[a, ones]),
        }
    }

    /// A bool's masks in the current column, for lanes of this width in bytes.
    pub(super) fn mask(&mut self, value: Value, width: usize) -> Few<Reg> {
        let count = self.count(width);
        match self.held[value].clone() {
            Held::Const(constant) => smallvec![self.mask_const(constant.as_bool(), width); count],
            Held::UniformMask(mask, from) => {
                let mask = self.fit_uniform(mask, from, width);
                smallvec![mask; count]
            }
            Held::Any(masks, from) => {
                let mask = self.any_mask(&masks, from);
                smallvec![mask; count]
            }
            Held::Masks(columns, from) => {
                let masks = columns[self.column].clone();
                self.fit(masks, from, width)
            }
            _ => {
                self.refuse(format!("{value} as a mask"));
                smallvec![self.mask_const(false, width); count]
            }
        }
    }

    /// A mask with the same bool in every lane, for lanes of another width.
    fn fit_uniform(&mut self, mask: Reg, from: usize, to: usize) -> Reg {
        if self.level == Level::Avx512 && from > to {
            return self.unpack(mask, mask, to);
        }
        mask
    }

    /// A column's masks for lanes of another width.
    pub(super) fn fit(&mut self, masks: Few<Reg>, from: usize, to: usize) -> Few<Reg> {
        let unpacked = self.plan.layout == Layout::Unpacked;
        match (from, to, self.level) {
            (1, 2, Level::Avx512) | (2, 1, Level::Avx512) if unpacked => {
                self.refuse("masks in another order".to_string());
                // As many as the caller counts on.
                smallvec![masks[0]; (masks.len() * to / from).max(1)]
            }
            (1, 2, Level::Avx2) if unpacked => {
                let lanes: Lanes = masks.iter().map(|m| Src::Reg(*m)).collect();
                let wide = self.unpacked(&lanes, true);
                self.regs(&wide)
            }
            (1, 2, Level::Avx512) | (4, 8, Level::Avx512) => masks
                .iter()
                .flat_map(|mask| {
                    let upper = self.mask_reg();
                    let (code, half) = match to {
                        2 => (Code::VEX_Kshiftrq_kr_kr_imm8, 32),
                        _ => (Code::VEX_Kshiftrw_kr_kr_imm8, 8),
                    };
                    self.emit(code, &[Arg::Def(upper), Arg::Use(*mask), Arg::Imm(half)]);
                    [*mask, upper]
                })
                .collect(),
            (2, 1, Level::Avx512) | (8, 4, Level::Avx512) => masks
                .chunks(2)
                .map(|pair| self.unpack(pair[pair.len() - 1], pair[0], to))
                .collect(),
            (1, 2, Level::Avx2) | (4, 8, Level::Avx2) => {
                let lanes: Lanes = masks.iter().map(|m| Src::Reg(*m)).collect();
                let wide = self.widen(&lanes, |cx, half| {
                    cx.vec_op(VecOp::WidenInt, Lane::int(to), &[half])
                });
                self.regs(&wide)
            }
            (2, 1, Level::Avx2) => {
                let lanes: Lanes = masks.iter().map(|m| Src::Reg(*m)).collect();
                let narrow = self.low_bytes(&lanes, false);
                self.regs(&narrow)
            }
            (8, 4, Level::Avx2) => {
                let lanes: Lanes = masks.iter().map(|m| Src::Reg(*m)).collect();
                let narrow = self.low_bits(&lanes);
                self.regs(&narrow)
            }
            _ => masks,
        }
    }

    /// Vectors of integers in registers.
    fn regs(&mut self, lanes: &Lanes) -> Few<Reg> {
        lanes.iter().map(|src| self.reg(*src, Lane::I32)).collect()
    }

    /// Two masks as one of twice as many lanes, of this width.
    fn unpack(&mut self, high: Reg, low: Reg, width: usize) -> Reg {
        let to = self.mask_reg();
        let args = [Arg::Def(to), Arg::Use(high), Arg::Use(low)];
        let code = match width {
            1 => Code::VEX_Kunpckdq_kr_kr_kr,
            _ => Code::VEX_Kunpckbw_kr_kr_kr,
        };
        self.emit(code, &args);
        to
    }

    /// Logic on bools.
    pub(super) fn mask_logic(&mut self, op: Op, args: &[Value], result: Value) {
        let width = self.plan.mask(result);
        if op == Op::And && self.join_any(args, result) {
            return;
        }
        if op == Op::And && !self.is_uniform {
            let folded = [1, 0]
                .into_iter()
                .find(|i| self.folds(args[*i], result, width));
            if let Some(i) = folded {
                let masks = self.mask(args[1 - i], width);
                let masks = self.under(args[i], result, &masks, width);
                return self.set_masks(result, masks, width);
            }
        }
        let a = self.mask(args[0], width);
        let op = match op {
            Op::And => MaskOp::And,
            Op::Or => MaskOp::Or,
            Op::Xor => MaskOp::Xor,
            _ => MaskOp::Not,
        };
        // `a & !b` is one instruction.
        let inner = |cx: &Self, v: Value| match cx.func.defining_op(v) {
            Some((Op::Not, inner)) if op == MaskOp::And => Some(inner[0]),
            _ => None,
        };
        let masks = match args {
            [_] => a
                .iter()
                .map(|a| self.mask_op(MaskOp::Not, width, *a, *a))
                .collect(),
            [_, b] if inner(self, *b).is_some() => {
                let b = inner(self, *b).unwrap_or(*b);
                let b = self.mask(b, width);
                self.mask_zip(MaskOp::AndNot, width, &b, &a)
            }
            _ => {
                let b = self.mask(args[1], width);
                self.mask_zip(op, width, &a, &b)
            }
        };
        self.set_masks(result, masks, width);
    }

    /// Whether any lane is true, and a uniform bool: notes a mask that is empty unless both hold.
    fn join_any(&mut self, args: &[Value], result: Value) -> bool {
        let is_any = |cx: &Self, v: Value| matches!(cx.held[v], Held::Any(..));
        let (any, other) = match args {
            [a, b] if is_any(self, *a) && !is_any(self, *b) => (*a, *b),
            [a, b] if is_any(self, *b) && !is_any(self, *a) => (*b, *a),
            _ => return false,
        };
        let Held::Any(masks, width) = self.held[any].clone() else {
            return false;
        };
        let all = self.gathered(masks, width, 1);
        let other = self.mask(other, width);
        let both = self.mask_op(MaskOp::And, width, all[0], other[0]);
        self.held[result] = Held::Any(vec![both], width);
        true
    }

    /// Joins masks until there are no more than so many.
    fn gathered(&mut self, mut all: Vec<Reg>, width: usize, most: usize) -> Vec<Reg> {
        // As a tree: its depth is what the processor waits for.
        while all.len() > most {
            all = all
                .chunks(2)
                .map(|pair| match pair {
                    [a, b] => self.mask_op(MaskOp::Or, width, *a, *b),
                    _ => pair[0],
                })
                .collect();
        }
        all
    }

    pub(super) fn mask_zip(&mut self, op: MaskOp, width: usize, a: &[Reg], b: &[Reg]) -> Few<Reg> {
        a.iter()
            .zip(b)
            .map(|(a, b)| self.mask_op(op, width, *a, *b))
            .collect()
    }

    /// Whether a bool is true in any lane; nothing is computed until it is known how it is used.
    pub(super) fn any(&mut self, value: Value, result: Value) {
        self.held[result] = match self.held[value].clone() {
            Held::Masks(columns, width) => Held::Any(columns.concat(), width),
            uniform => uniform,
        };
    }

    /// Sets the flags so that [`Cond::NotEqual`] says whether any lane of any of the masks is true.
    fn test(&mut self, masks: &[Reg], width: usize) {
        let rest = if self.level == Level::Avx512 { 2 } else { 1 };
        let all = self.gathered(masks.to_vec(), width, rest);
        let (a, b) = (all[0], all[all.len() - 1]);
        let code = match self.level {
            Level::Avx2 => Code::VEX_Vptest_ymm_ymmm256,
            Level::Avx512 => MaskOp::Test.code(self.mask_lanes(width)),
        };
        self.emit(code, &[Arg::Use(a), Arg::Use(b)]);
    }

    /// Goes to one of two blocks by a uniform bool.
    pub(super) fn branch_on(
        &mut self,
        value: Value,
        yes: crate::native::mach::Block,
        no: crate::native::mach::Block,
    ) {
        if self.branch_by_scalars(value, yes, no) {
            return;
        }
        match self.held[value].clone() {
            Held::Any(masks, width) => self.test(&masks, width),
            _ => {
                let width = self.plan.mask(value);
                self.is_uniform = true;
                let masks = self.mask(value, width);
                self.is_uniform = false;
                self.test(&masks, width);
            }
        }
        self.push(MachInst::Branch(Cond::NotEqual, yes, no));
    }

    /// A mask, for lanes of any width, of whether any lane of some masks is true.
    fn any_mask(&mut self, masks: &[Reg], width: usize) -> Reg {
        let (zero, ones) = (self.integer(0), self.integer(-1));
        self.test(masks, width);
        let chosen = self.mach.reg(Class::General);
        let args = [Arg::Tied(zero, chosen), Arg::Use(ones)];
        self.emit(Cond::NotEqual.cmov(), &args);
        let mask = self.mask_reg();
        match self.level {
            Level::Avx512 => {
                let args = [Arg::Def(mask), Arg::Use(chosen)];
                self.emit(Code::VEX_Kmovq_kr_r64, &args);
            }
            Level::Avx2 => {
                let low = self.vector();
                let args = [Arg::Def(low), Arg::Use(chosen)];
                self.emit(Code::VEX_Vmovq_xmm_rm64, &args);
                let args = [Arg::Def(mask), Arg::Use(low)];
                self.emit(Code::VEX_Vpbroadcastq_ymm_xmmm64, &args);
            }
        }
        mask
    }

    /// The second where the mask is set, else the third.
    pub(super) fn blend(&mut self, mask: Reg, lane: Lane, yes: Src, no: Src) -> Reg {
        let to = self.vector();
        match self.level {
            Level::Avx2 => {
                let int = Lane::int(lane.width());
                match (yes, no) {
                    (_, Src::Splat { bits: 0, .. }) => {
                        return self.vec_op(VecOp::And, int, &[Src::Reg(mask), yes]);
                    }
                    (Src::Splat { bits: 0, .. }, _) => {
                        return self.vec_op(VecOp::AndNot, int, &[Src::Reg(mask), no]);
                    }
                    _ => {}
                }
                let code = self.code(VecOp::Blend, lane);
                let no = self.reg(no, lane);
                let yes = self.operand(yes, lane, code, 2);
                let args = [Arg::Def(to), Arg::Use(no), yes, Arg::Use(mask)];
                self.emit(code, &args);
            }
            Level::Avx512 => {
                if let Src::Splat { bits: 0, .. } = no {
                    let code = self.code(VecOp::Move, lane);
                    let yes = self.reg(yes, lane);
                    self.emit_zeroing(code, &[Arg::Def(to), Arg::Use(yes)], mask);
                    return to;
                }
                let code = self.code(VecOp::Blend, lane);
                let no = self.reg(no, lane);
                let yes = self.operand(yes, lane, code, 2);
                self.emit_masked(code, &[Arg::Def(to), Arg::Use(no), yes], mask);
            }
        }
        to
    }

    /// The value where the mask is set, else zero.
    pub(super) fn keep(&mut self, mask: Reg, lane: Lane, value: Src) -> Reg {
        let zero = self.splat_bits(lane, 0);
        self.blend(mask, lane, value, zero)
    }

    /// `select`.
    pub(super) fn choose(&mut self, args: &[Value], result: Value) {
        let dtype = self.func.dtype(result);
        if dtype == DType::Bool {
            return self.choose_masks(args, result);
        }
        if let Some(saturating) = self.saturating(args) {
            return self.set_lanes(result, saturating);
        }
        let lane = self.lane(dtype);
        if let Some(lanes) = self.choose_by_sign(args, lane) {
            return self.set_lanes(result, lanes);
        }
        let mask = self.mask(args[0], lane.width());
        let (yes, no) = (self.lanes(args[1]), self.lanes(args[2]));
        let folds = self.folds_into_choice(args, result);
        let chosen = (0..mask.len())
            .map(|i| {
                let folded = folds.then(|| self.masked(mask[i], lane, yes[i], no[i]));
                let blend = |cx: &mut Self| cx.blend(mask[i], lane, yes[i], no[i]);
                Src::Reg(folded.flatten().unwrap_or_else(|| blend(self)))
            })
            .collect();
        self.set_lanes(result, chosen);
    }

    /// A `select` by a sign, or by a single bit, which is shifted to where a blend looks for signs.
    fn choose_by_sign(&mut self, args: &[Value], lane: Lane) -> Option<Lanes> {
        if self.level != Level::Avx2 || lane.width() < 4 || self.uses[args[0]] != 1 {
            return None;
        }
        let func = self.func;
        let constant = |v: Value| func.constant(v).map(Const::bits);
        let (is_not, compared) = match func.defining_op(args[0])? {
            (Op::Not, inner) => (true, func.defining_op(inner[0])?),
            compared => (false, compared),
        };
        let (op, [side, zero]) = (compared.0, *compared.1.first_chunk()?);
        let dtype = func.dtype(side);
        if constant(zero) != Some(0) || !dtype.is_int() || dtype.size() != lane.width() {
            return None;
        }
        let (value, amount, is_set) = match (op, func.defining_op(side)) {
            (Op::Lt, _) if dtype.is_signed() => (side, 0, true),
            (Op::Ge, _) if dtype.is_signed() => (side, 0, false),
            (Op::Eq | Op::Ne, Some((Op::And, parts))) => {
                let bit = constant(parts[1]).filter(|bits| bits.is_power_of_two())?;
                (
                    parts[0],
                    dtype.bits() - 1 - bit.trailing_zeros(),
                    op == Op::Ne,
                )
            }
            _ => return None,
        };
        let (value, yes, no) = (self.lanes(value), self.lanes(args[1]), self.lanes(args[2]));
        let (yes, no) = if is_set == is_not {
            (no, yes)
        } else {
            (yes, no)
        };
        let int = Lane::int(lane.width());
        let code = self.code(VecOp::Blend, lane);
        let each = (0..value.len()).map(|i| {
            let mut sign = self.reg(value[i], int);
            if amount > 0 {
                let args = [Src::Reg(sign)];
                sign = self.vec_op_imm(VecOp::ShiftLeftBy, int, &args, i64::from(amount));
            }
            let no = self.reg(no[i], lane);
            let yes = self.operand(yes[i], lane, code, 2);
            let to = self.vector();
            self.emit(code, &[Arg::Def(to), Arg::Use(no), yes, Arg::Use(sign)]);
            Src::Reg(to)
        });
        Some(each.collect())
    }

    /// A `select` that keeps a sum or difference of small unsigned integers within their range, by the one instruction
    /// that there is for it.
    fn saturating(&mut self, args: &[Value]) -> Option<Lanes> {
        let func = self.func;
        let &[cond, end, wrapped] = args else {
            return None;
        };
        let dtype = self.func.dtype(wrapped);
        let lane = self.lane(dtype);
        if !matches!(dtype, DType::U8 | DType::U16) || lane.width() > 2 {
            return None;
        }
        let (Some((Op::Lt, sides)), Some((op, parts))) =
            (func.defining_op(cond), func.defining_op(wrapped))
        else {
            return None;
        };
        let end = self.func.constant(end)?;
        let saturating = match op {
            // The sum is less than a part of it if it has wrapped.
            Op::Add if sides[0] == wrapped && parts.contains(&sides[1]) => {
                (end.as_int() + 1 == 1 << dtype.bits()).then_some(VecOp::AddSaturating)?
            }
            Op::Sub if sides == parts => (end.as_int() == 0).then_some(VecOp::SubSaturating)?,
            _ => return None,
        };
        let (a, b) = (self.lanes(parts[0]), self.lanes(parts[1]));
        let lanes = self.zip(&a, &b, |cx, a, b| match op {
            Op::Add => cx.commutative(saturating, lane, a, b),
            _ => cx.vec_op(saturating, lane, &[a, b]),
        });
        Some(lanes.into_iter().map(Src::Reg).collect())
    }

    fn choose_masks(&mut self, args: &[Value], result: Value) {
        let width = self.plan.mask(result);
        let [cond, yes, no] = [0, 1, 2].map(|i| self.mask(args[i], width));
        let yes = self.mask_zip(MaskOp::And, width, &cond, &yes);
        let no = self.mask_zip(MaskOp::AndNot, width, &cond, &no);
        let either = self.mask_zip(MaskOp::Or, width, &yes, &no);
        self.set_masks(result, either, width);
    }
}
