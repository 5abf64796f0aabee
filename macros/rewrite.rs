//! A checked kernel's text as a Rust function: what Rust says otherwise is replaced, all else stays as it was written.

use proc_macro2::{Span, TokenStream};
use quote::{quote, quote_spanned};
use ufc_ir::{Const, DType, Kind};
use ufc_lang::ast::{ExprKind, Module};
use ufc_lang::hir::{self, Body, Type};
use ufc_lang::token::TokenKind;

use crate::item::rust_type;
use crate::names::is_builtin;
use crate::tokens::{Changes, Tok};

/// Words for dtypes that are no names of types in Rust.
const NOT_IN_RUST: &[&str] = &["f16", "bf16", "c64", "c128"];

/// What changes in the expressions of a function or constant, whose typed tree is given, and in all types of its tokens.
pub(crate) fn changes(
    module: &Module,
    exprs: &std::ops::Range<u32>,
    body: &Body,
    toks: &[Tok],
    own: &std::ops::Range<usize>,
) -> Changes {
    let mut changes = Changes::default();
    types(toks, own, &mut changes);
    let mut rewriter = Rewriter {
        module,
        body,
        toks,
        changes,
    };
    for expr in module.exprs_in(exprs) {
        rewriter.expr(&expr.kind, expr.span);
    }
    rewriter.changes
}

/// Replaces the names of types that are not Rust's.
pub(crate) fn types(toks: &[Tok], own: &std::ops::Range<usize>, changes: &mut Changes) {
    for at in own.clone() {
        let tok = &toks[at];
        let is_call = toks
            .get(at + 1)
            .is_some_and(|next| next.kind == TokenKind::OpenParen);
        let is_type =
            tok.kind == TokenKind::Ident && NOT_IN_RUST.contains(&tok.text.as_str()) && !is_call;
        if let (Some(dtype), true) = (DType::from_name(&tok.text), is_type) {
            let name = rust_type(dtype, tok.span);
            let is_path = toks
                .get(at + 1)
                .is_some_and(|next| next.kind == TokenKind::PathSep);
            changes.replace(at, at + 1, if is_path { quote!(<#name>) } else { name });
        }
    }
}

struct Rewriter<'a> {
    module: &'a Module,
    body: &'a Body,
    toks: &'a [Tok],
    changes: Changes,
}

impl Rewriter<'_> {
    fn expr(&mut self, kind: &ExprKind, span: ufc_lang::Span) {
        let (start, end) = (span.start as usize, span.end as usize);
        match kind {
            ExprKind::Number { float, .. } => self.number(*float, span),
            ExprKind::Cast { .. } => self.cast(span, kind),
            ExprKind::Call { path, .. } => {
                let Some(name) = path.single().filter(|name| is_builtin(&name.text)) else {
                    return;
                };
                let at = name.span.start as usize;
                let place = self.toks[at].span;
                if name.text == "index" {
                    self.changes.replace(
                        start,
                        end,
                        quote_spanned!(place=> ::ufc::vectorize::scalar::index()),
                    );
                    return;
                }
                let ident = proc_macro2::Ident::new(&name.text, place);
                self.changes
                    .replace(at, at + 1, quote!(::ufc::vectorize::scalar::#ident));
            }
            ExprKind::Method { name, args, .. } if name.text == "step_by" => {
                if let Some(step) = args.first() {
                    let span = self.module[*step].span;
                    let step = quote!(::ufc::vectorize::scalar::step);
                    self.changes
                        .call(span.start as usize, span.end as usize, step);
                }
            }
            _ => {}
        }
    }

    /// What the typed tree has for exactly these tokens.
    fn typed(&self, span: ufc_lang::Span) -> impl Iterator<Item = &hir::Expr> {
        self.body.exprs.iter().filter(move |expr| expr.span == span)
    }

    /// A number whose type Rust cannot give it.
    fn number(&mut self, float: bool, span: ufc_lang::Span) {
        let constant = |expr: &hir::Expr| match expr.kind {
            hir::ExprKind::Const(value) => Some(value),
            _ => None,
        };
        // A minus before the number is part of it in the typed tree.
        let negative = ufc_lang::Span::new(span.start.saturating_sub(1), span.end);
        let (value, span) = match self.typed(span).find_map(constant) {
            Some(value) => (value, span),
            None => match self.typed(negative).find_map(constant) {
                Some(value) => (value, negative),
                None => return,
            },
        };
        let (start, end) = (span.start as usize, span.end as usize);
        let place = self.toks[start].span;
        let is_rust = match value.dtype().kind() {
            Kind::Float => float && !matches!(value.dtype(), DType::F16 | DType::BF16),
            Kind::Complex => false,
            Kind::Bool | Kind::Signed | Kind::Unsigned => true,
        };
        if !is_rust {
            self.changes.replace(start, end, rust_value(value, place));
        }
    }

    /// A conversion that Rust's `as` does not do.
    fn cast(&mut self, span: ufc_lang::Span, kind: &ExprKind) {
        let ExprKind::Cast { ty: to, .. } = kind else {
            return;
        };
        let word = (to.span.start as usize).saturating_sub(1);
        let found = self
            .typed(span)
            .find_map(|expr| match (&expr.kind, &expr.ty) {
                (hir::ExprKind::Convert(from), Type::Scalar(to)) => {
                    Some((self.body.expr(*from).ty.clone(), *to))
                }
                _ => None,
            });
        let Some((Type::Scalar(from), to)) = found else {
            return;
        };
        if is_rust_cast(from, to) {
            return;
        }
        // The span begins within the parentheses around the value, if there are any.
        let (mut start, end) = (span.start as usize, span.end as usize);
        let count = |is: fn(TokenKind) -> bool| {
            self.toks[span.start as usize..word]
                .iter()
                .filter(|tok| is(tok.kind))
                .count()
        };
        let opened = count(|kind| kind.closing().is_some());
        start -= count(TokenKind::is_closing).saturating_sub(opened);
        let ty = rust_type(to, self.toks[end - 1].span);
        let cast = quote!(::ufc::vectorize::scalar::cast::<#ty>);
        self.changes.call(start, word, cast);
        self.changes.cut(word, end);
    }
}

/// Whether `as` between the Rust types does what the language's does.
fn is_rust_cast(from: DType, to: DType) -> bool {
    let own = |dtype: DType| !matches!(dtype, DType::F16 | DType::BF16) && !dtype.is_complex();
    match (from.kind(), to.kind()) {
        (Kind::Bool, Kind::Bool | Kind::Signed | Kind::Unsigned) => true,
        (Kind::Bool, _) | (_, Kind::Bool) => false,
        _ => own(from) && own(to),
    }
}

/// A constant in Rust.
fn rust_value(value: Const, place: Span) -> TokenStream {
    let dtype = value.dtype();
    let ty = rust_type(dtype, place);
    match dtype {
        DType::F16 | DType::BF16 => {
            let bits = value.bits() as u16;
            quote_spanned!(place=> #ty::from_bits(#bits))
        }
        DType::C64 | DType::C128 => {
            let (re, im) = (rust_value(value.re(), place), rust_value(value.im(), place));
            quote_spanned!(place=> <#ty>::new(#re, #im))
        }
        DType::F32 => {
            let bits = value.bits() as u32;
            quote_spanned!(place=> f32::from_bits(#bits))
        }
        _ => {
            let bits = value.bits() as u64;
            quote_spanned!(place=> f64::from_bits(#bits))
        }
    }
}
