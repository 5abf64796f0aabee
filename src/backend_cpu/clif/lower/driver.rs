//! The loop over elements around the vector body.
//!
//! Elements are done in runs. Where every operand lies side by side or is broadcast, one run takes all whole turns,
//! straight from and to memory. Else a run takes up to [`chunk`] elements whose operands are first copied into
//! buffers on the stack, and whose outputs are copied out of such buffers afterwards. The last elements, too few for
//! a turn, are a run of their own: the buffers are filled up with copies of the last element, the same body runs, and
//! only what belongs to the operands is copied out. So every element is computed by the same code, and nothing
//! outside the operands is touched.

use super::control::Step;
use super::memory::flags;
use super::{Clif, Cx};
use crate::clif::jit;

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I64, I64X2};
use cranelift_codegen::ir::{Block, BlockArg, InstBuilder, StackSlotData, StackSlotKind};
use ufc_ir::DType;
use ufc_ir::func::{InstKind, Terminator, Value};

/// Bytes of stack that all buffers may take together, beyond those of one turn.
const BUFFER_BYTES: usize = 8192;

/// An input that varies, or an output, in generated code.
#[derive(Clone, Copy)]
struct Operand {
    dtype: DType,
    /// The parameter that it is, unless it is an output.
    param: Option<Value>,
    base: Clif,
    step: Clif,
    buffer: Clif,
    /// Whether elements lie side by side.
    packed: Clif,
    /// Whether every element is the same one: an input with step 0.
    broadcast: Option<Clif>,
    /// How far the body's address moves each turn.
    advance: Clif,
}

/// A position that the kernel asks for.
#[derive(Clone, Copy)]
struct Position {
    axis: Option<u8>,
    base: Clif,
    step: Clif,
}

impl Cx<'_, '_> {
    /// Emits the whole function.
    pub(super) fn driver(&mut self) {
        let entry = self.b.create_block();
        self.b.append_block_params_for_function_params(entry);
        self.b.switch_to_block(entry);
        let [args, dims, steps, data] = [0, 1, 2, 3].map(|i| self.b.block_params(entry)[i]);
        let n = self.b.ins().load(I64, flags(), dims, 0);
        let (start, finish) = (self.b.create_block(), self.b.create_block());
        let some = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, n, 0);
        self.b.ins().brif(some, start, &[], finish, &[]);
        self.b.switch_to_block(start);
        self.find_pool();
        let operands = self.operands(args, steps);
        let positions = self.positions(data);
        self.runs(n, &operands, &positions, finish);
        self.b.switch_to_block(finish);
        self.b.ins().return_(&[]);
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

    /// Reads the addresses and steps of operands; parameters that do not vary are read themselves instead.
    fn operands(&mut self, args: Clif, steps: Clif) -> Vec<Operand> {
        let func = self.func;
        let chunk = self.chunk();
        let mut operands = Vec::new();
        for (number, &param) in func.params().iter().enumerate() {
            if self.varying[param] {
                let dtype = func.dtype(param);
                operands.push(self.operand(args, steps, number, dtype, Some(param), chunk));
            } else {
                let address = self.b.ins().load(I64, flags(), args, (number * 8) as i32);
                self.load_uniform(param, address);
            }
        }
        for (i, &dtype) in func.results.iter().enumerate() {
            let number = func.params().len() + i;
            operands.push(self.operand(args, steps, number, dtype, None, chunk));
        }
        operands
    }

    fn operand(
        &mut self,
        args: Clif,
        steps: Clif,
        number: usize,
        dtype: DType,
        param: Option<Value>,
        chunk: usize,
    ) -> Operand {
        let offset = (number * 8) as i32;
        let base = self.b.ins().load(I64, flags(), args, offset);
        let step = self.b.ins().load(I64, flags(), steps, offset);
        let size = dtype.size();
        let slot = StackSlotData::new(StackSlotKind::ExplicitSlot, (chunk * size) as u32, 4);
        let slot = self.b.create_sized_stack_slot(slot);
        let buffer = self.b.ins().stack_addr(I64, slot, 0);
        let packed = self.b.ins().icmp_imm_s(IntCC::Equal, step, size as i64);
        let turn = self.b.ins().iconst(I64, (self.plan.lanes * size) as i64);
        let mut operand = Operand {
            dtype,
            param,
            base,
            step,
            buffer,
            packed,
            broadcast: None,
            advance: turn,
        };
        if param.is_some() {
            let broadcast = self.b.ins().icmp_imm_s(IntCC::Equal, step, 0);
            let zero = self.b.ins().iconst(I64, 0);
            operand.broadcast = Some(broadcast);
            operand.advance = self.b.ins().select(broadcast, zero, turn);
            self.when(broadcast, |cx| {
                let one = cx.b.ins().iconst(I64, 1);
                let lanes = cx.b.ins().iconst(I64, cx.plan.lanes as i64);
                cx.gather(&operand, base, one, lanes);
            });
        }
        operand
    }

    /// Emits code that runs where a condition holds.
    fn when(&mut self, cond: Clif, emit: impl FnOnce(&mut Self)) {
        let (yes, after) = (self.b.create_block(), self.b.create_block());
        self.b.set_cold_block(yes);
        self.b.ins().brif(cond, yes, &[], after, &[]);
        self.b.switch_to_block(yes);
        emit(self);
        self.b.ins().jump(after, &[]);
        self.b.switch_to_block(after);
    }

    /// Copies `count` elements into an operand's buffer, which is filled up to `total` elements.
    fn gather(&mut self, operand: &Operand, from: Clif, count: Clif, total: Clif) {
        let size = self.b.ins().iconst(I64, operand.dtype.size() as i64);
        let address = jit::gather as *const () as usize;
        let args = [operand.buffer, from, operand.step, count, total, size];
        self.call(address, &[I64; 6], None, &args);
    }

    /// Copies `count` elements from an operand's buffer to where they belong.
    fn scatter(&mut self, operand: &Operand, to: Clif, count: Clif) {
        let size = self.b.ins().iconst(I64, operand.dtype.size() as i64);
        let address = jit::scatter as *const () as usize;
        let args = [to, operand.buffer, operand.step, count, size];
        self.call(address, &[I64; 5], None, &args);
    }

    fn positions(&mut self, data: Clif) -> Vec<Position> {
        let axes = self.positions;
        axes.iter()
            .enumerate()
            .map(|(i, &axis)| {
                let offset = (i * size_of::<ufc_target::Index>()) as i32;
                let base = self.b.ins().load(I64, flags(), data, offset);
                let step = self.b.ins().load(I64, flags(), data, offset + 8);
                Position { axis, base, step }
            })
            .collect()
    }

    /// Emits the loop over runs, then a jump to `finish`.
    fn runs(&mut self, n: Clif, operands: &[Operand], positions: &[Position], finish: Block) {
        let mut all_direct = self.b.ins().iconst(I8, 1);
        for operand in operands {
            let direct = match operand.broadcast {
                Some(broadcast) => self.b.ins().bor(operand.packed, broadcast),
                None => operand.packed,
            };
            all_direct = self.b.ins().band(all_direct, direct);
        }
        let head = self.b.create_block();
        let done = self.b.append_block_param(head, I64);
        let zero = self.b.ins().iconst(I64, 0);
        self.b.ins().jump(head, &[BlockArg::Value(zero)]);
        self.b.switch_to_block(head);

        let lanes = self.plan.lanes as i64;
        let left = self.b.ins().isub(n, done);
        let is_whole = self
            .b
            .ins()
            .icmp_imm_s(IntCC::SignedGreaterThanOrEqual, left, lanes);
        let count = self.run_length(left, is_whole, all_direct);
        let places: Vec<Clif> = operands.iter().map(|o| self.place(o, done)).collect();
        let starts: Vec<Clif> = operands
            .iter()
            .zip(&places)
            .map(|(operand, place)| self.start(operand, *place, is_whole, count))
            .collect();
        self.turns(operands, &starts, positions, done, left, count);
        for (operand, place) in operands
            .iter()
            .zip(&places)
            .filter(|(o, _)| o.param.is_none())
        {
            let direct = self.b.ins().band(operand.packed, is_whole);
            let buffered = self.b.ins().bxor_imm_s(direct, 1);
            self.when(buffered, |cx| cx.scatter(operand, *place, count));
        }
        let done = self.b.ins().iadd(done, count);
        let more = self.b.ins().icmp(IntCC::SignedLessThan, done, n);
        self.b
            .ins()
            .brif(more, head, &[BlockArg::Value(done)], finish, &[]);
    }

    /// How many elements the next run takes: whole turns, or the last elements if there are fewer.
    fn run_length(&mut self, left: Clif, is_whole: Clif, all_direct: Clif) -> Clif {
        let lanes = self.plan.lanes as i64;
        let chunk = self.chunk() as i64;
        let chunk = self.b.ins().iconst(I64, chunk);
        let bounded = self.b.ins().smin(left, chunk);
        let most = self.b.ins().select(all_direct, left, bounded);
        let whole = self.b.ins().band_imm_s(most, -lanes);
        self.b.ins().select(is_whole, whole, left)
    }

    /// Where the next run's first element of an operand lies.
    fn place(&mut self, operand: &Operand, done: Clif) -> Clif {
        let distance = self.b.ins().imul(done, operand.step);
        self.b.ins().iadd(operand.base, distance)
    }

    /// The address that the body reads or writes first; fills the buffer of an input that needs it.
    fn start(&mut self, operand: &Operand, place: Clif, is_whole: Clif, count: Clif) -> Clif {
        let direct = self.b.ins().band(operand.packed, is_whole);
        if let Some(broadcast) = operand.broadcast {
            let ready = self.b.ins().bor(direct, broadcast);
            let copies = self.b.ins().bxor_imm_s(ready, 1);
            let lanes = self.b.ins().iconst(I64, self.plan.lanes as i64);
            let total = self.b.ins().smax(count, lanes);
            self.when(copies, |cx| cx.gather(operand, place, count, total));
        }
        self.b.ins().select(direct, place, operand.buffer)
    }

    /// Emits the loop over the turns of a run.
    fn turns(
        &mut self,
        operands: &[Operand],
        starts: &[Clif],
        positions: &[Position],
        done: Clif,
        left: Clif,
        count: Clif,
    ) {
        let lanes = self.plan.lanes as i64;
        let last = self.b.ins().iadd_imm_s(left, -1);
        let numbers = if positions.is_empty() {
            Vec::new()
        } else {
            self.lane_numbers(last)
        };
        let distances: Vec<Vec<Clif>> = positions
            .iter()
            .map(|position| {
                let step = self.b.ins().splat(I64X2, position.step);
                self.each([numbers.clone()], |cx, n| cx.b.ins().imul(n[0], step))
            })
            .collect();
        let firsts: Vec<Clif> = positions
            .iter()
            .map(|position| {
                let distance = self.b.ins().imul(done, position.step);
                self.b.ins().iadd(position.base, distance)
            })
            .collect();

        let (head, after) = (self.b.create_block(), self.b.create_block());
        let enter: Vec<BlockArg> = [count]
            .iter()
            .chain(starts)
            .chain(&firsts)
            .map(|v| BlockArg::Value(*v))
            .collect();
        self.b.ins().jump(head, &enter);
        let params: Vec<Clif> = enter
            .iter()
            .map(|_| self.b.append_block_param(head, I64))
            .collect();
        self.b.switch_to_block(head);
        let (addresses, firsts) = params[1..].split_at(operands.len());
        self.set_indices(positions, firsts, &distances);
        self.body(operands, addresses);

        let left = self.b.ins().iadd_imm_s(params[0], -lanes);
        let mut again = vec![left];
        for (operand, address) in operands.iter().zip(addresses) {
            again.push(self.b.ins().iadd(*address, operand.advance));
        }
        for (position, first) in positions.iter().zip(firsts) {
            let moved = self.b.ins().imul_imm_s(position.step, lanes);
            again.push(self.b.ins().iadd(*first, moved));
        }
        let again: Vec<BlockArg> = again.into_iter().map(BlockArg::Value).collect();
        let more = self.b.ins().icmp_imm_s(IntCC::SignedGreaterThan, left, 0);
        self.b.ins().brif(more, head, &again, after, &[]);
        self.b.switch_to_block(after);
    }

    fn set_indices(&mut self, positions: &[Position], firsts: &[Clif], distances: &[Vec<Clif>]) {
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
    fn body(&mut self, operands: &[Operand], addresses: &[Clif]) {
        let func = self.func;
        let Terminator::Yield(results) = &func.regions[func.body].end else {
            self.refuse("a kernel without yield".to_string());
            return;
        };
        let placed = || operands.iter().zip(addresses);
        let loads = placed().filter_map(|(o, a)| Some(Step::Load(o.param?, *a)));
        let outputs = placed().filter(|(o, _)| o.param.is_none());
        let stores = outputs.zip(results).map(|((_, a), v)| Step::Store(*v, *a));
        let insts = &func.regions[func.body].insts;
        let insts = insts.iter().map(|i| Step::Inst(*i));
        let steps: Vec<Step> = loads.chain(insts).chain(stores).collect();
        self.steps(&steps);
    }
}
