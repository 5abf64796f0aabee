//! `ufc eval`.

use crate::{folder, ufc, ufc_in};
use ufc::Array;
use ufc::array::npy;

#[test]
fn a_sum() {
    assert_eq!(ufc(&["eval", "1+1"]).ok(), "2\n");
    assert_eq!(ufc(&["eval", "-7 / 2"]).ok(), "-3\n");
    assert_eq!(ufc(&["eval", "sqrt(2.25)"]).ok(), "1.5\n");
}

#[test]
fn free_names_are_inputs() {
    let folder = folder();
    let at = folder.path();
    npy::write(at.join("x.npy"), &Array::from([3.0f64, 5.0]).view()).unwrap();
    npy::write(at.join("y.npy"), &Array::from([4.0f64, 12.0]).view()).unwrap();
    let expression = "sqrt(x*x + y*y)";
    let args = ["eval", expression, "x=x.npy", "y=y.npy"];
    assert_eq!(ufc_in(at, &args).ok(), "[5.0, 13.0]\n");
    ufc_in(at, &[&args[..], &["-o", "r.npy"]].concat()).ok();
    let result = npy::read(at.join("r.npy")).unwrap();
    assert_eq!(result, Array::from([5.0f64, 13.0]));
}

#[test]
fn json_has_dtype_shape_and_data() {
    let args = ["eval", "x / 0.0", "x=linspace(-1, 1, 3)", "--json"];
    let value = ufc(&args).json();
    assert_eq!(value[0]["dtype"], "f64");
    assert_eq!(value[0]["shape"], serde_json::json!([3]));
    assert_eq!(value[0]["data"], serde_json::json!(["-inf", "NaN", "inf"]));
}

#[test]
fn mistakes_point_at_the_place() {
    let message = ufc(&["eval", "sqrt(x, 1)", "x=1"]).fails(1);
    assert!(message.contains("<expression>:1:"), "{message}");
    assert!(message.contains("ufc explain UFC0304"), "{message}");
    assert!(!message.contains('\x1b'), "{message:?}");
}

#[test]
fn colours_on_request() {
    let colored = ufc(&["eval", "1 +", "--color", "always"]).fails(1);
    assert!(colored.contains("\x1b["), "{colored:?}");
    let folder = folder();
    let mut command = crate::command(folder.path());
    command.args(["eval", "1 +"]).env("NO_COLOR", "1");
    assert!(!crate::outcome(&mut command).fails(1).contains('\x1b'));
}

#[test]
fn monstrous_expressions_give_diagnostics() {
    let nested = format!("{}x{}", "(".repeat(20_000), ")".repeat(20_000));
    let message = ufc(&["eval", &nested, "x=1"]).fails(1);
    assert!(message.contains("UFC0111"), "{message}");
    assert!(message.len() < 5000);
    let minuses = format!("{}x", "-".repeat(20_000));
    assert_eq!(
        ufc(&["eval", &minuses, "x=1"]).code.map(|code| code < 2),
        Some(true)
    );
}
