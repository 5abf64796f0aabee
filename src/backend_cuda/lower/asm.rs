//! Lines of a kernel as they are made, and its registers and labels.

use super::register;
use crate::ptx::{Class, Guard, Label, Line, Op, Reg, Src, Type};

/// A kernel's lines so far.
#[derive(Default)]
pub(super) struct Asm {
    pub lines: Vec<Line>,
    pub registers: [u32; 4],
    labels: u32,
}

impl Asm {
    pub(super) fn reg(&mut self, class: Class) -> Reg {
        let count = &mut self.registers[class as usize];
        *count += 1;
        Reg {
            class,
            number: *count - 1,
        }
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels)
    }

    pub(super) fn bind(&mut self, label: Label) {
        self.lines.push(Line::Label(label));
    }

    /// An operation into a new register.
    pub(super) fn op(&mut self, op: Op, args: &[Src]) -> Reg {
        let dst = self.reg(op.class());
        self.op_to(dst, op, args);
        dst
    }

    pub(super) fn op_to(&mut self, dst: Reg, op: Op, args: &[Src]) {
        let mut args = args.to_vec();
        // Constants may stand anywhere but where a predicate is read, and as the only argument of a conversion.
        let is_conversion = matches!(op, Op::Cvt { .. });
        let of_predicates = dst.class == Class::Pred && !matches!(op, Op::Setp(..) | Op::Mov(_));
        for (index, arg) in args.iter_mut().enumerate() {
            let is_condition = matches!(op, Op::Selp(_)) && index == 2;
            if !matches!(arg, Src::Bits(_)) {
                continue;
            }
            if of_predicates || is_condition {
                *arg = register(self, *arg, Class::Pred).into();
            } else if let (true, Op::Cvt { from, .. }) = (is_conversion, op) {
                // Eight bits are held in 32.
                *arg = register(self, *arg, from.class()).into();
            }
        }
        self.lines.push(Line::Op { op, dst, args });
    }

    pub(super) fn mov(&mut self, dst: Reg, src: Src) {
        if src != Src::Reg(dst) {
            self.op_to(dst, Op::Mov(dst.class.bits()), &[src]);
        }
    }

    /// Moves as if all at once: a register that is written may be read by another move.
    pub(super) fn parallel_moves(&mut self, moves: &[(Reg, Src)]) {
        let mut pending: Vec<(Reg, Src)> = moves
            .iter()
            .copied()
            .filter(|(dst, src)| *src != Src::Reg(*dst))
            .collect();
        while !pending.is_empty() {
            let is_free =
                |(dst, _): &(Reg, Src)| pending.iter().all(|(_, src)| *src != Src::Reg(*dst));
            match pending.iter().position(is_free) {
                Some(at) => {
                    let (dst, src) = pending.swap_remove(at);
                    self.mov(dst, src);
                }
                // Only cycles are left: one register is kept aside.
                None => {
                    let blocked = pending[0].0;
                    let kept = self.op(Op::Mov(blocked.class.bits()), &[blocked.into()]);
                    for (_, src) in pending.iter_mut().filter(|m| m.1 == Src::Reg(blocked)) {
                        *src = kept.into();
                    }
                }
            }
        }
    }

    pub(super) fn jump(&mut self, to: Label) {
        self.lines.push(Line::Branch { guard: None, to });
    }

    pub(super) fn jump_if(&mut self, pred: Reg, negated: bool, to: Label) {
        let guard = Some(Guard { pred, negated });
        self.lines.push(Line::Branch { guard, to });
    }

    /// A wider value of two parts, the low one first.
    pub(super) fn pack(&mut self, t: Type, low: Src, high: Src) -> Reg {
        let dst = self.reg(t.class());
        let parts = vec![low, high];
        self.lines.push(Line::Pack { t, dst, parts });
        dst
    }

    /// The two halves of a wider value, the low one first.
    pub(super) fn unpack(&mut self, t: Type, src: Reg) -> [Reg; 2] {
        let half = match t.class() {
            Class::B64 => Class::B32,
            Class::B32 | Class::B16 | Class::Pred => Class::B16,
        };
        let parts = [self.reg(half), self.reg(half)];
        self.lines.push(Line::Unpack {
            t,
            parts: parts.to_vec(),
            src,
        });
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// What registers hold after the moves, from what they held before.
    fn run(lines: &[Line], count: u32) -> BTreeMap<u32, u64> {
        let mut held: BTreeMap<u32, u64> = (0..count).map(|n| (n, u64::from(n))).collect();
        for line in lines {
            let Line::Op { dst, args, .. } = line else {
                panic!("only moves are made");
            };
            let value = match args[0] {
                Src::Reg(reg) => held[&reg.number],
                Src::Bits(bits) => bits,
                Src::Special(_) => panic!("no special register is moved"),
            };
            held.insert(dst.number, value);
        }
        held
    }

    #[test]
    fn moves_happen_as_if_at_once() {
        let mut asm = Asm::default();
        let regs: Vec<Reg> = (0..6).map(|_| asm.reg(Class::B32)).collect();
        let moves = [
            (regs[0], regs[1].into()),
            (regs[1], regs[2].into()),
            (regs[2], regs[0].into()),
            (regs[3], regs[3].into()),
            (regs[4], regs[0].into()),
            (regs[5], Src::Bits(77)),
        ];
        asm.parallel_moves(&moves);
        let held = run(&asm.lines, 6);
        let found: Vec<u64> = (0..6).map(|n| held[&n]).collect();
        assert_eq!(found, [1, 2, 0, 3, 0, 77]);
    }
}
