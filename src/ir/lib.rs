//! The intermediate representation: structured SSA over typed scalars. This page is the contract.
//!
//! # Functions
//! A [`Func`] is one kernel for one combination of dtypes, written for one element. Whatever has been inlined,
//! monomorphized or desugared has been so before: a function calls nothing but math functions of the table, and knows
//! no variables, arrays or pointers.
//!
//! # Values
//! A value has a dtype and is defined once: by an instruction, or as a parameter of a region. It never changes. A loop
//! is no exception: each turn has its own values. Every [`Const`] of a dtype is a value, NaNs and infinities included;
//! there are no undefined values.
//!
//! # Regions and control flow
//! A region is a list of instructions and a terminator. Regions nest, and control flow is nothing but nesting:
//!
//! - `if` has one argument, a bool, and two regions, of which it runs one. Its results are what that one yields.
//! - `loop` gives its arguments to its body as parameters and runs it. `continue_if c (next…) else (results…)` runs the
//!   body again, with `next` as its parameters, where `c` is true, and else ends the loop with these results. So
//!   the body runs at least once.
//!
//! A region sees what was defined before it in the regions around it, and its own values are seen nowhere else.
//!
//! # Evaluation
//! Instructions run in order, but nothing can tell: all are pure. They read no memory, write none, never trap, and have
//! a result for all arguments. So a pass may drop, repeat or move an operation, or run it where it would not have
//! been reached. Only a loop asks for care: it may never end, so it must not run where it was not meant to.
//! A loop whose results nobody needs may be dropped, even if it would not have ended.
//!
//! # What operations compute
//! The table in [`ops`] says it in a sentence, [`eval`] in code, for every dtype. In short:
//!
//! - Integers are two's complement and wrap. Division truncates; by zero it gives 0, and so does the remainder;
//!   `MIN / -1` is `MIN`. Shift amounts are taken modulo the width.
//! - f32 and f64 are IEEE 754, to nearest even, with subnormals. Nothing is fused, contracted or reassociated, unless the
//!   function's attributes allow it. f16 and bf16 are computed in f32 and rounded once.
//! - Any NaN that an operation gives may have any payload and sign, so a pass may change those; all else is exact to
//!   the bit, on every target. `bitcast` shows the bits that happen to be there.
//! - Comparisons with NaN are false, but for `ne`. `min` and `max` prefer the number, `minimum` and `maximum` the NaN; all
//!   four take -0 as less than +0.
//! - Conversions saturate from float to integer (NaN gives 0), round once to floats, and wrap between integers.
//! - Complex operations are the formulas of [`eval`], step by step.
//!
//! Math functions have no meaning here beyond their expansions, which are made of the core operations.
//!
//! # Lanes
//! The SPMD form, made by [`passes::spmd`], is the same IR read for many elements at once: every instruction is run for
//! all lanes, `any` is true in all lanes if its argument is in one, and all lanes agree on every condition. With one
//! lane it means what the scalar form means.
//!
//! # Forms
//! [`mod@text`] is for reading, [`bytes`] for keeping one function, [`package`] for a kernel with its loops. [`verify`] has the invariants in full, [`interp`] is the meaning.
//!
//! This crate knows no back end, no source language and no file system.

#[cfg(test)]
mod agreement;
pub mod builder;
pub mod bytes;
pub mod constant;
pub mod convert;
pub mod cost;
pub mod dtype;
pub mod entity;
pub mod eval;
pub mod func;
pub mod interp;
pub mod ops;
pub mod package;
pub mod passes;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod verify;

pub use constant::Const;
pub use dtype::{DType, Kind, TypeSet, Wgsl};
pub use func::Func;
pub use package::Package;
pub use verify::Verified;
