//! Replaces an `if` whose arms are cheap by running both and selecting.
//!
//! Safe for every dtype: arms are pure and never trap. Arms with a loop stay, because a loop may never end for the
//! values of an arm that was not meant.

use crate::builder::Builder;
use crate::cost;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::ops::Op;

/// Both arms together may cost this much: about what a branch that vectors take half of the time costs.
const CHEAP: f64 = 24.0;

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
    /// Rewrites a region; inner ones first, so that an `if` of cheap ones can become cheap.
    fn region(&mut self, region: Region) {
        let leaving = self.leaving_condition(region);
        for inst in std::mem::take(&mut self.func.regions[region].insts) {
            let replaced = &self.replaced;
            let data = &mut self.func.insts[inst];
            data.args
                .iter_mut()
                .for_each(|v| *v = replaced[*v].unwrap_or(*v));
            let kind = data.kind.clone();
            kind.regions().for_each(|inner| self.region(inner));
            match kind {
                InstKind::If {
                    then_region,
                    else_region,
                } if self.is_worthwhile(inst, [then_region, else_region], leaving) => {
                    self.flatten(region, inst, [then_region, else_region]);
                }
                _ => self.func.regions[region].insts.push(inst),
            }
        }
        let mut end = std::mem::take(&mut self.func.regions[region].end);
        end.map_uses(|v| self.replaced[v].unwrap_or(v));
        self.func.regions[region].end = end;
    }

    /// The condition of a loop's next turn, if the region is a loop's body.
    fn leaving_condition(&self, region: Region) -> Option<Value> {
        match &self.func.regions[region].end {
            Terminator::ContinueIf { cond, .. } => Some(*cond),
            Terminator::Yield(_) => None,
        }
    }

    fn is_worthwhile(&self, inst: Inst, arms: [Region; 2], leaving: Option<Value>) -> bool {
        if arms.iter().any(|arm| self.has_control_flow(*arm)) {
            return false;
        }
        let costs = arms.map(|arm| cost::of_region(self.func, arm));
        costs[0] + costs[1] <= CHEAP || self.leaves_the_loop(inst, arms, costs, leaving)
    }

    fn has_control_flow(&self, region: Region) -> bool {
        let insts = &self.func.regions[region].insts;
        insts
            .iter()
            .any(|inst| self.func.insts[*inst].kind.regions().next().is_some())
    }

    /// Whether the cheap arm ends the loop: then the other one is run in every turn but the last anyway.
    fn leaves_the_loop(
        &self,
        inst: Inst,
        arms: [Region; 2],
        costs: [f64; 2],
        leaving: Option<Value>,
    ) -> bool {
        let results = &self.func.insts[inst].results;
        let Some(index) = results.iter().position(|v| Some(*v) == leaving) else {
            return false;
        };
        let ends = |arm: Region| match &self.func.regions[arm].end {
            Terminator::Yield(values) => self
                .func
                .constant(values[index])
                .is_some_and(|c| !c.as_bool()),
            Terminator::ContinueIf { .. } => false,
        };
        (ends(arms[0]) && costs[0] <= CHEAP) || (ends(arms[1]) && costs[1] <= CHEAP)
    }

    fn flatten(&mut self, region: Region, inst: Inst, arms: [Region; 2]) {
        self.changed = true;
        let cond = self.func.insts[inst].args[0];
        let outputs = self.func.insts[inst].results.clone();
        let [taken, other] = arms.map(|arm| {
            let insts = std::mem::take(&mut self.func.regions[arm].insts);
            self.func.regions[region].insts.extend(insts);
            match std::mem::take(&mut self.func.regions[arm].end) {
                Terminator::Yield(values) => values,
                Terminator::ContinueIf { .. } => Vec::new(),
            }
        });
        for ((output, a), b) in outputs.into_iter().zip(taken).zip(other) {
            let blend = match a == b {
                true => a,
                false => Builder::at(self.func, region).op(Op::Select, &[cond, a, b]),
            };
            self.replaced.set(output, Some(blend));
        }
    }
}
