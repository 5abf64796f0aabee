//! Options of `#[device]`, which has none.

use ufc::vectorize;

#[ufc::device(inline)]
fn helper(x: f32) -> f32 {
    x
}

#[vectorize]
fn f(x: f32) -> f32 {
    x
}

fn main() {}
