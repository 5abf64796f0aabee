//! Turns a kernel for one element into one for many lanes, in which every branch condition is uniform.
//!
//! A varying `if` runs each arm that some lane takes, and blends: its results are selected by the condition. A varying
//! loop turns while any lane is active; a lane that has left keeps computing, which is harmless because everything is
//! pure, and the results it had on leaving are kept. Masks say which lanes are meant, so that an arm or a loop that no
//! meant lane needs is skipped. At the top level all lanes are meant and there is no mask.

use crate::builder::Builder;
use crate::constant::Const;
use crate::cost;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::ops::Op;
use crate::passes::uniform;

/// An arm that costs no more than this is run for all lanes without asking whether any takes it.
const CHEAP_ARM: f64 = 6.0;

/// Rewrites the function; returns whether anything changed.
pub fn run(func: &mut Func) -> bool {
    run_with(func, &[])
}

/// As [`run`], where the parameters of these numbers are the same in every lane.
pub fn run_with(func: &mut Func, broadcast: &[usize]) -> bool {
    let varying = uniform::analyze_with(func, broadcast);
    let body = func.body;
    let mut cx = Cx {
        func,
        varying,
        replaced: SecondaryMap::new(None),
        changed: false,
    };
    cx.region(body, None);
    cx.changed
}

struct Cx<'f> {
    func: &'f mut Func,
    /// By the analysis of the function as it was, and of the blends made since.
    varying: SecondaryMap<Value, bool>,
    replaced: SecondaryMap<Value, Option<Value>>,
    changed: bool,
}

impl Cx<'_> {
    fn now(&self, value: Value) -> Value {
        self.replaced[value].unwrap_or(value)
    }

    /// Rewrites a region in which the lanes of the mask are meant; all lanes if there is none.
    fn region(&mut self, region: Region, mask: Option<Value>) {
        let insts = std::mem::take(&mut self.func.regions[region].insts);
        for inst in insts {
            self.inst(region, inst, mask);
        }
        let mut end = std::mem::take(&mut self.func.regions[region].end);
        end.map_uses(|v| self.now(v));
        self.func.regions[region].end = end;
    }

    fn inst(&mut self, region: Region, inst: Inst, mask: Option<Value>) {
        for i in 0..self.func.insts[inst].args.len() {
            self.func.insts[inst].args[i] = self.now(self.func.insts[inst].args[i]);
        }
        let data = &self.func.insts[inst];
        match data.kind {
            InstKind::If {
                then_region,
                else_region,
            } if self.varying[data.args[0]] => {
                self.varying_if(region, inst, [then_region, else_region], mask);
            }
            InstKind::Loop { body } => {
                let is_varying = match &self.func.regions[body].end {
                    Terminator::ContinueIf { cond, .. } => self.varying[*cond],
                    Terminator::Yield(_) => false,
                };
                if is_varying {
                    self.varying_loop(region, inst, body, mask);
                } else {
                    self.region(body, mask);
                    self.func.regions[region].insts.push(inst);
                }
            }
            ref kind => {
                for inner in kind.regions() {
                    self.region(inner, mask);
                }
                self.func.regions[region].insts.push(inst);
            }
        }
    }

    fn varying_if(&mut self, region: Region, inst: Inst, arms: [Region; 2], mask: Option<Value>) {
        self.changed = true;
        let cond = self.func.insts[inst].args[0];
        let outputs = self.func.insts[inst].results.clone();
        let taken = self.arm(region, arms[0], mask, cond);
        let not_cond = Builder::at(self.func, region).op(Op::Not, &[cond]);
        let other = self.arm(region, arms[1], mask, not_cond);
        for ((output, a), b) in outputs.into_iter().zip(taken).zip(other) {
            let blend = Builder::at(self.func, region).op(Op::Select, &[cond, a, b]);
            self.varying.set(blend, true);
            self.replaced.set(output, Some(blend));
        }
    }

    /// Runs an arm for the lanes of `mask` in which `cond` holds; gives its results.
    fn arm(&mut self, region: Region, arm: Region, mask: Option<Value>, cond: Value) -> Vec<Value> {
        if cost::of_region(self.func, arm) <= CHEAP_ARM {
            return self.inlined(region, arm, mask);
        }
        let mut b = Builder::at(self.func, region);
        let meant = match mask {
            Some(mask) => b.op(Op::And, &[mask, cond]),
            None => cond,
        };
        let any = b.op(Op::Any, &[meant]);
        self.region(arm, Some(meant));
        let dtypes: Vec<_> = match &self.func.regions[arm].end {
            Terminator::Yield(values) => values.iter().map(|v| self.func.dtype(*v)).collect(),
            Terminator::ContinueIf { .. } => Vec::new(),
        };
        let skipped = self.func.add_region();
        let mut b = Builder::at(self.func, skipped);
        let zeros = dtypes.iter().map(|d| b.constant(Const::zero(*d))).collect();
        self.func.regions[skipped].end = Terminator::Yield(zeros);
        let kind = InstKind::If {
            then_region: arm,
            else_region: skipped,
        };
        let made = Builder::at(self.func, region).inst(kind, vec![any], &dtypes);
        self.func.insts[made].results.clone()
    }

    /// Moves an arm's instructions into the region; gives its results.
    fn inlined(&mut self, region: Region, arm: Region, mask: Option<Value>) -> Vec<Value> {
        for inst in std::mem::take(&mut self.func.regions[arm].insts) {
            self.inst(region, inst, mask);
        }
        match std::mem::take(&mut self.func.regions[arm].end) {
            Terminator::Yield(values) => values.into_iter().map(|v| self.now(v)).collect(),
            Terminator::ContinueIf { .. } => Vec::new(),
        }
    }

    /// Splits a condition `a && b` of which one side is the same in every lane. Where that side ends a loop, it ends it
    /// for all lanes at once, so that no mask need know of it.
    fn uniform_part(&self, cond: Value) -> (Option<Value>, Value) {
        if let Some((Op::And, &[a, b])) = self.func.defining_op(cond) {
            match (self.varying[a], self.varying[b]) {
                (false, true) => return (Some(a), b),
                (true, false) => return (Some(b), a),
                _ => {}
            }
        }
        (None, cond)
    }

    fn varying_loop(&mut self, region: Region, inst: Inst, body: Region, mask: Option<Value>) {
        self.changed = true;
        let mut b = Builder::at(self.func, region);
        let start = mask.unwrap_or_else(|| b.constant(Const::bool(true)));
        let active = self.func.add_param(body, crate::DType::Bool);
        self.region(body, Some(active));
        let Terminator::ContinueIf {
            cond,
            mut next,
            results,
        } = std::mem::take(&mut self.func.regions[body].end)
        else {
            return;
        };
        let inside = uniform::defined_within(self.func, body);
        let mut init = vec![start];
        let mut kept = Vec::new();
        let mut outputs = Vec::new();
        for value in results {
            // What every lane has on leaving needs no keeping.
            if !inside[value] {
                outputs.push(value);
                continue;
            }
            let dtype = self.func.dtype(value);
            init.push(Builder::at(self.func, region).constant(Const::zero(dtype)));
            let before = self.func.add_param(body, dtype);
            let keep = Builder::at(self.func, body).op(Op::Select, &[active, value, before]);
            kept.push(keep);
            outputs.push(keep);
        }
        let (uniform, cond) = self.uniform_part(cond);
        let mut b = Builder::at(self.func, body);
        let still = b.op(Op::And, &[active, cond]);
        let mut any = b.op(Op::Any, &[still]);
        if let Some(uniform) = uniform {
            any = b.op(Op::And, &[any, uniform]);
        }
        next.push(still);
        next.extend(kept);
        self.func.regions[body].end = Terminator::ContinueIf {
            cond: any,
            next,
            results: outputs,
        };
        self.func.insts[inst].args.extend(init);
        self.func.regions[region].insts.push(inst);
    }
}
