//! Two sides of an operator of different types.

use ufc::vectorize;

#[vectorize]
fn f(x: f32, n: u32) -> f32 {
    x + n
}

fn main() {
    // A use of the kernel is no mistake of its own.
    let _ = f.call((1.0f32, 2u32));
}
