//! Rust's tokens as those of the kernel language, and back: in between, stretches of them are replaced.

use proc_macro2::{Delimiter, Group, Ident, Literal, Spacing, Span, TokenStream, TokenTree};
use ufc_lang::lexer::lex;
use ufc_lang::token::{Token, TokenKind};

/// A token of the language and what it was in Rust.
#[derive(Clone, Debug)]
pub(crate) struct Tok {
    pub(crate) kind: TokenKind,
    pub(crate) text: String,
    pub(crate) span: Span,
    /// The Rust tokens: the whole group for an opening bracket, none for a closing one.
    trees: Vec<TokenTree>,
}

impl Tok {
    /// A token that the user did not write.
    pub(crate) fn made(kind: TokenKind, text: &str, span: Span) -> Tok {
        Tok {
            kind,
            text: text.to_string(),
            span,
            trees: Vec::new(),
        }
    }

    pub(crate) fn is_ident(&self, text: &str) -> bool {
        self.kind == TokenKind::Ident && self.text == text
    }
}

/// Number types of the crate `num-complex`, and the language's names for them.
const COMPLEX: &[(&str, &str, &str)] = &[("Complex32", "f32", "c64"), ("Complex64", "f64", "c128")];

/// The tokens of a stream in order, groups taken apart.
pub(crate) fn flatten(stream: TokenStream) -> Vec<Tok> {
    let mut toks = Vec::new();
    flatten_into(stream, &mut toks);
    join_complex(toks)
}

fn flatten_into(stream: TokenStream, toks: &mut Vec<Tok>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        match tree {
            TokenTree::Group(group) => flatten_group(&group, toks),
            TokenTree::Ident(ident) => toks.push(word(ident)),
            TokenTree::Literal(literal) => flatten_literal(literal, toks),
            TokenTree::Punct(punct) => {
                let mut run = vec![punct.clone()];
                while run.last().is_some_and(|p| p.spacing() == Spacing::Joint)
                    && let Some(TokenTree::Punct(next)) = trees.peek()
                {
                    run.push(next.clone());
                    trees.next();
                }
                if let Some(TokenTree::Ident(name)) = trees.peek()
                    && run.last().is_some_and(|p| p.as_char() == '\'')
                {
                    let name = name.clone();
                    trees.next();
                    run.pop();
                    signs(&run, toks);
                    let text = format!("'{name}");
                    let mut quote = proc_macro2::Punct::new('\'', Spacing::Joint);
                    quote.set_span(name.span());
                    toks.push(Tok {
                        trees: vec![quote.into(), name.clone().into()],
                        ..Tok::made(TokenKind::Label, &text, name.span())
                    });
                } else {
                    signs(&run, toks);
                }
            }
        }
    }
}

/// Signs that stand next to each other, cut as the language cuts them: the longest first.
fn signs(run: &[proc_macro2::Punct], toks: &mut Vec<Tok>) {
    let text: String = run.iter().map(proc_macro2::Punct::as_char).collect();
    for token in lex(&text, &mut Default::default()) {
        let puncts = run.get(token.span.range()).unwrap_or_default();
        if let (Some(first), true) = (puncts.first(), token.kind != TokenKind::End) {
            toks.push(Tok {
                trees: puncts.iter().cloned().map(TokenTree::from).collect(),
                ..Tok::made(token.kind, token.text, first.span())
            });
        }
    }
}

fn flatten_group(group: &Group, toks: &mut Vec<Tok>) {
    // What a `macro_rules!` fragment was: parentheses keep it together.
    let (open, close, signs) = match group.delimiter() {
        Delimiter::Parenthesis | Delimiter::None => {
            (TokenKind::OpenParen, TokenKind::CloseParen, ("(", ")"))
        }
        Delimiter::Bracket => (TokenKind::OpenBracket, TokenKind::CloseBracket, ("[", "]")),
        Delimiter::Brace => (TokenKind::OpenBrace, TokenKind::CloseBrace, ("{", "}")),
    };
    toks.push(Tok {
        trees: vec![group.clone().into()],
        ..Tok::made(open, signs.0, group.span_open())
    });
    flatten_into(group.stream(), toks);
    toks.push(Tok::made(close, signs.1, group.span_close()));
}

fn word(ident: Ident) -> Tok {
    let text = ident.to_string();
    let kind = match text.as_str() {
        "_" => TokenKind::Underscore,
        word => TokenKind::keyword(word).unwrap_or(TokenKind::Ident),
    };
    Tok {
        trees: vec![ident.clone().into()],
        ..Tok::made(kind, text.trim_start_matches("r#"), ident.span())
    }
}

fn flatten_literal(literal: Literal, toks: &mut Vec<Tok>) {
    let (text, span) = (literal.to_string(), literal.span());
    let after_dot = toks.last().is_some_and(|tok| tok.kind == TokenKind::Dot);
    if let (Some((a, b)), true) = (text.split_once('.'), after_dot) {
        // `pair.0.1`: Rust's lexer takes `0.1` for a number.
        let number = |text: &str| {
            let mut number = Literal::u64_unsuffixed(text.parse().unwrap_or_default());
            number.set_span(span);
            Tok {
                trees: vec![number.into()],
                ..Tok::made(TokenKind::Int, text, span)
            }
        };
        let mut dot = proc_macro2::Punct::new('.', Spacing::Alone);
        dot.set_span(span);
        toks.push(number(a));
        toks.push(Tok {
            trees: vec![dot.into()],
            ..Tok::made(TokenKind::Dot, ".", span)
        });
        toks.push(number(b));
        return;
    }
    let kind = match lex(&text, &mut Default::default())[..] {
        [only, _end] if only.text.len() == text.len() => only.kind,
        _ => TokenKind::Unknown,
    };
    toks.push(Tok {
        trees: vec![literal.into()],
        ..Tok::made(kind, &text, span)
    });
}

/// Crates whose types the language has under names of its own.
const CRATES: &[&str] = &["num_complex", "half", "ufc"];

/// `Complex<f32>` and `Complex32` are `c64` in the language, `Complex::new` is `complex`, and `half::f16` is `f16`.
fn join_complex(toks: Vec<Tok>) -> Vec<Tok> {
    let mut joined: Vec<Tok> = Vec::new();
    let mut at = 0;
    while let Some(first) = toks.get(at) {
        let is = |n: usize, kind: TokenKind| toks.get(at + n).is_some_and(|t| t.kind == kind);
        let is_crate = first.kind == TokenKind::Ident && CRATES.contains(&first.text.as_str());
        let skipped = match is_crate && is(1, TokenKind::PathSep) && is(2, TokenKind::Ident) {
            true => 2,
            false => 0,
        };
        let is = |n: usize, kind: TokenKind| is(skipped + n, kind);
        let tok = &toks[at + skipped];
        let next = |n: usize| toks.get(at + skipped + n);
        let known = COMPLEX.iter().find(|row| tok.is_ident(row.0));
        let part = COMPLEX
            .iter()
            .find(|row| next(2).is_some_and(|t| t.is_ident(row.1)));
        let is_complex = tok.is_ident("Complex");
        let is_new = is(1, TokenKind::PathSep) && next(2).is_some_and(|t| t.is_ident("new"));
        let (count, text) = match (known, part) {
            (Some(row), _) => (1, row.2),
            (None, Some(row)) if is_complex && is(1, TokenKind::Lt) && is(3, TokenKind::Gt) => {
                (4, row.2)
            }
            _ if is_complex && is_new => (3, "complex"),
            _ => (1, tok.text.as_str()),
        };
        let count = skipped + count;
        let trees = toks[at..at + count].iter().flat_map(|t| t.trees.clone());
        joined.push(Tok {
            kind: tok.kind,
            text: text.to_string(),
            span: tok.span,
            trees: trees.collect(),
        });
        at += count;
    }
    joined
}

/// The tokens as the parser takes them: their spans are their numbers, from `first` on.
pub(crate) fn for_parser(toks: &[Tok]) -> Vec<Token<'_>> {
    let at = |n: usize| ufc_lang::Span::new(n as u32, n as u32 + 1);
    let given = toks.iter().enumerate().map(|(n, tok)| Token {
        kind: tok.kind,
        text: &tok.text,
        span: at(n),
    });
    let end = Token {
        kind: TokenKind::End,
        text: "",
        span: at(toks.len()),
    };
    given.chain([end]).collect()
}

/// Tokens to be changed on their way back to Rust.
#[derive(Default)]
pub(crate) struct Changes {
    /// What stands in place of so many tokens from a number on.
    replaced: Vec<(usize, usize, TokenStream)>,
    /// What stands before the token with a number and after that with another, in parentheses that enclose both.
    wrapped: Vec<(usize, usize, TokenStream)>,
}

impl Changes {
    /// Puts something in place of tokens `start..end`. Stretches must not overlap.
    pub(crate) fn replace(&mut self, start: usize, end: usize, with: TokenStream) {
        self.replaced.push((start, end, with));
    }

    /// Leaves out tokens `start..end`, whatever else is to become of them.
    pub(crate) fn cut(&mut self, start: usize, end: usize) {
        self.replaced.retain(|(at, ..)| !(start..end).contains(at));
        self.replaced.push((start, end, TokenStream::new()));
    }

    /// Makes tokens `start..end` the argument of a function.
    pub(crate) fn call(&mut self, start: usize, end: usize, function: TokenStream) {
        self.wrapped.push((start, end, function));
    }

    /// The tokens `start..end` in Rust, changed.
    pub(crate) fn apply(&self, toks: &[Tok], start: usize, end: usize) -> TokenStream {
        // The widest call that begins here comes first; inside it only narrower ones do.
        self.part(toks, start, end, None)
    }

    /// Whether something changes between two brackets.
    fn is_between(&self, open: usize, close: usize) -> bool {
        let starts = self
            .replaced
            .iter()
            .chain(&self.wrapped)
            .map(|change| change.0);
        starts
            .into_iter()
            .any(|start| open < start && start < close)
    }

    fn part(
        &self,
        toks: &[Tok],
        start: usize,
        end: usize,
        inside: Option<(usize, usize)>,
    ) -> TokenStream {
        let mut out = TokenStream::new();
        let mut at = start;
        while at < end {
            let is_narrower = |&&(s, e, _): &&(usize, usize, TokenStream)| {
                s == at
                    && e <= end
                    && inside.is_none_or(|outer| outer != (s, e) && (s > outer.0 || e < outer.1))
            };
            let call = self
                .wrapped
                .iter()
                .filter(is_narrower)
                .max_by_key(|call| call.1);
            if let Some((s, e, function)) = call {
                let argument = self.part(toks, *s, *e, Some((*s, *e)));
                out.extend(function.clone());
                out.extend([TokenTree::from(Group::new(
                    Delimiter::Parenthesis,
                    argument,
                ))]);
                at = *e;
            } else if let Some((_, e, with)) =
                self.replaced.iter().find(|(s, e, _)| *s == at && *e <= end)
            {
                out.extend(with.clone());
                at = *e;
            } else if toks[at].kind.closing().is_some() {
                let close = matching(toks, at);
                if let (Some(group), false) = (toks[at].trees.first(), self.is_between(at, close)) {
                    out.extend([group.clone()]);
                    at = close + 1;
                    continue;
                }
                let delimiter = match toks[at].kind {
                    TokenKind::OpenBrace => Delimiter::Brace,
                    TokenKind::OpenBracket => Delimiter::Bracket,
                    _ => Delimiter::Parenthesis,
                };
                let mut group = Group::new(delimiter, self.part(toks, at + 1, close, inside));
                let whole = toks[at].trees.first();
                group.set_span(whole.map_or(toks[at].span, TokenTree::span));
                out.extend([TokenTree::from(group)]);
                at = close + 1;
            } else {
                out.extend(toks[at].trees.iter().cloned());
                at += 1;
            }
        }
        out
    }
}

/// The number of the bracket that closes the one with this number.
pub(crate) fn matching(toks: &[Tok], open: usize) -> usize {
    let mut depth = 0usize;
    for (at, tok) in toks.iter().enumerate().skip(open) {
        if tok.kind.closing().is_some() {
            depth += 1;
        } else if tok.kind.is_closing() {
            depth -= 1;
            if depth == 0 {
                return at;
            }
        }
    }
    toks.len()
}
