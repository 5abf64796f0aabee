//! Findings of the front end as errors of the Rust compiler, at the Rust tokens.

use proc_macro2::{Group, Literal, Span, TokenStream, TokenTree};
use quote::{quote, quote_spanned};
use ufc_lang::{Code, Diagnostic};

use crate::tokens::Tok;

/// What the user did wrong with an attribute, rather than with the kernel.
pub(crate) struct Mistake {
    pub(crate) code: Code,
    pub(crate) span: Span,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Mistake {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Mistake {
        let message = message.into();
        Mistake {
            code,
            span,
            message,
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn to_tokens(&self) -> TokenStream {
        let help = self.help.iter().map(|help| format!("help: {help}"));
        error(self.code, &self.message, help, self.span, self.span)
    }
}

/// A finding about tokens, of which it names the numbers.
pub(crate) fn diagnostic(found: &Diagnostic, toks: &[Tok]) -> TokenStream {
    let mut lines = Vec::new();
    if !found.primary.text.is_empty() && !found.message.contains(&found.primary.text) {
        lines.push(format!("here: {}", found.primary.text));
    }
    for label in &found.secondary {
        lines.push(format!("`{}`: {}", shown(toks, label.span), label.text));
    }
    lines.extend(found.note.iter().map(|note| format!("note: {note}")));
    let fix = found.fix.as_ref().map(|fix| fix.replacement.trim());
    match (&found.help, fix) {
        (Some(help), Some(fix)) if !help.contains(fix) => {
            lines.push(format!("help: {help}: `{fix}`"))
        }
        (Some(help), _) => lines.push(format!("help: {help}")),
        (None, Some(fix)) => lines.push(format!("help: write `{fix}`")),
        (None, None) => {}
    }
    let (start, end) = ends(found.primary.span);
    let at = |n: usize| {
        toks.get(n)
            .or(toks.last())
            .map_or_else(Span::call_site, |tok| tok.span)
    };
    error(found.code, &found.message, lines, at(start), at(end))
}

/// The first and the last token of a span; an empty one is after a token.
fn ends(span: ufc_lang::Span) -> (usize, usize) {
    let last = (span.end as usize).saturating_sub(1);
    (last.min(span.start as usize), last)
}

/// The tokens of a span as text, cut where they are many.
fn shown(toks: &[Tok], span: ufc_lang::Span) -> String {
    const MOST: usize = 8;
    let (start, end) = ends(span);
    let words: Vec<&str> = toks
        .iter()
        .take(end + 1)
        .skip(start)
        .map(|tok| tok.text.as_str())
        .collect();
    match words.len() > MOST {
        true => format!("{} …", words[..MOST].join(" ")),
        false => words.join(" "),
    }
}

/// `compile_error!` that underlines from one token to another.
fn error(
    code: Code,
    message: &str,
    lines: impl IntoIterator<Item = String>,
    start: Span,
    end: Span,
) -> TokenStream {
    let mut text = format!("{code}: {message}");
    for line in lines {
        text.push('\n');
        text.push_str(&line);
    }
    let mut literal = Literal::string(&text);
    literal.set_span(end);
    let mut group = Group::new(
        proc_macro2::Delimiter::Brace,
        TokenTree::from(literal).into(),
    );
    group.set_span(end);
    let head = quote_spanned!(start=> ::core::compile_error!);
    quote!(#head #group)
}
