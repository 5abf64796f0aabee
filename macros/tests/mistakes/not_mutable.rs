//! A variable that is assigned but not `mut`.

use ufc::vectorize;

#[vectorize]
fn f(x: f32) -> f32 {
    let y = x;
    y = 2.0;
    y
}

fn main() {}
