//! The C interface of ufc, a file for each section of `include/ufc.h`.
//!
//! Every function is an entry guarded by `panic::entry`: no panic leaves it, and the caller's floating-point
//! environment is as before. Objects are held by callers through handles that are checked on every use
//! ([`handle`]); structs begin with their size ([`abi`]). The comments of public items are written for readers of
//! the header, which cbindgen makes of them; `docs/c.md` tells the whole.

#![allow(
    non_camel_case_types,
    clippy::missing_safety_doc,
    reason = "public items are written as C programs see them"
)]

#[cfg(not(target_pointer_width = "64"))]
compile_error!("handles of the C interface have 64 bits");

pub mod abi;
pub mod array;
pub mod arrow;
pub mod diagnostics;
pub mod dlpack;
pub mod error;
pub mod handle;
pub mod kernel_loop;
pub mod module;
mod panic;
pub mod target;
pub mod text;
pub mod ufunc;
