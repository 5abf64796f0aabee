#![no_main]
//! Any bytes are refused or are a well-formed function that is stored as bytes which load as the same function.

use libfuzzer_sys::fuzz_target;
use ufc_ir::{bytes, text, verify};

fuzz_target!(|data: &[u8]| {
    let Ok(func) = bytes::from_bytes(data) else {
        return;
    };
    verify::verify(&func).expect("what loads is well formed");
    let again = bytes::from_bytes(&bytes::to_bytes(&func)).expect("what was stored can be loaded");
    assert_eq!(text::print(&func), text::print(&again));
});
