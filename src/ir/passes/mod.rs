//! Passes over functions. Each is a file with one `run(&mut Func) -> bool`, which tells whether anything changed.

pub mod carry;
mod copy;
pub mod counter;
pub mod cse;
pub mod dce;
pub mod fold;
pub mod if_convert;
pub mod licm;
pub mod merge;
pub mod narrow;
pub mod range;
pub mod simplify;
pub mod sink;
pub mod spmd;
pub mod uniform;
pub mod unroll;
