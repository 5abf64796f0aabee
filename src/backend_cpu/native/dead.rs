//! Drops machine instructions whose results nothing uses, as selection leaves some behind.

use super::live::{reads, writes};
use super::mach::{Mach, MachInst};

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
    if !matches!(inst, MachInst::Op { .. }) {
        return false;
    }
    let (mut results, mut is_used) = (0, false);
    writes(inst, |reg| {
        results += 1;
        is_used |= uses[reg.vreg()] > 0;
    });
    results > 0 && !is_used
}
