//! `ufc ulp`.

use crate::{number, ufc};

#[test]
fn a_sample_of_all_floats() {
    let value = ufc(&["ulp", "exp", "--dtype", "f32", "--every", "99991", "--json"]).json();
    assert_eq!(value["function"], "exp");
    assert!(number(&value, "checked") >= 42_000.0, "{value}");
    assert!(
        number(&value, "max_ulp") <= number(&value, "bound"),
        "{value}"
    );
}

#[test]
fn only_functions_that_have_a_bound() {
    assert!(ufc(&["ulp", "expp"]).fails(1).contains("did you mean `exp"));
    ufc(&["ulp", "exp", "--dtype", "u8"]).fails(1);
}
