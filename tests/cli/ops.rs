//! `ufc ops`.

use crate::ufc;

#[test]
fn the_matrix_has_every_operation() {
    let printed = ufc(&["ops"]).ok();
    for name in ["add", "sqrt", "exp", "saturating_add", "conj"] {
        assert!(
            printed.lines().any(|line| line.starts_with(name)),
            "{name}: {printed}"
        );
    }
    assert!(
        !printed.lines().any(|line| line.starts_with("any ")),
        "{printed}"
    );
}

#[test]
fn one_operation_in_detail() {
    let printed = ufc(&["ops", "exp"]).ok();
    assert!(printed.contains("Within 1 ULP for f32"), "{printed}");
    assert!(printed.contains("expanded on cpu"), "{printed}");
    assert!(ufc(&["ops", "expp"]).fails(1).contains("did you mean `exp"));
}

#[test]
fn json_for_programs() {
    let value = ufc(&["ops", "mul_add", "--json", "--target", "interp"]).json();
    assert_eq!(value[0]["name"], "mul_add");
    assert_eq!(value[0]["support"]["f16"], "native");
    assert_eq!(value[0]["support"].get("u8"), None);
}
