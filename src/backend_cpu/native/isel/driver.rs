//! The loop over elements around the vector body.
//!
//! Elements are done in runs. Where every operand lies side by side or is broadcast, one run takes all whole turns,
//! straight from and to memory, and the last elements, too few for a turn, are done in a whole turn that ends with them:
//! some elements are computed twice, to the same bits. In the same way a first turn makes the turns after it start where
//! the output is aligned. That cannot be where an output has taken an input's place, as what was read there is gone.
//!
//! Else a run takes up to [`Cx::chunk`] elements whose operands are first copied into buffers on the stack, and whose
//! outputs are copied out of such buffers afterwards. Elements too few for a turn are a run of their own: the buffers are
//! filled up with copies of the last element, the same body runs, and only what belongs to the operands is copied out.
//!
//! So every element is computed by the same code, and nothing outside the operands is touched.

use super::control::Step;
use super::{Ahead, Cx};
use crate::native::mach::{Block, Callee, Class, Cond, MachInst, Reg};
use iced_x86::Code;
use ufc_ir::DType;
use ufc_ir::func::{InstKind, Terminator, Value};

/// Bytes of stack that all buffers may take together, beyond those of one turn.
const BUFFER_BYTES: usize = 8192;

/// Turns from which on a first one is worth its time, so that outputs are written in whole cache lines.
const ALIGNED_TURNS: usize = 32;

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
}

/// Elements that are done together.
struct Run {
    /// How many come before them.
    done: Reg,
    /// How many do not.
    left: Reg,
    count: Reg,
    /// How far the next run starts after this one.
    advance: Reg,
    /// Whether they are whole turns.
    is_whole: Reg,
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
        let mut operands = self.operands(args, steps);
        let head = self.head(n, &mut operands);
        let positions = self.positions(positions, data);
        self.runs(n, head, &operands, &positions, finish);
        self.switch_to(empty);
        self.jump(finish, Vec::new());
        self.switch_to(finish);
        if self.streaming {
            self.emit(Code::Sfence, &[]);
        }
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
        let mut operand = Operand {
            dtype,
            is_input,
            base,
            step,
            buffer,
            packed,
            broadcast: None,
        };
        if is_input {
            let broadcast = self.is_equal(step, 0);
            operand.broadcast = Some(broadcast);
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
        self.push(MachInst::Call(Callee::Gather, args));
    }

    /// Copies `count` elements from an operand's buffer to where they belong.
    fn scatter(&mut self, operand: &Operand, to: Reg, count: Reg) {
        let size = self.integer(operand.dtype.size() as i64);
        let buffer = self.frame_address(operand.buffer);
        let args = vec![to, buffer, operand.step, count, size];
        self.push(MachInst::Call(Callee::Scatter, args));
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

    /// How many elements come before the first one at which the first output is aligned, if turns are to start there.
    /// Outputs that are not aligned there either are not taken to lie side by side if they are written past the caches,
    /// as that asks for it.
    fn head(&mut self, n: Reg, operands: &mut [Operand]) -> Option<Reg> {
        if !self.plan.cheap {
            return None;
        }
        let vector = self.level.vector() as i64;
        let first = operands.iter().find(|operand| !operand.is_input)?;
        let size = first.dtype.size() as i64;
        // The first turn, which the aligned ones overlap, must reach the aligned place.
        if !self.streaming && (self.plan.lanes as i64) * size < vector {
            return None;
        }
        let zero = self.integer(0);
        let misaligned = self.sub(zero, first.base);
        let bytes = self.and_imm(misaligned, vector - 1);
        let elements = self.shift_right(bytes, size.trailing_zeros());
        let part = self.and_imm(bytes, size - 1);
        let aligned = self.is_equal(part, 0);
        let wanted = self.and(aligned, first.packed);
        let elements = self.pick(wanted, elements, zero);
        let least = if self.streaming {
            1
        } else {
            ALIGNED_TURNS * self.plan.lanes
        };
        let rest = self.sub(n, elements);
        self.compare_imm(rest, least as i64);
        let head = self.by_flags(Cond::GreaterEqual, elements, zero);
        if self.streaming {
            for operand in operands.iter_mut().filter(|operand| !operand.is_input) {
                let distance = self.mul_imm(head, operand.dtype.size() as i64);
                let start = self.add(operand.base, distance);
                let low = self.and_imm(start, vector - 1);
                let aligned = self.is_equal(low, 0);
                operand.packed = self.and(operand.packed, aligned);
            }
        }
        Some(head)
    }

    /// Whether elements may be computed twice: if they fill a turn, and no output is where an input is.
    fn may_repeat(&mut self, n: Reg, all_direct: Reg, operands: &[Operand]) -> Reg {
        let zero = self.integer(0);
        if self.streaming {
            return zero;
        }
        self.compare_imm(n, self.plan.lanes as i64);
        let mut may = self.by_flags(Cond::GreaterEqual, all_direct, zero);
        for output in operands.iter().filter(|operand| !operand.is_input) {
            for input in operands.iter().filter(|operand| operand.is_input) {
                self.compare_general(output.base, input.base);
                may = self.by_flags(Cond::NotEqual, may, zero);
            }
        }
        may
    }

    /// Emits the loop over runs, then a jump to `finish`.
    fn runs(
        &mut self,
        n: Reg,
        first: Option<Reg>,
        operands: &[Operand],
        positions: &[Position],
        finish: Block,
    ) {
        let mut all_direct = self.integer(1);
        for operand in operands {
            let direct = match operand.broadcast {
                Some(broadcast) => self.or(operand.packed, broadcast),
                None => operand.packed,
            };
            all_direct = self.and(all_direct, direct);
        }
        let may_repeat = self.may_repeat(n, all_direct, operands);
        let (head, latch, exit) = (self.mach.block(), self.mach.block(), self.mach.block());
        let zero = self.integer(0);
        let mut enter = vec![zero];
        enter.extend(first.map(|first| match self.streaming {
            true => first,
            false => self.pick(may_repeat, first, zero),
        }));
        let params: Vec<Reg> = enter.iter().map(|_| self.general()).collect();
        self.jump(head, enter);
        self.switch_to(head);
        self.mach.blocks[head.0].params.extend_from_slice(&params);

        let run = self.run(n, &params, may_repeat, all_direct);
        let (done, left, count, is_whole) = (run.done, run.left, run.count, run.is_whole);
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
        let done = self.add(done, run.advance);
        self.compare_general(done, n);
        self.push(MachInst::Branch(Cond::Less, latch, exit));
        self.switch_to(latch);
        let mut again = vec![done];
        again.extend(params[1..].iter().map(|_| self.integer(0)));
        self.jump(head, again);
        self.switch_to(exit);
        self.jump(finish, Vec::new());
    }

    /// The next run, given how many elements are done and, before the first, how many it is to move on by.
    fn run(&mut self, n: Reg, params: &[Reg], may_repeat: Reg, all_direct: Reg) -> Run {
        let lanes = self.plan.lanes as i64;
        let last = self.add_imm(n, -lanes);
        let bounded = self.least(params[0], last);
        let done = self.pick(may_repeat, bounded, params[0]);
        let left = self.sub(n, done);
        let (one, zero) = (self.integer(1), self.integer(0));
        self.compare_imm(left, lanes);
        let mut is_whole = self.by_flags(Cond::GreaterEqual, one, zero);
        if let (Some(first), true) = (params.get(1), self.streaming) {
            is_whole = self.pick(*first, zero, is_whole);
        }
        let mut count = self.run_length(left, is_whole, all_direct);
        let mut advance = count;
        if let Some(first) = params.get(1).copied() {
            let all = if self.streaming {
                first
            } else {
                self.integer(lanes)
            };
            count = self.pick(first, all, count);
            advance = self.pick(first, first, count);
        }
        Run {
            done,
            left,
            count,
            advance,
            is_whole,
        }
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
        self.hoist_uniform();
        let advances = self.advances(operands);
        let (head, latch, after) = (self.mach.block(), self.mach.block(), self.mach.block());
        let params: Vec<Reg> = enter.iter().map(|_| self.general()).collect();
        self.ahead = Some(Ahead {
            block: self.block,
            regs: Vec::new(),
            left: self.plan.spare,
        });
        self.jump(head, enter);
        self.switch_to(head);
        self.mach.blocks[head.0].params.extend_from_slice(&params);
        let (addresses, firsts) = params[1..].split_at(operands.len());
        self.set_indices(positions, firsts, &distances);
        self.body(addresses);

        let mut again = Vec::new();
        for ((operand, address), advance) in operands.iter().zip(addresses).zip(advances) {
            again.push(match advance {
                Some(advance) => self.add(*address, advance),
                None => self.add_imm(*address, lanes * operand.dtype.size() as i64),
            });
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
        self.ahead = None;
        self.switch_to(after);
    }

    /// How far the addresses move each turn, where that is not known to be by a turn's elements. Made right before the
    /// loop, so that registers are free for them, of which calls leave few.
    fn advances(&mut self, operands: &[Operand]) -> Vec<Option<Reg>> {
        let lanes = self.plan.lanes;
        let advance = |operand: &Operand| {
            operand.broadcast.map(|broadcast| {
                let turn = self.integer((lanes * operand.dtype.size()) as i64);
                let zero = self.integer(0);
                self.pick(broadcast, zero, turn)
            })
        };
        operands.iter().map(advance).collect()
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
