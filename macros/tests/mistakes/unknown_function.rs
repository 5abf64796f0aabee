//! A function that nothing has.

use ufc::vectorize;

#[vectorize]
fn f(x: f32) -> f32 {
    sqr(x)
}

fn main() {
    // A use of the kernel is no mistake of its own.
    let _ = f.call(2.0f32);
}
