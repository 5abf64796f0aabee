//! An `if` without `else` as a value.

use ufc::vectorize;

#[vectorize]
fn f(x: f32) -> f32 {
    let y = if x > 0.0 { 1.0 };
    y
}

fn main() {}
