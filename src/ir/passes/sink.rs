//! Moves what a loop computes only for its results to after the loop.
//!
//! A result that is computed from a single value of the last turn (and from values that do not change in the loop) is
//! replaced by that value, and computed once, after the loop. That saves the work in every turn but the last, and over
//! lanes the keeping of a computed value becomes the keeping of the value it comes from, often a uniform counter.
//! Safe for every dtype: the same operations are applied to the same values.

use crate::builder::Builder;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value, ValueDef};
use crate::passes::uniform::defined_within;

/// More instructions than this are not moved for one result.
const MOST: usize = 16;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let mut loops = Vec::new();
    func.for_each_inst(|region, inst| {
        if let InstKind::Loop { body } = func.insts[inst].kind {
            loops.push((region, inst, body));
        }
    });
    let mut changed = false;
    // Inner loops last: what sinks out of an outer one does not touch them.
    for (outer, inst, body) in loops {
        for index in 0..func.insts[inst].results.len() {
            changed |= sink_result(func, outer, inst, body, index);
        }
    }
    changed
}

fn sink_result(func: &mut Func, outer: Region, inst: Inst, body: Region, index: usize) -> bool {
    let Terminator::ContinueIf { results, .. } = &func.regions[body].end else {
        return false;
    };
    let value = results[index];
    let inside = defined_within(func, body);
    let Some((leaf, cone)) = single_leaf(func, body, value, &inside) else {
        return false;
    };
    let output = func.insts[inst].results[index];
    let leaf_dtype = func.dtype(leaf);
    let kept = func.values.push(crate::func::ValueData {
        dtype: leaf_dtype,
        def: ValueDef::Result(inst, index),
    });
    func.insts[inst].results[index] = kept;
    if let Terminator::ContinueIf { results, .. } = &mut func.regions[body].end {
        results[index] = leaf;
    }
    rebuild_after(func, outer, inst, &cone, leaf, kept, value, output);
    true
}

/// The one value of the body from which a result is computed by operations of the body alone, and those operations in
/// order; none if there are several such values, or nothing to move.
fn single_leaf(
    func: &Func,
    body: Region,
    value: Value,
    inside: &SecondaryMap<Value, bool>,
) -> Option<(Value, Vec<Inst>)> {
    let mut needed = SecondaryMap::new(false);
    needed.set(value, true);
    let mut leaf = None;
    let mut cone = Vec::new();
    for &inst in func.regions[body].insts.iter().rev() {
        let data = &func.insts[inst];
        if !data.results.iter().any(|v| needed[*v]) {
            continue;
        }
        match data.kind {
            InstKind::Op(_) | InstKind::Const(_) if cone.len() < MOST => {
                data.args.iter().for_each(|v| needed.set(*v, true));
                cone.push(inst);
            }
            _ => {
                for result in data.results.iter().filter(|v| needed[**v]) {
                    if leaf.replace(*result).is_some() {
                        return None;
                    }
                }
            }
        }
    }
    for param in func.regions[body].params.iter().filter(|v| needed[**v]) {
        if leaf.replace(*param).is_some() {
            return None;
        }
    }
    cone.reverse();
    let leaf = leaf?;
    (inside[value] && !cone.is_empty()).then_some((leaf, cone))
}

/// Computes the operations again after the loop, from the kept value, and gives the last one the name of the old result.
#[expect(
    clippy::too_many_arguments,
    reason = "the pieces of one rewrite, used once"
)]
fn rebuild_after(
    func: &mut Func,
    outer: Region,
    inst: Inst,
    cone: &[Inst],
    leaf: Value,
    kept: Value,
    value: Value,
    output: Value,
) {
    let at = func.regions[outer].insts.iter().position(|i| *i == inst);
    let rest = func.regions[outer]
        .insts
        .split_off(at.expect("the loop stands in its region") + 1);
    let mut copy_of = SecondaryMap::new(None);
    copy_of.set(leaf, Some(kept));
    for original in cone {
        let data = func.insts[*original].clone();
        let args = data
            .args
            .iter()
            .map(|v| copy_of[*v].unwrap_or(*v))
            .collect();
        let dtypes: Vec<_> = data.results.iter().map(|v| func.dtype(*v)).collect();
        let copy = Builder::at(func, outer).inst(data.kind, args, &dtypes);
        for (i, result) in data.results.iter().enumerate() {
            let copied = func.insts[copy].results[i];
            copy_of.set(*result, Some(copied));
            if *result == value {
                // Later uses name the old result, so the copy defines it.
                func.insts[copy].results[i] = output;
                func.values[output].def = ValueDef::Result(copy, i);
                copy_of.set(*result, Some(output));
            }
        }
    }
    func.regions[outer].insts.extend(rest);
}
