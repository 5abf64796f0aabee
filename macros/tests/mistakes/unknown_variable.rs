//! A name that nothing has.

use ufc::vectorize;

#[vectorize]
fn f(strike: f32) -> f32 {
    stirke * 2.0
}

fn main() {
    // A use of the kernel is no mistake of its own.
    let _ = f.call(2.0f32);
}
