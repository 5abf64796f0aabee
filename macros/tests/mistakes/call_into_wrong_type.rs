//! An output of the wrong type is found by rustc.

use ufc::vectorize;

#[vectorize]
fn f(x: f32, y: f32) -> f32 {
    x + y
}

fn main() {
    let mut out = vec![0.0f64];
    let _ = f.call_into((1.0, 2.0), &mut out);
}
