//! The untyped tree that the parser makes.
//!
//! Expressions live in one arena and name each other by [`ExprId`]: dropping a tree never recurses, and long chains
//! of operators, which lean to the left, are walked without recursion by those who need to.

use crate::span::Span;
use std::ops::Index;

/// A parsed source.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Module {
    /// The `//!` lines.
    pub docs: String,
    /// Functions in order.
    pub functions: Vec<Function>,
    /// Constants in order.
    pub constants: Vec<Constant>,
    exprs: Vec<Expr>,
}

/// Names an expression of a [`Module`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(u32);

impl Module {
    /// Adds an expression.
    pub fn add(&mut self, kind: ExprKind, span: Span) -> ExprId {
        self.exprs.push(Expr { kind, span });
        ExprId(self.exprs.len() as u32 - 1)
    }

    /// All expressions, in the order in which they were finished.
    pub fn exprs(&self) -> impl Iterator<Item = (ExprId, &Expr)> {
        self.exprs
            .iter()
            .enumerate()
            .map(|(i, expr)| (ExprId(i as u32), expr))
    }

    /// The expressions with numbers in this range, as a function's or constant's are.
    pub fn exprs_in(&self, range: &std::ops::Range<u32>) -> &[Expr] {
        self.exprs
            .get(range.start as usize..range.end as usize)
            .unwrap_or_default()
    }

    /// How many expressions there are; ids made later are not below it.
    pub fn expr_count(&self) -> u32 {
        self.exprs.len() as u32
    }
}

impl ExprId {
    /// Its number.
    pub const fn index(self) -> u32 {
        self.0
    }
}

impl Index<ExprId> for Module {
    type Output = Expr;
    fn index(&self, id: ExprId) -> &Expr {
        &self.exprs[id.0 as usize]
    }
}

/// A name and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Name {
    /// The name.
    pub text: String,
    /// Its place.
    pub span: Span,
}

/// `fn name<T: Bound>(params) -> result { body }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    /// The `///` lines.
    pub docs: String,
    /// Attributes in order.
    pub attrs: Vec<Attr>,
    /// Whether it is a kernel.
    pub is_pub: bool,
    /// Its name.
    pub name: Name,
    /// Type parameters.
    pub generics: Vec<Generic>,
    /// Value parameters.
    pub params: Vec<Param>,
    /// What stands after `->`.
    pub result: Option<TypeExpr>,
    /// The body; none after a syntax error.
    pub body: Option<ExprId>,
    /// From `fn` to the end of the signature.
    pub span: Span,
    /// Its expressions are those with numbers in this range.
    pub exprs: std::ops::Range<u32>,
}

/// `const NAME: T = value;`.
#[derive(Clone, Debug, PartialEq)]
pub struct Constant {
    /// The `///` lines.
    pub docs: String,
    /// Its name.
    pub name: Name,
    /// Its type.
    pub ty: TypeExpr,
    /// Its value.
    pub value: ExprId,
    /// Its expressions are those with numbers in this range.
    pub exprs: std::ops::Range<u32>,
}

/// `T: Bound`.
#[derive(Clone, Debug, PartialEq)]
pub struct Generic {
    /// The type parameter.
    pub name: Name,
    /// The bounds, all of which hold.
    pub bounds: Vec<Name>,
}

/// `pattern: type`.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// What the value is bound to.
    pub pattern: Pattern,
    /// Its type.
    pub ty: TypeExpr,
}

/// An attribute `#[…]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Attr {
    /// Its name.
    pub name: Name,
    /// What it says.
    pub kind: AttrKind,
    /// All of it.
    pub span: Span,
}

/// What an attribute says.
#[derive(Clone, Debug, PartialEq)]
pub enum AttrKind {
    /// `#[identity(value)]`.
    Identity(ExprId),
    /// `#[fast_math]`.
    FastMath,
    /// `#[test_case(args => expected, ulp = n)]`.
    TestCase {
        /// Arguments in order.
        args: Vec<ExprId>,
        /// The result, a tuple if there are several.
        expected: ExprId,
        /// How far from it the answer may be.
        ulp: u32,
    },
    /// `#[bench(name = text, …)]`.
    Bench(Vec<Workload>),
    /// Reported already.
    Error,
}

/// What one argument of a kernel is in a benchmark.
#[derive(Clone, Debug, PartialEq)]
pub struct Workload {
    /// The argument.
    pub name: Name,
    /// The workload, such as `linspace(0.0, 1.0, 100)[:,None]`, without spaces that do not matter.
    pub text: String,
    /// Where the text stands.
    pub span: Span,
}

/// A type as written.
#[derive(Clone, Debug, PartialEq)]
pub struct TypeExpr {
    /// What it is.
    pub kind: TypeKind,
    /// Where it stands.
    pub span: Span,
}

/// What a type is.
#[derive(Clone, Debug, PartialEq)]
pub enum TypeKind {
    /// A dtype or a type parameter.
    Name(String),
    /// `(A, B)`; `()` has no members.
    Tuple(Vec<TypeExpr>),
    /// `_`.
    Infer,
    /// Reported already.
    Error,
}

/// A pattern of `let`, `for` or a parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Pattern {
    /// What it is.
    pub kind: PatternKind,
    /// Where it stands.
    pub span: Span,
}

/// What a pattern is.
#[derive(Clone, Debug, PartialEq)]
pub enum PatternKind {
    /// `name` or `mut name`.
    Bind {
        /// The variable.
        name: String,
        /// Whether it may be assigned.
        mutable: bool,
    },
    /// `_`.
    Ignore,
    /// `(a, b)`.
    Tuple(Vec<Pattern>),
    /// Reported already.
    Error,
}

/// An expression.
#[derive(Clone, Debug, PartialEq)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands.
    pub span: Span,
}

/// `{ statements; tail }`.
#[derive(Clone, Debug, PartialEq)]
pub struct Block {
    /// Statements in order.
    pub stmts: Vec<Stmt>,
    /// The value.
    pub tail: Option<ExprId>,
    /// From brace to brace.
    pub span: Span,
    /// Whether something inside could not be read, so that a missing value says nothing.
    pub broken: bool,
}

/// A statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Stmt {
    /// `let pattern: type = value;`.
    Let {
        /// What the value is bound to.
        pattern: Pattern,
        /// Its type, where written.
        ty: Option<TypeExpr>,
        /// The value.
        value: ExprId,
    },
    /// An expression whose value is dropped.
    Expr(ExprId),
}

/// A path such as `x` or `f32::PI`, with type arguments where written: `sq::<f32>`.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// One or two names.
    pub names: Vec<Name>,
    /// Between `::<` and `>`.
    pub types: Vec<TypeExpr>,
}

impl Path {
    /// The one name of a path without `::`.
    pub fn single(&self) -> Option<&Name> {
        match &self.names[..] {
            [name] => Some(name),
            _ => None,
        }
    }
}

/// What an expression is.
#[derive(Clone, Debug, PartialEq)]
pub enum ExprKind {
    /// A number as written, with its suffix.
    Number {
        /// The text.
        text: String,
        /// Whether it has a point, an exponent or a float suffix.
        float: bool,
    },
    /// `true` or `false`.
    Bool(bool),
    /// A name.
    Path(Path),
    /// `-x` or `!x`.
    Unary {
        /// The operator.
        op: UnaryOp,
        /// What it works on.
        operand: ExprId,
    },
    /// `a + b`.
    Binary {
        /// The operator.
        op: BinaryOp,
        /// Where the operator stands.
        op_span: Span,
        /// Left side.
        lhs: ExprId,
        /// Right side.
        rhs: ExprId,
    },
    /// `x as T`.
    Cast {
        /// The value.
        operand: ExprId,
        /// The type to convert to.
        ty: TypeExpr,
    },
    /// `f(args)`.
    Call {
        /// The function.
        path: Path,
        /// Arguments in order.
        args: Vec<ExprId>,
    },
    /// `x.f(args)`.
    Method {
        /// The first argument.
        receiver: ExprId,
        /// The function.
        name: Name,
        /// The other arguments.
        args: Vec<ExprId>,
    },
    /// `x.re`, `pair.0`.
    Field {
        /// The value.
        base: ExprId,
        /// The field.
        name: Name,
    },
    /// `(a, b)`; `()` has no members.
    Tuple(Vec<ExprId>),
    /// `{ … }`.
    Block(Block),
    /// `if a { … } else if b { … } else { … }`.
    If {
        /// Conditions and what to do.
        arms: Vec<(ExprId, Block)>,
        /// The last `else`.
        otherwise: Option<Block>,
    },
    /// `loop`, `while` or `for`.
    Loop {
        /// `'name:` before it.
        label: Option<Name>,
        /// Which loop it is.
        kind: LoopKind,
        /// What it repeats.
        body: Block,
    },
    /// `a..b` or `a..=b`.
    Range {
        /// First value.
        start: ExprId,
        /// Last value, or the one after.
        end: ExprId,
        /// Whether `end` belongs to it.
        inclusive: bool,
    },
    /// `break 'label value`.
    Break {
        /// The loop, if not the innermost.
        label: Option<Name>,
        /// The loop's value.
        value: Option<ExprId>,
    },
    /// `continue 'label`.
    Continue {
        /// The loop, if not the innermost.
        label: Option<Name>,
    },
    /// `return value`.
    Return(Option<ExprId>),
    /// `place = value` or `place += value`.
    Assign {
        /// The operator before `=`.
        op: Option<BinaryOp>,
        /// Where the operator stands.
        op_span: Span,
        /// What is assigned.
        place: ExprId,
        /// The new value.
        value: ExprId,
    },
    /// Reported already.
    Error,
}

/// Which loop it is.
#[derive(Clone, Debug, PartialEq)]
pub enum LoopKind {
    /// `loop`.
    Forever,
    /// `while condition`.
    While(ExprId),
    /// `for pattern in range`.
    For {
        /// What each value is bound to.
        pattern: Pattern,
        /// A range, perhaps with `.rev()` and `.step_by(n)`.
        range: ExprId,
    },
}

/// `-` or `!`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnaryOp {
    /// `-`.
    Neg,
    /// `!`.
    Not,
}

impl UnaryOp {
    /// The sign.
    pub const fn sign(self) -> &'static str {
        match self {
            UnaryOp::Neg => "-",
            UnaryOp::Not => "!",
        }
    }
}

macro_rules! define_binary_ops {
    ($($variant:ident $sign:literal $token:ident $level:literal $assign:tt,)*) => {
        /// An operator with two sides.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum BinaryOp { $(#[doc = concat!("`", $sign, "`.")] $variant,)* }

        impl BinaryOp {
            /// The sign.
            pub const fn sign(self) -> &'static str {
                match self { $(BinaryOp::$variant => $sign,)* }
            }

            /// How tightly it binds: the higher, the tighter.
            pub const fn level(self) -> u8 {
                match self { $(BinaryOp::$variant => $level,)* }
            }

            /// The operator that this token is.
            pub fn from_token(kind: crate::token::TokenKind) -> Option<BinaryOp> {
                match kind { $(crate::token::TokenKind::$token => Some(BinaryOp::$variant),)* _ => None }
            }

            /// The operator before the `=` of an assigning token.
            pub fn from_assign(kind: crate::token::TokenKind) -> Option<BinaryOp> {
                $(define_binary_ops!(@assign kind $variant $assign);)*
                None
            }
        }
    };
    (@assign $kind:ident $variant:ident -) => {};
    (@assign $kind:ident $variant:ident $token:ident) => {
        if $kind == crate::token::TokenKind::$token {
            return Some(BinaryOp::$variant);
        }
    };
}

define_binary_ops! {
    Or     "||" OrOr    1 -,
    And    "&&" AndAnd  2 -,
    Eq     "==" EqEq    3 -,
    Ne     "!=" NotEq   3 -,
    Lt     "<"  Lt      3 -,
    Le     "<=" LtEq    3 -,
    Gt     ">"  Gt      3 -,
    Ge     ">=" GtEq    3 -,
    BitOr  "|"  Or      4 OrEq,
    BitXor "^"  Caret   5 CaretEq,
    BitAnd "&"  And     6 AndEq,
    Shl    "<<" Shl     7 ShlEq,
    Shr    ">>" Shr     7 ShrEq,
    Add    "+"  Plus    8 PlusEq,
    Sub    "-"  Minus   8 MinusEq,
    Mul    "*"  Star    9 StarEq,
    Div    "/"  Slash   9 SlashEq,
    Rem    "%"  Percent 9 PercentEq,
}

impl BinaryOp {
    /// The level of the comparisons, which do not chain.
    pub const COMPARISON: u8 = 3;

    /// Whether it compares.
    pub const fn is_comparison(self) -> bool {
        self.level() == BinaryOp::COMPARISON
    }

    /// Whether it shifts.
    pub const fn is_shift(self) -> bool {
        matches!(self, BinaryOp::Shl | BinaryOp::Shr)
    }

    /// Whether the right side is evaluated only if the left side does not decide.
    pub const fn is_short_circuit(self) -> bool {
        matches!(self, BinaryOp::And | BinaryOp::Or)
    }
}
