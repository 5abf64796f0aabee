//! A type in the list that the named target lacks.

use ufc::vectorize;

#[vectorize(target = "wgpu", types(f32, f64))]
fn f<T: Float>(x: T) -> T {
    x + x
}

fn main() {}
