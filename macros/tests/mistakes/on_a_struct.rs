//! The attribute on something that is no function.

use ufc::vectorize;

#[vectorize]
struct F;

fn main() {}
