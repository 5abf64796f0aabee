//! Rust that is not in the language: closures.

use ufc::vectorize;

#[vectorize]
fn f(x: f32) -> f32 {
    let twice = |y: f32| y + y;
    twice(x)
}

fn main() {}
