//! An option given twice.

use ufc::vectorize;

#[vectorize(fast_math, fast_math)]
fn f(x: f32) -> f32 {
    x
}

fn main() {}
