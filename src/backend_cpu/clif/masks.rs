//! Rewrites conditions into the forms that vectors have: `and not` is one instruction, `!=` on integers is not.

use ufc_ir::builder::Builder;
use ufc_ir::func::{Func, Inst, InstKind, Region, SecondaryMap, Value};
use ufc_ir::ops::Op;
use ufc_ir::{DType, Kind};

/// Turns `a != b` on integers into `!(a == b)`, and gathers complements: `!a & !b` into `!(a | b)`, `!a | !b` into
/// `!(a & b)`.
pub(crate) fn run(func: &mut Func) {
    let mut regions = Vec::new();
    func.for_each_region(|region| regions.push(region));
    let mut replaced = SecondaryMap::new(None);
    for region in regions {
        for inst in std::mem::take(&mut func.regions[region].insts) {
            rewrite(func, region, inst, &mut replaced);
        }
    }
    replace_uses(func, &replaced);
}

fn rewrite(
    func: &mut Func,
    region: Region,
    inst: Inst,
    replaced: &mut SecondaryMap<Value, Option<Value>>,
) {
    for i in 0..func.insts[inst].args.len() {
        let arg = func.insts[inst].args[i];
        func.insts[inst].args[i] = replaced[arg].unwrap_or(arg);
    }
    let data = func.insts[inst].clone();
    let InstKind::Op(op) = data.kind else {
        func.regions[region].insts.push(inst);
        return;
    };
    let mut b = Builder::at(func, region);
    let value = match (op, complements(b.func, &data.args)) {
        (Op::Ne, _) if is_int(b.func, data.args[0]) => {
            let equal = b.op(Op::Eq, &data.args);
            Some(b.op(Op::Not, &[equal]))
        }
        (Op::And, Some(inner)) => {
            let either = b.op(Op::Or, &inner);
            Some(b.op(Op::Not, &[either]))
        }
        (Op::Or, Some(inner)) => {
            let both = b.op(Op::And, &inner);
            Some(b.op(Op::Not, &[both]))
        }
        _ => None,
    };
    match value {
        Some(value) => replaced.set(data.results[0], Some(value)),
        None => func.regions[region].insts.push(inst),
    }
}

fn is_int(func: &Func, value: Value) -> bool {
    matches!(func.dtype(value).kind(), Kind::Signed | Kind::Unsigned)
}

/// What the arguments are complements of, if there are two and both are, and they are conditions.
fn complements(func: &Func, args: &[Value]) -> Option<[Value; 2]> {
    let inner = |value: Value| match func.defining_op(value) {
        Some((Op::Not, inner)) if func.dtype(value) == DType::Bool => Some(inner[0]),
        _ => None,
    };
    match args {
        [a, b] => Some([inner(*a)?, inner(*b)?]),
        _ => None,
    }
}

fn replace_uses(func: &mut Func, replaced: &SecondaryMap<Value, Option<Value>>) {
    let mut regions = Vec::new();
    func.for_each_region(|region| regions.push(region));
    for region in regions {
        for i in 0..func.regions[region].insts.len() {
            let inst = func.regions[region].insts[i];
            let args = &mut func.insts[inst].args;
            args.iter_mut()
                .for_each(|v| *v = replaced[*v].unwrap_or(*v));
        }
        func.regions[region]
            .end
            .map_uses(|v| replaced[v].unwrap_or(v));
    }
}
