//! What a driver's compiler may find out about values: which of them are the same, and which it may compute.

use std::collections::HashMap;
use ufc_ir::DType;
use ufc_ir::func::{Func, Inst, InstKind, Region, SecondaryMap, Terminator, Value};
use ufc_ir::ops::{AnyOp, Op};

/// The findings for one function.
pub(super) struct Known {
    /// The first of the values that are made by the same operations from the same values, if it is another one.
    first: SecondaryMap<Value, Option<Value>>,
    computable: SecondaryMap<Value, bool>,
}

impl Known {
    pub(super) fn new(func: &Func) -> Known {
        let mut known = Known {
            first: SecondaryMap::new(None),
            computable: SecondaryMap::new(false),
        };
        let mut seen = HashMap::new();
        func.for_each_inst(|_, inst| known.number(func, inst, &mut seen));
        known.region(func, func.body);
        known
    }

    /// Whether two values are the same for what a compiler can see.
    pub(super) fn are_same(&self, a: Value, b: Value) -> bool {
        self.first(a) == self.first(b)
    }

    /// Whether a compiler may compute a value: it is made of constants alone, of values that cancel each other, of computable
    /// values of which one is chosen, or it is a float made of an integer or bool, of which a compiler may know the only value
    /// that it can have.
    pub(super) fn is_computable(&self, value: Value) -> bool {
        self.computable[value]
    }

    fn first(&self, value: Value) -> Value {
        self.first[value].unwrap_or(value)
    }

    fn number(&mut self, func: &Func, inst: Inst, seen: &mut HashMap<Key, Value>) {
        let data = &func.insts[inst];
        let [result] = data.results[..] else { return };
        if data.kind.regions().next().is_some() {
            return;
        }
        let mut args: Vec<Value> = data.args.iter().map(|arg| self.first(*arg)).collect();
        if let Some(AnyOp::Core(op)) = data.kind.op()
            && op.info().commutative
        {
            args.sort_unstable();
        }
        let key = (data.kind.clone(), args, func.dtype(result));
        let first = *seen.entry(key).or_insert(result);
        self.first.set(result, Some(first));
    }

    fn region(&mut self, func: &Func, region: Region) {
        for &inst in &func.regions[region].insts {
            let data = &func.insts[inst];
            if let InstKind::Loop { body } = data.kind {
                // Loops are unrolled, so a first value is known in the first turn; those of floats are hidden.
                for (&param, &arg) in func.regions[body].params.iter().zip(&data.args) {
                    let is_computable = !is_hidden(func.dtype(param)) && self.is_computable(arg);
                    self.computable.set(param, is_computable);
                }
            }
            let regions = data.kind.regions();
            regions.for_each(|inner| self.region(func, inner));
            self.inst(func, inst);
        }
    }

    fn inst(&mut self, func: &Func, inst: Inst) {
        let data = &func.insts[inst];
        let is = |value: &Value| self.is_computable(*value);
        let found: Vec<bool> = match data.kind {
            InstKind::Const(_) => vec![true],
            InstKind::Index(_) | InstKind::Math(_) => vec![false],
            InstKind::Op(op) => vec![self.is_op_computable(func, op, inst)],
            InstKind::If {
                then_region,
                else_region,
            } => {
                let arms = results(func, then_region)
                    .iter()
                    .zip(results(func, else_region));
                arms.map(|(a, b)| choice(is(&data.args[0]), is(a), is(b)))
                    .collect()
            }
            InstKind::Loop { body } => results(func, body).iter().map(is).collect(),
        };
        for (&result, is_computable) in data.results.iter().zip(found) {
            self.computable.set(result, is_computable);
        }
    }

    fn is_op_computable(&self, func: &Func, op: Op, inst: Inst) -> bool {
        let is = |value: &Value| self.is_computable(*value);
        let args = &func.insts[inst].args;
        let gives_float = func.dtype(func.insts[inst].results[0]).is_float();
        match (op, &args[..]) {
            (Op::Convert, [arg]) if gives_float && !func.dtype(*arg).is_float() => true,
            (Op::Select, [cond, yes, no]) => choice(is(cond), is(yes), is(no)),
            (_, [a, b]) if cancels(op) && self.are_same(*a, *b) => true,
            _ => args.iter().all(is),
        }
    }
}

/// Whether values of a dtype can be hidden from compilers (`Lowerer::hidden`).
pub(super) fn is_hidden(dtype: DType) -> bool {
    matches!(dtype, DType::F32 | DType::F64)
}

/// What a region gives where it ends.
fn results(func: &Func, region: Region) -> &[Value] {
    match &func.regions[region].end {
        Terminator::Yield(results) | Terminator::ContinueIf { results, .. } => results,
    }
}

/// What makes two instructions the same.
type Key = (InstKind, Vec<Value>, DType);

/// Whether a compiler may compute which of two values is chosen.
fn choice(cond: bool, yes: bool, no: bool) -> bool {
    yes && no || cond && (yes || no)
}

/// Whether an operation on two values that are the same gives what a compiler knows.
fn cancels(op: Op) -> bool {
    use Op::{Div, Eq, Ge, Gt, Le, Lt, Ne, Rem, Sub, Xor};
    matches!(op, Div | Eq | Ge | Gt | Le | Lt | Ne | Rem | Sub | Xor)
}

#[cfg(test)]
mod tests {
    use super::Known;
    use ufc_ir::func::Value;
    use ufc_ir::text;

    /// What is found about the values of a function, in the order of their numbers.
    fn known(source: &str) -> (Known, Vec<Value>) {
        let func = text::parse(source).expect("it parses");
        (Known::new(&func), func.values.keys().collect())
    }

    #[test]
    fn values_made_alike_are_the_same() {
        let (known, v) = known(
            "\
func f(v0 x: f32, v1 y: f32, v2 b: bool) -> (f32) {
  v3: f32 = mul v0, v1
  v4: f32 = if v2 {
    v5: f32 = mul v1, v0
    yield v5
  } else {
    v6: f32 = sub v1, v0
    yield v6
  }
  v7: f32 = sub v0, v1
  yield v7
}
",
        );
        assert!(known.are_same(v[3], v[5]));
        assert!(!known.are_same(v[6], v[7]), "the order matters");
        assert!(!known.are_same(v[4], v[3]));
    }

    #[test]
    fn values_without_inputs_are_computable() {
        let (known, v) = known(
            "\
func f(v0 x: f32, v1 n: i32, v2 b: bool) -> (f32) {
  v3: f32 = const 0.5
  v4: f32 = sub v0, v0
  v5: f32 = add v4, v3
  v6: f32 = convert v1
  v7: f32 = select v2, v5, v6
  v8: f32 = select v2, v5, v0
  v9: f32 = neg v0
  v10: f32 = bitcast v1
  v11: i64 = convert v1
  v12: f64 = convert v11
  yield v7
}
",
        );
        let found: Vec<usize> = (0..v.len())
            .filter(|i| known.is_computable(v[*i]))
            .collect();
        assert_eq!(found, [3, 4, 5, 6, 7, 12]);
    }

    /// First values of floats are hidden when a loop begins, those of integers are not.
    #[test]
    fn loops_may_be_unrolled() {
        let (known, v) = known(
            "\
func f(v0 x: f32) -> (f32, f32, f32) {
  v1: f32 = const 0.0
  v2: u32 = const 1
  v3: f32, v4: f32, v5: f32 = loop (v6: f32 = v1, v7: u32 = v2) {
    v8: f32 = add v6, v0
    v9: u32 = add v7, v2
    v10: bool = lt v6, v0
    v11: f32 = bitcast v7
    continue_if v10 (v8, v9) else (v6, v11, v1)
  }
  yield v3, v4, v5
}
",
        );
        let found: Vec<usize> = (0..v.len())
            .filter(|i| known.is_computable(v[*i]))
            .collect();
        assert_eq!(found, [1, 2, 4, 5, 7, 9, 11]);
    }
}
