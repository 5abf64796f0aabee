//! Common subexpressions: an operation done before on the same values, where it is in scope, is not done again.
//!
//! Safe for every dtype: operations are pure, and an outer or earlier definition dominates.

use std::collections::HashMap;

use crate::dtype::DType;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Value};
use crate::ops::AnyOp;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    let body = func.body;
    let mut cx = Cx {
        func,
        seen: HashMap::new(),
        replaced: SecondaryMap::new(None),
        changed: false,
    };
    cx.region(body);
    cx.changed
}

/// What makes two instructions the same.
type Key = (InstKind, Vec<Value>, DType);

struct Cx<'f> {
    func: &'f mut Func,
    seen: HashMap<Key, Vec<Value>>,
    replaced: SecondaryMap<Value, Option<Value>>,
    changed: bool,
}

impl Cx<'_> {
    fn region(&mut self, region: Region) {
        let mut added = Vec::new();
        let insts = std::mem::take(&mut self.func.regions[region].insts);
        let mut kept = Vec::with_capacity(insts.len());
        for inst in insts {
            if self.is_new(inst, &mut added) {
                kept.push(inst);
            }
        }
        self.func.regions[region].insts = kept;
        let mut end = std::mem::take(&mut self.func.regions[region].end);
        end.map_uses(|v| self.replaced[v].unwrap_or(v));
        self.func.regions[region].end = end;
        // What the region defined is out of scope from here on.
        for key in added {
            self.seen.remove(&key);
        }
    }

    fn is_new(&mut self, inst: Inst, added: &mut Vec<Key>) -> bool {
        let replaced = &self.replaced;
        let data = &mut self.func.insts[inst];
        data.args
            .iter_mut()
            .for_each(|v| *v = replaced[*v].unwrap_or(*v));
        let (kind, results) = (data.kind.clone(), data.results.clone());
        if kind.regions().next().is_some() {
            kind.regions().for_each(|inner| self.region(inner));
            return true;
        }
        let key = self.key(inst);
        match self.seen.get(&key) {
            Some(known) => {
                for (result, known) in results.iter().zip(known) {
                    self.replaced.set(*result, Some(*known));
                }
                self.changed = true;
                false
            }
            None => {
                self.seen.insert(key.clone(), results);
                added.push(key);
                true
            }
        }
    }

    fn key(&self, inst: Inst) -> Key {
        let data = &self.func.insts[inst];
        let mut args = data.args.clone();
        if let Some(AnyOp::Core(op)) = data.kind.op()
            && op.info().commutative
        {
            args.sort_unstable();
        }
        (data.kind.clone(), args, self.func.dtype(data.results[0]))
    }
}
