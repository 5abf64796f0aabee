//! `ufc check`.

use crate::{folder, ufc, ufc_in, write};

#[test]
fn every_example_is_good() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/kernels/examples");
    for name in crate::names(folder.as_ref()) {
        let printed = ufc(&["check", &format!("{folder}/{name}")]).ok();
        assert!(printed.contains("good"), "{printed}");
        assert!(printed.contains("on interp and cpu"), "{printed}");
        assert!(!printed.contains(" 0 test cases"), "{printed}");
    }
}

const BROKEN: &str = "\
/// Two mistakes.
pub fn broken(x: f32, n: u32) -> f32 {
    let y = x + n;
    y.sine()
}
";

#[test]
fn all_mistakes_are_shown_in_place() {
    let folder = folder();
    write(folder.path(), "broken.ufk", BROKEN);
    let message = ufc_in(folder.path(), &["check", "broken.ufk"]).fails(1);
    assert!(message.contains("error[UFC0302]"), "{message}");
    assert!(message.contains("--> broken.ufk:3:"), "{message}");
    assert!(message.contains("error[UFC0202]"), "{message}");
    assert!(message.contains("did you mean `sin`"), "{message}");
    let value = ufc_in(folder.path(), &["check", "broken.ufk", "--json"]);
    assert_eq!(value.code, Some(1));
    let value: serde_json::Value = serde_json::from_str(&value.stdout).unwrap();
    let found = &value[0]["diagnostics"][0];
    assert_eq!(found["code"], "UFC0302");
    assert_eq!(found["labels"][0]["line"], 3);
}

#[test]
fn failing_test_cases_are_mistakes() {
    let folder = folder();
    let text = "#[test_case(1 => 2)]\n#[test_case(2 => 5)]\npub fn next(x: u8) -> u8 { x + 1 }\n";
    write(folder.path(), "next.ufk", text);
    let message = ufc_in(folder.path(), &["check", "next.ufk"]).fails(1);
    assert!(message.contains("error[UFC0503]"), "{message}");
    assert!(message.contains("next.ufk:2:"), "{message}");
    assert!(message.contains("expected 5, found 3"), "{message}");
    assert!(!message.contains("next.ufk:1:"), "{message}");
}

#[test]
fn files_are_checked_one_after_the_other() {
    let folder = folder();
    write(
        folder.path(),
        "good.ufk",
        "pub fn good(x: f32) -> f32 { x }\n",
    );
    write(
        folder.path(),
        "bad.ufk",
        "pub fn bad(x: f32) -> f32 { z }\n",
    );
    let outcome = ufc_in(folder.path(), &["check", "bad.ufk", "good.ufk", "gelu"]);
    assert!(
        outcome.stdout.contains("good.ufk: good, 1 kernel"),
        "{}",
        outcome.stdout
    );
    assert!(
        outcome.stdout.contains("gelu.ufk: good"),
        "{}",
        outcome.stdout
    );
    assert!(outcome.fails(1).contains("error[UFC0201]"));
}

#[test]
fn text_that_is_no_text() {
    let folder = folder();
    std::fs::write(folder.path().join("binary.ufk"), [0xff, 0xfe, 0x00, 0x80]).unwrap();
    let message = ufc_in(folder.path(), &["check", "binary.ufk"]).fails(1);
    assert!(message.contains("binary.ufk"), "{message}");
    assert!(
        ufc_in(folder.path(), &["check", "."])
            .fails(1)
            .contains("`.`")
    );
}
