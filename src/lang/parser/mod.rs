//! Tokens to tree: the cursor, how errors are reported, and how the parser finds its feet again.
//!
//! The parser takes a slice of tokens and does not know where they come from. It never fails: what it cannot read it
//! reports and replaces by an error node, about which later stages stay silent.

mod attr;
mod expr;
mod item;

use crate::ast::{Module, Name};
use crate::codes::Code;
use crate::diag::{Diagnostic, Sink};
use crate::span::Span;
use crate::token::{Token, TokenKind};

/// How deep expressions, blocks, types and patterns may be nested.
pub const MAX_DEPTH: u32 = 160;

/// Parses a source: functions and constants. The tokens end in [`TokenKind::End`].
pub fn parse_module(tokens: &[Token<'_>], sink: &mut Sink) -> Module {
    let mut parser = Parser::new(tokens, sink);
    parser.module();
    parser.module
}

/// Parses a one-line expression as the body of a function that has no parameters yet.
pub fn parse_expression(tokens: &[Token<'_>], sink: &mut Sink) -> Module {
    let mut parser = Parser::new(tokens, sink);
    parser.one_line();
    parser.module
}

struct Parser<'t, 'a, 's> {
    tokens: &'t [Token<'a>],
    at: usize,
    depth: u32,
    module: Module,
    sink: &'s mut Sink,
    /// Where the last error was reported: a second one at the same token says nothing new.
    last_error: Option<usize>,
    /// Whether so much of the current function was skipped that its types say nothing.
    lost: bool,
}

const END: Token<'static> = Token {
    kind: TokenKind::End,
    text: "",
    span: Span::new(0, 0),
};

impl<'t, 'a, 's> Parser<'t, 'a, 's> {
    fn new(tokens: &'t [Token<'a>], sink: &'s mut Sink) -> Self {
        let (at, depth, last_error) = (0, 0, None);
        let mut parser = Parser {
            tokens,
            at,
            depth,
            module: Module::default(),
            sink,
            last_error,
            lost: false,
        };
        parser.skip_unknown();
        parser
    }

    fn token(&self) -> Token<'a> {
        self.tokens
            .get(self.at)
            .or(self.tokens.last())
            .copied()
            .unwrap_or(END)
    }

    fn kind(&self) -> TokenKind {
        self.token().kind
    }

    fn span(&self) -> Span {
        self.token().span
    }

    fn is(&self, kind: TokenKind) -> bool {
        self.kind() == kind
    }

    /// Kind of the `n`th token after this one.
    fn ahead(&self, n: usize) -> TokenKind {
        self.tokens
            .get(self.at + n)
            .map_or(TokenKind::End, |t| t.kind)
    }

    fn previous_span(&self) -> Span {
        self.at
            .checked_sub(1)
            .and_then(|i| self.tokens.get(i))
            .map_or(self.span(), |t| t.span)
    }

    fn bump(&mut self) -> Token<'a> {
        let token = self.token();
        if token.kind != TokenKind::End {
            self.at += 1;
            self.skip_unknown();
        }
        token
    }

    /// Characters without meaning were reported by the lexer.
    fn skip_unknown(&mut self) {
        while self.is(TokenKind::Unknown) {
            self.at += 1;
            // What is missing here was reported with the character.
            self.last_error = Some(self.at);
        }
    }

    fn eat(&mut self, kind: TokenKind) -> bool {
        let found = self.is(kind);
        if found {
            self.bump();
        }
        found
    }

    fn report(&mut self, diagnostic: Diagnostic) {
        if self.last_error != Some(self.at) {
            self.sink.push(diagnostic);
        }
        self.last_error = Some(self.at);
    }

    /// Reports that something else stands where `wanted` should.
    fn unexpected(&mut self, wanted: &str) {
        let token = self.token();
        let found = token.kind.describe();
        let shown = match token.kind {
            TokenKind::Ident | TokenKind::Int | TokenKind::Float | TokenKind::Label => {
                crate::diag::quote(token.text)
            }
            _ => found.to_string(),
        };
        let message = format!("expected {wanted}, found {shown}");
        let label = format!("expected {wanted}");
        self.report(Diagnostic::error(
            Code::UnexpectedToken,
            token.span,
            message,
            label,
        ));
    }

    fn expect(&mut self, kind: TokenKind) -> bool {
        let found = self.eat(kind);
        if !found {
            self.unexpected(kind.describe());
        }
        found
    }

    /// Takes the bracket that closes the one opened at `open`; skips what stands before it after reporting.
    fn close(&mut self, open: Span, kind: TokenKind) -> Span {
        if self.is(kind) {
            return self.bump().span;
        }
        if self.is(TokenKind::End) || self.kind().is_closing() {
            let what = self.kind().describe();
            let message = format!("expected {}, found {what}", kind.describe());
            let error = Diagnostic::error(
                Code::UnclosedBracket,
                self.span(),
                message,
                "the bracket is not closed",
            );
            self.report(error.also(open, "opened here"));
            self.lost = true;
        } else {
            let wanted = if kind == TokenKind::CloseBrace {
                "a statement or `}`".to_string()
            } else {
                format!("`,`, an operator or {}", kind.describe())
            };
            self.unexpected(&wanted);
            while !self.is(TokenKind::End) && !self.kind().is_closing() && !self.is(TokenKind::Semi)
            {
                self.skip_tree();
            }
            if self.is(kind) {
                return self.bump().span;
            }
        }
        self.previous_span()
    }

    /// Skips one token, or a whole bracketed group. Does not recurse.
    fn skip_tree(&mut self) {
        let mut depth = 0usize;
        loop {
            let kind = self.bump().kind;
            if kind.closing().is_some() {
                depth += 1;
            } else if kind.is_closing() {
                depth = depth.saturating_sub(1);
            }
            if depth == 0 || self.is(TokenKind::End) {
                return;
            }
        }
    }

    /// Runs `parse` one level deeper; beyond the limit reports, skips what would be parsed, and gives none.
    fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> T) -> Option<T> {
        if self.depth >= MAX_DEPTH {
            let message = format!("the source is nested more than {MAX_DEPTH} levels deep here");
            let error = Diagnostic::error(
                Code::NestedTooDeeply,
                self.span(),
                message,
                "this is one level too deep",
            );
            self.report(
                error.help("give inner parts a name with `let`, or move them into a function"),
            );
            while !self.kind().is_closing()
                && !matches!(
                    self.kind(),
                    TokenKind::Semi | TokenKind::Comma | TokenKind::End
                )
            {
                self.skip_tree();
            }
            self.last_error = Some(self.at);
            self.lost = true;
            return None;
        }
        self.depth += 1;
        let result = parse(self);
        self.depth -= 1;
        Some(result)
    }

    fn name(&mut self, wanted: &str) -> Option<Name> {
        if self.is(TokenKind::Ident) {
            let token = self.bump();
            return Some(Name {
                text: token.text.to_string(),
                span: token.span,
            });
        }
        self.unexpected(wanted);
        None
    }

    /// Things separated by commas up to a closing bracket, which is taken; gives the bracket's span.
    fn list<T>(
        &mut self,
        close: TokenKind,
        open: Span,
        mut one: impl FnMut(&mut Self) -> Option<T>,
    ) -> (Vec<T>, Span) {
        let mut items = Vec::new();
        while !self.is(close) && !self.is(TokenKind::End) {
            let before = self.at;
            items.extend(one(self));
            if !self.eat(TokenKind::Comma) || self.at == before {
                break;
            }
        }
        (items, self.close(open, close))
    }

    fn not_yet(&mut self, span: Span, what: &str) {
        let message = format!("{what} are not available yet");
        self.report(Diagnostic::error(Code::NotYet, span, message, "not yet"));
    }

    fn not_in_language(&mut self, span: Span, what: &str, help: &str) {
        let message = format!("{what} are not part of the kernel language");
        let error = Diagnostic::error(
            Code::NotInLanguage,
            span,
            message,
            "not in the kernel language",
        );
        self.report(if help.is_empty() {
            error
        } else {
            error.help(help)
        });
    }
}
