//! A target that there is not.

use ufc::vectorize;

#[vectorize(target = "cdua")]
fn f(x: f32) -> f32 {
    x
}

fn main() {}
