//! A mistake in a helper is one error, however many kernels use it.

use ufc::vectorize;

#[ufc::device]
fn helper(x: f32, n: i32) -> f32 {
    x * n
}

#[vectorize]
fn f(x: f32) -> f32 {
    helper(x, 1)
}

#[vectorize]
fn g(x: f32) -> f32 {
    helper(x, 2) + f(x)
}

fn main() {}
