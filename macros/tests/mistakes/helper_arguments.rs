//! A helper with an argument of the wrong type.

use ufc::vectorize;

#[ufc::device]
fn helper(x: f32) -> f32 {
    x
}

#[vectorize]
fn f(x: f64) -> f32 {
    helper(x)
}

fn main() {}
