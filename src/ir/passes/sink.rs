//! Moves what a loop computes only for its results to after the loop.
//!
//! What neither the condition nor the next turn needs is computed once, from values that the loop gives instead. That
//! saves the work in every turn but the last, and over lanes the keeping of a computed value becomes the keeping of the
//! value it comes from, often a uniform counter. Safe for every dtype: the same operations are applied to the same
//! values, those of the last turn.

use crate::cost;
use crate::func::{
    Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value, ValueData, ValueDef,
};
use crate::passes::copy::copy_inst;
use crate::passes::uniform::{defined_in, defined_within};

/// What it costs a turn, in operations, to keep another value for the lanes that leave.
const KEEPING: f64 = 2.0;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let mut loops = Vec::new();
    func.for_each_inst(|region, inst| {
        if let InstKind::Loop { body } = func.insts[inst].kind {
            loops.push((region, inst, body));
        }
    });
    let mut replaced = SecondaryMap::new(None);
    let mut changed = false;
    // Inner loops first: what sinks out of one can sink out of the one around it.
    for (outer, inst, body) in loops.into_iter().rev() {
        let mut sinking = Sinking::new(func, inst, body);
        for index in 0..sinking.func.insts[inst].results.len() {
            changed |= sinking.sink(index, &mut replaced);
        }
        for index in 0..sinking.gone.len() {
            changed |= sinking.recompute(index, &mut replaced);
        }
        sinking.finish(outer);
        if changed {
            replace_uses(func, &replaced);
        }
    }
    changed
}

/// Moving the results of one loop.
struct Sinking<'f> {
    func: &'f mut Func,
    inst: Inst,
    body: Region,
    /// Values defined in the body, nested regions included.
    inside: SecondaryMap<Value, bool>,
    /// Values that the condition or the next turn needs.
    live: SecondaryMap<Value, bool>,
    /// After the loop, what stands for a value of the body: a result of the loop, or computed again.
    after: SecondaryMap<Value, Option<Value>>,
    /// What is computed after the loop, in order.
    moved: Vec<Inst>,
    /// Results that are computed after the loop now.
    gone: Vec<bool>,
}

impl<'f> Sinking<'f> {
    fn new(func: &'f mut Func, inst: Inst, body: Region) -> Sinking<'f> {
        let inside = defined_within(func, body);
        let live = needed_by_turns(func, body);
        let mut after = SecondaryMap::new(None);
        let results = results_of(func, body);
        for (value, output) in results.iter().zip(&func.insts[inst].results) {
            // What stays in the loop anyway is at hand after it.
            if live[*value] || is_param(func, body, *value) {
                after.set(*value, Some(*output));
            }
        }
        let gone = vec![false; results.len()];
        Sinking {
            func,
            inst,
            body,
            inside,
            live,
            after,
            moved: Vec::new(),
            gone,
        }
    }

    /// Moves what only one result needs, if that pays.
    fn sink(&mut self, index: usize, replaced: &mut SecondaryMap<Value, Option<Value>>) -> bool {
        let value = results_of(self.func, self.body)[index];
        if !self.inside[value] || self.live[value] || is_param(self.func, self.body, value) {
            return false;
        }
        let (cone, leaves) = self.cone(value);
        let saved: f64 = cone
            .iter()
            .map(|inst| cost::of_inst(self.func, *inst))
            .sum();
        if leaves.len() > 1 && saved < KEEPING * leaves.len() as f64 {
            return false;
        }
        for leaf in leaves {
            self.keep(leaf);
        }
        for inst in cone {
            let copy = copy_inst(self.func, inst, &mut self.after);
            self.moved.push(copy);
        }
        let output = self.func.insts[self.inst].results[index];
        replaced.set(output, self.after[value]);
        self.gone[index] = true;
        true
    }

    /// Computes a result again after the loop, if that is cheap and the loop gives its arguments anyway.
    fn recompute(
        &mut self,
        index: usize,
        replaced: &mut SecondaryMap<Value, Option<Value>>,
    ) -> bool {
        let value = results_of(self.func, self.body)[index];
        let ValueDef::Result(inst, _) = self.func.values[value].def else {
            return false;
        };
        let data = &self.func.insts[inst];
        let outputs = &self.func.insts[self.inst].results;
        let given = |v: &Value| {
            let mut given = outputs.iter().zip(&self.gone);
            given.any(|(output, gone)| self.after[*v] == Some(*output) && !gone)
        };
        let at_hand = |v: &Value| !self.inside[*v] || given(v);
        let cheap = matches!(data.kind, InstKind::Op(_)) && cost::of_inst(self.func, inst) <= 1.0;
        let pays = cheap && self.inside[value] && data.args.iter().all(at_hand);
        if !pays || self.gone[index] {
            return false;
        }
        let output = outputs[index];
        let copy = copy_inst(self.func, inst, &mut self.after);
        // Before what has been moved, which may use it.
        self.moved.insert(0, copy);
        replaced.set(output, self.after[value]);
        self.gone[index] = true;
        true
    }

    /// What is to be computed after the loop for a value, in order, and the values that the loop must give for that.
    fn cone(&self, value: Value) -> (Vec<Inst>, Vec<Value>) {
        let func = &*self.func;
        let mut needed = SecondaryMap::new(false);
        needed.set(value, true);
        let mut cone = Vec::new();
        for &inst in func.regions[self.body].insts.iter().rev() {
            let results = &func.insts[inst].results;
            let wanted = results
                .iter()
                .any(|v| needed[*v] && self.after[*v].is_none());
            if wanted && self.moves(inst, &needed) {
                for used in uses(func, inst) {
                    needed.set(used, true);
                }
                cone.push(inst);
            }
        }
        cone.reverse();
        let mut computed = SecondaryMap::new(false);
        for inst in &cone {
            for result in &func.insts[*inst].results {
                computed.set(*result, true);
            }
        }
        let leaf = |v: &Value| needed[*v] && !computed[*v] && self.after[*v].is_none();
        let mut leaves = defined_in(func, self.body);
        leaves.retain(leaf);
        (cone, leaves)
    }

    /// Whether an instruction is to be computed after the loop: no turn needs it, or it costs next to nothing there
    /// because its arguments are needed too.
    fn moves(&self, inst: Inst, needed: &SecondaryMap<Value, bool>) -> bool {
        let data = &self.func.insts[inst];
        if !data.results.iter().any(|v| self.live[*v]) {
            return true;
        }
        let at_hand = |v: &Value| !self.inside[*v] || needed[*v] || self.after[*v].is_some();
        matches!(data.kind, InstKind::Op(_) | InstKind::Const(_))
            && cost::of_inst(self.func, inst) <= 1.0
            && data.args.iter().all(at_hand)
    }

    /// Makes the loop give a value of its last turn.
    fn keep(&mut self, leaf: Value) {
        let output = self.func.values.push(ValueData {
            dtype: self.func.dtype(leaf),
            def: ValueDef::Result(self.inst, 0),
        });
        self.func.insts[self.inst].results.push(output);
        if let Terminator::ContinueIf { results, .. } = &mut self.func.regions[self.body].end {
            results.push(leaf);
        }
        self.gone.push(false);
        self.after.set(leaf, Some(output));
    }

    /// Drops the results that are computed after the loop, and puts there what computes them.
    fn finish(self, outer: Region) {
        let kept = |values: &mut Vec<Value>| {
            let mut gone = self.gone.iter();
            values.retain(|_| gone.next() == Some(&false));
        };
        kept(&mut self.func.insts[self.inst].results);
        if let Terminator::ContinueIf { results, .. } = &mut self.func.regions[self.body].end {
            kept(results);
        }
        let results = self.func.insts[self.inst].results.clone();
        for (index, value) in results.into_iter().enumerate() {
            self.func.values[value].def = ValueDef::Result(self.inst, index);
        }
        let insts = &mut self.func.regions[outer].insts;
        let at = insts.iter().position(|i| *i == self.inst);
        let at = at.expect("the loop stands in its region") + 1;
        insts.splice(at..at, self.moved);
    }
}

fn is_param(func: &Func, body: Region, value: Value) -> bool {
    matches!(func.values[value].def, ValueDef::Param(region, _) if region == body)
}

fn results_of(func: &Func, body: Region) -> Vec<Value> {
    match &func.regions[body].end {
        Terminator::ContinueIf { results, .. } => results.clone(),
        Terminator::Yield(_) => Vec::new(),
    }
}

/// Marks the values of a loop's body that its condition or its next values depend on.
fn needed_by_turns(func: &Func, body: Region) -> SecondaryMap<Value, bool> {
    let mut live = SecondaryMap::new(false);
    if let Terminator::ContinueIf { cond, next, .. } = &func.regions[body].end {
        live.set(*cond, true);
        next.iter().for_each(|v| live.set(*v, true));
    }
    for &inst in func.regions[body].insts.iter().rev() {
        if func.insts[inst].results.iter().any(|v| live[*v]) {
            uses(func, inst).iter().for_each(|v| live.set(*v, true));
        }
    }
    live
}

/// Every value that an instruction uses, those of its regions included.
fn uses(func: &Func, inst: Inst) -> Vec<Value> {
    let data = &func.insts[inst];
    let mut used = data.args.clone();
    for region in data.kind.regions() {
        for inner in &func.regions[region].insts {
            used.extend(uses(func, *inner));
        }
        used.extend(func.regions[region].end.uses());
    }
    used
}

/// Puts other values in the place of those that have been replaced, everywhere.
fn replace_uses(func: &mut Func, replaced: &SecondaryMap<Value, Option<Value>>) {
    let mut regions = Vec::new();
    func.for_each_region(|region| regions.push(region));
    for region in regions {
        func.regions[region]
            .end
            .map_uses(|v| replaced[v].unwrap_or(v));
        for i in 0..func.regions[region].insts.len() {
            let inst = func.regions[region].insts[i];
            for arg in &mut func.insts[inst].args {
                *arg = replaced[*arg].unwrap_or(*arg);
            }
        }
    }
}
