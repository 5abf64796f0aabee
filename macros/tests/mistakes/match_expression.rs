//! Rust that is not in the language: `match`.

use ufc::vectorize;

#[vectorize]
fn f(n: u32) -> u32 {
    match n {
        0 => 1,
        _ => 2,
    }
}

fn main() {}
