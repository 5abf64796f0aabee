//! Control flow, all of whose conditions are the same in every lane.

use super::{Cx, Few, Held, Src};
use crate::native::mach::{Block, MachInst, Reg};
use ufc_ir::DType;
use ufc_ir::func::{Inst, InstKind, Region, Terminator, Value};
use ufc_ir::ops::Op;

/// Something to select for, in order.
pub(super) enum Step {
    /// Loads an input from its address.
    Load(Value, Reg),
    /// Computes.
    Inst(Inst),
    /// Stores an output to its address.
    Store(Value, Reg),
}

impl Cx<'_> {
    fn region(&mut self, region: Region) {
        let func = self.func;
        let insts = func.regions[region].insts.iter();
        let steps: Vec<Step> = insts.map(|i| Step::Inst(*i)).collect();
        self.steps(&steps);
    }

    /// Selects for steps in order; for straight runs of them column by column.
    pub(super) fn steps(&mut self, steps: &[Step]) {
        let mut rest = steps;
        while !rest.is_empty() {
            let straight = rest.iter().take_while(|s| self.is_straight(s)).count();
            for column in 0..self.plan.columns() {
                self.column = column;
                self.push(MachInst::Column(Some(column)));
                for step in &rest[..straight] {
                    self.step(step);
                }
            }
            self.push(MachInst::Column(None));
            self.column = 0;
            rest = &rest[straight..];
            if let [step, after @ ..] = rest {
                self.step(step);
                rest = after;
            }
        }
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
            Step::Load(value, address) => self.load(value, address),
            Step::Store(value, address) => self.store(value, address),
            Step::Inst(inst) => {
                let data = &func.insts[inst];
                match data.kind {
                    InstKind::If {
                        then_region,
                        else_region,
                    } => self.if_else(data.args[0], [then_region, else_region], &data.results),
                    InstKind::Loop { body } => self.loop_(&data.args, body, &data.results),
                    InstKind::Const(_)
                    | InstKind::Index(_)
                    | InstKind::Op(_)
                    | InstKind::Math(_) => self.straight(inst),
                }
            }
        }
    }

    fn if_else(&mut self, cond: Value, arms: [Region; 2], results: &[Value]) {
        let blocks = [self.mach.block(), self.mach.block()];
        let join = self.mach.block();
        self.branch_on(cond, blocks[0], blocks[1]);
        self.arms += 1;
        for (block, region) in blocks.into_iter().zip(arms) {
            self.switch_to(block);
            self.region(region);
            let func = self.func;
            let Terminator::Yield(values) = &func.regions[region].end else {
                self.refuse("an arm without yield".to_string());
                continue;
            };
            let args = self.pass(values, results);
            self.jump(join, args);
        }
        self.arms -= 1;
        self.switch_to(join);
        self.receive(join, results);
    }

    fn loop_(&mut self, init: &[Value], body: Region, results: &[Value]) {
        let func = self.func;
        let params = &func.regions[body].params;
        let (head, latch, exit) = (self.mach.block(), self.mach.block(), self.mach.block());
        let args = self.pass(init, params);
        self.jump(head, args);
        self.loops += 1;
        self.switch_to(head);
        self.receive(head, params);
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
        let again = self.pass(next, params);
        self.branch_on(*cond, latch, exit);
        self.switch_to(latch);
        self.jump(head, again);
        self.loops -= 1;
        self.switch_to(exit);
        // The body dominates the exit, so its values are there as they are.
        for (result, value) in results.iter().zip(values) {
            let mut held = self.held[*value].clone();
            if let Held::Columns(columns) = &mut held {
                let lane = self.lane(func.dtype(*value));
                for lanes in columns {
                    *lanes = self.settled(std::mem::take(lanes), lane);
                }
            }
            self.held[*result] = held;
        }
    }

    /// The registers of values in the shape in which `to` are held.
    fn pass(&mut self, values: &[Value], to: &[Value]) -> Vec<Reg> {
        let mut args = Vec::new();
        for (value, to) in values.iter().zip(to) {
            if self.scalars.general[*to] {
                args.push(self.general_of(*value));
            }
            if self.is_scalar_only(*to) {
                continue;
            }
            self.is_uniform = !self.varying[*to];
            let columns = if self.is_uniform {
                1
            } else {
                self.plan.columns()
            };
            for column in 0..columns {
                self.column = column;
                self.pass_column(*value, *to, &mut args);
            }
            self.column = 0;
            self.is_uniform = false;
        }
        args
    }

    fn pass_column(&mut self, value: Value, to: Value, args: &mut Vec<Reg>) {
        let dtype = self.func.dtype(to);
        if dtype == DType::Bool {
            let masks = self.mask(value, self.plan.mask(to));
            args.extend(masks);
            return;
        }
        for src in self.lanes(value) {
            args.push(self.reg(src, self.lane(dtype)));
        }
    }

    /// Makes the parameters of a block that values are received by.
    fn receive(&mut self, block: Block, values: &[Value]) {
        for &value in values {
            if self.scalars.general[value] {
                let reg = self.general();
                self.mach.blocks[block.0].params.push(reg);
                self.in_general[value] = Some(reg);
            }
            if !self.is_scalar_only(value) {
                self.held[value] = self.received(block, value);
            }
        }
    }

    fn received(&mut self, block: Block, value: Value) -> Held {
        let dtype = self.func.dtype(value);
        let is_bool = dtype == DType::Bool;
        let width = if is_bool {
            self.plan.mask(value)
        } else {
            self.width(dtype)
        };
        if !self.varying[value] {
            let reg = self.param(block, is_bool);
            return if is_bool {
                Held::UniformMask(reg, width)
            } else {
                Held::Uniform(reg)
            };
        }
        let (columns, count) = (self.plan.columns(), self.plan.count(width));
        let mut all: Vec<Few<Reg>> = Vec::new();
        for _ in 0..columns {
            all.push((0..count).map(|_| self.param(block, is_bool)).collect());
        }
        if is_bool {
            return Held::Masks(all, width);
        }
        let lanes = |regs: Few<Reg>| regs.into_iter().map(Src::Reg).collect();
        Held::Columns(all.into_iter().map(lanes).collect())
    }

    /// A new parameter of a block.
    fn param(&mut self, block: Block, is_mask: bool) -> Reg {
        let reg = if is_mask {
            self.mask_reg()
        } else {
            self.vector()
        };
        self.mach.blocks[block.0].params.push(reg);
        reg
    }
}
