//! An option that there is not.

use ufc::vectorize;

#[vectorize(taget = "cpu")]
fn f(x: f32) -> f32 {
    x
}

fn main() {
    // A use of the kernel is no mistake of its own.
    let _ = f.call(2.0f32);
}
