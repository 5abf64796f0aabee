//! A type that is none.

use ufc::vectorize;

#[vectorize]
fn f(x: float32) -> f32 {
    1.0
}

fn main() {}
