//! What the loops over elements have in common: operands, positions, and one turn.
//!
//! A function has one or two parts. In the first ([`partial`](super::partial)) every turn computes as many elements as there
//! are left, up to its lanes, wherever they lie; so it could do it all. Where more elements than a column has are better
//! done together, calls with as many go to the second: the same over all columns where the kernel has loops, for
//! these wait for themselves, and else whole turns ([`whole`](super::whole)), which nothing is masked in, and which leave the elements
//! that fill no turn to the first.
//!
//! So every element is computed once, by the same operations, and nothing outside the operands is touched.

use super::Cx;
use super::control::Step;
use crate::native::mach::{Class, MachInst, Reg};
use ufc_ir::DType;
use ufc_ir::func::{InstKind, Terminator, Value};

/// An input or output in generated code. Bools are 0 or 1.
#[derive(Clone, Copy)]
pub(super) struct Operand {
    pub(super) dtype: DType,
    pub(super) is_input: bool,
    /// Whether it is known when code is made that every element is the same one.
    pub(super) is_uniform: bool,
    pub(super) base: Reg,
    pub(super) step: Reg,
}

impl Operand {
    pub(super) fn size(&self) -> i64 {
        self.dtype.size() as i64
    }
}

/// A position that the kernel asks for.
#[derive(Clone, Copy)]
pub(super) struct Position {
    axis: Option<u8>,
    pub(super) base: Reg,
    pub(super) step: Reg,
}

/// What a part of a function is given.
pub(super) struct Given {
    /// How many elements there are.
    pub(super) n: Reg,
    pub(super) operands: Vec<Operand>,
    pub(super) positions: Vec<Position>,
    /// Where the steps are.
    pub(super) steps: Reg,
}

impl Cx<'_> {
    /// The arguments of a function with the type [`ufc_target::InnerLoop`], and the number of elements.
    pub(super) fn arguments(&mut self) -> ([Reg; 4], Reg) {
        let args = [0; 4].map(|_| self.mach.reg(Class::General));
        self.push(MachInst::Start(args.to_vec()));
        let n = self.load64(args[1], 0);
        (args, n)
    }

    /// What the arguments point at.
    pub(super) fn given(
        &mut self,
        [args, _, steps, data]: [Reg; 4],
        n: Reg,
        axes: &[Option<u8>],
    ) -> Given {
        Given {
            n,
            operands: self.operands(args, steps),
            positions: self.positions(axes, data),
            steps,
        }
    }

    fn operands(&mut self, args: Reg, steps: Reg) -> Vec<Operand> {
        let func = self.func;
        let inputs = func.params().iter().map(|v| (func.dtype(*v), Some(*v)));
        let outputs = func.results.iter().map(|d| (*d, None));
        inputs
            .chain(outputs)
            .enumerate()
            .map(|(i, (dtype, input))| {
                let offset = (i * 8) as i32;
                Operand {
                    dtype,
                    is_input: input.is_some(),
                    is_uniform: input.is_some_and(|v| !self.varying[v]),
                    base: self.load64(args, offset),
                    step: self.load64(steps, offset),
                }
            })
            .collect()
    }

    fn positions(&mut self, axes: &[Option<u8>], data: Reg) -> Vec<Position> {
        axes.iter()
            .enumerate()
            .map(|(i, axis)| {
                let axis = *axis;
                let offset = (i * size_of::<ufc_target::Index>()) as i32;
                let base = self.load64(data, offset);
                let step = self.load64(data, offset + 8);
                Position { axis, base, step }
            })
            .collect()
    }

    /// Loads the inputs that are known to be the same in every element.
    pub(super) fn uniform_inputs(&mut self, operands: &[Operand]) {
        let func = self.func;
        self.is_uniform = true;
        for (value, operand) in func.params().iter().zip(operands) {
            if operand.is_uniform {
                self.load(*value, operand.base);
            }
        }
        self.is_uniform = false;
    }

    /// Makes the positions of a turn, given those of its first element and the distance of each lane's from there.
    pub(super) fn set_indices(
        &mut self,
        positions: &[Position],
        firsts: &[Reg],
        distances: &[Vec<Reg>],
    ) {
        let func = self.func;
        let mut indices: Vec<(Option<u8>, Value)> = Vec::new();
        func.for_each_inst(|_, inst| {
            let data = &func.insts[inst];
            if let InstKind::Index(axis) = data.kind {
                indices.push((axis, data.results[0]));
            }
        });
        for (axis, result) in indices {
            let Some(slot) = positions.iter().position(|p| p.axis == axis) else {
                continue;
            };
            self.set_index(result, firsts[slot], &distances[slot]);
        }
    }

    /// Emits one turn: loads the inputs, computes, stores the outputs.
    pub(super) fn body(&mut self, addresses: &[Reg]) {
        let func = self.func;
        let (inputs, outputs) = addresses.split_at(func.params().len());
        let Terminator::Yield(results) = &func.regions[func.body].end else {
            self.refuse("a kernel without yield".to_string());
            return;
        };
        let loads = func.params().iter().zip(inputs);
        let loads = loads.filter(|(v, _)| self.varying[**v]);
        let stores = results.iter().zip(outputs);
        let insts = func.regions[func.body].insts.iter();
        let mut steps: Vec<Step> = loads.map(|(v, a)| Step::Load(*v, *a)).collect();
        steps.extend(insts.map(|i| Step::Inst(*i)));
        steps.extend(stores.map(|(v, a)| Step::Store(*v, *a)));
        self.steps(&steps);
    }
}
