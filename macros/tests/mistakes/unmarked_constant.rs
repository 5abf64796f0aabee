//! A constant without its attribute.

use ufc::vectorize;

const RATE: f32 = 0.5;

#[vectorize]
fn f(x: f32) -> f32 {
    x * RATE
}

fn main() {}
