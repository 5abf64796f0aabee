//! An argument of the wrong type is found by rustc.

use ufc::vectorize;

#[vectorize]
fn f(x: f32, y: f32) -> f32 {
    x + y
}

fn main() {
    let x = vec![1.0f64];
    let _ = f.call((&x, 1.0));
}
