//! Tests of `#[vectorize]`: the calls that it makes possible, and that it gives what a kernel's text gives.

mod calls;
mod helpers;
mod kernels;
#[cfg(feature = "ndarray")]
mod nd;
mod oracle;
