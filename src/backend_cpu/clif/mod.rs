//! Vector code through Cranelift: what it does natively, lowering to CLIF, and executable memory.

pub(crate) mod isa;
pub(crate) mod jit;
pub(crate) mod legal;
pub(crate) mod lower;
pub(crate) mod masks;
pub(crate) mod pool;
