#![no_main]
//! Any text is refused or is a function that prints to text which means the same function; passes keep it well formed.

use libfuzzer_sys::fuzz_target;
use ufc_ir::{text, verify};

fuzz_target!(|source: &str| {
    let Ok(mut func) = text::parse(source) else {
        return;
    };
    if verify::verify(&func).is_err() {
        return;
    }
    let printed = text::print(&func);
    let again = text::parse(&printed).expect("printed text can be read");
    assert_eq!(printed, text::print(&again));
    ufc::pipeline::optimize(&mut func);
    verify::verify(&func).expect("passes keep a function well formed");
});
