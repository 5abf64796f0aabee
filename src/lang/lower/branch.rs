//! `if`, blocks, and code after an exit.
//!
//! A cheap arm is computed in any case and its effects chosen by `select`; others become regions of an `if`.

use super::Lowering;
use super::analysis::ENDLESS;
use super::emit::Cond;
use super::exits::Exit;
use crate::hir::{ExprId, LocalId, Stmt, Type};
use ufc_ir::DType;
use ufc_ir::func::{InstKind, Region, Terminator, Value};

/// Arms that cost no more are computed without asking.
const CHEAP_ARMS: u32 = 12;
/// Code after an exit that costs no more is computed without asking.
const CHEAP_REST: u32 = 40;
/// The same inside a loop, where the exit ends it and is rarely taken.
const CHEAP_REST_IN_LOOP: u32 = 4000;

/// From this nesting of regions on, code that ends is always computed.
const DEEP: usize = 32;

/// What lowering one arm gave.
struct Arm {
    values: Vec<Value>,
    exits: Vec<Exit>,
    dead: bool,
    /// The variables that it changed, with their values at its end.
    changed: Vec<(LocalId, Vec<Value>)>,
    region: Region,
}

impl Lowering<'_> {
    fn cost(&self, expr: ExprId) -> u32 {
        self.frame().analysis.costs[expr.0 as usize]
    }

    pub(super) fn if_expr(
        &mut self,
        condition: ExprId,
        then: ExprId,
        otherwise: Option<ExprId>,
        ty: &Type,
    ) -> Vec<Value> {
        let value = self.expr(condition)[0];
        let endless =
            self.cost(then) == ENDLESS || otherwise.is_some_and(|e| self.cost(e) == ENDLESS);
        if endless && !self.dead && !self.exits.is_empty() {
            return self.guarded(ty, |cx| cx.choice(value, then, otherwise, ty));
        }
        self.choice(value, then, otherwise, ty)
    }

    fn choice(
        &mut self,
        value: Value,
        then: ExprId,
        otherwise: Option<ExprId>,
        ty: &Type,
    ) -> Vec<Value> {
        if self.dead {
            return self.zeros(ty);
        }
        let cond = self.cond(value);
        if let Cond::Known(known) = cond {
            return match (known, otherwise) {
                (true, _) => self.expr(then),
                (false, Some(otherwise)) => self.expr(otherwise),
                (false, None) => Vec::new(),
            };
        }
        let cost = self
            .cost(then)
            .saturating_add(otherwise.map_or(0, |e| self.cost(e)));
        let lower_else = |cx: &mut Self| otherwise.map_or(Vec::new(), |e| cx.expr(e));
        self.branch(cond, cost <= CHEAP_ARMS, ty, |cx| cx.expr(then), lower_else)
    }

    /// `a && b` and `a || b`.
    pub(super) fn logic(&mut self, is_and: bool, lhs: Value, rhs: ExprId) -> Value {
        let effects = self.frame().analysis.effects[rhs.0 as usize];
        let cond = self.cond(lhs);
        match cond {
            Cond::Known(known) if known != is_and => return lhs,
            Cond::Known(_) => return self.expr(rhs)[0],
            Cond::Value(_) => {}
        }
        if !effects && self.cost(rhs) <= CHEAP_REST {
            let rhs = self.expr(rhs)[0];
            let rhs = self.cond(rhs);
            let both = if is_and {
                self.and(cond, rhs)
            } else {
                self.or(cond, rhs)
            };
            return self.cond_value(both);
        }
        let ty = Type::Scalar(DType::Bool);
        if self.cost(rhs) == ENDLESS && !self.exits.is_empty() {
            return self.guarded(&ty, |cx| cx.branch_logic(is_and, cond, rhs))[0];
        }
        self.branch_logic(is_and, cond, rhs)[0]
    }

    fn branch_logic(&mut self, is_and: bool, cond: Cond, rhs: ExprId) -> Vec<Value> {
        let known = |cx: &mut Self| vec![cx.cond_value(Cond::Known(!is_and))];
        let cheap = self.cost(rhs) <= CHEAP_ARMS;
        let ty = Type::Scalar(DType::Bool);
        if is_and {
            self.branch(cond, cheap, &ty, |cx| cx.expr(rhs), known)
        } else {
            self.branch(cond, cheap, &ty, known, |cx| cx.expr(rhs))
        }
    }

    /// Statements from the first on, then the tail.
    pub(super) fn block(&mut self, stmts: &[Stmt], tail: Option<ExprId>, ty: &Type) -> Vec<Value> {
        let last_endless = stmts
            .iter()
            .rposition(|stmt| self.stmt_cost(stmt) == ENDLESS);
        let endless_tail = tail.is_some_and(|tail| self.cost(tail) == ENDLESS);
        for (index, stmt) in stmts.iter().enumerate() {
            let before = self.exits.len();
            match stmt {
                Stmt::Let(binding, value) => {
                    let values = self.expr(*value);
                    self.bind(binding, &values);
                }
                Stmt::Expr(expr) => {
                    self.expr(*expr);
                }
            }
            if self.dead || self.stopped {
                return self.zeros(ty);
            }
            if self.exits.len() > before {
                let rest = &stmts[index + 1..];
                let endless = endless_tail || last_endless.is_some_and(|last| last > index);
                if endless || self.is_rest_costly(rest, tail) {
                    return self.guarded(ty, |cx| cx.block(rest, tail, ty));
                }
            }
        }
        match tail {
            Some(tail) => self.expr(tail),
            None if *ty == Type::unit() => Vec::new(),
            None => self.zeros(ty),
        }
    }

    fn stmt_cost(&self, stmt: &Stmt) -> u32 {
        match stmt {
            Stmt::Let(_, value) | Stmt::Expr(value) => self.cost(*value),
        }
    }

    /// Whether code that ends is better skipped than computed for nothing. Deep nesting would cost more.
    fn is_rest_costly(&self, stmts: &[Stmt], tail: Option<ExprId>) -> bool {
        if self.region_depth > DEEP {
            return false;
        }
        let limit = if self.open_loops > 0 {
            CHEAP_REST_IN_LOOP
        } else {
            CHEAP_REST
        };
        let costs = stmts.iter().map(|stmt| self.stmt_cost(stmt));
        let mut sum = 0u32;
        for cost in costs.chain(tail.map(|tail| self.cost(tail))) {
            sum = sum.saturating_add(cost).saturating_add(1);
            if sum > limit {
                return true;
            }
        }
        false
    }

    /// Lowers code that runs only if none of the exits so far was taken.
    pub(super) fn guarded(
        &mut self,
        ty: &Type,
        code: impl FnOnce(&mut Self) -> Vec<Value>,
    ) -> Vec<Value> {
        match self.alive() {
            Cond::Known(true) => code(self),
            Cond::Known(false) => self.zeros(ty),
            alive => {
                self.depth += 1;
                let values = self.branch(alive, false, ty, code, |cx| cx.zeros(ty));
                self.depth -= 1;
                values
            }
        }
    }

    /// Two ways to go on, the first if the condition holds. Cheap arms are both computed.
    pub(super) fn branch(
        &mut self,
        cond: Cond,
        cheap: bool,
        ty: &Type,
        then: impl FnOnce(&mut Self) -> Vec<Value>,
        otherwise: impl FnOnce(&mut Self) -> Vec<Value>,
    ) -> Vec<Value> {
        let outer = std::mem::take(&mut self.exits);
        let (then_region, else_region) = if cheap {
            (self.region, self.region)
        } else {
            (self.func.add_region(), self.func.add_region())
        };
        self.region_depth += usize::from(!cheap);
        let mut then = self.arm(then_region, then);
        let mut otherwise = self.arm(else_region, otherwise);
        self.region_depth -= usize::from(!cheap);
        self.exits = outer;
        self.dead = then.dead && otherwise.dead;
        self.complete(&mut then, &mut otherwise);
        let values = if cheap {
            self.merge_cheap(cond, then, otherwise)
        } else {
            self.merge_regions(cond, ty, then, otherwise)
        };
        if self.dead
            && let Some(last) = self.exits.last_mut()
        {
            last.cond = Cond::Known(true);
        }
        if self.dead { self.zeros(ty) } else { values }
    }

    /// Lowers an arm into a region, and undoes its changes of variables.
    fn arm(&mut self, region: Region, code: impl FnOnce(&mut Self) -> Vec<Value>) -> Arm {
        let mark = self.log.len();
        let outer = std::mem::replace(&mut self.region, region);
        let values = code(self);
        self.region = outer;
        let exits = std::mem::take(&mut self.exits);
        let dead = std::mem::replace(&mut self.dead, false);
        let current = self.frames.len() - 1;
        let mut changed: Vec<(LocalId, Vec<Value>)> = Vec::new();
        for (frame, local, old) in self.log.split_off(mark).into_iter().rev() {
            if frame != current {
                continue;
            }
            let slot = &mut self.frames[frame].env[local.0 as usize];
            let new = std::mem::replace(slot, old);
            if let Some(new) = new
                && !changed.iter().any(|(known, _)| *known == local)
            {
                changed.push((local, new));
            }
        }
        // What was declared inside is not seen outside.
        changed.retain(|(local, _)| self.frames[current].env[local.0 as usize].is_some());
        changed.reverse();
        Arm {
            values,
            exits,
            dead,
            changed,
            region,
        }
    }

    /// Gives both arms the same list of changed variables.
    fn complete(&mut self, then: &mut Arm, otherwise: &mut Arm) {
        let mut locals: Vec<LocalId> = then.changed.iter().map(|(local, _)| *local).collect();
        for (local, _) in &otherwise.changed {
            if !locals.contains(local) {
                locals.push(*local);
            }
        }
        for arm in [then, otherwise] {
            let changed = std::mem::take(&mut arm.changed);
            for local in &locals {
                let new = changed
                    .iter()
                    .find(|(known, _)| known == local)
                    .map(|(_, values)| values.clone());
                let values = new.unwrap_or_else(|| self.get(*local));
                arm.changed.push((*local, values));
            }
        }
    }

    fn merge_cheap(&mut self, cond: Cond, then: Arm, otherwise: Arm) -> Vec<Value> {
        let not = self.not(cond);
        for (arm_cond, exits) in [(cond, then.exits), (not, otherwise.exits)] {
            for exit in exits {
                let cond = self.and(arm_cond, exit.cond);
                self.exits.push(Exit { cond, ..exit });
            }
        }
        let choice = match (then.dead, otherwise.dead) {
            (true, _) => Cond::Known(false),
            (_, true) => Cond::Known(true),
            _ => cond,
        };
        for ((local, a), (_, b)) in then.changed.into_iter().zip(otherwise.changed) {
            let merged = self.select_all(choice, &a, &b);
            self.set(local, merged);
        }
        match choice {
            Cond::Known(true) => then.values,
            Cond::Known(false) => otherwise.values,
            Cond::Value(_) => self.select_all(choice, &then.values, &otherwise.values),
        }
    }

    fn merge_regions(&mut self, cond: Cond, ty: &Type, then: Arm, otherwise: Arm) -> Vec<Value> {
        let arms = [&then, &otherwise];
        let mut yields = Yields::default();
        let dtypes = ty.flat();
        for (i, dtype) in dtypes.iter().enumerate() {
            let of = |arm: &Arm| {
                if arm.dead {
                    None
                } else {
                    arm.values.get(i).copied()
                }
            };
            yields.push(of(&then), of(&otherwise), *dtype);
        }
        let changed = then.changed.iter().zip(&otherwise.changed);
        for ((_, a), (_, b)) in changed {
            for (a, b) in a.iter().zip(b) {
                let dtype = self.func.dtype(*a);
                yields.push(
                    Some(*a).filter(|_| !then.dead),
                    Some(*b).filter(|_| !otherwise.dead),
                    dtype,
                );
            }
        }
        let all: Vec<Exit> = then.exits.iter().chain(&otherwise.exits).cloned().collect();
        let targets = Self::targets(&all);
        let mut flags = Vec::new();
        for target in &targets {
            let [a, b] =
                arms.map(|arm| self.in_arm(arm, |cx| cx.flag(&arm.exits, *target, arm.dead)));
            flags.push(self.merge_flag(cond, a, b, arms, &mut yields));
            let [a, b] = arms.map(|arm| self.in_arm(arm, |cx| cx.brought(&arm.exits, *target)));
            let either = a.as_ref().or(b.as_ref()).cloned().unwrap_or_default();
            for (i, value) in either.into_iter().enumerate() {
                let dtype = self.func.dtype(value);
                yields.push(a.as_ref().map(|v| v[i]), b.as_ref().map(|v| v[i]), dtype);
            }
        }
        let mut results = self.finish_if(cond, arms, yields).into_iter();
        let values = results.by_ref().take(dtypes.len()).collect();
        for (local, old) in &then.changed {
            let new: Vec<Value> = results.by_ref().take(old.len()).collect();
            self.set(*local, new);
        }
        for (target, flag) in targets.into_iter().zip(flags) {
            let cond = match flag {
                Flag::Cond(cond) => cond,
                Flag::Yielded => results.next().map_or(Cond::Known(false), Cond::Value),
            };
            let count = all
                .iter()
                .find(|exit| exit.target == target)
                .map_or(0, |exit| exit.values.len());
            let values = results.by_ref().take(count).collect();
            self.exits.push(Exit {
                target,
                cond,
                values,
            });
        }
        values
    }

    /// Whether one of two arms took an exit, by what each says.
    fn merge_flag(
        &mut self,
        cond: Cond,
        a: Cond,
        b: Cond,
        arms: [&Arm; 2],
        yields: &mut Yields,
    ) -> Flag {
        match (a, b) {
            (Cond::Known(a), Cond::Known(b)) if a == b => Flag::Cond(Cond::Known(a)),
            (Cond::Known(true), Cond::Known(_)) => Flag::Cond(cond),
            (Cond::Known(false), Cond::Known(_)) => Flag::Cond(self.not(cond)),
            _ => {
                let a = self.in_arm(arms[0], |cx| cx.cond_value(a));
                let b = self.in_arm(arms[1], |cx| cx.cond_value(b));
                yields.push(Some(a), Some(b), DType::Bool);
                Flag::Yielded
            }
        }
    }

    fn in_arm<T>(&mut self, arm: &Arm, code: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.region, arm.region);
        let result = code(self);
        self.region = outer;
        result
    }

    fn if_inst(
        &mut self,
        cond: Cond,
        arms: [&Arm; 2],
        values: [Vec<Value>; 2],
        dtypes: &[DType],
    ) -> Vec<Value> {
        let cond = self.cond_value(cond);
        let [then_region, else_region] = arms.map(|arm| arm.region);
        for (arm, values) in arms.into_iter().zip(values) {
            self.func.regions[arm.region].end = Terminator::Yield(values);
        }
        let kind = InstKind::If {
            then_region,
            else_region,
        };
        let inst = self.builder().inst(kind, vec![cond], dtypes);
        self.func.insts[inst].results.clone()
    }

    /// Makes the `if`. Values that are the same in both arms, or not looked at in one of them, share their results.
    fn finish_if(&mut self, cond: Cond, arms: [&Arm; 2], yields: Yields) -> Vec<Value> {
        let (mut then_values, mut else_values, mut dtypes) = (Vec::new(), Vec::new(), Vec::new());
        let mut places: Vec<Place> = Vec::new();
        for (a, b, dtype) in yields.0 {
            let place = match (a, b) {
                (Some(a), Some(b)) if a == b => Place::Outside(a),
                (Some(a), Some(b)) if self.same(a, b) => {
                    let known = self.func.constant(a);
                    Place::Outside(known.map_or(a, |c| self.constant(c)))
                }
                (None, None) => Place::Outside(self.zero(dtype)),
                (a, b) => {
                    let fits = |(x, y): (&Value, &Value)| {
                        a.is_none_or(|a| a == *x) && b.is_none_or(|b| b == *y)
                    };
                    let known = then_values.iter().zip(&else_values);
                    match known
                        .enumerate()
                        .find(|(i, pair)| dtypes[*i] == dtype && fits(*pair))
                        .map(|(i, _)| i)
                    {
                        Some(index) => Place::Result(index),
                        None => {
                            let filled = [a, b].into_iter().zip(arms).map(|(value, arm)| {
                                value.unwrap_or_else(|| self.in_arm(arm, |cx| cx.zero(dtype)))
                            });
                            let filled: Vec<Value> = filled.collect();
                            then_values.push(filled[0]);
                            else_values.push(filled[1]);
                            dtypes.push(dtype);
                            Place::Result(dtypes.len() - 1)
                        }
                    }
                }
            };
            places.push(place);
        }
        let results = if dtypes.is_empty() {
            // Nothing of what is inside is asked for.
            Vec::new()
        } else {
            self.if_inst(cond, arms, [then_values, else_values], &dtypes)
        };
        places
            .into_iter()
            .map(|place| match place {
                Place::Outside(value) => value,
                Place::Result(index) => results[index],
            })
            .collect()
    }
}

/// Pairs of values that two arms yield; none where nobody looks at the value.
#[derive(Default)]
struct Yields(Vec<(Option<Value>, Option<Value>, DType)>);

impl Yields {
    fn push(&mut self, a: Option<Value>, b: Option<Value>, dtype: DType) {
        self.0.push((a, b, dtype));
    }
}

enum Place {
    Outside(Value),
    Result(usize),
}

enum Flag {
    Cond(Cond),
    Yielded,
}
