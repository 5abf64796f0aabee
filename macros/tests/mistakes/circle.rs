//! Helpers that call each other.

use ufc::vectorize;

#[ufc::device]
fn odd(n: u32) -> bool {
    if n == 0 { false } else { even(n - 1) }
}

#[ufc::device]
fn even(n: u32) -> bool {
    if n == 0 { true } else { odd(n - 1) }
}

#[vectorize]
fn f(n: u32) -> bool {
    odd(n)
}

fn main() {}
