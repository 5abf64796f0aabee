//! Removes what no result of the kernel needs: instructions, values carried by loops, results of `if` and `loop`.
//!
//! Safe because everything is pure; a loop of which nothing is needed goes too, whether or not it would have ended.

use crate::func::{
    Entity, Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value, ValueDef,
};

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let live = live_values(func);
    let mut changed = false;
    let mut regions = Vec::new();
    func.for_each_region(|region| regions.push(region));
    for region in regions {
        changed |= sweep(func, region, &live);
    }
    changed
}

/// Marks every value that the kernel's results depend on.
fn live_values(func: &Func) -> SecondaryMap<Value, bool> {
    let mut loop_of = SecondaryMap::<Region, Option<Inst>>::new(None);
    func.for_each_inst(|_, inst| {
        if let InstKind::Loop { body } = func.insts[inst].kind {
            loop_of.set(body, Some(inst));
        }
    });
    let mut live = SecondaryMap::new(false);
    let mut open: Vec<Value> = func.regions[func.body].end.uses().collect();
    while let Some(value) = open.pop() {
        if live[value] {
            continue;
        }
        live.set(value, true);
        match func.values[value].def {
            ValueDef::Result(inst, index) => needs_of_result(func, inst, index, &mut open),
            ValueDef::Param(region, index) => {
                if let Some(inst) = loop_of[region] {
                    open.push(func.insts[inst].args[index]);
                    if let Terminator::ContinueIf { next, .. } = &func.regions[region].end {
                        open.push(next[index]);
                    }
                }
            }
        }
    }
    live
}

/// What one result of an instruction needs.
fn needs_of_result(func: &Func, inst: Inst, index: usize, open: &mut Vec<Value>) {
    let data = &func.insts[inst];
    match data.kind {
        InstKind::If { .. } => open.push(data.args[0]),
        InstKind::Loop { .. } => {}
        InstKind::Const(_) | InstKind::Index(_) | InstKind::Op(_) | InstKind::Math(_) => {
            open.extend(&data.args);
        }
    }
    for region in data.kind.regions() {
        match &func.regions[region].end {
            Terminator::Yield(values) => open.push(values[index]),
            Terminator::ContinueIf { cond, results, .. } => open.extend([*cond, results[index]]),
        }
    }
}

fn sweep(func: &mut Func, region: Region, live: &SecondaryMap<Value, bool>) -> bool {
    let insts = std::mem::take(&mut func.regions[region].insts);
    let before = insts.len();
    let (kept, dropped): (Vec<Inst>, Vec<Inst>) = insts
        .into_iter()
        .partition(|inst| func.insts[*inst].results.iter().any(|v| live[*v]));
    drop(dropped);
    let mut changed = kept.len() != before;
    for &inst in &kept {
        changed |= trim(func, inst, live);
    }
    func.regions[region].insts = kept;
    changed
}

/// Drops the results and carried values of an `if` or `loop` that nothing needs.
fn trim(func: &mut Func, inst: Inst, live: &SecondaryMap<Value, bool>) -> bool {
    let kind = func.insts[inst].kind.clone();
    if kind.regions().next().is_none() {
        return false;
    }
    let keep: Vec<bool> = func.insts[inst].results.iter().map(|v| live[*v]).collect();
    retain(&mut func.insts[inst].results, &keep);
    for (index, value) in func.insts[inst].results.clone().into_iter().enumerate() {
        func.values[value].def = ValueDef::Result(inst, index);
    }
    let mut changed = keep.contains(&false);
    for region in kind.regions() {
        match &mut func.regions[region].end {
            Terminator::Yield(values) => retain(values, &keep),
            Terminator::ContinueIf { results, .. } => retain(results, &keep),
        }
        changed |= trim_carried(func, inst, region, live);
    }
    changed
}

fn trim_carried(
    func: &mut Func,
    inst: Inst,
    region: Region,
    live: &SecondaryMap<Value, bool>,
) -> bool {
    let params = &func.regions[region].params;
    let keep: Vec<bool> = params.iter().map(|v| live[*v]).collect();
    let Terminator::ContinueIf { next, .. } = &mut func.regions[region].end else {
        return false;
    };
    retain(next, &keep);
    retain(&mut func.insts[inst].args, &keep);
    retain(&mut func.regions[region].params, &keep);
    for (index, value) in func.regions[region].params.clone().into_iter().enumerate() {
        func.values[value].def = ValueDef::Param(region, index);
    }
    keep.contains(&false)
}

fn retain<T: Entity>(items: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    items.retain(|_| *keep.next().unwrap_or(&true));
}
