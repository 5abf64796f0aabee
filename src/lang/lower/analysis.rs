//! What lowering wants to know of a body beforehand: what expressions cost, and what loops assign and read.

use crate::hir::{Binding, Body, ExprId, ExprKind, LocalId, LoopKind, Stmt};
use std::collections::HashMap;
use ufc_ir::ops::{AnyOp, Op};

/// The cost of something that must not be run when it is not asked for, since it might not end.
pub(super) const ENDLESS: u32 = u32::MAX;

/// Facts about a body.
#[derive(Debug, Default)]
pub(super) struct Analysis {
    /// About what each expression costs, in simple operations.
    pub(super) costs: Vec<u32>,
    /// Whether an expression jumps or assigns, so that it matters whether it is evaluated.
    pub(super) effects: Vec<bool>,
    /// By number of the loop.
    pub(super) loops: Vec<LoopFacts>,
    /// How often each variable is read.
    reads: Vec<u32>,
    /// How many loops are around each variable's declaration.
    depths: Vec<usize>,
}

/// Facts about one loop.
#[derive(Debug, Default, Clone)]
pub(super) struct LoopFacts {
    /// Variables assigned in it, in order.
    pub(super) assigned: Vec<LocalId>,
    reads: HashMap<LocalId, u32>,
    /// How many loops are around it.
    depth: usize,
}

impl Analysis {
    /// Whether a variable's value after a loop may be read.
    pub(super) fn is_needed(&self, loop_index: usize, local: LocalId) -> bool {
        let facts = &self.loops[loop_index];
        let all = self.reads[local.0 as usize];
        let inside = facts.reads.get(&local).copied().unwrap_or(0);
        all > inside || (all > 0 && self.depths[local.0 as usize] < facts.depth)
    }
}

/// Analyzes a body; `call_cost` gives the cost of a called function.
pub(super) fn analyze(body: &Body, call_cost: impl FnMut(&ExprKind) -> u32) -> Analysis {
    let mut analysis = Analysis {
        loops: vec![LoopFacts::default(); body.loops as usize],
        reads: vec![0; body.locals.len()],
        depths: vec![0; body.locals.len()],
        ..Analysis::default()
    };
    costs(body, &mut analysis, call_cost);
    walk_loops(body, &mut analysis);
    analysis
}

/// Operands stand before what uses them, so one sweep does.
fn costs(body: &Body, analysis: &mut Analysis, mut call_cost: impl FnMut(&ExprKind) -> u32) {
    for expr in &body.exprs {
        let own = match &expr.kind {
            ExprKind::Op(op, _) => {
                op_cost(*op, expr.ty.flat().first().is_some_and(|d| d.is_complex()))
            }
            ExprKind::IntPower(..) => 8,
            ExprKind::Call(..) => call_cost(&expr.kind),
            ExprKind::Loop(..) => ENDLESS,
            ExprKind::Convert(_) | ExprKind::And(..) | ExprKind::Or(..) | ExprKind::If(..) => 1,
            _ => 0,
        };
        let mut cost = own;
        let mut effects = matches!(
            expr.kind,
            ExprKind::Break(..)
                | ExprKind::Continue(_)
                | ExprKind::Return(_)
                | ExprKind::Assign(..)
        );
        children(&expr.kind, &mut |child| {
            cost = cost.saturating_add(analysis.costs[child.0 as usize]);
            effects |= analysis.effects[child.0 as usize];
        });
        analysis.costs.push(cost);
        analysis.effects.push(effects);
    }
}

fn op_cost(op: AnyOp, complex: bool) -> u32 {
    let cost = match op {
        AnyOp::Core(Op::Div | Op::Rem | Op::Sqrt) => 6,
        AnyOp::Core(_) => 1,
        AnyOp::Math(_) => 20,
    };
    if complex { cost * 4 } else { cost }
}

/// Calls `f` with the expressions directly inside one.
pub(super) fn children(kind: &ExprKind, f: &mut impl FnMut(ExprId)) {
    match kind {
        ExprKind::Const(_) | ExprKind::Local(_) | ExprKind::Index(_) | ExprKind::Continue(_) => {}
        ExprKind::Op(_, args) | ExprKind::Tuple(args) | ExprKind::Call(_, _, args) => {
            args.iter().for_each(|a| f(*a))
        }
        ExprKind::Convert(a)
        | ExprKind::Bitcast(a)
        | ExprKind::IntPower(a, _)
        | ExprKind::Part(a, ..)
        | ExprKind::Assign(_, a) => f(*a),
        ExprKind::And(a, b) | ExprKind::Or(a, b) => {
            f(*a);
            f(*b);
        }
        ExprKind::If(condition, then, otherwise) => {
            f(*condition);
            f(*then);
            otherwise.iter().for_each(|e| f(*e));
        }
        ExprKind::Block(stmts, tail) => {
            for stmt in stmts {
                match stmt {
                    Stmt::Let(_, value) | Stmt::Expr(value) => f(*value),
                }
            }
            tail.iter().for_each(|e| f(*e));
        }
        ExprKind::Loop(_, kind, body) => {
            match kind {
                LoopKind::Forever => {}
                LoopKind::While(condition) => f(*condition),
                LoopKind::For(range) => {
                    f(range.start);
                    f(range.end);
                    range.step.iter().for_each(|e| f(*e));
                }
            }
            f(*body);
        }
        ExprKind::Break(_, value) | ExprKind::Return(value) => value.iter().for_each(|e| f(*e)),
    }
}

enum Step {
    Enter(ExprId),
    Leave,
}

/// Notes reads, assignments and declarations by the loops around them, with a stack of its own: chains may be long.
fn walk_loops(body: &Body, analysis: &mut Analysis) {
    let mut around: Vec<usize> = Vec::new();
    let mut steps = vec![Step::Enter(body.root)];
    while let Some(step) = steps.pop() {
        let Step::Enter(id) = step else {
            around.pop();
            continue;
        };
        let kind = &body.expr(id).kind;
        match kind {
            ExprKind::Local(local) => {
                analysis.reads[local.0 as usize] += 1;
                for l in &around {
                    *analysis.loops[*l].reads.entry(*local).or_default() += 1;
                }
            }
            ExprKind::Assign(binding, _) => locals_of(binding, &mut |local| {
                for l in &around {
                    if !analysis.loops[*l].assigned.contains(&local) {
                        analysis.loops[*l].assigned.push(local);
                    }
                }
            }),
            ExprKind::Block(stmts, _) => {
                for stmt in stmts {
                    if let Stmt::Let(binding, _) = stmt {
                        locals_of(binding, &mut |local| {
                            analysis.depths[local.0 as usize] = around.len()
                        });
                    }
                }
            }
            _ => {}
        }
        if let ExprKind::Loop(id, kind, _) = kind {
            let index = id.0 as usize;
            analysis.loops[index].depth = around.len();
            around.push(index);
            if let LoopKind::For(crate::hir::Range {
                local: Some(local), ..
            }) = kind
            {
                analysis.depths[local.0 as usize] = around.len();
            }
            steps.push(Step::Leave);
        }
        let first = steps.len();
        children(kind, &mut |child| steps.push(Step::Enter(child)));
        // What is assigned is noted in the order of the source.
        steps[first..].reverse();
    }
}

/// Calls `f` with every variable of a binding.
pub(super) fn locals_of(binding: &Binding, f: &mut impl FnMut(LocalId)) {
    match binding {
        Binding::Local(local) | Binding::Part(local, ..) => f(*local),
        Binding::Ignore(_) => {}
        Binding::Tuple(parts) => parts.iter().for_each(|part| locals_of(part, f)),
    }
}
