//! The loop over whole turns.
//!
//! Elements are done in runs. Where every operand lies side by side or is broadcast, one run takes all whole turns, straight
//! from and to memory. Else a run takes up to [`Cx::chunk`] elements whose operands are first copied into buffers on the
//! stack, and whose outputs are copied out of such buffers afterwards. Inputs that are broadcast are in their buffers
//! once for all.
//!
//! The elements before the first one at which the output is aligned, and those after the last whole turn, are left to the
//! part of the function whose turns may be partial.

use super::Cx;
use super::driver::{Given, Operand, Position};
use crate::native::mach::{Callee, Cond, MachInst, Reg};
use iced_x86::Code;

/// Bytes of stack that all buffers may take together, beyond those of one turn.
const BUFFER_BYTES: usize = 8192;

/// Turns from which on it is worth its time to start at an aligned output, so that whole cache lines are written.
const ALIGNED_TURNS: usize = 32;

/// How an operand lies.
struct Layout {
    operand: Operand,
    buffer: i32,
    /// Whether elements lie side by side.
    packed: Reg,
    /// Whether every element is the same one: an input with step 0.
    broadcast: Option<Reg>,
}

/// Places in the frame where the arguments for another part are put together.
struct Frame {
    args: i32,
    dims: i32,
    data: i32,
}

impl Cx<'_> {
    /// Emits a part of the function that does all elements in turns of the given lanes, which are no more than the elements.
    pub(super) fn whole(&mut self, axes: &[Option<u8>]) {
        let (args, n) = self.arguments();
        let given = self.given(args, n, axes);
        let mut layouts: Vec<Layout> = given.operands.iter().map(|o| self.layout(*o)).collect();
        let frame = Frame {
            args: self.mach.buffer(8 * layouts.len()),
            dims: self.mach.buffer(8),
            data: self
                .mach
                .buffer(size_of::<ufc_target::Index>() * given.positions.len()),
        };
        let zero = self.integer(0);
        let mut first = zero;
        let head = self.head(n, &mut layouts);
        let mut all_direct = self.integer(1);
        for layout in layouts.iter().filter(|layout| !layout.operand.is_uniform) {
            let direct = match layout.broadcast {
                Some(broadcast) => self.or(layout.packed, broadcast),
                None => layout.packed,
            };
            all_direct = self.and(all_direct, direct);
        }
        if let Some(head) = head {
            first = match self.streaming {
                true => head,
                false => self.pick(all_direct, head, zero),
            };
            self.when(first, |cx| cx.leave_to_partial(&given, &frame, zero, first));
        }
        self.runs(&given, &layouts, &frame, [first, all_direct]);
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

    fn layout(&mut self, operand: Operand) -> Layout {
        let size = operand.dtype.size();
        let is_uniform = operand.is_uniform;
        let chunk = if is_uniform { 0 } else { self.chunk() };
        let buffer = self.mach.buffer(chunk * size);
        let packed = self.is_equal(operand.step, size as i64);
        let mut broadcast = None;
        if operand.is_input && !is_uniform {
            let is_broadcast = self.is_equal(operand.step, 0);
            broadcast = Some(is_broadcast);
            self.when(is_broadcast, |cx| {
                let element = cx.element(size, operand.base);
                let buffer = cx.frame_address(buffer);
                cx.fill(element, buffer, cx.plan.lanes * size);
            });
        }
        Layout {
            operand,
            buffer,
            packed,
            broadcast,
        }
    }

    /// Copies elements of an operand into its buffer.
    fn gather(&mut self, layout: &Layout, from: Reg, count: Reg) {
        let size = self.integer(layout.operand.size());
        let buffer = self.frame_address(layout.buffer);
        let args = vec![buffer, from, layout.operand.step, count, count, size];
        self.push(MachInst::Call(Callee::Gather, args));
    }

    /// Copies elements from an operand's buffer to where they belong.
    fn scatter(&mut self, layout: &Layout, to: Reg, count: Reg) {
        let size = self.integer(layout.operand.size());
        let buffer = self.frame_address(layout.buffer);
        let args = vec![to, buffer, layout.operand.step, count, size];
        self.push(MachInst::Call(Callee::Scatter, args));
    }

    /// How many elements come before the first one at which the first output is aligned, if turns are to start there.
    /// Outputs that are not aligned there either are not taken to lie side by side if they are written past the caches,
    /// as that asks for it.
    fn head(&mut self, n: Reg, layouts: &mut [Layout]) -> Option<Reg> {
        if !self.plan.cheap {
            return None;
        }
        let vector = self.level.vector() as i64;
        let first = layouts.iter().find(|layout| !layout.operand.is_input)?;
        let size = first.operand.size();
        let zero = self.integer(0);
        let misaligned = self.sub(zero, first.operand.base);
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
            for layout in layouts.iter_mut().filter(|layout| !layout.operand.is_input) {
                let distance = self.mul_imm(head, layout.operand.size());
                let start = self.add(layout.operand.base, distance);
                let low = self.and_imm(start, vector - 1);
                let aligned = self.is_equal(low, 0);
                layout.packed = self.and(layout.packed, aligned);
            }
        }
        Some(head)
    }

    /// Has `count` elements after the first `done` ones be computed by the part of the function for partial turns.
    fn leave_to_partial(&mut self, given: &Given, frame: &Frame, done: Reg, count: Reg) {
        for (i, operand) in given.operands.iter().enumerate() {
            let place = self.moved(operand.base, operand.step, done);
            self.store64(frame.args + 8 * i as i32, place);
        }
        self.store64(frame.dims, count);
        for (i, position) in given.positions.iter().enumerate() {
            let offset = frame.data + (i * size_of::<ufc_target::Index>()) as i32;
            let first = self.moved(position.base, position.step, done);
            self.store64(offset, first);
            self.store64(offset + 8, position.step);
        }
        let places = [frame.args, frame.dims, frame.data];
        let [args, dims, data] = places.map(|at| self.frame_address(at));
        let args = vec![args, dims, given.steps, data];
        self.push(MachInst::Call(Callee::Partial, args));
    }

    /// Emits the loop over runs of whole turns after the first elements, and what does those that are left.
    fn runs(
        &mut self,
        given: &Given,
        layouts: &[Layout],
        frame: &Frame,
        [first, all_direct]: [Reg; 2],
    ) {
        let lanes = self.plan.lanes as i64;
        let [head, run, rest] = [0; 3].map(|_| self.mach.block());
        self.jump(head, vec![first]);
        self.switch_to(head);
        let done = self.general();
        self.mach.blocks[head.0].params.push(done);
        let left = self.sub(given.n, done);
        self.compare_imm(left, lanes);
        self.push(MachInst::Branch(Cond::GreaterEqual, run, rest));

        self.switch_to(run);
        let chunk = self.integer(self.chunk() as i64);
        let bounded = self.least(left, chunk);
        let most = self.pick(all_direct, left, bounded);
        let count = self.and_imm(most, -lanes);
        let places: Vec<Reg> = layouts
            .iter()
            .map(|layout| self.moved(layout.operand.base, layout.operand.step, done))
            .collect();
        let starts: Vec<Reg> = layouts
            .iter()
            .zip(&places)
            .map(|(layout, place)| self.start(layout, *place, count))
            .collect();
        self.turns(layouts, &starts, &given.positions, [done, count]);
        for (layout, place) in layouts.iter().zip(&places) {
            if !layout.operand.is_input {
                let buffered = self.is_equal(layout.packed, 0);
                self.when(buffered, |cx| cx.scatter(layout, *place, count));
            }
        }
        let done_then = self.add(done, count);
        self.jump(head, vec![done_then]);
        self.switch_to(rest);
        self.when(left, |cx| cx.leave_to_partial(given, frame, done, left));
    }

    /// The address that the body reads or writes first; fills the buffer of an input that needs it.
    fn start(&mut self, layout: &Layout, place: Reg, count: Reg) -> Reg {
        if layout.operand.is_uniform {
            return place;
        }
        if let Some(broadcast) = layout.broadcast {
            let ready = self.or(layout.packed, broadcast);
            let copies = self.is_equal(ready, 0);
            self.when(copies, |cx| cx.gather(layout, place, count));
        }
        let buffer = self.frame_address(layout.buffer);
        self.pick(layout.packed, place, buffer)
    }

    /// Emits the loop over the turns of a run, of which `[done, count]` elements are before it and in it.
    fn turns(
        &mut self,
        layouts: &[Layout],
        starts: &[Reg],
        positions: &[Position],
        [done, count]: [Reg; 2],
    ) {
        let lanes = self.plan.lanes as i64;
        let distances: Vec<Vec<Reg>> = positions
            .iter()
            .map(|position| self.distances(None, position.step))
            .collect();
        let mut enter = vec![count];
        let is_moving = |layout: &&Layout| !layout.operand.is_uniform;
        let moving = layouts.iter().zip(starts).filter(|(l, _)| is_moving(l));
        enter.extend(moving.map(|(_, start)| *start));
        for position in positions {
            enter.push(self.moved(position.base, position.step, done));
        }
        let operands: Vec<Operand> = layouts.iter().map(|layout| layout.operand).collect();
        self.uniform_inputs(&operands);
        self.hoist_uniform();
        let advances = self.advances(layouts);
        let (head, latch, after) = (self.mach.block(), self.mach.block(), self.mach.block());
        let params: Vec<Reg> = enter.iter().map(|_| self.general()).collect();
        self.mach.before_turns = Some(self.block);
        self.jump(head, enter);
        self.loops += 1;
        self.switch_to(head);
        self.mach.blocks[head.0].params.extend_from_slice(&params);
        let (moving, firsts) = params[1..].split_at(params.len() - 1 - positions.len());
        self.set_indices(positions, firsts, &distances);
        let mut rest = moving.iter();
        let addresses = operands.iter().map(|operand| match operand.is_uniform {
            true => operand.base,
            false => *rest.next().unwrap_or(&operand.base),
        });
        let addresses: Vec<Reg> = addresses.collect();
        self.body(&addresses);

        let mut again = vec![self.add_imm(params[0], -lanes)];
        for ((layout, advance), address) in
            layouts.iter().filter(is_moving).zip(advances).zip(moving)
        {
            again.push(match advance {
                Some(advance) => self.add(*address, advance),
                None => self.add_imm(*address, lanes * layout.operand.size()),
            });
        }
        for (position, first) in positions.iter().zip(firsts) {
            let moved = self.mul_imm(position.step, lanes);
            again.push(self.add(*first, moved));
        }
        self.compare_imm(again[0], 1);
        self.push(MachInst::Branch(Cond::GreaterEqual, latch, after));
        self.switch_to(latch);
        self.jump(head, again);
        self.loops -= 1;
        self.switch_to(after);
    }

    /// How far the addresses move each turn, where that is not known to be by a turn's elements. Made right before the
    /// loop, so that registers are free for them, of which calls leave few.
    fn advances(&mut self, layouts: &[Layout]) -> Vec<Option<Reg>> {
        let lanes = self.plan.lanes as i64;
        let advance = |layout: &Layout| {
            layout.broadcast.map(|broadcast| {
                let turn = self.integer(lanes * layout.operand.size());
                let zero = self.integer(0);
                self.pick(broadcast, zero, turn)
            })
        };
        let moving = layouts.iter().filter(|layout| !layout.operand.is_uniform);
        moving.map(advance).collect()
    }
}
