//! A helper with the name of a builtin.

use ufc::vectorize;

#[ufc::device]
fn clamp(x: f32) -> f32 {
    x
}

#[vectorize]
fn f(x: f32) -> f32 {
    x
}

fn main() {}
