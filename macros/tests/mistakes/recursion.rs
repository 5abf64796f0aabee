//! A function that calls itself.

use ufc::vectorize;

#[vectorize]
fn f(n: u32) -> u32 {
    if n == 0 { 1 } else { n * f(n - 1) }
}

fn main() {
    // A use of the kernel is no mistake of its own.
    let _ = f.call(2u32);
}
