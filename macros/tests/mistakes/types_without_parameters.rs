//! Types for a function without type parameters.

use ufc::vectorize;

#[vectorize(types(f32))]
fn f(x: f32) -> f32 {
    x
}

fn main() {}
