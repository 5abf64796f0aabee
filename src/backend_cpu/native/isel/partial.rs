//! The loop over turns that may be partial.
//!
//! A turn computes as many elements as are left, up to its lanes. Lanes without an element of their own are given the
//! turn's first one, so that they do nothing that an element does not do, and what they compute is not stored. Elements
//! side by side are loaded and stored under masks; those that are not are copied into a buffer on the stack first, or out
//! of one afterwards. Where there are no instructions for masks (8 and 16 bits at `avx2`), all that does not fill the turn
//! is copied.
//!
//! What is rare is laid out at the end, so that a call on one element runs straight through.

use super::Cx;
use super::driver::{Operand, Position};
use crate::native::level::Level;
use crate::native::mach::{Block, Cond, MachInst, Reg};

/// Where a turn finds or puts the elements of an operand.
struct Place {
    /// In memory.
    home: Reg,
    /// There, or in a buffer.
    address: Reg,
}

/// How many bytes something moves by from one element to the next.
#[derive(Clone, Copy)]
enum Step {
    By(Reg),
    Bytes(i64),
}

impl Cx<'_> {
    /// Emits a part of the function that does any number of elements.
    pub(super) fn partial(&mut self, axes: &[Option<u8>]) {
        let (args, n) = self.arguments();
        let (start, empty, finish) = (self.mach.block(), self.mach.block(), self.mach.block());
        self.compare_imm(n, 1);
        self.push(MachInst::Branch(Cond::Less, empty, start));
        self.switch_to(start);
        let given = self.given(args, n, axes);
        self.uniform_inputs(&given.operands);
        self.hoist_uniform();
        self.partial_turns(given.n, &given.operands, &given.positions);
        self.jump(finish, Vec::new());
        self.switch_to(finish);
        self.push(MachInst::Return);
        self.rarely(empty, |cx| cx.jump(finish, Vec::new()));
        self.lay_out_rare();
    }

    /// Emits the loop over turns.
    fn partial_turns(&mut self, n: Reg, operands: &[Operand], positions: &[Position]) {
        let lanes = self.plan.lanes as i64;
        let moving = || operands.iter().filter(|operand| !operand.is_uniform);
        let buffers: Vec<i32> = operands
            .iter()
            .map(|operand| self.mach.buffer(self.plan.lanes * operand.dtype.size()))
            .collect();
        let (head, latch, after) = (self.mach.block(), self.mach.block(), self.mach.block());
        let mut enter = vec![n];
        enter.extend(moving().map(|operand| operand.base));
        enter.extend(positions.iter().map(|position| position.base));
        let params: Vec<Reg> = enter.iter().map(|_| self.general()).collect();
        // A loop that is mostly entered for one turn gains nothing from what is made ahead of it.
        if self.plan.columns() > 1 {
            self.mach.before_turns = Some(self.block);
        }
        self.jump(head, enter);
        self.loops += 1;
        self.switch_to(head);
        self.mach.blocks[head.0].params.extend_from_slice(&params);
        let left = params[0];
        let (homes, firsts) = params[1..].split_at(moving().count());
        let all = self.integer(lanes);
        let count = self.least(left, all);
        self.turn(operands, homes, &buffers, positions, firsts, count);

        let left = self.add_imm(left, -lanes);
        self.compare_imm(left, 1);
        self.push(MachInst::Branch(Cond::GreaterEqual, latch, after));
        self.switch_to(latch);
        let mut again = vec![left];
        let steps = moving().map(|operand| operand.step);
        let steps: Vec<Reg> = steps.chain(positions.iter().map(|p| p.step)).collect();
        for (from, step) in params[1..].iter().zip(steps) {
            let distance = self.mul_imm(step, lanes);
            again.push(self.add(*from, distance));
        }
        self.jump(head, again);
        self.loops -= 1;
        self.switch_to(after);
    }

    /// Emits a turn of `count` elements.
    fn turn(
        &mut self,
        operands: &[Operand],
        homes: &[Reg],
        buffers: &[i32],
        positions: &[Position],
        firsts: &[Reg],
        count: Reg,
    ) {
        let mut homes = homes.iter();
        let mut places = Vec::new();
        for (operand, buffer) in operands.iter().zip(buffers) {
            let place = if operand.is_uniform {
                operand.base
            } else {
                *homes.next().unwrap_or(&operand.base)
            };
            let address = match (operand.is_uniform, operand.is_input) {
                (true, _) => place,
                (false, true) => self.find(operand, place, *buffer, count),
                (false, false) => self.destination(operand, place, *buffer, count),
            };
            places.push(Place {
                home: place,
                address,
            });
        }
        let distances: Vec<Vec<Reg>> = positions
            .iter()
            .map(|position| self.distances(Some(count), position.step))
            .collect();
        self.set_indices(positions, firsts, &distances);
        let addresses: Vec<Reg> = places.iter().map(|place| place.address).collect();
        self.body(&addresses);
        self.limits.clear();
        for (operand, place) in operands.iter().zip(&places) {
            if !operand.is_input {
                self.deliver(operand, place, count);
            }
        }
    }

    /// Whether elements of this size are loaded and stored under masks.
    fn is_masked(&self, operand: &Operand) -> bool {
        self.level == Level::Avx512 || operand.dtype.size() >= 4
    }

    /// The address from which an input is loaded; notes how many elements from there on are, if others are masked.
    fn find(&mut self, operand: &Operand, home: Reg, buffer: i32, count: Reg) -> Reg {
        let join = self.mach.block();
        let [address, limit] = [0; 2].map(|_| self.general());
        let is_masked = self.is_masked(operand);
        self.mach.blocks[join.0].params.push(address);
        let mut enter = vec![home];
        if is_masked {
            self.mach.blocks[join.0].params.push(limit);
            enter.push(count);
        }
        let other = self.unless_direct(operand, count, join, enter);
        self.rarely(other, |cx| {
            let size = operand.dtype.size();
            let from = cx.frame_address(buffer);
            if !is_masked {
                let element = cx.element(size, home);
                cx.fill(element, from, cx.plan.lanes * size);
            }
            let (same, copied) = (cx.mach.block(), cx.mach.block());
            let before_last = cx.add_imm(count, -1);
            let span = cx.mul(operand.step, before_last);
            cx.compare_imm(span, 0);
            cx.push(MachInst::Branch(Cond::Equal, same, copied));
            cx.switch_to(same);
            let zero = cx.integer(0);
            cx.jump(
                join,
                if is_masked {
                    vec![home, zero]
                } else {
                    vec![from]
                },
            );
            cx.switch_to(copied);
            let steps = [Step::By(operand.step), Step::Bytes(operand.size())];
            cx.copy_some(operand, [home, from], steps, count);
            cx.jump(
                join,
                if is_masked {
                    vec![from, count]
                } else {
                    vec![from]
                },
            );
        });
        self.switch_to(join);
        if is_masked {
            self.limits.push((address, limit));
        }
        address
    }

    /// The address to which an output is stored; notes how many elements from there on are, if others are masked.
    fn destination(&mut self, operand: &Operand, home: Reg, buffer: i32, count: Reg) -> Reg {
        let join = self.mach.block();
        let address = self.general();
        self.mach.blocks[join.0].params.push(address);
        let other = self.unless_direct(operand, count, join, vec![home]);
        let is_masked = self.is_masked(operand);
        self.rarely(other, |cx| {
            let to = cx.frame_address(buffer);
            let to = if is_masked {
                cx.compare_imm(count, 1);
                cx.by_flags(Cond::Equal, home, to)
            } else {
                to
            };
            cx.jump(join, vec![to]);
        });
        self.switch_to(join);
        if is_masked {
            self.limits.push((address, count));
        }
        address
    }

    /// Jumps to a block with arguments if a turn's elements of an operand can be loaded or stored where they are; else goes
    /// to the block that is given back.
    fn unless_direct(
        &mut self,
        operand: &Operand,
        count: Reg,
        join: Block,
        args: Vec<Reg>,
    ) -> Block {
        let (direct, other) = (self.mach.block(), self.mach.block());
        if self.is_masked(operand) {
            self.compare_imm(operand.step, operand.size());
        } else {
            // Only whole turns, too.
            let lacking = self.add_imm(count, -(self.plan.lanes as i64));
            let distance = self.add_imm(operand.step, -operand.size());
            let either = self.or(distance, lacking);
            self.compare_imm(either, 0);
        }
        self.push(MachInst::Branch(Cond::Equal, direct, other));
        self.switch_to(direct);
        self.jump(join, args);
        other
    }

    /// Copies an output from its buffer to where it belongs, if it is in its buffer.
    fn deliver(&mut self, operand: &Operand, place: &Place, count: Reg) {
        let (done, other, after) = (self.mach.block(), self.mach.block(), self.mach.block());
        self.compare_general(place.address, place.home);
        self.push(MachInst::Branch(Cond::Equal, done, other));
        self.switch_to(done);
        self.jump(after, Vec::new());
        self.rarely(other, |cx| {
            let steps = [Step::Bytes(operand.size()), Step::By(operand.step)];
            cx.copy_some(operand, [place.address, place.home], steps, count);
            cx.jump(after, Vec::new());
        });
        self.switch_to(after);
    }

    /// Copies elements of an operand to or from its buffer.
    fn copy_some(&mut self, operand: &Operand, places: [Reg; 2], steps: [Step; 2], count: Reg) {
        let size = operand.dtype.size();
        if self.is_masked(operand) {
            // Were they side by side, they would not be copied.
            return self.copy(size, places, steps, count);
        }
        let (near, far, after) = (self.mach.block(), self.mach.block(), self.mach.block());
        self.compare_imm(operand.step, size as i64);
        self.push(MachInst::Branch(Cond::Equal, near, far));
        self.switch_to(near);
        let bytes = self.mul_imm(count, size as i64);
        self.copy_bytes(places, bytes);
        self.jump(after, Vec::new());
        self.switch_to(far);
        self.copy(size, places, steps, count);
        self.jump(after, Vec::new());
        self.switch_to(after);
    }

    /// Copies bytes, at least one, in the largest pieces of which there is one: the last piece ends where the bytes end, and
    /// may lie in part on the one before it.
    fn copy_bytes(&mut self, [from, to]: [Reg; 2], bytes: Reg) {
        let after = self.mach.block();
        for piece in [16, 8, 4, 2] {
            let (enough, fewer) = (self.mach.block(), self.mach.block());
            self.compare_imm(bytes, piece);
            self.push(MachInst::Branch(Cond::GreaterEqual, enough, fewer));
            self.switch_to(enough);
            let last = self.add_imm(bytes, -piece);
            if piece == 16 {
                let padded = self.add_imm(last, piece - 1);
                let pieces = self.shift_right(padded, 4);
                self.copy(16, [from, to], [Step::Bytes(piece); 2], pieces);
            } else {
                self.copy_element(piece as usize, from, to);
            }
            let [from, to] = [from, to].map(|place| self.add(place, last));
            self.copy_element(piece as usize, from, to);
            self.jump(after, Vec::new());
            self.switch_to(fewer);
        }
        self.copy_element(1, from, to);
        self.jump(after, Vec::new());
        self.switch_to(after);
    }

    /// Emits a loop that copies elements.
    fn copy(&mut self, size: usize, [from, to]: [Reg; 2], steps: [Step; 2], count: Reg) {
        let (head, latch, after) = (self.mach.block(), self.mach.block(), self.mach.block());
        let params = [0; 3].map(|_| self.general());
        self.jump(head, vec![from, to, count]);
        self.switch_to(head);
        self.mach.blocks[head.0].params.extend_from_slice(&params);
        let [from, to, left] = params;
        self.copy_element(size, from, to);
        let [from, to] = [(from, steps[0]), (to, steps[1])].map(|(place, step)| match step {
            Step::By(step) => self.add(place, step),
            Step::Bytes(bytes) => self.add_imm(place, bytes),
        });
        let left = self.add_imm(left, -1);
        self.compare_imm(left, 1);
        self.push(MachInst::Branch(Cond::GreaterEqual, latch, after));
        self.switch_to(latch);
        self.jump(head, vec![from, to, left]);
        self.switch_to(after);
    }
}
