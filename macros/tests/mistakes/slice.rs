//! A parameter that is a slice.

use ufc::vectorize;

#[vectorize]
fn f(x: &[f32]) -> f32 {
    x[0]
}

fn main() {}
