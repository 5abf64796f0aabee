//! Moves what does not change in a loop to before it, and constants to the start of the kernel.
//!
//! Safe for every dtype: operations are pure and never trap, so one that would not have been reached does no harm.

use crate::func::{Func, Inst, InstKind, Region};
use crate::passes::uniform::defined_within;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let mut changed = hoist_constants(func);
    let mut loops = Vec::new();
    func.for_each_inst(|region, inst| {
        if let InstKind::Loop { body } = func.insts[inst].kind {
            loops.push((region, inst, body));
        }
    });
    // Inner loops first, so that what leaves an inner loop can leave the outer one too.
    for (outer, inst, body) in loops.into_iter().rev() {
        changed |= hoist_from(func, outer, inst, body);
    }
    changed
}

/// Moves the constants of all regions to the start of the body, in the order in which they stand.
fn hoist_constants(func: &mut Func) -> bool {
    let before = func.regions[func.body].insts.clone();
    let mut constants: Vec<Vec<Inst>> = Vec::new();
    let mut nested = Vec::new();
    func.for_each_region(|region| nested.push(region));
    for &region in &nested {
        let insts = std::mem::take(&mut func.regions[region].insts);
        let is_constant = |inst: &Inst| matches!(func.insts[*inst].kind, InstKind::Const(_));
        let (moved, kept): (Vec<_>, Vec<_>) = insts.into_iter().partition(is_constant);
        func.regions[region].insts = kept;
        constants.push(moved);
    }
    let mut insts: Vec<Inst> = constants.into_iter().flatten().collect();
    insts.append(&mut func.regions[func.body].insts);
    let changed = insts != before;
    func.regions[func.body].insts = insts;
    changed
}

fn hoist_from(func: &mut Func, outer: Region, inst: Inst, body: Region) -> bool {
    let mut inside = defined_within(func, body);
    let mut moved = Vec::new();
    let mut kept = Vec::new();
    for candidate in std::mem::take(&mut func.regions[body].insts) {
        let data = &func.insts[candidate];
        let is_simple = data.kind.regions().next().is_none();
        if is_simple && !data.args.iter().any(|v| inside[*v]) {
            data.results.iter().for_each(|v| inside.set(*v, false));
            moved.push(candidate);
        } else {
            kept.push(candidate);
        }
    }
    func.regions[body].insts = kept;
    let insts = &mut func.regions[outer].insts;
    let at = insts.iter().position(|i| *i == inst);
    let at = at.expect("the loop stands in its region");
    let changed = !moved.is_empty();
    insts.splice(at..at, moved);
    changed
}
