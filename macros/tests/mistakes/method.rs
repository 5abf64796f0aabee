//! A method.

use ufc::vectorize;

struct S;

impl S {
    #[vectorize]
    fn f(&self, x: f32) -> f32 {
        x
    }
}

fn main() {}
