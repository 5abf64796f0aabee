//! An operation that not all types of the bound have.

use ufc::vectorize;

#[vectorize]
fn f<T: Num>(x: T) -> T {
    x.exp()
}

fn main() {}
