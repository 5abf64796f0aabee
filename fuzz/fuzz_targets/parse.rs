#![no_main]
//! Any text goes through the front end and, where it has no errors, through every stage, without a panic.

use libfuzzer_sys::fuzz_target;
use ufc::{Error, Module, Target, dispatch};
use ufc_target::CompileOptions;

fuzz_target!(|text: &str| {
    let Ok(module) = Module::from_source("fuzz.ufk", text) else {
        return;
    };
    let cpu = dispatch::choose(&Target::CPU)
        .expect("this machine has a processor")
        .backend;
    for kernel in module
        .checked()
        .kernels()
        .iter()
        .filter(|kernel| kernel.generics.is_empty())
    {
        let compiled =
            ufc::pipeline::compile(&module, &kernel.name, &[], cpu, &CompileOptions::default());
        if let Err(error) = compiled {
            assert!(matches!(error, Error::Source(_)), "{error}");
        }
    }
});
