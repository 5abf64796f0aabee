//! A neutral element of a kernel of one argument.

use ufc::vectorize;

#[vectorize(identity = 0)]
fn f(x: f32) -> f32 {
    x
}

fn main() {}
