//! A result of another type than the head says.

use ufc::vectorize;

#[vectorize]
fn f(x: f64) -> f32 {
    x * 2.0
}

fn main() {}
