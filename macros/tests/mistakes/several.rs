//! All independent mistakes are reported at once.

use ufc::vectorize;

#[vectorize]
fn f(x: f32, n: u32) -> f32 {
    let a = x + n;
    let b: u8 = 300;
    x.cbrtt()
}

fn main() {}
