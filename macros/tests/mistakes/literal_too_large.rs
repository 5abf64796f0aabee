//! A number that its type cannot hold.

use ufc::vectorize;

#[vectorize]
fn f(x: u8) -> u8 {
    x + 256
}

fn main() {}
