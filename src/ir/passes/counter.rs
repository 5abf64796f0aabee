//! Turns the comparison that ends a counting loop, `i < n`, into `i != n`, which vectors without unsigned comparisons
//! do in one instruction.
//!
//! Safe where `i` is unsigned, starts at 0, goes up by 1, and the loop ends as soon as the comparison is false: then `i`
//! is never above `n` when it is compared.

use crate::dtype::Kind;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value, ValueDef};
use crate::ops::Op;
use crate::passes::uniform::defined_within;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let mut found = Vec::new();
    func.for_each_inst(|_, inst| {
        if let InstKind::Loop { body } = func.insts[inst].kind {
            found.extend(end_tests(func, inst, body));
        }
    });
    for test in &found {
        func.insts[*test].kind = InstKind::Op(Op::Ne);
    }
    !found.is_empty()
}

/// The comparisons of a loop that may become inequalities.
fn end_tests(func: &Func, inst: Inst, body: Region) -> Vec<Inst> {
    let Terminator::ContinueIf { cond, next, .. } = &func.regions[body].end else {
        return Vec::new();
    };
    let inside = defined_within(func, body);
    let mut found = Vec::new();
    for value in conjuncts(func, *cond) {
        let ValueDef::Result(test, _) = func.values[value].def else {
            continue;
        };
        let Some((Op::Lt, [counter, bound])) = func.defining_op(value) else {
            continue;
        };
        let in_body = func.regions[body].insts.contains(&test);
        if in_body && !inside[*bound] && counts_up(func, inst, body, *counter, next) {
            found.push(test);
        }
    }
    found
}

/// The values that must all be true for this one to be.
fn conjuncts(func: &Func, cond: Value) -> Vec<Value> {
    let mut seen = SecondaryMap::new(false);
    let mut open = vec![cond];
    let mut found = Vec::new();
    while let Some(value) = open.pop() {
        if seen[value] {
            continue;
        }
        seen.set(value, true);
        match func.defining_op(value) {
            Some((Op::And, args)) => open.extend(args),
            _ => found.push(value),
        }
    }
    found
}

/// Whether a value is carried by the loop, unsigned, starts at 0 and goes up by 1.
fn counts_up(func: &Func, inst: Inst, body: Region, counter: Value, next: &[Value]) -> bool {
    let ValueDef::Param(region, index) = func.values[counter].def else {
        return false;
    };
    if region != body || func.dtype(counter).kind() != Kind::Unsigned {
        return false;
    }
    let start = func.constant(func.insts[inst].args[index]);
    let step = match func.defining_op(next[index]) {
        Some((Op::Add, [from, step])) if *from == counter => func.constant(*step),
        _ => None,
    };
    start.is_some_and(|c| c.bits() == 0) && step.is_some_and(|c| c.bits() == 1)
}
