//! Every diagnostic's page: its failing example fails with that code, its fixed example is clean.

use super::shown;
use crate::{Code, check};

fn blocks(page: &str) -> Vec<&str> {
    page.split("```ufk\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("```").map(|(block, _)| block))
        .collect()
}

fn page(code: Code) -> String {
    let path = format!("{}/../../docs/errors/{code}.md", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Codes that no example can give: a page without code blocks is right for these.
const WITHOUT_EXAMPLE: &[Code] = &[
    Code::SourceTooLarge,
    Code::Internal,
    Code::FailedTestCase,
    Code::NotInTarget,
];

/// All errors of a source, those found when its kernels are lowered included.
fn codes(source: &str) -> Vec<Code> {
    let (module, mut diagnostics) = check(source);
    for kernel in module.kernels() {
        let types: Vec<_> = kernel
            .generics
            .iter()
            .filter_map(|g| g.set.iter().next())
            .collect();
        if diagnostics.is_empty()
            && let Err(errors) = module.lower(&kernel.name, &types)
        {
            diagnostics.extend(errors);
        }
    }
    diagnostics.iter().map(|d| d.code).collect()
}

#[test]
fn every_code_has_a_page_whose_examples_are_right() {
    let mut wrong = Vec::new();
    for code in Code::ALL {
        let page = page(*code);
        if !page.starts_with(&format!("# {code}: {}\n", code.summary())) {
            wrong.push(format!("{code}: the title is not its summary"));
        }
        if WITHOUT_EXAMPLE.contains(code) {
            continue;
        }
        let blocks = blocks(&page);
        let [failing, fixed] = blocks[..] else {
            wrong.push(format!("{code}: a page has a failing and a fixed example"));
            continue;
        };
        let found = codes(failing);
        if found.is_empty() || found.iter().any(|c| c != code) {
            wrong.push(format!("{code}: the failing example gives {found:?}"));
        }
        let (_, diagnostics) = check(fixed);
        if !diagnostics.is_empty() {
            wrong.push(format!(
                "{code}: the fixed example gives {:?}",
                shown(&diagnostics)
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn the_documents_examples_are_right() {
    let path = format!("{}/../../docs/language.md", env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
    let blocks = blocks(&page);
    assert!(blocks.len() >= 10, "only {} examples", blocks.len());
    for block in blocks {
        let (module, diagnostics) = check(block);
        assert!(diagnostics.is_empty(), "{block}\n{:?}", shown(&diagnostics));
        for kernel in module.kernels() {
            let types: Vec<_> = kernel
                .generics
                .iter()
                .filter_map(|g| g.set.iter().next())
                .collect();
            assert!(module.lower(&kernel.name, &types).is_ok(), "{block}");
        }
    }
}
