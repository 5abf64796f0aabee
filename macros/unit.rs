//! One item with all that it uses, as a source of the kernel language.

use std::ops::Range;

use proc_macro2::{Span, TokenStream};
use ufc_lang::ast::{ExprKind, Function};
use ufc_lang::diag::Sink;
use ufc_lang::parser::parse_module;
use ufc_lang::token::TokenKind;
use ufc_lang::{Code, Diagnostic, Module, check_parsed};

use crate::item::{Head, Item};
use crate::options::Options;
use crate::report::{self, Mistake};
use crate::tokens::{Tok, for_parser};

/// A checked source, and which of its tokens are the item's own.
pub(crate) struct Unit {
    pub(crate) toks: Vec<Tok>,
    /// The item's tokens, from `fn` or `const` on.
    pub(crate) own: Range<usize>,
    pub(crate) module: Module,
    diagnostics: Vec<Diagnostic>,
}

impl Unit {
    /// Checks an item together with the functions and constants that it uses, each under the name that it has here.
    /// With options, the item is a kernel.
    pub(crate) fn check(
        item: &Item,
        options: Option<&Options>,
        used: &[(String, Vec<Tok>)],
    ) -> Unit {
        let mut toks = Vec::new();
        for (name, item) in used {
            let start = toks.len();
            toks.extend(item.iter().cloned());
            if let Some(own) = toks.get_mut(start + 1) {
                own.text.clone_from(name);
            }
        }
        if let Some(options) = options {
            head(item, options, &mut toks);
        }
        let own = toks.len()..toks.len() + item.toks.len();
        toks.extend(item.toks.iter().cloned());
        let mut sink = Sink::default();
        let parsed = parse_module(&for_parser(&toks), &mut sink);
        let (module, diagnostics) = check_parsed(parsed, sink);
        Unit {
            toks,
            own,
            module,
            diagnostics,
        }
    }

    /// Whether anything is wrong, here or in what is used.
    pub(crate) fn has_errors(&self) -> bool {
        self.diagnostics.iter().any(Diagnostic::is_error)
    }

    /// What is wrong with the item itself, as errors of the compiler. What is wrong with what it uses is reported there.
    pub(crate) fn errors(&self) -> TokenStream {
        let errors = self.diagnostics.iter().filter(|found| found.is_error());
        errors.filter_map(|found| self.own_error(found)).collect()
    }

    fn own_error(&self, found: &Diagnostic) -> Option<TokenStream> {
        // Attributes that were made from options stand before the item's tokens.
        let first = self.toks.len() - self.own.len();
        let first = self.made_from().unwrap_or(first);
        let is_own = |span: ufc_lang::Span| (span.start as usize) >= first;
        if is_own(found.primary.span) {
            return Some(report::diagnostic(found, &self.toks));
        }
        // A circle of calls, or a kernel that is too large, is everybody's concern.
        let place = found.secondary.iter().find(|label| is_own(label.span));
        match (found.code, place) {
            (Code::Recursion, Some(label)) => {
                let mut found = found.clone();
                found.primary = label.clone();
                found.secondary.clear();
                Some(report::diagnostic(&found, &self.toks))
            }
            (Code::KernelTooLarge, _) if self.module.kernels().len() == 1 => {
                let place = self.toks[self.own.start + 1].span;
                Some(Mistake::new(found.code, place, found.message.clone()).to_tokens())
            }
            _ => None,
        }
    }

    /// The number of the first token that was made from options.
    fn made_from(&self) -> Option<usize> {
        let made =
            |tok: &Tok| matches!(tok.kind, TokenKind::Pound | TokenKind::Doc | TokenKind::Pub);
        self.toks[..self.own.start].iter().position(made)
    }

    /// The item as a function.
    pub(crate) fn function(&self) -> Option<&Function> {
        let name = self.own.start + 1;
        let functions = &self.module.ast().functions;
        functions
            .iter()
            .find(|f| f.name.span.start as usize == name)
    }

    /// The head of the item, if it is a function whose types are those of the language.
    pub(crate) fn head(&self) -> Option<Head> {
        Head::of(self.function()?, &self.toks)
    }

    /// The number of the brace that opens the function's body.
    pub(crate) fn body(&self) -> Option<usize> {
        let body = self.function()?.body?;
        let ast = self.module.ast();
        matches!(ast[body].kind, ExprKind::Block(_)).then(|| ast[body].span.start as usize)
    }
}

/// What the language has before a kernel: documentation, attributes and `pub`.
fn head(item: &Item, options: &Options, toks: &mut Vec<Tok>) {
    let place = item.span();
    let mut put = |kind: TokenKind, text: &str, span: Span| toks.push(Tok::made(kind, text, span));
    for line in &item.docs {
        put(TokenKind::Doc, line, place);
    }
    if let Some(span) = options.fast_math {
        put(TokenKind::Pound, "#", span);
        put(TokenKind::OpenBracket, "[", span);
        put(TokenKind::Ident, "fast_math", span);
        put(TokenKind::CloseBracket, "]", span);
    }
    if let Some((span, value)) = &options.identity {
        put(TokenKind::Pound, "#", *span);
        put(TokenKind::OpenBracket, "[", *span);
        put(TokenKind::Ident, "identity", *span);
        put(TokenKind::OpenParen, "(", *span);
        toks.extend(value.iter().cloned());
        toks.push(Tok::made(TokenKind::CloseParen, ")", *span));
        toks.push(Tok::made(TokenKind::CloseBracket, "]", *span));
    }
    toks.push(Tok::made(TokenKind::Pub, "pub", place));
}
