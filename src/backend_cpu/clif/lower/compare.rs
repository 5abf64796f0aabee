//! Comparison, masks, choice by mask, and whether any lane is true.

use super::lanes::Lane;
use super::{Clif, Cx, Held};
use crate::vplan::lane_width;
use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::{FloatCC, IntCC};
use ufc_ir::DType;
use ufc_ir::func::Value;
use ufc_ir::ops::Op;

impl Cx<'_, '_> {
    /// Compares scalars, giving 0 or 1, or vectors, giving a mask of their own lane width.
    pub(super) fn compare(&mut self, op: Op, dtype: DType, a: Clif, b: Clif) -> Clif {
        if dtype.is_float() {
            let code = match op {
                Op::Eq => FloatCC::Equal,
                Op::Ne => FloatCC::NotEqual,
                Op::Lt => FloatCC::LessThan,
                Op::Le => FloatCC::LessThanOrEqual,
                Op::Gt => FloatCC::GreaterThan,
                _ => FloatCC::GreaterThanOrEqual,
            };
            let (a, b) = (self.in_register(a), self.in_register(b));
            return self.b.ins().fcmp(code, a, b);
        }
        let code = match (op, dtype.is_signed()) {
            (Op::Eq, _) => IntCC::Equal,
            (Op::Ne, _) => IntCC::NotEqual,
            (Op::Lt, true) => IntCC::SignedLessThan,
            (Op::Le, true) => IntCC::SignedLessThanOrEqual,
            (Op::Gt, true) => IntCC::SignedGreaterThan,
            (_, true) => IntCC::SignedGreaterThanOrEqual,
            (Op::Lt, false) => IntCC::UnsignedLessThan,
            (Op::Le, false) => IntCC::UnsignedLessThanOrEqual,
            (Op::Gt, false) => IntCC::UnsignedGreaterThan,
            (_, false) => IntCC::UnsignedGreaterThanOrEqual,
        };
        self.b.ins().icmp(code, a, b)
    }

    /// A value that is not folded into its use as a memory operand, where that would have to be aligned: Cranelift 0.135
    /// folds loads into `cmpps` and `cmppd` without asking (`x64_cmpps` takes an `XmmMem128`).
    fn in_register(&mut self, value: Clif) -> Clif {
        if self.isa.takes_unaligned || !self.is_vector(value) {
            return value;
        }
        let ty = self.b.func.dfg.value_type(value);
        let bits = self.as_int(value);
        self.cast(bits, ty)
    }

    /// Compares values that vary, giving a mask of the result's planned width.
    pub(super) fn vector_compare(&mut self, op: Op, args: &[Value], result: Value) -> Vec<Clif> {
        let dtype = self.func.dtype(args[0]);
        let width = self.plan.mask(result);
        if dtype == DType::Bool {
            let a = self.mask(args[0], width);
            let b = self.mask(args[1], width);
            return self.each([a, b], |cx, lanes| {
                let differs = cx.b.ins().bxor(lanes[0], lanes[1]);
                if op == Op::Eq {
                    cx.b.ins().bnot(differs)
                } else {
                    differs
                }
            });
        }
        let (a, b) = (self.lanes(args[0]), self.lanes(args[1]));
        let masks = self.each([a, b], |cx, lanes| {
            cx.compare(op, dtype, lanes[0], lanes[1])
        });
        self.fit_mask(masks, width)
    }

    /// A bool as a mask with lanes of this width in bytes.
    pub(super) fn mask(&mut self, value: Value, width: usize) -> Vec<Clif> {
        if let Held::Vectors(masks) = &self.held[value] {
            let masks = self.window(masks);
            return self.fit_mask(masks, width);
        }
        let count = self.count(width);
        let lane = Lane::int(width);
        let vector = match (self.func.constant(value), self.splats[value]) {
            (Some(constant), _) if constant.as_bool() => self.splat_bits(lane, u64::MAX),
            (None, Some(splat)) => {
                let masks = vec![splat; self.count(self.plan.mask(value))];
                return self.fit_mask(masks, width);
            }
            _ => self.splat_bits(lane, 0),
        };
        vec![vector; count]
    }

    /// A mask with lanes of another width.
    pub(super) fn fit_mask(&mut self, masks: Vec<Clif>, width: usize) -> Vec<Clif> {
        let from = self.lane_of(masks[0]).width();
        match (from, width) {
            (4, 8) => self.widen_masks(&masks),
            (8, 4) => masks
                .chunks(2)
                .map(|pair| self.low_halves(pair[0], pair[1]))
                .collect(),
            _ => masks,
        }
    }

    fn widen_masks(&mut self, masks: &[Clif]) -> Vec<Clif> {
        let mut wide = Vec::new();
        for &mask in masks {
            wide.push(self.b.ins().swiden_low(mask));
            wide.push(self.b.ins().swiden_high(mask));
        }
        wide
    }

    /// The second argument's lanes where the first is true, else the third's.
    pub(super) fn select(&mut self, args: &[Value], result: Value) -> Vec<Clif> {
        let dtype = self.func.dtype(result);
        let width = match dtype {
            DType::Bool => self.plan.mask(result),
            dtype => lane_width(dtype),
        };
        let cond = self.mask(args[0], width);
        let (yes, no) = match dtype {
            DType::Bool => (
                self.mask(args[1], width).into(),
                self.mask(args[2], width).into(),
            ),
            _ => (self.lanes(args[1]), self.lanes(args[2])),
        };
        self.each([cond.into(), yes, no], |cx, lanes| {
            cx.blend(lanes[0], lanes[1], lanes[2])
        })
    }

    /// Whether a bool is true in any lane: 0 or 1.
    pub(super) fn any(&mut self, value: Value) -> Clif {
        let masks = match &self.held[value] {
            Held::Vectors(masks) => masks.clone(),
            Held::Nothing | Held::Scalar(_) | Held::Parts(..) => return self.scalar(value),
        };
        let mut all = masks[0];
        for mask in &masks[1..] {
            all = self.b.ins().bor(all, *mask);
        }
        self.b.ins().vany_true(all)
    }
}
