//! Kernels with tokens dropped, doubled, swapped or taken from elsewhere: never a panic, and what has no error is right.

use crate::diag::Sink;
use crate::lexer::lex;
use crate::{check, check_expr};
use ufc_ir::DType;

fn sources() -> Vec<String> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let mut sources = Vec::new();
    for folder in [
        "kernels/examples",
        "tests/filetests/check",
        "tests/filetests/lower",
        "tests/filetests/parse",
    ] {
        let entries = std::fs::read_dir(format!("{root}/{folder}")).expect("a folder of kernels");
        let mut paths: Vec<_> = entries.flatten().map(|e| e.path()).collect();
        paths.sort();
        let kernels = paths
            .into_iter()
            .filter(|p| p.extension().is_some_and(|e| e == "ufk"));
        sources.extend(kernels.map(|p| std::fs::read_to_string(p).expect("readable")));
    }
    sources
}

struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// The source with some tokens changed.
fn mutate(source: &str, words: &[&str], random: &mut Random) -> String {
    let mut tokens: Vec<&str> = lex(source, &mut Sink::default())
        .iter()
        .map(|t| &source[t.span.range()])
        .collect();
    for _ in 0..=random.below(3) {
        let (a, b) = (random.below(tokens.len()), random.below(tokens.len()));
        match random.below(4) {
            0 => drop(tokens.remove(a)),
            1 => tokens.insert(a, tokens[b]),
            2 => tokens.swap(a, b),
            _ => tokens[a] = words[random.below(words.len())],
        }
        if tokens.is_empty() {
            break;
        }
    }
    tokens.join("\n")
}

/// Lowers every kernel that has no errors, for the first and the last dtypes of its bounds, and verifies the IR.
fn lower_all(source: &str) {
    let (module, diagnostics) = check(source);
    if !diagnostics.is_empty() {
        return;
    }
    for kernel in module.kernels() {
        let firsts: Vec<DType> = kernel
            .generics
            .iter()
            .filter_map(|g| g.set.iter().next())
            .collect();
        let lasts: Vec<DType> = kernel
            .generics
            .iter()
            .filter_map(|g| g.set.iter().last())
            .collect();
        for types in [firsts, lasts] {
            if let Ok(func) = module.lower(&kernel.name, &types)
                && let Err(violations) = ufc_ir::verify::verify(&func)
            {
                panic!(
                    "{source}\n{}\n{violations:?}",
                    ufc_ir::text::print::print(&func)
                );
            }
        }
    }
}

#[test]
fn changed_sources_are_reported_or_right() {
    const ROUNDS: usize = 25;
    let sources = sources();
    let words: Vec<&str> = sources
        .iter()
        .flat_map(|source| source.split_whitespace())
        .collect();
    let mut random = Random(2026);
    for _ in 0..ROUNDS {
        for source in &sources {
            let changed = mutate(source, &words, &mut random);
            lower_all(&changed);
            let line: Vec<&str> = changed
                .split_whitespace()
                .skip(random.below(40))
                .take(random.below(20))
                .collect();
            let (module, diagnostics) = check_expr(&line.join(" "));
            if diagnostics.is_empty() {
                let types = vec![DType::F32; module.kernels()[0].params.len()];
                if let Ok(func) = module.lower("expression", &types) {
                    assert!(ufc_ir::verify::verify(&func).is_ok(), "{}", line.join(" "));
                }
            }
        }
    }
}
