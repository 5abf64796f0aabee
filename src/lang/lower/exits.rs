//! Exits: what has become of `break`, `continue` and `return` in the current region.
//!
//! A region's exits form a chain in the order in which they happen: one is taken if its condition holds and none
//! before it was taken. So conditions need not exclude each other, and the last one of a region whose end is never
//! reached needs no condition at all.

use super::Lowering;
use super::emit::Cond;
use crate::hir::{LocalId, LoopId, Type};
use ufc_ir::func::Value;

/// Where an exit leads, with the number of the inlined function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Target {
    Break(u32, LoopId),
    Continue(u32, LoopId),
    Return(u32),
}

/// A jump that may be taken.
#[derive(Clone, Debug)]
pub(super) struct Exit {
    pub(super) target: Target,
    /// Whether it is taken, if none before it was.
    pub(super) cond: Cond,
    /// What the target needs: variables' values, then the value given.
    pub(super) values: Vec<Value>,
}

impl Lowering<'_> {
    /// Jumps: nothing after this is reached.
    pub(super) fn jump(&mut self, target: Target, values: Vec<Value>) {
        self.exits.push(Exit {
            target,
            cond: Cond::Known(true),
            values,
        });
        self.dead = true;
    }

    /// The current values of variables, one after the other.
    pub(super) fn values_of(&mut self, locals: &[LocalId]) -> Vec<Value> {
        locals.iter().flat_map(|local| self.get(*local)).collect()
    }

    /// Sets variables to values that stand one after the other; gives how many were used.
    pub(super) fn set_all(&mut self, locals: &[LocalId], values: &[Value]) -> usize {
        let mut at = 0;
        for local in locals {
            let width = self.frame().body.local(*local).ty.width();
            self.set(*local, values[at..at + width].to_vec());
            at += width;
        }
        at
    }

    /// Whether the end of the current region's code so far is reached: no exit was taken.
    pub(super) fn alive(&mut self) -> Cond {
        if self.dead {
            return Cond::Known(false);
        }
        let conds: Vec<Cond> = self.exits.iter().map(|exit| exit.cond).collect();
        let mut alive = Cond::Known(true);
        for cond in conds {
            let not = self.not(cond);
            alive = self.and(alive, not);
        }
        alive
    }

    /// Takes the exits that lead to `target` out of the chain from `first` on, keeping the others right.
    pub(super) fn take_exits(&mut self, first: usize, target: Target) -> Vec<Exit> {
        let chain = self.exits.split_off(first);
        let mut taken: Vec<Exit> = Vec::new();
        for mut exit in chain {
            if exit.target == target {
                taken.push(exit);
                continue;
            }
            for before in &taken {
                let not = self.not(before.cond);
                exit.cond = self.and(exit.cond, not);
            }
            self.exits.push(exit);
        }
        taken
    }

    /// The result of an inlined function: the value at its end, or that of the first `return` taken.
    pub(super) fn returned(
        &mut self,
        frame: u32,
        first: usize,
        value: Vec<Value>,
        ty: &Type,
    ) -> Vec<Value> {
        let mut returns = self.take_exits(first, Target::Return(frame));
        let mut result = if self.dead {
            match returns.pop() {
                Some(last) => last.values,
                // The function never ends.
                None => return self.zeros(ty),
            }
        } else {
            value
        };
        for exit in returns.into_iter().rev() {
            result = self.select_all(exit.cond, &exit.values, &result);
        }
        self.dead = false;
        result
    }

    pub(super) fn select_all(&mut self, cond: Cond, a: &[Value], b: &[Value]) -> Vec<Value> {
        a.iter()
            .zip(b)
            .map(|(a, b)| self.select(cond, *a, *b))
            .collect()
    }

    /// The distinct targets of a chain, in order.
    pub(super) fn targets(chain: &[Exit]) -> Vec<Target> {
        let mut targets = Vec::new();
        for exit in chain {
            if !targets.contains(&exit.target) {
                targets.push(exit.target);
            }
        }
        targets
    }

    /// Whether the exit taken from a chain leads to `target`. `always`: whether one is taken for certain.
    pub(super) fn flag(&mut self, chain: &[Exit], target: Target, always: bool) -> Cond {
        let (mut flag, rest) = match chain.split_last() {
            Some((last, rest)) if always => (Cond::Known(last.target == target), rest),
            _ => (Cond::Known(false), chain),
        };
        for exit in rest.iter().rev() {
            flag = if exit.target == target {
                self.or(exit.cond, flag)
            } else {
                let not = self.not(exit.cond);
                self.and(not, flag)
            };
        }
        flag
    }

    /// The values that the exit taken from a chain brings to `target`; only looked at if it leads there.
    pub(super) fn brought(&mut self, chain: &[Exit], target: Target) -> Option<Vec<Value>> {
        let mut values: Option<Vec<Value>> = None;
        for exit in chain.iter().rev().filter(|exit| exit.target == target) {
            values = Some(match values {
                Some(later) => self.select_all(exit.cond, &exit.values, &later),
                None => exit.values.clone(),
            });
        }
        values
    }
}
