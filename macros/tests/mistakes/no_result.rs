//! A kernel without a result.

use ufc::vectorize;

#[vectorize]
fn f(x: f32) {}

fn main() {}
