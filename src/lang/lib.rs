//! The front end: kernel text to IR.
//!
//! ```
//! let source = "pub fn axpy(a: f32, x: f32, y: f32) -> f32 { a * x + y }";
//! let (module, diagnostics) = ufc_lang::check(source);
//! assert!(diagnostics.is_empty());
//! let func = module.lower("axpy", &[]).unwrap();
//! assert_eq!(func.param_names, ["a", "x", "y"]);
//! ```
//!
//! The way of a source: [`lexer`] and [`parser`] make an [`ast`], [`resolve`] finds what names mean, the type checker
//! makes a [`hir`] for each choice of a function's type parameters, and lowering makes IR of that, everything inlined.
//! Nothing here prints, reads files or panics on a user's text: all findings are [`diag::Diagnostic`]s, each with a
//! code from [`codes`].

pub mod ast;
pub mod codes;
pub mod diag;
pub mod dump;
pub mod hir;
pub mod lexer;
pub mod literal;
mod lower;
mod module;
mod package;
pub mod parser;
pub mod resolve;
mod signature;
pub mod span;
pub mod token;
mod typeck;

pub use codes::Code;
pub use diag::{Diagnostic, Fix, Label, Severity};
pub use module::{
    Kernel, KernelGeneric, KernelParam, Module, TestCase, check, check_expr, check_parsed, parse,
};
pub use signature::{MAX_OPERANDS, MAX_PARAMS, ParamType};
pub use span::Span;
pub use typeck::promote::promote;

#[cfg(test)]
mod tests;
