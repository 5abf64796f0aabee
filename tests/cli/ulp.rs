//! `ufc ulp`, and with it the accuracy of every function that has a reference.

use crate::{number, ufc};

const FUNCTIONS: [&str; 15] = [
    "exp", "exp2", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "tanh",
    "pow", "hypot", "atan2",
];

#[track_caller]
fn within(function: &str, dtype: &str, every: &str) -> f64 {
    let value = ufc(&[
        "ulp", function, "--dtype", dtype, "--every", every, "--json",
    ])
    .json();
    assert_eq!(value["function"], function);
    assert!(
        number(&value, "max_ulp") <= number(&value, "bound"),
        "{value}"
    );
    number(&value, "checked")
}

#[test]
fn every_997th_f32_and_all_special_values() {
    for function in FUNCTIONS {
        let checked = within(function, "f32", "997");
        assert!(checked > 4_307_890.0, "{checked}");
    }
}

#[test]
fn f64_on_samples() {
    for function in FUNCTIONS {
        assert!(within(function, "f64", "3989") > 1_000_000.0);
    }
}

#[test]
fn only_what_has_a_reference() {
    assert!(ufc(&["ulp", "expp"]).fails(1).contains("did you mean `exp"));
    ufc(&["ulp", "exp", "--dtype", "u8"]).fails(1);
    ufc(&["ulp", "exp", "--dtype", "f64", "--exhaustive"]).fails(2);
    ufc(&["ulp", "exp", "--every", "0"]).fails(2);
    assert!(
        ufc(&["ulp", "exp", "--every", "99991"])
            .ok()
            .contains("within the bound")
    );
}
