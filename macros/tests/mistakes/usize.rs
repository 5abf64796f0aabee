//! A type of Rust that kernels lack.

use ufc::vectorize;

#[vectorize]
fn f(n: usize) -> u32 {
    1
}

fn main() {}
