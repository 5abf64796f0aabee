//! Kinds of tests that need the front end: tokens, trees, findings and lowering.

use ufc::{DType, Module};
use ufc_ir::text;
use ufc_lang::diag::{Diagnostic, Sink};
use ufc_lang::dump;

use super::annotate::{self, Finding, line_of};
use super::{Case, Outcome, expect};

/// Compares the tokens and the findings with the file `.tokens` beside the case.
pub(crate) fn lex(case: &Case) -> Outcome {
    let mut sink = Sink::default();
    let tokens = ufc_lang::lexer::lex(&case.text, &mut sink);
    let text = dump::tokens(&tokens) + &located(&sink.into_sorted());
    expect::file(&expect::beside(case, "tokens"), &text)
}

/// Compares the syntax tree and the findings with the file `.ast` beside the case.
pub(crate) fn parse(case: &Case) -> Outcome {
    let (tree, diagnostics) = ufc_lang::parse(&case.text);
    expect::file(
        &expect::beside(case, "ast"),
        &(dump::tree(&tree) + &located(&diagnostics)),
    )
}

/// One finding a line, each with its place.
fn located(diagnostics: &[Diagnostic]) -> String {
    let line = |d: &Diagnostic| format!("{} {d}\n", d.primary.span);
    diagnostics.iter().map(line).collect()
}

/// Compares what the front end has to say with the comments `//~ CODE: text` on the lines that it is about.
pub(crate) fn check(case: &Case) -> Outcome {
    let (_, diagnostics) = ufc_lang::check(&case.text);
    let found: Vec<Finding> = diagnostics.iter().map(|d| finding(case, d)).collect();
    annotate::check(&case.text, "//~", &found)
}

fn finding(case: &Case, diagnostic: &Diagnostic) -> Finding {
    Finding {
        line: line_of(&case.text, diagnostic.primary.span.start as usize),
        text: format!("{}: {}", diagnostic.code, diagnostic.message),
    }
}

/// Compares the IR of every kernel with the file `.ufir` beside the case.
///
/// A line `// types: f32 u8` gives the types of the generic kernels.
pub(crate) fn lower(case: &Case) -> Outcome {
    let module = Module::from_source(&case.path.display().to_string(), &case.text)?;
    let types = types(&case.text)?;
    let mut printed = Vec::new();
    for kernel in module.kernels() {
        let types = &types[..types.len().min(kernel.generics.len())];
        printed.push(text::print(&ufc::pipeline::lower(
            &module,
            &kernel.name,
            types,
        )?));
    }
    expect::file(&expect::beside(case, "ufir"), &printed.join("\n"))
}

fn types(source: &str) -> Result<Vec<DType>, String> {
    let listed = source
        .lines()
        .find_map(|line| line.trim().strip_prefix("// types:"));
    let names = listed.unwrap_or_default().split_whitespace();
    names
        .map(|name| DType::from_name(name).ok_or_else(|| format!("there is no type `{name}`")))
        .collect()
}
