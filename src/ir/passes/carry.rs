//! Predictive commoning: what a loop's turn computes anyway for the next turn is carried over instead of computed again.
//!
//! If the body computes `f(a, b)` from carried values and also `f(a', b')` from their next values, the latter is the
//! former of the next turn. Safe for every dtype: the same operation is applied to the same values, once less.
//!
//! A carried value takes a register for the whole loop, so this is for targets with many: with the 16 vector registers
//! of AVX, several vectors in flight, `mandelbrot` became slower by a quarter.

use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::passes::uniform::defined_in;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let mut loops = Vec::new();
    func.for_each_inst(|region, inst| {
        if let InstKind::Loop { body } = func.insts[inst].kind {
            loops.push((region, inst, body));
        }
    });
    let mut changed = false;
    for (outer, inst, body) in loops {
        while carry_one(func, outer, inst, body) {
            changed = true;
        }
    }
    changed
}

/// Carries the first value of the body for which that can be done.
fn carry_one(func: &mut Func, outer: Region, inst: Inst, body: Region) -> bool {
    let Terminator::ContinueIf { next, .. } = &func.regions[body].end else {
        return false;
    };
    let params = &func.regions[body].params;
    let mut next_of = SecondaryMap::new(None);
    for (param, next) in params.iter().zip(next) {
        next_of.set(*param, Some(*next));
    }
    let mut local = SecondaryMap::new(false);
    for value in defined_in(func, body) {
        local.set(value, true);
    }
    let found = func.regions[body].insts.iter().find_map(|candidate| {
        let twin = next_turn_twin(func, body, *candidate, &next_of, &local)?;
        Some((*candidate, twin))
    });
    match found {
        Some((candidate, twin)) => {
            replace_by_carried(func, outer, inst, body, candidate, twin);
            true
        }
        None => false,
    }
}

/// The instruction of the body that computes what the candidate computes in the next turn.
fn next_turn_twin(
    func: &Func,
    body: Region,
    candidate: Inst,
    next_of: &SecondaryMap<Value, Option<Value>>,
    local: &SecondaryMap<Value, bool>,
) -> Option<Inst> {
    let data = &func.insts[candidate];
    let InstKind::Op(op) = data.kind else {
        return None;
    };
    let mut moves = false;
    let mut wanted = Vec::with_capacity(data.args.len());
    for arg in &data.args {
        match next_of[*arg] {
            Some(next) => {
                moves |= next != *arg;
                wanted.push(next);
            }
            None if !local[*arg] => wanted.push(*arg),
            None => return None,
        }
    }
    let dtype = func.dtype(data.results[0]);
    let matches = |twin: &Inst| {
        let other = &func.insts[*twin];
        let swapped = op.info().commutative && other.args.iter().rev().eq(wanted.iter());
        other.kind == data.kind
            && *twin != candidate
            && (other.args == wanted || swapped)
            && func.dtype(other.results[0]) == dtype
    };
    let twin = func.regions[body].insts.iter().copied().find(matches);
    twin.filter(|_| moves)
}

/// Makes the candidate's result a carried value: computed before the first turn, then the twin's of the turn before.
fn replace_by_carried(
    func: &mut Func,
    outer: Region,
    inst: Inst,
    body: Region,
    candidate: Inst,
    twin: Inst,
) {
    let data = func.insts[candidate].clone();
    let (old, dtype) = (data.results[0], func.dtype(data.results[0]));
    let start_args = data
        .args
        .iter()
        .map(|arg| {
            let params = &func.regions[body].params;
            let carried = params.iter().position(|param| param == arg);
            carried.map_or(*arg, |i| func.insts[inst].args[i])
        })
        .collect();
    let start = func.make_inst(data.kind, start_args, &[dtype]);
    let at = func.regions[outer].insts.iter().position(|i| *i == inst);
    let at = at.expect("the loop stands in its region");
    func.regions[outer].insts.insert(at, start);
    let start = func.insts[start].results[0];
    func.insts[inst].args.push(start);
    let param = func.add_param(body, dtype);
    let next_value = func.insts[twin].results[0];
    func.regions[body].insts.retain(|i| *i != candidate);
    replace_uses(func, body, old, param);
    if let Terminator::ContinueIf { next, .. } = &mut func.regions[body].end {
        next.push(if next_value == old { param } else { next_value });
    }
}

/// Replaces every use of a value in a region, nested regions included.
fn replace_uses(func: &mut Func, region: Region, old: Value, new: Value) {
    let swap = |v: Value| if v == old { new } else { v };
    let mut open = vec![region];
    while let Some(region) = open.pop() {
        func.regions[region].end.map_uses(swap);
        for i in 0..func.regions[region].insts.len() {
            let inst = func.regions[region].insts[i];
            let data = &mut func.insts[inst];
            data.args.iter_mut().for_each(|v| *v = swap(*v));
            open.extend(data.kind.regions());
        }
    }
}
