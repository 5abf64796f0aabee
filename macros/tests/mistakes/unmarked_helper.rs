//! A helper without its attribute.

use ufc::vectorize;

fn helper(x: f32) -> f32 {
    x
}

#[vectorize]
fn f(x: f32) -> f32 {
    helper(x)
}

fn main() {
    // A use of the kernel is no mistake of its own.
    let _ = f.call(2.0f32);
}
