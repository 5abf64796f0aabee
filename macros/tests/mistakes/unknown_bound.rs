//! A bound that is none.

use ufc::vectorize;

#[vectorize]
fn f<T: Real>(x: T) -> T {
    x
}

fn main() {}
