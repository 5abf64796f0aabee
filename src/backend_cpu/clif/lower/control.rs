//! Control flow, all of whose conditions are the same in every lane.

use super::lanes::Lane;
use super::{Clif, Cx, Held};
use crate::vplan::lane_width;
use cranelift_codegen::ir::types::I8;
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder};
use ufc_ir::func::{Inst, InstKind, Region, Terminator, Value};
use ufc_ir::ops::Op;
use ufc_ir::{Const, DType};

/// So many constants may be kept in registers; more would displace values.
const MOST_KEPT_CONSTANTS: usize = 3;

/// Something to lower in order.
pub(super) enum Step {
    /// Loads an input from its address.
    Load(Value, Clif),
    /// Computes.
    Inst(Inst),
    /// Stores an output to its address.
    Store(Value, Clif),
}

impl Cx<'_, '_> {
    /// Lowers a region's instructions where the builder stands.
    pub(super) fn region(&mut self, region: Region) {
        let func = self.func;
        let steps: Vec<Step> = func.regions[region]
            .insts
            .iter()
            .map(|i| Step::Inst(*i))
            .collect();
        self.steps(&steps);
    }

    /// Lowers steps in order; straight runs of them column by column.
    pub(super) fn steps(&mut self, steps: &[Step]) {
        let mut rest = steps;
        while !rest.is_empty() {
            let straight = rest.iter().take_while(|s| self.is_straight(s)).count();
            self.straight_steps(&rest[..straight]);
            rest = &rest[straight..];
            if let [step, after @ ..] = rest {
                self.step(step);
                rest = after;
            }
        }
    }

    /// Lowers straight code column by column.
    fn straight_steps(&mut self, steps: &[Step]) {
        let keep = self.has_few_constants(steps);
        self.kept_constants = keep.then(Vec::new);
        let columns: Vec<usize> = (0..self.plan.columns()).collect();
        let together = match self.loop_depth {
            0 => self.plan.abreast,
            _ => 1,
        };
        for abreast in columns.chunks(together) {
            for step in steps {
                if !keep && abreast.len() > 1 {
                    // Kept for the columns of this step alone.
                    self.kept_constants = Some(Vec::new());
                }
                for column in abreast {
                    self.column = Some(*column);
                    self.step(step);
                }
            }
        }
        self.column = None;
        self.kept_constants = None;
    }

    /// Whether the constants that straight code uses as vectors can be kept in registers.
    fn has_few_constants(&self, steps: &[Step]) -> bool {
        let mut constants: Vec<Const> = Vec::new();
        for step in steps {
            let Step::Inst(inst) = step else {
                continue;
            };
            let data = &self.func.insts[*inst];
            let varies = data.results.iter().any(|v| self.varying[*v]);
            let used = data.args.iter().filter_map(|v| self.func.constant(*v));
            for constant in used.filter(|_| varies) {
                if !constants.contains(&constant) {
                    constants.push(constant);
                }
            }
        }
        constants.len() <= MOST_KEPT_CONSTANTS
    }

    /// Whether a step may be done column by column.
    fn is_straight(&self, step: &Step) -> bool {
        let Step::Inst(inst) = step else {
            return true;
        };
        match self.func.insts[*inst].kind {
            InstKind::Op(Op::Any) | InstKind::If { .. } | InstKind::Loop { .. } => false,
            InstKind::Const(_) | InstKind::Index(_) | InstKind::Op(_) | InstKind::Math(_) => true,
        }
    }

    fn step(&mut self, step: &Step) {
        let func = self.func;
        match *step {
            Step::Load(value, address) => self.load_operand(value, address),
            Step::Store(value, address) => self.store_operand(value, address),
            Step::Inst(inst) => {
                let data = &func.insts[inst];
                match data.kind {
                    InstKind::If {
                        then_region,
                        else_region,
                    } => self.if_else(data.args[0], then_region, else_region, &data.results),
                    InstKind::Loop { body } => self.loop_(&data.args, body, &data.results),
                    InstKind::Const(_)
                    | InstKind::Index(_)
                    | InstKind::Op(_)
                    | InstKind::Math(_) => self.straight(inst),
                }
            }
        }
    }

    pub(super) fn if_else(
        &mut self,
        cond: Value,
        then_region: Region,
        else_region: Region,
        results: &[Value],
    ) {
        let cond = self.scalar(cond);
        let (then_block, else_block) = (self.b.create_block(), self.b.create_block());
        let join = self.b.create_block();
        self.b.ins().brif(cond, then_block, &[], else_block, &[]);
        for (block, region) in [(then_block, then_region), (else_block, else_region)] {
            self.b.switch_to_block(block);
            self.region(region);
            let func = self.func;
            let Terminator::Yield(values) = &func.regions[region].end else {
                self.refuse("an arm without yield".to_string());
                continue;
            };
            let args = self.pass(values, results);
            self.b.ins().jump(join, &args);
        }
        self.b.switch_to_block(join);
        self.receive(join, results);
    }

    pub(super) fn loop_(&mut self, init: &[Value], body: Region, results: &[Value]) {
        let func = self.func;
        let params = &func.regions[body].params;
        let (head, exit) = (self.b.create_block(), self.b.create_block());
        let args = self.pass(init, params);
        self.b.ins().jump(head, &args);
        self.b.switch_to_block(head);
        self.receive(head, params);
        self.loop_depth += 1;
        self.region(body);
        let Terminator::ContinueIf {
            cond,
            next,
            results: values,
        } = &func.regions[body].end
        else {
            self.refuse("a loop without continue_if".to_string());
            return;
        };
        let cond = self.scalar(*cond);
        let again = self.pass(next, params);
        let done = self.pass(values, results);
        self.loop_depth -= 1;
        self.b.ins().brif(cond, head, &again, exit, &done);
        self.b.switch_to_block(exit);
        self.receive(exit, results);
    }

    /// The CLIF values of `values` in the shape in which `to` will be held.
    fn pass(&mut self, values: &[Value], to: &[Value]) -> Vec<BlockArg> {
        let mut args = Vec::new();
        for (value, to) in values.iter().zip(to) {
            if !self.varying[*to] {
                args.push(self.scalar(*value).into());
            } else if self.func.dtype(*to) == DType::Bool {
                let mask = self.mask(*value, self.plan.mask(*to));
                args.extend(mask.into_iter().map(BlockArg::from));
            } else {
                let vectors = self.vectors(*value);
                args.extend(vectors.into_iter().map(BlockArg::from));
            }
        }
        args
    }

    /// Makes the parameters of a block that values are received by.
    fn receive(&mut self, block: Block, values: &[Value]) {
        let mut received = Vec::new();
        for &value in values {
            let dtype = self.func.dtype(value);
            let (lane, count) = match dtype {
                DType::Bool => {
                    let width = self.plan.mask(value);
                    (Lane::int(width), self.count(width))
                }
                dtype => (Lane::of(dtype), self.count(lane_width(dtype))),
            };
            let held = if !self.varying[value] {
                let ty = match dtype {
                    DType::Bool => I8,
                    _ => lane.scalar(),
                };
                Held::Scalar(self.b.append_block_param(block, ty))
            } else {
                let vectors: Vec<Clif> = (0..count)
                    .map(|_| self.b.append_block_param(block, lane.vector()))
                    .collect();
                Held::Vectors(vectors)
            };
            received.push((value, held));
        }
        // Parameters come before instructions, which setting makes for uniform values.
        for (value, held) in received {
            self.set(value, held);
        }
    }
}
