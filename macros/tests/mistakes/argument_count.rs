//! A builtin with too many arguments.

use ufc::vectorize;

#[vectorize]
fn f(x: f32) -> f32 {
    atan2(x, x, x)
}

fn main() {}
