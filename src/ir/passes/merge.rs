//! Merges results and carried values that are always equal, and drops those that never change.
//!
//! Safe for every dtype: a value is replaced only by one that is the same in every turn and on every way.

use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::passes::uniform::defined_within;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let body = func.body;
    let mut cx = Cx {
        func,
        replaced: SecondaryMap::new(None),
        changed: false,
    };
    cx.region(body);
    cx.changed
}

struct Cx<'f> {
    func: &'f mut Func,
    replaced: SecondaryMap<Value, Option<Value>>,
    changed: bool,
}

impl Cx<'_> {
    /// What stands for a value now.
    fn now(&self, mut value: Value) -> Value {
        while let Some(other) = self.replaced[value] {
            value = other;
        }
        value
    }

    fn replace(&mut self, value: Value, by: Value) {
        self.replaced.set(value, Some(by));
        self.changed = true;
    }

    fn region(&mut self, region: Region) {
        for i in 0..self.func.regions[region].insts.len() {
            let inst = self.func.regions[region].insts[i];
            for i in 0..self.func.insts[inst].args.len() {
                self.func.insts[inst].args[i] = self.now(self.func.insts[inst].args[i]);
            }
            match self.func.insts[inst].kind {
                InstKind::If {
                    then_region,
                    else_region,
                } => self.branch(inst, then_region, else_region),
                InstKind::Loop { body } => self.repeat(inst, body),
                InstKind::Const(_) | InstKind::Index(_) | InstKind::Op(_) | InstKind::Math(_) => {}
            }
        }
        let mut end = std::mem::take(&mut self.func.regions[region].end);
        end.map_uses(|v| self.now(v));
        self.func.regions[region].end = end;
    }

    /// A result that both arms take from the same place is that value; results of the same pair are one.
    fn branch(&mut self, inst: Inst, then_region: Region, else_region: Region) {
        self.region(then_region);
        self.region(else_region);
        let ends = [then_region, else_region].map(|arm| self.func.regions[arm].end.clone());
        let [Terminator::Yield(taken), Terminator::Yield(other)] = ends else {
            return;
        };
        let pairs: Vec<(Value, Value)> = taken.into_iter().zip(other).collect();
        let results = self.func.insts[inst].results.clone();
        for (i, &pair) in pairs.iter().enumerate() {
            let twin = pairs[..i].iter().position(|other| *other == pair);
            // No value is in the scope of both arms but those around them.
            if pair.0 == pair.1 {
                self.replace(results[i], pair.0);
            } else if let Some(twin) = twin {
                self.replace(results[i], results[twin]);
            }
        }
    }

    fn repeat(&mut self, inst: Inst, body: Region) {
        self.constant_params(inst, body);
        self.region(body);
        if self.equal_params(inst, body) {
            self.region(body);
        }
        let Terminator::ContinueIf { results, .. } = self.func.regions[body].end.clone() else {
            return;
        };
        let inside = defined_within(self.func, body);
        let outputs = self.func.insts[inst].results.clone();
        for (i, &value) in results.iter().enumerate() {
            if !inside[value] {
                self.replace(outputs[i], value);
            } else if let Some(twin) = results[..i].iter().position(|other| *other == value) {
                self.replace(outputs[i], outputs[twin]);
            }
        }
    }

    /// The next values of a loop's parameters, as they stand.
    fn next(&self, body: Region) -> Vec<Value> {
        match &self.func.regions[body].end {
            Terminator::ContinueIf { next, .. } => next.clone(),
            Terminator::Yield(_) => Vec::new(),
        }
    }

    /// A parameter whose next value is itself is what it starts with.
    fn constant_params(&mut self, inst: Inst, body: Region) {
        let params = self.func.regions[body].params.clone();
        for (i, next) in self.next(body).into_iter().enumerate() {
            let start = self.func.insts[inst].args[i];
            let unused = self.replaced[params[i]].is_some();
            if !unused && (next == params[i] || self.now(next) == start) {
                self.replace(params[i], start);
            }
        }
    }

    /// Of two parameters with the same start and the same next value one is enough; tells whether there are such.
    fn equal_params(&mut self, inst: Inst, body: Region) -> bool {
        let params = self.func.regions[body].params.clone();
        let starts = self.func.insts[inst].args.clone();
        let next = self.next(body);
        let mut found = false;
        for i in 0..params.len() {
            let same = |j: &usize| starts[*j] == starts[i] && next[*j] == next[i];
            let unused = self.replaced[params[i]].is_some();
            if let Some(twin) = (0..i).find(same).filter(|_| !unused) {
                let by = self.now(params[twin]);
                self.replace(params[i], by);
                found = true;
            }
        }
        found
    }
}
