//! An argument too few is found by rustc.

use ufc::vectorize;

#[vectorize]
fn f(x: f32, y: f32) -> f32 {
    x + y
}

fn main() {
    let x = vec![1.0f32];
    let _ = f.call(&x);
}
