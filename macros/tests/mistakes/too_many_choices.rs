//! Bounds that allow very many choices.

use ufc::vectorize;

#[vectorize]
fn f<T: Num, U: Num>(x: T, y: U) -> T {
    x
}

fn main() {}
