//! An option in the wrong form.

use ufc::vectorize;

#[vectorize(fast_math = "yes", name(f))]
fn f(x: f32) -> f32 {
    x
}

fn main() {}
