//! `ufc explain`.

use crate::ufc;
use ufc_lang::codes::Code;

#[test]
fn every_code_has_a_page() {
    let list = ufc(&["explain"]).ok();
    for code in Code::ALL {
        assert!(list.contains(code.name()));
        let page = ufc(&["explain", code.name()]).ok();
        assert!(page.contains(code.name()), "{page}");
        assert!(page.lines().count() >= 3, "{page}");
    }
    assert_eq!(
        ufc(&["explain", "ufc0203"]).ok(),
        ufc(&["explain", "0203"]).ok()
    );
}

#[test]
fn unknown_codes() {
    assert!(ufc(&["explain", "UFC9999"]).fails(1).contains("UFC9999"));
}
