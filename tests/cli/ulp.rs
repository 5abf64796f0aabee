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
fn targets_are_compared_bit_for_bit() {
    let value = ufc(&[
        "ulp",
        "exp",
        "sin",
        "--every",
        "99991",
        "--target",
        "cpu,cpu:clif,interp",
        "--json",
    ])
    .json();
    let list = value.as_array().expect("a list");
    let names: Vec<&str> = list.iter().filter_map(|v| v["function"].as_str()).collect();
    assert_eq!(names, ["exp", "sin"]);
    for one in list {
        let others = one["others"].as_array().expect("a list");
        let targets: Vec<&str> = others.iter().filter_map(|v| v["target"].as_str()).collect();
        assert_eq!(targets, ["cpu:clif", "interp"]);
        assert!(others.iter().all(|other| other["differ"] == 0), "{one}");
    }
    assert_ne!(list[0]["digest"], list[1]["digest"]);
    // The digest is of what was measured, so the same on one target and with other threads.
    let alone = ufc(&[
        "ulp",
        "exp",
        "--every",
        "99991",
        "--target",
        "interp",
        "--threads",
        "1",
        "--json",
    ]);
    assert_eq!(alone.json()["digest"], list[0]["digest"]);
}

#[test]
fn all_are_listed_a_line_each() {
    let text = ufc(&[
        "ulp",
        "--all",
        "--every",
        "999983",
        "--target",
        "cpu,cpu:clif",
    ])
    .ok();
    let names: Vec<&str> = text
        .lines()
        .filter_map(|l| l.split_whitespace().next())
        .collect();
    assert_eq!(names.len(), FUNCTIONS.len());
    assert!(FUNCTIONS.iter().all(|name| names.contains(name)), "{text}");
    assert!(
        text.lines()
            .all(|l| l.ends_with("; the same bits on cpu:clif")),
        "{text}"
    );
    ufc(&["ulp"]).fails(2);
    ufc(&["ulp", "exp", "--all"]).fails(2);
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
