//! A method that no number has.

use ufc::vectorize;

#[vectorize]
fn f(x: f32) -> f32 {
    x.squareroot()
}

fn main() {}
