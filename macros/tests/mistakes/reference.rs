//! A parameter that is a reference.

use ufc::vectorize;

#[vectorize]
fn f(x: &f32) -> f32 {
    *x
}

fn main() {}
