#![doc = include_str!("../README.md")]
//!
//! # Where to start
//! [`Module`] checks a kernel text, [`Ufunc`] is one kernel of it, called on anything that is an
//! [`array::Operand`]. [`Target`] and [`CallOptions`] say where and how a call runs; a [`Plan`] tells what was decided.

// Code made by the macros names the crate, also in its own tests and documents.
extern crate self as ufc;

pub mod array;
mod backend_interp;
mod cache;
mod call;
pub mod dispatch;
mod error;
pub mod fpenv;
mod module;
pub mod pipeline;
mod plan;
mod quick;
mod raw;
pub mod render;
mod ufunc;
pub mod units;
#[cfg_attr(feature = "macros", doc = include_str!("../docs/rust.md"))]
pub mod vectorize;

pub use array::{Array, DeviceArray, TypedDeviceArray, View, ViewMut};
pub use call::{Call, CallOptions};
pub use dispatch::Target;
pub use error::{Error, SourceError, TargetError};
pub use module::Module;
pub use plan::{Measured, Plan, Report};
pub use quick::Plain;
pub use raw::RawLoop;
pub use ufc_ir::{Const, DType};
pub use ufc_lang::{diag::Diagnostic, span::Span};
#[cfg(feature = "macros")]
pub use ufc_macros::{device, vectorize};
pub use ufc_target::{BackendError, InnerLoop};
pub use ufunc::{LoopInfo, Ufunc};
pub use vectorize::{AsColumn, TypedArray, TypedView, Vectorized};
