//! What the named target lacks.

use ufc::vectorize;

#[vectorize(target = "wgpu")]
fn f(x: f32) -> f32 {
    let wide = x as f64;
    (wide * wide) as f32
}

fn main() {}
