//! Text to tokens.

use crate::codes::Code;
use crate::diag::{Diagnostic, Sink};
use crate::span::Span;
use crate::token::{Token, TokenKind};

/// Most bytes that a source may have.
pub const MAX_SOURCE: usize = 16 << 20;

/// Characters that people paste or type in place of an operator, and the operator.
const LOOKALIKES: &[(char, &str)] = &[
    ('−', "-"),
    ('–', "-"),
    ('×', "*"),
    ('·', "*"),
    ('÷', "/"),
    ('≤', "<="),
    ('≥', ">="),
    ('≠', "!="),
    ('∧', "&&"),
    ('∨', "||"),
    ('¬', "!"),
    ('π', "f64::PI"),
];

/// Splits text into tokens; the last one is [`TokenKind::End`].
pub fn lex<'a>(source: &'a str, sink: &mut Sink) -> Vec<Token<'a>> {
    let mut lexer = Lexer {
        source,
        at: 0,
        tokens: Vec::new(),
        sink,
    };
    if source.len() > MAX_SOURCE {
        let message = format!(
            "the source has {} bytes, more than the {MAX_SOURCE} allowed",
            source.len()
        );
        lexer.sink.push(Diagnostic::error(
            Code::SourceTooLarge,
            Span::new(0, 0),
            message,
            "",
        ));
    } else {
        while lexer.at < source.len() {
            lexer.token();
        }
    }
    let end = Span::new(lexer.at as u32, lexer.at as u32);
    lexer.tokens.push(Token {
        kind: TokenKind::End,
        text: "",
        span: end,
    });
    lexer.tokens
}

struct Lexer<'a, 's> {
    source: &'a str,
    at: usize,
    tokens: Vec<Token<'a>>,
    sink: &'s mut Sink,
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_name(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

impl<'a> Lexer<'a, '_> {
    fn rest(&self) -> &'a str {
        &self.source[self.at..]
    }

    fn token(&mut self) {
        let rest = self.rest();
        let Some(c) = rest.chars().next() else { return };
        if c.is_whitespace() {
            self.at += c.len_utf8();
        } else if rest.starts_with("//") {
            self.line_comment();
        } else if rest.starts_with("/*") {
            self.block_comment();
        } else if c.is_ascii_digit() {
            self.number();
        } else if is_name_start(c) {
            let len = run(rest, is_name);
            let word = &rest[..len];
            let kind = if word == "_" {
                TokenKind::Underscore
            } else {
                TokenKind::Ident
            };
            self.push(TokenKind::keyword(word).unwrap_or(kind), len);
        } else if c == '\'' && rest[1..].starts_with(is_name_start) {
            self.push(TokenKind::Label, 1 + run(&rest[1..], is_name));
        } else if c == '"' {
            self.string();
        } else if let Some((sign, kind)) = TokenKind::SIGNS
            .iter()
            .find(|(sign, _)| rest.starts_with(sign))
        {
            self.push(*kind, sign.len());
        } else {
            self.unknown(c);
        }
    }

    fn push(&mut self, kind: TokenKind, len: usize) {
        let text = &self.rest()[..len];
        self.tokens.push(Token {
            kind,
            text,
            span: self.span(len),
        });
        self.at += len;
    }

    fn span(&self, len: usize) -> Span {
        Span::new(self.at as u32, (self.at + len) as u32)
    }

    fn line_comment(&mut self) {
        let rest = self.rest();
        let len = rest.find('\n').unwrap_or(rest.len());
        let line = rest[..len].trim_end();
        let doc = if line.starts_with("///") && !line.starts_with("////") {
            Some(TokenKind::Doc)
        } else if line.starts_with("//!") {
            Some(TokenKind::ModuleDoc)
        } else {
            None
        };
        if let Some(kind) = doc {
            let text = line[3..].strip_prefix(' ').unwrap_or(&line[3..]);
            self.tokens.push(Token {
                kind,
                text,
                span: self.span(line.len()),
            });
        }
        self.at += len;
    }

    /// Block comments nest, as in Rust.
    fn block_comment(&mut self) {
        let bytes = self.rest().as_bytes();
        let (mut depth, mut at) = (1, 2);
        while depth > 0 {
            match bytes.get(at..at + 2) {
                None => {
                    let message = "this block comment is not closed";
                    let error = Diagnostic::error(
                        Code::UnclosedComment,
                        self.span(2),
                        message,
                        "opened here",
                    );
                    self.sink.push(error.help("write `*/` where it ends"));
                    at = bytes.len();
                    break;
                }
                Some(b"/*") => (depth, at) = (depth + 1, at + 2),
                Some(b"*/") => (depth, at) = (depth - 1, at + 2),
                Some(_) => at += 1,
            }
        }
        self.at += at;
    }

    /// A number with its suffix. Whether the digits make sense is for whoever needs the value.
    fn number(&mut self) {
        let rest = self.rest();
        if rest.starts_with("0x") || rest.starts_with("0b") || rest.starts_with("0o") {
            return self.push(TokenKind::Int, 2 + run(&rest[2..], is_name));
        }
        let digits = |from: usize| run(&rest[from..], |c| c.is_ascii_digit() || c == '_');
        let mut len = digits(0);
        let mut kind = TokenKind::Int;
        // `1.` and `1.5` are floats; `1..n` is a range and `1.max(x)` a call.
        let after_dot = rest[len..].strip_prefix('.');
        // After a dot, `0.1` are two fields, as in `pair.0.1`.
        let field = self
            .tokens
            .last()
            .is_some_and(|t| t.kind == TokenKind::Dot && t.span.end as usize == self.at);
        if after_dot.is_some_and(|r| !r.starts_with(|c| c == '.' || is_name_start(c))) && !field {
            kind = TokenKind::Float;
            len += 1;
            len += digits(len);
        }
        if !field && let Some(exponent) = exponent(&rest[len..]) {
            kind = TokenKind::Float;
            len += exponent;
        }
        let suffix = run(&rest[len..], is_name);
        if rest[len..].starts_with('f') || rest[len..].starts_with("bf") {
            kind = TokenKind::Float;
        }
        self.push(kind, len + suffix);
    }

    fn string(&mut self) {
        let rest = self.rest();
        let line = rest.find('\n').unwrap_or(rest.len());
        match rest[1..line].find('"') {
            Some(close) => self.push(TokenKind::Str, close + 2),
            None => {
                let message = "this string is not closed";
                self.sink.push(Diagnostic::error(
                    Code::UnclosedBracket,
                    self.span(1),
                    message,
                    "opened here",
                ));
                self.push(TokenKind::Str, line);
            }
        }
    }

    fn unknown(&mut self, c: char) {
        let len = run(self.rest(), |other| other == c);
        let span = self.span(len);
        let message = format!(
            "the character `{}` has no meaning here",
            c.escape_default_visible()
        );
        let mut error = Diagnostic::error(
            Code::UnknownCharacter,
            span,
            message,
            "not part of the language",
        );
        if let Some((_, sign)) = LOOKALIKES.iter().find(|(like, _)| *like == c) {
            error = error.help(format!("write `{sign}`"));
            if len == c.len_utf8() {
                error = error.fix(span, *sign);
            }
        }
        self.sink.push(error);
        // Going on with the sign that was meant avoids further errors.
        let meant = LOOKALIKES
            .iter()
            .find(|(like, _)| *like == c)
            .map(|(_, sign)| *sign);
        let kind = TokenKind::SIGNS
            .iter()
            .find(|(sign, _)| meant == Some(*sign))
            .map(|(_, kind)| *kind);
        self.push(kind.unwrap_or(TokenKind::Unknown), len);
    }
}

trait EscapeVisible {
    fn escape_default_visible(self) -> String;
}

impl EscapeVisible for char {
    /// Control characters escaped, all others as they are.
    fn escape_default_visible(self) -> String {
        if self.is_control() {
            self.escape_default().to_string()
        } else {
            self.to_string()
        }
    }
}

fn run(text: &str, is_in: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is_in(c)).unwrap_or(text.len())
}

/// Length of an exponent such as `e-3` at the start of the text.
fn exponent(text: &str) -> Option<usize> {
    let after = text.strip_prefix(['e', 'E'])?;
    let signed = after.strip_prefix(['+', '-']).unwrap_or(after);
    let digits = run(signed, |c| c.is_ascii_digit() || c == '_');
    let len = text.len() - signed.len() + digits;
    signed[..digits]
        .contains(|c: char| c.is_ascii_digit())
        .then_some(len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(source: &str) -> Vec<(TokenKind, &str)> {
        let mut sink = Sink::default();
        let tokens = lex(source, &mut sink);
        assert!(sink.is_empty(), "{:?}", sink.into_sorted());
        tokens
            .iter()
            .map(|t| (t.kind, t.text))
            .filter(|(kind, _)| *kind != TokenKind::End)
            .collect()
    }

    fn codes(source: &str) -> Vec<Code> {
        let mut sink = Sink::default();
        lex(source, &mut sink);
        sink.into_sorted().iter().map(|d| d.code).collect()
    }

    #[test]
    fn numbers() {
        use TokenKind::{Dot, DotDot, DotDotEq, Float, Ident, Int, OpenParen};
        assert_eq!(
            kinds("1_000u32 0xFFu8"),
            [(Int, "1_000u32"), (Int, "0xFFu8")]
        );
        assert_eq!(
            kinds("1.5e-3f32 1e5 2. 1f32"),
            [
                (Float, "1.5e-3f32"),
                (Float, "1e5"),
                (Float, "2."),
                (Float, "1f32")
            ]
        );
        assert_eq!(kinds("0..n"), [(Int, "0"), (DotDot, ".."), (Ident, "n")]);
        assert_eq!(kinds("0..=9"), [(Int, "0"), (DotDotEq, "..="), (Int, "9")]);
        assert_eq!(
            kinds("1.max("),
            [(Int, "1"), (Dot, "."), (Ident, "max"), (OpenParen, "(")]
        );
        assert_eq!(
            kinds("t.0.1"),
            [(Ident, "t"), (Dot, "."), (Int, "0"), (Dot, "."), (Int, "1")]
        );
    }

    #[test]
    fn signs_are_taken_longest_first() {
        use TokenKind::{Eq, GtEq, Shl, ShlEq, Shr};
        assert_eq!(
            kinds("<<= << >>"),
            [(ShlEq, "<<="), (Shl, "<<"), (Shr, ">>")]
        );
        assert_eq!(kinds(">==")[..], [(GtEq, ">="), (Eq, "=")]);
        assert_eq!(kinds("'outer:")[0], (TokenKind::Label, "'outer"));
    }

    #[test]
    fn comments_and_docs() {
        assert_eq!(kinds("/* a /* b */ c */ // d\n//// e"), []);
        assert_eq!(
            kinds("/// Doc. \n//! File."),
            [(TokenKind::Doc, "Doc."), (TokenKind::ModuleDoc, "File.")]
        );
        assert_eq!(codes("x /* /* */"), [Code::UnclosedComment]);
    }

    #[test]
    fn unknown_characters_are_reported_once_a_run() {
        assert_eq!(
            codes("a $$$$ b ~"),
            [Code::UnknownCharacter, Code::UnknownCharacter]
        );
        let mut sink = Sink::default();
        lex("a − b", &mut sink);
        let list = sink.into_sorted();
        assert_eq!(
            list[0].fix.as_ref().map(|f| f.replacement.as_str()),
            Some("-")
        );
    }

    #[test]
    fn a_source_that_is_too_large_is_refused() {
        assert_eq!(codes(&" ".repeat(MAX_SOURCE + 1)), [Code::SourceTooLarge]);
    }
}
