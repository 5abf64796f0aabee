//! The loop over elements around the vector body.
//!
//! Elements are done in runs. Where every operand lies side by side or is broadcast, one run takes all whole turns,
//! straight from and to memory. Else a run takes up to [`Cx::chunk`] elements whose operands are first copied into
//! buffers on the stack, and whose outputs are copied out of such buffers afterwards. The last elements, too few for
//! a turn, are a run of their own: the buffers are filled up with copies of the last element, the same body runs, and
//! only what belongs to the operands is copied out. So every element is computed by the same code, and nothing
//! outside the operands is touched.

use super::Cx;
use super::control::Step;
use crate::clif::jit;
use crate::native::mach::{Block, Class, Cond, MachInst, Reg};
use ufc_ir::DType;
use ufc_ir::func::{InstKind, Terminator, Value};

/// Bytes of stack that all buffers may take together, beyond those of one turn.
const BUFFER_BYTES: usize = 8192;

/// An input or output in generated code. Bools are 0 or 1.
struct Operand {
    dtype: DType,
    is_input: bool,
    base: Reg,
    step: Reg,
    buffer: i32,
    /// Whether elements lie side by side.
    packed: Reg,
    /// Whether every element is the same one: an input with step 0.
    broadcast: Option<Reg>,
    /// How far the body's address moves each turn.
    advance: Reg,
}

/// A position that the kernel asks for.
struct Position {
    axis: Option<u8>,
    base: Reg,
    step: Reg,
}

impl Cx<'_> {
    /// Emits the whole function.
    pub(super) fn driver(&mut self, positions: &[Option<u8>]) {
        let [args, dims, steps, data] = [0; 4].map(|_| self.mach.reg(Class::General));
        self.push(MachInst::Start(vec![args, dims, steps, data]));
        let n = self.load64(dims, 0);
        let (start, empty, finish) = (self.mach.block(), self.mach.block(), self.mach.block());
        self.compare_imm(n, 1);
        self.push(MachInst::Branch(Cond::Less, empty, start));
        self.switch_to(start);
        let operands = self.operands(args, steps);
        let positions = self.positions(positions, data);
        self.runs(n, &operands, &positions, finish);
        self.switch_to(empty);
        self.jump(finish, Vec::new());
        self.switch_to(finish);
        self.push(MachInst::Return);
    }

    /// How many elements a run through the buffers takes at most: a multiple of a turn's.
    fn chunk(&self) -> usize {
        let func = self.func;
        let inputs = func.params().iter().map(|v| func.dtype(*v).size());
        let outputs = func.results.iter().map(|d| d.size());
        let element: usize = inputs.chain(outputs).sum();
        let turns = BUFFER_BYTES / (element.max(1) * self.plan.lanes);
        self.plan.lanes * turns.clamp(1, 64)
    }

    fn operands(&mut self, args: Reg, steps: Reg) -> Vec<Operand> {
        let func = self.func;
        let inputs = func.params().iter().map(|v| (func.dtype(*v), true));
        let outputs = func.results.iter().map(|d| (*d, false));
        inputs
            .chain(outputs)
            .enumerate()
            .map(|(i, (dtype, is_input))| {
                let offset = (i * 8) as i32;
                let (base, step) = (self.load64(args, offset), self.load64(steps, offset));
                self.operand_at(base, step, dtype, is_input)
            })
            .collect()
    }

    fn operand_at(&mut self, base: Reg, step: Reg, dtype: DType, is_input: bool) -> Operand {
        let size = dtype.size();
        let buffer = self.mach.buffer(self.chunk() * size);
        let packed = self.is_equal(step, size as i64);
        let turn = self.integer((self.plan.lanes * size) as i64);
        let mut operand = Operand {
            dtype,
            is_input,
            base,
            step,
            buffer,
            packed,
            broadcast: None,
            advance: turn,
        };
        if is_input {
            let broadcast = self.is_equal(step, 0);
            let zero = self.integer(0);
            operand.broadcast = Some(broadcast);
            operand.advance = self.pick(broadcast, zero, turn);
            self.when(broadcast, |cx| {
                let one = cx.integer(1);
                let lanes = cx.integer(cx.plan.lanes as i64);
                cx.gather(&operand, base, one, lanes);
            });
        }
        operand
    }

    /// Copies `count` elements into an operand's buffer, which is filled up to `total` elements.
    fn gather(&mut self, operand: &Operand, from: Reg, count: Reg, total: Reg) {
        let size = self.integer(operand.dtype.size() as i64);
        let buffer = self.frame_address(operand.buffer);
        let args = vec![buffer, from, operand.step, count, total, size];
        let address = jit::gather as *const () as usize;
        self.push(MachInst::Call(address, args));
    }

    /// Copies `count` elements from an operand's buffer to where they belong.
    fn scatter(&mut self, operand: &Operand, to: Reg, count: Reg) {
        let size = self.integer(operand.dtype.size() as i64);
        let buffer = self.frame_address(operand.buffer);
        let args = vec![to, buffer, operand.step, count, size];
        let address = jit::scatter as *const () as usize;
        self.push(MachInst::Call(address, args));
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

    /// Emits the loop over runs, then a jump to `finish`.
    fn runs(&mut self, n: Reg, operands: &[Operand], positions: &[Position], finish: Block) {
        let mut all_direct = self.integer(1);
        for operand in operands {
            let direct = match operand.broadcast {
                Some(broadcast) => self.or(operand.packed, broadcast),
                None => operand.packed,
            };
            all_direct = self.and(all_direct, direct);
        }
        let (head, latch, exit) = (self.mach.block(), self.mach.block(), self.mach.block());
        let zero = self.integer(0);
        self.jump(head, vec![zero]);
        self.switch_to(head);
        let done = self.general();
        self.mach.blocks[head.0].params.push(done);

        let left = self.sub(n, done);
        let (one, zero) = (self.integer(1), self.integer(0));
        self.compare_imm(left, self.plan.lanes as i64);
        let is_whole = self.by_flags(Cond::GreaterEqual, one, zero);
        let count = self.run_length(left, is_whole, all_direct);
        let places: Vec<Reg> = operands
            .iter()
            .map(|operand| {
                let distance = self.mul(done, operand.step);
                self.add(operand.base, distance)
            })
            .collect();
        let starts: Vec<Reg> = operands
            .iter()
            .zip(&places)
            .map(|(operand, place)| self.start(operand, *place, is_whole, count))
            .collect();
        self.turns(operands, &starts, positions, [done, left, count]);
        for (operand, place) in operands.iter().zip(&places).filter(|(o, _)| !o.is_input) {
            let direct = self.and(operand.packed, is_whole);
            let buffered = self.is_equal(direct, 0);
            self.when(buffered, |cx| cx.scatter(operand, *place, count));
        }
        let done = self.add(done, count);
        self.compare_general(done, n);
        self.push(MachInst::Branch(Cond::Less, latch, exit));
        self.switch_to(latch);
        self.jump(head, vec![done]);
        self.switch_to(exit);
        self.jump(finish, Vec::new());
    }

    /// How many elements the next run takes: whole turns, or the last elements if there are fewer.
    fn run_length(&mut self, left: Reg, is_whole: Reg, all_direct: Reg) -> Reg {
        let chunk = self.integer(self.chunk() as i64);
        let bounded = self.least(left, chunk);
        let most = self.pick(all_direct, left, bounded);
        let whole = self.and_imm(most, -(self.plan.lanes as i64));
        self.pick(is_whole, whole, left)
    }

    /// The address that the body reads or writes first; fills the buffer of an input that needs it.
    fn start(&mut self, operand: &Operand, place: Reg, is_whole: Reg, count: Reg) -> Reg {
        let direct = self.and(operand.packed, is_whole);
        if let Some(broadcast) = operand.broadcast {
            let ready = self.or(direct, broadcast);
            let copies = self.is_equal(ready, 0);
            let lanes = self.integer(self.plan.lanes as i64);
            let total = self.greatest(count, lanes);
            self.when(copies, |cx| cx.gather(operand, place, count, total));
        }
        let buffer = self.frame_address(operand.buffer);
        self.pick(direct, place, buffer)
    }

    /// Emits the loop over the turns of a run, of which `[done, left, count]` elements are before it, not before it,
    /// and in it.
    fn turns(
        &mut self,
        operands: &[Operand],
        starts: &[Reg],
        positions: &[Position],
        [done, left, count]: [Reg; 3],
    ) {
        let lanes = self.plan.lanes as i64;
        let last = self.add_imm(left, -1);
        let distances: Vec<Vec<Reg>> = positions
            .iter()
            .map(|position| self.distances(last, position.step))
            .collect();
        let mut enter = vec![count];
        enter.extend_from_slice(starts);
        for position in positions {
            let distance = self.mul(done, position.step);
            enter.push(self.add(position.base, distance));
        }
        self.uniform_inputs(operands);
        let (head, latch, after) = (self.mach.block(), self.mach.block(), self.mach.block());
        let params: Vec<Reg> = enter.iter().map(|_| self.general()).collect();
        self.jump(head, enter);
        self.switch_to(head);
        self.mach.blocks[head.0].params.extend_from_slice(&params);
        let (addresses, firsts) = params[1..].split_at(operands.len());
        self.set_indices(positions, firsts, &distances);
        self.body(addresses);

        let mut again = Vec::new();
        for (operand, address) in operands.iter().zip(addresses) {
            again.push(self.add(*address, operand.advance));
        }
        for (position, first) in positions.iter().zip(firsts) {
            let moved = self.mul_imm(position.step, lanes);
            again.push(self.add(*first, moved));
        }
        let left = self.add_imm(params[0], -lanes);
        again.insert(0, left);
        self.compare_imm(left, 1);
        self.push(MachInst::Branch(Cond::GreaterEqual, latch, after));
        self.switch_to(latch);
        self.jump(head, again);
        self.switch_to(after);
    }

    /// Loads the inputs that are known to be broadcast, from the buffers that are full of them.
    fn uniform_inputs(&mut self, operands: &[Operand]) {
        let func = self.func;
        self.is_uniform = true;
        for (value, operand) in func.params().iter().zip(operands) {
            if !self.varying[*value] {
                let buffer = self.frame_address(operand.buffer);
                self.load(*value, buffer);
            }
        }
        self.is_uniform = false;
    }

    fn set_indices(&mut self, positions: &[Position], firsts: &[Reg], distances: &[Vec<Reg>]) {
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
    fn body(&mut self, addresses: &[Reg]) {
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
