//! The attributes `#[vectorize]` and `#[device]` of ufc: Rust functions as kernels, compiled to IR when they are built.
//!
//! Use them through the crate `ufc`, which documents them. A Rust function's tokens go through ufc's own front end; its
//! IR is embedded in the program as bytes. What the front end finds wrong becomes an error at the Rust token.

mod expand;
mod finish;
mod generic;
mod item;
mod names;
mod options;
mod report;
mod rewrite;
mod tokens;
mod unit;

use proc_macro::TokenStream;

/// Makes a kernel of a function; documented in the crate `ufc`.
#[proc_macro_attribute]
pub fn vectorize(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(expand::Role::Kernel, options.into(), item.into()).into()
}

/// Lets kernels use a function or constant; documented in the crate `ufc`.
#[proc_macro_attribute]
pub fn device(options: TokenStream, item: TokenStream) -> TokenStream {
    expand::attribute(expand::Role::Device, options.into(), item.into()).into()
}

/// Takes the tokens of one function or constant that another uses, and asks for the next or finishes.
#[doc(hidden)]
#[proc_macro]
pub fn __step(state: TokenStream) -> TokenStream {
    expand::step(state.into()).into()
}
