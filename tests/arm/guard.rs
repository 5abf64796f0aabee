//! The guard of the floating-point environment by itself, with as much of Rust's core library as it needs, as C functions:
//! so that a compiler without libraries for aarch64 makes it for `scripts/arm-check`.
#![feature(no_core, lang_items, rustc_attrs, decl_macro)]
#![no_core]
#![allow(internal_features, reason = "this crate is its own core library")]

extern crate self as std;

pub mod arch {
    #[rustc_builtin_macro]
    pub macro asm("assembly template", $(operands,)* $(options($(option),*))?) {}
}

#[lang = "pointee_sized"]
pub trait PointeeSized {}
#[lang = "meta_sized"]
pub trait MetaSized: PointeeSized {}
#[lang = "sized"]
pub trait Sized: MetaSized {}
#[lang = "copy"]
pub trait Copy {}
impl Copy for u64 {}
#[lang = "legacy_receiver"]
pub trait Receiver {}
impl<T: PointeeSized> Receiver for &T {}
#[lang = "eq"]
pub trait PartialEq<Other = Self> {
    fn eq(&self, other: &Other) -> bool;
    fn ne(&self, other: &Other) -> bool;
}
impl PartialEq for u64 {
    fn eq(&self, other: &u64) -> bool {
        *self == *other
    }
    fn ne(&self, other: &u64) -> bool {
        *self != *other
    }
}

/// Enters the default environment; what the caller's was is written to two places.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn guard_enter(control: *mut u64, flags: *mut u64) {
    let caller = machine::enter();
    unsafe {
        *control = caller.0;
        *flags = caller.1;
    }
}

/// Gives the caller's environment back.
#[unsafe(no_mangle)]
pub extern "C" fn guard_leave(control: u64, flags: u64) {
    machine::leave((control, flags));
}
