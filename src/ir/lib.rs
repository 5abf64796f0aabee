//! The IR: structured SSA over typed scalars. See [`func`] for its shape and [`ops`] for what there is to do.

pub mod builder;
pub mod constant;
pub mod dtype;
pub mod entity;
pub mod func;
pub mod ops;

pub use constant::Const;
pub use dtype::{DType, Kind, TypeSet};
pub use func::Func;
