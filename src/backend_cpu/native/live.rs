//! Which virtual registers are live where, and how many of a class at once.

use super::mach::{Arg, Base, Block, Mach, MachInst, Reg};
use regalloc2::RegClass;

/// A set of virtual registers.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RegSet(Vec<u64>);

impl RegSet {
    fn new(regs: usize) -> RegSet {
        RegSet(vec![0; regs.div_ceil(64)])
    }

    /// Whether the register with this number is in it.
    pub(super) fn contains(&self, reg: usize) -> bool {
        self.0[reg / 64] >> (reg % 64) & 1 == 1
    }

    /// Adds one; whether it is new.
    pub(super) fn insert(&mut self, reg: usize) -> bool {
        let is_new = !self.contains(reg);
        self.0[reg / 64] |= 1 << (reg % 64);
        is_new
    }

    /// Removes one; whether it was there.
    pub(super) fn remove(&mut self, reg: usize) -> bool {
        let was_there = self.contains(reg);
        self.0[reg / 64] &= !(1 << (reg % 64));
        was_there
    }

    /// The numbers of those in it.
    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        self.0.iter().enumerate().flat_map(|(i, word)| {
            let mut word = *word;
            std::iter::from_fn(move || {
                let bit = word.trailing_zeros() as usize;
                let found = (word != 0).then_some(i * 64 + bit);
                word &= word.wrapping_sub(1);
                found
            })
        })
    }

    /// Adds those of `from` that are not in `except`; whether any is new.
    fn add(&mut self, from: &RegSet, except: &RegSet) -> bool {
        let mut is_new = false;
        for ((to, from), except) in self.0.iter_mut().zip(&from.0).zip(&except.0) {
            let all = *to | (from & !except);
            is_new |= all != *to;
            *to = all;
        }
        is_new
    }
}

/// Registers by classes that vectors and masks have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) vectors: usize,
    pub(super) masks: usize,
}

impl Count {
    /// Counts one of a class.
    pub(super) fn add(&mut self, class: RegClass) {
        match class {
            RegClass::Vector => self.vectors += 1,
            RegClass::Float => self.masks += 1,
            RegClass::Int => {}
        }
    }

    /// Forgets one of a class.
    pub(super) fn sub(&mut self, class: RegClass) {
        match class {
            RegClass::Vector => self.vectors -= 1,
            RegClass::Float => self.masks -= 1,
            RegClass::Int => {}
        }
    }

    /// The difference of each class, at least 0.
    pub(super) fn less(self, other: Count) -> Count {
        Count {
            vectors: self.vectors.saturating_sub(other.vectors),
            masks: self.masks.saturating_sub(other.masks),
        }
    }

    /// The greater number of each class.
    pub(super) fn max(self, other: Count) -> Count {
        Count {
            vectors: self.vectors.max(other.vectors),
            masks: self.masks.max(other.masks),
        }
    }

    /// Whether there are no more of any class.
    pub(super) fn fits(self, most: Count) -> bool {
        self.vectors <= most.vectors && self.masks <= most.masks
    }
}

impl std::ops::Add for Count {
    type Output = Count;

    fn add(self, other: Count) -> Count {
        Count {
            vectors: self.vectors + other.vectors,
            masks: self.masks + other.masks,
        }
    }
}

/// What is live at the end of each block of a function.
pub(super) struct Live {
    outs: Vec<RegSet>,
    classes: Vec<RegClass>,
}

impl Live {
    /// The least solution of: live before a block is what it reads before it writes it, and what is live after it and not
    /// written in it (Aho, Lam, Sethi, Ullman: Compilers, 9.2.5).
    pub(super) fn new(mach: &Mach) -> Live {
        let empty = RegSet::new(mach.regs);
        let count = mach.blocks.len();
        let (mut ins, mut written) = (vec![empty.clone(); count], vec![empty.clone(); count]);
        let mut classes = vec![RegClass::Int; mach.regs];
        for (i, data) in mach.blocks.iter().enumerate() {
            for inst in data.insts.iter().rev() {
                writes(inst, |reg| {
                    ins[i].remove(reg.vreg());
                    written[i].insert(reg.vreg());
                    classes[reg.vreg()] = reg.class();
                });
                reads(inst, |reg| {
                    ins[i].insert(reg.vreg());
                });
            }
            for reg in &data.params {
                ins[i].remove(reg.vreg());
                written[i].insert(reg.vreg());
                classes[reg.vreg()] = reg.class();
            }
        }
        let mut outs = vec![empty.clone(); count];
        let mut changed = true;
        while changed {
            changed = false;
            for block in mach.order.iter().rev() {
                for to in successors(&mach.blocks[block.0].insts) {
                    if outs[block.0].add(&ins[to.0], &empty) {
                        changed = true;
                        ins[block.0].add(&outs[block.0], &written[block.0]);
                    }
                }
            }
        }
        Live { outs, classes }
    }

    /// What is live at the end of a block.
    pub(super) fn out(&self, block: Block) -> &RegSet {
        &self.outs[block.0]
    }

    /// The class of the register with this number.
    pub(super) fn class(&self, reg: usize) -> RegClass {
        self.classes[reg]
    }

    /// How many registers of a set there are of each class.
    pub(super) fn count(&self, set: &RegSet) -> Count {
        let mut count = Count::default();
        set.iter().for_each(|reg| count.add(self.class(reg)));
        count
    }

    /// The most registers that are live at once in a block.
    pub(super) fn pressure(&self, mach: &Mach, block: Block) -> Count {
        let mut live = self.out(block).clone();
        let mut count = self.count(&live);
        let mut most = count;
        for inst in mach.blocks[block.0].insts.iter().rev() {
            writes(inst, |reg| {
                if live.remove(reg.vreg()) {
                    count.sub(reg.class());
                }
            });
            reads(inst, |reg| {
                if live.insert(reg.vreg()) {
                    count.add(reg.class());
                }
            });
            most = most.max(count);
        }
        most
    }
}

/// Where a block may go on.
fn successors(insts: &[MachInst]) -> Vec<Block> {
    match insts.last() {
        Some(MachInst::Jump(to, _)) => vec![*to],
        Some(MachInst::Branch(_, yes, no)) => vec![*yes, *no],
        _ => Vec::new(),
    }
}

/// Calls `f` with every register that an instruction reads.
pub(super) fn reads(inst: &MachInst, mut f: impl FnMut(Reg)) {
    match inst {
        MachInst::Op { args, mask, .. } => {
            for arg in args {
                match arg {
                    Arg::Use(reg) | Arg::Tied(reg, _) => f(*reg),
                    Arg::Mem(mem) => {
                        if let Base::Reg(reg) = mem.base {
                            f(reg);
                        }
                    }
                    Arg::Def(_) | Arg::Any(_) | Arg::Imm(_) => {}
                }
            }
            mask.iter().for_each(|reg| f(*reg));
        }
        MachInst::Call(_, args) | MachInst::Jump(_, args) => args.iter().for_each(|reg| f(*reg)),
        MachInst::Start(_) | MachInst::Column(_) | MachInst::Branch(..) | MachInst::Return => {}
    }
}

/// Calls `f` with every register that an instruction writes.
pub(super) fn writes(inst: &MachInst, mut f: impl FnMut(Reg)) {
    match inst {
        MachInst::Op { args, .. } => {
            for arg in args {
                match arg {
                    Arg::Def(reg) | Arg::Tied(_, reg) => f(*reg),
                    Arg::Use(_) | Arg::Any(_) | Arg::Mem(_) | Arg::Imm(_) => {}
                }
            }
        }
        MachInst::Start(regs) => regs.iter().for_each(|reg| f(*reg)),
        MachInst::Call(..)
        | MachInst::Column(_)
        | MachInst::Jump(..)
        | MachInst::Branch(..)
        | MachInst::Return => {}
    }
}
