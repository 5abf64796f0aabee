//! A type in the list that is none.

use ufc::vectorize;

#[vectorize(types(f32, double))]
fn f<T: Float>(x: T) -> T {
    x
}

fn main() {}
