//! Writes out loops that turn a few times, known beforehand: the turns one after another, with no loop around them.
//!
//! Safe for every dtype: the same operations are done in the same order. What depends on the counter alone becomes
//! constant, so that folding can do the rest.

use crate::constant::Const;
use crate::eval::eval;
use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use crate::passes::copy::copy_inst;

/// Loops that turn more often stay.
const MOST_TURNS: usize = 64;

/// A loop that would become more instructions than this stays.
const MOST_INSTS: usize = 256;

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
    /// Rewrites a region; inner loops first, so that what they become can be repeated.
    fn region(&mut self, region: Region) {
        for inst in std::mem::take(&mut self.func.regions[region].insts) {
            let replaced = &self.replaced;
            let data = &mut self.func.insts[inst];
            data.args
                .iter_mut()
                .for_each(|v| *v = replaced[*v].unwrap_or(*v));
            let kind = data.kind.clone();
            kind.regions().for_each(|inner| self.region(inner));
            match kind {
                InstKind::Loop { body } => match turns(self.func, inst, body) {
                    Some(turns) => self.write_out(region, inst, body, turns),
                    None => self.func.regions[region].insts.push(inst),
                },
                _ => self.func.regions[region].insts.push(inst),
            }
        }
        let mut end = std::mem::take(&mut self.func.regions[region].end);
        end.map_uses(|v| self.replaced[v].unwrap_or(v));
        self.func.regions[region].end = end;
    }

    fn write_out(&mut self, region: Region, inst: Inst, body: Region, turns: usize) {
        let Terminator::ContinueIf { next, results, .. } = self.func.regions[body].end.clone()
        else {
            return;
        };
        self.changed = true;
        let params = self.func.regions[body].params.clone();
        let insts = self.func.regions[body].insts.clone();
        let mut carried = self.func.insts[inst].args.clone();
        let mut map = SecondaryMap::new(None);
        for turn in 1..=turns {
            for (param, value) in params.iter().zip(&carried) {
                map.set(*param, Some(*value));
            }
            for inner in &insts {
                let copy = copy_inst(self.func, *inner, &mut map);
                self.func.regions[region].insts.push(copy);
            }
            let given = if turn == turns { &results } else { &next };
            carried = given.iter().map(|v| map[*v].unwrap_or(*v)).collect();
        }
        let outputs = self.func.insts[inst].results.clone();
        for (output, value) in outputs.into_iter().zip(carried) {
            self.replaced.set(output, Some(value));
        }
    }
}

/// How often a loop turns, if that follows from constants and is not too much to write out.
fn turns(func: &Func, inst: Inst, body: Region) -> Option<usize> {
    let most = (MOST_INSTS / size(func, body).max(1)).min(MOST_TURNS);
    let data = &func.regions[body];
    let Terminator::ContinueIf { cond, next, .. } = &data.end else {
        return None;
    };
    let mut carried: Vec<Option<Const>> = func.insts[inst]
        .args
        .iter()
        .map(|v| func.constant(*v))
        .collect();
    for turn in 1..=most {
        let known = known_values(func, body, &carried);
        let value = |v: &Value| known[*v].or_else(|| func.constant(*v));
        if !value(cond)?.as_bool() {
            return Some(turn);
        }
        carried = next.iter().map(value).collect();
    }
    None
}

/// The values of a loop's body that follow from its parameters where those are known.
fn known_values(
    func: &Func,
    body: Region,
    carried: &[Option<Const>],
) -> SecondaryMap<Value, Option<Const>> {
    let mut known = SecondaryMap::new(None);
    for (param, value) in func.regions[body].params.iter().zip(carried) {
        known.set(*param, *value);
    }
    for inst in &func.regions[body].insts {
        let data = &func.insts[*inst];
        if let InstKind::Op(op) = data.kind {
            let value = |v: &Value| known[*v].or_else(|| func.constant(*v));
            let args: Option<Vec<Const>> = data.args.iter().map(value).collect();
            let result = data.results[0];
            known.set(result, args.map(|args| eval(op, &args, func.dtype(result))));
        }
    }
    known
}

/// Number of instructions of a region, nested ones included.
fn size(func: &Func, region: Region) -> usize {
    let insts = func.regions[region].insts.iter();
    let nested = |inst: &Inst| {
        let regions = func.insts[*inst].kind.regions();
        1 + regions.map(|inner| size(func, inner)).sum::<usize>()
    };
    insts.map(nested).sum()
}
