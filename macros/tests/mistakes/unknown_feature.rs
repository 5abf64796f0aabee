//! A feature that no type needs.

use ufc::vectorize;

#[vectorize(target = "wgpu", allow(shader_f46))]
fn f(x: f32) -> f32 {
    x
}

fn main() {}
