//! A conversion that there is not.

use ufc::vectorize;

#[vectorize]
fn f(z: c64) -> f32 {
    z as f32
}

fn main() {}
