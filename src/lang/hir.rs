//! The typed tree: one function body for one choice of its type parameters, every expression with its type.

use crate::resolve::Item;
use crate::span::Span;
use std::fmt;
use std::sync::Arc;
use ufc_ir::ops::AnyOp;
use ufc_ir::{Const, DType};

/// The type of an expression.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Type {
    /// A number or bool.
    Scalar(DType),
    /// Several values; none at all is `()`.
    Tuple(Arc<[Type]>),
}

impl Type {
    /// `()`.
    pub fn unit() -> Type {
        Type::Tuple(Arc::new([]))
    }

    /// The dtypes of its numbers, from left to right.
    pub fn flat(&self) -> Vec<DType> {
        match self {
            Type::Scalar(dtype) => vec![*dtype],
            Type::Tuple(members) => members.iter().flat_map(Type::flat).collect(),
        }
    }

    /// How many numbers it has.
    pub fn width(&self) -> usize {
        match self {
            Type::Scalar(_) => 1,
            Type::Tuple(members) => members.iter().map(Type::width).sum(),
        }
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Scalar(dtype) => write!(f, "{dtype}"),
            Type::Tuple(members) => {
                let names: Vec<String> = members.iter().map(Type::to_string).collect();
                let comma = if names.len() == 1 { "," } else { "" };
                write!(f, "({}{comma})", names.join(", "))
            }
        }
    }
}

/// Number of an expression of a [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(pub(crate) u32);

/// Number of a variable of a [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalId(pub(crate) u32);

/// Number of a loop of a [`Body`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LoopId(pub(crate) u32);

/// A checked function body.
#[derive(Clone, Debug)]
pub struct Body {
    /// Expressions; operands come before what uses them.
    pub exprs: Vec<Expr>,
    /// Variables.
    pub locals: Vec<Local>,
    /// Parameters in order.
    pub params: Vec<(Binding, Type)>,
    /// The value.
    pub root: ExprId,
    /// Its type.
    pub result: Type,
    /// How many loops there are.
    pub loops: u32,
}

impl Body {
    /// An expression.
    pub fn expr(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }

    /// A variable.
    pub fn local(&self, id: LocalId) -> &Local {
        &self.locals[id.0 as usize]
    }
}

/// A variable.
#[derive(Clone, Debug)]
pub struct Local {
    /// Its name.
    pub name: String,
    /// Its type.
    pub ty: Type,
}

/// What the numbers of a value are bound or assigned to.
#[derive(Clone, Debug, PartialEq)]
pub enum Binding {
    /// A variable.
    Local(LocalId),
    /// A part of a variable: `.1` numbers from number `.2` on, from left to right.
    Part(LocalId, usize, usize),
    /// Nothing; so many numbers are dropped.
    Ignore(usize),
    /// Parts of a tuple.
    Tuple(Vec<Binding>),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it does.
    pub kind: ExprKind,
    /// The type of its value.
    pub ty: Type,
    /// Where it stands.
    pub span: Span,
}

/// What an expression does.
#[derive(Clone, Debug)]
pub enum ExprKind {
    /// A number or bool.
    Const(Const),
    /// A variable's value.
    Local(LocalId),
    /// An operation of the table.
    Op(AnyOp, Vec<ExprId>),
    /// Conversion to the expression's type.
    Convert(ExprId),
    /// The same bits as the expression's type.
    Bitcast(ExprId),
    /// An integer to a constant power.
    IntPower(ExprId, u32),
    /// `a && b`.
    And(ExprId, ExprId),
    /// `a || b`.
    Or(ExprId, ExprId),
    /// Position of the element.
    Index(Option<u8>),
    /// Several values.
    Tuple(Vec<ExprId>),
    /// Numbers of a value: so many from this one on.
    Part(ExprId, usize, usize),
    /// A function or constant of the file, at these types.
    Call(Item, Vec<DType>, Vec<ExprId>),
    /// A choice.
    If(ExprId, ExprId, Option<ExprId>),
    /// Statements and a value.
    Block(Vec<Stmt>, Option<ExprId>),
    /// A loop.
    Loop(LoopId, LoopKind, ExprId),
    /// Leaves a loop.
    Break(LoopId, Option<ExprId>),
    /// Starts a loop's next turn.
    Continue(LoopId),
    /// Leaves the function.
    Return(Option<ExprId>),
    /// Sets variables.
    Assign(Binding, ExprId),
}

/// Which loop it is.
#[derive(Clone, Debug)]
pub enum LoopKind {
    /// Until `break`.
    Forever,
    /// While the condition holds.
    While(ExprId),
    /// Over a range.
    For(Range),
}

/// The values a `for` loop runs over.
#[derive(Clone, Debug)]
pub struct Range {
    /// The variable, unless it is `_`.
    pub local: Option<LocalId>,
    /// The lower bound.
    pub start: ExprId,
    /// The upper bound.
    pub end: ExprId,
    /// Whether the upper bound belongs to it.
    pub inclusive: bool,
    /// Whether it runs downwards.
    pub reversed: bool,
    /// The distance between values, if not 1.
    pub step: Option<ExprId>,
    /// Whether the steps are counted from the lower bound although it runs downwards: `.step_by(n).rev()`.
    pub stepped_first: bool,
}

/// A statement.
#[derive(Clone, Debug)]
pub enum Stmt {
    /// Gives variables their first value.
    Let(Binding, ExprId),
    /// Evaluates and drops.
    Expr(ExprId),
}
