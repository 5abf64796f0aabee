//! Drops machine instructions whose results nothing uses, as selection leaves some behind.

use super::mach::{Arg, Base, Mach, MachInst, Reg};

/// Removes instructions that write registers and no other place, where nothing reads those.
pub(super) fn run(mach: &mut Mach) {
    let mut uses = vec![0u32; mach.regs];
    for block in &mach.blocks {
        for inst in &block.insts {
            reads(inst, |reg| uses[reg.vreg()] += 1);
        }
    }
    // Backwards, so that what a dropped instruction alone has read is dropped as well. Blocks are laid out in an order
    // in which values are defined before they are used, but for the parameters of loops.
    for block in mach.order.iter().rev() {
        let insts = &mut mach.blocks[block.0].insts;
        let mut kept = Vec::with_capacity(insts.len());
        for inst in std::mem::take(insts).into_iter().rev() {
            if is_dead(&inst, &uses) {
                reads(&inst, |reg| uses[reg.vreg()] -= 1);
            } else {
                kept.push(inst);
            }
        }
        kept.reverse();
        *insts = kept;
    }
}

fn is_dead(inst: &MachInst, uses: &[u32]) -> bool {
    let MachInst::Op { args, .. } = inst else {
        return false;
    };
    let defined = |arg: &Arg| match arg {
        Arg::Def(reg) | Arg::Tied(_, reg) => Some(*reg),
        Arg::Use(_) | Arg::Any(_) | Arg::Mem(_) | Arg::Imm(_) => None,
    };
    let mut results = args.iter().filter_map(defined).peekable();
    results.peek().is_some() && results.all(|reg| uses[reg.vreg()] == 0)
}

/// Calls `f` with every register that an instruction reads.
fn reads(inst: &MachInst, mut f: impl FnMut(Reg)) {
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
        MachInst::Start(_) | MachInst::Branch(..) | MachInst::Return => {}
    }
}
