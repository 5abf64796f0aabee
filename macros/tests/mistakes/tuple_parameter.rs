//! A parameter that is a tuple.

use ufc::vectorize;

#[vectorize]
fn f(p: (f32, f32)) -> f32 {
    p.0
}

fn main() {}
