//! Loops.
//!
//! A loop becomes one `Loop` whose body runs at least once. What ends it are exits of its body: the condition of a
//! `while`, the end of a range, `break`, and jumps that lead further out. The loop goes on while no exit was taken;
//! its results are what the exits bring to their targets.

use super::Lowering;
use super::emit::Cond;
use super::exits::{Exit, Target};
use crate::hir::{ExprId, LocalId, LoopId, LoopKind, Range, Type};
use ufc_ir::DType;
use ufc_ir::func::{InstKind, Terminator, Value};
use ufc_ir::ops::Op;

/// How a range's loop counts.
struct Counter {
    local: Option<LocalId>,
    /// What is carried, at first.
    first: Value,
    /// What is tested before the body.
    before: Option<Bound>,
    /// Whether the variable is the carried value minus one, made before the body.
    pre_decrement: bool,
    /// The loop ends after the body when the variable has this value.
    last: Option<Value>,
    /// Added for the next turn; nothing when `pre_decrement`.
    step: Option<Value>,
}

/// The loop goes on while `carried op end`.
struct Bound {
    op: Op,
    end: Value,
}

impl Lowering<'_> {
    pub(super) fn loop_expr(
        &mut self,
        id: LoopId,
        kind: &LoopKind,
        body: ExprId,
        ty: &Type,
    ) -> Vec<Value> {
        if !self.exits.is_empty() && self.alive() != Cond::Known(true) {
            return self.guarded(ty, |cx| cx.loop_expr(id, kind, body, ty));
        }
        let LoopKind::For(range) = kind else {
            return self.turns(id, kind, None, body, ty);
        };
        let start = self.expr(range.start)[0];
        let end = self.expr(range.end)[0];
        let step = range.step.map(|step| self.expr(step)[0]);
        if self.dead {
            return self.zeros(ty);
        }
        let known = [start, end]
            .iter()
            .all(|bound| self.func.constant(*bound).is_some());
        // A test before each turn would put a body that may not end behind an `if` in each turn.
        let endless = self.frame().analysis.costs[body.0 as usize] == super::ENDLESS;
        if !known && !endless && step.is_none() && !range.inclusive {
            let counter = self.plain_counter(range, start, end);
            return self.turns(id, kind, Some(counter), body, ty);
        }
        let compare = if range.inclusive { Op::Le } else { Op::Lt };
        let any = self.core(compare, start, end);
        let some = |cx: &mut Self| {
            let counter = cx.counted(range, start, end, step);
            cx.turns(id, kind, Some(counter), body, ty)
        };
        match self.cond(any) {
            Cond::Known(true) => some(self),
            Cond::Known(false) => Vec::new(),
            any => self.branch(any, false, ty, some, |_| Vec::new()),
        }
    }

    /// Counts by one and tests before each turn.
    fn plain_counter(&mut self, range: &Range, start: Value, end: Value) -> Counter {
        let one = self.int(self.func.dtype(start), 1);
        if range.reversed {
            let before = Some(Bound {
                op: Op::Gt,
                end: start,
            });
            return Counter {
                local: range.local,
                first: end,
                before,
                pre_decrement: true,
                last: None,
                step: None,
            };
        }
        let before = Some(Bound { op: Op::Lt, end });
        Counter {
            local: range.local,
            first: start,
            before,
            pre_decrement: false,
            last: None,
            step: Some(one),
        }
    }

    /// Of a range that is known to have values: runs from the first to exactly the last, so nothing overflows.
    fn counted(&mut self, range: &Range, start: Value, end: Value, step: Option<Value>) -> Counter {
        let dtype = self.func.dtype(start);
        let one = self.int(dtype, 1);
        let step = match step {
            // A step that is not positive counts as 1.
            Some(step) => self.core(Op::Max, step, one),
            None => one,
        };
        let top = if range.inclusive {
            end
        } else {
            self.core(Op::Sub, end, one)
        };
        let reach = if self.same(step, one) {
            None
        } else {
            Some(self.reach(start, top, step))
        };
        let (first, last) = match (range.reversed, range.stepped_first) {
            (false, _) => (
                start,
                reach.map_or(top, |reach| self.core(Op::Add, start, reach)),
            ),
            (true, false) => (
                top,
                reach.map_or(start, |reach| self.core(Op::Sub, top, reach)),
            ),
            (true, true) => (
                reach.map_or(top, |reach| self.core(Op::Add, start, reach)),
                start,
            ),
        };
        let step = if range.reversed {
            self.any_op(ufc_ir::ops::AnyOp::Core(Op::Neg), &[step])[0]
        } else {
            step
        };
        Counter {
            local: range.local,
            first,
            before: None,
            pre_decrement: false,
            last: Some(last),
            step: Some(step),
        }
    }

    /// The largest multiple of the step that is not beyond the distance, which is unsigned.
    fn reach(&mut self, start: Value, top: Value, step: Value) -> Value {
        let dtype = self.func.dtype(start);
        let unsigned = dtype.bits_dtype().unwrap_or(DType::U64);
        let distance = self.core(Op::Sub, top, start);
        let distance = self.bitcast(distance, unsigned);
        let step = self.bitcast(step, unsigned);
        let count = self.core(Op::Div, distance, step);
        let reach = self.core(Op::Mul, count, step);
        self.bitcast(reach, dtype)
    }

    /// Variables of a loop: those it carries, and of these those read after it.
    fn loop_locals(&self, id: LoopId) -> (Vec<LocalId>, Vec<LocalId>) {
        let frame = self.frame();
        let index = id.0 as usize;
        let assigned = frame.analysis.loops[index].assigned.iter().copied();
        let carried: Vec<LocalId> = assigned
            .filter(|local| frame.env[local.0 as usize].is_some())
            .collect();
        let needed = carried
            .iter()
            .copied()
            .filter(|local| frame.analysis.is_needed(index, *local))
            .collect();
        (carried, needed)
    }

    pub(super) fn break_loop(&mut self, id: LoopId, given: Vec<Value>) {
        let target = Target::Break(self.frame().id, id);
        let mut values = self.values_of(&self.open[&target_key(target)].needed.clone());
        values.extend(given);
        self.jump(target, values);
    }

    pub(super) fn continue_loop(&mut self, id: LoopId) {
        let target = Target::Continue(self.frame().id, id);
        let values = self.values_of(&self.open[&target_key(target)].carried.clone());
        self.jump(target, values);
    }

    /// Leaves the loop when the condition does not hold.
    fn leave_unless(&mut self, id: LoopId, cond: Cond) {
        let exit = self.not(cond);
        if exit == Cond::Known(false) {
            return;
        }
        self.break_loop(id, Vec::new());
        if let Some(last) = self.exits.last_mut() {
            last.cond = exit;
        }
        self.dead = exit == Cond::Known(true);
    }

    fn turns(
        &mut self,
        id: LoopId,
        kind: &LoopKind,
        counter: Option<Counter>,
        body: ExprId,
        ty: &Type,
    ) -> Vec<Value> {
        let (carried, needed) = self.loop_locals(id);
        let frame = self.frame().id;
        let key = target_key(Target::Break(frame, id));
        self.open.insert(
            key,
            OpenLoop {
                carried: carried.clone(),
                needed: needed.clone(),
            },
        );
        let mut inits = self.values_of(&carried);
        inits.extend(counter.as_ref().map(|c| c.first));
        let region = self.func.add_region();
        let dtypes: Vec<DType> = inits.iter().map(|v| self.func.dtype(*v)).collect();
        let params: Vec<Value> = dtypes
            .iter()
            .map(|d| self.func.add_param(region, *d))
            .collect();
        let initial = self.values_of(&carried);
        self.set_all(&carried, &params);

        let outer_region = std::mem::replace(&mut self.region, region);
        let outer_exits = std::mem::take(&mut self.exits);
        self.open_loops += 1;
        self.region_depth += 1;
        let count = params.last().copied().filter(|_| counter.is_some());
        let mut next_count = self.turn(id, kind, counter.as_ref().zip(count), body);
        let always = self.dead;
        let mut next = if always {
            params.clone()
        } else {
            self.values_of(&carried)
        };
        if !always {
            next.extend(next_count.take());
        }
        let cond = self.alive();
        let cond = self.cond_value(cond);
        self.open_loops -= 1;
        self.region_depth -= 1;
        self.dead = false;
        let chain = std::mem::replace(&mut self.exits, outer_exits);
        self.open.remove(&key);
        self.end_loop(
            LoopEnd {
                id,
                frame,
                region,
                outer_region,
                inits,
                cond,
                next,
                chain,
                needed,
                carried,
                initial,
            },
            ty,
        )
    }

    /// One turn: the body between the tests. Gives the counter's next value.
    fn turn(
        &mut self,
        id: LoopId,
        kind: &LoopKind,
        counter: Option<(&Counter, Value)>,
        body: ExprId,
    ) -> Option<Value> {
        if let LoopKind::While(condition) = kind {
            let value = self.expr(*condition)[0];
            if !self.dead {
                let cond = self.cond(value);
                self.leave_unless(id, cond);
            }
        }
        let mut current = None;
        if let Some((counter, carried)) = counter {
            current = Some(self.before_turn(id, counter, carried));
        }
        if !self.dead {
            let cost = self.frame().analysis.costs[body.0 as usize];
            // Loops inside would guard themselves, each on its own.
            if cost == super::ENDLESS {
                self.guarded(&Type::unit(), |cx| cx.expr(body));
            } else {
                self.expr(body);
            }
        }
        self.resolve_continue(id);
        let (counter, current) = (counter?.0, current?);
        if self.dead {
            return None;
        }
        if let Some(last) = counter.last {
            let goes_on = self.core(Op::Ne, current, last);
            let cond = self.cond(goes_on);
            self.leave_unless(id, cond);
        }
        Some(match counter.step {
            Some(step) => self.core(Op::Add, current, step),
            None => current,
        })
    }

    /// Tests the range's end and sets the variable; gives its value.
    fn before_turn(&mut self, id: LoopId, counter: &Counter, carried: Value) -> Value {
        if let Some(bound) = &counter.before {
            let goes_on = self.core(bound.op, carried, bound.end);
            let cond = self.cond(goes_on);
            self.leave_unless(id, cond);
        }
        let mut value = carried;
        if counter.pre_decrement {
            let one = self.int(self.func.dtype(carried), 1);
            value = self.core(Op::Sub, carried, one);
        }
        if let Some(local) = counter.local {
            self.set(local, vec![value]);
        }
        value
    }

    /// Joins the turns that were cut short with those that came to the body's end.
    fn resolve_continue(&mut self, id: LoopId) {
        let target = Target::Continue(self.frame().id, id);
        let carried = self.open[&target_key(target)].carried.clone();
        let mut exits = self.take_exits(0, target);
        let mut values = if self.dead {
            match exits.pop() {
                Some(last) => last.values,
                None => return,
            }
        } else {
            self.values_of(&carried)
        };
        for exit in exits.into_iter().rev() {
            values = self.select_all(exit.cond, &exit.values, &values);
        }
        self.dead = false;
        self.set_all(&carried, &values);
    }

    /// Makes the loop, and turns the exits of its body into values and exits after it.
    fn end_loop(&mut self, end: LoopEnd, ty: &Type) -> Vec<Value> {
        let break_target = Target::Break(end.frame, end.id);
        let targets = Self::targets(&end.chain);
        let breaks = targets.contains(&break_target);
        let others: Vec<Target> = targets.into_iter().filter(|t| *t != break_target).collect();
        // A loop ends by an exit, so the last one needs no condition.
        let mut results = self.brought(&end.chain, break_target).unwrap_or_default();
        let own = results.len();
        let mut flags = Vec::new();
        for target in &others {
            let flag = if others.len() == 1 && !breaks {
                Cond::Known(true)
            } else {
                self.flag(&end.chain, *target, true)
            };
            if let Cond::Value(value) = flag {
                results.push(value);
            }
            let values = self.brought(&end.chain, *target).unwrap_or_default();
            flags.push((*target, flag, values.len()));
            results.extend(values);
        }
        let results = self.finish_loop(&end, results);
        self.set_all(&end.carried, &end.initial);
        let mut value = Vec::new();
        if breaks {
            let used = self.set_all(&end.needed, &results[..own]);
            value = results[used..own].to_vec();
        }
        let mut at = own;
        for (target, flag, count) in flags {
            let cond = match flag {
                Cond::Value(_) => {
                    at += 1;
                    self.cond(results[at - 1])
                }
                known @ Cond::Known(_) => known,
            };
            self.exits.push(Exit {
                target,
                cond,
                values: results[at..at + count].to_vec(),
            });
            at += count;
        }
        if breaks {
            return value;
        }
        // Without `break` the loop is only left for somewhere else, or never.
        if let Some(last) = self.exits.last_mut()
            && !others.is_empty()
        {
            last.cond = Cond::Known(true);
        }
        self.dead = true;
        self.zeros(ty)
    }

    /// Appends the loop; equal results are made once, and values from outside are used directly.
    fn finish_loop(&mut self, end: &LoopEnd, wanted: Vec<Value>) -> Vec<Value> {
        let inside: std::collections::HashSet<Value> = self.values_in(end.region);
        let mut results: Vec<Value> = Vec::new();
        for value in &wanted {
            if inside.contains(value)
                && self.func.constant(*value).is_none()
                && !results.contains(value)
            {
                results.push(*value);
            }
        }
        let dtypes: Vec<DType> = results.iter().map(|v| self.func.dtype(*v)).collect();
        let terminator = Terminator::ContinueIf {
            cond: end.cond,
            next: end.next.clone(),
            results: results.clone(),
        };
        self.func.regions[end.region].end = terminator;
        self.region = end.outer_region;
        let inst = self.builder().inst(
            InstKind::Loop { body: end.region },
            end.inits.clone(),
            &dtypes,
        );
        let made = self.func.insts[inst].results.clone();
        let mut values = Vec::new();
        for value in wanted {
            values.push(match results.iter().position(|r| *r == value) {
                Some(index) => made[index],
                None => match self.func.constant(value) {
                    Some(known) if inside.contains(&value) => self.constant(known),
                    _ => value,
                },
            });
        }
        values
    }

    /// The values defined directly in a region.
    fn values_in(&self, region: ufc_ir::func::Region) -> std::collections::HashSet<Value> {
        let data = &self.func.regions[region];
        let made = data
            .insts
            .iter()
            .flat_map(|inst| self.func.insts[*inst].results.iter());
        data.params.iter().chain(made).copied().collect()
    }
}

/// What lowering a loop's body gave.
struct LoopEnd {
    id: LoopId,
    frame: u32,
    region: ufc_ir::func::Region,
    outer_region: ufc_ir::func::Region,
    inits: Vec<Value>,
    cond: Value,
    next: Vec<Value>,
    chain: Vec<Exit>,
    needed: Vec<LocalId>,
    carried: Vec<LocalId>,
    initial: Vec<Value>,
}

/// A loop whose body is being lowered.
pub(super) struct OpenLoop {
    carried: Vec<LocalId>,
    needed: Vec<LocalId>,
}

fn target_key(target: Target) -> (u32, LoopId) {
    match target {
        Target::Break(frame, id) | Target::Continue(frame, id) => (frame, id),
        Target::Return(frame) => (frame, LoopId(u32::MAX)),
    }
}
