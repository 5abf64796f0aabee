//! A type that the bound does not allow.

use ufc::vectorize;

#[vectorize(types(f32, u8))]
fn f<T: Float>(x: T) -> T {
    x
}

fn main() {}
