//! A condition that is a number.

use ufc::vectorize;

#[vectorize]
fn f(n: u32) -> u32 {
    if n { 1 } else { 0 }
}

fn main() {}
