//! The IR: structured SSA over typed scalars. See [`func`] for its shape and [`ops`] for what there is to do.

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
pub mod passes;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod text;
pub mod verify;

pub use constant::Const;
pub use dtype::{DType, Kind, TypeSet};
pub use func::Func;
pub use verify::Verified;
