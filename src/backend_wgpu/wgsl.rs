//! A small tree of WGSL, and its printer.
//!
//! Operands of an expression are atoms, so that no expression is deeper than one operation: naga's front end recurses,
//! and text that nests too deep would end the process.

use std::fmt::{self, Write as _};

/// A name or a literal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Atom(pub(crate) String);

impl fmt::Display for Atom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One operation on atoms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expr {
    /// The atom itself.
    Atom(Atom),
    /// A prefix operator.
    Unary(&'static str, Atom),
    /// An infix operator.
    Binary(&'static str, Atom, Atom),
    /// The complement of an infix operation: `!(a == b)`.
    Not(&'static str, Atom, Atom),
    /// A call of a function or a value constructor.
    Call(String, Vec<Atom>),
    /// A member, such as `.x`.
    Member(Atom, &'static str),
}

/// A statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stmt {
    /// `let name = expr;`
    Let(String, Expr),
    /// `var name: type = init;`
    Var(String, &'static str, Option<Atom>),
    /// `place = expr;`
    Set(String, Expr),
    /// `if (cond) { … } else { … }`
    If(Atom, Vec<Stmt>, Vec<Stmt>),
    /// `loop { … }`, left by `break`.
    Loop(Vec<Stmt>),
    /// `break;`
    Break,
    /// `return type(values…);`
    Return(Expr),
}

/// The statements as text, indented by so many steps.
pub(crate) fn print(stmts: &[Stmt], depth: usize, out: &mut String) {
    for stmt in stmts {
        let _ = write!(out, "{:1$}", "", depth * 4);
        match stmt {
            Stmt::Let(name, expr) => {
                let _ = writeln!(out, "let {name} = {expr};");
            }
            Stmt::Var(name, ty, Some(init)) => {
                let _ = writeln!(out, "var {name}: {ty} = {init};");
            }
            Stmt::Var(name, ty, None) => {
                let _ = writeln!(out, "var {name}: {ty};");
            }
            Stmt::Set(place, expr) => {
                let _ = writeln!(out, "{place} = {expr};");
            }
            Stmt::If(cond, then, otherwise) => {
                let _ = writeln!(out, "if ({cond}) {{");
                print(then, depth + 1, out);
                if !otherwise.is_empty() {
                    let _ = writeln!(out, "{:1$}}} else {{", "", depth * 4);
                    print(otherwise, depth + 1, out);
                }
                let _ = writeln!(out, "{:1$}}}", "", depth * 4);
            }
            Stmt::Loop(body) => {
                out.push_str("loop {\n");
                print(body, depth + 1, out);
                let _ = writeln!(out, "{:1$}}}", "", depth * 4);
            }
            Stmt::Break => out.push_str("break;\n"),
            Stmt::Return(expr) => {
                let _ = writeln!(out, "return {expr};");
            }
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Atom(a) => write!(f, "{a}"),
            Expr::Unary(op, a) => write!(f, "{op}{a}"),
            Expr::Binary(op, a, b) => write!(f, "{a} {op} {b}"),
            Expr::Not(op, a, b) => write!(f, "!({a} {op} {b})"),
            Expr::Call(name, args) => {
                write!(f, "{name}(")?;
                for (i, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
            Expr::Member(a, member) => write!(f, "{a}.{member}"),
        }
    }
}

/// Calls `f` with the name of every function that the statements call.
pub(crate) fn each_call<'s>(stmts: &'s [Stmt], f: &mut impl FnMut(&'s str)) {
    for stmt in stmts {
        match stmt {
            Stmt::Let(_, Expr::Call(name, _))
            | Stmt::Set(_, Expr::Call(name, _))
            | Stmt::Return(Expr::Call(name, _)) => f(name),
            Stmt::If(_, a, b) => {
                each_call(a, f);
                each_call(b, f);
            }
            Stmt::Loop(body) => each_call(body, f),
            _ => {}
        }
    }
}
