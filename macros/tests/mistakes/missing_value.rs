//! A function that ends without its result.

use ufc::vectorize;

#[vectorize]
fn f(x: f32) -> f32 {
    x * 2.0;
}

fn main() {}
