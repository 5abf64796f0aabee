//! Operations folded into the one that uses them: complements into fused multiply-adds, trees of bitwise operations into
//! one, and an operation into the choice of its result.
//!
//! What is folded has been selected before on its own; it is dropped later, as nothing uses it any more.

use super::{Cx, Few, Lanes, Src};
use crate::native::codes::{self, Lane, VecOp};
use crate::native::level::Level;
use crate::native::mach::{Arg, MachInst, Reg};
use iced_x86::Code;
use smallvec::{SmallVec, smallvec};
use ufc_ir::func::{Func, Region, SecondaryMap, Value, ValueDef};
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};

/// How a product and what is added to it are negated, and the operation for each place that the result's register may
/// come from: [`VecOp::Fma213`], [`VecOp::Fma231`], [`VecOp::Fma132`].
const FUSED: [((bool, bool), [VecOp; 3]); 4] = [
    (
        (false, false),
        [VecOp::Fma213, VecOp::Fma231, VecOp::Fma132],
    ),
    (
        (false, true),
        [VecOp::FmaSub213, VecOp::FmaSub231, VecOp::FmaSub132],
    ),
    (
        (true, false),
        [VecOp::NegFma213, VecOp::NegFma231, VecOp::NegFma132],
    ),
    (
        (true, true),
        [
            VecOp::NegFmaSub213,
            VecOp::NegFmaSub231,
            VecOp::NegFmaSub132,
        ],
    ),
];

/// The bits of each of three values in a truth table, and so that of a function of them, computed of these.
const COLUMNS: [u8; 3] = [0xf0, 0xcc, 0xaa];

/// Instructions back from a choice among which the one is looked for that made what is chosen.
const REACH: usize = 256;

/// Operations that do the same to every lane, so that lanes may be left out.
const MASKABLE: [VecOp; 31] = [
    VecOp::Add,
    VecOp::Sub,
    VecOp::Mul,
    VecOp::Div,
    VecOp::Sqrt,
    VecOp::Min,
    VecOp::Max,
    VecOp::MinUnsigned,
    VecOp::MaxUnsigned,
    VecOp::AddSaturating,
    VecOp::SubSaturating,
    VecOp::MulHigh,
    VecOp::Range,
    VecOp::Abs,
    VecOp::Round,
    VecOp::ShiftLeft,
    VecOp::ShiftRight,
    VecOp::ShiftSigned,
    VecOp::ShiftLeftBy,
    VecOp::ShiftRightBy,
    VecOp::ShiftSignedBy,
    VecOp::Fma213,
    VecOp::Fma231,
    VecOp::Fma132,
    VecOp::FmaSub213,
    VecOp::FmaSub231,
    VecOp::FmaSub132,
    VecOp::NegFma213,
    VecOp::NegFma231,
    VecOp::NegFma132,
    VecOp::ToInt,
];

/// Those of them that know no lanes, and whose instructions have masks for lanes of 32 and 64 bits only.
const MASKABLE_BITS: [VecOp; 5] = [
    VecOp::And,
    VecOp::AndNot,
    VecOp::Or,
    VecOp::Xor,
    VecOp::Ternary,
];

/// Where values are made and where they are used last, in the order of the text.
pub(super) struct Flow {
    made: SecondaryMap<Value, u32>,
    last: SecondaryMap<Value, u32>,
}

impl Flow {
    pub(super) fn new(func: &Func) -> Flow {
        let mut flow = Flow {
            made: SecondaryMap::new(0),
            last: SecondaryMap::new(0),
        };
        let mut number = 0;
        func.for_each_inst(|_, inst| {
            number += 1;
            let data = &func.insts[inst];
            for value in &data.results {
                flow.made[*value] = number;
            }
            for value in &data.args {
                flow.last[*value] = number;
            }
        });
        func.for_each_region(|region| {
            for value in func.regions[region].end.uses() {
                flow.last[value] = u32::MAX;
            }
        });
        flow
    }
}

/// What a bitwise function is of.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Leaf {
    /// A value, and whether nothing else uses it.
    Value(Value, bool),
    /// The same bits in every lane.
    Bits(u64),
}

type Leaves = SmallVec<[Leaf; 3]>;

impl Cx<'_> {
    /// The region in which a value is made.
    fn region_of(&self, value: Value) -> Option<Region> {
        match self.func.values[value].def {
            ValueDef::Param(region, _) => Some(region),
            ValueDef::Result(..) => self.home[value],
        }
    }

    /// `a * b + c`, rounded once, whose arguments may be complements of others.
    pub(super) fn fused(&mut self, args: &[Value], result: Value) {
        let lane = self.lane(self.func.dtype(result));
        let func = self.func;
        let plain = |value: Value| match func.defining_op(value) {
            Some((Op::Neg, inner)) => (inner[0], true),
            _ => (value, false),
        };
        let [(a, minus_a), (b, minus_b), (c, minus_c)] = [0, 1, 2].map(|i| plain(args[i]));
        let signs = (minus_a != minus_b, minus_c);
        let forms = FUSED.into_iter().find(|row| row.0 == signs);
        let forms = forms.map_or(FUSED[0].1, |row| row.1);
        let lanes = [a, b, c].map(|v| self.lanes(v));
        let vectors = (0..lanes[0].len())
            .map(|i| {
                let srcs = [0, 1, 2].map(|j| lanes[j][i]);
                Src::Reg(self.fused_lanes(lane, forms, srcs, [a, b, c]))
            })
            .collect();
        self.set_lanes(result, vectors);
    }

    /// The register of an argument that has no other use becomes the result's.
    fn fused_lanes(
        &mut self,
        lane: Lane,
        [first, last, across]: [VecOp; 3],
        args: [Src; 3],
        values: [Value; 3],
    ) -> Reg {
        let [a, b, c] = args;
        let is_reg = |src: Src| matches!(src, Src::Reg(_));
        let is_last = |i: usize| is_reg(args[i]) && self.uses[values[i]] == 1;
        let (a, b) = if !is_reg(a) || (!is_last(0) && is_last(1)) {
            (b, a)
        } else {
            (a, b)
        };
        match (is_reg(b), is_reg(c)) {
            (_, false) => self.tied_op(first, lane, [a, b, c]),
            (false, true) if is_last(2) => self.tied_op(last, lane, [c, a, b]),
            (false, true) => self.tied_op(across, lane, [a, c, b]),
            (true, true) if is_last(2) => self.tied_op(last, lane, [c, a, b]),
            (true, true) => self.tied_op(first, lane, [a, b, c]),
        }
    }

    /// A value and whether nothing else uses it, from before bit casts.
    fn before_casts(&self, mut value: Value) -> (Value, bool) {
        let mut alone = self.uses[value] == 1;
        while let Some((Op::Bitcast, inner)) = self.func.defining_op(value) {
            if !self.fills_lane(inner[0]) {
                break;
            }
            value = inner[0];
            alone &= self.uses[value] == 1;
        }
        (value, alone)
    }

    /// Whether a value has as many bits as its lane.
    fn fills_lane(&self, value: Value) -> bool {
        let dtype = self.func.dtype(value);
        (dtype.is_int() || dtype.is_float()) && dtype.size() == self.width(dtype)
    }

    /// The operation on bits that makes a value: what is done to its arguments, and to a constant where the operation
    /// is one on floats' signs.
    fn bitwise(&self, value: Value) -> Option<(Op, &[Value], Option<u64>)> {
        if !self.fills_lane(value) {
            return None;
        }
        let dtype = self.func.dtype(value);
        let (op, args) = self.func.defining_op(value)?;
        let sign = 1 << (dtype.bits() - 1);
        match op {
            Op::Or if self.rotation(value).is_some() => None,
            Op::And | Op::Or | Op::Xor | Op::Not if dtype.is_int() => Some((op, args, None)),
            Op::Neg if dtype.is_float() => Some((Op::Xor, args, Some(sign))),
            Op::Abs if dtype.is_float() => Some((Op::And, args, Some(sign - 1))),
            _ => None,
        }
    }

    /// What is rotated left, and by how much: `(x << n) | (x >> -n)`, amounts being taken modulo the width.
    fn rotation(&self, value: Value) -> Option<(Value, Value)> {
        let func = self.func;
        let dtype = func.dtype(value);
        if self.level != Level::Avx512 || !matches!(dtype, DType::U32 | DType::U64) {
            return None;
        }
        let (Op::Or, parts) = func.defining_op(value)? else {
            return None;
        };
        let [a, b] = [0, 1].map(|i| func.defining_op(parts[i]));
        let (left, right) = match (a?, b?) {
            ((Op::Shl, left), (Op::Shr, right)) | ((Op::Shr, right), (Op::Shl, left)) => {
                (left, right)
            }
            _ => return None,
        };
        let number = |v: Value| func.constant(v).map(Const::bits);
        // Amounts are u32 at first, where 0 - n is the same modulo any width.
        let amount = |v: Value| match func.defining_op(v) {
            Some((Op::Convert, inner)) if func.dtype(inner[0]) == DType::U32 => inner[0],
            _ => v,
        };
        let (forth, back) = (amount(left[1]), amount(right[1]));
        let is_back = match (number(forth), number(back), func.defining_op(back)) {
            (Some(n), Some(m), _) => (n + m).is_multiple_of(u128::from(dtype.bits())),
            (None, None, Some((Op::Sub, sides))) => {
                number(sides[0]) == Some(0) && sides[1] == forth
            }
            (None, None, Some((Op::Neg, sides))) => sides[0] == forth,
            _ => false,
        };
        (is_back && left[0] == right[0]).then_some((left[0], left[1]))
    }

    /// A rotation, by the instruction that there is for it.
    pub(super) fn rotate(&mut self, result: Value) -> Option<Lanes> {
        let (value, amount) = self.rotation(result)?;
        let dtype = self.func.dtype(result);
        let lane = self.lane(dtype);
        let lanes = self.lanes(value);
        if let Some(amount) = self.func.constant(amount) {
            let amount = (amount.bits() % u128::from(dtype.bits())) as i64;
            let each = |src: &Src| {
                let value = [Src::Reg(self.reg(*src, lane))];
                Src::Reg(self.vec_op_imm(VecOp::RotateBy, lane, &value, amount))
            };
            return Some(lanes.iter().map(each).collect());
        }
        let amounts = self.lanes(amount);
        let rotated = self.zip(&lanes, &amounts, |cx, value, amount| {
            cx.vec_op(VecOp::Rotate, lane, &[value, amount])
        });
        Some(rotated.into_iter().map(Src::Reg).collect())
    }

    /// Gathers what a value is a function of, given the values that are looked into; false if that is too much.
    fn leaves(&self, value: Value, open: &[Value], leaves: &mut Leaves) -> bool {
        let (value, alone) = self.before_casts(value);
        if open.contains(&value)
            && let Some((_, args, bits)) = self.bitwise(value)
        {
            return bits.is_none_or(|bits| self.leaf_bits(value, bits, leaves))
                && args.iter().all(|arg| self.leaves(*arg, open, leaves));
        }
        if let Some(constant) = self.func.constant(value) {
            return self.leaf_bits(value, constant.bits() as u64, leaves);
        }
        let known = |leaf: &Leaf| matches!(leaf, Leaf::Value(v, _) if *v == value);
        if !leaves.iter().any(known) {
            leaves.push(Leaf::Value(value, alone));
        }
        leaves.len() <= COLUMNS.len()
    }

    /// Adds a constant, unless it or its complement is there.
    fn leaf_bits(&self, value: Value, bits: u64, leaves: &mut Leaves) -> bool {
        let ones = self.ones(value);
        let known = |leaf: &Leaf| matches!(leaf, Leaf::Bits(b) if *b == bits || *b == bits ^ ones);
        if bits != 0 && bits != ones && !leaves.iter().any(known) {
            leaves.push(Leaf::Bits(bits));
        }
        leaves.len() <= COLUMNS.len()
    }

    fn ones(&self, value: Value) -> u64 {
        u64::MAX >> (64 - self.func.dtype(value).bits())
    }

    /// The truth table of a value, as a function of the leaves.
    fn table(&self, value: Value, open: &[Value], leaves: &[Leaf]) -> u8 {
        let (value, _) = self.before_casts(value);
        let ones = self.ones(value);
        let of_bits = |bits: u64| {
            let found = leaves
                .iter()
                .zip(COLUMNS)
                .find_map(|(leaf, column)| match leaf {
                    Leaf::Bits(b) if *b == bits => Some(column),
                    Leaf::Bits(b) if *b == bits ^ ones => Some(!column),
                    _ => None,
                });
            found.unwrap_or(if bits == 0 { 0 } else { 0xff })
        };
        if open.contains(&value)
            && let Some((op, args, bits)) = self.bitwise(value)
        {
            let a = self.table(args[0], open, leaves);
            let b = match (bits, args.get(1)) {
                (Some(bits), _) => of_bits(bits),
                (None, Some(b)) => self.table(*b, open, leaves),
                (None, None) => 0xff,
            };
            return match op {
                Op::And => a & b,
                Op::Or => a | b,
                _ => a ^ b,
            };
        }
        if let Some(constant) = self.func.constant(value) {
            return of_bits(constant.bits() as u64);
        }
        let is_value = |leaf: &Leaf| matches!(leaf, Leaf::Value(v, _) if *v == value);
        let at = leaves.iter().position(is_value);
        at.map_or(0, |i| COLUMNS[i])
    }

    /// The operations on bits that may be done together with the one that makes a value, that one first, and what they
    /// are a function of.
    fn tree(&self, root: Value) -> Option<(Vec<Value>, Leaves)> {
        self.bitwise(root)?;
        let mut open = vec![root];
        let gathered = |open: &[Value]| {
            let mut leaves = Leaves::new();
            self.leaves(root, open, &mut leaves).then_some(leaves)
        };
        let mut leaves = gathered(&open)?;
        loop {
            let next = leaves.iter().find_map(|leaf| {
                let Leaf::Value(value, true) = *leaf else {
                    return None;
                };
                let together = self.home[value] == self.home[root]
                    && self.varying[value] == self.varying[root];
                if !together || self.bitwise(value).is_none() {
                    return None;
                }
                let more: Vec<Value> = open.iter().copied().chain([value]).collect();
                Some((gathered(&more)?, more))
            });
            match next {
                Some(found) => (leaves, open) = found,
                None => return (open.len() > 1).then_some((open, leaves)),
            }
        }
    }

    /// A tree of bitwise operations on at most three values, by one instruction.
    pub(super) fn logic(&mut self, result: Value) -> Option<Lanes> {
        if self.level != Level::Avx512 {
            return self.and_not(result);
        }
        let (open, mut leaves) = self.tree(result)?;
        if leaves.len() < 2 {
            return None;
        }
        // The first one's register becomes the result's, and the last one may be in memory.
        leaves.sort_by_key(|leaf| match leaf {
            Leaf::Value(value, alone) => (self.is_in_memory(*value), !alone),
            Leaf::Bits(_) => (true, true),
        });
        let table = self.table(result, &open, &leaves);
        let lane = Lane::int(self.width(self.func.dtype(result)));
        let lanes: SmallVec<[Lanes; 3]> = leaves
            .iter()
            .map(|leaf| match leaf {
                Leaf::Value(value, _) => self.lanes(*value),
                Leaf::Bits(bits) => {
                    let count = self.count(lane.width());
                    smallvec![self.splat_bits(lane, *bits); count]
                }
            })
            .collect();
        let each = (0..lanes[0].len()).map(|i| {
            let srcs: SmallVec<[Src; 3]> = lanes.iter().map(|l| l[i]).collect();
            Src::Reg(self.by_table(table, lane, &srcs))
        });
        Some(each.collect())
    }

    fn is_in_memory(&self, value: Value) -> bool {
        self.stays_in_memory[value] && !self.is_uniform
    }

    /// A bitwise function of two or three vectors.
    fn by_table(&mut self, table: u8, lane: Lane, srcs: &[Src]) -> Reg {
        let [a, b, _] = COLUMNS;
        if let [x, y] = *srcs {
            match table {
                t if t == a & b => return self.commutative(VecOp::And, lane, x, y),
                t if t == a | b => return self.commutative(VecOp::Or, lane, x, y),
                t if t == a ^ b => return self.commutative(VecOp::Xor, lane, x, y),
                t if t == !a & b => return self.vec_op(VecOp::AndNot, lane, &[x, y]),
                t if t == a & !b => return self.vec_op(VecOp::AndNot, lane, &[y, x]),
                _ => {}
            }
        }
        let last = srcs[srcs.len() - 1];
        let code = self.code(VecOp::Ternary, lane);
        let from = self.reg(srcs[0], lane);
        let middle = self.reg(srcs[1], lane);
        let last = self.operand(last, lane, code, 2);
        let to = self.vector();
        let imm = Arg::Imm(i64::from(table));
        self.emit(code, &[Arg::Tied(from, to), Arg::Use(middle), last, imm]);
        to
    }

    /// `!x & y`.
    fn and_not(&mut self, result: Value) -> Option<Lanes> {
        let func = self.func;
        let (Op::And, parts) = func.defining_op(result)? else {
            return None;
        };
        let lane = self.lane(func.dtype(result));
        let (inner, other) =
            [(0, 1), (1, 0)]
                .into_iter()
                .find_map(|(i, j)| match func.defining_op(parts[i]) {
                    Some((Op::Not, inner)) => Some((inner[0], parts[j])),
                    _ => None,
                })?;
        let (inner, other) = (self.lanes(inner), self.lanes(other));
        let lanes = self.zip(&inner, &other, |cx, a, b| {
            cx.vec_op(VecOp::AndNot, lane, &[a, b])
        });
        Some(lanes.into_iter().map(Src::Reg).collect())
    }

    /// Whether the operation that makes the second argument of a `select` is best done under the mask, in the
    /// register of the third: if that costs no copy, and nothing waits longer for it.
    pub(super) fn folds_into_choice(&self, args: &[Value], result: Value) -> bool {
        let &[cond, yes, no] = args else {
            return false;
        };
        let alone = self.uses[yes] == 1 && self.home[yes] == self.home[result];
        if self.level != Level::Avx512 || !alone || !self.varying[yes] {
            return false;
        }
        // What takes several turns of the clock would begin only when the mask is there.
        let is_quick = self.func.dtype(yes).is_int();
        let in_loop = self.home[result] != Some(self.func.body);
        if in_loop && !is_quick && self.flow.made[cond] > self.flow.made[yes] {
            return false;
        }
        if self.func.constant(no).is_some_and(|c| c.bits() == 0) {
            return true;
        }
        // The register of the other one is overwritten.
        self.region_of(no) == self.home[result]
            && self.flow.last[no] == self.flow.made[result]
            && self.func.constant(no).is_none()
    }

    /// The operation whose result is chosen where a mask is set, done there only; elsewhere `no`.
    pub(super) fn masked(&mut self, mask: Reg, lane: Lane, yes: Src, no: Src) -> Option<Reg> {
        let Src::Reg(yes) = yes else {
            return None;
        };
        let insts = &self.mach.blocks[self.block.0].insts;
        let found = insts.iter().rev().take(REACH).find_map(|inst| match inst {
            MachInst::Op {
                code,
                args,
                mask: None,
                ..
            } => match args.first() {
                Some(Arg::Def(reg) | Arg::Tied(_, reg)) if *reg == yes => {
                    Some((*code, args.clone()))
                }
                _ => None,
            },
            _ => None,
        });
        let (code, mut args) = found?;
        if !is_maskable(code, lane.width()) {
            return None;
        }
        let to = self.vector();
        let zeroing = matches!(no, Src::Splat { bits: 0, .. });
        args[0] = match (args[0], no) {
            (Arg::Def(_), _) if zeroing => Arg::Def(to),
            (Arg::Tied(from, _), _) if zeroing => Arg::Tied(from, to),
            (Arg::Def(_), Src::Reg(no)) => Arg::Tied(no, to),
            (Arg::Tied(from, _), Src::Reg(no)) if from == no => Arg::Tied(no, to),
            _ => return None,
        };
        self.push(MachInst::Op {
            code,
            args,
            mask: Some(mask),
            zeroing,
        });
        Some(to)
    }
}

/// Whether an instruction does the same to every lane of this width, and may leave lanes out.
fn is_maskable(code: Code, width: usize) -> bool {
    let float = match width {
        4 => Some(Lane::F32),
        8 => Some(Lane::F64),
        _ => None,
    };
    let lanes: Few<Lane> = [Lane::int(width)].into_iter().chain(float).collect();
    let is = |op: &VecOp| {
        let has = |lane: &Lane| codes::code(*op, *lane, Level::Avx512) == Some(code);
        lanes.iter().any(has)
    };
    MASKABLE.iter().any(is) || (width >= 4 && MASKABLE_BITS.iter().any(is))
}
