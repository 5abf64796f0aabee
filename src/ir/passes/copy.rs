//! Copies of instructions and regions, for passes that move or repeat them.

use crate::func::{Func, Inst, InstKind, Region, SecondaryMap, Value};

/// What stands for a value in a copy, where it is not the value itself.
pub(super) type Map = SecondaryMap<Value, Option<Value>>;

/// Makes a copy of an instruction, regions included, that uses what `map` has for a value; adds its results to the map.
pub(super) fn copy_inst(func: &mut Func, inst: Inst, map: &mut Map) -> Inst {
    let data = func.insts[inst].clone();
    let args = data.args.iter().map(|v| map[*v].unwrap_or(*v)).collect();
    let dtypes: Vec<_> = data.results.iter().map(|v| func.dtype(*v)).collect();
    let kind = match data.kind {
        InstKind::If {
            then_region,
            else_region,
        } => InstKind::If {
            then_region: copy_region(func, then_region, map),
            else_region: copy_region(func, else_region, map),
        },
        InstKind::Loop { body } => InstKind::Loop {
            body: copy_region(func, body, map),
        },
        simple => simple,
    };
    let copy = func.make_inst(kind, args, &dtypes);
    for (old, new) in data.results.iter().zip(&func.insts[copy].results) {
        map.set(*old, Some(*new));
    }
    copy
}

fn copy_region(func: &mut Func, region: Region, map: &mut Map) -> Region {
    let data = func.regions[region].clone();
    let copy = func.add_region();
    for param in data.params {
        let new = func.add_param(copy, func.dtype(param));
        map.set(param, Some(new));
    }
    for inst in data.insts {
        let inst = copy_inst(func, inst, map);
        func.regions[copy].insts.push(inst);
    }
    let mut end = data.end;
    end.map_uses(|v| map[v].unwrap_or(v));
    func.regions[copy].end = end;
    copy
}
