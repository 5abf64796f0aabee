//! A bound in a `where` clause.

use ufc::vectorize;

#[vectorize]
fn f<T>(x: T) -> T
where
    T: Float,
{
    x
}

fn main() {}
