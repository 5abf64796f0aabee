//! Mistakes under `#[vectorize]`: each file of `macros/tests/mistakes` fails to compile, with the messages beside it.

#[test]
fn mistakes_are_reported_at_the_rust_tokens() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/mistakes/*.rs");
}
