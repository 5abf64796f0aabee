//! Rust that is not in the language yet: arrays.

use ufc::vectorize;

#[vectorize]
fn f(n: u32) -> u32 {
    let table = [1u32, 2, 3];
    table[0] + n
}

fn main() {}
