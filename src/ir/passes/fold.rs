//! Computes operations on constants, `if`s and loops on constant conditions.
//!
//! Safe because the interpreter's own evaluation is used: the bits are those that any target would give.

use crate::constant::Const;
use crate::eval::eval;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::ops::Op;

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
    fn region(&mut self, region: Region) {
        for inst in std::mem::take(&mut self.func.regions[region].insts) {
            self.inst(region, inst);
        }
        let mut end = std::mem::take(&mut self.func.regions[region].end);
        end.map_uses(|v| self.replaced[v].unwrap_or(v));
        self.func.regions[region].end = end;
    }

    fn inst(&mut self, region: Region, inst: Inst) {
        let replaced = &self.replaced;
        let data = &mut self.func.insts[inst];
        data.args
            .iter_mut()
            .for_each(|v| *v = replaced[*v].unwrap_or(*v));
        match data.kind.clone() {
            InstKind::Op(op) => {
                if let Some(value) = self.constant_result(inst, op) {
                    self.func.insts[inst].kind = InstKind::Const(value);
                    self.func.insts[inst].args.clear();
                    self.changed = true;
                }
                self.func.regions[region].insts.push(inst);
            }
            InstKind::If {
                then_region,
                else_region,
            } => match self.func.constant(self.func.insts[inst].args[0]) {
                Some(cond) if cond.as_bool() => self.only(region, inst, then_region),
                Some(_) => self.only(region, inst, else_region),
                None => {
                    self.region(then_region);
                    self.region(else_region);
                    self.func.regions[region].insts.push(inst);
                }
            },
            InstKind::Loop { body } => self.loop_(region, inst, body),
            InstKind::Const(_) | InstKind::Index(_) | InstKind::Math(_) => {
                self.func.regions[region].insts.push(inst);
            }
        }
    }

    fn constant_result(&self, inst: Inst, op: Op) -> Option<Const> {
        let data = &self.func.insts[inst];
        let args: Option<Vec<Const>> = data.args.iter().map(|v| self.func.constant(*v)).collect();
        Some(eval(op, &args?, self.func.dtype(data.results[0])))
    }

    /// Puts a region that is run exactly once in the place of its `if` or loop.
    fn only(&mut self, region: Region, inst: Inst, inner: Region) {
        self.changed = true;
        for inst in std::mem::take(&mut self.func.regions[inner].insts) {
            self.inst(region, inst);
        }
        let values = match std::mem::take(&mut self.func.regions[inner].end) {
            Terminator::Yield(values)
            | Terminator::ContinueIf {
                results: values, ..
            } => values,
        };
        for (i, value) in values.into_iter().enumerate() {
            let output = self.func.insts[inst].results[i];
            let value = self.replaced[value].unwrap_or(value);
            self.replaced.set(output, Some(value));
        }
    }

    /// A loop that never turns again is its body.
    fn loop_(&mut self, region: Region, inst: Inst, body: Region) {
        let turns_once = match &self.func.regions[body].end {
            Terminator::ContinueIf { cond, .. } => {
                self.func.constant(*cond).is_some_and(|c| !c.as_bool())
            }
            Terminator::Yield(_) => false,
        };
        if turns_once {
            let params = self.func.regions[body].params.clone();
            for (i, param) in params.into_iter().enumerate() {
                let start = self.func.insts[inst].args[i];
                self.replaced.set(param, Some(start));
            }
            self.only(region, inst, body);
        } else {
            self.region(body);
            self.func.regions[region].insts.push(inst);
        }
    }
}
