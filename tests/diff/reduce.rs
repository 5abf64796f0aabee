//! Makes a function that fails smaller while it still fails.

use ufc_ir::func::{Func, Inst, InstKind, Region, Terminator, Value};
use ufc_ir::passes::dce;
use ufc_ir::{Const, verify};

/// Most functions that are tried.
const TRIES: usize = 600;

/// One way to make a function smaller, at one of its instructions; false where it does not apply.
type Step = fn(&mut Func, Region, Inst) -> bool;

const STEPS: &[Step] = &[
    take_then,
    take_else,
    take_one_turn,
    forward_argument,
    make_zero,
];

/// The smallest function found for which `fails` still holds.
pub(super) fn reduce(func: &Func, fails: impl Fn(&Func) -> bool) -> Func {
    let mut best = func.clone();
    let mut tries = 0;
    let mut attempt = |best: &mut Func, mut candidate: Func| {
        tries += 1;
        dce::run(&mut candidate);
        let smaller =
            candidate.size() < best.size() || candidate.results.len() < best.results.len();
        let good =
            tries < TRIES && smaller && verify::verify(&candidate).is_ok() && fails(&candidate);
        if good {
            *best = candidate;
        }
        good
    };
    for result in (0..func.results.len()).rev() {
        if best.results.len() > 1 {
            let candidate = without_result(&best, result);
            attempt(&mut best, candidate);
        }
    }
    loop {
        let mut progress = false;
        let mut places = Vec::new();
        best.for_each_inst(|region, inst| places.push((region, inst)));
        for (region, inst) in places.into_iter().rev() {
            for step in STEPS {
                let mut candidate = best.clone();
                let is_there = candidate.regions[region].insts.contains(&inst);
                if is_there && step(&mut candidate, region, inst) && attempt(&mut best, candidate) {
                    progress = true;
                    break;
                }
            }
        }
        if !progress {
            return best;
        }
    }
}

fn without_result(func: &Func, index: usize) -> Func {
    let mut func = func.clone();
    func.results.remove(index);
    let body = func.body;
    if let Terminator::Yield(values) = &mut func.regions[body].end {
        values.remove(index);
    }
    func
}

/// Puts the then-arm in the place of an `if`.
fn take_then(func: &mut Func, region: Region, inst: Inst) -> bool {
    match func.insts[inst].kind {
        InstKind::If { then_region, .. } => splice(func, region, inst, then_region),
        _ => false,
    }
}

/// Puts the else-arm in the place of an `if`.
fn take_else(func: &mut Func, region: Region, inst: Inst) -> bool {
    match func.insts[inst].kind {
        InstKind::If { else_region, .. } => splice(func, region, inst, else_region),
        _ => false,
    }
}

/// Puts one turn of a loop in its place.
fn take_one_turn(func: &mut Func, region: Region, inst: Inst) -> bool {
    match func.insts[inst].kind {
        InstKind::Loop { body } => splice(func, region, inst, body),
        _ => false,
    }
}

/// Replaces an instruction by the instructions of a region inside it.
fn splice(func: &mut Func, region: Region, inst: Inst, inner: Region) -> bool {
    let (args, results) = (
        func.insts[inst].args.clone(),
        func.insts[inst].results.clone(),
    );
    let inner = func.regions[inner].clone();
    let at = func.regions[region]
        .insts
        .iter()
        .position(|i| *i == inst)
        .expect("it stands in its region");
    func.regions[region].insts.splice(at..=at, inner.insts);
    let given = match inner.end {
        Terminator::Yield(values) => values,
        Terminator::ContinueIf { results, .. } => results,
    };
    for (result, value) in results.into_iter().zip(given) {
        replace(func, result, value);
    }
    for (param, arg) in inner.params.into_iter().zip(args) {
        replace(func, param, arg);
    }
    true
}

/// Uses an argument in the place of a result of the same dtype.
fn forward_argument(func: &mut Func, _region: Region, inst: Inst) -> bool {
    let data = func.insts[inst].clone();
    let mut changed = false;
    for result in data.results {
        if let Some(arg) = data
            .args
            .iter()
            .find(|arg| func.dtype(**arg) == func.dtype(result))
        {
            replace(func, result, *arg);
            changed = true;
        }
    }
    changed
}

/// Uses zero in the place of every result.
fn make_zero(func: &mut Func, region: Region, inst: Inst) -> bool {
    if matches!(func.insts[inst].kind, InstKind::Const(_)) {
        return false;
    }
    for result in func.insts[inst].results.clone() {
        let dtype = func.dtype(result);
        let zero = func.make_inst(InstKind::Const(Const::zero(dtype)), Vec::new(), &[dtype]);
        let at = func.regions[region]
            .insts
            .iter()
            .position(|i| *i == inst)
            .expect("it stands in its region");
        func.regions[region].insts.insert(at, zero);
        let value = func.insts[zero].results[0];
        replace(func, result, value);
    }
    true
}

/// Uses one value in the place of another, everywhere.
fn replace(func: &mut Func, from: Value, to: Value) {
    let change = |value: Value| if value == from { to } else { value };
    let mut insts = Vec::new();
    func.for_each_inst(|_, inst| insts.push(inst));
    for inst in insts {
        func.insts[inst]
            .args
            .iter_mut()
            .for_each(|arg| *arg = change(*arg));
    }
    let mut regions = Vec::new();
    func.for_each_region(|region| regions.push(region));
    for region in regions {
        func.regions[region].end.map_uses(change);
    }
}
